"""What every metric accepts: arrays or tensors of finite numbers, one sample a row. One sentence for anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.errors import WganError

Rows = NDArray[np.float64]
LAYOUTS = {"signals": "[N, C, T]", "volumes": "[N, C, D, H, W]"}


class Pixels:
    """uint8 images [N, ...] that read as float32 rows [N, D] in [0, 1], made part by part: a quarter of the rows' memory."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.shape = (len(images), images[0].numel() if len(images) else 0)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        part = self.images[which if isinstance(which, slice) else torch.from_numpy(which)]
        values: NDArray[np.float32] = (part.float() / 255).flatten(1).numpy()
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.float32, copy=False)


def rows(samples: Any, name: str = "samples", least: int = 1, single: bool = False) -> Any:
    """Return `samples` [N, ...] flattened to float64 [N, D]; with `single`, float32 and Pixels stay as they are, uncopied.

    Errors: WganError when there is no axis beside N, fewer than `least` samples, or a value that is not a finite number.
    """
    if isinstance(samples, Pixels) and single and len(samples) >= least:
        return samples
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
        raise WganError(f"{name} has {len(array)} samples; this metric needs at least {least}")
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


def samples_of(kind: str, x: Any, name: str) -> NDArray[Any]:
    """Return signals or volumes as an array in the layout of LAYOUTS; WganError for another shape, none, NaN and infinity."""
    array = np.asarray(x)
    if array.ndim != LAYOUTS[kind].count(",") + 1 or not array.size:
        raise WganError(f"{name} must be {kind} {LAYOUTS[kind]}, not {list(array.shape)}")
    if not np.isfinite(array).all():
        raise WganError(f"{name} holds NaN or infinite values")
    return array


def pair_of(kind: str, fake: Any, real: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both sides as `samples_of` does; WganError unless their samples have the same shape."""
    a, b = samples_of(kind, fake, "fake"), samples_of(kind, real, "real")
    if a.shape[1:] != b.shape[1:]:
        raise WganError(f"fake {kind} are {list(a.shape[1:])}, real ones {list(b.shape[1:])}: they must be equal")
    return a, b


def labels(values: Any, classes: int, name: str = "labels") -> NDArray[np.int64]:
    """Return class labels as int64 [N] in 0..classes-1; WganError for another shape, type or range, or no label."""
    array = np.asarray(values.cpu() if hasattr(values, "cpu") else values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise WganError(f"{name} must be whole numbers of shape [N], not {array.dtype} {list(array.shape)}")
    if array.min() < 0 or array.max() >= classes:
        raise WganError(f"{name} must lie in 0..{classes - 1}, found {array.min()}..{array.max()}")
    return array.astype(np.int64)
