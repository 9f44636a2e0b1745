"""From stored values to bytes: one range over a whole data set, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError

RANGES = ((0, 1), (-1, 1), (0, 255), (0, 65535))  # how pixels are commonly stored, black to white
LEAST_USED = 0.25  # of a range: values that use less of it are stretched
DEEPEST = 0.3  # of a range: the sharpest resize rings past it by less (0.29 on digits)
CLIPPED = 0.006  # of a range: the mean distance of all values from it, when the rest is an overshoot that is clipped
NEGATIVE = -0.1  # below it lies no overshoot of 0..1
NEGATIVE_FRACTION = 0.01  # of values below NEGATIVE that make -1..1 of a data set
MOST_KEPT = 1 << 16  # values kept to tell outliers
OUTLIERS = 0.001  # of values at either end


class Scale(NamedTuple):
    """The values that become bytes 0 and 255, and how that is said."""

    low: float
    high: float
    note: str


@dataclass
class Span:
    """What the values of a data set reach; spans of its parts add up to that of the whole."""

    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    negative: int = 0  # values below NEGATIVE
    outside: NDArray[Any] = field(default_factory=lambda: np.zeros(len(RANGES)))  # how many lie outside of each range
    distance: NDArray[Any] = field(default_factory=lambda: np.zeros(len(RANGES)))  # sum of their distances from it
    some: list[NDArray[Any]] = field(default_factory=list)  # values drawn at random

    def add(self, other: Span) -> None:
        """Take in the span of another part."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.count += other.count
        self.negative += other.negative
        self.outside = self.outside + other.outside
        self.distance = self.distance + other.distance
        self.some += other.some


def span_of(values: NDArray[Any], keep: int = 256) -> Span:
    """Return what finite values reach; `keep` of them are kept to tell outliers."""
    low, high = float(values.min()), float(values.max())
    outside, distance = np.zeros(len(RANGES)), np.zeros(len(RANGES))
    for i, (a, b) in enumerate(RANGES):
        room = DEEPEST * (b - a) if values.dtype.kind != "u" else 0  # whole numbers from 0 on never ring below it
        if low < a - room or high > b + room:
            distance[i] = np.inf
        elif low < a or high > b:
            beyond = np.abs(values - np.clip(values, a, b).astype(np.float64))
            outside[i], distance[i] = np.count_nonzero(beyond), beyond.sum()
    negative = int((values < NEGATIVE).sum()) if low < NEGATIVE else 0
    flat = values.reshape(-1)
    picked = np.random.default_rng(0).integers(
        0, len(flat), min(keep, len(flat))
    )  # even steps would meet one column alone
    return Span(low, high, values.size, negative, outside, distance, [flat[picked]])


def whole_span(spans: Iterable[Span]) -> Span:
    """Return the span of everything."""
    whole = Span()
    for span in spans:
        whole.add(span)
    return whole


def scale_of(span: Span, where: str, plain: bool = False) -> Scale:
    """Return which values become black and white: the first of RANGES that holds them all and is used by a quarter.

    A few values just outside (the ringing of a resize) are clipped, and -1..1 needs a fair fraction of negative ones; else the
    values' own range is stretched. The note says which; plain: bytes that are read as 0..255 need none. Raises WganError when
    all values are the same.
    """
    low, high = span.low, span.high
    if low == high:
        raise WganError(f"{where} holds nothing to learn: every value is {low:g}")
    for i, (a, b) in enumerate(RANGES):
        used, clipped = high - low >= LEAST_USED * (b - a), span.distance[i] <= CLIPPED * (b - a) * span.count
        if used and clipped and (a == 0 or span.negative >= NEGATIVE_FRACTION * span.count):
            said = [] if plain and (a, b) == (0, 255) else read_as(span, i)
            return Scale(a, b, "; ".join([*said, *outlier_note(span, a, b)]))
    said = [f"values {low:g} to {high:g} are stretched to black and white"]
    return Scale(low, high, "; ".join([*said, *outlier_note(span, low, high)]))


def read_as(span: Span, i: int) -> list[str]:
    """Return the words for values that are read as the range of number i."""
    a, b = RANGES[i]
    text = f"values {span.low:g} to {span.high:g} are read as {a} (black) to {b} (white)"
    beyond = int(span.outside[i])
    return [text, f"{beyond} of {span.count} values lie outside and are clipped"] if beyond else [text]


def outlier_note(span: Span, low: float, high: float) -> list[str]:
    """Return a warning when all but a few values use less than a quarter of the range, else nothing."""
    some = np.concatenate(span.some).astype(np.float64)
    a, b = np.quantile(some, (OUTLIERS, 1 - OUTLIERS))
    if b - a >= LEAST_USED * (high - low):
        return []
    return [
        f"all but a few of the values lie within {a:g} to {b:g}: the others leave them less than a quarter of the range"
    ]


def as_bytes(values: NDArray[Any], scale: Scale) -> NDArray[np.uint8]:
    """Return (value - low) / (high - low) * 255, rounded and clipped."""
    if values.dtype == np.uint8 and (scale.low, scale.high) == (0, 255):
        return values
    numbers = (values.astype(np.float64) - scale.low) * (255 / (scale.high - scale.low))
    rounded: NDArray[np.uint8] = np.rint(numbers).clip(0, 255).astype(np.uint8)
    return rounded
