"""What every metric accepts: arrays or tensors of finite numbers, one sample a row. One sentence for anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError

Rows = NDArray[np.float64]


def rows(samples: Any, name: str = "samples", least: int = 1, single: bool = False) -> Any:
    """Return `samples` [N, ...] flattened to float64 [N, D]; with `single`, float32 stays as it is and is not copied.

    Errors: WganError when there is no axis beside N, fewer than `least` samples, or a value that is no finite number.
    """
    if hasattr(samples, "detach"):
        samples = samples.detach().cpu().numpy()
    try:
        array = np.asarray(samples)
        array = array if single and array.dtype == np.float32 else array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise WganError(f"{name} must be an array of numbers, one sample a row") from None
    if array.ndim < 2:
        raise WganError(f"{name} must have shape [N, D], one sample a row, not {list(array.shape)}")
    if len(array) < least:
        raise WganError(f"{name} has {len(array)} samples; this figure needs at least {least}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).reshape(len(array), -1).any(1).sum())
        raise WganError(f"{name} has NaN or infinite values in {bad} of {len(array)} samples")
    return array.reshape(len(array), -1)


def pair(
    fake: Any, real: Any, least: int = 1, names: tuple[str, str] = ("fake", "real"), single: bool = False
) -> tuple[Any, Any]:
    """Return both as rows of one width; arguments as `rows`; WganError as there, or when the widths differ."""
    a, b = rows(fake, names[0], least, single), rows(real, names[1], least, single)
    if a.shape[1] != b.shape[1]:
        raise WganError(f"{names[0]} has {a.shape[1]} numbers a sample, {names[1]} has {b.shape[1]}: they must match")
    return a, b


def labels(values: Any, classes: int, name: str = "labels") -> NDArray[np.int64]:
    """Return class labels as int64 [N] in 0..classes-1; WganError for another shape, type or range, or no label."""
    array = np.asarray(values.cpu() if hasattr(values, "cpu") else values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise WganError(f"{name} must be whole numbers of shape [N], not {array.dtype} {list(array.shape)}")
    if array.min() < 0 or array.max() >= classes:
        raise WganError(f"{name} must lie in 0..{classes - 1}, found {array.min()}..{array.max()}")
    return array.astype(np.int64)
