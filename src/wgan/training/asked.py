"""The values requested of a generator of table rows while it trains: some values of real rows, by draws of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from wgan.data import Source
from wgan.training.players import Players

ASKED = 0.5  # fraction of rows that are asked for anything
FURTHER = 0.1  # probability of each column to be asked for beside the first


def asked_of(p: Players, source: Source, indices: Tensor, step: int, purpose: str) -> Tensor:
    """Return what is asked of rows like those at `indices` [B], int64 [B, A]: slot + 1, or 0.

    Half of the rows are free. Of the others one column, each as often, gets the value of the real row, and each further
    column with probability FURTHER: so single values and combinations are learned, as frequent as they are in the data.
    """
    assert source.asked is not None
    known = source.asked.index_select(0, indices)
    draws = p.engine.draws(p.config.seed, step, purpose, len(indices))
    u = draws.uniform(known.shape[1] + 1).cpu()
    return torch.where(mask(u), known, 0).to(p.engine.device)


def mask(u: Tensor) -> Tensor:
    """Return which columns are requested, bool [B, A], by uniform draws u [B, A + 1]."""
    columns, which = u[:, :-1], u[:, -1:]
    first = (which / ASKED * columns.shape[1]).long() == torch.arange(columns.shape[1])
    return (which < ASKED) & (first | (columns < FURTHER))
