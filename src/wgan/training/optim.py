"""Optimizers by name: RMSProp with its epsilon beside or under the root, and Adam; each in one pass over memory where it can.

RMSProp is Adam without a mean and without bias corrections, so PyTorch's fused Adam computes it: beta1 = 0 and a step count
so large that 1 - beta2^step is 1. The buffer of the mean gradient is the gradient itself, which that kernel reads and
writes back: nothing is allocated. `--no-fast` takes the same formulas operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wgan.config import Config

LONG_AGO = 1e9  # steps: a bias correction of exactly 1 in float32 and float64, for every decay below 0.9999999


def _one_pass(params: list[Tensor], squares: list[Tensor], lr: float, decay: float, eps: float) -> None:
    """v = decay v + (1 - decay) g^2; w -= lr g / (sqrt(v) + eps), for all weights in one pass over memory."""
    grads = [_laid_out_as(p) for p in params]
    steps = [torch.tensor(LONG_AGO, dtype=torch.float32, device=params[0].device)] * len(params)
    torch._fused_adam_(
        params,
        grads,
        grads,
        squares,
        [],
        steps,
        lr=lr,
        beta1=0.0,
        beta2=decay,
        weight_decay=0.0,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )


def _laid_out_as(p: Tensor) -> Tensor:
    """Return the gradient of p in p's own layout: the kernel walks memory, not indices."""
    assert p.grad is not None
    return p.grad if p.grad.stride() == p.stride() else torch.empty_like(p).copy_(p.grad)


def _fused(device: torch.device) -> bool:
    return device.type in ("cpu", "cuda")


class FastRMSprop(torch.optim.RMSprop):
    """torch.optim.RMSprop, its state and its formula, in one pass over memory."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; a closure is not supported."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                if not self.state[p]:  # as torch.optim.RMSprop fills it, so that either reads the other's
                    self.state[p] = {"step": torch.zeros(()), "square_avg": torch.zeros_like(p)}
            if params:
                torch._foreach_add_([self.state[p]["step"] for p in params], 1)
                squares = [self.state[p]["square_avg"] for p in params]
                _one_pass(params, squares, group["lr"], group["alpha"], group["eps"])


class FastAdam(torch.optim.Adam):
    """torch.optim.Adam with `fused`, its state and its kernel, without the bookkeeping at each step."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; a closure is not supported."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                if not self.state[p]:
                    zeros = {name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")}
                    self.state[p] = {"step": torch.zeros((), device=p.device), **zeros}
            if not params:
                continue
            steps, means, squares = ([self.state[p][k] for p in params] for k in ("step", "exp_avg", "exp_avg_sq"))
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(
                params,
                [_laid_out_as(p) for p in params],
                means,
                squares,
                [],
                steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=0.0,
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )


class KerasRMSprop(torch.optim.Optimizer):
    """RMSProp as Keras 3 computes it: v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + eps).

    It is not torch.optim.RMSprop, which divides by sqrt(v) + eps: with the tiny gradients of a clipped critic
    the place of eps = 1e-7 decides the step's size. In one pass, the state is v + eps instead of v: one addition of
    eps (1 - rho) / rho before the pass makes it follow the same recursion.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, rho: float = 0.9, eps: float = 1e-7, fast: bool = False
    ) -> None:
        self.slot = "square_avg_eps" if fast else "square_avg"
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; a closure is not supported."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            rho, eps = group["rho"], group["eps"]
            squares = [self._square(p, eps) for p in params]
            if self.slot == "square_avg_eps":
                torch._foreach_add_(squares, eps * (1 - rho) / rho)
                _one_pass(params, squares, group["lr"], rho, 0.0)
                continue
            grads = [p.grad for p in params]
            torch._foreach_mul_(squares, rho)
            torch._foreach_addcmul_(squares, grads, grads, 1 - rho)
            roots = torch._foreach_add(squares, eps)
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(params, grads, roots, -group["lr"])

    def _square(self, p: Tensor, eps: float) -> Tensor:
        """Return v (or v + eps) of one weight: new, or as it was saved by either way of computing."""
        state = self.state[p]
        if self.slot not in state:
            shift = eps if self.slot == "square_avg_eps" else -eps
            (saved,) = state.values() if state else (torch.full_like(p, max(-shift, 0.0)),)
            self.state[p] = {self.slot: saved + shift}
        return self.state[p][self.slot]


def _rmsprop(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    # The place of epsilon decides: gradients of a clipped critic are often below 3e-4 = sqrt(1e-7), which is where a root
    # over v + epsilon stops rescaling them. A generator of Keras 2 moves there, that of Keras 3 hardly does.
    rho, eps, fast = config.rmsprop_rho, config.rmsprop_eps, bool(config.fast) and _fused(params[0].device)
    if config.rmsprop_eps_place == "under":
        return KerasRMSprop(params, lr=lr, rho=rho, eps=eps, fast=fast)
    kind = FastRMSprop if fast else torch.optim.RMSprop
    return kind(params, lr=lr, alpha=rho, eps=eps, foreach=True)


def _adam(params: list[nn.Parameter], lr: float, config: Config) -> torch.optim.Optimizer:
    # float() because some torch releases refuse an int among the betas
    betas = (float(config.beta1), float(config.beta2))
    if config.fast and _fused(params[0].device):
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
