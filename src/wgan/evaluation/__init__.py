"""Evaluation: every metric of a run or of a file of samples, next to the same metric of real data."""
