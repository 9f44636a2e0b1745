"""Images that keep their values, and volumes: how numbers of any range become floats in [-1, 1], and the way back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.recorded import restored
from wgan.data.units import as_type, within_type
from wgan.errors import WganError


@dataclass(frozen=True)
class PixelUnits:
    """The range of the training images, which networks see as [-1, 1], and the type of the user's values."""

    low: float
    high: float
    dtype: str

    @property
    def mean(self) -> tuple[float]:
        """The value that networks see as 0."""
        return ((self.low + self.high) / 2,)

    @property
    def scale(self) -> tuple[float]:
        """What 1 in a network stands for."""
        return ((self.high - self.low) / 2,)

    def standardise(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return 2 (value - low) / (high - low) - 1 as float32, of any shape."""
        standard: NDArray[np.float32] = ((values.astype(np.float64) - self.mean) / self.scale).astype(np.float32)
        return standard

    def restore(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        """Return samples in the user's units, float64; whole numbers are rounded, and within their type."""
        return within_type(samples.astype(np.float64) * self.scale + self.mean, self.dtype)

    def stored(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Return restored values [N, C, H, W] in the user's type as [N, H, W] or [N, H, W, C]; volumes stay [N, C, D, H, W]."""
        images = as_type(values, self.dtype)
        if images.ndim == 5:
            return images
        return images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


def from_json(values: dict[str, Any] | None) -> PixelUnits | None:
    """Return what to_json() wrote, or None; WganError for what it cannot have written."""
    return restored(values, lambda v: PixelUnits(**v), is_sound, "the range of the images, in run.json, is damaged")


def is_sound(units: PixelUnits) -> bool:
    """Return whether the range is one, and the type that of floats, or of whole numbers of at most 32 bits."""
    kind = np.dtype(units.dtype)
    known = kind.kind == "f" or (kind.kind in "iu" and kind.itemsize <= 4)
    return known and bool(np.isfinite([units.low, units.high]).all()) and units.low < units.high


def fit(values: NDArray[Any], train: NDArray[np.int64], dtype: str, where: str) -> PixelUnits:
    """Return the units of the images `train` among `values` [N, C, ...]; WganError where all their values are the same."""
    low = min(float(values[i].min()) for i in train)
    high = max(float(values[i].max()) for i in train)
    if low == high:
        raise WganError(f"{where} holds nothing to learn: every value is {low:g}")
    return PixelUnits(low, high, dtype)
