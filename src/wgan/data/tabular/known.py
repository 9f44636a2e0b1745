"""require_known(): refuse rows that hold what no training row had and the coding of a table has no place for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wgan.data.tabular.coding import Codes
from wgan.data.tabular.rules import inner_rows
from wgan.data.tabular.table import Column, Table
from wgan.errors import WganError


def require_known(table: Table, rows: Codes, where: str) -> None:
    """Raise WganError for the first cell of rows [N, C] that would be encoded as if it said nothing.

    That is a category without a code, a missing cell where none was missing, and another value where there was only one.
    """
    inner = inner_rows(rows, table.rules, table.groups)
    for i, c in enumerate(table.columns):
        for strange, what in (
            (missing_anew(c, inner[:, i]), "is empty, and no training row of the run is empty there"),
            (strange_level(c, rows[:, i]), f"holds a category that no training row of the run has{levels_text(c)}"),
            (changed(c, rows[:, i]), f"is not {constant_text(c)}, as in every training row of the run"),
        ):
            if strange.any():
                row = int(strange.argmax()) + 1
                raise WganError(f"column {c.name} of {where}, row {row}, {what}: leave such rows out")


def missing_anew(c: Column, inner: Codes) -> NDArray[np.bool_]:
    """Return which inner codes [N] are missing where no training row's was."""
    return np.isnan(inner) & (not c.coding.missing)


def strange_level(c: Column, codes: Codes) -> NDArray[np.bool_]:
    """Return which codes [N] of a category no training row has."""
    if c.kind != "category":
        return np.zeros(len(codes), np.bool_)
    known = np.arange(len(c.levels)) if c.kept else [*c.coding.spikes, *c.coding.values]
    return ~np.isnan(codes) & ~np.isin(codes, known)


def changed(c: Column, codes: Codes) -> NDArray[np.bool_]:
    """Return which codes [N] differ from the one value of a column, which is not learned."""
    if c.kept or c.coding.width:
        return np.zeros(len(codes), np.bool_)
    return ~np.isnan(codes) & ~np.isin(codes, c.coding.spikes)


def constant_text(c: Column) -> str:
    """Return the one value of a column that is not learned."""
    return c.text(c.coding.spikes[0]) if c.coding.spikes else "empty"


def levels_text(c: Column) -> str:
    """Return the known levels of a category in brackets, where they are few."""
    return f" (known: {', '.join(level.strip() for level in c.levels)})" if 0 < len(c.levels) <= 10 else ""
