"""metadata.csv beside pictures: a row for each, with its file_name and columns that --conditions or --labels names."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from wgan.data.conditions import Raw
from wgan.data.own.archives import METADATA, Members, shown
from wgan.data.own.condition_columns import read_column
from wgan.data.own.delimited import delimiter_of
from wgan.errors import WganError, nearest

FILE = "file_name"  # the column that names the pictures, from the table's folder on: as on the Hugging Face hub
LABEL = "label"  # the column that holds the class there


def with_conditions(members: Members, names: Sequence[str], where: str) -> tuple[Members, Raw]:
    """Return the pictures without the tables among what was left over, and the columns `names` of each.

    Raises WganError without a table, for a column that it does not have, and for pictures that have no row.
    """
    cells = cells_of(members, names, where)
    return without_tables(members), {name: read_column([row[i] for row in cells]) for i, name in enumerate(names)}


def column_of(members: Members, name: str, where: str) -> list[str]:
    """Return the cell of one column of each picture; WganError as of with_conditions."""
    return [row[0] for row in cells_of(members, [name], where)]


def names_labels(members: Members) -> bool:
    """Return whether a table beside the pictures has the column `label`, where data sets of the hub keep the class."""
    return any(LABEL in head_of(read()) for read in tables_of(members).values())


def head_of(data: bytes) -> list[str]:
    """Return the names of the columns of a table; none where it is empty."""
    line = data.removeprefix(codecs.BOM_UTF8).partition(b"\n")[0].decode("utf-8", "replace").strip()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter_of(line)), [])] if line else []


def tables_of(members: Members) -> dict[str, Callable[[], bytes]]:
    """Return what reads each of the tables beside the pictures, by its name."""
    return {name: read for name, read in members.lists.items() if PurePosixPath(name).name == METADATA}


def without_tables(members: Members) -> Members:
    """Return the pictures without the tables among what was left over."""
    left = members.left.copy()
    left.subtract({PurePosixPath(METADATA).suffix: len(tables_of(members))})
    return replace(members, left=+left)


def cells_of(members: Members, names: Sequence[str], where: str) -> list[list[str]]:
    """Return the cells of the columns `names` of each picture; WganError without a table, a column of it, or a row."""
    tables = tables_of(members)
    if not tables:
        raise WganError(
            f"{where} has no {METADATA}, where what is known of pictures is read: a column {FILE}, and {', '.join(names)}"
        )
    rows: dict[str, list[str]] = {}
    for name, read in tables.items():
        rows |= rows_of(read(), name, names, where)
    lacking = [f.name for f in members.files if f.name not in rows]
    if lacking:
        raise WganError(
            f"{METADATA} of {where} has no row for {len(lacking)} of {len(members.files)} images, the first is "
            f"{shown(lacking[0])}: complete it, or leave these out"
        )
    return [rows[f.name] for f in members.files]


def rows_of(data: bytes, table: str, names: Sequence[str], where: str) -> dict[str, list[str]]:
    """Return the cells of the columns `names` by the whole name of each picture; WganError for what is no such table."""
    called = f"{shown(table)} of {where}"
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise WganError(f"{called} is not UTF-8: save it as such") from None
    found = [row for row in csv.reader(lines, delimiter=delimiter_of(lines[0]) if lines else ",") if any(row)]
    head = [cell.strip() for cell in found[0]] if found else []
    for name in (FILE, *names):
        if head.count(name) != 1:
            known = [cell for cell in head if cell != FILE]
            why = nearest(name, known) if name != FILE else "it names the picture of each row"
            raise WganError(f"{called} has {head.count(name) or 'no'} column {name}: {why}")
    short = next((i for i, row in enumerate(found[1:], 2) if len(row) != len(head)), 0)
    if short:
        raise WganError(f"{called}: row {short} has {len(found[short - 1])} cells, and the first has {len(head)}")
    at = [head.index(name) for name in names]
    file = head.index(FILE)
    folder = PurePosixPath(table).parent
    return {str(folder / row[file].strip()): [row[i].strip() for i in at] for row in found[1:]}
