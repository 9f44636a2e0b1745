"""The state of a run: what a checkpoint holds, how it is put back, and the facts that decide a run's bits.

State is a dictionary of named things with a state_dict. The step is the only counter, and randomness needs no state at
all: every draw is a function of (seed, step, purpose).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from wgan.config import Config
from wgan.config.rules import CONVOLUTIONAL
from wgan.data import Source
from wgan.distributed.group import Group
from wgan.engine import Engine, make_engine
from wgan.errors import WganError
from wgan.models import parameter_count
from wgan.processor import processor_name
from wgan.runs import checkpoint
from wgan.runs.facts import RunFacts
from wgan.runs.folder import Run, has_run, open_run, versions
from wgan.training.given import recorded
from wgan.training.optim import require_slots
from wgan.training.own_optimizer import is_own, packed, unpack
from wgan.training.players import Players
from wgan.training.schedule import due
from wgan.ways import Ways


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
    """Return the optimizer's tensors by parameter number; its rates come from the config, or of one's own from its state."""
    if is_own(optimizer):
        return packed(optimizer)
    return {str(number): values for number, values in optimizer.state_dict()["state"].items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the tensors {'0/exp_avg': ...} back into the optimizer; ValueError when they are not of its kind or weights."""
    if is_own(optimizer):
        unpack(optimizer, tensors)
        return
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition("/")
        slots.setdefault(int(number), {})[name] = tensor
    require_slots(optimizer, slots)
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    for weight, slot in optimizer.state.items():
        for name, tensor in slot.items():
            if tensor.shape == weight.shape:  # fused Adam walks memory: a layout unlike the weight's gives wrong steps
                slot[name] = torch.empty_like(weight, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


@dataclass(frozen=True)
class Begun:
    """What a signal left done of the step that a run resumes with."""

    updates: int = 0  # critic updates, where it cut a long phase
    stats: Mapping[str, Tensor | float] | None = (
        None  # where it cut the evaluation of a step that was taken: that step's statistics
    )


NOTHING = Begun()


def save(p: Players, run: Run, step: int, best: int | None, begun: Begun = NOTHING, **about: Any) -> None:
    """Write the checkpoint of `step`, then drop those that are not kept.

    The manifest says what the step alone does not: critic updates done of the next one, statistics whose evaluation
    was cut short, how often the run went back, and what else `about` names.
    """
    left: dict[str, Any] = {} if begun.stats is None else {"measured": dict(begun.stats)}
    left |= {"share": p.augment_fraction} if p.config.augment_target else {}
    more = {"config": p.config.recipe, "versions": versions(), "parts": sorted(state(p)), "retries": p.engine.stream}
    checkpoint.save(run.checkpoints, step, checkpoint.flatten(state(p)), {**more, **left, **about}, begun.updates)
    tidy(run, best)


def tidy(run: Run, best: int | None) -> None:
    """Drop all checkpoints but the last three, the best and those kept for good, and what a kill left behind."""
    c = run.config
    for_good = [step for step in checkpoint.saved_steps(run.checkpoints) if due(c.keep_every, step)]
    checkpoint.retain(
        run.checkpoints,
        keep=for_good if best is None else [*for_good, best],
        planned=lambda step: step == c.steps or due(c.checkpoint_every, step),
    )


@dataclass(frozen=True)
class Restored:
    """The resume point: the next step, notes to print, and an event for the log."""

    start: int = 0
    fresh: bool = True  # nothing was done before
    notes: tuple[str, ...] = ()
    event: str = ""
    begun: Begun = NOTHING  # of the first step


def restore(p: Players, run: Run) -> Restored:
    """Load the newest whole checkpoint into the players; return where the run resumes.

    Rank 0 reads it and tells the others: the run folder may lie on its machine alone.
    """
    found, notes = newest_checkpoint(run, p.engine.group)
    if found is None:
        lost = f"{run.path} has no whole checkpoint left: starting again at step 0"
        return Restored(notes=(*notes, lost) if notes else ())
    networks = {"generator": p.generator, "critic": p.critic, "average": p.average}
    try:
        for name, network in networks.items():
            if network is not None:
                network.load_state_dict(checkpoint.part(found.tensors, name))
        load_optimizer(p.generator_optimizer, checkpoint.part(found.tensors, "generator_optimizer"))
        load_optimizer(p.critic_optimizer, checkpoint.part(found.tensors, "critic_optimizer"))
    except (RuntimeError, ValueError, KeyError):
        raise WganError(
            f"the checkpoint of step {found.step} in {run.path} does not fit the networks of its config: "
            "one of them was changed, or written by another wgan"
        ) from None
    m = found.manifest
    begun, p.augment_fraction = Begun(found.updates, m.get("measured")), m.get("share", p.augment_fraction)
    p.engine = replace(p.engine, stream=m.get("retries", 0))
    done = found.step == run.config.steps and begun.stats is None
    inside = f" and {begun.updates} critic updates of the next" if begun.updates else ""
    note = f"{'finished already' if done else 'continuing'}: {run.path} at step {found.step}{inside}"
    start = found.step - (begun.stats is not None)  # the step whose evaluation was cut: its duties are done again
    return Restored(start, found.step + begun.updates == 0, (*notes, note), m.get("event", ""), begun)


def newest_checkpoint(run: Run, group: Group) -> tuple[checkpoint.Checkpoint | None, list[str]]:
    """Return the newest whole checkpoint, the same on every process, and a sentence for each damaged one set aside."""
    loaded: list[checkpoint.Checkpoint] = []

    def load() -> tuple[dict[str, Any], list[str]]:
        found, notes = checkpoint.load_newest(run.checkpoints)
        loaded.extend([] if found is None else [found])
        return ({} if found is None else found.manifest), notes

    manifest, notes = group.on_main(load)
    if not manifest:
        return None, notes
    data = group.broadcast(tensor_bytes(loaded[0].tensors) if loaded and group.world > 1 else b"")
    return (loaded[0] if loaded else checkpoint.Checkpoint(manifest["step"], parse_tensors(data), manifest)), notes


def engine_for(config: Config, source: Source, group: Group | None = None) -> Engine:
    """Return the engine of a new run: precision auto is bf16 for convolutions of images where the hardware has it, else fp32.

    Images that keep their values are computed in fp32: bf16 would round what a generator makes and a critic sees to 8 bits.
    """
    convolutional = source.is_image and not {config.generator, config.critic}.isdisjoint(CONVOLUTIONAL)
    precision = "fp32" if config.precision == "auto" and source.depth is not None else config.precision
    return make_engine(config.device, precision, config.threads, convolutional, group, config.fast)


def resume_engine(config: Config, path: Path, source: Source, group: Group | None = None) -> Engine:
    """Return the engine; a run that is continued keeps the precision, threads and ways it was begun with, for equal bits.

    Nothing is measured then. Threads are chosen again when the number of processes is another: then so are the bits. Without
    a run the process that leads says what was measured, so that all take the same.
    """
    group = group or Group()

    def known() -> tuple[str, int | None, dict[str, str]]:
        if not has_run(path):
            chosen = engine_for(config, source, group)
            return chosen.precision, chosen.threads, chosen.ways.to_json()
        facts = open_run(path).facts
        same = facts.processes == group.world
        return facts.precision, facts.threads if same else config.threads, facts.ways.to_json()

    precision, threads, ways = group.on_main(known)
    engine = group.on_all(lambda: make_engine(config.device, precision, threads, group=group))
    return replace(engine, ways=Ways(**ways))


def other_processor_note(path: Path) -> str:
    """Return the note on a run that was begun on another processor; "" where there is none to give."""
    began = open_run(path).facts.processor if has_run(path) else ""
    if not began or began == processor_name():
        return ""
    return "the run was begun on another processor and keeps the precision, threads and ways of computing chosen there"


def decay_of(config: Config, path: Path) -> int | None:
    """Return over how many steps the learning rate falls (0 = all): a run that is made longer keeps the plan it began with.

    Otherwise more steps would raise a rate that has fallen: a finished linear decay to half of where it began.
    """
    if config.decay_steps or config.lr_decay == "none" or not has_run(path):
        return config.decay_steps
    run = open_run(path)
    if not run.step or config.steps == run.config.steps:
        return run.config.decay_steps
    return run.config.decay_steps or run.config.steps


def decay_kept(c: Config) -> str:
    """Return the note on a learning rate that keeps its plan in a longer run."""
    return (
        f"the learning rate keeps its plan: it falls over {c.decay_steps} steps, then stays at the end of that; "
        f"--decay-steps {c.steps} makes a new plan"
    )


def require_divides(config: Config, group: Group) -> None:
    """Raise WganError unless every process gets as many samples of each batch, in whole packs and microbatches."""
    for name, batch in (("batch", config.batch), ("generator_batch", config.generator_batch or config.batch)):
        unit = config.microbatch or config.pack
        if batch % (group.world * unit) == 0:
            continue
        parts = "microbatches" if config.microbatch else "packs"
        of = f" in {parts} of {unit}" if unit > 1 else ""
        work = [str(n) for n in range(1, batch // unit + 1) if batch % (n * unit) == 0]
        near = batch // (group.world * unit) * group.world * unit
        sizes = [str(n) for n in (near, near + group.world * unit) if n]
        raise WganError(
            f"{group.world} processes cannot share {name} {batch} evenly{of}: start {', '.join(work[-8:])} processes, or "
            f"use {name} {' or '.join(sizes)}"
        )


def facts(p: Players, source: Source) -> RunFacts:
    """Return what run.json records beside the config: the data's shape, how 'auto' was resolved, what is trained."""
    return RunFacts(
        shape=tuple(source.shape),
        classes=source.classes,
        class_names=tuple(source.class_names),
        precision=p.engine.precision,
        threads=p.engine.threads,
        device=p.engine.device.type,
        ways=p.engine.ways,
        processor=processor_name() if p.engine.device.type == "cpu" else "",
        processes=p.engine.group.world,
        parameters={"generator": parameter_count(p.generator), "critic": parameter_count(p.critic)},
        versions=versions(),
        parts=recorded(p.given, p.generator.told),
        **source.facts(),
    )
