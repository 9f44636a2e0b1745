"""Faster ways of computing the same layers, equal up to rounding."""
