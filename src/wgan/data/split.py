"""Which samples of a user's own data are held out: always the same ones, however often the data are opened."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.source import sample_stream
from wgan.errors import WganError

LEAST = 40  # samples: fewer leave nothing to hold out, or nothing to learn from
MOST_TEST = 10_000
WHOLE = "whole"  # a split: all samples in the order of the data, however few, for what trains on none of them


def held_out_count(n: int) -> int:
    """Return how many of n samples are held out: a tenth, at least 100 but no more than a quarter, at most 10,000."""
    return min(max(n // 10, min(100, n // 4)), MOST_TEST)


def held_out_mask(n: int, given: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return which of n samples are held out, bool [n]: those that the data name, else a fixed random choice."""
    if given is not None:
        return given
    mask = np.zeros(n, np.bool_)
    mask[_order(n)[: held_out_count(n)]] = True
    return mask


def _order(n: int) -> NDArray[np.int64]:
    return sample_stream(0, "own data", "test").permutation(n)


def contents_of(rows: NDArray[Any]) -> NDArray[np.uint32]:
    """Return a number for what each row holds, equal for equal rows: uint32 [N]."""
    return np.fromiter((zlib.crc32(np.ascontiguousarray(row).tobytes()) for row in rows), np.uint32, len(rows))


def undivided(contents: NDArray[np.uint32]) -> NDArray[np.bool_] | None:
    """Return which samples are held out, bool [N], so that equal ones are on one side; None where `held_out_mask` does that.

    A held-out sample that was trained on too would be a copy by any measure, and would look like one that was not.
    All of one content are taken in the order of that choice as long as they fit into the number to hold out. Where fewer
    than half of it is found, samples are few contents many times over, such as rows of two yes-or-no columns: None.
    """
    _, group, sizes = np.unique(contents, return_inverse=True, return_counts=True)
    count = held_out_count(len(contents))
    held = np.bincount(group[held_out_mask(len(contents), None)], minlength=len(sizes))
    if not ((held > 0) & (held < sizes)).any():
        return None
    taken, seen = np.zeros((2, len(sizes)), np.bool_)
    left = count
    for g in group[_order(len(contents))]:
        if not seen[g] and sizes[g] <= left:
            taken[g], left = True, left - sizes[g]
        seen[g] = True
        if not left:
            break
    mask: NDArray[np.bool_] = taken[group]
    return mask if 2 * mask.sum() >= count else None


def chosen(contents: NDArray[np.uint32], labels: NDArray[np.int64] | None) -> NDArray[np.bool_] | None:
    """Return which samples are held out, bool [N], so that equal ones are on one side and every class has training samples.

    contents: a number for what each sample holds; labels: int64 [N]. None where `held_out_mask` does that already.
    """
    mask = undivided(contents)
    if labels is None:
        return mask
    plain = held_out_mask(len(contents), mask)
    lost = np.setdiff1d(labels, labels[~plain])
    return with_every_class(plain, contents, labels, lost) if len(lost) else mask


def with_every_class(
    mask: NDArray[np.bool_], contents: NDArray[np.uint32], labels: NDArray[np.int64], lost: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return the mask with one content of each `lost` class given back to training, and as many others held out instead.

    Those are single samples of classes that keep one to train on, in the order of the fixed choice. Of a content that is
    on both sides anyway, one sample is given back.
    """
    mask, wanted = mask.copy(), int(mask.sum())
    order = _order(len(mask))
    for label in lost:
        first = next(i for i in order if labels[i] == label)
        same = contents == contents[first]
        mask[same if mask[same].all() else first] = False
    left = np.bincount(labels[~mask])
    _, group, sizes = np.unique(contents, return_inverse=True, return_counts=True)
    for i in order:
        if mask.sum() >= wanted:
            break
        if not mask[i] and sizes[group[i]] == 1 and left[labels[i]] > 1 and labels[i] not in lost:
            mask[i], left[labels[i]] = True, left[labels[i]] - 1
    return mask


def require_enough(n: int, where: str, split: str = "train") -> None:
    """Raise WganError for fewer samples than can be trained on and held out."""
    if n < LEAST and split != WHOLE:
        raise WganError(f"{where} has {n} sample{'s' * (n != 1)}: at least {LEAST} are needed to train and to measure")


def indices(n: int, given: NDArray[np.bool_] | None, split: str, where: str) -> NDArray[np.int64]:
    """Return the numbers of the samples in `split`, ascending; `all` is train, then test. WganError for too few samples."""
    if split == WHOLE:
        return np.arange(n)
    require_enough(n, where)
    test = held_out_mask(n, given)
    if test.sum() < 10 or (~test).sum() < 10:
        raise WganError(
            f"{where} has {(~test).sum()} samples to train on and {test.sum()} to test on: 10 of each are needed"
        )
    picked = {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)}
    return np.concatenate([picked["train"], picked["test"]]) if split == "all" else picked[split]
