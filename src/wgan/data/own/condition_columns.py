"""Conditions as the user's data hold them: cells become numbers or texts, and what is missing is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.conditions import Raw
from wgan.data.own.delimited import is_number
from wgan.data.own.missing_marks import marks_among
from wgan.errors import WganError


def require_sound(raw: Raw, n: int, where: str) -> None:
    """Raise WganError unless each of the n samples has a finite number or a text of every condition."""
    for name, column in raw.items():
        if column.shape != (n,):
            raise WganError(
                f"{where} has {n} samples and condition {name} of shape {list(column.shape)}: expected [{n}]"
            )
        if column.dtype.kind not in "fiubU":
            raise WganError(f"{where}: condition {name} must be numbers or texts, not {column.dtype}")
        gaps = missing(column)
        if gaps.any():
            raise WganError(
                f"{where} has no value of condition {name} for {gaps.sum()} of {n} samples, the first is sample "
                f"{int(gaps.argmax())}: fill these in, or leave the samples out"
            )


def missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values [N] are none: NaN, infinity, empty texts and marks of a missing value."""
    if column.dtype.kind == "f":
        gaps: NDArray[np.bool_] = ~np.isfinite(column)
        return gaps
    if column.dtype.kind != "U":
        return np.zeros(len(column), np.bool_)
    texts = [text.strip() for text in column.tolist()]
    marks = {"", *marks_among(texts)}
    return np.array([text in marks for text in texts])


def read_column(cells: Sequence[str]) -> NDArray[Any]:
    """Return the cells of a table as numbers [N] where all of them are, else as texts; codes such as 01234 are texts."""
    texts = np.array([cell.strip() for cell in cells])
    if not all(map(is_number, texts)) or any(len(t) > 1 and t[0] == "0" and t.isdecimal() for t in texts.tolist()):
        return texts
    return texts.astype(np.float64)


def as_categories(raw: Raw, names: Sequence[str]) -> Raw:
    """Return the conditions with those of `names` as texts: a category whose levels are written as numbers."""
    return {name: as_texts(column) if name in names else column for name, column in raw.items()}


def as_texts(column: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as texts, whole ones without a point; where one is missing, and texts, as they are."""
    if column.dtype.kind == "U" or missing(column).any():
        return column
    whole = column.dtype.kind == "f" and (column == np.rint(column)).all()
    return (column.astype(np.int64) if whole else column).astype(str)


def taken(raw: Raw, rows: NDArray[Any]) -> Raw:
    """Return the conditions of the samples `rows`."""
    return {name: column[rows] for name, column in raw.items()}
