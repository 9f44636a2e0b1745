"""One update of each player: the two halves of Algorithm 1, for every objective, without a branch on a name.

Each update is one scalar, one backward, one optimizer step (`critic_update separate`: one on each half).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wgan.losses import (
    POINTS,
    class_loss,
    critic_term,
    generator_term,
    gradient_norms,
    safe_norms,
)
from wgan.models.fast.linear import inputs_only
from wgan.models.layers import spectral_buffers
from wgan.models.networks import Critic
from wgan.rng import Draws
from wgan.training.accumulate import Cut, Stats, cuts, descend, stepped
from wgan.training.legacy import clip_at, critic_steps, statistics
from wgan.training.players import Players
from wgan.training.schedule import ema_decay


def pack(x: Tensor, m: int) -> Tensor:
    """[B, C, ...] -> [B / m, m C, ...]: m samples side by side on the channel axis (PacGAN, Lin 2018)."""
    return x if m == 1 else x.reshape(x.shape[0] // m, m * x.shape[1], *x.shape[2:])


def make_fakes(p: Players, z: Tensor, y: Tensor | None) -> Tensor:
    """Return G(z, y) [B, *shape] without a gradient: the critic's update needs none through the generator.

    Two plain MLPs make them in a buffer that the next call for as many writes over.
    """
    if p.written is not None:
        return p.written.fakes(z)
    with torch.no_grad(), p.engine.autocast(), statistics(p.generator, p.config.critic_fakes):
        made = [p.generator(cut(z), cut(y)) for cut in cuts(len(z), p.config.microbatch)]
    return made[0] if len(made) == 1 else torch.cat(made)


def judge(p: Players, x: Tensor, y: Tensor | None, blocks: int = 1) -> tuple[Tensor, Tensor | None]:
    """Return the critic's scores [B] and class logits of already packed x, which is `blocks` batches side by side."""
    with p.engine.autocast(), p.engine.shard.side_by_side(blocks):
        judged: tuple[Tensor, Tensor | None] = p.critic(x, y)
        return judged


def judge_sides(p: Players, sides: Mapping[str, Tensor], y: Tensor | None) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Return (scores, class logits) of each side, 'real' and 'fake' or one of them, under the same labels y.

    Both go through the critic in one pass, unless batch norm makes the samples of a pass depend on each other.
    """
    if len(sides) == 1 or p.config.critic_norm == "batch":
        return {side: judge(p, x, y) for side, x in sides.items()}
    sizes = [len(x) for x in sides.values()]
    scores, logits = judge(p, torch.cat([*sides.values()]), None if y is None else torch.cat([y, y]), blocks=2)
    parts = [None, None] if logits is None else logits.split(sizes)
    return dict(zip(sides, zip(scores.split(sizes), parts, strict=True), strict=True))


def critic_update(p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draws: Draws) -> Stats:
    """Update the critic on real and fake [B, *shape] that share labels y [B]; return its statistics.

    One optimizer step on both, or, as some published programs do, one on each (`critic_update separate`).
    """
    c = p.config
    thaw(p)
    clip_at("before-pair", c, p.clipped)
    stats: Stats = {}
    for sides in critic_steps(c.critic_update, pack(real, c.pack), pack(fake, c.pack)):
        stats |= _critic_step(p, sides, y, draws)
        clip_at("step", c, p.clipped)  # after the optimizer's step: the generator must meet a clipped critic
    clip_at("after-pair", c, p.clipped)
    if "critic/loss" not in stats:
        stats["critic/loss"] = stats["critic/loss_real"] + stats["critic/loss_fake"]
    return stats


def _critic_step(p: Players, sides: Mapping[str, Tensor], y: Tensor | None, draws: Draws) -> Stats:
    if p.written is not None:
        points = penalty_points(p, sides["real"], sides["fake"], draws) if penalised(p, sides) else None
        return stepped(p.engine, p.critic_optimizer, p.written.critic_loss(sides, points, p.config.penalty))

    def loss_of(cut: Cut) -> tuple[Tensor, Stats]:
        return critic_loss(p, {side: cut(x) for side, x in sides.items()}, cut(y), draws.restart())

    packs = len(next(iter(sides.values())))
    return descend(p.engine, p.config, p.critic_optimizer, packs * p.config.pack, loss_of, moving(p))


def thaw(p: Players) -> None:
    """Let the critic learn again after a generator's update; to ask first is cheaper than to walk over every module."""
    if p.written is not None and p.critic.training and p.written.critic.layers[0].weight.requires_grad:
        return
    if not p.critic.training or not all(w.requires_grad for w in p.critic.parameters()):
        p.critic.requires_grad_(True).train()
        for weight in p.frozen:
            weight.requires_grad_(False)


def moving(p: Players) -> list[Tensor]:
    """Return what every pass through the critic moves, where a step is made of several: see descend."""
    return spectral_buffers(p.critic) if p.config.microbatch else []


