"""train_encoder(): the encoder of a run, trained on its training data while generator and critic stay as they are.

It lies in the run folder, below encoder/, with a run's promises: checkpoints, exact resume, log. Every draw is a function of
(seed, step, purpose), so that a checkpoint is the encoder and its optimizer.
"""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from wgan import files
from wgan.data import Source, open_source
from wgan.data.source import selection_indices
from wgan.distributed.signals import Stop, stop_on_signal
from wgan.errors import WganError
from wgan.host import thread_count, undisturbed
from wgan.metrics.anomaly import residual_map
from wgan.metrics.usual import Usual
from wgan.progress import Progress
from wgan.rng import order
from wgan.runs import checkpoint
from wgan.runs.folder import Run, lock, make_folder, open_run
from wgan.runs.log import Log
from wgan.sampling.conditioned import require_no_conditions
from wgan.sampling.inverter import (
    USUAL,
    EncoderFacts,
    Inverter,
    encoder_folder,
    make_inverter,
    new_encoder,
    read_facts,
    require_own_critic,
)
from wgan.sampling.model import Model, load
from wgan.sampling.stored import fill, wanted_step
from wgan.training.schedule import due, rate_factor
from wgan.training.state import load_optimizer, optimizer_state
from wgan.visual.images import image_grid, save_png, to_uint8

CHECKPOINT_EVERY, LOG_EVERY = 500, 50  # steps
SHOWN = 10  # held-out images beside their reconstructions
SAMPLES, NUMBERS = 3000, 2**24  # training samples that show what is usual, at most, and the numbers in all of them
MOST_HELD_OUT = 500  # samples that are read at a checkpoint
TAGS = ("encoder/loss", "encoder/residual", "encoder/feature_residual")


@dataclass(frozen=True)
class EncoderOptions:
    """How an encoder is trained; None = as the encoder that is there, or the default."""

    steps: int | None = None
    batch: int | None = None
    lr: float | None = None
    feature_weight: float | None = None
    seed: int | None = None


DEFAULTS = {"steps": 3000, "batch": 64, "lr": 1e-3, "feature_weight": 1.0, "seed": 0}
LIMITS = {
    "steps": (1, 10**8),
    "batch": (2, 100_000),  # batch norm needs two
    "lr": (1e-9, 10.0),
    "feature_weight": (0.0, 1e6),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True)
class Encoded:
    """How the training of an encoder ended: where it lies, at which step, and a signal's exit code (0 = finished)."""

    folder: Path
    step: int
    code: int
    notes: list[str]


@dataclass(frozen=True, eq=False)
class Work:
    """What every step needs."""

    inverter: Inverter
    optimizer: torch.optim.Optimizer
    source: Source
    held_out: Source
    facts: EncoderFacts
    folder: Path


