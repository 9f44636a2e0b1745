"""Stop: how Ctrl-C and SIGTERM end a run within five seconds, with everything saved.

The first signal only asks. What takes long looks whether it was asked: an exception raised by the signal itself could
fall into a destructor, which prints it and continues.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

PATIENCE = 2.0  # seconds that the step under way is given to end; then it is cut between two critic updates
PLOTS = 1.0  # seconds after the signal at which plots are left out: one cannot be left half drawn
PICTURES = 3.5  # seconds after the signal at which the pictures of the end are left out


class Interrupted(Exception):
    """What is under way is left, because a signal asked for it."""


@dataclass
class Stop:
    """Set by Ctrl-C or SIGTERM: the loop leaves after the step that is under way, or within it when that takes long."""

    reason: str = ""
    code: int = 0
    asked: float = 0.0  # when, on the monotonic clock

    def overdue(self) -> bool:
        """Return whether the step has had its time since the signal."""
        return self.since(PATIENCE)

    def since(self, seconds: float) -> bool:
        """Return whether a signal came more than so many seconds ago."""
        return bool(self.reason) and time.monotonic() - self.asked > seconds

    def leave(self) -> None:
        """Raise Interrupted once a signal came: called within what will be done again."""
        if self.reason:
            raise Interrupted

    def plots(self) -> bool:
        """Return whether there is time to begin a plot."""
        return not self.since(PLOTS)

    def hurry(self) -> None:
        """Raise Interrupted when a signal came too long ago: called within what can be left out."""
        if self.since(PICTURES):
            raise Interrupted

    def request(self, reason: str, code: int) -> None:
        """Ask the loop to stop, as a signal does."""
        self.reason, self.code, self.asked = reason, code, time.monotonic()

    def adopt(self, reason: str, code: int) -> None:
        """Take over why another process was asked to stop, unless this one was asked itself."""
        if not self.reason:
            self.request(reason, code)

    def ask(self, number: int, frame: object) -> None:
        """Handle a signal: the first asks, the second leaves at once."""
        if self.reason:
            raise KeyboardInterrupt
        self.request(signal.Signals(number).name, 128 + number)


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Within the block the first Ctrl-C or SIGTERM asks the loop to stop; the second leaves at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_LOOK: ContextVar[Callable[[], None] | None] = ContextVar("look", default=None)


def check() -> None:
    """Raise Interrupted if the long work under way is to be left: called between two parts of it, wherever that is."""
    look = _LOOK.get()
    if look is not None:
        look()


@contextmanager
def checking(look: Callable[[], None]) -> Iterator[None]:
    """Within the block `check` calls `look`, whose raising ends the work; outside of any block nothing ends it."""
    token = _LOOK.set(look)
    try:
        yield
    finally:
        _LOOK.reset(token)
