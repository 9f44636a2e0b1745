"""Signals: how their channels become numbers of mean 0 and deviation 1, and how samples become the user's units again."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.recorded import restored
from wgan.data.units import as_type, within_type
from wgan.errors import WganError

CHUNK = 1 << 22  # numbers that are held in double precision at once


@dataclass(frozen=True)
class SignalUnits:
    """Everything that brings a sample [C, T] back into the user's units."""

    mean: tuple[float, ...]  # of the training signals, one for each channel
    scale: tuple[float, ...]  # their standard deviation
    dtype: str  # of the user's values
    names: tuple[str, ...] = ()  # of the channels; () = they have none
    rate: int = 0  # steps in a second, of recordings; 0 = not known
    flat: bool = False  # the user's signals are [T], without an axis of channels

    def standardise(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return (value - mean) / scale of each channel: [N, C, T] -> float32 [N, C, T]."""
        mean, scale = (np.array(x)[:, None] for x in (self.mean, self.scale))
        standard: NDArray[np.float32] = ((values.astype(np.float64) - mean) / scale).astype(np.float32)
        return standard

    def restore(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        """Return samples [N, C, T] in the user's units, float64; whole numbers are rounded, and within their type."""
        mean, scale = (np.array(x)[:, None] for x in (self.mean, self.scale))
        return within_type(samples.astype(np.float64) * scale + mean, self.dtype)

    def stored(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Return restored values [N, C, T] as the user's data are: in their type, and [N, T] where they have no channels."""
        return as_type(values[:, 0] if self.flat else values, self.dtype)

    @property
    def channels(self) -> list[str]:
        """The names of the channels, x0, x1 ... where they have none."""
        return list(self.names) or [f"x{i}" for i in range(len(self.mean))]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


def from_json(values: dict[str, Any] | None) -> SignalUnits | None:
    """Return what to_json() wrote, or None; WganError for what it cannot have written."""
    damage = "the units of the signals, in run.json, are damaged: what they say of the channels makes no sense"
    return restored(values, lambda v: SignalUnits(**v), is_sound, damage)


def is_sound(units: SignalUnits) -> bool:
    """Return whether every channel has a finite mean and a scale above 0, and a name where one has."""
    numbers = np.array([units.mean, units.scale], dtype=np.float64)
    return (
        bool(np.isfinite(numbers).all() and (numbers[1] > 0).all())
        and numbers.shape[1] > 0
        and np.dtype(units.dtype).kind in "iuf"
        and len(units.names) in (0, len(units.mean))
        and all(isinstance(name, str) for name in units.names)
        and isinstance(units.flat, bool)
        and type(units.rate) is int
        and 0 <= units.rate < 2**31
    )


def fit(values: NDArray[Any], train: NDArray[np.bool_], names: tuple[str, ...], flat: bool, where: str) -> SignalUnits:
    """Return the units of signals [N, C, T] by those of them that `train` [N] picks; WganError for a constant channel."""
    numbers = np.flatnonzero(train)
    channels = range(values.shape[1])
    mean = np.array([total(values, numbers, c, 0.0, 1) for c in channels])
    scale = np.sqrt([total(values, numbers, c, mean[c], 2) for c in channels])
    constant = [c for c in channels if is_constant(values, numbers, c)]
    if constant:
        called = names[constant[0]] if names else f"x{constant[0]}"
        raise WganError(
            f"{where}: channel {called} is constant ({values[numbers[0], constant[0], 0]:g}) in the training part, and holds "
            "nothing to learn: leave it out"
        )
    kind = "float64" if values.dtype.kind == "b" else str(values.dtype)
    return SignalUnits(tuple(mean.tolist()), tuple(scale.tolist()), kind, names, flat=flat)


def total(values: NDArray[Any], numbers: NDArray[np.int64], channel: int, centre: float, power: int) -> float:
    """Return the mean of (value - centre)^power over the signals `numbers` of one channel, in double precision."""
    step = max(1, CHUNK // values.shape[2])
    parts = [numbers[i : i + step] for i in range(0, len(numbers), step)]
    sums = [float(((values[part, channel].astype(np.float64) - centre) ** power).sum()) for part in parts]
    return math.fsum(sums) / float(len(numbers) * values.shape[2])


def is_constant(values: NDArray[Any], numbers: NDArray[np.int64], channel: int) -> bool:
    """Return whether one channel has the same value at every step of all these signals."""
    first = values[numbers[0], channel, 0]
    return all((values[i, channel] == first).all() for i in numbers)
