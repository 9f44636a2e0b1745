"""Conditions: numbers and categories that come with each sample, and how they become the vector that networks are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.recorded import restored
from wgan.errors import WganError, nearest

KEPT = 1000  # training rows whose conditions a run keeps: samples that nobody asks anything of draw from these
MOST_LEVELS = 256  # of a category; more are identifiers

LARGEST = 1e30  # of a standardised number: networks compute in 32 bits

Raw = Mapping[str, NDArray[Any]]  # name -> numbers or texts [N], as the user's data hold them


@dataclass(frozen=True)
class Condition:
    """One number, which is standardised by the training rows, or one category, which becomes a one-hot."""

    name: str
    levels: tuple[str, ...] = ()  # of a category; () = a number
    trained: tuple[int, ...] = ()  # training rows of each level
    mean: float = 0.0  # of the training rows
    scale: float = 1.0  # their standard deviation
    low: float = 0.0  # their least and greatest value
    high: float = 0.0
    whole: bool = False  # every training value is a whole number

    @property
    def width(self) -> int:
        """How many numbers of the vector are its own."""
        return len(self.levels) or 1

    def encode(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return codes [N], numbers or places among the levels, as networks are told them, [N, width]."""
        if self.levels:
            return np.eye(len(self.levels))[codes.astype(np.int64)]
        return ((codes - self.mean) / self.scale)[:, None]

    def code(self, value: Any) -> float:
        """Return the code of a value as the user writes it; WganError for what the training rows never had."""
        text = str(value).strip()
        if self.levels:
            return float(self._level(text))
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        if not abs((number - self.mean) / self.scale) < LARGEST:  # NaN is not, either
            raise WganError(f"given {self.name}={text}: {self.name} is a number, from {self.low:g} to {self.high:g}")
        return number

    def _level(self, text: str) -> int:
        if text not in self.levels:
            raise WganError(f"given {self.name}={text}: {nearest(text, self.levels)}")
        at = self.levels.index(text)
        if not self.trained[at]:
            raise WganError(f"given {self.name}={text}: no training sample has that, so it was never learned")
        return at

    def values(self, codes: NDArray[np.float64]) -> NDArray[Any]:
        """Return codes [N] as the user's values: numbers, or texts."""
        if self.levels:
            return np.array(self.levels)[codes.astype(np.int64)]
        return codes.astype(np.int64) if self.whole and (codes == np.rint(codes)).all() else codes

    @property
    def example(self) -> float | str:
        """A value that was learned: about the mean of a number, the first level with training samples of a category."""
        if self.levels:
            return next(level for level, count in zip(self.levels, self.trained, strict=True) if count)
        return round(self.mean) if self.whole else float(f"{self.mean:.3g}")

    def describe(self) -> str:
        """Return in words what it is."""
        if self.levels:
            more = " ..." if len(self.levels) > 10 else ""
            return f"category of {len(self.levels)}: {', '.join(self.levels[:10])}{more}"
        return f"number from {self.low:g} to {self.high:g}, mean {self.mean:.4g}, standard deviation {self.scale:.4g}"


