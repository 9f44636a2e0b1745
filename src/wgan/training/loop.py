"""train(): the one loop. Every branch in it is a duty with a name: log, sample, checkpoint, stop.

With many processes every one runs it; what only one may do, rank 0 does through Desk while the others wait.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wgan.config import Config
from wgan.data import Source, data_options, open_source
from wgan.distributed.group import PATIENCE, Group
from wgan.distributed.rendezvous import formed
from wgan.distributed.signals import Interrupted, Stop, stop_on_signal
from wgan.engine import order, seeded, thread_count
from wgan.progress import Progress
from wgan.runs.folder import Run, check_folder, lock, start_or_continue, versions
from wgan.sampling.sheets import finish_pictures
from wgan.training.adaptive import require_held_out
from wgan.training.monitor import Monitor
from wgan.training.nonfinite import WentBack, on_not_finite
from wgan.training.optim import set_rate
from wgan.training.recorder import Desk
from wgan.training.schedule import CRITIC_SCHEDULES, due, rate_factor, updates_before
from wgan.training.state import facts, require_divides, restore, resume_engine
from wgan.training.updates import (
    Players,
    Stats,
    critic_update,
    generator_update,
    make_fakes,
    make_players,
    require_finite,
    require_finite_weights,
    watch,
)
from wgan.visual.plots import fonts_are_listed


@dataclass
class Outcome:
    """How a training ended: the run, and the signal's exit code when it was asked to stop early (0 = finished)."""

    run: Run
    code: int = 0
    notes: list[str] = field(default_factory=list)


def train(
    config: Config, path: Path, tty: bool | None = None, group: Group | None = None, patience: float = PATIENCE
) -> Outcome:
    """Train as `config` says into the run folder `path`, or go on exactly where the run there stopped.

    With many processes each calls this with the same config; one writes the folder. group: they, where they are formed
    already; patience: seconds without an answer after which a process counts as stuck.
    Raises WganError for anything the user can mend; the folder is then as it was before, or holds its last checkpoint.
    """
    with ExitStack() as stack:
        everyone = group or stack.enter_context(formed(patience))
        while True:
            with suppress(WentBack):  # the checkpoint says how to go on: as after a kill
                return train_on(config, path, tty, everyone)


def train_on(config: Config, path: Path, tty: bool | None, group: Group) -> Outcome:
    """Train until the end, a signal, or a number that is not finite (WganError, or WentBack to be called again)."""
    require_one_plan(config, group)
    group.lead(lambda: check_folder(path))
    source = opened(config, group)
    with ExitStack() as stack:
        engine = resume_engine(config, path, source, group)
        stack.enter_context(thread_count(engine.threads))
        # before the folder: what cannot be built leaves no trace
        players = group.agree(lambda: make_players(config, engine, source))
        group.agree(lambda: require_held_out(Monitor(config, source)))
        run = begin(path, players, source, stack)
        restored = group.agree(lambda: restore(players, run))
        progress = stack.enter_context(Progress(config.steps, restored.start, tty, silent=not group.leads))
        stop = group.stop = stack.enter_context(stop_on_signal())
        stack.enter_context(on_not_finite(players, source, run))
        desk = Desk(players, source, run, progress, stop)
        desk.open(stack, restored)
        for step in range(restored.start, config.steps):
            done, last = step + 1, step + 1 == config.steps
            evaluating = due(config.evaluate_every, done, last)
            logging = due(config.log_every, done, last) or evaluating
            stats = take_step(players, source, step, stop, logging)
            if not stats:
                group.hear()
                progress.message(f"{stop.reason}: saving step {step} and {players.updates} critic updates of the next")
                desk.save(step)
                break
            stats = desk.follow(done, stats)
            if evaluating:
                figures = desk.measure(done)
                if figures is None:
                    progress.message(f"{stop.reason}: saving step {done}, to be evaluated when the run goes on")
                    players.measured = numbers(stats)
                    desk.save(done)
                    break
                stats |= figures
            if logging:
                desk.log_step(done, numbers(stats), evaluating)
            if due(config.sample_every, done, last):
                desk.draw(done)
            leaving = group.hear()  # looked at once: a signal that comes from here on is the next step's
            if leaving:
                progress.message(f"{stop.reason}: saving step {done}, then leaving (once more: at once)")
            saving = due(config.checkpoint_every, done, last) or due(config.keep_every, done)
            if saving or desk.best == done or leaving:
                desk.save(done)
            progress.update(done, shown(stats))
            if leaving:
                break
        return Outcome(run, group.lead(lambda: finish(run, stop)), list(restored.notes))


