"""The lines of a delimited text file: which delimiter, which line of names, which columns only number or name the rows."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wgan.data.own.archives import shown
from wgan.data.own.arrays import plain_error
from wgan.data.own.memory import require_memory
from wgan.data.own.missing_marks import MISSING
from wgan.data.own.packed import Packed
from wgan.errors import WganError

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
COMMA = re.compile(r"[+-]?[0-9.']*[0-9],[0-9]+")  # a number as half of Europe writes it
DIGIT = re.compile(r"\d")
BLOCK = 250  # lines that are packed together
LOOKED_AT = 50  # cells of a column that say what it holds
UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)*|__index_level_\d+__)?")  # what pandas calls a column without a name


class Line(NamedTuple):
    """The cells of one line and its number in the file, from 1."""

    number: int
    cells: list[str]


class Delimited(NamedTuple):
    """What a file holds: names of columns (none = []), the columns of cells, the line of each row, and how it was read."""

    names: list[str]
    columns: list[Sequence[str]]
    lines: Sequence[int]
    notes: list[str]


def read_delimited(path: Path) -> Delimited:
    """Read a file of cells between , ; | or tab, with or without names; WganError for what is no such table.

    It is read line by line and kept packed, about as large as the file.
    """
    require_memory(path)
    try:
        with open(
            path, encoding=encoding_of(path)
        ) as file:  # its lines end with \n, and with nothing that only looks like it
            return table_of(whole_lines(file, path), path)
    except UnicodeDecodeError:
        raise WganError(f"{shown(path)} is not UTF-8 text: save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise WganError(f"{shown(path)} cannot be read as CSV: {plain_error(error)}") from None


def encoding_of(path: Path) -> str:
    """Return UTF-16 where a file begins as one, as Excel's "Unicode text" does, else UTF-8."""
    with open(path, "rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def whole_lines(file: Iterable[str], path: Path) -> Iterator[str]:
    """Yield the lines of a file, each with its end; WganError for one that is not text."""
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise WganError(
                f"{shown(path)} holds a zero byte in line {number}, which no text has: is it a table, and whole?"
            )
        yield line if line.endswith("\n") else line + "\n"


def table_of(rows: Iterator[str], path: Path) -> Delimited:
    """Return the table that lines of text hold."""
    line, skipped, comment = next(rows, ""), 0, ""
    said = line.strip().strip('"')
    delimiter = said[4:] if re.fullmatch("sep=.", said) else ""  # Excel's first line
    if delimiter:
        line, skipped = next(rows, ""), 1
    while line.startswith("#"):
        comment, line, skipped = line, next(rows, ""), skipped + 1
    delimiter = delimiter or delimiter_of(line)
    lines = cells_of(itertools.chain([line], rows), delimiter, skipped, shown(path))
    head = next(lines, None)
    if head is None:
        raise WganError(f"{shown(path)} is empty")
    if comment:  # numpy.savetxt writes its header as a comment
        names = next(csv.reader([comment.lstrip("# ")], delimiter=delimiter))
        if len(names) == len(head.cells):
            head, lines = Line(skipped, names), itertools.chain([head], lines)
    return with_names(head, packed(lines, len(head.cells)), path)


def delimiter_of(line: str) -> str:
    """Return the delimiter of a line; a comma between semicolons is a decimal one."""
    if ";" in line and all(cell.count(",") <= 1 for cell in line.split(";")):
        return ";"
    return max(",;\t|", key=line.count)


def cells_of(rows: Iterable[str], delimiter: str, skipped: int, where: str) -> Iterator[Line]:
    """Yield the cells of each line that is not blank; WganError for a quote that is never closed.

    A line of blanks alone is a cell where the lines before it have one cell only.
    """
    several = False
    text: list[str] = []  # of the cells that are read next, which a quote spreads over several lines
    reader = csv.reader(noting(rows, text), delimiter=delimiter)
    try:
        for cells in reader:
            if cells and cells[-1].endswith("\n") and "".join(text).count('"') % 2:  # the file ends in a quoted cell
                raise csv.Error
            several = several or len(cells) > 1
            if cells and not (several and len(cells) == 1 and not cells[0].strip()):
                yield Line(reader.line_num + skipped, cells)
            text.clear()
    except csv.Error:
        first = reader.line_num + skipped - len(text) + 1
        if '"' not in "".join(text):
            raise WganError(
                f"{where} has a cell of more than {csv.field_size_limit():,} characters in line {first}: is it a table?"
            ) from None
        raise WganError(
            f"{where} has a cell that begins with a quote in line {first} and does not end: close the quote, or double it "
            "where it is part of the text; or the file is cut short"
        ) from None


def noting(rows: Iterable[str], text: list[str]) -> Iterator[str]:
    """Yield lines, and add each to `text`."""
    for row in rows:
        text.append(row)
        yield row


@dataclass
class Body:
    """The lines below the first: their columns and numbers; the first line of another width, and the last one."""

    columns: list[Packed]
    numbers: array[int]
    other: Line | None = None
    last: Line | None = None


def packed(lines: Iterator[Line], width: int) -> Body:
    """Return lines as columns, `width` where there are none; lines unlike the first are left out, but for what `other` says."""
    first = next(lines, None)
    body = Body([Packed() for _ in range(width if first is None else len(first.cells))], array("q"))
    lines = itertools.chain([] if first is None else [first], lines)
    while block := list(itertools.islice(lines, BLOCK)):  # columns grow by many cells at once, which is faster
        body.last = block[-1]
        alike = [line for line in block if len(line.cells) == len(body.columns)]
        if len(alike) < len(block):
            body.other = body.other or next(line for line in block if len(line.cells) != len(body.columns))
        body.numbers.extend(line.number for line in alike)
        for column, cells in zip(body.columns, zip(*(line.cells for line in alike), strict=True), strict=False):
            column.extend(cells)
    return body


def require_no_blanks(head: Line, body: Body, path: Path) -> None:
    """Raise WganError where columns stand apart by blanks: numbers in the last line, or as many words in each."""
    last = (body.last or head).cells
    words = last[0].split()
    if len(last) > 1 or len(words) < 2 or not any(map(is_number, words)):
        return
    alike = len(words) > 2 and len(head.cells) == len(body.columns) == 1 and body.other is None
    if all(map(is_number, words)) or (
        alike and all(len(cell.split()) == len(words) for cell in itertools.chain(head.cells, body.columns[0]))
    ):
        raise WganError(
            f"{shown(path)} has blanks between its columns: save it with commas, for example numpy.savetxt(..., delimiter=',')"
        )


def with_names(head: Line, body: Body, path: Path) -> Delimited:
    """Return the table below its line of names; WganError where lines have different numbers of cells, or none is left."""
    require_no_blanks(head, body, path)
    names, notes = [], []
    columns: list[Sequence[str]] = [*body.columns]
    numbers: Sequence[int] = body.numbers
    in_words = not all(is_number(cell) or COMMA.fullmatch(cell.strip()) for cell in head.cells)
    if in_words and not is_row(head.cells, columns):
        names = [name.strip() for name in head.cells]
    elif not in_words and are_names(head.cells, columns):
        names = [name.strip() for name in head.cells]
        notes = [
            f"the first line, {', '.join(names[:4])}{' ...' * (len(names) > 4)}, is read as the names of the columns"
        ]
    if names and body.last is None:
        raise WganError(f"{shown(path)} holds column names and no rows")
    if names and len(columns) == len(names) + 1 and body.other is None:
        if not any(
            cell.strip() for cell in columns[-1]
        ):  # each line ends with the delimiter, that of the names does not
            columns.pop()
        else:  # R's write.table: no name for the rows' names
            names = ["", *names]
    require_width(head, body, len(columns), len(names) or len(head.cells), path)
    if names:
        return Delimited(names, columns, numbers, notes)
    for cell, column in zip(head.cells, body.columns, strict=True):
        column.lead(cell)
    return Delimited([], columns, [head.number, *numbers], notes)


def require_width(head: Line, body: Body, width: int, wanted: int, path: Path) -> None:
    """Raise WganError for the first line that has another number of cells than `wanted`; width: of the first of all rows."""
    wrong = body.other
    if body.last is not None and width != wanted:
        wrong = Line(body.numbers[0], [""] * width)
    if wrong is None:
        return
    count = f"{len(wrong.cells)} cell{'s' * (len(wrong.cells) != 1)}"
    cut = "; it is the last line: the file may be cut short" if body.last and wrong.number == body.last.number else ""
    raise WganError(f"{shown(path)} has {count} in line {wrong.number}, and {wanted} elsewhere{cut}")


def is_row(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Return whether a first line with words is a row like those below, as in 5.1,3.5,Iris-setosa: a table without names.

    It holds a number, no word of it stands above a column of numbers, and one stands below again or is written as all below
    it are, as dates are. So `country,1990,2000` is a line of names, and so is any line of words alone.
    """
    if len(cells) != len(columns) or not any(map(is_number, cells)):
        return False
    known = False
    for cell, column in zip(cells, columns, strict=True):
        if is_number(cell):
            continue
        some = [c for c in itertools.islice(column, LOOKED_AT) if c.strip() not in MISSING]
        if some and all(map(is_number, some)):
            return False
        known = known or any(c.strip() == cell.strip() for c in column) or alike(cell, some)
    return known


def alike(cell: str, others: Sequence[str]) -> bool:
    """Return whether a text with digits is written as all others are: 2024-01-31 as 2024-02-01 is."""
    form = DIGIT.sub("0", cell.strip())
    return "0" in form and bool(others) and all(DIGIT.sub("0", other.strip()) == form for other in others)


def are_names(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Return whether a first line of numbers holds names, as pandas numbers columns: 0, 1, 2, 3 or 1990, 2000, 2010.

    They are whole, rise by equal steps, and are unlike what stands below: more than four of them, three with fractions
    below, or all outside their column. Two alone may well be a first sample, such as 0, 1, unless every number below is
    written with a point, as programs write fractions; a 0 above one such column is its name, too.
    """
    if not columns[0] or not all(WHOLE.fullmatch(cell.strip()) for cell in cells):
        return False
    if all("." in cell and is_number(cell) for column in columns for cell in column):
        return cells == ["0"] or (len(cells) > 1 and evenly(cells))
    if len(cells) < 2 or len(columns) != len(cells):
        return False
    first, second = (evenly(line) for line in (cells, [column[0] for column in columns]))
    if not first or second:
        return False
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


def counts_rows(cells: Sequence[str]) -> bool:
    """Return whether cells are 0, 1, 2, ... or 1, 2, 3, ..."""
    if len(cells) < 2 or cells[0].strip() not in ("0", "1"):
        return False
    first = int(cells[0])
    return all(cell.strip() == str(first + i) for i, cell in enumerate(cells))


def require_distinct(names: Sequence[str], where: str) -> None:
    """Raise WganError for two columns of one name."""
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        if not double:
            raise WganError(f"{where} has {names.count('')} columns without a name: name them")
        raise WganError(f"{where} has two columns called '{double}': rename one")


def is_number(cell: str) -> bool:
    """Return whether a cell is a number as Python reads it, but for 1_000 and for figures of other scripts."""
    if "_" in cell or not cell.isascii():
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True
