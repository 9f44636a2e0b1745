"""The numbers of one column: a one-hot of slots for values that many rows share, and a normal score for the rest.

A value is a float64 *code*: a number itself, seconds of a date, the number of a level, NaN where the cell is missing.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

FEW = 10  # distinct numbers: each has a slot of its own
SPIKE = 0.02  # fraction of the rows from which on a number has a slot of its own
LEAST_SPIKE = 5  # rows: of few rows any value would be such a fraction
MOST_SPIKES = 8
MOST_LEVELS = 64  # slots of a category; rarer levels share one
LATTICE = 512  # distinct values that are listed; of more only quantiles are kept
QUANTILES = 256
Codes = NDArray[np.float64]


@dataclass(frozen=True)
class Coding:
    """How the codes of one column become numbers: slot 0 is the rest, then one for each spike, the last is missing.

    No one-hot where there is one slot only. The rest has a score z ~ N(0, 1) beside its slot, which is 0 elsewhere. On a
    lattice z is a draw from the interval of the normal law that a value covers, so that the inverse gives that value and
    neighbours overlap nowhere; otherwise z is linear between quantiles.
    """

    spikes: tuple[float, ...] = ()  # ascending
    missing: bool = False
    values: tuple[float, ...] = ()  # of the rest, ascending; () = there is no rest
    marks: tuple[float, ...] = ()  # lattice: probability of at most each value; else the score of each value
    lattice: bool = False

    @property
    def slots(self) -> int:
        """The width of the one-hot; 0 where a row has no choice."""
        count = bool(self.values) + len(self.spikes) + self.missing
        return count if count > 1 else 0

    @property
    def scored(self) -> bool:
        """Whether there is a score."""
        return bool(self.values)

    @property
    def width(self) -> int:
        """How many numbers one code becomes."""
        return self.slots + self.scored

    @functools.cached_property
    def arrays(self) -> tuple[Codes, Codes, Codes]:
        """The spikes, the values and the marks as arrays."""
        return np.array(self.spikes), np.array(self.values), np.array(self.marks)

    def slot(self, codes: Codes) -> NDArray[np.int64]:
        """Return the slot of each code [N], -1 for one that has none."""
        first = int(self.scored)
        found = np.full(len(codes), 0 if self.scored else -1, np.int64)
        if self.spikes:
            spikes = self.arrays[0]
            at = np.searchsorted(spikes, codes).clip(max=len(spikes) - 1)
            found = np.where(spikes[at] == codes, at + first, found)
        return np.where(np.isnan(codes), first + len(self.spikes) if self.missing else -1, found)

    def score(self, codes: Codes, places: Codes) -> Codes:
        """Return the score of codes [N] of the rest; places in (0, 1): where in its interval a listed value lies."""
        _, values, upper = self.arrays
        if not self.lattice:
            return np.interp(codes, values, upper)
        at = np.searchsorted(values, codes).clip(max=len(upper) - 1)
        lower = np.where(at > 0, upper[at - 1], 0.0)
        p: Codes = ndtri((lower + places * (upper[at] - lower)).clip(1e-9, 1 - 1e-9))
        return p

    def encode(self, codes: Codes, places: Codes) -> Codes:
        """Return codes [N] as numbers [N, width]; a value that no training row had is all zeros in its one-hot."""
        slot, parts = self.slot(codes), []
        if self.slots:
            parts.append(slot[:, None] == np.arange(self.slots))
        if self.scored:
            rest = slot == 0
            parts.append(np.where(rest, self.score(np.where(rest, codes, self.values[0]), places), 0.0)[:, None])
        return np.concatenate(parts, 1, dtype=np.float64) if parts else np.zeros((len(codes), 0))

    def decode(self, x: NDArray[Any]) -> Codes:
        """Return the codes [N] of numbers [N, width]; the slot is the greatest number of the one-hot."""
        slot = x[:, : self.slots].argmax(1) if self.slots else np.zeros(len(x), np.int64)
        rest = self.unscored(x[:, -1].astype(np.float64)) if self.scored else np.zeros(0)
        table = [*self.spikes, *([np.nan] if self.missing else [])]
        found: Codes = np.array(table)[slot] if not self.scored else np.array([0.0, *table])[slot]
        return np.where(slot == 0, rest, found) if self.scored else found

    def unscored(self, z: Codes) -> Codes:
        """Return the code of each score [N]."""
        _, values, marks = self.arrays
        if not self.lattice:
            return np.interp(z, marks, values)
        found: Codes = values[np.searchsorted(marks, ndtr(z)).clip(max=len(values) - 1)]
        return found


def counted(codes: Codes) -> tuple[Codes, NDArray[np.int64], bool]:
    """Return the different codes of a column [N], ascending, how many rows have each, and whether any is missing."""
    present = codes[~np.isnan(codes)]
    values, counts = np.unique(present, return_counts=True)
    return values, counts, len(present) < len(codes)


def fit_number(codes: Codes) -> Coding:
    """Return the coding of a column of numbers or dates by its training rows [N]."""
    values, counts, missing = counted(codes)
    if len(values) <= FEW:
        return Coding(tuple(values.tolist()), missing)
    common = np.argsort(-counts, kind="stable")[:MOST_SPIKES]
    spike = np.zeros(len(values), np.bool_)
    spike[common[counts[common] >= max(SPIKE * counts.sum(), LEAST_SPIKE)]] = True
    return rest_of(values[~spike], counts[~spike], values[spike], missing)


def fit_category(codes: Codes) -> Coding:
    """Return the coding of a category by its training rows [N]: the most frequent levels, and the rare ones together."""
    values, counts, missing = counted(codes)
    if len(values) <= MOST_LEVELS:
        return Coding(tuple(values.tolist()), missing)
    own = np.zeros(len(values), np.bool_)
    own[np.argsort(-counts, kind="stable")[: MOST_LEVELS - 1]] = True
    return listed(values[~own], counts[~own], values[own], missing)


def rest_of(values: Codes, counts: NDArray[np.int64], spikes: Codes, missing: bool) -> Coding:
    """Return the coding with ascending values as the rest: listed where they are few, else by quantiles."""
    if len(values) <= LATTICE:
        return listed(values, counts, spikes, missing)
    upper = np.cumsum(counts)
    total = int(upper[-1])
    halves = total * 0.5 ** np.arange(1, 40)
    ranks = np.concatenate([np.linspace(0, total - 1, QUANTILES), halves, total - 1 - halves])  # dense in both tails
    at = np.unique(np.searchsorted(upper, ranks.round().clip(0, total - 1), side="right"))
    at = np.union1d(at, [0, len(values) - 1])
    scores = ndtri((upper[at] - counts[at] / 2) / total)
    return Coding(tuple(spikes.tolist()), missing, tuple(values[at].tolist()), tuple(scores.tolist()))


def listed(values: Codes, counts: NDArray[np.int64], spikes: Codes, missing: bool) -> Coding:
    """Return the coding with every value of the rest listed."""
    marks = np.cumsum(counts) / counts.sum() if len(counts) else counts
    return Coding(tuple(spikes.tolist()), missing, tuple(values.tolist()), tuple(marks.tolist()), True)
