"""What the report draws of a table: a histogram for each column and how strongly columns hang together, real beside generated."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from wgan.evaluation.context import Measured
from wgan.evaluation.table_metrics import PAIRED, columns_of, fakes_of, held_of
from wgan.metrics import tables as metrics
from wgan.metrics.rows import Rows
from wgan.sampling.histograms import histogram, table_histograms

MOST = 40  # columns


def pictures_of(m: Measured) -> dict[str, Any] | None:
    """Return the histograms and the associations of the first MOST columns, fit for JSON; None for what is not a table."""
    told = columns_of(m.reals.test)[:MOST]
    if not told or m.subject.rows is None:
        return None
    fake, real = fakes_of(m).rows, held_of(m).rows
    table = m.reals.test.table
    if table is None:
        columns = [histogram(c.name, False, fake[:, i], real[:, i], "{:.4g}".format) for i, c in enumerate(told)]
    else:
        columns = table_histograms(table, fake, real, MOST)
    levels = [c.categorical for c in told]
    return {"columns": columns, "associations": associations(fake[:PAIRED], real[:PAIRED], levels)}


def associations(fake: Rows, real: Rows, levels: list[bool]) -> dict[str, Any]:
    """Return how strongly each pair of columns hangs together, symmetric [C, C], of real and of generated rows."""
    count = len(levels)
    binned = [metrics.binned_alike(fake[:, i], real[:, i], levels[i]) for i in range(count)]
    found = {}
    for name, side in (("fake", 0), ("real", 1)):
        matrix = np.eye(count)
        for i, j in combinations(range(count), 2):
            matrix[i, j] = matrix[j, i] = metrics.association(binned[i][side], binned[j][side])
        found[name] = matrix.round(3).tolist()
    return found