@undisturbed()
def train_encoder(
    run: str | Path | Run,
    options: EncoderOptions | None = None,
    which: str | int | None = None,
    raw: bool | None = None,
    threads: int | None = None,
    fresh: bool = False,
    tty: bool | None = None,
) -> Encoded:
    """Train the encoder of a run, or resume it exactly where it stopped (Schlegl et al. 2019, izi_f).

    The loss of a batch is mean(‖x − G(E(x))‖² / n + κ ‖f(x) − f(G(E(x)))‖² / n_f), equation 4, κ = `feature_weight`. A
    conditional generator gets the labels of the data. Adam; its rate falls to 0 at the last step.

    Args:
        run: a run folder or a Run.
        options: of the training; those left out are those of the encoder that is there, or the defaults.
        which: the generator's checkpoint: 'last', 'best' or a step; None = that of the encoder that is there, or last.
        raw: the raw generator instead of the averaged one.
        threads: of the CPU; None = as many as the run trained with.
        fresh: remove the encoder that is there, and start over.
        tty: whether progress goes to a terminal; None = find out.

    Raises:
        WganError: no run, other options than those of the encoder that is there, data that are gone or changed.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    require_own_critic(opened)
    given = {k: v for k, v in (options or EncoderOptions()).__dict__.items() if v is not None}
    check(given)
    known = None if fresh else read_facts(opened)
    facts = planned(opened, given, which, raw, known)
    model = load(opened, facts.generator_step, facts.raw, threads=threads)
    require_no_conditions(model, "an encoder")
    with ExitStack() as stack:
        stack.callback(lock(opened.path).release)
        stack.enter_context(thread_count(model.engine.threads))
        source, held_out = training_data(opened)
        stop = stack.enter_context(stop_on_signal())
        folder = prepare(opened, facts, known, fresh)
        work = begun(opened, model, source, held_out, facts, folder)
        return take_steps(work, stack, stop, tty, [*model.notes])


def check(given: dict[str, Any]) -> None:
    """Raise WganError for an option out of its range."""
    for name, value in given.items():
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise WganError(f"{name} of an encoder must lie between {low:g} and {high:g}, not {value:g}")


def planned(
    run: Run, given: dict[str, Any], which: str | int | None, raw: bool | None, known: EncoderFacts | None
) -> EncoderFacts:
    """Return the facts of the encoder that is asked for; WganError where another one is there."""
    step = None if which is None else wanted_step(run, which) or run.step
    if known is None:
        return EncoderFacts(**DEFAULTS | given, generator_step=run.step if step is None else step, raw=bool(raw))
    asked = replace(known, **given)
    asked = asked if step is None else replace(asked, generator_step=step)
    asked = asked if raw is None else replace(asked, raw=raw)
    changed = [f"{k} {v} before, {getattr(asked, k)} now" for k, v in known.__dict__.items() if v != getattr(asked, k)]
    if changed:
        raise WganError(
            f"{run.path} has an encoder with other options ({'; '.join(changed)}): leave them out, or start over with --fresh"
        )
    return known


def training_data(run: Run) -> tuple[Source, Source]:
    """Return the run's own training and held-out samples; WganError where they are gone or have changed."""
    train, test = (open_source(run.config.data, s, options=run.config) for s in (run.config.split, "test"))
    if run.facts.data and train.fingerprint != run.facts.data:
        raise WganError(f"{run.config.data} is not what {run.path} was trained on (its content changed)")
    return train, test


def prepare(run: Run, facts: EncoderFacts, known: EncoderFacts | None, fresh: bool) -> Path:
    """Return the encoder's folder, begun or as it is; what an earlier encoder left is removed where it is begun."""
    folder = encoder_folder(run)
    if folder.is_symlink():
        raise WganError(f"{folder} is a symbolic link, and a run writes inside its own folder only: remove it")
    if known is None:
        if fresh:
            clear(folder)
        for name in ("checkpoints", "samples"):
            make_folder(folder / name)
        files.write_atomically(folder / "config.json", (json.dumps(facts.to_json(), indent=2) + "\n").encode())
    return folder


def clear(folder: Path) -> None:
    """Remove an encoder, what says that it is one first."""
    (folder / "config.json").unlink(missing_ok=True)
    for moment in checkpoint.moments(folder / "checkpoints"):
        checkpoint.remove(folder / "checkpoints", *moment)
    for path in (folder / "samples").glob("step-*.png"):
        path.unlink()


def begun(run: Run, model: Model, source: Source, held_out: Source, facts: EncoderFacts, folder: Path) -> Work:
    """Return the networks and the optimizer as they begin."""
    encoder = new_encoder(run, model.network, model.engine, facts.seed)
    inverter = make_inverter(run, model.network, model.engine, facts.generator_step, encoder, facts.feature_weight)
    return Work(inverter, torch.optim.Adam(encoder.parameters(), lr=facts.lr), source, held_out, facts, folder)


def take_steps(work: Work, stack: ExitStack, stop: Stop, tty: bool | None, notes: list[str]) -> Encoded:
    """Take the steps from where the training was left, and save the last."""
    facts, folder, encoder = work.facts, work.folder, work.inverter.encoder
    found, damaged = checkpoint.load_newest(folder / "checkpoints")
    start = 0
    if found is not None:
        fill(encoder, checkpoint.part(found.tensors, "encoder"), open_run(folder.parent))
        load_optimizer(work.optimizer, checkpoint.part(found.tensors, "optimizer"))
        start = found.step
        notes = [*notes, f"{'finished already' if start == facts.steps else 'continuing'}: {folder} at step {start}"]
    notes = [*notes, *damaged]
    progress = stack.enter_context(Progress(facts.steps, start, tty))
    for note in notes:
        progress.message(note)
    if start == facts.steps:
        if found is not None and not checkpoint.part(found.tensors, USUAL):
            save(work, start)
        return Encoded(folder, start, 0, notes)
    log = stack.enter_context(Log(folder, start))
    done = start
    for step in range(start, facts.steps):
        numbers = take_step(work, step)
        done, last = step + 1, step + 1 == facts.steps
        showing = due(CHECKPOINT_EVERY, done, last)
        if showing:
            numbers |= measured(work)
            draw(work, done)
        if due(LOG_EVERY, done, last):
            log.scalars(done, numbers)
        if showing or stop.reason:
            log.flush()
            save(work, done)
        progress.update(done, {"encoder/residual": numbers["encoder/residual"]})
        if stop.reason and not last:
            progress.message(f"{stop.reason}: saved step {done}; the same command resumes there")
            break
    return Encoded(folder, done, stop.code, notes)


