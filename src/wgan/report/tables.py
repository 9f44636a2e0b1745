"""The pictures of a table on the page, as metrics.json has them: checked, and where each bar and cell stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST, BARS, TEXT = 40, 40, 60  # columns, bars of each, characters of a label
WIDTH, HEIGHT = 240, 70  # of a histogram of numbers, in units of its viewBox


@dataclass(frozen=True)
class Bar:
    """One bar: what it stands for, and the fractions of real and generated rows."""

    label: str
    real: float
    fake: float


@dataclass(frozen=True)
class Histogram:
    """One column: its bars, the paths of a number's two histograms, the ends of its axis, and its missing cells."""

    name: str
    bars: Sequence[Bar]
    real_path: str  # nothing for levels
    fake_path: str
    ends: Sequence[str]
    missing: tuple[float, float]

    @property
    def most(self) -> float:
        """The greatest fraction."""
        return max([0.0, *(v for bar in self.bars for v in (bar.real, bar.fake))])


@dataclass(frozen=True)
class TablePictures:
    """The histograms of all columns, and the associations of pairs of them [C][C]."""

    columns: Sequence[Histogram]
    real: Sequence[Sequence[float]]
    fake: Sequence[Sequence[float]]


def pictures_from(values: Any) -> TablePictures | None:
    """Return the pictures that metrics.json holds, None for anything that `wgan evaluate` cannot have written."""
    try:
        columns = [histogram(v) for v in values["columns"][:MOST]]
        real, fake = (matrix(values["associations"][side], len(columns)) for side in ("real", "fake"))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None
    return TablePictures(columns, real, fake) if columns else None


def histogram(values: Any) -> Histogram:
    """Return one column; ValueError and the like for what is none."""
    name, kind = str(values["name"])[:TEXT], values["kind"]
    labels = [str(text)[:TEXT] for text in values["labels"][: BARS + 1]]
    real, fake = (fractions(values[side][: BARS + 1]) for side in ("real", "fake"))
    missing = fractions(values["missing"])
    if kind not in ("number", "level") or len(real) != len(fake) or len(missing) != 2:
        raise ValueError
    if kind == "number":
        most = max([*real, *fake], default=0.0) or 1.0
        paths = [steps(side, most) for side in (real, fake)]
        bars = [Bar("", a, b) for a, b in zip(real, fake, strict=True)]
        return Histogram(name, bars, paths[0], paths[1], labels[:2], (missing[0], missing[1]))
    bars = [Bar(*bar) for bar in zip(labels, real, fake, strict=True)]
    return Histogram(name, bars, "", "", [], (missing[0], missing[1]))


def fractions(values: Any) -> list[float]:
    """Return numbers in 0..1; ValueError for anything else."""
    found = [float(v) for v in values]
    if not all(math.isfinite(v) and 0 <= v <= 1.000001 for v in found):
        raise ValueError
    return found


def matrix(values: Any, count: int) -> list[list[float]]:
    """Return numbers in 0..1, [count][count]; ValueError for anything else."""
    rows = [fractions(row)[:count] for row in values[:count]]
    if len(rows) != count or any(len(row) != count for row in rows):
        raise ValueError
    return rows


def steps(heights: Sequence[float], most: float) -> str:
    """Return a histogram as the d of an SVG path that goes up and down in steps."""
    wide = WIDTH / max(1, len(heights))
    points = []
    for i, height in enumerate(heights):
        y = HEIGHT - height / most * (HEIGHT - 4)
        points += [f"{i * wide:.1f} {y:.1f}", f"{(i + 1) * wide:.1f} {y:.1f}"]
    return f"M0 {HEIGHT}L{'L'.join(points)}L{WIDTH} {HEIGHT}"
