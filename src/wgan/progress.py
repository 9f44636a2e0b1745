"""Every progress bar: one live line on a terminal, plain lines now and then elsewhere, never a reason to stop (no torch)."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, NamedTuple, cast

from rich import progress as rich
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.file_proxy import FileProxy
from rich.text import Text

SHOWN = {"critic/wasserstein": "W", "generator/loss": "G", "generator/gradient_norm": "grad"}  # tag -> short name
PLAIN_EVERY = 10.0  # seconds between plain lines
LIVE_EVERY = 0.1  # seconds between redraws of the live line
MEMORY = 20.0  # seconds over which the rate forgets
PATIENCE = 1.0  # seconds of counting before its line appears: short work shows none
WIDTH = 12  # of a bar, in characters: the words of a run have 64 of 80


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


class Output:
    """A text stream that may go away, and then swallows what is written; what its encoding cannot hold becomes '?'.

    A run needs no audience: neither a closed terminal nor a closed pipe may stop it.
    """

    def __init__(self, file: IO[str]) -> None:
        self.file, self.gone = file, False
        self.encoding = getattr(file, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        self._safely(lambda: self.file.write(text.encode(self.encoding, "replace").decode(self.encoding)))
        return len(text)

    def flush(self) -> None:
        self._safely(self.file.flush)

    def isatty(self) -> bool:
        return not self.file.closed and self.file.isatty()

    def fileno(self) -> int:
        return self.file.fileno()

    def console(self, tty: bool | None = None) -> Console:
        """Return a console that writes here, on a terminal or not; None = as the stream says."""
        return Console(file=cast("IO[str]", self), force_terminal=tty, highlight=False)

    def line(self, text: str) -> None:
        """Write a line of its own, at once."""
        self.write(text + "\n")
        self.flush()

    def _safely(self, work: Callable[[], object]) -> None:
        try:
            if not self.gone:
                work()
        except (OSError, ValueError):  # ValueError: the file was closed
            self.gone = True


class Words(rich.ProgressColumn):
    """What `text` says at each redraw, cut to the width that is left: the line never becomes two."""

    def __init__(self, text: Callable[[], str], ascii_only: bool) -> None:
        super().__init__()
        self.text, self.ascii_only = text, ascii_only

    def render(self, task: rich.Task) -> Text:
        return Text(self.text(), no_wrap=True, overflow="crop" if self.ascii_only else "ellipsis")


class Bar(rich.Progress):
    """A bar that leaves room at its right for the ^C that a terminal echoes, which would begin another line."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield Narrower(self.make_tasks_table(self.tasks))


class Narrower(NamedTuple):
    """What is drawn, in a width that is three columns less than the terminal's."""

    drawn: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.drawn, options.update(width=max(1, options.max_width - 3)))


class LiveLine:
    """The live line of a terminal: a bar of `total` (None = it is not known), then the words of `text`.

    It is drawn when it is told to, or with `moving` by itself four times a second; `transient` takes it away at the end.
    """

    def __init__(
        self,
        console: Console,
        total: int | None,
        text: Callable[[], str],
        *,
        moving: bool = False,
        transient: bool = False,
    ) -> None:
        columns = (rich.BarColumn(bar_width=WIDTH), Words(text, console.options.ascii_only))
        self.bar = Bar(*columns, console=console, auto_refresh=moving, refresh_per_second=4, transient=transient)
        self.task = self.bar.add_task("", total=total)
        self.started = False

    def start(self) -> None:
        """Begin to draw, unless that was begun."""
        self.bar.start()
        self.started = True

    def stop(self) -> None:
        """Draw a last time; nothing where nothing was begun."""
        if self.started:
            self.bar.stop()

    def draw(self, done: int, total: int | None = None) -> None:
        """Show that `done` of the total are done; `total` changes it."""
        self.bar.update(self.task, completed=done, total=total, refresh=True)


def in_notebook(file: IO[str]) -> bool:
    """Return whether a stream is a notebook's, where a carriage return writes over the line, and no cursor moves."""
    return type(file).__module__.startswith("ipykernel.")


def is_live(console: Console) -> bool:
    """Return whether a line can be redrawn: on a terminal that can move its cursor."""
    return console.is_terminal and not console.is_dumb_terminal


