"""A column that says which rows are for training and which are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from wgan.data.own.grouping import held_out_note
from wgan.data.own.naming import split_of
from wgan.data.tabular.cells import Cells

MOST_WORDS = 9  # different spellings of train, val and test in one column


def few_of(cells: Sequence[str]) -> set[str]:
    """Return the different cells of a column; none where they are more than MOST_WORDS."""
    found: set[str] = set()
    each = iter(cells)
    while some := set(islice(each, 1000)):
        found |= some
        if len(found) > MOST_WORDS:
            return set()
    return found


def parted(cells: Cells, named: set[str]) -> tuple[Cells, NDArray[np.bool_] | None]:
    """Return the table without a column of nothing but train, val and test, and which rows it holds out (or None).

    named: columns that the user names, which are what the user says.
    """
    for i, (name, column) in enumerate(zip(cells.names, cells.columns, strict=True)):
        values = few_of(column)
        if name in named or not values:
            continue
        kinds = {cell: split[0] for cell in values if (split := split_of(cell)) and not split[1]}
        found = set(kinds.values())
        if len(kinds) < len(values) or "train" not in found or len(found) < 2 or "extra" in found:
            continue
        rows = [kinds[cell] for cell in column]
        note = f"{held_out_note(Counter(rows))[0]}, by the column {name}, which is left out"
        names, columns = ([*x[:i], *x[i + 1 :]] for x in (cells.names, cells.columns))
        return replace(cells, names=names, columns=columns, notes=[*cells.notes, note]), np.array(rows) != "train"
    return cells, None
