"""metadata.csv beside pictures: a row for each, with its file_name and the columns that --conditions names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from wgan.data.conditions import Raw
from wgan.data.own.archives import METADATA, Members, shown
from wgan.data.own.condition_columns import read_column
from wgan.data.own.delimited import delimiter_of
from wgan.errors import WganError, nearest

FILE = "file_name"  # the column that names the pictures, from the table's folder on: as on the Hugging Face hub


def with_conditions(members: Members, names: Sequence[str], where: str) -> tuple[Members, Raw]:
    """Return the pictures without the tables among what was left over, and the columns `names` of each.

    Raises WganError without a table, for a column that it does not have, and for pictures that have no row.
    """
    tables = {name: read for name, read in members.lists.items() if PurePosixPath(name).name == METADATA}
    if not tables:
        raise WganError(
            f"{where} has no {METADATA}, where the conditions of pictures are read: a column {FILE}, and one of each condition"
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
    cells = [rows[f.name] for f in members.files]
    left = members.left.copy()
    left.subtract({PurePosixPath(METADATA).suffix: len(tables)})
    return replace(members, left=+left), {name: read_column([row[i] for row in cells]) for i, name in enumerate(names)}


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
