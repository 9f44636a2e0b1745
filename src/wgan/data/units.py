"""Units: how the columns of a table become numbers of mean 0 and deviation 1, and how samples become such rows again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.recorded import restored
from wgan.errors import WganError

FEW = 20  # values of a column that come back as such and as often as in the training rows
ROWS_EACH = 10  # training rows for each of these values, on average at least: fewer say little of how often they are

Levels = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Units:
    """Everything that brings a sample [D] back into the user's units; a row there has one number for each of C columns.

    Columns whose training values are all the same teach nothing: they are left out (D < C) and written back as they are.
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
    values: Levels = ()  # of each column with few values, ascending; () = many
    below: Levels = ()  # the fraction of training rows at or below each of `values`
    cuts: Levels = ()  # of a generator, not of the data: see `cut_by`; () = values are rounded to the nearest

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
            inside = np.where(step > 0, stepped, rows).clip(low, np.array(self.high))
            for i, values in enumerate(self.values):
                if values:
                    inside[:, i] = np.array(values)[self._levels(rows[:, i], i)]
            rows = inside
        return self._rounded(rows)

    def _levels(self, column: NDArray[np.float64], i: int) -> NDArray[np.int64]:
        """Return which of the few values of column i each number [N] becomes, int64 [N]."""
        values = np.array(self.values[i])
        cuts = np.array(self.cuts[i]) if self.cuts and self.cuts[i] else (values[1:] + values[:-1]) / 2
        return np.searchsorted(cuts, column, side="left")

    def cut_by(self, samples: NDArray[Any]) -> Units:
        """Return the units that bring a generator's rows to the few values of a column as often as training rows have them.

        samples [M, D]: many of that generator. Value k is given to what lies between the quantiles P(x < v_k) and P(x <= v_k) of
        its own numbers: a generator is continuous, and hardly reaches a value that 2 % of the rows have. Which rows get it is the
        generator's doing. A column that the generator never varies has no quantiles, and is rounded.
        """
        rows = self._rows(samples)
        cuts = [cuts_of(rows[:, i], below) for i, below in enumerate(self.below)]
        return replace(self, cuts=tuple(cuts))

    def _rows(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        rows = np.tile(np.array(self.mean, dtype=np.float64), (len(samples), 1))
        kept = self.kept
        rows[:, kept] += samples.astype(np.float64) * np.array(self.scale)[kept]
        return rows

    def _rounded(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        for i, (kind, digits) in enumerate(zip(self.kinds, self.decimals, strict=True)):
            rows[:, i] = within_type(rows[:, i], kind)
            if digits >= 0:
                rows[:, i] = rows[:, i].round(digits)
        return rows

    def column(self, rows: NDArray[np.float64], i: int) -> NDArray[Any]:
        """Return column i of restored rows in its own type."""
        return as_type(rows[:, i], self.kinds[i])

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        found = asdict(self)
        del found["cuts"]
        return found


def within_type(values: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Return values as a NumPy type can have them, float64: rounded and within its range where it is one of whole numbers."""
    dtype = np.dtype(kind)
    if dtype.kind not in "iu":
        return values
    info = np.iinfo(dtype)
    return np.rint(values).clip(float(info.min), float(info.max))


def as_type(values: NDArray[np.float64], kind: str) -> NDArray[Any]:
    """Return what `within_type` returned in that type; float64 cannot hold the largest int64, which is put in afterwards."""
    dtype = np.dtype(kind)
    if dtype.kind not in "iu":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    found = values.clip(float(info.min), np.nextafter(float(info.max), 0)).astype(dtype)
    found[values >= float(info.max)] = info.max
    return found


def from_json(values: dict[str, Any] | None) -> Units | None:
    """Return the Units that to_json() wrote, or None; WganError for what it cannot have written."""
    damage = "the units of the data, in run.json, are damaged: what they say of the columns makes no sense"
    return restored(values, lambda v: Units(**v), is_sound, damage)


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
        and not units.cuts
        and len(units.values) == len(units.below)
        and len(units.values) in (0, len(units.low))
        and all(are_levels(v, b) for v, b in zip(units.values, units.below, strict=True))
    )


def are_levels(values: Sequence[float], below: Sequence[float]) -> bool:
    """Return whether values rise, each with the fraction of rows at or below it."""
    numbers = np.array([values, below], dtype=np.float64)
    return (
        len(values) == len(below) <= FEW
        and bool(np.isfinite(numbers).all() and (np.diff(numbers) > 0).all())
        and (not below or abs(below[-1] - 1) < 1e-9)
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
    levels = [levels_of(rows[:, i].astype(np.float64)) for i in range(rows.shape[1])]
    values, below = (tuple(part) for part in zip(*levels, strict=True))
    whole = Units(tuple(names), tuple(kinds), tuple(decimals), means, scales, low=lows, high=highs, step=step)
    return replace(whole, values=values, below=below)


def levels_of(column: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the values of a column [N] that has few, and the fraction of rows at or below each; (), () for others."""
    values, counts = np.unique(column, return_counts=True)
    if not 1 < len(values) <= min(FEW, len(column) / ROWS_EACH):
        return (), ()
    return tuple(values.tolist()), tuple((counts.cumsum() / len(column)).tolist())


def cuts_of(column: NDArray[np.float64], below: Sequence[float]) -> tuple[float, ...]:
    """Return the numbers between which a generator's column [M] becomes each of the values; () where it never varies."""
    if not below or column.min() == column.max():
        return ()
    return tuple(np.quantile(column, below[:-1], method="inverted_cdf").tolist())


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
