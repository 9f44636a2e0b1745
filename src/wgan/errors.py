"""The one exception for a user's mistake, and the nearest-name hint every such message ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

LONGEST = 900  # characters of a sentence


class WganError(ValueError):
    """A mistake the user can fix: one sentence saying what was wrong, where, and what would be right.

    The command line prints the sentence and exits with code 2; it never shows a traceback for it. Names from a damaged
    file may hold anything: what is not a printable character becomes a question mark, and what is long is cut.
    """

    def __init__(self, sentence: str) -> None:
        line = "".join(c if c.isprintable() else "?" for c in sentence[: 2 * LONGEST])
        super().__init__(line if len(line) <= LONGEST else line[: LONGEST - 4] + " ...")


class NotFinite(WganError):
    """A loss or a weight became NaN or infinite at `step`; `stats` is what was measured at that step."""

    def __init__(self, what: str, step: int, stats: Mapping[str, float] | None = None) -> None:
        super().__init__(f"{what} is not finite at step {step}")
        self.what, self.step, self.stats = what, step, dict(stats or {})


class SaidElsewhere(WganError):
    """A mistake that ends every process of a group, on one that leaves the saying to rank 0."""


class LostContact(WganError):
    """Another process of the group ended or gave no answer; `speaks` on the one process that says so. Exit code 3."""

    def __init__(self, sentence: str, speaks: bool = True) -> None:
        super().__init__(sentence)
        self.speaks = speaks


MANY = 24  # options; a longer list would hide the hint, so only the nearest are named


def nearest(name: str, options: Iterable[str]) -> str:
    """Return 'did you mean x? (known: a, b, x)' for an unknown `name` among `options`; of many only the nearest."""
    known = sorted(options)
    close = [k for k in known if plain(k) == plain(name)]  # wgan_gp is wgan-gp and nothing else
    if not close:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5 if len(known) <= MANY else 0)
    if len(known) > MANY:
        return f"did you mean {either(close)}?"
    return f"did you mean {either(close)}? (known: {', '.join(known)})" if close else f"choose from {', '.join(known)}"


def plain(name: str) -> str:
    """Return a name without what writers of names differ in."""
    return name.lower().replace("_", "-")


def either(names: Sequence[str]) -> str:
    """Return 'a', 'a or b' or 'a, b or c'."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def unknown(kind: str, name: str, options: Iterable[str]) -> WganError:
    """Build the error for a `name` that is not a key of a table of `kind`s."""
    return WganError(f"unknown {kind} '{name}': {nearest(name, options)}")
