"""Dates and times as seconds since 1970, in the format that a column is written in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

PADDED = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y")
WORDED = ("%d %B %Y", "%-d %b %Y", "%-d %B %Y", "%b %d, %Y", "%b %-d, %Y", "%B %d, %Y", "%B %-d, %Y")
BARE = ("%-d.%-m.%Y", "%-d/%-m/%Y", "%-m/%-d/%Y", "%Y-%-m-%-d", "%Y/%-m/%-d")
SHORT = ("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%-d.%-m.%y", "%-d/%-m/%y", "%-m/%-d/%y")
DAYS = (*PADDED, *WORDED, *BARE, *SHORT)
BY_24 = (
    "%H:%M:%S",
    "%H:%M",
    "%-H:%M:%S",
    "%-H:%M",
    "%H:%M:%S.%f",
    "%H:%M:%S.%3f",
    "%H:%M:%SZ",
    "%H:%M:%S.%fZ",
    "%H:%M:%S.%3fZ",
)
CLOCKS = (*BY_24, "%I:%M:%S %p", "%I:%M %p", "%-I:%M:%S %p", "%-I:%M %p")
FORMATS = (*DAYS, *(f"{day}{gap}{clock}" for day, gap, clock in product(DAYS, " T", CLOCKS)), *BY_24[:4], "%Y-%m")
OFFSET = re.compile(r"(?<=:\d\d)(\.\d+)?([+-]\d\d:?\d\d)$")  # of a time zone
ZONE = re.compile(r"([+-])(\d\d):?(\d\d)$")  # at the end of a format: that of the first cell
UNPADDED = re.compile("%-([dmHI])")
DIRECTIVE = re.compile(r"%(-|3)?[A-Za-z]")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOOKED_AT = 200  # cells that choose the formats worth a full reading


def formats_of(cells: Sequence[str]) -> list[str]:
    """Return the formats in which every cell is written exactly so, the likeliest first; [] where they are no dates.

    Of formats that read every cell alike only the first is kept. Cells may have other offsets from UTC than the first one.
    """
    different = list(dict.fromkeys(cells))
    some = [f for f in candidates(different[:1]) if all(exact(cell, zoned(f, cell)) for cell in different[:LOOKED_AT])]
    some = [f for f in some if all(exact(cell, zoned(f, cell)) for cell in different)]
    read = {tuple(seconds_of(cell, f) for cell in different[:LOOKED_AT]): f for f in reversed(some)}
    return [f for f in some if f in read.values()]


def mostly_dates(cells: Sequence[str], fraction: float) -> str:
    """Return the first format in which at least this fraction of the first cells is written, "" for none."""
    some = cells[:LOOKED_AT]
    least = fraction * len(some)
    return next((f for f in candidates(some[:3]) if sum(exact(cell, f) for cell in some) >= least), "")


def candidates(cells: Sequence[str]) -> list[str]:
    """Return the formats in which any of a few cells is written."""
    found = []
    for cell in cells:
        zone = OFFSET.search(cell)
        end = zone[2] if zone else ""
        bare = cell.removesuffix(end)
        if any(c.isdigit() for c in bare):
            signs = signs_of(bare)
            found += [f + end for f in FORMATS if SIGNS[f] == signs and exact(cell, f + end)]
    return list(dict.fromkeys(found))


def signs_of(text: str) -> str:
    """Return what of a text is neither letter nor number."""
    return "".join(c for c in text if not c.isalnum())


SIGNS = {form: signs_of(DIRECTIVE.sub("", form)) for form in FORMATS}  # a cell with others is not of the format


def exact(cell: str, form: str) -> bool:
    """Return whether a cell is a date in this format, and is written in no other way than the format writes it."""
    seconds = seconds_of(cell, form)
    return seconds is not None and text_of(seconds, form) == cell


def seconds_of(cell: str, form: str) -> float | None:
    """Return a date as seconds since 1970 (a time of day: since midnight), None where it is not of this format.

    The clock is that of the format's offset from UTC, to which a cell with another one is taken.
    """
    own = zoned(form, cell)
    try:
        found = datetime.strptime(cell, own.replace("%-", "%").replace("%3f", "%f")).replace(tzinfo=UTC)
    except ValueError:
        return None
    if "%y" not in form.lower():
        found = found.replace(year=1970)
    return (found - EPOCH) / timedelta(seconds=1) + 60 * (ahead(form) - ahead(own))


def holds(form: str) -> str:
    """Return what dates of a format are: day, time (of day) or moment."""
    clock = bool(re.search("%-?[HI]", form))
    if "%y" not in form.lower():
        return "time"
    return "moment" if clock else "day"


def zoned(form: str, cell: str) -> str:
    """Return a format with the offset from UTC that a cell has, where both have one."""
    zone = OFFSET.search(cell)
    return ZONE.sub(zone[2], form) if zone else form


def ahead(form: str) -> int:
    """Return how many minutes the clock of a format is ahead of UTC, 0 where it says nothing."""
    zone = ZONE.search(form)
    return int(f"{zone[1]}1") * (60 * int(zone[2]) + int(zone[3])) if zone else 0


def text_of(seconds: float, form: str) -> str:
    """Return seconds since 1970 as a date in this format."""
    moment = EPOCH + timedelta(microseconds=round(seconds * 1e6))
    text = moment.strftime(own_parts(form, moment))
    return text.zfill(len(text) + 4 - len(str(moment.year))) if form.startswith("%Y") else text  # year 800 is 0800


def moment_of(seconds: float, form: str) -> datetime:
    """Return seconds since 1970 as a moment, with the offset from UTC of the format where it has one."""
    moment = EPOCH + timedelta(microseconds=round(seconds * 1e6))
    if ZONE.search(form):
        return moment.replace(tzinfo=timezone(timedelta(minutes=ahead(form))))
    return moment if form.endswith("Z") else moment.replace(tzinfo=None)


def own_parts(form: str, moment: datetime) -> str:
    """Return a format with the parts filled in that not every system's strftime knows: %-d, %-m, %-H, %-I and %3f."""
    if "%-" in form:
        parts = {"d": moment.day, "m": moment.month, "H": moment.hour, "I": moment.hour % 12 or 12}
        form = UNPADDED.sub(lambda found: str(parts[found[1]]), form)
    return form.replace("%3f", f"{moment.microsecond // 1000:03}")


def read_dates(cells: Iterable[str], form: str) -> dict[str, float | None]:
    """Return the seconds of each different cell."""
    return {cell: seconds_of(cell, form) for cell in set(cells)}
