"""Several processes at one study: each takes the next piece of work that no other is at, and waits for the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wgan.compare.measure import json_of, remembered
from wgan.distributed.signals import check
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.runs.folder import make_folder

LOCKS = ".locks"  # the folder of what is held, beside it
POLL = 1.0  # seconds between two looks at what other processes are at
MOST = 60.0  # seconds that writing a file may take another process


@dataclass(frozen=True)
class Piece:
    """Work that leaves a note: where, what makes it, and what is said when it begins."""

    note: Path
    make: Callable[[], dict[str, Any]]
    what: str


def shared(pieces: Sequence[Piece], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the note of each piece, in order; what another process is at is left to it, unless it ends without a note."""
    found: dict[Path, dict[str, Any]] = {}
    left = [*pieces]
    while left:
        before = len(left)
        for piece in left:
            values = json_of(piece.note) or mine(piece, say)
            if values is not None:
                found[piece.note] = values
        left = [piece for piece in left if piece.note not in found]
        if len(left) == before:
            check()
            time.sleep(POLL)
    return [found[piece.note] for piece in pieces]


def mine(piece: Piece, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Return what the piece gives, made here; None when another process is at it."""
    with held(piece.note) as ours:
        if not ours:
            return None
        if json_of(piece.note) is None:
            say(piece.what)
        values: dict[str, Any] = remembered(piece.note, piece.make)
    return values


@contextmanager
def held(file: Path, wait: float = 0.0) -> Iterator[bool]:
    """Give whether this process alone holds the file within the block, after so many seconds. A killed process holds none."""
    folder = file.parent / LOCKS
    make_folder(folder)
    lock = FileLock(folder / file.stem, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise WganError(f"cannot lock {file}: {error.strerror}; give a folder you can write to with --out") from None
    try:
        yield True
    finally:
        lock.release()


def write_alone(file: Path, data: bytes) -> None:
    """Write a file that other processes may be about to write as well."""
    with held(file, MOST):
        write_atomically(file, data)
