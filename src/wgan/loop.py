"""train(): the one loop. Every branch in it is a duty with a name: log, sample, checkpoint, stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from wgan.adaptive import follow, require_held_out
from wgan.config import Config
from wgan.data import Source, data_options, open_source
from wgan.engine import order, seeded, thread_count
from wgan.log import Log
from wgan.monitor import Monitor
from wgan.optim import set_rate
from wgan.plots import fonts_are_listed
from wgan.progress import Progress
from wgan.rules import cautions
from wgan.run import Run, check_folder, lock, open_run, start_or_continue
from wgan.schedule import CRITIC_SCHEDULES, due, rate_factor, updates_before
from wgan.sheets import draw_sheet, finish_pictures
from wgan.state import facts, restore, resume_engine, save, tidy
from wgan.stop import Interrupted, Stop, stop_on_signal
from wgan.trouble import WentBack, on_not_finite
from wgan.updates import (
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


@dataclass
class Outcome:
    """How a training ended: the run, and the signal's exit code when it was asked to stop early (0 = finished)."""

    run: Run
    code: int = 0
    notes: list[str] = field(default_factory=list)


def train(config: Config, path: Path, tty: bool | None = None) -> Outcome:
    """Train as `config` says into the run folder `path`, or go on exactly where the run there stopped.

    Raises WganError for anything the user can mend; the folder is then as it was before, or holds its last checkpoint.
    """
    while True:
        with suppress(WentBack):  # the checkpoint says how to go on: as after a kill
            return train_on(config, path, tty)


def train_on(config: Config, path: Path, tty: bool | None) -> Outcome:
    """Train until the end, a signal, or a number that is not finite (WganError, or WentBack to be called again)."""
    check_folder(path)
    source = open_source(config.data, config.split, options=data_options(config))
    with ExitStack() as stack:
        engine = resume_engine(config, path, source)
        stack.enter_context(thread_count(engine.threads))
        players = make_players(config, engine, source)  # before the folder: what cannot be built leaves no trace
        require_held_out(Monitor(config, source))
        stack.callback(lock(path).release)
        run = start_or_continue(path, config, facts(engine, source) | source.facts())
        restored = restore(players, run)
        log = stack.enter_context(Log(path, restored.start))
        progress = stack.enter_context(Progress(config.steps, restored.start, tty))
        stop = stack.enter_context(stop_on_signal())
        stack.enter_context(on_not_finite(players, source, run))
        monitor = Monitor.resumed(config, source, run.log())
        tidy(run, monitor.best)  # a kill may have come between the last checkpoint and the dropping of the oldest
        for note in [*cautions(config), *source.notes, *restored.notes]:
            progress.message(note)
        if restored.fresh:
            draw_sheet(players, source, run, log, 0)
        if restored.event:
            # with the next step's line, because this checkpoint may be read again
            log.event(restored.start + 1, restored.event)
            progress.message(restored.event)
        for step in range(restored.start, config.steps):
            done, last = step + 1, step + 1 == config.steps
            evaluating = due(config.evaluate_every, done, last)
            logging = due(config.log_every, done, last) or evaluating
            stats = take_step(players, source, step, stop, logging)
            if not stats:
                progress.message(f"{stop.reason}: saving step {step} and {players.updates} critic updates of the next")
                log.flush()
                save(players, run, step, monitor.best)
                break
            stats = follow(players, monitor, done, stats)
            if evaluating:
                try:
                    stats |= monitor.measure(players, done, stop.leave)
                except Interrupted:
                    progress.message(f"{stop.reason}: saving step {done}, to be evaluated when the run goes on")
                    players.measured = numbers(stats)
                    log.flush()
                    save(players, run, done, monitor.best)
                    break
            if logging:
                log.scalars(done, numbers(stats))
            if evaluating:
                for text in monitor.alarms(done, numbers(stats)):
                    log.event(done, text)
                    progress.message(f"step {done}: alarm, {text}")
            if due(config.sample_every, done, last):
                draw_sheet(players, source, run, log, done)
            leaving = stop.reason  # looked at once: a signal that comes from here on is the next step's
            if leaving:
                progress.message(f"{leaving}: saving step {done}, then leaving (once more: at once)")
            saving = due(config.checkpoint_every, done, last) or due(config.keep_every, done)
            if saving or monitor.best == done or leaving:
                log.flush()
                save(players, run, done, monitor.best)
            progress.update(done, shown(stats))
            if leaving:
                break
        with suppress(Interrupted):
            finish_pictures(run, stop.hurry, curves=not stop.reason or fonts_are_listed())
        return Outcome(open_run(path), stop.code, list(restored.notes))


def take_step(p: Players, source: Source, step: int, stop: Stop, logging: bool) -> Stats:
    """Update both players and return the statistics; nothing when a signal cut a long critic phase.

    A step whose evaluation a signal cut was taken before: its statistics come from the checkpoint.
    """
    if p.measured:
        stats: Stats = {**p.measured}
        p.measured = {}
        return stats
    set_rates(p, step)
    stats = critic_phase(p, source, step, stop.overdue)
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
    c = p.config
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
            draws = p.engine.draws(c.seed, step, f"critic points {k}", c.batch // c.pack)
            stats = critic_update(p, real, fake, y, draws)
        p.updates = (k + 1) % count
        if p.updates and overdue():
            break
    stats["critic/wasserstein"] = stats["critic/real"] - stats["critic/fake"]
    return stats


def critic_latents(p: Players, step: int, k: int) -> Tensor:
    """Return the latents [B, Z] of critic update k at `step`."""
    c = p.config
    return p.engine.draws(c.seed, step, f"critic latent {k}", c.batch).normal(c.latent)


def fakes_together(p: Players, step: int, count: int) -> list[Tensor]:
    """Return the fakes of all critic updates of `step`, made in one pass; none where that gains nothing or changes them.

    A small MLP gains: a pass costs more in calls than in products. Batch norm makes a fake depend on its batch. All are
    made also where a stopped run goes on within the phase: another number of rows might round differently.
    """
    c = p.config
    if not c.fast or c.generator != "mlp" or c.generator_norm == "batch" or p.generator.classes or not 1 < count <= 16:
        return []
    latents = torch.cat([critic_latents(p, step, k) for k in range(count)])
    return [*make_fakes(p, latents, None).split(c.batch)]


def generator_phase(p: Players, source: Source, step: int) -> Stats:
    """Update the generator once; labels follow the data's own frequencies."""
    c, rows = p.config, p.config.generator_batch or p.config.batch
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
    world = c.batch * p.engine.world
    mine = order(c.seed, c.sampling, len(source), position * world, world)[p.engine.rank * c.batch :][: c.batch]
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