def finish(run: Run, stop: Stop) -> int:
    """Draw the pictures of the end, as far as a signal leaves time for them; return the exit code."""
    with suppress(Interrupted):
        finish_pictures(run, stop.hurry, curves=not stop.reason or (stop.plots() and fonts_are_listed()))
    return stop.code


def require_one_plan(config: Config, group: Group) -> None:
    """Raise WganError on every process unless all have the same options and versions, and can share a batch."""
    here = versions()
    same = json.loads(config.to_json()) | {name: here[name] for name in ("wgan", "torch", "numpy")}
    group.require_same(same, "start every process with the same options and the same versions")
    group.agree(lambda: require_divides(config, group))


def opened(config: Config, group: Group) -> Source:
    """Return the data; rank 0 prepares them first, so that the others find that done where the cache is shared."""
    found: list[Source] = []

    def read() -> None:
        if not found:
            found.append(open_source(config.data, config.split, options=data_options(config)))

    group.lead(read, patient=True)
    group.agree(read, patient=True)
    group.require_same(
        {"samples": len(found[0]), "content": found[0].fingerprint},
        f"give every machine the same {config.data}",
    )
    return found[0]


def begin(path: Path, p: Players, source: Source, stack: ExitStack) -> Run:
    """Return the run in the folder `path`, new or to be continued; rank 0 holds its lock until `stack` ends."""

    def start() -> dict[str, Any]:
        stack.callback(lock(path).release)
        return start_or_continue(path, p.config, facts(p.engine, source) | source.facts()).facts

    return Run(path, p.config, p.engine.group.lead(start))


def take_step(p: Players, source: Source, step: int, stop: Stop, logging: bool) -> Stats:
    """Update both players and return the statistics; nothing when a signal cut a long critic phase.

    A step whose evaluation a signal cut was taken before: its statistics come from the checkpoint.
    """
    if p.measured:
        stats: Stats = {**p.measured}
        p.measured = {}
        return stats
    set_rates(p, step)
    group = p.engine.group
    stats = critic_phase(p, source, step, stop.overdue if group.world == 1 else lambda: group.overdue)
    if p.updates:
        return {}
    stats |= generator_phase(p, source, step)
    require_finite(stats, step + 1)
    require_finite_weights(p, step + 1)
    return stats | watch(p) if logging else stats


