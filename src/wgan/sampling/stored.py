"""The networks of a run as its checkpoints hold them: which step is meant, whether config and tensors fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from wgan.data.conditions import from_json as conditions_from_json
from wgan.data.tabular.table import from_json as table_from_json
from wgan.errors import WganError
from wgan.models import AnyGenerator, Columns, build_critic, build_generator
from wgan.models.own import OwnGenerator, difference, part_facts
from wgan.runs.folder import Run


def network_of(run: Run, own: nn.Module | None) -> AnyGenerator:
    """Return the generator that a run's config names, or a copy of the caller's `own`; WganError unless it is the run's."""
    config, facts = run.config, run.facts
    known = facts.parts.get("generator")
    if known is None:
        if own is not None:
            raise WganError(f"{run.path} was trained with wgan's own generator: leave generator out")
        return build_generator(config, facts.shape, facts.classes, columns_of(run), facts.ways, condition_width(run))
    if own is None:
        raise WganError(
            f"{run.path} was trained with a generator given in Python, {known['name']}: give it again, "
            f"wgan.load('{run.path}', generator=...)"
        )
    if not isinstance(own, nn.Module):
        raise WganError(f"generator must be a torch module, not a {type(own).__name__}")
    if wrong := difference(known, part_facts(own)):
        raise WganError(f"{run.path} was trained with another generator ({wrong}): give that one")
    told = (facts.classes, condition_width(run)) if known.get("labels") else (0, 0)
    return OwnGenerator(copy.deepcopy(own), config.latent, *told)


def wanted_step(run: Run, which: str | int) -> int | None:
    """Return the step that 'last' (None: whatever is newest and whole), 'best' or a number means for `run`."""
    if which == "last":
        return None
    if which == "best":
        if run.best is None:
            raise WganError(f"{run.path} was never evaluated: it has no best checkpoint; use last")
        return run.best
    if not str(which).isdecimal():
        raise WganError(f"checkpoint '{which}' is not last, best or a step")
    return int(which)


def require_fit(run: Run, tensors: dict[str, dict[str, Tensor]], own: nn.Module | None) -> None:
    """Raise WganError unless the networks of the config are as large as the checkpoint's, before any memory is taken.

    A critic of the caller's is not stored.
    """
    makers: dict[str, Callable[[], nn.Module]] = {"generator": partial(network_of, run, own)}
    if "critic" in tensors and "critic" not in run.facts.parts:
        width = condition_width(run)
        makers["critic"] = partial(build_critic, run.config, run.facts.shape, run.facts.classes, conditions=width)
    try:
        with torch.device("meta"):
            fits = all(sizes(make().state_dict()) == sizes(tensors[player]) for player, make in makers.items())
    except RuntimeError:  # sizes that no number holds
        fits = False
    if not fits:
        raise WganError(f"the checkpoint in {run.path} does not fit its config.json: one of them was changed")


def columns_of(run: Run) -> Columns | None:
    """Return what a network has to know of the columns of a run's table; None where it trained on none."""
    table = table_from_json(run.facts.table)
    return None if table is None else Columns(*table.layout)


def condition_width(run: Run) -> int:
    """Return how many numbers the networks of a run are told of each sample; 0 where it has no conditions."""
    found = conditions_from_json(run.facts.conditions)
    return 0 if found is None else found.width


def sizes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    """Return the shape of each tensor by name."""
    return {name: tensor.shape for name, tensor in tensors.items()}


def fill(network: nn.Module, tensors: dict[str, Any], run: Run) -> None:
    """Put the tensors of a checkpoint into a network; WganError where they do not fit."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise WganError(f"the checkpoint in {run.path} does not fit its config.json: one of them was changed") from None
