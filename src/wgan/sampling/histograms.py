"""Histograms of the columns of a table, real rows next to generated ones: what the sample grid of a table and its report show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.tabular.table import Table

BARS = 24  # of a number
LEVELS = 10  # of a category, the most frequent; all others together
INSIDE = 0.005  # fraction of the real rows beyond either end of the axis
Numbers = NDArray[np.float64]


def histogram(
    name: str, categorical: bool, fake: Numbers, real: Numbers, text: Callable[[float], str]
) -> dict[str, Any]:
    """Return the fractions of the rows [N], [M] in each bar of a column, fit for JSON; text: a value as it is written.

    `missing` is no bar, and what lies beyond the axis of a number is in none.
    """
    found: dict[str, Any] = {"name": name, "missing": [fraction(np.isnan(real)), fraction(np.isnan(fake))]}
    present = real[~np.isnan(real)]
    if not len(present):
        return {**found, "kind": "level", "labels": [], "real": [], "fake": []}
    values, counts = np.unique(present, return_counts=True)
    if categorical or len(values) <= LEVELS:
        own = values[np.argsort(-counts, kind="stable")[:LEVELS]]
        return {**found, **level_bars(own if categorical else np.sort(own), fake, real, found["missing"], text)}
    low, high = np.quantile(present, [INSIDE, 1 - INSIDE])
    low, high = (low, high) if high > low else (present.min(), present.max())
    bars = [(np.histogram(side[~np.isnan(side)], BARS, (low, high))[0] / len(side)).tolist() for side in (real, fake)]
    return {
        **found,
        "kind": "number",
        "labels": [text(float(low)), text(float(high))],
        "real": bars[0],
        "fake": bars[1],
    }


def level_bars(
    own: Numbers, fake: Numbers, real: Numbers, missing: list[float], text: Callable[[float], str]
) -> dict[str, Any]:
    """Return a bar for each of the levels `own`, and one for all others where there are any."""
    bars = [[fraction(side == v) for v in own] for side in (real, fake)]
    labels = [text(float(v)) for v in own]
    rest = [max(0.0, 1 - sum(bar) - gone) for bar, gone in zip(bars, missing, strict=True)]
    if max(rest) > 1e-9:
        labels.append("others")
        bars = [[*bar, more] for bar, more in zip(bars, rest, strict=True)]
    return {"kind": "level", "labels": labels, "real": bars[0], "fake": bars[1]}


def fraction(flags: NDArray[np.bool_]) -> float:
    """Return which fraction is true."""
    return float(flags.mean())


def table_histograms(table: Table, fake: Numbers, real: Numbers, most: int) -> list[dict[str, Any]]:
    """Return the histograms of the first `most` columns of rows [N, C], [M, C] of a table."""
    return [
        histogram(c.name, c.kind == "category", fake[:, i], real[:, i], text_of(table, i))
        for i, c in enumerate(table.columns[:most])
    ]


def text_of(table: Table, at: int) -> Callable[[float], str]:
    """Return the function that writes a value of a column."""
    column = table.columns[at]
    return lambda value: column.text(float(column.round(np.array([value]))[0])).strip()
