"""Units: how the columns of a table become numbers of mean 0 and deviation 1, and how samples become such rows again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError


@dataclass(frozen=True)
class Units:
    """Everything that brings a sample [D] back into the user's units; a row there has one number for each of C columns.

    Columns whose training values are all alike teach nothing: they are left out (D < C) and written back as they are.
    """

    names: tuple[str, ...]  # of the C columns; empty = they have none
    kinds: tuple[str, ...]  # NumPy dtype of each column, such as int64 or float32
    decimals: tuple[int, ...]  # digits after the point that a text file had; -1 = not rounded
    mean: tuple[float, ...]  # of the training rows, C numbers
    scale: tuple[float, ...]  # their standard deviation; 0 = a constant column
    label: str = ""  # name of the column that holds the class; "" = none
    label_at: int = -1  # its place among all columns of the file
    low: tuple[float, ...] = ()  # least and greatest value of the training rows; () = not known (runs of 0.1)
    high: tuple[float, ...] = ()
    step: tuple[float, ...] = ()  # every training value is `low` plus a multiple of it; 0 = no such step

    @property
    def kept(self) -> list[int]:
        """The columns that are learned."""
        return [i for i, s in enumerate(self.scale) if s > 0]

    def standardise(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return (row - mean) / scale of the kept columns: [N, C] -> float32 [N, D]."""
        kept = self.kept
        mean, scale = np.array(self.mean)[kept], np.array(self.scale)[kept]
        standard: NDArray[np.float32] = ((rows[:, kept].astype(np.float64) - mean) / scale).astype(np.float32)
        return standard

    def outside(self, samples: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which numbers of samples [N, D] lie outside the training range before clipping, bool [N, C].

        Half a step outside is rounded back, and counts as inside.
        """
        rows = self._rows(samples)
        if not self.low:
            return np.zeros(rows.shape, np.bool_)
        low, high = np.array(self.low), np.array(self.high)
        slack = np.maximum(np.array(self.step) / 2, 1e-6 * (high - low))
        found: NDArray[np.bool_] = (rows < low - slack) | (rows > high + slack)
        return found

    def restore(self, samples: NDArray[Any], beyond_range: bool = False) -> NDArray[np.float64]:
        """Return samples [N, D] as rows [N, C] in the user's units, with the range and the step of the training rows.

        beyond_range: neither clipped to that range nor brought to that step; whole numbers rounded and within their type.
        """
        rows = self._rows(samples)
        if self.low and not beyond_range:
            low, step = np.array(self.low), np.array(self.step)
            stepped = low + np.rint((rows - low) / np.where(step > 0, step, 1)) * step
            rows = np.where(step > 0, stepped, rows).clip(low, np.array(self.high))
        return self._rounded(rows)

    def _rows(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        rows = np.tile(np.array(self.mean, dtype=np.float64), (len(samples), 1))
        kept = self.kept
        rows[:, kept] += samples.astype(np.float64) * np.array(self.scale)[kept]
        return rows

    def _rounded(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        for i, (kind, digits) in enumerate(zip(self.kinds, self.decimals, strict=True)):
            dtype = np.dtype(kind)
            if dtype.kind in "iu":
                info = np.iinfo(dtype)
                rows[:, i] = np.rint(rows[:, i]).clip(float(info.min), float(info.max))
            elif digits >= 0:
                rows[:, i] = rows[:, i].round(digits)
        return rows

    def column(self, rows: NDArray[np.float64], i: int) -> NDArray[Any]:
        """Return column i of restored rows in its own type."""
        dtype = np.dtype(self.kinds[i])
        if dtype.kind not in "iu":
            return rows[:, i].astype(dtype)
        info = np.iinfo(dtype)  # float64 cannot hold the largest int64: clip again on the side of the integers
        return np.array([min(max(int(v), info.min), info.max) for v in rows[:, i]], dtype=dtype)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


def from_json(values: dict[str, Any] | None) -> Units | None:
    """Return the Units that to_json() wrote, or None; WganError for what it cannot have written."""
    if values is None:
        return None
    try:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        units = Units(**fields)
        sound = is_sound(units)
    except (AttributeError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise WganError("the units of the data, in run.json, are damaged: what they say of the columns makes no sense")
    return units


def is_sound(units: Units) -> bool:
    """Return whether every column has a type, digits, a mean and a scale, and each of these is one."""
    count = len(units.mean)
    return (
        len(units.kinds) == len(units.decimals) == len(units.scale) == count
        and len(units.names) in (0, count)
        and all(isinstance(name, str) for name in (*units.names, units.label))
        and all(np.dtype(kind).kind in "iuf" for kind in units.kinds)
        and all(type(n) is int and -1 <= n <= 400 for n in units.decimals)
        and bool(np.isfinite(np.array([units.mean, units.scale], dtype=np.float64)).all())
        and type(units.label_at) is int
        and -1 <= units.label_at <= count
        and all(len(limits) in (0, count) for limits in (units.low, units.high, units.step))
        and len(units.low) == len(units.high) == len(units.step)
        and bool(np.isfinite(np.array([units.low, units.high, units.step], dtype=np.float64)).all())
        and all(a <= b and s >= 0 for a, b, s in zip(units.low, units.high, units.step, strict=True))
    )


def fit(rows: NDArray[Any], names: Sequence[str], kinds: Sequence[str], decimals: Sequence[int], where: str) -> Units:
    """Return the Units of training rows [N, C]; WganError when no column varies."""
    mean = rows.mean(0, dtype=np.float64)
    scale = rows.std(0, dtype=np.float64)
    constant = rows.min(0) == rows.max(0)
    mean[constant], scale[constant] = rows[0][constant], 0.0  # the exact value, free of rounding
    if constant.all():
        raise WganError(f"{where} holds nothing to learn: every column is constant")
    low, high = (x.astype(np.float64) for x in (rows.min(0), rows.max(0)))
    steps = [step_of(rows[:, i].astype(np.float64)) for i in range(rows.shape[1])]
    numbers = [tuple(float(v) for v in x) for x in (mean, scale, low, high, steps)]
    means, scales, lows, highs, step = numbers
    return Units(tuple(names), tuple(kinds), tuple(decimals), means, scales, low=lows, high=highs, step=step)


def step_of(values: NDArray[np.float64]) -> float:
    """Return the step s for which all values [N] are the least one plus a multiple of s, 0 where there is none.

    It is the least difference of two values: 1 for whole numbers, 5 for multiples of 5, 0.01 for prices, the distance of
    the only two values. Where most values occur once, only a step that few numbers of that kind would share counts.
    """
    found = np.unique(values)
    if len(found) < 2:
        return 0.0
    step = float(np.diff(found).min())
    multiples = (found - found[0]) / step
    exact = np.abs(multiples - np.rint(multiples)).max() <= 1e-6 * max(1.0, float(multiples[-1]))
    return step if exact and multiples[-1] < 1e5 else 0.0
