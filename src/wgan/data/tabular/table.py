"""Table: everything that brings cells to numbers and numbers to cells, for all columns of a table; kept in run.json."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.recorded import restored
from wgan.data.tabular.coding import Codes, Coding
from wgan.data.tabular.commas import COMMAS, written_as
from wgan.data.tabular.dates import moment_of, text_of
from wgan.data.tabular.rules import Group, Rule, are_sound, inner_rows

GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Column:
    """One column: its kind, how its values are written, and its coding."""

    name: str
    kind: str  # number, category, date
    coding: Coding
    mark: str = ""  # a missing cell
    form: str = ""  # of dates; comma: numbers have decimal commas
    digits: int = 0
    style: str = "fixed"  # fixed, short or repr: see kinds.Found
    levels: tuple[str, ...] = ()  # of a category: the text of each code
    step: float = 0.0  # of the training values; 0 = none
    least: float | None = None  # of the training values, where the coding is of something else
    kept: str = ""  # why the coding is of something else: what is kept of the column, see rules.py

    def texts(self, codes: Codes) -> list[str]:
        """Return codes [N] as cells of a text file; a level that is not known is empty."""
        known = {code: self.text(code) for code in set(codes.tolist()) if code == code}
        return [known.get(code, self.mark) for code in codes.tolist()]

    def text(self, code: float) -> str:
        """Return one code that is not missing as a cell."""
        if self.kind == "category":
            return self.levels[int(code)] if 0 <= code < len(self.levels) else ""
        if self.kind == "date":
            return text_of(code, self.form)
        if self.style == "fixed":
            return written_as(f"{code:.{self.digits}f}" if self.digits else str(int(code)), self.form)
        text = repr(code)
        return written_as(text.removesuffix(".0") if self.style == "short" else text, self.form)

    def values(self, codes: Codes) -> list[Any]:
        """Return codes [N] as Python values: int, float, text or datetime, None where missing."""
        if self.kind == "number" and self.digits != 0:
            return [None if code != code else code for code in codes.tolist()]
        known = {code: self.value(code) for code in set(codes.tolist()) if code == code}
        return [known.get(code) for code in codes.tolist()]

    def value(self, code: float) -> Any:
        """Return one code that is not missing as a Python value."""
        if self.kind == "number":
            return int(code)
        if self.kind == "date":
            return moment_of(code, self.form)
        text, truths = self.text(code), {"True": True, "False": False}
        return truths.get(text, text) if truths.keys() >= set(self.levels) else text

    def round(self, codes: Codes) -> Codes:
        """Return decoded codes with the digits and the step of the training values."""
        if self.kind == "category":
            return codes
        if self.step:
            low = self.lowest
            codes = low + np.rint((codes - low) / self.step) * self.step
        if self.kind == "number" and 0 <= self.digits <= 15:
            codes = codes.round(self.digits)
        return codes + 0.0  # no -0.00

    @property
    def lowest(self) -> float:
        """The least code of the training rows."""
        if self.least is not None:
            return self.least
        return min([*self.coding.spikes[:1], *self.coding.values[:1]], default=0.0)

    @property
    def choices(self) -> bool:
        """Whether its values can be asked for: each has a slot, or shares that of the rare ones."""
        return not self.kept and self.coding.slots > 0 and (self.kind == "category" or not self.coding.scored)


@dataclass(frozen=True)
class Table:
    """All columns of a table in their order. Rows are codes [N, C]; samples are numbers [N, D] that networks see."""

    columns: tuple[Column, ...]
    label: str = ""  # name of the column that holds the class; "" = none
    label_at: int = -1  # its place among all columns
    rules: tuple[Rule, ...] = ()  # in the order in which they are applied
    groups: tuple[Group, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [c.name for c in self.columns]

    @property
    def width(self) -> int:
        """D, how many numbers one row becomes."""
        return sum(c.coding.width for c in self.columns)

    @property
    def heads(self) -> tuple[tuple[int, bool], ...]:
        """Of each column that is learned: the width of its one-hot, and whether a score follows."""
        return tuple((c.coding.slots, c.coding.scored) for c in self.columns if c.coding.width)

    @functools.cached_property
    def asked(self) -> list[int]:
        """The places of the columns whose values can be asked for."""
        return [i for i, c in enumerate(self.columns) if c.choices]

    @property
    def choices(self) -> tuple[int, ...]:
        """The places of these columns among the heads."""
        learned = [i for i, c in enumerate(self.columns) if c.coding.width]
        return tuple(learned.index(i) for i in self.asked)

    @property
    def layout(self) -> tuple[tuple[tuple[int, bool], ...], tuple[int, ...]]:
        """The heads and the choices: what a network has to know of a table."""
        return self.heads, self.choices

    def encode(self, codes: Codes, numbers: NDArray[np.int64]) -> Codes:
        """Return rows [N, C] with their numbers in the file as float64 [N, D]; the number fixes what is left to chance."""
        places: list[Any] = [0.05 + 0.9 * ((numbers * GOLDEN + i * math.sqrt(2)) % 1) for i in range(len(self.columns))]
        codes = inner_rows(codes, self.rules, self.groups)
        parts = [c.coding.encode(codes[:, i], places[i]) for i, c in enumerate(self.columns)]
        return np.concatenate(parts, 1)

    def decode(self, x: NDArray[Any]) -> Codes:
        """Return numbers [N, D] as rows [N, C]."""
        parts = np.split(x, np.cumsum([c.coding.width for c in self.columns])[:-1], 1)
        found = [c.coding.decode(p) for c, p in zip(self.columns, parts, strict=True)]
        return self.outer(np.stack([x if c.kept else c.round(x) for c, x in zip(self.columns, found, strict=True)], 1))

    def outer(self, rows: Codes) -> Codes:
        """Return inner rows [N, C], see rules.py, as rows."""
        for group in self.groups:
            rows[:, group.at] = group.outer(rows[:, group.at[0]])
        for rule in self.rules:
            rows[:, rule.at] = rule.outer(rows, self.columns[rule.at].round)
        return rows

    def conditions(self, codes: Codes) -> NDArray[np.int64]:
        """Return the slot + 1 of each column that can be asked for, [N, A]; 0 where it has none."""
        slots = [self.columns[i].coding.slot(codes[:, i]) + 1 for i in self.asked]
        return np.stack(slots, 1) if slots else np.zeros((len(codes), 0), np.int64)

    def cells(self, codes: Codes) -> dict[str, list[str]]:
        """Return rows [N, C] as the cells of each column."""
        return {c.name: c.texts(codes[:, i]) for i, c in enumerate(self.columns)}

    def values(self, codes: Codes) -> dict[str, list[Any]]:
        """Return rows [N, C] as Python values of each column."""
        return {c.name: c.values(codes[:, i]) for i, c in enumerate(self.columns)}

    def describe(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each column and what is done with it."""
        for c in self.columns:
            yield c.name, f"{kind_text(c)}: {kept_text(c)}"

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


