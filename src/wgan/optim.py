"""Optimizers by name: RMSProp with PyTorch's or with Keras's numbers, and Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from wgan.config import Config


class KerasRMSprop(torch.optim.Optimizer):
    """RMSProp as Keras 3 computes it: v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + eps).

    It is not torch.optim.RMSprop, which divides by sqrt(v) + eps: with the tiny gradients of a clipped critic
    the place of eps = 1e-7 decides the step's size.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, rho: float = 0.9, eps: float = 1e-7) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; a closure is not supported."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad for p in params]
            squares = [self._square(p) for p in params]
            torch._foreach_mul_(squares, group["rho"])
            torch._foreach_addcmul_(squares, grads, grads, 1 - group["rho"])
            roots = torch._foreach_add(squares, group["eps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(params, grads, roots, -group["lr"])

    def _square(self, p: Tensor) -> Tensor:
        state = self.state[p]
        if not state:
            state["square_avg"] = torch.zeros_like(p)
        return state["square_avg"]


def _rmsprop(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(params, lr=lr, alpha=0.99, eps=1e-8, foreach=True)


def _rmsprop_keras(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    return KerasRMSprop(params, lr=lr)


def _rmsprop_keras2(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    # Keras 2: w -= lr g / (sqrt(v) + eps). Gradients of a clipped critic are often below 3e-4 = sqrt(1e-7), which
    # is where Keras 3 stops rescaling them: a generator of that time moves, today's would hardly.
    return torch.optim.RMSprop(params, lr=lr, alpha=0.9, eps=1e-7, foreach=True)


def _adam(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    # float() because some torch releases refuse an int among the betas; fused = one pass over memory
    return torch.optim.Adam(params, lr=lr, betas=(float(config.beta1), float(config.beta2)), eps=1e-8, fused=True)


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter], float, Config], torch.optim.Optimizer]] = {
    "rmsprop": _rmsprop,
    "rmsprop-keras": _rmsprop_keras,
    "rmsprop-keras2": _rmsprop_keras2,
    "adam": _adam,
}


def build_optimizers(
    generator: nn.Module, critic: nn.Module, config: Config
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Return the optimizers of generator and critic; critic_lr 0 means lr."""
    make = OPTIMIZERS[config.optimizer]
    return (
        make(list(generator.parameters()), config.lr, config),
        make(list(critic.parameters()), config.critic_lr or config.lr, config),
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: Any) -> None:
    """Set the learning rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate
