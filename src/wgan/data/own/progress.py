"""A progress bar on the terminal for work that takes more than a moment; silent elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 1.0  # seconds without a bar: short work shows none
EVERY = 0.2  # seconds between redraws


@contextmanager
def ticking(total: int, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number done so far; it draws a bar on standard error when that is a terminal."""
    begun = last = time.monotonic()
    drawn = False

    def tick(done: int) -> None:
        nonlocal last, drawn
        now = time.monotonic()
        if not sys.stderr.isatty() or now - begun < PATIENCE or now - last < EVERY:
            return
        last, drawn = now, True
        rate = done / (now - begun)
        bar = "#" * (20 * done // max(total, 1))
        print(f"\r{what} [{bar:<20}] {done}/{total} {unit}, {rate:.0f}/s ", end="", file=sys.stderr, flush=True)

    try:
        yield tick
    finally:
        if drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
