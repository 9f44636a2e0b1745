"""Data: a spec such as mnist:0-4, stacked-mnist, ring:gulrajani or a path to the user's own becomes a Source."""

from __future__ import annotations

from collections.abc import Callable

from wgan.config import ReadingOptions, part
from wgan.data.bundled.conditioned import open_calorimeter, open_gaussian
from wgan.data.bundled.fashion import open_fashion
from wgan.data.bundled.mnist import open_mnist, open_stacked
from wgan.data.bundled.series import open_ar2, open_sines
from wgan.data.bundled.solids import open_blobs
from wgan.data.bundled.strokes import open_strokes
from wgan.data.bundled.toys import open_grid, open_ring, open_roll
from wgan.data.own.given_source import SOURCE, open_given
from wgan.data.own.open import is_own, open_own
from wgan.data.source import SPLITS, Source
from wgan.errors import WganError, unknown

__all__ = ["SOURCES", "SPLITS", "Source", "is_bundled", "is_own", "open_source"]

# name -> opener(spec, what follows the colon or '', split, seed)
SOURCES: dict[str, Callable[[str, str, str, int], Source]] = {
    "mnist": open_mnist,
    "stacked-mnist": open_stacked,
    "fashion": open_fashion,
    "ring": open_ring,
    "grid": open_grid,
    "swissroll": open_roll,
    "ar2": open_ar2,
    "sines": open_sines,
    "gaussian": open_gaussian,
    "calorimeter": open_calorimeter,
    "strokes": open_strokes,
    "blobs": open_blobs,
}


def is_bundled(spec: str) -> bool:
    """Return whether a data spec is the name of bundled data, with or without an argument."""
    return spec.partition(":")[0] in SOURCES


def open_source(spec: str, split: str = "train", seed: int = 0, options: ReadingOptions | None = None) -> Source:
    """Open the data that `spec` stands for: a bundled NAME or NAME:ARGUMENT (see docs/reference/data.md), or the user's own path.

    `seed` fixes which toy points and digit stacks are drawn. It is not the run's seed: runs that differ only in
    theirs should learn from the same data. `options` says how own data are read; a whole Config may be given. Raises
    WganError for anything unknown, with the nearest known name.
    """
    options = ReadingOptions() if options is None else part(ReadingOptions, options)
    name, colon, argument = spec.partition(":")
    if spec.startswith(SOURCE) and split in SPLITS:
        if options != ReadingOptions():
            raise WganError("size, crop, channels and labels are for files and arrays, and a Source is read already")
        return open_given(spec, split)
    if name not in SOURCES and is_own(spec) and split in SPLITS:
        return open_own(spec, split, options)
    if name not in SOURCES:
        raise WganError(f"{unknown('data', name, SOURCES)}; no file or folder has that name, either")
    if options != ReadingOptions():
        raise WganError(f"size, crop, channels and labels are for your own data, and {name} is bundled: leave them out")
    if colon and not argument:
        raise WganError(f"data '{spec}' ends with ':', write {name} or {name}:ARGUMENT")
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if seed < 0:
        raise WganError(f"the data seed must be 0 or more, not {seed}")
    return SOURCES[name](spec, argument, split, seed)
