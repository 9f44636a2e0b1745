"""Numbers with a decimal comma, which a column holds only where the user says so: `--columns price=number:comma`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wgan.data.own.delimited import is_number
from wgan.errors import WganError

COMMAS = "comma"  # the form of such a column
WITH_COMMA = re.compile(r"\s*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?\s*")


def pointed(cells: Sequence[str]) -> list[str]:
    """Return cells with a decimal point where they hold a number with a decimal comma; others as they are."""
    known = {cell: cell.replace(",", ".") for cell in set(cells) if WITH_COMMA.fullmatch(cell)}
    return [known.get(cell, cell) for cell in cells]


def require_commas(name: str, cells: Sequence[str], lines: Sequence[int], where: str) -> None:
    """Raise WganError for a number with a point: 1.234 is read as a thousand by some, and as one and a bit by others."""
    pointed_ones = {cell for cell in set(cells) if "." in cell and is_number(cell)}
    if pointed_ones:
        line, cell = next((n, c.strip()) for n, c in zip(lines, cells, strict=True) if c in pointed_ones)
        raise WganError(
            f"column {name} of {where} holds '{cell[:40]}' in line {line}, which has a point, not a decimal comma: "
            "write its numbers in one way, without thousands separators"
        )


def written_as(text: str, form: str) -> str:
    """Return how a number is written in a column of such a form."""
    return text.replace(".", ",") if form == COMMAS else text
