"""Numeric tables, CSV and Parquet, as rows of float64 with the names and types of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.own.archives import shown
from wgan.data.own.arrays import Arrays, plain_error
from wgan.data.own.delimited import (
    COMMA,
    UNNAMED,
    WHOLE,
    Delimited,
    is_number,
    numbers_or_names_rows,
    read_delimited,
    require_distinct,
)
from wgan.data.own.missing_marks import MISSING, marks_among
from wgan.errors import WganError, nearest

MOST_EXACT = 2**53  # the largest whole number up to which every one is a float64


class NotNumeric(WganError):
    """A column that holds something else than numbers in every cell: such a table is read by data/tabular."""

    table: Delimited | None = None  # the cells of a file, which need not be read once more


def read_csv(path: Path, label: str, needed: bool = True) -> Arrays:
    """Read a CSV file (, ; or tab) whose columns are numbers, with or without a line of names.

    label: auto, none, or the name of the column that holds the class (of any type); needed: it must be there. A column
    without a name that numbers or names the rows is left out, with a note. Raises WganError naming the first column that
    is not numeric, or the line that has another number of cells. Each cell is read in Python, because a message names its
    line: of millions of rows, Parquet is read much faster.
    """
    cells = read_delimited(path)
    try:
        return numbers_of(cells, path, label, needed)
    except NotNumeric as error:
        error.table = cells
        raise


def numbers_of(found: Delimited, path: Path, label: str, needed: bool) -> Arrays:
    """Return the numbers of a file's cells, see read_csv."""
    names, columns, numbers, notes = [*found.names], [*found.columns], found.lines, [*found.notes]
    for i in reversed(range(len(names))):
        if why := numbers_or_names_rows(names[i], columns[i]):
            notes.append(why)
            del names[i], columns[i]
    require_distinct(names, shown(path))
    at = label_column(names, label if needed or label in names else "none", shown(path))
    labels = None if at < 0 else whole_labels(columns.pop(at), shown(path), numbers)
    kept = [n for i, n in enumerate(names) if i != at]
    called = [kept[i] if kept and kept[i] else f"number {i + 1}" for i in range(len(columns))]
    values = [as_numbers(c, name, path, numbers) for c, name in zip(columns, called, strict=True)]
    arrays = table(values, kept, [decimals_of(c) for c in columns], labels, names[at] if at >= 0 else "", at)
    return replace(arrays, notes=(*notes, *counting_notes(kept, values)))


def counting_notes(names: Sequence[str], columns: Sequence[NDArray[Any]]) -> list[str]:
    """Return a note on each column with a name that is 0, 1, 2, ... or 1, 2, 3, ...: it is learned as others are."""
    return [
        f"column {name}, {c[0]} to {c[-1]}, numbers the rows and is learned: --columns {name}=skip leaves it out"
        for name, c in zip(names, columns, strict=bool(names))
        if len(c) > 1 and c.dtype.kind in "iu" and c[0] in (0, 1) and (np.diff(c) == 1).all()
    ]


def as_numbers(cells: Sequence[str], name: str, path: Path, lines: Sequence[int]) -> NDArray[Any]:
    """Return a column as int64 or float64; WganError naming it when a cell is not a number. lines: where each cell stands."""
    different = set(cells)
    if all(WHOLE.fullmatch(cell.strip()) for cell in different):
        return whole_numbers([cell.strip() for cell in cells], f"column {name} of {shown(path)}")
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
        if np.isnan(values).any() or not all(map(is_number, different)):
            raise ValueError
        return values
    except ValueError:
        line, cell = next(
            (n, c.strip()) for n, c in zip(lines, cells, strict=True) if not is_number(c) or c.strip() in MISSING
        )
        raise NotNumeric(
            f"column {name} of {shown(path)} is not numeric: it holds {what_is(cell)} in line {line}; {way_out(cell)}"
        ) from None


def whole_numbers(cells: Sequence[str], what: str) -> NDArray[np.int64]:
    """Return whole numbers; NotNumeric where they are codes, such as 01234, or so large that float64 does not hold them."""
    if any(map(is_code, cells)):
        raise NotNumeric(f"{what} holds codes with zeros in front")
    values = np.array([int(cell) for cell in cells], dtype=np.int64)
    if len(values) and np.abs(values).max() > MOST_EXACT:
        raise NotNumeric(f"{what} holds whole numbers above 2^53")
    return values


