"""Data that need no file of the user's: MNIST in the package, Fashion-MNIST of the system, toys with known modes."""
