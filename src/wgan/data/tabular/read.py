"""A table with other columns than whole ones of numbers, from its cells to codes [N, C] and the Table that explains them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.config.conditions import condition_categories, condition_names
from wgan.data.conditions import Raw
from wgan.data.own.arrays import Arrays
from wgan.data.own.cache import Prepared, Writer
from wgan.data.own.condition_columns import as_categories, read_column, require_sound
from wgan.data.own.convert import numbered
from wgan.data.own.delimited import is_number
from wgan.data.own.missing_marks import MISSING, far_note
from wgan.data.own.tables import MOST_EXACT, label_column, whole_labels
from wgan.data.split import chosen, contents_of, held_out_mask, require_enough
from wgan.data.tabular.cells import Cells
from wgan.data.tabular.coding import Codes, Coding, fit_category, fit_number
from wgan.data.tabular.commas import COMMAS, pointed, require_commas
from wgan.data.tabular.dates import read_dates
from wgan.data.tabular.keep import groups_of, rules_of
from wgan.data.tabular.kinds import Asked, Found, asked_kinds, kind_of
from wgan.data.tabular.parts import parted
from wgan.data.tabular.rules import Group, Rule, combinations, inner_rows, rule_text
from wgan.data.tabular.table import Column, Table
from wgan.data.units import step_of
from wgan.errors import WganError, nearest


def prepare_table(cells: Cells, options: ReadingOptions, folder: Path, where: str) -> Prepared:
    """Prepare a table as codes float64 [N, C]; WganError for anything that cannot be trained on."""
    if options.of_images:
        raise WganError(f"size, crop, channels and depth are for images, and {where} holds a table: leave them out")
    require_enough(len(cells.lines), where)
    asked = asked_kinds(options.columns, cells.names, where)
    cells, given = parted(with_points(cells, asked, where), {options.labels, *asked})
    cells, conditions = divided(cells, options, where)
    at = label_column(cells.names, options.labels, where)
    label = None if at < 0 else whole_labels(cells.columns[at], where, cells.lines, marks_of(options))
    _, names, numbers = numbered(
        Arrays(np.zeros((len(cells.lines), 1)), label, label=cells.names[at] if at >= 0 else ""), options, where
    )
    alone = at >= 0 and numbers is None
    if alone:  # one class only: a column like others
        at = -1
    kinds, notes = kinds_of(cells, options, at, where)
    rows, levels = np.empty((len(cells.lines), len(kinds))), []
    for i, k in enumerate(kinds):  # one column at a time: of millions of rows each takes much memory while it is read
        rows[:, i], texts = codes_of(k, cells.column(k.name), where)
        levels.append(texts)
    held_out = chosen(contents_of(rows), numbers) if given is None else given
    train = ~held_out_mask(len(rows), held_out)
    if alone:
        notes.append(f"the class {options.labels} has one value only: the data are read without classes")
    notes += filter(None, (far_note(k.name, rows[:, i]) for i, k in enumerate(kinds) if k.kind == "number"))
    rules = rules_of(options.keep, kinds, rows, train, cells.lines, where)
    together = groups_of(options.together, [k.name for k in kinds], rules, where)
    groups = [combinations(rows[train], places) for places in together]
    inner = inner_rows(rows[train], rules, groups) if rules or groups else rows
    columns = [fitted(k, levels[i], rows[train, i]) for i, k in enumerate(kinds)]
    columns = with_kept(columns, rules, groups, inner)
    table = Table(tuple(columns), cells.names[at] if at >= 0 else "", at, tuple(rules), tuple(groups))
    if not table.width:
        raise WganError(f"{where} holds nothing to learn: every column is constant")
    writer = Writer(folder, len(rows), (rows.shape[1],), "float64", where, conditions)
    writer.fill_whole(rows)
    about: dict[str, Any] = {
        "kind": "table",
        "class_names": list(names),
        "units": None,
        "table": table.to_json(),
        "notes": [*cells.notes, *notes],
        "bad": [],
        "facts": {"columns": len(columns)},
    }
    return writer.finish(numbers, held_out, about)


def with_points(cells: Cells, asked: Mapping[str, Asked], where: str) -> Cells:
    """Return the cells with decimal points in the columns whose numbers have decimal commas, as the user says."""
    columns = [*cells.columns]
    for i, name in enumerate(cells.names):
        if name in asked and asked[name] == Asked("number", COMMAS):
            require_commas(name, columns[i], cells.lines, where)
            columns[i] = pointed(columns[i])
    return replace(cells, columns=columns)


def divided(cells: Cells, options: ReadingOptions, where: str) -> tuple[Cells, Raw | None]:
    """Return the columns that are samples, and those that `conditions` names; WganError for a name that is not there."""
    names = condition_names(options.conditions)
    if not names:
        return cells, None
    lacking = next((name for name in names if name not in cells.names), "")
    if lacking:
        raise WganError(f"{where} has no column '{lacking}' for a condition: {nearest(lacking, cells.names)}")
    marks = marks_of(options)
    told = {name: read_column(["" if c.strip() in marks else c for c in cells.column(name)]) for name in names}
    rest = [(name, column) for name, column in zip(cells.names, cells.columns, strict=True) if name not in names]
    if not rest:
        raise WganError(f"{where} holds nothing to learn: every column is a condition")
    conditions = as_categories(told, condition_categories(options.conditions))
    require_sound(conditions, len(cells.lines), where)
    return replace(cells, names=[name for name, _ in rest], columns=[column for _, column in rest]), conditions


def kinds_of(cells: Cells, options: ReadingOptions, label_at: int, where: str) -> tuple[list[Found], list[str]]:
    """Return the columns that are learned, and what is to be said of the others."""
    asked = asked_kinds(options.columns, cells.names, where)
    found = [
        kind_of(name, column, asked, marks_of(options), cells.lines, where)
        for i, (name, column) in enumerate(zip(cells.names, cells.columns, strict=True))
        if i != label_at
    ]
    kept = [k for k in found if k.kind != "skip"]
    if not kept:
        raise WganError(f"{where} holds nothing to learn: every column is left out")
    return kept, [k.note for k in found if k.note]


def marks_of(options: ReadingOptions) -> frozenset[str]:
    """Return the cells that the user calls missing, without blanks around them."""
    return frozenset(mark.strip() for mark in options.missing.split(",")) - {""}


def codes_of(found: Found, cells: Sequence[str], where: str) -> tuple[Codes, tuple[str, ...]]:
    """Return the codes [N] of a column's cells, NaN where missing, and the levels of a category."""
    if found.kind == "category":
        levels = sorted(cell for cell in set(cells) if cell.strip() not in found.missing)
        places = {level: i for i, level in enumerate(levels)}
        return np.fromiter(map(places.get, cells, repeat(math.nan)), np.float64, len(cells)), tuple(levels)
    if found.kind == "date":
        seconds = read_dates({bare for cell in set(cells) if (bare := cell.strip()) not in found.missing}, found.form)
        return np.fromiter(map(seconds.get, map(str.strip, cells), repeat(math.nan)), np.float64, len(cells)), ()
    numbers = (math.nan if bare in found.missing else float(bare) for bare in map(str.strip, cells))
    codes = np.fromiter(numbers, np.float64, len(cells)) + 0.0  # -0 is 0
    if found.digits == 0 and (np.abs(codes[~np.isnan(codes)]) > MOST_EXACT).any():
        raise WganError(
            f"column {found.name} of {where} holds whole numbers above 2^53, which is not learned: leave it out "
            f"with --columns {found.name}=skip, or say {found.name}=category"
        )
    return codes, ()