def is_code(cell: str) -> bool:
    """Return whether a whole number has zeros in front, as codes and postal codes have: it is a text."""
    return len(cell) > 1 and cell[0] == "0" and cell.isdecimal()


def what_is(cell: str) -> str:
    """Return what a cell that is not a number holds."""
    if not cell:
        return "nothing"
    return f"'{cell[:40]}', a missing value," if cell in MISSING else f"'{cell[:40]}'"


def way_out(cell: str) -> str:
    """Return what to do about a cell that is not a number."""
    if COMMA.fullmatch(cell):
        return "save the table with decimal points and without thousands separators"
    return "leave it out, fill it, or name it as the class with --labels"


def decimals_of(cells: Sequence[str]) -> int:
    """Return the most digits after the point in a column, -1 where any is in scientific notation."""
    different = set(cells)
    if any("e" in cell.lower() for cell in different):
        return -1
    return max(len(cell.strip().partition(".")[2]) for cell in different)


def whole_labels(
    cells: Sequence[str],
    where: str,
    lines: Sequence[int] | Sequence[str],
    marks: frozenset[str] = frozenset(),
    each: str = "line",
) -> NDArray[Any]:
    """Return labels as int64 where all are whole numbers, else as text; WganError for a missing one, such as NA or ?.

    lines: what each is called, a number or a name; each: what stands before it. marks: what the user calls missing, too.
    """
    marks |= {"", *marks_among(cells)}
    missing = [(line, cell.strip()) for line, cell in zip(lines, cells, strict=True) if cell.strip() in marks]
    if missing:
        line, cell = missing[0]
        what = (
            f"{each} {line}" + (f" ('{cell}')" if cell else "") + (f" and {len(missing) - 1} more" * (len(missing) > 1))
        )
        raise WganError(
            f"{where} has no label in {what}: fill it in, rename a class of that name, or give --labels none"
        )
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


def parquet_table(path: Path) -> Any:
    """Return a Parquet file as a table of pyarrow; WganError when it is damaged, and when pyarrow is missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise WganError(
            f"{shown(path)}: reading Parquet needs pyarrow, install it with pip install 'wgan[parquet]'"
        ) from None
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise WganError(f"{shown(path)} cannot be read as Parquet: {plain_error(error)}") from None


def read_parquet(path: Path, label: str, needed: bool = True) -> Arrays:
    """Read a Parquet file, as read_csv."""
    found = parquet_table(path)
    import pyarrow as pa

    notes = []
    for name in found.column_names:
        if not UNNAMED.fullmatch(name):
            continue
        cells = ["" if v is None else str(v) for v in found.column(name).to_pylist()]
        why = numbers_or_names_rows(name, cells) if cells else ""
        if why:
            notes.append(why)
            found = found.drop_columns([name])
    names = list(found.column_names)
    at = label_column(names, label if needed or label in names else "none", shown(path))
    labels = None
    if at >= 0:
        texts = ["" if v is None else str(v) for v in found.column(at).to_pylist()]
        labels = whole_labels(texts, shown(path), range(1, len(found) + 1))
    columns = []
    for i, name in enumerate(names):
        column = found.column(i)
        if i == at:
            continue
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)) or column.null_count:
            require_no_pictures(column.type, name, path)
            what = f"{column.null_count} empty cells" if column.null_count else str(column.type)
            raise NotNumeric(
                f"column {name} of {shown(path)} is not numeric: it holds {what}; leave it out, fill it, or name "
                "it as the class with --labels"
            )
        columns.append(column.to_numpy())
        if columns[-1].dtype.kind == "f" and np.isnan(columns[-1]).any():
            raise NotNumeric(f"column {name} of {shown(path)} holds NaN: leave it out, or fill it")
    kept = [n for i, n in enumerate(names) if i != at]
    made = table(columns, kept, [-1] * len(columns), labels, names[at] if at >= 0 else "", at)
    return replace(made, notes=(*notes, *counting_notes(kept, columns)))


def require_no_pictures(kind: Any, name: str, path: Path) -> None:
    """Raise WganError where the type of a Parquet column is the one in which the hub keeps picture files."""
    if str(kind).startswith("struct<bytes:") or str(kind) in ("binary", "large_binary"):
        raise WganError(f"column {name} of {shown(path)} holds files, such as pictures: give hf:{shown(path)}")


TABLES = {".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet, ".pq": read_parquet}