def critic_phase(p: Players, source: Source, step: int, overdue: Callable[[], bool] = lambda: False) -> Stats:
    """Update the critic as often as the schedule says at `step`; return the last update's statistics.

    It begins where a stopped run left off, p.updates, and leaves that above 0 when `overdue` cuts it between two updates.
    """
    c, rows = p.config, p.engine.rows(p.config.batch)
    count = CRITIC_SCHEDULES[c.critic_schedule](step, c.n_critic)
    stats: Stats = {}
    together = fakes_together(p, step, count)
    shared = real_batch(p, source, step, 0) if c.real_batches == "shared" else None
    for k in range(p.updates, count):
        real, y = shared or real_batch(p, source, step, k)
        with randomness(p, step, f"critic dropout {k}"):
            fake = together[k] if together else make_fakes(p, critic_latents(p, step, k), y)
            fake = p.augment(fake, step, f"augment fake {k}")
            real = p.augment(real, step, f"augment real {k}")
            draws = p.engine.draws(c.seed, step, f"critic points {k}", rows // c.pack)
            stats = critic_update(p, real, fake, y, draws)
        p.updates = (k + 1) % count
        if p.updates and overdue():
            break
    stats["critic/wasserstein"] = stats["critic/real"] - stats["critic/fake"]
    return stats


def critic_latents(p: Players, step: int, k: int) -> Tensor:
    """Return the latents [B, Z] of critic update k at `step`."""
    c = p.config
    return p.engine.draws(c.seed, step, f"critic latent {k}", p.engine.rows(c.batch)).normal(c.latent)


def fakes_together(p: Players, step: int, count: int) -> list[Tensor]:
    """Return the fakes of all critic updates of `step`, made in one pass; none where that gains nothing or changes them.

    A small MLP gains: a pass costs more in calls than in products. Batch norm makes a fake depend on its batch. All are
    made also where a stopped run goes on within the phase: another number of rows might round differently.
    """
    c = p.config
    if not c.fast or c.generator != "mlp" or c.generator_norm == "batch" or p.generator.classes or not 1 < count <= 16:
        return []
    latents = torch.cat([critic_latents(p, step, k) for k in range(count)])
    return [*make_fakes(p, latents, None).split(p.engine.rows(c.batch))]


def generator_phase(p: Players, source: Source, step: int) -> Stats:
    """Update the generator once; labels follow the data's own frequencies."""
    c, rows = p.config, p.engine.rows(p.config.generator_batch or p.config.batch)
    last = CRITIC_SCHEDULES[c.critic_schedule](step, c.n_critic) - 1
    if c.generator_latents == "last":
        z = critic_latents(p, step, last)
        _, y = real_batch(p, source, step, last)
    else:
        z = p.engine.draws(c.seed, step, "generator latent", rows).normal(c.latent)
        y = drawn_labels(p, source, step, rows)
    real = p.augment(real_batch(p, source, step, last)[0], step, "augment real") if p.objective.relativistic else None
    with randomness(p, step, "generator dropout"):
        return generator_update(p, z, y, real, step)


def real_batch(p: Players, source: Source, step: int, k: int) -> tuple[Tensor, Tensor | None]:
    """Return the real images [B, *shape] in [-1, 1] and labels [B] of critic update k at `step`."""
    c = p.config
    shared = c.real_batches == "shared"
    position = step if shared else updates_before(c.critic_schedule, step, c.n_critic) + k
    mine = p.engine.place.cut(order(c.seed, c.sampling, len(source), position * c.batch, c.batch))
    x, y = source.batch(mine)
    return p.mirror(p.engine.to_float(x), position), None if y is None else y.to(p.engine.device)


def drawn_labels(p: Players, source: Source, step: int, rows: int) -> Tensor | None:
    """Return labels [rows] of randomly drawn real samples: the fakes' classes are as frequent as the data's."""
    if source.labels is None or source.classes == 0:
        return None
    index = p.engine.draws(p.config.seed, step, "generator label", rows).integers(len(source))
    return source.labels[index].to(p.engine.device)


@contextmanager
def randomness(p: Players, step: int, purpose: str) -> Iterator[None]:
    """Seed torch's default generator, which only dropout reads; nothing to do without dropout."""
    with ExitStack() as stack:
        if p.config.dropout:
            stack.enter_context(seeded(p.config.seed, step, p.engine.purpose(purpose)))
        yield


def set_rates(p: Players, step: int) -> None:
    """Set both learning rates for `step`; each time that the run went back has halved them."""
    factor = rate_factor(p.config.lr_decay, step, p.config.steps) * 0.5**p.engine.stream
    set_rate(p.generator_optimizer, p.config.lr * factor)
    set_rate(p.critic_optimizer, (p.config.critic_lr or p.config.lr) * factor)


def numbers(stats: Stats) -> dict[str, float]:
    """Return the statistics as plain numbers, in a fixed order."""
    return {name: float(value) for name, value in sorted(stats.items())}


def shown(stats: Stats) -> dict[str, float]:
    """Return what the progress line shows."""
    wanted = ("critic/wasserstein", "generator/loss", "generator/gradient_norm")
    return {name: float(stats[name]) for name in wanted if name in stats}
