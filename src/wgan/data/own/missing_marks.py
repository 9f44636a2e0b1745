"""Cells that stand for a missing value, and those that only look so: ?, -, ., #DIV/0!, -999."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)  # as pandas reads them
SIGNS = re.compile(r"[^\w\s]+")  # neither letters nor numbers
ERRORS = re.compile(r"#[A-Z]+(/[A-Z0-9]+)?[!?]")  # of a spreadsheet: #DIV/0!, #VALUE!, #NAME?
WORDS = frozenset(["na", "n.a.", "N.A.", "NAN", "NaT", "Null"])
MOST_SIGNS = 2  # different ones: where there are more, signs are the values
FAR = 2  # times the range of all others: the last of 1, 2, 4, 8, ... lies once that range away
LEAST_REST = 20  # numbers beside a mark, by which it is seen to be none of them


def marks_among(cells: Iterable[str]) -> list[str]:
    """Return the different cells that look like marks of a missing value, without blanks around them, most frequent first."""
    return marks_in(Counter(cell.strip() for cell in cells))


def marks_in(counts: Counter[str]) -> list[str]:
    """Return those of different cells, which stand so often in a column, that look like marks of a missing value.

    Words that programs write for one, errors of a spreadsheet, and signs such as ? or - among words or numbers: where all
    values are signs, as + and - are, or many are, as in a list of characters, they are values.
    """
    counts = Counter({cell: n for cell, n in counts.items() if cell})
    words = {v for v in counts if v in MISSING | WORDS or ERRORS.fullmatch(v)}
    signs = {v for v in counts if SIGNS.fullmatch(v)} - words
    if len(signs) > MOST_SIGNS or len(signs | words) == len(counts):
        signs = set()
    return [v for v, _ in counts.most_common() if v in words | signs]


def mark_note(name: str, mark: str, count: int, rows: int) -> str:
    """Return what is said of a category that has a mark of a missing value among its values, in `count` of its rows."""
    return (
        f"column {name} holds '{mark}' in {count:,} of {rows:,} rows, a value like others: if it stands for a missing "
        f'one, give --missing "{mark}"'
    )


def far_from_all(values: NDArray[np.float64]) -> tuple[float, int] | None:
    """Return a whole number that stands apart from all others of a column [N], and how many rows have it; None for none.

    Such as -999: at least two rows have it, and it is twice as far from the others as they are from each other. NaN is skipped.
    """
    levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(levels) < 4:
        return None
    for end, rest in ((0, levels[1:]), (-1, levels[:-1])):
        apart = min(abs(levels[end] - rest[0]), abs(levels[end] - rest[-1])) > FAR * (rest[-1] - rest[0])
        several = counts[end] > 1 and counts.sum() - counts[end] >= LEAST_REST
        if apart and several and float(levels[end]).is_integer():
            return float(levels[end]), int(counts[end])
    return None


def far_note(name: str, values: NDArray[np.float64]) -> str:
    """Return what is said of a column of numbers with one that stands apart, or nothing."""
    found = far_from_all(values)
    if found is None:
        return ""
    mark, count = f"{found[0]:g}", found[1]
    return (
        f"column {name} holds {mark} in {count:,} of {len(values):,} rows, far from all others: if it stands for a missing "
        f"value, give --missing {mark}"
    )
