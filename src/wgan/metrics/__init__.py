"""Metrics: pure functions of arrays. `wgan.evaluation.metrics_table` says which of them `wgan evaluate` applies to what."""
