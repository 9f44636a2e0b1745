"""--minutes: how many steps fit into a time, from a few measured ones; the run is then an ordinary one of so many steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wgan.config import Config
from wgan.config.option import Option
from wgan.data import Source
from wgan.distributed.group import Group
from wgan.distributed.signals import Stop
from wgan.errors import WganError
from wgan.host import thread_count
from wgan.runs.folder import has_run, open_run
from wgan.sampling.generate import generate
from wgan.sampling.latents import fixed_latents
from wgan.training.adaptive import follow, require_held_out
from wgan.training.given import NONE_GIVEN, Given
from wgan.training.monitor import Monitor
from wgan.training.players import Players, make_players
from wgan.training.schedule import due, updates_before
from wgan.training.state import engine_for
from wgan.training.step import critic_phase, take_step

WARM, LEAST = 2, 3  # steps before the first that is timed, timed ones at least
FRACTION = 0.03  # of the time for measuring, where that is more than LEAST steps
LONGEST = 10.0  # seconds of measuring at most
END = 3.0  # seconds for what is not measured: the run folder, the pictures of the end
MINUTES = Option("minutes", "", None, "", float, low=0.05, high=1e6)
Clock = Callable[[], float]


def checked_minutes(minutes: Any, overrides: dict[str, Any]) -> float | None:
    """Return `minutes` as a number or None; WganError for a bad value, and beside `steps`, which says the same otherwise."""
    if minutes is None:
        return None
    if overrides.get("steps") is not None:
        raise WganError("minutes chooses the number of steps: give minutes or steps, not both")
    found: float = MINUTES.fitted(minutes)
    return found


@dataclass(frozen=True)
class Budget:
    """A time that a whole run may take, s, since `begun` on `clock`."""

    seconds: float
    clock: Clock = time.perf_counter
    begun: float = 0.0

    @property
    def left(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - (self.clock() - self.begun)


def budget(minutes: float | None, clock: Clock | None = None) -> Budget | None:
    """Return the Budget that begins now; None for minutes None."""
    clock = clock or time.perf_counter
    return None if minutes is None else Budget(60 * minutes, clock, clock())


@dataclass(frozen=True)
class Costs:
    """The seconds that the parts of a run take."""

    step: float  # with n_critic updates of the critic, and its part of the log
    update: float  # of the critic alone, where a schedule has steps with more of them
    evaluation: float
    grid: float
    opening: float = 0.0  # what the first evaluation takes more: held-out samples and their features, once a run

    def of(self, c: Config, steps: int) -> float:
        """Return the seconds of a run of `steps` steps."""
        more = updates_before(c.critic_schedule, steps, c.n_critic) - steps * c.n_critic
        duties = duty_count(c.evaluate_every, steps) * self.evaluation + duty_count(c.sample_every, steps) * self.grid
        return self.opening + steps * self.step + more * self.update + duties


def duty_count(every: int | None, steps: int) -> int:
    """Return how often a duty falls in `steps` steps, the last of which always has it."""
    return 1 if every is None else -(-steps // every)


def steps_within(seconds: float, costs: Costs, c: Config) -> int:
    """Return the largest number of steps whose run takes at most `seconds`; 0 where not even one does."""
    low, high = 0, 1
    while costs.of(c, high) <= seconds and high < 10**8:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if costs.of(c, middle) <= seconds else (low, middle)
    return min(low, 10**8)


def planned(
    config: Config, path: Path | None, source: Source, b: Budget, group: Group, given: Given = NONE_GIVEN
) -> tuple[Config, str]:
    """Return the config with the steps that fit into the budget, and a sentence on them; nothing is written.

    A run that is there keeps its number, so that the same command continues it bit for bit. Raises WganError where not one
    step fits.
    """
    known = group.on_main(lambda: open_run(path).config.steps if path and has_run(path) else 0)
    if known:
        return config.replace(steps=known), f"minutes: the run keeps the {known} steps it was begun with"
    costs = measured_costs(config, source, b, group, given)
    steps = group.on_main(lambda: _fitting(b, costs, config))
    said = f"minutes: a step takes {1e3 * costs.step:.3g} ms here, so the run has {steps} steps"
    return config.replace(steps=steps), said


def _fitting(b: Budget, costs: Costs, c: Config) -> int:
    """Return the number of steps for what is left of the budget; WganError where not one fits."""
    left = b.left
    steps = steps_within(left - END, costs, c)
    if steps < 1:
        needed = b.seconds - left + END + costs.of(c, 1)
        raise WganError(
            f"minutes {b.seconds / 60:g} is too short: measuring, one step and its evaluation take {needed / 60:.2g} minutes here"
        )
    return steps


def measured_costs(config: Config, source: Source, b: Budget, group: Group, given: Given = NONE_GIVEN) -> Costs:
    """Return what a step, an evaluation and a sample grid cost, from players that are thrown away."""
    config = config.replace(critic_schedule="constant")
    engine = group.on_all(lambda: engine_for(config, source, group))
    with thread_count(engine.threads):
        p = group.on_all(lambda: make_players(config, engine, source, given))
        monitor = Monitor(config, source)
        group.on_all(lambda: require_held_out(monitor))
        stop = Stop()
        step = seconds_of_step(p, source, stop, b, monitor)
        update = timed(b.clock, lambda: critic_phase(p, source, 0)) / config.n_critic
        with p.engine.shard.alone():
            first, evaluation = (timed(b.clock, lambda: monitor.measure(p, 0)) for _ in range(2))
        drawn = timed(b.clock, lambda: grid(p, source))
        return Costs(step, update, evaluation, drawn, max(first - evaluation, 0.0))


def seconds_of_step(p: Players, source: Source, stop: Stop, b: Budget, monitor: Monitor) -> float:
    """Return the mean seconds of a step, over at least LEAST and for at most a fraction of the budget."""
    group, limit = p.engine.group, min(FRACTION * b.seconds, LONGEST)

    def step(i: int) -> None:
        stats = take_step(p, source, i, stop, due(p.config.log_every, i))
        if p.config.augment_target:
            p.augment_fraction = group.on_main(lambda: _augment_fraction(p, monitor, i, stats))
        for value in stats.values():
            float(value)

    for i in range(WARM):
        step(i)
    begun, count = b.clock(), 0
    while count < LEAST or group.on_main(lambda: b.clock() - begun < limit):
        step(WARM + count)
        count += 1
    return (b.clock() - begun) / count


def _augment_fraction(p: Players, monitor: Monitor, i: int, stats: Any) -> float:
    with p.engine.shard.alone():
        follow(p, monitor, i, stats)
    return p.augment_fraction


def grid(p: Players, source: Source) -> None:
    """Make the samples of a sample grid."""
    network = p.best_generator
    if source.is_image:
        generate(network, *fixed_latents(p.config.seed, network.latent, network.classes, source.conditions), p.engine)


def timed(clock: Clock, work: Callable[[], object]) -> float:
    """Return the seconds of `work`."""
    begun = clock()
    work()
    return clock() - begun
