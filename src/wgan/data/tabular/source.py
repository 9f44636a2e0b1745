"""A prepared table as a Source: codes lie in the file, and become what networks see when a batch is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.data.own.cache import Prepared
from wgan.data.source import TOYS, Source
from wgan.data.tabular.table import from_json

PIECE = 1 << 16  # rows that are looked at together
KEPT = 256 << 20  # bytes of rows as networks see them, which are kept where they fit


def table_source(data: Prepared, spec: str, split: str, chosen: NDArray[np.int64]) -> Source:
    """Return one split of a prepared table, the samples with the numbers `chosen`, as a Source."""
    about: dict[str, Any] = data.about
    table, rows, values = from_json(about["table"]), data.rows[chosen], data.values()
    assert table is not None

    def numbers(indices: Tensor) -> NDArray[np.int64]:
        if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= len(rows)):
            raise IndexError(f"an index is outside of 0..{len(rows) - 1}")
        found: NDArray[np.int64] = rows[indices.numpy()]
        return found

    def encoded(at: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(table.encode(np.take(values, at, axis=0), at)).float()

    whole: list[Tensor] = []
    read = 0

    def gather(indices: Tensor) -> Tensor:
        nonlocal read
        at, read = numbers(indices), read + len(indices)
        if not whole and read > len(rows) and len(rows) * table.width * 4 <= KEPT:
            whole.append(encoded(rows))  # who reads every row once will do so again: training spends a tenth on it
        return whole[0].index_select(0, indices) if whole else encoded(at)

    asked = np.empty((len(rows), len(table.asked)), np.int64)
    for at in range(0, len(rows), PIECE):  # all at once are ten times as much memory while they are found
        asked[at : at + PIECE] = table.conditions(np.take(values, rows[at : at + PIECE], axis=0))
    return Source(
        name=spec,
        split=split,
        shape=(table.width,),
        size=len(rows),
        gather=gather,
        labels=None if data.labels is None else torch.from_numpy(data.labels[chosen]),
        classes=len(about["class_names"]),
        class_names=tuple(about["class_names"]),
        recipe="table",
        mode_tests=TOYS,
        table=table,
        codes=lambda indices: torch.from_numpy(np.take(values, numbers(indices), axis=0)),
        asked=torch.from_numpy(asked) if asked.shape[1] and not about["class_names"] else None,
        fingerprint=about["fingerprint"],
        notes=tuple(about["notes"]),
    )
