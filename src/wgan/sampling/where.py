"""`--where "income=>50K,sex=Female"`: what is asked of the columns of a table, from the user's words to slots and codes."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.data.own.delimited import is_number
from wgan.data.tabular.coding import Codes
from wgan.data.tabular.commas import COMMAS, pointed
from wgan.data.tabular.dates import seconds_of
from wgan.data.tabular.table import Column, Table
from wgan.errors import WganError, nearest

COMPARED: dict[str, Callable[[Codes, float], NDArray[np.bool_]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
OPERATORS = (">=", "<=", "!=", "=", ">", "<")  # the longest first
SHOWN = 12  # levels in a message


@dataclass(frozen=True)
class Where:
    """One condition on one column: its place, and the code that is asked for."""

    at: int
    code: float


@dataclass(frozen=True)
class Range:
    """A comparison that the code of one column has to pass: its place, >=, <=, >, <, != or =, and a code."""

    at: int
    operator: str
    limit: float


def parts_of(text: str, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (column, operator, value) of each condition; a comma begins the next one where a column's name follows it.

    So `income=>50K` is income = >50K, and a value may hold commas. Raises WganError for what is not a condition.
    """
    ordered = sorted(names, key=len, reverse=True)
    head = re.compile(rf"\s*({'|'.join(map(re.escape, ordered))})\s*({'|'.join(OPERATORS)})")
    parts, rest = [], text
    while rest:
        found = head.match(rest)
        if not found:
            name = re.split("[=<>!]", rest)[0].strip()
            why = nearest(name, names) if name not in names else "write NAME=VALUE"
            raise WganError(f"where '{rest.strip()[:60]}' names no column of the table: {why}")
        after = [
            m.start() for m in re.finditer(",", rest) if m.start() >= found.end() and head.match(rest[m.start() + 1 :])
        ]
        end = after[0] if after else len(rest)
        parts.append((found[1], found[2], rest[found.end() : end].strip()))
        rest = rest[end + 1 :]
    if not parts:
        raise WganError("where is empty: write NAME=VALUE, for example --where 'colour=red'")
    return parts


def read_where(text: str, table: Table) -> tuple[list[Where], list[Range]]:
    """Return what is asked of columns, and which ranges rows have to lie in.

    Raises WganError for a column or a value that the table does not have, or that cannot be asked for.
    """
    found: dict[str, Where] = {}
    ranges = []
    for name, sign, value in parts_of(text, table.names):
        at = table.names.index(name)
        column = table.columns[at]
        if sign != "=":
            ranges.append(Range(at, sign, limit_of(column, sign, value)))
            continue
        if column.kept or is_of_many_values(column):
            ranges.append(Range(at, "=", kept_code(column, value)))
            continue
        if name in found:
            raise WganError(f"where asks for column {name} twice: give it one value")
        if not column.choices:
            raise WganError(f"where asks for column {name}, which never varies: leave it out")
        found[name] = Where(at, code_of(column, value))
    return [*found.values()], ranges


def is_of_many_values(column: Column) -> bool:
    """Return whether a column of numbers or dates has more values than slots: one of them is kept like a range."""
    return column.kind != "category" and column.coding.scored


def limit_of(column: Column, sign: str, value: str) -> float:
    """Return the code that a column is compared with; WganError for a category, and for what is not a number or date."""
    said = f"where '{column.name}{sign}{value}'"
    if column.kind == "category":
        raise WganError(f"{said}: a category has no order, write {column.name}=VALUE")
    if column.kind == "date":
        seconds = seconds_of(value, column.form)
        if seconds is None:
            raise WganError(f"{said}: '{value}' is not a date in the format {column.form}")
        return seconds
    value = pointed([value])[0] if column.form == COMMAS else value
    if not is_number(value) or float(value) != float(value):
        way = "; write a comma between conditions" if " and " in value.lower() else ""
        raise WganError(f"{said}: '{value}' is not a number{way}")
    return float(value)


def kept_code(column: Column, value: str) -> float:
    """Return the code of a value of a column that others tell; WganError for a level that is not known."""
    if column.kind != "category":
        return limit_of(column, "=", value)
    known = {level.strip(): float(i) for i, level in enumerate(column.levels)}
    if value not in known:
        raise WganError(
            f"where asks for {column.name}={value}, which no row of the data has: {nearest(value, [*known])}"
        )
    return known[value]


def fits(rows: Codes, ranges: Sequence[Range]) -> NDArray[np.bool_]:
    """Return which rows [N, C] lie in every range; a missing cell lies in none."""
    inside = [COMPARED[r.operator](rows[:, r.at], r.limit) for r in ranges]
    found: NDArray[np.bool_] = np.logical_and.reduce(inside) & ~np.isnan(rows[:, [r.at for r in ranges]]).any(1)
    return found


def code_of(column: Column, value: str) -> float:
    """Return the code of a value as it stands in the file, blanks around it aside; WganError where no training row had it."""
    known = {column.text(code).strip(): code for code in (*column.coding.spikes, *column.coding.values)}
    if value in ("", column.mark.strip()) and value not in known and column.coding.missing:
        return float("nan")
    if value not in known:
        shown = [*known] if len(known) <= SHOWN else [*[*known][:SHOWN], "..."]
        why = nearest(value, [*known]) if len(known) > SHOWN else f"it holds {', '.join(shown)}"
        raise WganError(f"where asks for {column.name}={value}, which no row of the training data has: {why}")
    return known[value]


def conditions(wanted: Sequence[Where], table: Table, n: int) -> Tensor:
    """Return what each of n samples is asked for, int64 [n, A]: slot + 1, or 0."""
    row = torch.zeros(len(table.asked), dtype=torch.int64)
    for w in wanted:
        row[table.asked.index(w.at)] = int(table.columns[w.at].coding.slot(np.array([w.code]))[0]) + 1
    return row.expand(n, -1)


def insist(rows: Codes, wanted: Sequence[Where]) -> Codes:
    """Return rows [N, C] with the very code that was asked for: rare levels share a slot."""
    for w in wanted:
        rows[:, w.at] = w.code
    return rows
