"""Write docs/reference/options.md from Config, and the flags of docs/reference/commands.md from the parser.

Usage: python tools/reference_pages.py
A test repeats it and compares.
"""

from __future__ import annotations

import argparse
import re
from itertools import groupby
from pathlib import Path

from wgan.cli.main import commands_of, parser
from wgan.cli.parser import Parser
from wgan.config import FIELDS, ReadingOptions
from wgan.config.option import Option, options_of

FOLDER = Path(__file__).parent.parent / "docs/reference"
OPTIONS, COMMANDS = FOLDER / "options.md", FOLDER / "commands.md"
MARK = "<!-- flags: written by tools/reference_pages.py -->\n"
READING = "those of [your own data](options.md#your-own-data)"
ELSEWHERE = {"train": f"[every option of a run](options.md); {READING} are among them", "data": READING}
ELSEWHERE["evaluate"] = f"for samples in a file, {READING}"
PLACES = {"reference": "", "lab": "../lab/"}  # seen from the pages
HEAD = """\
# Options of a run

`wgan train --NAME VALUE` on the command line, `wgan.train(NAME=VALUE)` in Python, `NAME = VALUE` in a
[file of options](commands.md#options-of-a-run); `config.json` in the run folder holds them all. Dashes and underscores are the
same. The defaults are those of the recipe `mnist`; `wgan train RECIPE --dry-run` shows another's. Options with ↻ may be changed
when a run is resumed; to change any other, start another run. `tools/reference_pages.py` writes this page from the source.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; a bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


# --- options of a run ---------------------------------------------------------------------------------------------------


def options_page() -> str:
    """Return the page of options, a table for each group."""
    known = [f for name, f in FIELDS.items() if name != "recipe"]
    parts = [f"\n## {title.capitalize()}\n\n{of_group([*group])}" for title, group in groupby(known, lambda f: f.group)]
    return HEAD + "".join(parts)


def of_group(group: list[Option]) -> str:
    """Return the table of one group."""
    rows = [
        [f"`--{f.name.replace('_', '-')}`{' ↻' * f.free}", values_of(f), default_of(f), linked(f.help)] for f in group
    ]
    return table(["option", "values", "default", "what it does"], rows)


def linked(text: str) -> str:
    """Return a help text with links for the pages that it names."""
    return re.sub(r"docs/(reference|lab)/(\w+)\.md", lambda m: f"[{m[2]}]({PLACES[m[1]]}{m[2]}.md)", text)


def values_of(known: Option) -> str:
    """Return what an option may be: its choices, or its kind and range."""
    if known.choices:
        return ", ".join(f"`{choice}`" for choice in known.choices)
    kind = {int: "whole number", float: "number", str: "text", bool: "`0` or `1`"}[known.kind]
    if known.low == -float("inf"):
        return kind
    limits = f"{known.low:g} or more" if known.high == float("inf") else f"{known.low:g} to {known.high:g}"
    return f"{kind}, {limits}" + (f", or `{known.none}`" if known.none else "")


def default_of(known: Option) -> str:
    """Return the default as a command takes it."""
    return f"`{word}`" if (word := known.word(known.default)) else ""


# --- flags of the commands ----------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Return the page of commands: what was written by hand, and the flags after it."""
    found = commands_of(parser())
    return COMMANDS.read_text().partition(MARK)[0] + MARK + "".join(of_command(name, p) for name, p in found.items())


def of_command(name: str, p: Parser) -> str:
    """Return the section of a command that has flags of its own."""
    skipped = {"-h", "--help-all"}
    if name in ELSEWHERE:
        known = [n.replace("_", "-") for n in (FIELDS if name == "train" else options_of(ReadingOptions))]
        skipped |= {f"--{n}" for n in known} | {f"--no-{n}" for n in known}
    rows = [
        [spelt(a), linked((a.help or "").replace("%%", "%"))]
        for a in p._actions
        if a.help != argparse.SUPPRESS and not skipped & {*a.option_strings}
    ]
    more = f"\nAnd {ELSEWHERE[name]}.\n" if name in ELSEWHERE else ""
    return f"\n### wgan {name}\n\n{table(['flag', 'what it does'], rows)}{more}" if rows else ""


def spelt(action: argparse.Action) -> str:
    """Return a flag, or a word that needs none, as help shows it."""
    value = f" {action.metavar}" if action.nargs != 0 else ""
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings) or f"`{action.metavar}`"


if __name__ == "__main__":
    OPTIONS.write_text(options_page())
    COMMANDS.write_text(commands_page())