def critic_loss(p: Players, sides: Mapping[str, Tensor], y: Tensor | None, draws: Draws) -> tuple[Tensor, Stats]:
    """Return the critic's loss on the sides that are given as one scalar, and its parts.

    Both sides: the objective's terms, the penalty and the class loss. One side: its own term and its class loss, so that
    the losses of two halves add up to the whole.
    """
    judged = judge_sides(p, sides, y)
    scores = {side: found[0] for side, found in judged.items()}
    loss = critic_term(p.objective, scores.get("real"), scores.get("fake"))
    stats: Stats = {f"critic/{side}": s.mean().detach() for side, s in scores.items()}
    if penalised(p, sides):
        penalty, norms = penalty_term(p, sides["real"], sides["fake"], y, draws)
        stats |= {"critic/penalty": penalty.detach(), "critic/slope": norms.mean().detach()}
        loss = loss + penalty
    if p.config.class_critic and y is not None:
        loss = loss + p.config.class_critic * class_terms(
            p, {side: found[1] for side, found in judged.items()}, y, stats
        )
    name = "critic/loss" if len(sides) == 2 else f"critic/loss_{next(iter(sides))}"
    return loss, {name: loss.detach(), **stats}


def penalised(p: Players, sides: Mapping[str, Tensor]) -> bool:
    """Return whether the loss of these sides has a gradient penalty."""
    return len(sides) == 2 and p.objective.penalty is not None and p.config.penalty > 0


def penalty_points(p: Players, real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
    """Return the points at which the critic is penalised [P, *shape]."""
    place = p.objective.points
    return (POINTS[place] if isinstance(place, str) else place)(real, fake, draws)


def penalty_term(p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return the mean penalty and the gradient norms at the objective's points."""
    assert p.objective.penalty is not None
    points = penalty_points(p, real, fake, draws)
    labels = y if y is None or len(points) == len(y) else torch.cat([y, y])
    with p.engine.autocast():
        by_hand = p.critic.input_gradient(points.detach(), labels) if isinstance(p.critic, Critic) else None
    if by_hand is not None:
        norms = safe_norms(by_hand)
    else:
        with inputs_only():
            norms = gradient_norms(lambda x: judge(p, x, labels, len(points) // len(real))[0], points)
    return p.objective.penalty(norms, p.config.penalty).mean(), norms


def class_terms(p: Players, logits: Mapping[str, Tensor | None], y: Tensor, stats: Stats) -> Tensor | float:
    """Return the sum of the class losses of the sides that the critic's classifier learns from; note those of all sides."""
    wanted = p.config.class_on.split("+")
    total: Tensor | float = 0.0
    for side, found in logits.items():
        if found is not None:
            term = class_loss(found, y, p.config.class_clip)
            stats |= {f"class/{side}": term.detach(), f"class/accuracy_{side}": accuracy(found, y)}
            total = total + term if side in wanted else total
    return total


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Return the fraction of samples whose largest class logit [B, K] is that of their label [B]."""
    return (logits.argmax(1) == y).float().mean()


Labelled = tuple[Tensor, Tensor | None]  # samples [B, *shape] and their own labels [B]


def generator_update(p: Players, z: Tensor, y: Tensor | None, real: Labelled | None, step: int) -> Stats:
    """Update the generator on latents z [B, Z] and labels y [B], and its average; the critic is frozen.

    real: reals with their own labels, which a relativistic objective compares the fakes with.
    """
    if not p.generator.training:
        p.generator.train()
    if p.written is not None and real is None and not p.augment_fraction and p.config.pack == 1:
        stats = stepped(p.engine, p.generator_optimizer, p.written.generator_loss(z))
    else:
        stats = _generator_step(p, z, y, real, step)
    if p.average is not None and p.config.ema is not None:
        update_average(p.average, p.generator, ema_decay(p.config.ema, step))
    return stats


def _generator_step(p: Players, z: Tensor, y: Tensor | None, real: Labelled | None, step: int) -> Stats:
    p.critic.requires_grad_(False)  # spares the critic's weight gradients
    for weight in p.moved:
        weight.requires_grad_(True)

    def loss_of(cut: Cut) -> tuple[Tensor, Stats]:
        part = None if real is None else (cut(real[0]), cut(real[1]))
        return generator_loss(p, cut(z), cut(y), part, step)

    with statistics(p.critic, p.config.critic_statistics):
        return descend(p.engine, p.config, p.generator_optimizer, len(z), loss_of, moving(p))


def generator_loss(p: Players, z: Tensor, y: Tensor | None, real: Labelled | None, step: int) -> tuple[Tensor, Stats]:
    """Return the whole loss of the generator as one scalar, and its parts."""
    with p.engine.autocast():
        fake = p.generator(z, y)
    seen = p.augment(fake, step, "augment generator")
    scores, logits = judge(p, pack(seen, p.config.pack), y)
    real_scores = None if real is None else judge(p, pack(real[0], p.config.pack), real[1])[0]
    loss = generator_term(p.objective, scores, real_scores)
    stats: Stats = {"generator/score": scores.mean().detach()}
    if p.config.class_generator and p.generator.classes and y is not None and logits is not None:  # it was told y
        term = class_loss(logits, y, p.config.class_clip)
        stats |= {"generator/class": term.detach(), "generator/class_accuracy": accuracy(logits, y)}
        loss = loss + p.config.class_generator * term
    return loss, {"generator/loss": loss.detach(), **stats}


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average <- decay average + (1 - decay) network, for weights and floating buffers; counters are copied."""
    ours, theirs = average.state_dict(), network.state_dict()
    smooth = [k for k, t in ours.items() if t.is_floating_point()]
    torch._foreach_lerp_([ours[k] for k in smooth], [theirs[k] for k in smooth], 1 - decay)
    for key in ours.keys() - set(smooth):
        ours[key].copy_(theirs[key])
