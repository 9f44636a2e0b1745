"""What a command prints: tables that fit the terminal, sentences broken between words, JSON for programs."""

from __future__ import annotations

import codecs
import io
import json
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wgan.errors import WganError

INSTEAD = {
    "\u2264": "<=",
    "\u2265": ">=",
    "\u00b1": "+-",
    "\u00d7": "x",
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2026": "...",
}


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding cannot hold: <= for one sign, a question mark for most."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(INSTEAD.get(c, "?") for c in lost), error.end


def replace_unprintable() -> None:
    """Let both outputs replace what their encoding cannot hold: a sign on a Windows terminal is no reason to fail."""
    codecs.register_error("wgan.ascii", in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="wgan.ascii")


def terminal_width() -> int:
    """Return how many characters a line of the terminal has, 80 without one."""
    return shutil.get_terminal_size().columns


def complain(sentence: str) -> None:
    """Print a sentence on standard error; a terminal gets it broken between words."""
    line = f"wgan: {sentence}"
    if sys.stderr.isatty():
        line = wrapped(line, terminal_width())
    print(line, file=sys.stderr)


def say(sentence: str) -> None:
    """Print a sentence on standard output; a terminal gets it broken between words."""
    print(wrapped(sentence, terminal_width()) if sys.stdout.isatty() else sentence)


def say_fact(line: str) -> None:
    """Print a heading of 14 characters and what it says; a terminal gets that broken between words, under its beginning."""
    if sys.stdout.isatty() and not line.startswith("suggestion"):  # which is a command, to be copied whole
        width = terminal_width()
        line = wrapped(line, width, then=" " * (15 if width >= 60 else 4))
    print(line)


def wrapped(text: str, width: int, first: str = "", then: str = "") -> str:
    """Return `text` in lines of at most `width`, unless a word is longer; paths and flags stay whole."""
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )


def narrowed(line: str, width: int) -> str:
    """Return a line of two columns, such as a command and what it does, with the second under the first where it is too long."""
    if len(line) <= width:
        return line
    first, *then = re.split(r"(?<=\S)\s{2,}", line, maxsplit=1)
    return "\n".join([wrapped(first, width), *(wrapped(text, width, "    ", "    ") for text in then)])


def show(columns: Sequence[str], rows: Sequence[Sequence[str]], least: int, title: str = "", spare: int = 0) -> None:
    """Print a table; where the terminal is narrower than `least` and than the table, a paragraph for each row.

    A terminal that is too narrow first loses the last `spare` columns. A file or a pipe gets each row on one line.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(*columns, box=None, pad_edge=False, title=Text(title) if title else None, title_justify="left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    natural = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    if not console.is_terminal:
        Console(width=max(natural, console.width), highlight=False).print(table)
    elif console.width >= min(natural, least):
        console.print(table)
    elif spare:
        show(columns[:-spare], [row[:-spare] for row in rows], least, title)
    else:
        print("\n".join(paragraphs(columns, rows, console.width, title)))


def paragraphs(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, title: str = "") -> Iterator[str]:
    """Yield the rows of a table as text: the first cell, then each other that is not empty after its heading."""
    if title:
        yield wrapped(title, width)
    for first, *others in rows:
        yield first
        for heading, cell in zip(columns[1:], others, strict=True):
            if cell:
                yield wrapped(f"{heading}: {cell}", width, "  ", "    ")


def print_json(value: Any) -> None:
    """Print one JSON value; ASCII, so that every encoding holds it, and null for a number that is not finite."""
    print(json.dumps(finite(value), indent=2, allow_nan=False))


def finite(value: Any) -> Any:
    """Return `value` with None for each number in it that JSON cannot hold."""
    if isinstance(value, dict):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def require_place(out: Path) -> None:
    """Raise WganError unless a file can be written at `out`; call it before the work whose result it is to hold."""
    if not out.parent.is_dir():
        raise WganError(f"the folder {out.parent} does not exist: create it or give another --out")
    if out.is_dir():
        raise WganError(f"--out {out} is a folder: give the name of a file")


def bytes_text(count: int) -> str:
    """Return a size in at most four digits: 812 B, 40 kB, 3.1 MB."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