def take_step(work: Work, step: int) -> dict[str, float]:
    """Move the encoder once; return the loss and its two parts."""
    facts, inverter = work.facts, work.inverter
    for group in work.optimizer.param_groups:
        group["lr"] = facts.lr * rate_factor("linear", step, facts.steps)
    x, y = real_batch(work, step)
    inverter.encoder.train()
    z, logits = inverter.encoded(x)
    _, residual, feature = inverter.errors(x, z, y)
    loss = inverter.total(residual, feature).mean()
    taught = (
        loss if logits is None or y is None else loss + F.cross_entropy(logits, y)
    )  # which reaches the classifier alone
    work.optimizer.zero_grad(set_to_none=True)
    taught.backward()
    work.optimizer.step()
    if not torch.isfinite(loss):
        raise WganError(
            f"the encoder's loss is not finite at step {step + 1}: start over with --fresh and a lower --lr"
        )
    return dict(zip(TAGS, (float(v.detach()) for v in (loss, residual.mean(), feature.mean())), strict=True))


def real_batch(work: Work, step: int) -> tuple[Tensor, Tensor | None]:
    """Return training samples [B, *shape] in the generator's range and, where it is conditional, their labels [B]."""
    facts, engine = work.facts, work.inverter.engine
    index = order(facts.seed, "epoch", len(work.source), step * facts.batch, facts.batch)
    x, y = work.source.batch(index)
    labels = y.to(engine.device) if y is not None and work.inverter.generator.classes else None
    return engine.to_float(x), labels


@torch.no_grad()
def measured(work: Work) -> dict[str, float]:
    """Return both residuals of held-out samples, the same ones each time."""
    work.inverter.encoder.eval()
    x, y = held_out(work, MOST_HELD_OUT)
    residual, feature = work.inverter.residuals(x, y).mean(0).tolist()
    return {"evaluate/encoder_residual": residual, "evaluate/encoder_feature_residual": feature}


def held_out(work: Work, most: int) -> tuple[Tensor, Tensor | None]:
    """Return the first held-out samples of the selection part, and their labels where the generator is conditional."""
    x, y = work.held_out.batch(selection_indices(len(work.held_out))[:most])
    return x, y if work.inverter.generator.classes else None


def usual(work: Work) -> Usual:
    """Return how what the finished encoder makes of training samples varies; the same ones each time."""
    work.inverter.encoder.eval()
    source, numbers = work.source, math.prod(work.source.shape)
    count = min(len(source), SAMPLES, max(4, NUMBERS // numbers))
    return work.inverter.learn_usual(source.batch(order(work.facts.seed, "usual", len(source), 0, count))[0])


def draw(work: Work, done: int) -> None:
    """Draw held-out images, each above its reconstruction and their difference; nothing for other samples."""
    if not work.source.is_image:
        return
    work.inverter.encoder.eval()
    x, y = held_out(work, SHOWN)
    picture = pairs(work.inverter.engine.to_float(x).cpu(), work.inverter.reconstruct(x, y))
    save_png(picture, work.folder / "samples" / f"step-{done:08d}.png")


def pairs(x: Tensor, made: Tensor) -> Image.Image:
    """Return three rows: images [N, C, H, W] in [-1, 1], their reconstructions, and |difference| / 2 of both."""
    return image_grid(to_uint8(torch.cat([x, made, residual_map(x, made)])), len(x))


def save(work: Work, step: int) -> None:
    """Write the checkpoint of `step`, the last one with what scores measure by, and drop all but the last two."""
    folder, encoder = work.folder / "checkpoints", work.inverter.encoder
    parts = {"encoder": encoder.state_dict(), "optimizer": optimizer_state(work.optimizer)}
    if step == work.facts.steps:
        parts |= {USUAL: usual(work).tensors()}
    checkpoint.save(folder, step, checkpoint.flatten(parts), {})
    checkpoint.retain(folder, last=2)