def kind_text(c: Column) -> str:
    """Return the kind of a column in a few words."""
    if c.kind == "number":
        sign = "comma" if c.form == COMMAS else "point"
        digits = f"{c.digits} digit{'s' * (c.digits > 1)} after the {sign}" if c.digits > 0 else "decimals"
        return "whole number" if c.digits == 0 else f"number, {digits}"
    return f"date, {c.form}" if c.kind == "date" else f"category, {len(c.levels)} level{'s' * (len(c.levels) != 1)}"


def kept_text(c: Column) -> str:
    """Return how a column is learned, and what is kept of it, in a few words."""
    if not c.kept:
        return coding_text(c)
    return c.kept if c.coding.width == 0 else f"{c.kept}, {coding_text(c)}"


def coding_text(c: Column) -> str:
    """Return how a column is learned, in a few words."""
    coding, some = c.coding, []
    if not coding.width:
        return "constant in the training part, kept as it is"
    if coding.scored:
        rare = f"{len(coding.values)} rare levels together"
        some.append("quantiles to a normal law" if c.kind != "category" else rare)
    if coding.spikes:
        each = "value" if c.kind != "category" else "level"
        some.append(several(len(coding.spikes), each, coding.scored))
    return " + ".join([*some, *(["missing"] if coding.missing else [])])


def several(count: int, each: str, own: bool) -> str:
    """Return how many values or levels have slots, in a few words; own: beside other values."""
    if count == 1:
        return f"1 {each} of its own" if own else f"one {each}"
    return f"{count} {each}s of their own" if own else f"one of {count} {each}s"


def from_json(values: Mapping[str, Any] | None) -> Table | None:
    """Return the Table that to_json() wrote, or None; WganError for what it cannot have written."""
    damage = "the table of the data, in run.json, is damaged: what it says of the columns makes no sense"
    return restored(values, table_of, is_sound_table, damage)


def table_of(values: Mapping[str, Any]) -> Table:
    """Return the Table of a dictionary from JSON, whose lists are tuples."""
    columns = tuple(map(column_of, values["columns"]))
    rules = tuple(Rule(**v) for v in values.get("rules", ()))
    groups = tuple(Group(**v) for v in values.get("groups", ()))
    return Table(columns, str(values["label"]), int(values["label_at"]), rules, groups)


def is_sound_table(table: Table) -> bool:
    """Return whether the columns can be a table's, and its rules and groups are about these."""
    sound = bool(table.columns) and all(map(is_sound, table.columns))
    return sound and are_sound(table.rules, table.groups, len(table.columns))


def column_of(values: Mapping[str, Any]) -> Column:
    """Return the Column of a dictionary from JSON."""
    coding: dict[str, Any] = {
        k: tuple(map(float, v)) if isinstance(v, list | tuple) else v for k, v in values["coding"].items()
    }
    return Column(**{**values, "coding": Coding(**coding), "levels": tuple(values["levels"])})


def is_sound(c: Column) -> bool:
    """Return whether a column read from a file can be one."""
    numbers = np.array([*c.coding.spikes, *c.coding.values, *c.coding.marks, c.step], np.float64)
    rising: Sequence[tuple[float, ...]] = (c.coding.spikes, c.coding.values, c.coding.marks)
    return (
        isinstance(c.name, str)
        and c.kind in ("number", "category", "date")
        and all(isinstance(text, str) for text in (c.mark, c.form, *c.levels))
        and type(c.digits) is int
        and c.style in ("fixed", "short", "repr")
        and -1 <= c.digits <= 400
        and len(c.coding.values) == len(c.coding.marks)
        and bool(np.isfinite(numbers).all())
        and all(a <= b for row in rising for a, b in itertools.pairwise(row))
        and all(type(flag) is bool for flag in (c.coding.missing, c.coding.lattice))
    )
