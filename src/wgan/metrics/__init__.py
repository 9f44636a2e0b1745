"""Metrics: pure functions of arrays, feature extraction beside them."""
