"""What every row of a table keeps: a column that others tell (`--keep`), and columns whose combinations exist (`--together`).

Rows are codes [N, C], NaN where a cell is missing. Networks learn *inner* rows: in place of a told column its difference
to the others, or nothing; in place of the first column of a group the number of its combination.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgan.data.tabular.coding import Codes

Rounded = Callable[[Codes], Codes]


@dataclass(frozen=True)
class Rule:
    """x[at] = sum of weight * x[of] + rest * d, where d >= 0 is learned in the place of x[at]; rest 0: there is nothing left.

    A cell is missing where one of the terms is.
    """

    at: int
    terms: tuple[tuple[int, float], ...]  # (of, weight)
    rest: int  # 1, -1 or 0
    limit: float = 0.0  # the greatest value of the training rows (rest 1), or the least (rest -1)
    unit: float = 0.0  # distance of two values of the column, 0 = none

    def base(self, rows: Codes) -> Codes:
        """Return the sum of the terms [N] of rows [N, C]."""
        found: Codes = rows[:, [of for of, _ in self.terms]] @ np.array([weight for _, weight in self.terms])
        return found

    def inner(self, rows: Codes) -> Codes:
        """Return d [N] of rows [N, C]."""
        return self.rest * (rows[:, self.at] - self.base(rows)) if self.rest else np.zeros(len(rows))

    def outer(self, rows: Codes, rounded: Rounded) -> Codes:
        """Return x[at] [N] of rows [N, C] that hold d in its place; rounded: to a value that the column may have."""
        base = self.base(rows)
        if not self.rest:
            return rounded(base)
        x = rounded(base + self.rest * rows[:, self.at])
        x = np.where(self.crosses(x, base), rounded(base + self.rest * self.unit / 2), x)  # the next value beyond
        x = np.minimum(x, self.limit) if self.rest > 0 else np.maximum(x, self.limit)
        return np.where(self.crosses(x, base), base, x)

    def crosses(self, x: Codes, base: Codes) -> NDArray[np.bool_]:
        """Return which of x [N] lie on the wrong side of base [N]."""
        wrong: NDArray[np.bool_] = self.rest * (x - base) < 0
        return wrong


def rule_text(rule: Rule, names: Sequence[str]) -> str:
    """Return what is kept of a column, in a few words."""
    signs = [("+" if weight > 0 else "-") + names[of] for of, weight in rule.terms]
    sign = {1: "at least ", -1: "at most ", 0: ""}[rule.rest]
    return f"{sign}{''.join(signs).removeprefix('+')}" + (
        ", by what lies between" if rule.rest else ", nothing is learned"
    )


@dataclass(frozen=True)
class Group:
    """Columns that only come together as they do in some training row; None = missing."""

    at: tuple[int, ...]
    rows: tuple[tuple[float | None, ...], ...]

    @functools.cached_property
    def codes(self) -> Codes:
        """The combinations [K, columns]."""
        return np.array(self.rows, np.float64)

    @functools.cached_property
    def numbers(self) -> dict[bytes, float]:
        """The number of each combination."""
        return {key: float(i) for i, key in enumerate(keys(self.codes))}

    def inner(self, rows: Codes) -> Codes:
        """Return the number of the combination of each of rows [N, C], -1 for one that no training row had."""
        return np.array([self.numbers.get(key, -1.0) for key in keys(rows[:, self.at])])

    def outer(self, numbers: Codes) -> Codes:
        """Return the codes [N, columns] of numbers of combinations [N]."""
        return self.codes[numbers.astype(np.int64)]


def inner_rows(rows: Codes, rules: Sequence[Rule], groups: Sequence[Group]) -> Codes:
    """Return rows [N, C] as networks learn them."""
    if not rules and not groups:
        return rows
    inner = rows.copy()
    for rule in rules:
        inner[:, rule.at] = rule.inner(rows)
    for group in groups:
        inner[:, group.at] = 0.0
        inner[:, group.at[0]] = group.inner(rows)
    return inner


def are_sound(rules: Sequence[Rule], groups: Sequence[Group], count: int) -> bool:
    """Return whether rules and groups read from a file can be of `count` columns."""
    places = [i for r in rules for i in (r.at, *(of for of, _ in r.terms))] + [i for g in groups for i in g.at]
    numbers = np.array([n for r in rules for n in (r.limit, r.unit, *(w for _, w in r.terms))], np.float64)
    return (
        all(type(i) is int and 0 <= i < count for i in places)
        and bool(np.isfinite(numbers).all())
        and all(r.rest in (-1, 0, 1) and r.terms for r in rules)
        and all(g.at and g.codes.shape == (len(g.rows), len(g.at)) and len(g.rows) for g in groups)
    )


def keys(rows: Codes) -> list[bytes]:
    """Return a key for each of rows [N, K], equal for equal rows; missing cells are equal."""
    clean = np.where(np.isnan(rows), np.nan, rows + 0.0)  # one NaN, and no -0
    return [row.tobytes() for row in np.ascontiguousarray(clean)]


def combinations(rows: Codes, at: tuple[int, ...]) -> Group:
    """Return the group of the columns `at` of training rows [N, C]."""
    found = dict(zip(keys(rows[:, at]), rows[:, at].tolist(), strict=True))
    return Group(at, tuple(sorted((tuple(None if v != v else v for v in row) for row in found.values()), key=str)))
