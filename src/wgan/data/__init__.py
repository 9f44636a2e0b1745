"""Data: a spec such as mnist:0-4, stacked-mnist or ring:gulrajani becomes a Source."""

from __future__ import annotations

from collections.abc import Callable

from wgan.data.digits import open_mnist, open_stacked
from wgan.data.source import SPLITS, Source
from wgan.data.toys import open_grid, open_ring, open_roll
from wgan.errors import WganError, unknown

__all__ = ["SOURCES", "SPLITS", "Source", "open_source"]

# name -> opener(spec, what follows the colon or '', split, seed)
SOURCES: dict[str, Callable[[str, str, str, int], Source]] = {
    "mnist": open_mnist,
    "stacked-mnist": open_stacked,
    "ring": open_ring,
    "grid": open_grid,
    "swissroll": open_roll,
}


def open_source(spec: str, split: str = "train", seed: int = 0) -> Source:
    """Open the data that `spec`, NAME or NAME:ARGUMENT, stands for; see docs/data.md for the names.

    `seed` fixes which toy points and digit stacks are drawn. It is not the run's seed: runs that differ only in
    theirs should learn from the same data. Raises WganError for anything unknown, with the nearest known name.
    """
    name, colon, argument = spec.partition(":")
    if name not in SOURCES:
        raise unknown("data", name, SOURCES)
    if colon and not argument:
        raise WganError(f"data '{spec}' ends with ':', write {name} or {name}:ARGUMENT")
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if seed < 0:
        raise WganError(f"the data seed must be 0 or more, not {seed}")
    return SOURCES[name](spec, argument, split, seed)
