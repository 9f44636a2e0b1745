"""What only published programs need, called by name from the loop's own files.

Critic updates in two halves, clipping around a pair, running statistics, a critic that the generator's step moves, Arjovsky's
warm-up of 100 updates, Keras's RMSProp. Their options stand in the legacy group, last in --help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.distributed.sync_layers import SyncedBatchNorm
from wgan.errors import WganError
from wgan.losses import clip_weights
from wgan.training.fused import one_pass


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
                one_pass(params, squares, group["lr"], rho, 0.0)
                continue
            grads = [p.grad for p in params]
            torch._foreach_mul_(squares, rho)
            torch._foreach_addcmul_(squares, grads, grads, 1 - rho)
            roots = torch._foreach_add(squares, eps)
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(params, grads, roots, -group["lr"])

    def _square(self, p: Tensor, eps: float) -> Tensor:
        """Return v (or v + eps) of one weight: new, or as it was saved by either way of computing."""
        state: dict[str, Tensor] = self.state[p]
        if self.slot in state:
            return state[self.slot]
        # One number in two layouts: v, and v + eps, which spares the one-pass kernel an addition. A checkpoint may hold the
        # other one, because it was written with another `fast`; a new weight holds none, and its v is 0.
        with_eps = self.slot == "square_avg_eps"
        if not state:
            square = torch.full_like(p, eps if with_eps else 0.0)
        else:
            square = state["square_avg"] + eps if with_eps else state["square_avg_eps"] - eps
        self.state[p] = {self.slot: square}
        return square


def warm_100(step: int, n_critic: int) -> int:
    """100 updates when step % 1000 < 25 or step % 500 == 0, else n_critic (Arjovsky's public code; system S2)."""
    return 100 if step % 1000 < 25 or step % 500 == 0 else n_critic


@contextmanager
def statistics(network: nn.Module, which: str) -> Iterator[None]:
    """Within the block batch norm divides by `which` statistics: the batch's own, or the running ones, left as they are."""
    if which == "batch":
        yield
        return
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, SyncedBatchNorm)):
            module.eval()
    try:
        yield
    finally:
        network.train()


Sides = dict[str, Tensor]  # 'real' and 'fake', or one of them, -> samples [B, *shape]


def critic_steps(how: str, real: Tensor, fake: Tensor) -> list[Sides]:
    """Return what each optimizer step of one critic update sees: joint = both sides at once, separate = one, then the other."""
    return [{"real": real, "fake": fake}] if how == "joint" else [{"real": real}, {"fake": fake}]


def clip_at(moment: str, config: Config, clipped: list[Tensor]) -> None:
    """Clip if `moment` (step, before-pair, after-pair) is when this config does; Algorithm 1 clips after each step."""
    if moment == config.clip_when:
        clip_weights(clipped, config.clip)


def moved_by_generator(critic: nn.Module, which: str) -> list[nn.Parameter]:
    """Return the critic's weights that the generator's update moves too: none, those of normalisations, or all (critic)."""
    if which == "none":
        return []
    if which == "critic":
        return list(critic.parameters())
    norms = [
        m
        for m in critic.modules()
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, SyncedBatchNorm))
    ]
    if not norms:
        raise WganError(
            "generator_moves norms needs a critic with a normalisation: set critic_norm batch, layer or instance"
        )
    return [weight for norm in norms for weight in norm.parameters(recurse=False)]
