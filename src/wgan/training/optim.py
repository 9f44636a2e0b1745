"""Optimizers by name: RMSProp with its epsilon outside or under the root, and Adam; `--no-fast` takes PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.training.fused import FastAdam, FastRMSprop, fusable
from wgan.training.legacy import KerasRMSprop
from wgan.training.own_optimizer import Optimizing, built


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
    generator: nn.Module,
    critic: nn.Module,
    config: Config,
    moved: Sequence[nn.Parameter] = (),
    given: tuple[Optimizing, Optimizing] | None = None,
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Return the optimizers of generator and critic; critic_lr 0 means lr.

    moved: weights of the critic that the generator's update moves too. They come last among the generator's, with running
    squares of their own, as in a program that compiles both networks together. given: what makes them instead, of the
    caller's. Weights that the caller froze are left out.
    """
    weights = [*trained(generator), *moved], trained(critic)
    if given is not None:
        return built(given[0], weights[0], "generator"), built(given[1], weights[1], "critic")
    make = OPTIMIZERS[config.optimizer]
    return make(weights[0], config.lr, config), make(weights[1], config.critic_lr or config.lr, config)


def trained(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights that learn."""
    return [w for w in network.parameters() if w.requires_grad]


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


def set_rate(optimizer: torch.optim.Optimizer, rate: float, factor: float = 1.0) -> None:
    """Set the learning rate of every parameter group to `rate`, or to the one the caller's own began with, times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group.get("initial_lr", rate) * factor