@dataclass(frozen=True)
class Conditions:
    """All conditions of a data set, in the order in which they were named, and some training rows of them."""

    columns: tuple[Condition, ...]
    rows: tuple[tuple[float, ...], ...] = ()  # codes of at most KEPT training rows, at random

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [c.name for c in self.columns]

    @property
    def width(self) -> int:
        """W, the numbers of the vector that networks are told."""
        return sum(c.width for c in self.columns)

    def encode(self, codes: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return codes [N, A] as condition vectors float32 [N, W]."""
        parts = [c.encode(codes[:, i]) for i, c in enumerate(self.columns)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def values(self, codes: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Return codes [N, A] as the user's values by name."""
        return {c.name: c.values(codes[:, i]) for i, c in enumerate(self.columns)}

    def drawn(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the codes [N, A] of kept training rows that uniform draws [N] pick: all conditions of one row together."""
        rows = np.array(self.rows)
        return rows[(uniform * len(rows)).astype(np.int64)]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


def from_json(values: dict[str, Any] | None) -> Conditions | None:
    """Return what to_json() wrote, or None; WganError for what it cannot have written."""
    damage = "the conditions of the data, in run.json, are damaged: what they say of them makes no sense"
    return restored(
        values, lambda v: Conditions(tuple(Condition(**c) for c in v["columns"]), v["rows"]), is_sound, damage
    )


def is_sound(found: Conditions) -> bool:
    """Return whether every condition has a name, levels or finite numbers, and every kept row a code for each."""
    rows = np.array(found.rows, dtype=np.float64)
    return (
        0 < len(found.columns) <= 65536
        and rows.shape == (len(rows), len(found.columns))
        and bool(np.isfinite(rows).all())
        and all(is_sound_column(c, rows[:, i]) for i, c in enumerate(found.columns))
    )


def is_sound_column(c: Condition, codes: NDArray[np.float64]) -> bool:
    """Return whether one condition can be a run's, and codes [N] are its."""
    if not all(isinstance(text, str) for text in (c.name, *c.levels)):
        return False
    if c.levels:
        inside = bool(((codes >= 0) & (codes < len(c.levels)) & (codes == np.rint(codes))).all())
        counts = all(type(n) is int and n >= 0 for n in c.trained) and any(c.trained)
        return inside and counts and len(c.levels) == len(c.trained)
    numbers = np.array([c.mean, c.scale, c.low, c.high], dtype=np.float64)
    return bool(np.isfinite(numbers).all()) and c.scale > 0 and c.low <= c.high


def fit(raw: Raw, train: NDArray[np.bool_], where: str) -> tuple[Conditions, NDArray[np.float64]]:
    """Return the conditions by those samples that `train` [N] picks, and the codes [N, A] of all.

    WganError for a condition that never varies in them, or that has too many levels.
    """
    fitted = [(fit_category if c.dtype.kind == "U" else fit_number)(name, c, train, where) for name, c in raw.items()]
    codes = np.stack([column for _, column in fitted], axis=1)
    mine = codes[train]
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(mine))[:KEPT]
    columns = tuple(condition for condition, _ in fitted)
    return Conditions(columns, tuple(map(tuple, mine[order].tolist()))), codes


def fit_number(
    name: str, column: NDArray[Any], train: NDArray[np.bool_], where: str
) -> tuple[Condition, NDArray[np.float64]]:
    """Return a number and its codes [N], the values themselves."""
    values = column.astype(np.float64)
    mine = values[train]
    low, high = float(mine.min()), float(mine.max())
    if low == high:
        raise WganError(
            f"{where}: condition {name} is {low:g} for every training sample, and says nothing: leave it out"
        )
    whole = bool((values == np.rint(values)).all() and np.abs(values).max() < 2**53)
    return Condition(name, mean=float(mine.mean()), scale=float(mine.std()), low=low, high=high, whole=whole), values


def fit_category(
    name: str, column: NDArray[Any], train: NDArray[np.bool_], where: str
) -> tuple[Condition, NDArray[np.float64]]:
    """Return a category with the levels of all samples in order, and its codes [N], their places."""
    levels, codes = np.unique(np.char.strip(column.astype(str)), return_inverse=True)
    if len(levels) > MOST_LEVELS:
        raise WganError(
            f"{where}: condition {name} has {len(levels)} different texts, at most {MOST_LEVELS} are learned: give numbers, or "
            "leave it out"
        )
    counts = np.bincount(codes[train], minlength=len(levels))
    if (counts > 0).sum() < 2:
        only = levels[int(counts.argmax())]
        raise WganError(
            f"{where}: condition {name} is {only} for every training sample, and says nothing: leave it out"
        )
    return Condition(name, tuple(levels.tolist()), tuple(counts.tolist())), codes.astype(np.float64)
