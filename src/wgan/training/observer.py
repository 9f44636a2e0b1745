"""on_step: a function of the caller that sees what the log gets and may end the run; it can change nothing of it."""

from __future__ import annotations

import asyncio
import enum
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wgan.config import Config
from wgan.distributed.group import Group
from wgan.errors import SaidElsewhere, WganError
from wgan.host import contained
from wgan.runs.mirror import Mirror


class Wish(enum.Enum):
    """What `on_step` may return."""

    STOP = "stop"

    def __repr__(self) -> str:
        return "wgan.STOP"


STOP = Wish.STOP
RAISED = "raised"
OnStep = Callable[[int, dict[str, float]], object]  # step, numbers by tag -> STOP, or anything else to continue


def require_callable(on_step: object) -> None:
    """Raise WganError unless `on_step` can be called as f(step, numbers)."""
    wanted = "on_step must be a function f(step, numbers)"
    if not callable(on_step):
        raise WganError(f"{wanted}, not {on_step!r:.60}")
    if asyncio.iscoroutinefunction(on_step):
        raise WganError(f"{wanted} that is not async: nothing would await it")
    try:
        inspect.signature(on_step).bind(0, {})
    except TypeError as error:
        raise WganError(f"{wanted}, and this one cannot be called so: {error}") from None
    except ValueError:  # a builtin that tells nothing of its arguments
        return


@contextmanager
def mirroring(on_step: OnStep | None, to: str | None, folder: Path, config: Config) -> Iterator[OnStep | None]:
    """Yield a function that sends what it sees to the tracker `to` before `on_step` sees it; None = on_step itself."""
    if to is None:
        yield on_step
        return
    if on_step is not None:
        require_callable(on_step)
    mirror = Mirror(to, folder.name, config)

    def both(step: int, numbers: dict[str, float]) -> object:
        mirror(step, numbers)
        return None if on_step is None else on_step(step, numbers)

    try:
        yield both
    finally:
        mirror.close()


@dataclass
class Observer:
    """Calls `on_step` on the process that leads, and remembers how it ended the run."""

    on_step: OnStep | None
    group: Group
    watching: bool = field(init=False)  # known to all: without one no process waits for an answer
    why: str = ""  # the run ends; "" = it continues
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        if self.on_step is not None:
            require_callable(self.on_step)
        self.watching = self.group.on_main(lambda: self.on_step is not None)

    @property
    def failed(self) -> bool:
        """Whether `on_step` raised; known to every process."""
        return RAISED in self.why

    def see(self, step: int, numbers: Mapping[str, float]) -> None:
        """Show the line that the log got for `step`; all processes then know whether the run ends."""
        if not self.watching:
            return
        self.why = self.group.on_main(lambda: self._answer(step, numbers))

    def _answer(self, step: int, numbers: Mapping[str, float]) -> str:
        if self.on_step is None:
            return ""
        try:
            with contained():
                answer = self.on_step(step, dict(numbers))
        except BaseException as error:  # kept, and raised once the run is saved
            if isinstance(error, KeyboardInterrupt) and self.group.stop.reason:  # the second Ctrl-C: at once
                raise
            self.failure = error
            return f"on_step {RAISED} {type(error).__name__}"
        return "on_step returned wgan.STOP" if answer is STOP else ""

    def end(self) -> None:
        """Raise what `on_step` raised, now that the run is saved; the other processes leave without a word."""
        if self.failure is not None:
            raise self.failure
        if self.failed:
            raise SaidElsewhere(self.why)
