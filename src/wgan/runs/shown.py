"""How a run shows itself in a notebook: what it is, how far it got, its newest sample grid and its curves. No torch."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wgan.runs.folder import Run

LARGEST = 4_000_000  # bytes of a picture: a larger one would make the notebook itself large


def picture(data: bytes, what: str) -> str:
    """Return a PNG as an image within a page."""
    return f'<img alt="{escape(what)}" src="data:image/png;base64,{base64.b64encode(data).decode()}" style="max-width:100%">'


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table; every text is escaped."""
    lines = ["".join(f"<th>{escape(text)}</th>" for text in head)]
    lines += ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def titled(title: str, rest: str) -> str:
    """Return a title in bold and what is said of it."""
    return f"<div><b>{escape(title)}</b> {escape(rest)}</div>"


def run_html(run: Run) -> str:
    """Return the run as HTML."""
    best = "" if run.best is None else f", best at step {run.best}"
    about = f"recipe {run.config.recipe}, data {run.config.data}, step {run.step} of {run.config.steps}{best}"
    parts = [titled(str(run.path), about)]
    parts += [picture(file.read_bytes(), file.stem) for file in pictures_of(run) if file.stat().st_size <= LARGEST]
    return "".join(f"<div>{part}</div>" for part in parts)


def pictures_of(run: Run) -> Iterator[Path]:
    """Yield the newest sample grid and the curves, as far as they are there."""
    grids = sorted(run.samples.glob("step-*.png"))
    for file in [*grids[-1:], run.path / "losses.png"]:
        if file.is_file() and not file.is_symlink():
            yield file