def fitted(found: Found, levels: tuple[str, ...], codes: Codes) -> Column:
    """Return the column with its coding, by the codes of the training rows."""
    coding = fit_category(codes) if found.kind == "category" else fit_number(codes)
    step = 0.0 if found.kind == "category" else step_of(codes[~np.isnan(codes)])
    return Column(found.name, found.kind, coding, found.mark, found.form, found.digits, found.style, levels, step)


def with_kept(
    columns: Sequence[Column], rules: Sequence[Rule], groups: Sequence[Group], inner: NDArray[np.float64]
) -> list[Column]:
    """Return the columns with the coding of what is learned in their place, by inner training rows [N, C]."""
    found = list(columns)
    names = [c.name for c in columns]
    for rule in rules:
        c = found[rule.at]
        coding = fit_number(inner[:, rule.at])
        found[rule.at] = replace(c, coding=coding, least=c.lowest, kept=rule_text(rule, names))
    for group in groups:
        text = f"together with {', '.join(names[i] for i in group.at)}: one of {len(group.rows)} combinations"
        for i in group.at:
            found[i] = replace(found[i], coding=Coding((0.0,)), least=found[i].lowest, kept=text)
        found[group.at[0]] = replace(found[group.at[0]], coding=fit_category(inner[:, group.at[0]]))
    return found


def codes_like(table: Table, columns: dict[str, Sequence[str]], where: str) -> NDArray[np.float64]:
    """Return the rows [N, C] of another file's cells in the codes of a table; a level that it does not know is -1.

    Raises WganError for a column that is missing, and for a cell that is not a number or not a date.
    """
    rows = []
    for c in table.columns:
        if c.name not in columns:
            raise WganError(f"{where} has no column '{c.name}'")
        rows.append(like(c, columns[c.name], where))
    return np.stack(rows, 1)


def like(c: Column, cells: Sequence[str], where: str) -> Codes:
    """Return the codes of cells in those of a column."""
    missing = frozenset(["", c.mark.strip()])
    if c.kind == "category":
        known = {level: float(i) for i, level in enumerate(c.levels)}
        bare = {level.strip(): code for level, code in known.items()}
        return np.array(
            [np.nan if t.strip() in missing else known.get(t, bare.get(t.strip(), -1.0)) for t in cells], np.float64
        )
    if c.kind == "date":
        found = read_dates((t.strip() for t in cells if t.strip() not in missing), c.form)
        bad = next((t for t, at in found.items() if at is None), None)
        if bad is not None:
            raise WganError(
                f"column {c.name} of {where} holds '{bad[:40]}', which is not a date in the format {c.form}"
            )
        return np.array([found.get(t.strip()) for t in cells], np.float64)
    if c.form == COMMAS:  # another program may have written points
        cells = pointed(cells)
    bad = next((t for t in cells if t.strip() not in missing | MISSING and not is_number(t)), None)
    if bad is not None:
        raise WganError(f"column {c.name} of {where} holds '{bad[:40]}', which is not a number")
    return np.array([np.nan if t.strip() in missing | MISSING else float(t) for t in cells])
