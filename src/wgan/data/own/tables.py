"""Numeric tables, CSV and Parquet, as rows of float64 with the names and types of their columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.own.archives import shown
from wgan.data.own.arrays import Arrays, plain
from wgan.errors import WganError, nearest

WHOLE = re.compile(r"[+-]?\d{1,18}")


def read_csv(path: Path, label: str, needed: bool = True) -> Arrays:
    """Read a CSV file (, ; or tab) whose columns are numbers, with or without a line of names.

    label: auto, none, or the name of the column that holds the class (of any type); needed: it must be there. Raises
    WganError naming the first column that is not numeric, or the line that has another number of cells.
    """
    lines = read_lines(path)
    names = [] if all(is_number(cell) for cell in lines[0]) else [name.strip() for name in lines.pop(0)]
    if len(set(names)) < len(names):
        double = next(n for n in names if names.count(n) > 1)
        raise WganError(f"{shown(path)} has two columns called '{double}': rename one")
    if not lines:
        raise WganError(f"{shown(path)} holds column names and no rows")
    width = len(lines[0])
    for number, line in enumerate(lines, 2 if names else 1):
        if len(line) != (len(names) or width):
            raise WganError(f"{shown(path)} has {len(line)} cells in row {number}, and {len(names) or width} elsewhere")
    at = label_column(names, label if needed or label in names else "none", shown(path))
    columns = [[line[i] for line in lines] for i in range(width)]
    labels = None if at < 0 else whole_labels(columns.pop(at), shown(path))
    kept = [n for i, n in enumerate(names) if i != at]
    return table([as_numbers(c, kept[i] if kept else f"number {i + 1}", path) for i, c in enumerate(columns)],
                 kept, [decimals_of(c) for c in columns], labels, names[at] if at >= 0 else "", at)  # fmt: skip


def read_lines(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file, line by line; WganError for one that is empty or no text."""
    try:
        text = path.read_text("utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        lines = [line for line in csv.reader(text.splitlines(), delimiter=delimiter) if line]
    except UnicodeDecodeError:
        raise WganError(f"{shown(path)} is not UTF-8 text: save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise WganError(f"{shown(path)} cannot be read as CSV: {plain(error)}") from None
    if not lines:
        raise WganError(f"{shown(path)} is empty")
    return lines


def is_number(cell: str) -> bool:
    """Return whether a cell is a number as Python reads it."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def as_numbers(cells: Sequence[str], name: str, path: Path) -> NDArray[Any]:
    """Return a column as int64 or float64; WganError naming it when a cell is no number."""
    try:
        if all(WHOLE.fullmatch(cell.strip()) for cell in cells):
            return np.array([int(cell) for cell in cells], dtype=np.int64)
        return np.array([float(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        row, cell = next((i, c) for i, c in enumerate(cells, 1) if not is_number(c))
        what = f"'{cell[:40]}'" if cell.strip() else "nothing"
        raise WganError(
            f"column {name} of {shown(path)} is not numeric: it holds {what} in row {row}; leave it out, fill it, or name "
            "it as the class with --labels"
        ) from None


def decimals_of(cells: Sequence[str]) -> int:
    """Return the most digits after the point in a column, -1 where any is in scientific notation."""
    if any("e" in cell.lower() for cell in cells):
        return -1
    return max(len(cell.strip().partition(".")[2]) for cell in cells)


def whole_labels(cells: Sequence[str], where: str) -> NDArray[Any]:
    """Return labels as int64 where all are whole numbers, else as text; WganError for an empty one."""
    empty = next((i for i, cell in enumerate(cells, 1) if not cell.strip()), None)
    if empty is not None:
        raise WganError(f"{where} has no label in row {empty}: fill it in, or give --labels none")
    if all(WHOLE.fullmatch(cell.strip()) for cell in cells):
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    return np.array([cell.strip() for cell in cells])


def label_column(names: Sequence[str], label: str, where: str) -> int:
    """Return the place of the column that holds the class, -1 for none; WganError for a name that is not there.

    Nothing is guessed: a column is a class only when the user says so.
    """
    if label in ("auto", "none"):
        return -1
    if label not in names:
        raise WganError(f"{where} has no column '{label}': {nearest(label, names) if names else 'it has no names'}")
    return list(names).index(label)


def table(
    columns: Sequence[NDArray[Any]],
    names: Sequence[str],
    decimals: Sequence[int],
    labels: NDArray[Any] | None,
    label: str,
    at: int,
) -> Arrays:
    """Put columns together as float64 [N, C]."""
    kinds = tuple(str(c.dtype) for c in columns)
    rounding = tuple(d if c.dtype.kind == "f" else 0 for c, d in zip(columns, decimals, strict=True))
    values = np.stack([c.astype(np.float64) for c in columns], 1) if columns else np.zeros((len(labels or []), 0))
    return Arrays(values, labels, None, tuple(names), kinds, rounding, label, at)


def read_parquet(path: Path, label: str, needed: bool = True) -> Arrays:
    """Read a Parquet file with pyarrow, as read_csv; WganError also when that is missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise WganError(
            f"{shown(path)}: reading Parquet needs pyarrow, install it with pip install 'wgan[parquet]'"
        ) from None
    try:
        found = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise WganError(f"{shown(path)} cannot be read as Parquet: {plain(error)}") from None
    names = list(found.column_names)
    at = label_column(names, label if needed or label in names else "none", shown(path))
    labels = (
        None
        if at < 0
        else whole_labels(["" if v is None else str(v) for v in found.column(at).to_pylist()], shown(path))
    )
    columns = []
    for i, name in enumerate(names):
        column = found.column(i)
        if i == at:
            continue
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)) or column.null_count:
            what = f"{column.null_count} empty cells" if column.null_count else str(column.type)
            raise WganError(f"column {name} of {shown(path)} is not numeric: it holds {what}; leave it out, fill it, or name "
                            "it as the class with --labels")  # fmt: skip
        columns.append(column.to_numpy())
    kept = [n for i, n in enumerate(names) if i != at]
    return table(columns, kept, [-1] * len(columns), labels, names[at] if at >= 0 else "", at)


TABLES = {".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet, ".pq": read_parquet}
