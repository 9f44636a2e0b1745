"""train(): the one loop. Every branch in it is a duty with a name: log, sample, checkpoint, stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wgan import checkpoint
from wgan.config import Config
from wgan.data import Source, open_source
from wgan.engine import Engine, make_engine, order, seeded, thread_count
from wgan.errors import WganError
from wgan.log import Log
from wgan.monitor import Monitor
from wgan.optim import set_rate
from wgan.progress import Progress
from wgan.run import Run, check_folder, has_run, lock, open_run, start_or_continue, versions
from wgan.schedule import CRITIC_SCHEDULES, rate_factor, updates_before
from wgan.sheets import draw_sheet, finish_pictures
from wgan.updates import (
    Players,
    Stats,
    critic_update,
    generator_update,
    make_fakes,
    make_players,
    require_finite,
    watch,
)


@dataclass
class Stop:
    """Set by Ctrl-C or SIGTERM: the loop leaves after the step that is under way."""

    reason: str = ""
    code: int = 0


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
    check_folder(path)
    source = open_source(config.data, config.split)
    with ExitStack() as stack:
        engine = resume_engine(config, path)
        stack.enter_context(thread_count(engine.threads))
        players = make_players(config, engine, source)  # before the folder: what cannot be built leaves no trace
        stack.callback(lock(path).release)
        run = start_or_continue(path, config, facts(engine, source))
        start, notes = restore(players, run)
        log = stack.enter_context(Log(path, start))
        progress = stack.enter_context(Progress(config.steps, start, tty))
        stop = stack.enter_context(stop_on_signal())
        monitor = Monitor.resumed(config, source, run.log())
        for note in notes:
            progress.message(note)
        if start == 0:
            draw_sheet(players, source, run, log, 0)
        for step in range(start, config.steps):
            set_rates(players, step)
            stats = critic_phase(players, source, step) | generator_phase(players, source, step)
            if stop.reason:
                progress.message(f"{stop.reason}: saving step {step + 1}, then leaving (once more: at once)")
            require_finite(stats, step + 1)
            done, last = step + 1, step + 1 == config.steps
            evaluating = due(config.evaluate_every, done, last)
            if due(config.log_every, done, last) or evaluating:
                stats |= watch(players)
                stats |= monitor.measure(players, done) if evaluating else {}
                log.scalars(done, numbers(stats))
            if evaluating:
                for text in monitor.alarms(done, numbers(stats)):
                    log.event(done, text)
                    progress.message(f"step {done}: alarm, {text}")
            if due(config.sample_every, done, last):
                draw_sheet(players, source, run, log, done)
            if due(config.checkpoint_every, done, last) or monitor.best == done or stop.reason:
                log.flush()
                save(players, run, done, monitor.best)
            progress.update(done, shown(stats))
            if stop.reason:
                break
        finish_pictures(run)
        return Outcome(open_run(path), stop.code, notes)


def due(every: int, done: int, last: bool) -> bool:
    """Return whether a duty with cadence `every` (0 = only at the end) falls on step `done`."""
    return last or (every > 0 and done % every == 0)


def critic_phase(p: Players, source: Source, step: int) -> Stats:
    """Update the critic as often as the schedule says at `step`; return the last update's statistics."""
    c = p.config
    count = CRITIC_SCHEDULES[c.critic_schedule](step, c.n_critic)
    stats: Stats = {}
    for k in range(count):
        real, y = real_batch(p, source, step, k)
        z = p.engine.draws(c.seed, step, f"critic latent {k}", c.batch).normal(c.latent)
        with randomness(p, step, f"critic dropout {k}"):
            fake = make_fakes(p, z, y)
            draws = p.engine.draws(c.seed, step, f"critic points {k}", c.batch // c.pack)
            stats = critic_update(p, real, fake, y, draws)
    stats["critic/wasserstein"] = stats["critic/real"] - stats["critic/fake"]
    return stats


def generator_phase(p: Players, source: Source, step: int) -> Stats:
    """Update the generator once; labels follow the data's own frequencies."""
    c, rows = p.config, p.config.generator_batch or p.config.batch
    last = CRITIC_SCHEDULES[c.critic_schedule](step, c.n_critic) - 1
    if c.generator_latents == "last":
        z = p.engine.draws(c.seed, step, f"critic latent {last}", rows).normal(c.latent)
        _, y = real_batch(p, source, step, last)
    else:
        z = p.engine.draws(c.seed, step, "generator latent", rows).normal(c.latent)
        y = drawn_labels(p, source, step, rows)
    real = real_batch(p, source, step, last)[0] if p.objective.relativistic else None
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
    return p.engine.to_float(x), None if y is None else y.to(p.engine.device)


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
            stack.enter_context(seeded(p.config.seed, step, purpose))
        yield


def set_rates(p: Players, step: int) -> None:
    """Set both learning rates for `step`."""
    factor = rate_factor(p.config.lr_decay, step, p.config.steps)
    set_rate(p.generator_optimizer, p.config.lr * factor)
    set_rate(p.critic_optimizer, (p.config.critic_lr or p.config.lr) * factor)


def numbers(stats: Stats) -> dict[str, float]:
    """Return the statistics as plain numbers, in a fixed order."""
    return {name: float(value) for name, value in sorted(stats.items())}


def shown(stats: Stats) -> dict[str, float]:
    """Return what the progress line shows."""
    wanted = ("critic/wasserstein", "generator/loss", "generator/gradient_norm")
    return {name: float(stats[name]) for name in wanted if name in stats}


# --- state: a dictionary of named things ------------------------------------------------------------------------------


def state(p: Players) -> dict[str, dict[str, Any]]:
    """Return everything that a resumed run needs, by name; the step and the randomness need no state."""
    average = {} if p.average is None else {"average": p.average.state_dict()}
    return {
        "generator": p.generator.state_dict(),
        "critic": p.critic.state_dict(),
        **average,
        "generator_optimizer": optimizer_state(p.generator_optimizer),
        "critic_optimizer": optimizer_state(p.critic_optimizer),
    }


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the optimizer's tensors by parameter number; its rates come from the config."""
    return {str(number): values for number, values in optimizer.state_dict()["state"].items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the tensors {'0/exp_avg': ...} back into the optimizer."""
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition("/")
        slots.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    for weight, slot in optimizer.state.items():
        for name, tensor in slot.items():
            if tensor.shape == weight.shape:  # fused Adam walks memory: a layout unlike the weight's gives wrong steps
                slot[name] = torch.empty_like(weight, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


def save(p: Players, run: Run, step: int, best: int | None) -> None:
    """Write the checkpoint of `step`, then drop all but the last three and the best."""
    about = {"config": p.config.recipe, "versions": versions(), "parts": sorted(state(p))}
    checkpoint.save(run.checkpoints, step, checkpoint.flatten(state(p)), about)
    checkpoint.retain(run.checkpoints, keep=[] if best is None else [best])


def restore(p: Players, run: Run) -> tuple[int, list[str]]:
    """Load the newest whole checkpoint into the players; return its step (0 without one) and what there is to say."""
    found, notes = checkpoint.load_newest(run.checkpoints)
    if found is None:
        return 0, [*notes, f"{run.path} has no whole checkpoint left: starting again at step 0"] if notes else []
    networks = {"generator": p.generator, "critic": p.critic, "average": p.average}
    try:
        for name, network in networks.items():
            if network is not None:
                network.load_state_dict(checkpoint.part(found.tensors, name))
        load_optimizer(p.generator_optimizer, checkpoint.part(found.tensors, "generator_optimizer"))
        load_optimizer(p.critic_optimizer, checkpoint.part(found.tensors, "critic_optimizer"))
    except (RuntimeError, ValueError, KeyError):
        raise WganError(f"the checkpoint of step {found.step} in {run.path} does not fit the networks of its config: "
                        "one of them was changed, or written by another wgan") from None  # fmt: skip
    word = "finished already" if found.step == run.config.steps else "continuing"
    return found.step, [*notes, f"{word}: {run.path} at step {found.step}"]


def resume_engine(config: Config, path: Path) -> Engine:
    """Return the engine; a run that is continued keeps the precision and threads it was begun with, for equal bits."""
    convolutional = "conv" in (config.generator, config.critic)
    engine = make_engine(config.device, config.precision, config.threads, convolutional)
    if not has_run(path):
        return engine
    known = open_run(path).facts
    return Engine(engine.device, known["precision"], known["threads"])


def facts(engine: Engine, source: Source) -> dict[str, Any]:
    """Return what run.json records beside the config: the data's shape and how 'auto' was resolved."""
    return {
        "shape": list(source.shape),
        "classes": source.classes,
        "class_names": list(source.class_names),
        "device": engine.device.type,
        "precision": engine.precision,
        "threads": engine.threads,
        "versions": versions(),
    }


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Within the block the first Ctrl-C or SIGTERM asks the loop to stop after its step; the second leaves at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return

    def ask(number: int, frame: object) -> None:
        if stop.reason:
            raise KeyboardInterrupt
        stop.reason, stop.code = signal.Signals(number).name, 128 + number

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
