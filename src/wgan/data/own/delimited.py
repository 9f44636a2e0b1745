"""The lines of a delimited text file: which delimiter, which line of names, which columns only number or name the rows."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wgan.data.own.archives import shown
from wgan.data.own.arrays import plain
from wgan.data.own.missing_marks import MISSING
from wgan.errors import WganError

WHOLE = re.compile(r"[+-]?\d{1,18}")
COMMA = re.compile(r"[+-]?[\d.']*\d,\d+")  # a number as half of Europe writes it
UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)*|__index_level_\d+__)?")  # what pandas calls a column without a name


class Line(NamedTuple):
    """The cells of one line and its number in the file, from 1."""

    number: int
    cells: list[str]


class Delimited(NamedTuple):
    """What a file holds: names of columns (none = []), lines of cells, and what the user should know of how it was read."""

    names: list[str]
    lines: list[Line]
    notes: list[str]


def read_delimited(path: Path) -> Delimited:
    """Read a file of cells between , ; or tab, with or without names; WganError for what is no such table."""
    text = read_text(path)
    first = text.partition("\n")[0].strip().strip('"')
    delimiter = first[4:] if re.fullmatch("sep=.", first) else ""  # Excel's first line
    rows = [f"{line}\n" for line in re.split("\r\n|\r|\n", text)]  # not splitlines: a cell may hold what that splits at
    skipped = 1 if delimiter else 0
    while skipped < len(rows) and rows[skipped].startswith("#"):
        skipped += 1
    body = rows[skipped:]
    delimiter = delimiter or delimiter_of(body[0] if body else "")
    lines = cells_of(body, delimiter, skipped, path)
    if skipped and rows[skipped - 1].startswith("#"):  # numpy.savetxt writes its header as a comment
        header = next(csv.reader([rows[skipped - 1].lstrip("# ")], delimiter=delimiter))
        lines = [Line(skipped, header), *lines] if len(header) == len(lines[0].cells) else lines
    return with_names(lines, path)


def read_text(path: Path) -> str:
    """Return the text of a file; WganError for one that is empty or no text."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise WganError(f"{shown(path)} is not UTF-8 text: save it as CSV in UTF-8") from None
    except OSError as error:
        raise WganError(f"{shown(path)} cannot be read as CSV: {plain(error)}") from None
    if not text.strip():
        raise WganError(f"{shown(path)} is empty")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise WganError(f"{shown(path)} holds a zero byte in line {line}, which no text has: is it a table, and whole?")
    return text


def delimiter_of(line: str) -> str:
    """Return the delimiter of a line; a comma between semicolons is a decimal one."""
    if ";" in line and all(cell.count(",") <= 1 for cell in line.split(";")):
        return ";"
    return max(",;\t|", key=line.count)


def cells_of(rows: Sequence[str], delimiter: str, skipped: int, path: Path) -> list[Line]:
    """Return the cells of each line that is not blank; WganError for blanks between columns."""
    reader = csv.reader(rows, delimiter=delimiter)
    try:
        lines = [Line(reader.line_num + skipped, cells) for cells in reader if cells]
    except csv.Error as error:
        raise WganError(f"{shown(path)} cannot be read as CSV: {plain(error)}") from None
    if not lines:
        raise WganError(f"{shown(path)} is empty")
    if has_blanks_between(lines):
        raise WganError(
            f"{shown(path)} has blanks between its columns: save it with commas, for example numpy.savetxt(..., delimiter=',')"
        )
    return lines


def has_blanks_between(lines: Sequence[Line]) -> bool:
    """Return whether columns stand apart by blanks: numbers in the last line, or as many words in each as there are names."""
    if len(lines[-1].cells) > 1:
        return False
    words = lines[-1].cells[0].split()
    counts = {len(line.cells[0].split()) if len(line.cells) == 1 else 0 for line in lines}
    if len(words) > 1 and all(map(is_number, words)):
        return True
    return len(words) > 2 and len(counts) == 1 and any(map(is_number, words))


