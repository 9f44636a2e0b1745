"""What rank 0 records while a run trains: log, alarms, sample grids, evaluation, checkpoints. The others wait."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field

from wgan.config.rules import cautions
from wgan.data import Source
from wgan.distributed.signals import Interrupted, Stop, checking
from wgan.progress import Progress
from wgan.runs.checkpoint import flatten
from wgan.runs.folder import Run
from wgan.runs.log import Log
from wgan.training.accumulate import Stats
from wgan.training.adaptive import follow
from wgan.training.monitor import Monitor
from wgan.training.pictures import draw_grid
from wgan.training.players import Players
from wgan.training.state import NOTHING, Begun, Restored, save, state, tidy


@dataclass
class Recorder:
    """The duties of one run; each call is one for all processes, and rank 0 does the work."""

    players: Players
    source: Source
    run: Run
    progress: Progress
    stop: Stop
    best: int | None = None  # the step with the lowest selection metric so far, known to all
    waited: int = 0  # evaluations since then, known to all
    log: Log = field(init=False)  # of rank 0 only
    monitor: Monitor = field(init=False)

    def open(self, stack: ExitStack, restored: Restored) -> None:
        """Open the log at the resume step, print pending notes, draw the first sample grid of a new run."""

        self.monitor = Monitor(self.players.config, self.source)

        def work() -> tuple[int | None, int]:
            self.log = stack.enter_context(Log(self.run.path, restored.start))
            self.monitor = Monitor.resumed(self.players.config, self.source, self.run.log())
            tidy(
                self.run, self.monitor.best
            )  # a kill may have come between a checkpoint and the dropping of the oldest
            for note in [*cautions(self.players.config), *self.source.notes, *restored.notes]:
                self.progress.message(note)
            if restored.fresh:
                draw_grid(self.players, self.source, self.run, self.log, 0)
            if restored.event:
                # with the next step's line, because this checkpoint may be read again
                self.log.event(restored.start + 1, restored.event)
                self.progress.message(restored.event)
            return self.monitor.best, self.monitor.waited

        self.best, self.waited = self.players.engine.group.on_main(work)

    @property
    def settled(self) -> bool:
        """Whether the last `patience` evaluations brought nothing better: then the run ends."""
        patience = self.players.config.patience
        return patience is not None and self.waited >= patience

    def why_settled(self) -> str:
        """Return the sentence on a run that `patience` ended."""
        return f"patience: nothing better in {self.waited} evaluations since step {self.best}, so the run ends here"

    def follow(self, done: int, stats: Stats) -> Stats:
        """Return the statistics of step `done` after the probability of augmentation followed them, where it adapts."""
        p = self.players
        if not p.config.augment_target:
            return stats

        def work() -> tuple[float, dict[str, float]]:
            with p.engine.shard.alone():
                after = follow(p, self.monitor, done, stats)
            return p.augment_fraction, {name: float(value) for name, value in after.items() if name not in stats}

        p.augment_fraction, more = p.engine.group.on_main(work)
        return {**stats, **more}

    def measure(self, done: int) -> dict[str, float] | None:
        """Return the metrics of step `done`; None when a signal cut the evaluation."""
        group = self.players.engine.group
        # together they leave together: then no process looks on its own
        leaving = checking(self.stop.leave) if group.world == 1 else nullcontext()
        try:
            with self.players.engine.shard.alone(), leaving:
                metrics = self.monitor.measure(self.players, done)
        except Interrupted:
            group.sync_stop()
            return None
        self.best, self.waited = group.on_main(lambda: (self.monitor.best, self.monitor.waited))
        return metrics

    def log_step(self, done: int, numbers: Mapping[str, float], evaluated: bool) -> None:
        """Write the line of step `done`, and the alarms that an evaluation raised."""

        def work() -> None:
            self.log.scalars(done, numbers)
            for text in self.monitor.alarms(done, numbers) if evaluated else []:
                self.log.event(done, text)
                self.progress.message(f"step {done}: alarm, {text}")

        self.players.engine.group.on_main(work)

    def draw(self, done: int) -> None:
        """Draw the sample grid of step `done`."""
        self.players.engine.group.on_main(lambda: draw_grid(self.players, self.source, self.run, self.log, done))

    def save(self, done: int, begun: Begun = NOTHING) -> None:
        """Write the log's last lines, then the checkpoint of step `done`; all processes must hold the same weights."""
        group = self.players.engine.group
        if group.world > 1:
            group.require_alike(flatten(state(self.players)), done)

        def work() -> None:
            self.log.flush()
            save(self.players, self.run, done, self.best, begun)

        group.on_main(work)
