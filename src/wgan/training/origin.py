"""Start from another run's weights: what fits is taken, what does not stays new, and both are said and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wgan.data import Source
from wgan.errors import WganError
from wgan.runs.checkpoint import moments, part
from wgan.runs.folder import Run, has_run, open_run
from wgan.sampling.weights import newest_whole
from wgan.training.players import Players
from wgan.training.state import save

NAMED = 3  # tensors that a sentence names


def require_origin(path: Path, origin: Run | None) -> None:
    """Raise WganError unless a run in `path`, if there is one, began from `origin`; None = it says so itself."""
    if origin is None:
        return
    if origin.path.resolve() == path.resolve():
        raise WganError(f"{path} cannot start from itself: give another run folder for the new run")
    if not has_run(path):
        return
    known = open_run(path).facts.origin
    if not known:
        raise WganError(
            f"{path} was begun with fresh weights: continue it without the run to start from, or give another folder"
        )
    if known["run"] != str(origin.path.resolve()):
        raise WganError(
            f"{path} was begun from {known['run']}, not from {origin.path}: give another folder for a new run"
        )


def take_over(p: Players, source: Source, origin: Run) -> dict[str, Any]:
    """Put the weights of the newest checkpoint of `origin` into the players where they fit; return what run.json records.

    Tensors of the same name and shape are taken. Of those with a row for each class the rows of classes that both runs
    have by name are taken. Optimizers start fresh. Raises WganError when nothing fits.
    """
    found = newest_whole(origin)
    old, new = list(origin.facts.class_names), list(source.class_names)
    told: dict[str, Any] = {"run": str(origin.path.resolve()), "step": found.step, "taken": {}, "new": []}
    matrices = 0
    for player, network in (("generator", p.generator), ("critic", p.critic)):
        theirs = part(found.tensors, player)
        taken, left = fill(network, theirs, old, new)
        matrices += sum(theirs[name].dim() > 1 for name in taken)  # a bias of one number fits everywhere
        told["taken"][player] = len(taken)
        told["new"] += [f"{player}/{line}" for line in left]
    if not matrices:
        raise WganError(f"no weights of {origin.path} fit: its networks are others ({told['new'][0]})")
    if p.average is not None:  # it began as a copy of the generator, so what does not fit is the same in both
        fill(p.average, part(found.tensors, "average") or part(found.tensors, "generator"), old, new)
    return told


def begun_from(p: Players, source: Source, path: Path, origin: Run | None) -> dict[str, Any]:
    """Take the weights of `origin` where the run in `path` is new; return what run.json records, nothing where it is not."""
    return {} if origin is None or has_run(path) else take_over(p, source, origin)


def save_origin(p: Players, source: Source, run: Run, taken: Mapping[str, Any]) -> None:
    """Save a run that began from another one at step 0: from then on it needs that one no more.

    A kill may have come between the run folder and this checkpoint: then the weights are taken again.
    """
    if not run.facts.origin or moments(run.checkpoints):
        return
    if not taken:
        take_over(p, source, open_run(run.facts.origin["run"]))
    save(p, run, 0, None)


@torch.no_grad()
def fill(
    network: nn.Module, theirs: Mapping[str, Tensor], old: Sequence[str], new: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Copy what fits into a network; return the tensors that were taken, and a line for each that was not, or not whole."""
    mine, by_class = network.state_dict(), class_tensors(network, len(new)) if old != new else set()
    taken: list[str] = []
    left: list[str] = []
    for name, tensor in mine.items():
        if name not in theirs:
            left.append(f"{name}: {list(tensor.shape)} is not there")
        elif name in by_class and theirs[name].shape[1:] == tensor.shape[1:] and len(theirs[name]) == len(old):
            rows = [(old.index(label), i) for i, label in enumerate(new) if label in old]
            for there, here in rows:
                tensor[here].copy_(theirs[name][there])
            taken += [name] * bool(rows)
            left += [] if len(rows) == len(new) else [f"{name}: {len(rows)} of {len(new)} classes"]
        elif theirs[name].shape == tensor.shape:
            tensor.copy_(theirs[name])
            taken.append(name)
        else:
            left.append(f"{name}: {list(theirs[name].shape)} -> {list(tensor.shape)}")
    return taken, left


def class_tensors(network: nn.Module, classes: int) -> set[str]:
    """Return the names of tensors with a row for each class: embeddings of labels, and the auxiliary classifier."""
    found = {
        f"{n}.weight" for n, m in network.named_modules() if isinstance(m, nn.Embedding) and len(m.weight) == classes
    }
    return found | {"head.weight", "head.bias"}


def said_of(origin: Mapping[str, Any], p: Players) -> str:
    """Return what is said of the weights that were taken."""
    sizes = {"generator": len(p.generator.state_dict()), "critic": len(p.critic.state_dict())}
    taken = ", ".join(f"{player} {origin['taken'][player]} of {sizes[player]} tensors" for player in sizes)
    lines = origin["new"]
    more = f" and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
    left = f"; new: {'; '.join(lines[:NAMED])}{more}" if lines else ""
    return f"from {origin['run']} at step {origin['step']}: {taken}{left}"
