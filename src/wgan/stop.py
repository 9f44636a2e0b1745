"""Stop: how Ctrl-C and SIGTERM end a run within five seconds, with everything saved."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PATIENCE = 2.0  # seconds that the step under way is given to end; then it is cut between two critic updates


class Interrupted(Exception):
    """A signal came within a block that is left at once."""


@dataclass
class Stop:
    """Set by Ctrl-C or SIGTERM: the loop leaves after the step that is under way, or within it when that takes long."""

    reason: str = ""
    code: int = 0
    asked: float = 0.0  # when, on the monotonic clock
    at_once: bool = False  # what runs now will be run again: leave it by raising Interrupted

    def overdue(self) -> bool:
        """Return whether the step has had its time since the signal."""
        return bool(self.reason) and time.monotonic() - self.asked > PATIENCE

    @contextmanager
    def leaving_at_once(self) -> Iterator[None]:
        """Within the block a signal raises Interrupted, and one that came before does so at the start."""
        self.at_once = True
        try:
            if self.reason:
                raise Interrupted
            yield
        finally:
            self.at_once = False

    def ask(self, number: int, frame: object) -> None:
        """Handle a signal: the first asks, the second leaves at once."""
        if self.reason:
            raise KeyboardInterrupt
        self.reason, self.code, self.asked = signal.Signals(number).name, 128 + number, time.monotonic()
        if self.at_once:
            raise Interrupted


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
