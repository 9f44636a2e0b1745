"""Evaluation: every metric of a run or of a file of samples, beside the same metric of real data."""
