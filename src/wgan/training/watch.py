"""What is looked at after an update: whether every number is finite, gradient norms, the fraction of clipped weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wgan.errors import NotFinite
from wgan.losses import fraction_at_bound
from wgan.training.accumulate import Stats
from wgan.training.players import Players


def gradient_norm(network: nn.Module) -> float:
    """Return the Euclidean norm of all gradients of a network."""
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(grads)) if grads else 0.0


def watch(p: Players) -> Stats:
    """Return what is worth a look but costs a pass over the weights: gradient norms, the fraction of clipped weights."""
    stats: Stats = {
        "critic/gradient_norm": gradient_norm(p.critic),
        "generator/gradient_norm": gradient_norm(p.generator),
    }
    if p.clipped:
        stats["critic/share_clipped"] = fraction_at_bound(p.clipped, p.config.clip)
    return stats


def require_finite(stats: Stats, step: int) -> None:
    """Raise NotFinite naming the first loss that is not a finite number."""
    for name in ("critic/loss", "generator/loss"):
        if name in stats and not torch.isfinite(torch.as_tensor(stats[name])):
            raise NotFinite(name, step, {k: float(v) for k, v in stats.items()})


def require_finite_weights(p: Players, step: int) -> None:
    """Raise NotFinite naming the first weight, or moment of its gradient, that is not finite after a finite loss.

    An infinite second moment would otherwise freeze its weight without a word: every update is divided by it.
    """
    sides = [("critic", p.critic, p.critic_optimizer), ("generator", p.generator, p.generator_optimizer)]
    if p.moved:  # the critic's weights have squares of their own in the generator's update
        sides.append(("critic", p.critic, p.generator_optimizer))
    if all(_sums_are_finite(network, optimizer) for _, network, optimizer in sides):
        return
    for player, network, optimizer in sides:
        named: dict[str, Tensor] = {f"{player}/{key}": weight for key, weight in network.named_parameters()}
        for key, weight in [*named.items()]:
            named |= {f"{key} ({slot})": t for slot, t in moments_of(optimizer, weight).items()}
        bad = [key for key, t in named.items() if not torch.isfinite(t).all()]
        if bad:
            raise NotFinite(bad[0], step)


def _sums_are_finite(network: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
    """Return False wherever a number is not finite, in one pass over memory (and, rarely, where a sum overflows)."""
    weights = list(network.parameters())
    slots = [t for w in weights for t in moments_of(optimizer, w).values()]
    return bool(torch.isfinite(torch.stack([t.sum() for t in [*weights, *slots]]).sum()))


def moments_of(optimizer: torch.optim.Optimizer, weight: Tensor) -> dict[str, Tensor]:
    """Return what an optimizer keeps for each number of a weight; a caller's own may keep other things too."""
    slots = optimizer.state.get(weight, {})
    return {name: t for name, t in slots.items() if isinstance(t, Tensor) and t.shape == weight.shape}
