"""Optimizers by name: RMSProp with its epsilon beside or under the root, and Adam; `--no-fast` takes PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.training.fused import FastAdam, FastRMSprop, fusable
from wgan.training.legacy import KerasRMSprop


def _rmsprop(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    # The place of epsilon decides: gradients of a clipped critic are often below 3e-4 = sqrt(1e-7), which is where a root
    # over v + epsilon stops rescaling them. A generator of Keras 2 moves there, that of Keras 3 hardly does.
    rho, eps, fast = config.rmsprop_rho, config.rmsprop_eps, config.fast and fusable(params[0].device)
    if config.rmsprop_eps_place == "under":
        return KerasRMSprop(params, lr=lr, rho=rho, eps=eps, fast=fast)
    kind = FastRMSprop if fast else torch.optim.RMSprop
    return kind(params, lr=lr, alpha=rho, eps=eps, foreach=True)


def _adam(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    # float() because some torch releases refuse an int among the betas
    betas = (float(config.beta1), float(config.beta2))
    if config.fast and fusable(params[0].device):
        return FastAdam(params, lr=lr, betas=betas, eps=1e-8, fused=True)
    return torch.optim.Adam(params, lr=lr, betas=betas, eps=1e-8)


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter], float, Config], torch.optim.Optimizer]] = {
    "rmsprop": _rmsprop,
    "adam": _adam,
}


def build_optimizers(
    generator: nn.Module, critic: nn.Module, config: Config, moved: Sequence[nn.Parameter] = ()
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Return the optimizers of generator and critic; critic_lr 0 means lr.

    moved: weights of the critic that the generator's update moves too. They come last among the generator's, with running
    squares of their own, as in a program that compiles both networks together.
    """
    make = OPTIMIZERS[config.optimizer]
    return (
        make([*generator.parameters(), *moved], config.lr, config),
        make(list(critic.parameters()), config.critic_lr or config.lr, config),
    )


SLOTS: dict[type[torch.optim.Optimizer], list[set[str]]] = {  # what each may keep of a weight
    torch.optim.Adam: [{"step", "exp_avg", "exp_avg_sq"}],
    torch.optim.RMSprop: [{"step", "square_avg"}],
    KerasRMSprop: [{"square_avg"}, {"square_avg_eps"}],
}


def require_slots(optimizer: torch.optim.Optimizer, slots: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Raise ValueError unless `slots`, by parameter number, are what such an optimizer keeps of these parameters."""
    known = next((names for kind, names in SLOTS.items() if isinstance(optimizer, kind)), [])
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    for number, slot in slots.items():
        if not 0 <= number < len(weights) or slot.keys() not in known:
            raise ValueError(f"no optimizer state of parameter {number}: {', '.join(slot)}")
        for name, tensor in slot.items():
            if not tensor.is_floating_point() or tensor.shape != (() if name == "step" else weights[number].shape):
                raise ValueError(f"{name} of parameter {number} is {tensor.dtype} {list(tensor.shape)}")


def set_rate(optimizer: torch.optim.Optimizer, rate: Any) -> None:
    """Set the learning rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate
