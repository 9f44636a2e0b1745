"""Which samples of a user's own data are held out: the same ones for ever, however often the data are opened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wgan.data.source import stream
from wgan.errors import WganError

LEAST = 40  # samples: fewer leave nothing to hold out, or nothing to learn from
MOST_TEST = 10_000


def held_out_count(n: int) -> int:
    """Return how many of n samples are held out: a tenth, at least 100 but no more than a quarter, at most 10,000."""
    return min(max(n // 10, min(100, n // 4)), MOST_TEST)


def held_out_mask(n: int, given: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return which of n samples are held out, bool [n]: those that the data name, else a fixed random choice."""
    if given is not None:
        return given
    mask = np.zeros(n, np.bool_)
    mask[stream(0, "own data", "test").permutation(n)[: held_out_count(n)]] = True
    return mask


def require_enough(n: int, where: str) -> None:
    """Raise WganError for fewer samples than can be trained on and held out."""
    if n < LEAST:
        raise WganError(f"{where} has {n} sample{'s' * (n != 1)}: at least {LEAST} are needed to train and to measure")


def indices(n: int, given: NDArray[np.bool_] | None, split: str, where: str) -> NDArray[np.int64]:
    """Return the numbers of the samples in `split`, ascending; `all` is train, then test. WganError for too few samples."""
    require_enough(n, where)
    test = held_out_mask(n, given)
    if test.sum() < 10 or (~test).sum() < 10:
        raise WganError(
            f"{where} has {(~test).sum()} samples to train on and {test.sum()} to test on: 10 of each are needed"
        )
    picked = {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)}
    return np.concatenate([picked["train"], picked["test"]]) if split == "all" else picked[split]
