"""The cells of a table as text, whatever file or frame holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wgan.data.own.archives import shown
from wgan.data.own.delimited import Delimited, is_number, numbers_or_names_rows, read_delimited, require_distinct
from wgan.data.own.frames import cells_of
from wgan.data.own.tables import parquet_table, require_no_pictures
from wgan.errors import WganError


@dataclass(frozen=True)
class Cells:
    """A table as text: the names of its columns, their cells, and the line of each row in the file."""

    names: list[str]
    columns: list[Sequence[str]]
    lines: Sequence[int]
    notes: list[str]

    def column(self, name: str) -> Sequence[str]:
        """Return the cells of one column."""
        return self.columns[self.names.index(name)]


def read_cells(path: Path, before: Delimited | None = None) -> Cells:
    """Read a CSV or Parquet file, a CSV file from its cells where these were read before; WganError for what is no such table."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return parquet_cells(path)
    names, columns, lines, notes = before or read_delimited(path)
    again = rows_of_names(names, columns)
    if again:
        raise WganError(f"{shown(path)} repeats its names of columns in line {lines[again[0]]}: remove that line")
    if any(map(is_number, names)) and not notes:
        notes = [f"the first line, {', '.join(names[:4])}, is read as the names of the columns"]
    found = named(names, columns, lines, shown(path))
    return Cells(found.names, found.columns, found.lines, [*notes, *found.notes])


def rows_of_names(names: Sequence[str], columns: Sequence[Sequence[str]]) -> list[int]:
    """Return the rows that hold the names of the columns once more."""
    found: list[int] = []
    for i, (name, column) in enumerate(zip(names, columns, strict=bool(names))):
        here = {row for row, cell in enumerate(column) if name in cell and cell.strip() == name}
        found = sorted(here.intersection(found) if i else here)
        if not found:
            break
    return found


def parquet_cells(path: Path) -> Cells:
    """Read a Parquet file, without columns of lists and the like; WganError when it is damaged, or holds pictures."""
    found = parquet_table(path)
    columns, kept, notes = [], [], []
    for name, column in zip(found.column_names, found.columns, strict=True):
        require_no_pictures(column.type, name, path)
        if column.type.num_fields:  # of a list, a struct or a map
            notes.append(f"column {name} holds {column.type}, which is not learned: left out")
            continue
        kept.append(name)
        columns.append(cells_of(in_microseconds(column).to_pylist()))
    cells = named(kept, columns, range(1, len(found) + 1), shown(path))
    return replace(cells, notes=[*notes, *cells.notes])


def in_microseconds(column: Any) -> Any:
    """Return a column of pyarrow with moments, times and spans as Python has them, which knows no nanoseconds."""
    import pyarrow as pa

    kind = str(column.type)
    finest = {"timestamp[ns": pa.timestamp("us", getattr(column.type, "tz", None)), "time64[ns": pa.time64("us")}
    finest["duration[ns"] = pa.duration("us")
    return next((column.cast(t, safe=False) for start, t in finest.items() if kind.startswith(start)), column)


def named(names: Sequence[str], columns: Sequence[Sequence[str]], lines: Sequence[int], where: str) -> Cells:
    """Return the cells without columns that only number or name the rows; WganError for two columns of one name."""
    kept, notes = [], []
    for i, column in enumerate(columns):
        why = numbers_or_names_rows(names[i], column) if names else ""
        if why:
            notes.append(why)
        else:
            kept.append(i)
    called = [names[i] if names else f"x{i}" for i in kept]
    require_distinct(called, where)
    return Cells(called, [columns[i] for i in kept], lines, notes)
