"""Distances between two sets of volumes: the values of their voxels, and the mean of each volume. Both 0 for equal sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.metrics.distances import w1_1d


def channels(x: Any, name: str) -> NDArray[Any]:
    """Return volumes x [N, C, D, H, W] as [C, N, D * H * W]; WganError for other shapes, and numbers that are not finite."""
    array = np.asarray(x)
    if array.ndim != 5 or not array.size:
        raise WganError(f"{name} must be volumes [N, C, D, H, W], not {list(array.shape)}")
    if not np.isfinite(array).all():
        raise WganError(f"{name} holds NaN or infinite values")
    return np.moveaxis(array.reshape(*array.shape[:2], -1), 1, 0)


def voxel_distance(fake: Any, real: Any) -> float:
    """Return the mean over channels of W1 between the values of voxels, in the standard deviation of all real ones.

    fake [N, C, D, H, W], real [M, C, D, H, W] -> >= 0; a shift by a deviations gives |a|. Source: Villani 2003, theorem 2.18.
    Errors: WganError as `channels`, for other channels or sides, and for reals that are constant.
    """
    a, b = both(fake, real)
    return _mean_w1(a, b) / scale_of(b)


def mean_distance(fake: Any, real: Any) -> float:
    """Return the mean over channels of W1 between the means of volumes, in the standard deviation of all real means.

    Where these are all the same, in that of the voxels. fake, real, source and errors as in `voxel_distance`.
    """
    a, b = both(fake, real)
    means = [x.mean(2, keepdims=True, dtype=np.float64) for x in (a, b)]
    spread = float(means[1].std())
    return _mean_w1(*means) / (spread if spread > 1e-6 * scale_of(b) else scale_of(b))


def both(fake: Any, real: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both sides as `channels` gives them; WganError where they do not fit each other."""
    a, b = channels(fake, "fake"), channels(real, "real")
    if np.shape(fake)[1:] != np.shape(real)[1:]:
        raise WganError(
            f"fake volumes are {list(np.shape(fake)[1:])}, real ones {list(np.shape(real)[1:])}: they differ"
        )
    return a, b


def scale_of(real: NDArray[Any]) -> float:
    """Return the standard deviation of all values; WganError for 0."""
    scale = float(real.std(dtype=np.float64))
    if scale == 0:
        raise WganError("the real volumes are constant: their values set no scale")
    return scale


def _mean_w1(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.mean([w1_1d(one.reshape(-1), other.reshape(-1)) for one, other in zip(a, b, strict=True)]))