def with_names(lines: list[Line], path: Path) -> Delimited:
    """Return the table below its line of names; WganError where lines have different numbers of cells, or none is left."""
    names, notes = [], []
    if not all(is_number(cell) or COMMA.fullmatch(cell.strip()) for cell in lines[0].cells):
        names = [name.strip() for name in lines.pop(0).cells]
    elif are_names(lines[0].cells, [line.cells for line in lines[1:]]):
        names = [name.strip() for name in lines.pop(0).cells]
        notes = [
            f"the first line, {', '.join(names[:4])}{' ...' * (len(names) > 4)}, is read as the names of the columns"
        ]
    if not lines:
        raise WganError(f"{shown(path)} holds column names and no rows")
    if names and all(len(line.cells) == len(names) + 1 for line in lines):
        if all(
            not line.cells[-1].strip() for line in lines
        ):  # each line ends with the delimiter, that of the names does not
            lines = [Line(line.number, line.cells[:-1]) for line in lines]
        else:  # R's write.table: no name for the rows' names
            names = ["", *names]
    width = len(names) or len(lines[0].cells)
    for number, cells in lines:
        if len(cells) != width:
            count = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
            cut = "; it is the last line: the file may be cut short" if number == lines[-1].number else ""
            raise WganError(f"{shown(path)} has {count} in line {number}, and {width} elsewhere{cut}")
    return Delimited(names, lines, notes)


def are_names(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether a first line of numbers holds names, as pandas numbers columns: 0, 1, 2, 3 or 1990, 2000, 2010.

    They are whole, rise by equal steps, and are unlike what stands below: more than four of them, three with fractions
    below, or all outside their column. Two alone may well be a first sample, such as 0, 1, unless every number below is
    written with a point, as programs write fractions; a 0 above one such column is its name, too.
    """
    if not below or not all(WHOLE.fullmatch(cell.strip()) for cell in cells):
        return False
    if all("." in cell and is_number(cell) for line in below for cell in line):
        return cells == ["0"] or (len(cells) > 1 and evenly(cells))
    if len(cells) < 2:
        return False
    first, second = (evenly(line) for line in (cells, below[0]))
    if not first or second or any(len(line) != len(cells) for line in below):
        return False
    columns = list(zip(*below, strict=True))
    if not all(is_number(cell) or cell.strip() in MISSING for column in columns for cell in column[:50]):
        return True  # words below numbers
    fractions = any(not WHOLE.fullmatch(cell.strip()) for column in columns for cell in column[:50])
    return (
        len(cells) > 4
        or (len(cells) > 2 and fractions)
        or all(is_outside(c, column) for c, column in zip(cells, columns, strict=True))
    )


def evenly(cells: Sequence[str]) -> bool:
    """Return whether cells are numbers that rise by equal steps."""
    if not all(map(is_number, cells)):
        return False
    values = [float(cell) for cell in cells]
    return values[1] > values[0] and all(b - a == values[1] - values[0] for a, b in itertools.pairwise(values))


def is_outside(cell: str, column: Sequence[str]) -> bool:
    """Return whether a number lies outside the range of a column of numbers."""
    values = [float(c) for c in column if is_number(c)]
    return not min(values) <= float(cell) <= max(values)


def numbers_or_names_rows(name: str, cells: Sequence[str]) -> str:
    """Return what a column without a name is where it only numbers or names the rows, or holds nothing; else nothing."""
    if not UNNAMED.fullmatch(name):
        return ""
    what = f"the column called {name}" if name else "the column without a name"
    if not any(cell.strip() for cell in cells):
        return f"{what} is empty: left out"
    if len(set(cells)) < len(cells):
        return ""
    if all(is_number(cell) and float(cell).is_integer() for cell in cells):
        return f"{what}, {cells[0].strip()} to {cells[-1].strip()}, numbers the rows: left out"
    return "" if all(map(is_number, cells)) else f"{what}, {cells[0].strip()[:20]} and so on, names the rows: left out"


def require_distinct(names: Sequence[str], where: str) -> None:
    """Raise WganError for two columns of one name."""
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise WganError(f"{where} has two columns called '{double}': rename one")


def is_number(cell: str) -> bool:
    """Return whether a cell is a number as Python reads it."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
