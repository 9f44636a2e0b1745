"""Series of a .ts file, the format of the UCR and UEA archives, which aeon and sktime ship and write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data.own.archives import shown
from wgan.data.own.recordings import Recordings, Series, require_equal
from wgan.data.own.tables import whole_labels
from wgan.errors import WganError

TS = ".ts"
GAP = "?"  # a value that is missing
DATA = "@data"


def of_ts(path: Path, options: ReadingOptions, where: str) -> Recordings:
    """Return the series [C, L] of a .ts file, each with its class where the file says that it has one.

    A line is a series: channels between colons, steps between commas, the class last. A missing value becomes NaN. Raises
    WganError for a file without a line @data, with time stamps, and for series of different numbers of channels.
    """
    if options.labels not in ("auto", "none"):
        raise WganError(f"labels '{options.labels}' names the column of a table, and {where} is none: use auto or none")
    header, lines = parts_of(path)
    if header.get("timestamps", "").startswith("true"):
        raise WganError(f"{where} holds time stamps: write its series as equal steps without them")
    last = next((key for key in ("classlabel", "targetlabel") if header.get(key, "").startswith("true")), "")
    cases, ends = [], []
    for number, line in lines:
        *channels, end = line.split(":") if last else [*line.split(":"), ""]
        cases.append(np.stack(equal_lengths([steps_of(cell, number, path) for cell in channels], number, where)))
        ends.append(end)
    if not cases:
        raise WganError(f"{where} holds no series")
    names = [f"line {number}" for number, _ in lines]
    require_equal("series", "numbers of channels", [len(x) for x in cases], names, where)
    told = last == "classlabel" and options.labels != "none"
    classes = whole_labels(ends, where, [number for number, _ in lines]) if told else None
    series = [
        Series(x, name, None if classes is None else classes[i : i + 1][np.zeros(x.shape[1], np.int64)])
        for i, (x, name) in enumerate(zip(cases, names, strict=True))
    ]
    notes = ("the target of each series, a number, is not read",) if last == "targetlabel" else ()
    return Recordings(series, notes=notes)


def parts_of(path: Path) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return what the header says, in small letters, and (number, line) of each series; WganError for another file."""
    header: dict[str, str] = {}
    try:
        lines = written_lines(path)
        for _, line in lines:
            if line.lower() == DATA:
                return header, list(lines)
            if not line.startswith("@"):
                break
            key, _, value = line[1:].partition(" ")
            header[key.lower()] = value.strip().lower()
    except UnicodeDecodeError:
        pass
    raise WganError(f"{shown(path)} is no .ts file of series: a line {DATA} after those that begin with @ is missing")


def written_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of what is neither empty nor a comment."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if (text := line.strip()) and not text.startswith(("#", "%")):
                yield number, text


def steps_of(cell: str, number: int, path: Path) -> NDArray[np.float64]:
    """Return the numbers between the commas of one channel."""
    try:
        return np.array([np.nan if x.strip() == GAP else float(x) for x in cell.split(",")])
    except ValueError:
        raise WganError(f"{shown(path)}, line {number}: '{shown(cell[:40])}' is no series of numbers") from None


def equal_lengths(channels: list[NDArray[Any]], number: int, where: str) -> list[NDArray[Any]]:
    """Return the channels of one series; WganError where it has none, or they have different lengths."""
    if len({len(x) for x in channels}) != 1:
        found = " and ".join(str(len(x)) for x in channels) or "no"
        raise WganError(f"{where}, line {number}: channels of {found} steps, where all of a series need as many")
    return channels
