"""The progress of a run for a person: one live line on a terminal, a plain line now and then elsewhere (no torch)."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

SHOWN = {"critic/wasserstein": "W", "generator/loss": "G", "generator/gradient_norm": "grad"}  # tag -> short name
PLAIN_EVERY = 10.0  # seconds between plain lines
LIVE_EVERY = 0.1  # seconds between redraws of the live line
MEMORY = 20.0  # seconds over which the rate forgets


class Rate:
    """Steps per second, smoothed over about MEMORY seconds, so that an evaluation does not throw the estimate."""

    def __init__(self, step: int, now: float) -> None:
        self.step, self.now = step, now
        self.steps = self.seconds = 0.0  # both forgotten at the same pace: their quotient is the rate

    def update(self, step: int, now: float) -> None:
        passed = now - self.now
        keep = math.exp(-passed / MEMORY)
        self.steps, self.seconds = keep * self.steps + step - self.step, keep * self.seconds + passed
        self.step, self.now = step, now

    def __float__(self) -> float:
        return self.steps / self.seconds if self.seconds > 0 else 0.0


def short(number: float) -> str:
    """Return three digits, or a whole number: 0.523, 27.3, 1990."""
    return f"{number:.0f}" if 1000 <= abs(number) < 1e6 else f"{number:.3g}"


def clock_text(seconds: float) -> str:
    """Return 75 as '1:15' and 3675 as '1:01:15'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def encodable(text: str, file: IO[str]) -> str:
    """Return `text` with a question mark for each character that the encoding of `file` cannot hold."""
    encoding = (file.encoding if isinstance(file, io.TextIOBase) else None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


class Progress:
    """Shows steps `start` to `total` on standard output; use it as a context manager.

    `tty` None looks whether the output is a terminal; `silent` shows nothing. A terminal that goes away silences it and
    stops nothing.
    """

    def __init__(
        self,
        total: int,
        start: int,
        tty: bool | None = None,
        *,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        silent: bool = False,
    ) -> None:
        self.console = Console(file=file, force_terminal=tty, highlight=False)
        self.tty = self.console.is_terminal and not self.console.is_dumb_terminal if tty is None else tty
        self.total, self.step, self.clock = total, start, clock
        self.rate = Rate(start, clock())
        self.values: dict[str, float] = {}
        self.shown_at, self.shown_step, self.silent = -math.inf, -1, silent
        self.live = Live(console=self.console, auto_refresh=False) if self.tty and not silent else None

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        """Note that `step` is done; `values` by tag, those missing keep what they were."""
        now = self.clock()
        self.rate.update(step, now)
        self.step = step
        self.values.update(values or {})
        if now - self.shown_at >= (LIVE_EVERY if self.tty else PLAIN_EVERY) or step >= self.total:
            self.show(now)

    def show(self, now: float) -> None:
        """Draw the line, or print it, once for each step."""
        if self.step == self.shown_step:
            return
        self.shown_at, self.shown_step = now, self.step
        if self.live:
            self.safely(partial(self.live.update, self.bar(), refresh=True))
        else:
            self.message(f"step {self.figures()}")

    def message(self, text: str) -> None:
        """Print `text` on lines of its own, above the live line."""
        if self.live:
            self.safely(lambda: self.console.print(Text(encodable(text, self.console.file))))
        else:  # not by rich, which ends the whole program when nobody reads the pipe any more
            self.safely(lambda: print(encodable(text, self.console.file), file=self.console.file, flush=True))

    def safely(self, draw: Callable[[], None]) -> None:
        """Draw, unless the output is gone: training goes on without an audience."""
        try:
            if not self.silent:
                draw()
        except (OSError, ValueError):  # ValueError: the file was closed
            self.silent = True

    def figures(self) -> str:
        """Return '1200/4000  27.3 steps/s  1:43 left  W 3.21  G -0.52  grad 0.98'."""
        rate = float(self.rate)
        parts = [f"{self.step}/{self.total}"]
        if rate > 0:
            parts += [f"{short(rate)} steps/s", f"{clock_text(max(self.total - self.step, 0) / rate)} left"]
        parts += [f"{name} {short(self.values[tag])}" for tag, name in SHOWN.items() if tag in self.values]
        return "  ".join(parts)

    def bar(self) -> RenderableType:
        """Return the live line: a bar, then the figures cut to the width that is left, never on two lines."""
        line = Table.grid(padding=(0, 2))
        line.add_column(width=20)
        line.add_column()
        bar = ProgressBar(total=self.total, completed=self.step, width=20)
        line.add_row(bar, Text(self.figures(), no_wrap=True, overflow="ellipsis"))
        return line

    def __enter__(self) -> Progress:
        if self.live:
            self.safely(self.live.start)
            self.show(self.clock())
        return self

    def __exit__(self, *failure: object) -> None:
        if self.shown_at > -math.inf:
            self.show(self.clock())
        if self.live:
            self.safely(self.live.stop)
