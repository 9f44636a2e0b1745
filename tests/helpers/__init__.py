"""What tests share: tiny runs, exact players, real processes, hostile files (README.md says which helper gives what)."""
