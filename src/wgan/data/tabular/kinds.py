"""What each column of a table is, by its cells or by what the user says: KINDS."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from wgan.data.own.delimited import COMMA, WHOLE, counts_rows, is_number
from wgan.data.own.missing_marks import MISSING, mark_note, marks_in
from wgan.data.own.tables import is_code
from wgan.data.tabular.commas import COMMAS
from wgan.data.tabular.dates import LOOKED_AT, formats_of, mostly_dates, read_dates, text_of
from wgan.errors import WganError, nearest

DRESSED = re.compile(  # a number with a sign beside it, or in brackets, as accountants write one below zero
    rf"[$€£¥]? ?[+-]?\d[\d, ']*(\.\d+)? ?[%$€£¥]?|[$€£¥]?\([$€£¥]?\d[\d, ']*(\.\d+)?\)|{COMMA.pattern}"
)
FORMULA = re.compile(r"[=+@-].*\D.*")  # a cell that a spreadsheet would compute
KINDS = ("number", "category", "date", "identifier", "skip")
MOSTLY = 0.9  # of the cells: a column of numbers with a word in it, or of names for the rows
LONG = 50  # characters of a cell on average: free text
ALLOWED = f"{', '.join(KINDS)}, number:comma for decimal commas, or date:FORMAT such as date:%d.%m.%Y"


@dataclass(frozen=True)
class Asked:
    """What the user says of one column."""

    kind: str
    form: str = ""  # of dates; comma: numbers have decimal commas


@dataclass(frozen=True)
class Found:
    """One column: its kind, how its values are written, and which cells are missing."""

    name: str
    kind: str  # number, category, date; skip = left out
    missing: frozenset[str] = frozenset([""])  # cells, without blanks around them
    mark: str = ""  # how a missing cell is written, as it stands in the file
    form: str = ""  # of dates; comma: numbers have decimal commas
    digits: int = 0  # after the point, at most; 0 = whole numbers, -1 = as many as the number has
    style: str = "fixed"  # always as many digits; short = as few as say it; repr = as few, but at least one
    note: str = ""  # why it is left out, or how it may be misread


class Tally:
    """The different cells of a column, in the order in which they first stand there, and how often each does.

    What a column holds is read from them: a column of a million cells often has few different ones.
    """

    def __init__(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        self.cells, self.lines = cells, lines
        self.written = Counter(cells)  # as they stand in the file
        bare = [cell.strip() for cell in self.written]
        self.bare = self.written  # without blanks around them
        if bare != [*self.written]:
            self.bare = Counter()
            for cell, count in zip(bare, self.written.values(), strict=True):
                self.bare[cell] += count

    def without(self, marks: frozenset[str]) -> Counter[str]:
        """Return the bare cells that are none of these."""
        if marks.isdisjoint(self.bare):
            return self.bare
        return Counter({cell: count for cell, count in self.bare.items() if cell not in marks})

    def first(self, count: int, marks: frozenset[str]) -> list[str]:
        """Return the first bare cells that are none of these, equal ones as often as they stand there."""
        return list(islice((bare for cell in self.cells if (bare := cell.strip()) not in marks), count))

    def line(self, bare: str) -> int:
        """Return the first line in which a cell stands."""
        return next(line for line, cell in zip(self.lines, self.cells, strict=True) if cell.strip() == bare)


def asked_kinds(text: str, names: Sequence[str], where: str) -> dict[str, Asked]:
    """Return what `--columns name=kind,...` says by column; WganError for a column or a kind that is not known, or told twice."""
    found: dict[str, Asked] = {}
    for part in kind_parts(text):
        name, equals, kind = (piece.strip() for piece in part.rpartition("="))
        kind, _, form = kind.partition(":")
        if not equals or kind not in KINDS or (form and kind != "date" and (kind, form) != ("number", COMMAS)):
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
    tally = Tally(cells, lines)
    plain = frozenset(["", *marks])
    present = tally.without(plain)
    if not present:
        return Found(name, "skip", note=f"column {name} is empty: left out")
    if not wish.kind and MISSING.issuperset(present):
        return Found(name, "skip", note=f"column {name} holds nothing but '{next(iter(present))}': left out")
    if wish.kind == "category":
        return written(Found(name, "category", plain), tally)
    if wish.kind == "date" or (not wish.kind and not is_number(next(iter(present)))):
        dates = date_of(name, tally, wish, plain | MISSING, where)
        if dates is not None:
            return written(dates, tally)
    if not wish.kind and len(present) == present.total() and counts_rows([*present]):
        first, *_, last = present
        return Found(name, "skip", note=f"column {name}, {first} to {last}, numbers the rows: left out")
    told = tally.without(plain | MISSING)
    sound = are_finite(told)
    numbers = [*told] if sound else [cell for cell in told if is_number(cell) or DRESSED.fullmatch(cell)]
    if wish.kind == "number" or are_numbers(numbers, told):
        if not sound:
            require_numbers(name, tally, plain | MISSING, where)
        return written(digits_of(Found(name, "number", plain | MISSING, form=wish.form), numbers), tally)
    return written(text_of_kind(name, present, len(cells), plain, where), tally)


def are_finite(cells: Iterable[str]) -> bool:
    """Return whether all cells are finite numbers: what is_number says of each, for many at once."""
    text = " ".join(cells)
    if "_" in text or not text.isascii():
        return False
    try:
        return all(map(math.isfinite, map(float, cells)))
    except ValueError:
        return False


def are_numbers(numbers: Sequence[str], cells: Counter[str]) -> bool:
    """Return whether a column is meant to hold numbers: most cells are some, or many are and one or two words stand between."""
    if not numbers or any(map(is_code, numbers)):
        return False
    if len(numbers) == len(cells):
        return True
    few_words = len(cells) - len(numbers) <= 2 and len(numbers) > 20
    return sum(cells[cell] for cell in numbers) >= MOSTLY * cells.total() or few_words


def date_of(name: str, tally: Tally, wish: Asked, missing: frozenset[str], where: str) -> Found | None:
    """Return a column of dates, None where it holds none; WganError for a cell that is none among dates, with its line."""
    present = [*tally.without(missing)]
    formats = [wish.form] if wish.form else formats_of(present)
    if not formats and (form := mostly_dates(tally.first(LOOKED_AT, missing), MOSTLY)):
        formats = [form]  # of a cell that is not so written the sentence below tells
    if not formats and wish.kind == "date":
        raise WganError(f"column {name} of {where} is not written in one format of dates: name it, {name}=date:FORMAT")
    if not formats or not present:
        return None
    known = read_dates(present, formats[0])
    bad = next((cell for cell in present if known[cell] is None), None)
    if bad is not None:
        raise WganError(
            f"column {name} of {where} holds '{bad[:40]}' in line {tally.line(bad)}, which is not a date in the format "
            f"{formats[0]}: fix it, {as_missing(bad)}or say --columns {name}=category"
        )
    note = ""
    if any(text_of(seconds or 0.0, formats[0]) != cell for cell, seconds in known.items()):
        note = f"column {name}: not every date is written as {formats[0]}, and all come back so"
    elif len(formats) > 1:
        note = f"column {name}: dates are read as {formats[0]}, and may be {formats[1]}; {name}=date:FORMAT says it"
    return Found(name, "date", missing, form=formats[0], note=note)


def require_numbers(name: str, tally: Tally, missing: frozenset[str], where: str) -> None:
    """Raise WganError for a cell that is not a finite number, with its line and the way out."""
    bad = next((c for c in tally.bare if c not in missing and not (is_number(c) and math.isfinite(float(c)))), None)
    if bad is None:
        return
    line = tally.line(bad)
    if is_number(bad):
        raise WganError(
            f"column {name} of {where} holds {bad[:40]}, which is infinite, in line {line}: fix or empty it"
        )
    way = f"fix it, {as_missing(bad)}or say --columns {name}=category"
    if COMMA.fullmatch(bad):
        way = (
            f"if the comma is a decimal one, say --columns {name}=number:comma; else save the table without thousands "
            f"separators, or say {name}=category"
        )
    elif DRESSED.fullmatch(bad):
        way = f"save the table with plain numbers, or say --columns {name}=category"
    raise WganError(f"column {name} of {where} is not numeric: it holds '{bad[:40]}' in line {line}; {way}")


def as_missing(cell: str) -> str:
    """Return how to name a cell as missing; nothing for one with a comma, which would name two."""
    return "" if "," in cell else f"name it as missing with --missing '{cell[:40]}', "


def digits_of(found: Found, numbers: Iterable[str]) -> Found:
    """Return the column with its digits after the point, and whether all of its numbers have as many."""
    if all(WHOLE.fullmatch(cell) for cell in numbers):
        return found
    tails = {-1 if "e" in cell.lower() else len(cell.partition(".")[2]) for cell in numbers}
    if -1 in tails:
        return replace(found, digits=-1, style="repr")
    style = "fixed"
    if len(tails) > 1:
        style = "repr" if all(repr(float(cell)) == cell for cell in numbers) else "short"
    return replace(found, digits=max(tails), style=style)


def text_of_kind(name: str, present: Counter[str], rows: int, missing: frozenset[str], where: str) -> Found:
    """Return a column of text: a category, or left out where it names the rows; WganError for free text."""
    different, count = len(present), present.total()
    if count < 20 or different < MOSTLY * count:
        marks = marks_in(present)
        note = mark_note(name, marks[0], present[marks[0]], rows) if marks else ""
        return Found(name, "category", missing, note=note)
    if sum(len(cell) * n for cell, n in present.items()) > LONG * count:
        raise WganError(
            f"column {name} of {where} holds free text ('{next(iter(present))[:30]}...'), which is not learned: leave it "
            f"out with --columns {name}=skip"
        )
    return Found(
        name,
        "skip",
        note=f"column {name} names the rows ({different} different texts in {count} cells): "
        f"left out; --columns {name}=category learns it",
    )


def written(found: Found, tally: Tally) -> Found:
    """Return the column with the mark that its missing cells most often are, as it stands in the file."""
    if found.kind == "skip":
        return found
    formula = ""
    if found.kind == "category":
        formula = next((cell for cell in tally.bare if FORMULA.fullmatch(cell) and not is_number(cell)), "")
    if formula:
        note = f"column {found.name} holds '{formula[:30]}', which a spreadsheet computes: it comes back as it is"
        found = replace(found, note=note)
    marks: Counter[str] = Counter()
    if not found.missing.isdisjoint(tally.bare):
        marks = Counter({cell: n for cell, n in tally.written.items() if cell.strip() in found.missing})
    mark = marks.most_common(1)[0][0] if marks else ""
    return replace(found, mark=mark)