class Progress:
    """Shows steps `start` to `total` of a run on standard output; use it as a context manager.

    `tty` None looks whether the output is a terminal; `silent` shows nothing.
    """

    def __init__(
        self,
        total: int,
        start: int,
        tty: bool | None = None,
        *,
        file: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        silent: bool = False,
    ) -> None:
        self.output = Output(file or sys.stdout)
        self.console = self.output.console(tty)
        live = is_live(self.console) if tty is None else tty
        self.total, self.step, self.clock, self.silent = total, start, clock, silent
        self.rate = Rate(start, clock())
        self.values: dict[str, float] = {}
        self.shown_at, self.shown_step = -math.inf, -1
        self.line = LiveLine(self.console, total, self.words) if live and not silent else None
        self.over = (
            in_notebook(file or sys.stdout) and not live and not silent
        )  # one line, written over again and again
        self.width = 0  # of what stands there

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        """Note that `step` is done; `values` by tag, those missing keep what they were."""
        now = self.clock()
        self.rate.update(step, now)
        self.step = step
        self.values.update(values or {})
        if now - self.shown_at >= (LIVE_EVERY if self.line or self.over else PLAIN_EVERY) or step >= self.total:
            self.show(now)

    def show(self, now: float) -> None:
        """Draw the line, or print it, once for each step."""
        if self.step == self.shown_step:
            return
        self.shown_at, self.shown_step = now, self.step
        if self.line:
            self.line.draw(self.step)
        elif self.over:
            self.write_over(f"step {self.words()}")
        else:
            self.message(f"step {self.words()}")

    def message(self, text: str) -> None:
        """Print `text` on lines of its own, above the live line."""
        if self.line:
            self.console.print(Text(text))
        elif self.over:
            self.write_over(text + "\n")
        elif not self.silent:
            self.output.line(text)

    def write_over(self, text: str) -> None:
        """Write `text` in the place of the line that stands there."""
        self.output.write("\r" * bool(self.width) + text.rstrip("\n").ljust(self.width) + "\n" * text.endswith("\n"))
        self.output.flush()
        self.width = 0 if text.endswith("\n") else max(self.width, len(text))

    def words(self) -> str:
        """Return '1200/4000  27.3 steps/s  1:43 left  W 3.21  G -0.52  grad 0.98'."""
        rate = float(self.rate)
        parts = [f"{self.step}/{self.total}"]
        if rate > 0:
            parts += [f"{short(rate)} steps/s", f"{clock_text(max(self.total - self.step, 0) / rate)} left"]
        parts += [f"{name} {short(self.values[tag])}" for tag, name in SHOWN.items() if tag in self.values]
        return "  ".join(parts)

    def __enter__(self) -> Progress:
        if self.line:
            self.line.start()
            self.show(self.clock())
        return self

    def __exit__(self, *failure: object) -> None:
        if self.shown_at > -math.inf:
            self.show(self.clock())
        if self.line:
            self.line.stop()
        if self.width:
            self.output.line("")


@contextmanager
def counting(
    total: int,
    what: str,
    unit: str,
    *,
    tty: bool | None = None,
    file: IO[str] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number done so far: after PATIENCE a line on standard error shows it.

    It is taken away at the end. Nothing is shown where that is not a terminal, or where another line is live already.
    """
    nested = isinstance(sys.stderr, FileProxy)  # which a live line puts in its place
    console = Output(file or sys.stderr).console(tty)
    begun = last = clock()
    done = 0

    def words() -> str:
        return f"{done}/{total} {unit}  {short(done / max(clock() - begun, 1e-9))}/s  {what}"

    line = LiveLine(console, total, words, transient=True)
    shown = is_live(console) and not nested

    def tick(number: int) -> None:
        nonlocal done, last
        done, now = number, clock()
        if shown and now - begun >= PATIENCE and now - last >= LIVE_EVERY:
            last = now
            line.start()
            line.draw(done)

    try:
        yield tick
    finally:
        line.stop()


@contextmanager
def naming(
    *, silent: bool = False, tty: bool | None = None, file: IO[str] | None = None
) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that is told (name, done, total) of each task as it begins; total 0 = not known yet.

    On a terminal a line shows it, which is taken away at the end; elsewhere each task has a plain line, once for what stands
    before its colon: 'fid-inception: 500 of 5000 fakes' belongs to the task before.
    """
    output = Output(file or sys.stdout)
    console = output.console(tty)
    live = is_live(console) and not silent
    begun, now, said = time.monotonic(), ("opening", 0, 0), ""

    def words() -> str:
        name, done, total = now
        count = f"{done}/{total}  " if total else ""
        return f"{count}{clock_text(time.monotonic() - begun)}  {name}"

    line = LiveLine(console, None, words, moving=True, transient=True)

    def begin(name: str, done: int, total: int) -> None:
        nonlocal now, said
        now, task = (name, done, total), name.partition(":")[0]
        if live:
            line.draw(done, total or None)
        elif not silent and task != said:
            output.line(f"{done + 1} of {total}: {name}" if total and name != "finished" else name)
        said = task

    try:
        if live:
            line.start()
        yield begin
    finally:
        line.stop()
