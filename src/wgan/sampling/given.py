"""`--given "energy=50,angle=-30..30"`: what is asked of the samples of a run that is conditioned on numbers and categories."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data.conditions import Condition, Conditions
from wgan.errors import WganError, nearest
from wgan.rng import stream
from wgan.sampling.generate import BLOCK
from wgan.sampling.grids import columns_of

Given = str | Mapping[str, Any]  # NAME=VALUE,... or {name: value or (from, to)}
SLACK = 0.01  # of the training range: 0 where the least of many draws was 0.004 is not beyond it
RANGE = re.compile(r"(.+?)\.\.(.+)")


@dataclass(frozen=True)
class Asked:
    """One condition that all samples get: a code, or a sweep of codes from `code` to `end`."""

    at: int  # its place among the conditions
    code: float
    end: float | None = None


def read_given(given: Given, conditions: Conditions) -> list[Asked]:
    """Return what is asked; WganError for an unknown name or value, for a name twice, and for more than two sweeps."""
    pairs = parts_of(given, conditions) if isinstance(given, str) else [*given.items()]
    asked = [asked_of(name, value, conditions) for name, value in pairs]
    names = [conditions.names[a.at] for a in asked]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise WganError(f"given asks for {twice} twice: give it one value, or a range FROM..TO")
    if not asked:
        raise WganError("given is empty: write NAME=VALUE, for example energy=50")
    if sum(a.end is not None for a in asked) > 2:
        raise WganError("given sweeps more than two conditions: a grid has two sides")
    return asked


def parts_of(text: str, conditions: Conditions) -> list[tuple[str, str]]:
    """Return (name, value) of each part; a comma begins the next one where NAME= follows it, so a value may hold commas."""
    names, levels = conditions.names, {level for c in conditions.columns for level in c.levels}
    head = re.compile(rf",(?=\s*(?:{'|'.join(map(re.escape, names))})\s*=)")
    parts = [part.partition("=") for part in head.split(text) if part.strip()]
    for name, equals, value in parts:
        if name.strip() not in names:
            raise WganError(f"unknown condition '{name.strip()[:60]}': {nearest(name.strip(), names)}")
        if not equals or not value.strip():
            raise WganError(
                f"given '{name.strip()}' has no value: write {name.strip()}=VALUE or {name.strip()}=FROM..TO"
            )
        other = re.search(r",\s*([A-Za-z_]\w*)\s*=", value)
        if other and value.strip() not in levels:
            raise WganError(f"unknown condition '{other[1]}': {nearest(other[1], names)}")
    return [(name.strip(), value.strip()) for name, _, value in parts]


def asked_of(name: str, value: Any, conditions: Conditions) -> Asked:
    """Return what one part asks; WganError for a name or a value that the training data do not have."""
    if name not in conditions.names:
        raise WganError(f"unknown condition '{name}': {nearest(str(name), conditions.names)}")
    at = conditions.names.index(name)
    column = conditions.columns[at]
    ends = range_of(value, column)
    if ends is None:
        return Asked(at, column.code(value))
    return Asked(at, column.code(ends[0]), column.code(ends[1]))


def range_of(value: Any, column: Condition) -> tuple[Any, Any] | None:
    """Return the two ends of FROM..TO or (from, to) for a number; None for one value."""
    if column.levels:
        return None
    if isinstance(value, (tuple, list, np.ndarray)):
        if len(value) != 2:
            raise WganError(f"given {column.name} has {len(value)} values: give one, or the two ends of a range")
        return value[0], value[1]
    found = RANGE.fullmatch(str(value))
    return None if found is None else (found[1], found[2])


def warnings(asked: Sequence[Asked], conditions: Conditions) -> list[str]:
    """Return a sentence for each number that lies outside of what the training samples had."""
    said = []
    for a in asked:
        c = conditions.columns[a.at]
        slack = SLACK * (c.high - c.low)
        low, high = c.low - slack, c.high + slack
        beyond = [code for code in (a.code, a.end) if code is not None and not c.levels and not low <= code <= high]
        if beyond:
            which = f"{' and '.join(f'{code:g}' for code in beyond)} {'lie' if len(beyond) > 1 else 'lies'}"
            said.append(
                f"{c.name} {which} outside of the training range, {c.low:g} to {c.high:g}: nothing was learned there"
            )
    return said


def codes_of(asked: Sequence[Asked], conditions: Conditions, n: int, seed: int) -> NDArray[np.float64]:
    """Return the codes [n, A]: what is asked, and of the rest what n training rows had; the i-th row does not depend on n.

    But for sweeps, which follow the sides of the grid of n samples: the first along its columns, the second along its rows.
    """
    swept = [a for a in asked if a.end is not None]
    codes = conditions.drawn(uniform(n, seed))
    if swept:
        codes = codes[places(n, len(swept))]
    for a in asked:
        codes[:, a.at] = a.code
    for side, a in enumerate(swept):
        assert a.end is not None
        codes[:, a.at] = a.code + (a.end - a.code) * along(n, side)
    return codes


def sweeps(asked: Sequence[Asked]) -> int:
    """Return how many conditions are swept."""
    return sum(a.end is not None for a in asked)


def places(n: int, swept: int) -> NDArray[np.int64]:
    """Return which latent and which training row each of n samples has, so that along a sweep nothing else changes."""
    at = np.arange(n) // columns_of(n)
    return at if swept < 2 else np.zeros(n, np.int64)


def along(n: int, side: int) -> NDArray[np.float64]:
    """Return where each of n samples stands along the columns (side 0) or rows (side 1) of their grid, from 0 to 1."""
    columns = min(n, columns_of(n))
    at, many = (np.arange(n) % columns, columns) if side == 0 else (np.arange(n) // columns, math.ceil(n / columns))
    found: NDArray[np.float64] = at / max(1, many - 1)
    return found


def uniform(n: int, seed: int) -> NDArray[np.float64]:
    """Return uniform draws [n] of `seed`, the i-th the same for every n."""
    blocks = range(math.ceil(n / BLOCK))
    draws = [torch.rand(BLOCK, generator=stream(seed, b, "sample conditions"), dtype=torch.float64) for b in blocks]
    found: NDArray[np.float64] = torch.cat(draws)[:n].numpy()
    return found


def grid_codes(conditions: Conditions, n: int, seed: int) -> NDArray[np.float64]:
    """Return the codes [n, A] of a run's sample grid: its first condition goes from column to column, the rest as in the data.

    A number goes from the least to the greatest value, a category through its levels.
    """
    codes = conditions.drawn(uniform(n, seed))
    first = conditions.columns[0]
    if first.levels:
        trained = np.flatnonzero(first.trained)
        codes[:, 0] = trained[np.arange(n) % columns_of(n) % len(trained)]
    else:
        codes[:, 0] = first.low + (first.high - first.low) * along(n, 0)
    return codes
