"""RMSProp and Adam in one pass over memory: PyTorch's own formulas, state and kernel.

RMSProp is Adam without a mean and without bias corrections, so PyTorch's fused Adam computes it: beta1 = 0 and a step count
so large that 1 - beta2^step is 1. The buffer of the mean gradient is the gradient itself, which that kernel reads and
writes back: nothing is allocated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

LONG_AGO = 1e9  # steps: a bias correction of exactly 1 in float32 and float64, for every decay below 0.9999999


def one_pass(params: list[Tensor], squares: list[Tensor], lr: float, decay: float, eps: float) -> None:
    """v = decay v + (1 - decay) g^2; w -= lr g / (sqrt(v) + eps), for all weights in one pass over memory."""
    grads = [_laid_out_as(p) for p in params]
    steps = [_long_ago(params[0].device)] * len(params)
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


@functools.cache
def _long_ago(device: torch.device) -> Tensor:
    return torch.tensor(LONG_AGO, dtype=torch.float32, device=device)


def _laid_out_as(p: Tensor) -> Tensor:
    """Return the gradient of p in p's own layout: the kernel walks memory, not indices."""
    assert p.grad is not None
    return p.grad if p.grad.stride() == p.stride() else torch.empty_like(p).copy_(p.grad)


def fusable(device: torch.device) -> bool:
    """Return whether PyTorch has its fused kernel there."""
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
                one_pass(params, squares, group["lr"], group["alpha"], group["eps"])


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
