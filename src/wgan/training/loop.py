"""train(): the one loop. Every branch in it is a duty with a name: log, sample, checkpoint, stop.

With many processes every one runs it; what only one may do, rank 0 does through Recorder while the others wait.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from wgan.config import Config
from wgan.distributed.group import PATIENCE, Group
from wgan.distributed.rendezvous import formed
from wgan.distributed.signals import Interrupted, Stop, checking, stop_on_signal
from wgan.host import undisturbed
from wgan.progress import Progress
from wgan.runs.folder import Run
from wgan.training.accumulate import Stats
from wgan.training.budget import Budget, budget
from wgan.training.given import NONE_GIVEN, Given
from wgan.training.nonfinite import WentBack, on_not_finite
from wgan.training.observer import Observer, OnStep
from wgan.training.pictures import finish_pictures
from wgan.training.recorder import Recorder
from wgan.training.schedule import due
from wgan.training.start import prepared
from wgan.training.state import NOTHING, Begun, Restored
from wgan.training.step import StepCut, take_step
from wgan.visual.plots import fonts_are_listed


@dataclass
class Outcome:
    """How a training ended: the run, and the signal's exit code when it was asked to stop early (0 = finished)."""

    run: Run
    code: int = 0
    notes: list[str] = field(default_factory=list)
    settled: bool = False  # it ended before its last step, because `patience` ran out


@undisturbed()
def train(
    config: Config,
    path: Path,
    tty: bool | None = None,
    group: Group | None = None,
    patience: float = PATIENCE,
    on_step: OnStep | None = None,
    given: Given = NONE_GIVEN,
    minutes: float | None = None,
    from_run: Run | None = None,
) -> Outcome:
    """Train as `config` says into the run folder `path`, or resume exactly where the run there stopped.

    With many processes each calls this with the same config; one writes the folder. group: they, where they are formed
    already; patience: seconds without an answer after which a process counts as stuck. on_step: see wgan.training.observer.
    given: parts of the run as objects, see wgan.training.given. from_run: a run whose weights a new one starts from.
    minutes: the run gets as many steps as fit into that time, see wgan.training.budget.
    Raises WganError for anything the user can fix; the folder is then as it was before, or holds its last checkpoint.
    """
    with ExitStack() as stack:
        everyone = group or stack.enter_context(formed(patience))
        observer = everyone.on_all(lambda: Observer(on_step, everyone))
        time = budget(minutes)
        while True:
            with suppress(WentBack):  # the checkpoint says how to resume: as after a kill
                outcome = train_on(config, path, tty, everyone, observer, given, time, from_run)
                observer.end()
                return outcome


def train_on(
    config: Config,
    path: Path,
    tty: bool | None,
    group: Group,
    observer: Observer,
    given: Given = NONE_GIVEN,
    time: Budget | None = None,
    from_run: Run | None = None,
) -> Outcome:
    """Train until the end, a signal, or a number that is not finite (WganError, or WentBack to be called again)."""
    with ExitStack() as stack:
        players, source, run, restored = prepared(config, path, group, stack, given, time, from_run)
        progress = stack.enter_context(Progress(players.config.steps, restored.start, tty, silent=not group.is_main))
        stop = group.stop = stack.enter_context(stop_on_signal())
        stack.enter_context(on_not_finite(players, source, run))
        recorder = Recorder(players, source, run, progress, stop)
        recorder.open(stack, restored)
        take_steps(recorder, observer, restored)
        if recorder.settled:
            progress.message(recorder.why_settled())
        code = stop.code if observer.failed else group.on_main(lambda: finish(run, stop))
        return Outcome(run, code, list(restored.notes), recorder.settled)


def take_steps(recorder: Recorder, observer: Observer, restored: Restored) -> None:
    """Take the steps from where the run was left, each with the duties that fall on it, and save the last."""
    p, progress, stop = recorder.players, recorder.progress, recorder.stop
    config, group = p.config, p.engine.group
    begun = restored.begun
    if recorder.settled:  # patience ended the run before
        return
    for step in range(restored.start, config.steps):
        done, last = step + 1, step + 1 == config.steps
        evaluating = due(config.evaluate_every, done, last)
        logging = due(config.log_every, done, last) or evaluating
        try:
            stats = dict(begun.stats or take_step(p, recorder.source, step, stop, logging, begun.updates))
        except StepCut as cut:
            group.sync_stop()
            progress.message(f"{stop.reason}: saving step {step} and {cut.updates} critic updates of the next")
            recorder.save(step, Begun(cut.updates))
            return
        begun = NOTHING
        stats = recorder.follow(done, stats)
        if evaluating:
            metrics = recorder.measure(done)
            if metrics is None:
                progress.message(f"{stop.reason}: saving step {done}, to be evaluated when the run is resumed")
                recorder.save(done, Begun(stats=numbers(stats)))
                return
            stats |= metrics
            last = last or recorder.settled
        if logging:
            recorder.log_step(done, numbers(stats), evaluating)
            observer.see(done, numbers(stats))
        if due(config.sample_every, done, last):
            recorder.draw(done)
        leaving = group.sync_stop()  # looked at once: a signal that comes from here on is the next step's
        if leaving:
            progress.message(f"{stop.reason}: saving step {done}, then leaving (once more: at once)")
        elif observer.why and not last:
            progress.message(f"{observer.why}: saving step {done}, then leaving")
            leaving = True
        saving = due(config.checkpoint_every, done, last) or due(config.keep_every, done)
        if saving or recorder.best == done or leaving:
            recorder.save(done)
        progress.update(done, shown(stats))
        if leaving or last:
            return


def finish(run: Run, stop: Stop) -> int:
    """Draw the pictures of the end, as far as a signal leaves time for them; return the exit code."""
    with suppress(Interrupted), checking(stop.hurry):
        finish_pictures(run, curves=not stop.reason or (stop.plots() and fonts_are_listed()))
    return stop.code


def numbers(stats: Stats) -> dict[str, float]:
    """Return the statistics as plain numbers, in a fixed order."""
    return {name: float(value) for name, value in sorted(stats.items())}


def shown(stats: Stats) -> dict[str, float]:
    """Return what the progress line shows."""
    wanted = ("critic/wasserstein", "generator/loss", "generator/gradient_norm")
    return {name: float(stats[name]) for name in wanted if name in stats}
