"""Dates and times as seconds since 1970, in the format that a column is written in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y")
CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%H:%M:%SZ", "%H:%M:%S.%fZ", "%I:%M:%S %p", "%I:%M %p")
FORMATS = (*DAYS, *(f"{day}{gap}{clock}" for day, gap, clock in product(DAYS, " T", CLOCKS)), *CLOCKS[:2], "%Y-%m")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOOKED_AT = 200  # cells that choose the formats worth a full reading


def formats_of(cells: Sequence[str]) -> list[str]:
    """Return the formats in which every cell is written exactly so, the likeliest first; [] where they are no dates."""
    if not cells or not any(c in "-/.:" or c == " " for c in cells[0][1:]):
        return []
    some = [f for f in FORMATS if all(exact(cell, f) for cell in cells[:1])]
    some = [f for f in some if all(exact(cell, f) for cell in cells[:LOOKED_AT])]
    return [f for f in some if all(exact(cell, f) for cell in set(cells))]


def exact(cell: str, form: str) -> bool:
    """Return whether a cell is a date in this format, and is written in no other way than the format writes it."""
    seconds = seconds_of(cell, form)
    return seconds is not None and text_of(seconds, form) == cell


def seconds_of(cell: str, form: str) -> float | None:
    """Return a date as seconds since 1970 (a time of day: since midnight), None where it is not of this format."""
    try:
        found = datetime.strptime(cell, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    if "%Y" not in form:
        found = found.replace(year=1970)
    return (found - EPOCH) / timedelta(seconds=1)


def text_of(seconds: float, form: str) -> str:
    """Return seconds since 1970 as a date in this format."""
    moment = EPOCH + timedelta(microseconds=round(seconds * 1e6))
    text = moment.strftime(form)
    return text.zfill(len(text) + 4 - len(str(moment.year))) if form.startswith("%Y") else text  # year 800 is 0800


def read_dates(cells: Iterable[str], form: str) -> dict[str, float | None]:
    """Return the seconds of each different cell."""
    return {cell: seconds_of(cell, form) for cell in set(cells)}
