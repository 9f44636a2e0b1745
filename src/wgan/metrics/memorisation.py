"""Does the generator copy its training data? Distances of fakes to the train split, beside those of unseen reals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.metrics.neighbours import nearest
from wgan.metrics.rows import Rows, pair


class Memorisation(NamedTuple):
    """What `memorisation` measures; distances in data units."""

    fake_median: float  # distance to the nearest training sample
    real_median: float  # the same of held-out reals: what a generator that copies nothing should reach
    ratio: float  # fake_median / real_median; 1 when both are 0
    closer: float  # P(a fake is nearer to the train set than a held-out real); 0.5 = no difference, 1 = copies
    copies: float  # share of fakes nearer than 99 % of the held-out reals are; 0.01 = no difference
    pairs: NDArray[np.int64]  # [P, 2] index of the fake, index of its training neighbour; closest first
    distances: Rows  # [P] of these pairs


def memorisation(fake: Any, held_out: Any, training: Any, pairs: int = 16) -> Memorisation:
    """Return how near fakes lie to training samples, compared with reals that were not trained on.

    d(x) = min_i ‖x − t_i‖ over training samples t; closer = P(d(fake) < d(real)) + ½ P(equal) (Mann-Whitney's U / nm)
    fake [N, ...], held_out [M, ...], training [T, ...] of one width, pixels or features, in one scale; pairs <= N kept.
    training may also be an iterator of such arrays, which are read one by one and need not fit into memory together.
    Source: Lopez-Paz & Oquab 2017 (nearest neighbours as a two-sample test); Alaa et al. 2022 (authenticity).
    Errors: WganError for NaN, no sample, unequal widths. Blurred fakes lie nearer to everything in pixel space: `closer`
    above 0.5 is a reason to look at the pairs, not a proof. Shifted copies escape it.
    """
    if pairs < 0:
        raise WganError(f"pairs must be 0 or more, not {pairs}")
    blocks = training if isinstance(training, Iterator) else iter([training])
    near, usual, index, start = np.array(np.inf), np.array(np.inf), np.array(-1), 0
    for block in blocks:
        x, base = pair(fake, block, names=("fake", "training"), single=True)
        y, _ = pair(held_out, base, names=("held_out", "training"), single=True)
        found, place = nearest(x, base)
        index, near = np.where(found < near, place + start, index), np.minimum(near, found)
        usual = np.minimum(usual, nearest(y, base)[0])
        start += len(base)
    first = np.argsort(near, kind="stable")[:pairs]
    a, b = float(np.median(near)), float(np.median(usual))
    return Memorisation(
        fake_median=a,
        real_median=b,
        ratio=1.0 if a == b else float(np.divide(a, b)) if b else float("inf"),
        closer=_below(near, usual),
        copies=float((near < np.quantile(usual, 0.01)).mean()),
        pairs=np.stack([first, index[first]], 1),
        distances=near[first],
    )


def _below(a: Rows, b: Rows) -> float:
    """Return P(a < b) + ½ P(a = b) over all pairs."""
    order = np.sort(b)
    above = len(b) - np.searchsorted(order, a, side="right")
    at_least = len(b) - np.searchsorted(order, a, side="left")
    return float((above + at_least).mean() / (2 * len(b)))
