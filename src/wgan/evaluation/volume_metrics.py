"""Metrics of volumes: the values of voxels, and the mean of each volume; each next to its reference."""

from __future__ import annotations

from collections.abc import Iterator

from wgan.evaluation.context import Measured, MetricValue
from wgan.evaluation.signal_metrics import value
from wgan.metrics import volumes as metrics


def volume_values(m: Measured) -> Iterator[MetricValue]:
    """The distance of the values of voxels, and of the means of volumes."""
    yield value(m, "voxel-w1", metrics.voxel_distance, "in standard deviations of a voxel")
    yield value(m, "volume-mean-w1", metrics.mean_distance, "in standard deviations of the mean of a volume")
