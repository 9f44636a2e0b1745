"""Does the generator copy its training data? Distances of fakes to the train split, beside those of unseen reals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.metrics.neighbours import nearest
from wgan.metrics.rows import Rows, pair

NEIGHBOURS = 5  # as in precision and recall; up to four repeats of a training sample do not hide its copies
RESAMPLED = 50  # draws from which the error of a median is told
UNUSUAL = 0.01  # fraction of held-out reals below a threshold
APART = 0.75  # d_1 / d_5 of a copy, at most: of 12 held-out reals 1 % says little, and of noise they all are above 0.97


class Memorisation(NamedTuple):
    """What `memorisation` measures; distances in data units."""

    fake_median: float  # distance to the nearest training sample
    real_median: float  # the same of held-out reals: what a generator that copies nothing should reach
    ratio: float  # fake_median / real_median; 1 when both are 0
    closer: float  # P(a fake is nearer to the train set than a held-out real); 0.5 = no difference, 1 = copies
    near: float  # fraction of fakes nearer than 99 % of the held-out reals are; 0.01 = no difference; of blurred fakes all
    copies: float  # fraction of fakes that equal a training sample, or are near one and much nearer than to the next
    real_copies: float  # of held-out reals, at most about 0.01: what a generator that copies nothing should reach
    pairs: NDArray[np.int64]  # [P, 2] index of the fake, index of its training neighbour; closest first
    distances: Rows  # [P] of these pairs
    fake_error: float  # standard deviation of fake_median over resampled fakes
    real_error: float  # of real_median over resampled held-out reals


def memorisation(fake: Any, held_out: Any, training: Any, pairs: int = 16) -> Memorisation:
    """Return how near fakes lie to training samples, compared with reals that were not trained on.

    d_k(x) = distance of x to its k-th nearest training sample; closer = P(d_1(fake) < d_1(real)) + ½ P(equal) (U / nm)
    near   = fraction of fakes with d_1 = 0, or below the 1 % quantile of d_1 of the held-out reals that have d_1 > 0
    copies = fraction of fakes with d_1 = 0, or near with d_1 / d_5 below the 1 % quantile of the same reals' and below 0.75
    Held-out reals that equal a training sample set no threshold: above 1 % of them, all thresholds would be 0.
    fake [N, ...], held_out [M, ...], training [T, ...] of one width, pixels or features, in one scale; pairs <= N kept.
    training may also be an iterator of such arrays, which are read one by one and need not fit into memory together.
    Source: Lopez-Paz & Oquab 2017 (nearest neighbours as a two-sample test); Yoon et al. 2023, Carlini et al. 2023 (a copy
    is much nearer to one training sample than to the next). Blurred fakes, and fakes near the mean, lie nearer to
    everything in pixel space, so `near` and `closer` alone prove nothing; shifted copies escape all of them: look at the pairs.
    Errors: WganError for NaN, no sample, unequal widths.
    """
    if pairs < 0:
        raise WganError(f"pairs must be 0 or more, not {pairs}")
    blocks = training if isinstance(training, Iterator) else iter([training])
    fakes, reals, start = Nearest(), Nearest(), 0
    for block in blocks:
        x, base = pair(fake, block, names=("fake", "training"), single=True)
        y, _ = pair(held_out, base, names=("held_out", "training"), single=True)
        fakes.see(x, base, start)
        reals.see(y, base, start)
        start += len(base)
    near, usual = fakes.distance[:, 0], reals.distance[:, 0]
    first = np.argsort(near, kind="stable")[:pairs]
    a, b = float(np.median(near)), float(np.median(usual))
    below, apart = thresholds(reals)
    ratio = float(np.divide(a, b)) if b else float("inf")
    return Memorisation(
        fake_median=a,
        real_median=b,
        ratio=1.0 if a == b else ratio,
        closer=_below(near, usual),
        near=float(((near == 0) | (near < below)).mean()),
        copies=float(fakes.copied(below, apart).mean()),
        real_copies=float(reals.copied(below, apart).mean()),
        pairs=np.stack([first, fakes.index[first, 0]], 1),
        distances=near[first],
        fake_error=median_error(near),
        real_error=median_error(usual),
    )


def median_error(x: Rows) -> float:
    """Return the standard deviation of the median of x [N] over RESAMPLED draws with replacement, of a fixed seed."""
    rng = np.random.default_rng(0)
    return float(np.std([np.median(rng.choice(x, len(x))) for _ in range(RESAMPLED)], ddof=1))


class Nearest:
    """The NEIGHBOURS nearest training samples of some rows, found block by block: distance and index [N, k], nearest first."""

    def __init__(self) -> None:
        self.distance: Rows = np.empty((0, 0))
        self.index: NDArray[np.int64] = np.empty((0, 0), np.int64)

    def see(self, x: Any, base: Any, start: int) -> None:
        """Take the rows of `base`, whose indices begin at `start`, into account for the rows x."""
        distance, index = nearest(x, base, min(NEIGHBOURS, len(base)))
        if start:
            distance = np.concatenate([self.distance, distance], 1)
            index = np.concatenate([self.index, index + start], 1)
        order = np.argsort(distance, 1, kind="stable")[:, :NEIGHBOURS]
        self.distance = np.take_along_axis(distance, order, 1)
        self.index = np.take_along_axis(index, order, 1)

    def ratios(self) -> Rows:
        """Return d_1 / d_k [N]: near 0 for a copy of one sample, near 1 for what lies amid all of them; 0 where d_1 is 0."""
        first, last = self.distance[:, 0], self.distance[:, -1]
        return np.divide(first, last, out=np.zeros_like(first), where=first > 0)

    def copied(self, below: float, apart: float) -> NDArray[np.bool_]:
        """Return which rows [N] equal a training sample, or lie below both thresholds."""
        first = self.distance[:, 0]
        copies: NDArray[np.bool_] = (first == 0) | ((first < below) & (self.ratios() < apart))
        return copies


def thresholds(reals: Nearest) -> tuple[float, float]:
    """Return the 1 % quantiles of d_1 and of d_1 / d_k (at most APART) over held-out reals that no training sample equals."""
    other = reals.distance[:, 0] > 0
    if not other.any():
        return 0.0, 0.0
    first, ratios = (float(np.quantile(x[other], UNUSUAL)) for x in (reals.distance[:, 0], reals.ratios()))
    return first, min(APART, ratios)


def _below(a: Rows, b: Rows) -> float:
    """Return P(a < b) + ½ P(a = b) over all pairs."""
    order = np.sort(b)
    above = len(b) - np.searchsorted(order, a, side="right")
    at_least = len(b) - np.searchsorted(order, a, side="left")
    return float((above + at_least).mean() / (2 * len(b)))
