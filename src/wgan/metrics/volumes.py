"""Distances between two sets of volumes: the values of their voxels, and the mean of each volume. Both 0 for equal sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.metrics.distances import w1_1d
from wgan.metrics.rows import pair_of


def voxel_distance(fake: Any, real: Any) -> float:
    """Return the mean over channels of W1 between the values of voxels, in the standard deviation of all real ones.

    fake [N, C, D, H, W], real [M, C, D, H, W] -> >= 0; a shift by a deviations gives |a|. Source: Villani 2003, theorem 2.18.
    Errors: WganError as `channels`, and for reals that are constant.
    """
    a, b = channels(fake, real)
    return _mean_w1(a, b) / scale_of(b)


def mean_distance(fake: Any, real: Any) -> float:
    """Return the mean over channels of W1 between the means of volumes, in the standard deviation of all real means.

    Where these are all the same, in that of the voxels. fake, real, source and errors as in `voxel_distance`.
    """
    a, b = channels(fake, real)
    means = [x.mean(2, keepdims=True, dtype=np.float64) for x in (a, b)]
    spread = float(means[1].std())
    return _mean_w1(*means) / (spread if spread > 1e-6 * scale_of(b) else scale_of(b))


def channels(fake: Any, real: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return volumes of both sides as [C, N, D * H * W]; WganError as `pair_of`."""
    a, b = (x.reshape(*x.shape[:2], -1).swapaxes(0, 1) for x in pair_of("volumes", fake, real))
    return a, b


def scale_of(real: NDArray[Any]) -> float:
    """Return the standard deviation of all values; WganError for 0."""
    scale = float(real.std(dtype=np.float64))
    if scale == 0:
        raise WganError("the real volumes are constant: their values set no scale")
    return scale


def _mean_w1(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.mean([w1_1d(one.reshape(-1), other.reshape(-1)) for one, other in zip(a, b, strict=True)]))
