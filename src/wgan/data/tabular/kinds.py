"""What each column of a table is, by its cells or by what the user says: KINDS."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wgan.data.own.delimited import COMMA, WHOLE, counts_rows, is_number
from wgan.data.own.missing_marks import MISSING, mark_note, marks_among
from wgan.data.own.tables import is_code
from wgan.data.tabular.dates import formats_of, mostly_dates, read_dates, text_of
from wgan.errors import WganError, nearest

DRESSED = re.compile(  # a number with a sign beside it, or in brackets, as accountants write one below zero
    rf"[$€£¥]? ?[+-]?\d[\d, ']*(\.\d+)? ?[%$€£¥]?|[$€£¥]?\([$€£¥]?\d[\d, ']*(\.\d+)?\)|{COMMA.pattern}"
)
FORMULA = re.compile(r"[=+@-].*\D.*")  # a cell that a spreadsheet would compute
KINDS = ("number", "category", "date", "identifier", "skip")
MOSTLY = 0.9  # of the cells: a column of numbers with a word in it, or of names for the rows
LONG = 50  # characters of a cell on average: free text
ALLOWED = f"{', '.join(KINDS)}, or date:FORMAT such as date:%d.%m.%Y"


@dataclass(frozen=True)
class Asked:
    """What the user says of one column."""

    kind: str
    form: str = ""  # of dates


@dataclass(frozen=True)
class Found:
    """One column: its kind, how its values are written, and which cells are missing."""

    name: str
    kind: str  # number, category, date; skip = left out
    missing: frozenset[str] = frozenset([""])  # cells, without blanks around them
    mark: str = ""  # how a missing cell is written, as it stands in the file
    form: str = ""  # of dates
    digits: int = 0  # after the point, at most; 0 = whole numbers, -1 = as many as the number has
    style: str = "fixed"  # always as many digits; short = as few as say it; repr = as few, but at least one
    note: str = ""  # why it is left out, or how it may be misread


def asked_kinds(text: str, names: Sequence[str], where: str) -> dict[str, Asked]:
    """Return what `--columns name=kind,...` says by column; WganError for a column or a kind that is not known, or told twice."""
    found: dict[str, Asked] = {}
    for part in kind_parts(text):
        name, equals, kind = (piece.strip() for piece in part.rpartition("="))
        kind, _, form = kind.partition(":")
        if not equals or kind not in KINDS or (form and kind != "date"):
            raise WganError(f"columns '{part}': write NAME=KIND, where KIND is {ALLOWED}")
        if name not in names:
            raise WganError(f"{where} has no column '{name}': {nearest(name, names) if names else 'it has no names'}")
        if name in found:
            raise WganError(f"columns names {name} twice: give it one kind")
        found[name] = Asked(kind, form)
    return found


def kind_parts(text: str) -> list[str]:
    """Return each NAME=KIND of a text; names and formats of dates may hold commas."""
    parts: list[str] = []
    open_name = False
    for piece in text.split(","):
        in_format = "=" not in piece and bool(parts) and "=date:" in parts[-1]
        if open_name or in_format:
            parts[-1] += f",{piece}"
        elif piece:
            parts.append(piece)
        open_name = bool(parts) and "=" not in parts[-1]
    return parts


def kind_of(
    name: str, cells: Sequence[str], asked: Mapping[str, Asked], marks: frozenset[str], lines: Sequence[int], where: str
) -> Found:
    """Return the kind of one column; cells as they stand in the file, marks: what the user calls missing.

    Raises WganError naming the column, and the line where one cell does not fit, for free text and for mixtures.
    """
    wish = asked.get(name, Asked(""))
    if wish.kind in ("skip", "identifier"):
        return Found(name, "skip", note=f"column {name} is left out, as requested")
    bare = [cell.strip() for cell in cells]
    plain = frozenset(["", *marks])
    present = [cell for cell in bare if cell not in plain]
    if not present:
        return Found(name, "skip", note=f"column {name} is empty: left out")
    if not wish.kind and MISSING.issuperset(present):
        return Found(name, "skip", note=f"column {name} holds nothing but '{present[0]}': left out")
    if wish.kind == "category":
        return written(Found(name, "category", plain), cells, bare)
    if wish.kind == "date" or (not wish.kind and not is_number(present[0])):
        dates = date_of(name, bare, wish, plain | MISSING, lines, where)
        if dates is not None:
            return written(dates, cells, bare)
    if not wish.kind and counts_rows(present):
        return Found(name, "skip", note=f"column {name}, {present[0]} to {present[-1]}, numbers the rows: left out")
    numbers = [cell for cell in present if cell not in MISSING and (is_number(cell) or DRESSED.fullmatch(cell))]
    if wish.kind == "number" or are_numbers(numbers, [cell for cell in present if cell not in MISSING]):
        require_numbers(name, bare, plain | MISSING, lines, where)
        return written(digits_of(Found(name, "number", plain | MISSING), numbers), cells, bare)
    return written(text_of_kind(name, cells, present, plain, where), cells, bare)


def are_numbers(numbers: Sequence[str], cells: Sequence[str]) -> bool:
    """Return whether a column is meant to hold numbers: most cells are some, or many are and one or two words stand between."""
    if not numbers or any(map(is_code, numbers)):
        return False
    few_words = len(set(cells) - set(numbers)) <= 2 and len(set(numbers)) > 20
    return len(numbers) >= MOSTLY * len(cells) or few_words


def date_of(
    name: str, bare: Sequence[str], wish: Asked, missing: frozenset[str], lines: Sequence[int], where: str
) -> Found | None:
    """Return a column of dates, None where it holds none; WganError for a cell that is none among dates, with its line."""
    present = [cell for cell in bare if cell not in missing]
    formats = [wish.form] if wish.form else formats_of(present)
    if not formats and (form := mostly_dates(present, MOSTLY)):
        formats = [form]  # of a cell that is not so written the sentence below tells
    if not formats and wish.kind == "date":
        raise WganError(f"column {name} of {where} is not written in one format of dates: name it, {name}=date:FORMAT")
    if not formats or not present:
        return None
    known = read_dates(present, formats[0])
    bad = next((i for i, cell in enumerate(bare) if cell not in missing and known[cell] is None), None)
    if bad is not None:
        raise WganError(
            f"column {name} of {where} holds '{bare[bad][:40]}' in line {lines[bad]}, which is not a date in the format "
            f"{formats[0]}: fix it, {as_missing(bare[bad])}or say --columns {name}=category"
        )
    note = ""
    if any(text_of(seconds or 0.0, formats[0]) != cell for cell, seconds in known.items()):
        note = f"column {name}: not every date is written as {formats[0]}, and all come back so"
    elif len(formats) > 1:
        note = f"column {name}: dates are read as {formats[0]}, and may be {formats[1]}; {name}=date:FORMAT says it"
    return Found(name, "date", missing, form=formats[0], note=note)


def require_numbers(name: str, bare: Sequence[str], missing: frozenset[str], lines: Sequence[int], where: str) -> None:
    """Raise WganError for a cell that is not a finite number, with its line and the way out."""
    for cell, line in zip(bare, lines, strict=True):
        if cell in missing:
            continue
        if not is_number(cell):
            way = f"fix it, {as_missing(cell)}or say --columns {name}=category"
            if COMMA.fullmatch(cell):
                way = f"save the table with decimal points and without thousands separators, or say --columns {name}=category"
            elif DRESSED.fullmatch(cell):
                way = f"save the table with plain numbers, or say --columns {name}=category"
            raise WganError(f"column {name} of {where} is not numeric: it holds '{cell[:40]}' in line {line}; {way}")
        if not math.isfinite(float(cell)):
            raise WganError(
                f"column {name} of {where} holds {cell}, which is infinite, in line {line}: fix or empty it"
            )


def as_missing(cell: str) -> str:
    """Return how to name a cell as missing; nothing for one with a comma, which would name two."""
    return "" if "," in cell else f"name it as missing with --missing '{cell[:40]}', "


def digits_of(found: Found, numbers: Sequence[str]) -> Found:
    """Return the column with its digits after the point, and whether all of its numbers have as many."""
    if all(WHOLE.fullmatch(cell) for cell in numbers):
        return found
    tails = {-1 if "e" in cell.lower() else len(cell.partition(".")[2]) for cell in numbers}
    if -1 in tails:
        return replace(found, digits=-1, style="repr")
    as_python = all(repr(float(cell)) == cell for cell in set(numbers))
    style = "repr" if as_python else "short"
    if len(tails) == 1:
        style = "fixed"
    return replace(found, digits=max(tails), style=style)


def text_of_kind(name: str, cells: Sequence[str], present: Sequence[str], missing: frozenset[str], where: str) -> Found:
    """Return a column of text: a category, or left out where it names the rows; WganError for free text."""
    different = len(set(present))
    if len(present) < 20 or different < MOSTLY * len(present):
        marks = marks_among(present)
        return Found(name, "category", missing, note=mark_note(name, cells, marks[0]) if marks else "")
    if sum(map(len, present)) > LONG * len(present):
        raise WganError(
            f"column {name} of {where} holds free text ('{present[0][:30]}...'), which is not learned: leave it "
            f"out with --columns {name}=skip"
        )
    return Found(
        name,
        "skip",
        note=f"column {name} names the rows ({different} different texts in {len(present)} cells): "
        f"left out; --columns {name}=category learns it",
    )


def written(found: Found, cells: Sequence[str], bare: Sequence[str]) -> Found:
    """Return the column with the mark that its missing cells most often are, as it stands in the file."""
    if found.kind == "skip":
        return found
    formula = next((cell for cell in bare if FORMULA.fullmatch(cell) and not is_number(cell)), "")
    if formula and found.kind == "category":
        note = f"column {found.name} holds '{formula[:30]}', which a spreadsheet computes: it comes back as it is"
        found = replace(found, note=note)
    marks = Counter(cell for cell, b in zip(cells, bare, strict=True) if b in found.missing)
    mark = marks.most_common(1)[0][0] if marks else ""
    return replace(found, mark=mark)
