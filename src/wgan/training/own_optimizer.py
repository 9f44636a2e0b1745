"""A caller's own optimizer: built by their function, checked, and its whole state as tensors that a checkpoint can hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wgan.errors import WganError

Optimizing = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
SCALARS = {"int": torch.int64, "float": torch.float64, "bool": torch.bool}


def built(make: Callable[[list[nn.Parameter]], Any], weights: list[nn.Parameter], player: str) -> torch.optim.Optimizer:
    """Return what `make` makes of the weights; WganError unless that is an optimizer of exactly these."""
    try:
        optimizer = make(weights)
    except Exception as error:  # of code that is not ours, of any kind
        raise WganError(f"optimizer failed for the {player}'s weights: {type(error).__name__}: {error}") from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise WganError(
            f"optimizer returned a {type(optimizer).__name__}: it must return a torch optimizer of the weights it gets"
        )
    mine, theirs = {id(w) for w in weights}, {id(w) for group in optimizer.param_groups for w in group["params"]}
    if mine != theirs:
        raise WganError(
            f"optimizer moves {len(mine & theirs)} of the {player}'s {len(mine)} weights, and {len(theirs - mine)} "
            "others: it must take those it gets"
        )
    for group in optimizer.param_groups:
        group["own"] = True
        if "lr" in group:
            group["initial_lr"] = float(group["lr"])  # as torch's own schedules note it: lr_decay scales this
    return optimizer


def is_own(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether an optimizer came from a function of the caller's."""
    return all(group.get("own", False) for group in optimizer.param_groups)


def rate_of(optimizer: torch.optim.Optimizer, otherwise: float) -> float:
    """Return the learning rate of the first group, where a config can say it."""
    rate = float(optimizer.param_groups[0].get("initial_lr", otherwise))
    return rate if math.isfinite(rate) and 0 <= rate <= 10 else otherwise


def packed(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state as {'0/momentum_buffer': ..., '0/step:int': ...}, and the numbers of each group as 'group 0/lr:float'."""
    numbers = {id(w): str(i) for i, w in enumerate(weights_of(optimizer))}
    found: dict[str, Tensor] = {}
    for weight, slots in optimizer.state.items():
        if id(weight) not in numbers:
            raise WganError(
                f"optimizer keeps state of its own ({str(weight)[:40]}): a checkpoint holds what belongs to a weight"
            )
        for name, value in slots.items():
            put(found, f"{numbers[id(weight)]}/{name}", value)
    for number, group in enumerate(optimizer.param_groups):
        for name, value in group.items():
            if isinstance(value, (bool, int, float, Tensor)):
                put(found, f"group {number}/{name}", value)
    return found


def put(found: dict[str, Tensor], key: str, value: Any) -> None:
    """Note one value of the state under `key`; WganError for what no tensor can hold."""
    kind = type(value).__name__
    if isinstance(value, Tensor):
        found[key] = value
    elif kind in SCALARS:
        found[f"{key}:{kind}"] = torch.tensor(value, dtype=SCALARS[kind])
    elif value is None:
        found[f"{key}:none"] = torch.zeros(0)
    else:
        raise WganError(
            f"optimizer keeps a {kind} in its state ({key}), and a checkpoint holds tensors and numbers only"
        )


def unpack(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put a packed state back, each value with its own type; ValueError for one that is of other weights."""
    weights = weights_of(optimizer)
    optimizer.state.clear()
    for key, tensor in tensors.items():
        owner, _, named = key.partition("/")
        name, value = value_of(named, tensor)
        if owner.startswith("group "):
            optimizer.param_groups[int(owner.removeprefix("group "))][name] = value
        elif not 0 <= int(owner) < len(weights):
            raise ValueError(f"no weight {owner}")
        else:
            weight = weights[int(owner)]
            optimizer.state[weight][name] = beside(weight, value)


def value_of(named: str, tensor: Tensor) -> tuple[str, Any]:
    """Return the name and the value of one entry."""
    name, _, kind = named.partition(":")
    if kind == "none":
        return name, None
    return name, tensor.item() if kind in SCALARS else tensor


def beside(weight: Tensor, value: Any) -> Any:
    """Return a tensor of the state in the weight's layout and on its device, in its own dtype."""
    if not isinstance(value, Tensor):
        return value
    if value.shape == weight.shape:
        return torch.empty_like(weight, dtype=value.dtype, requires_grad=False).copy_(value)
    return value.to(weight.device) if value.dim() else value


def weights_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return all weights, in the order of their groups."""
    return [w for group in optimizer.param_groups for w in group["params"]]
