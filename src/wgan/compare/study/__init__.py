"""A comparison written down before it is run: a design, equal random search, fresh seeds, hypotheses and their verdicts."""
