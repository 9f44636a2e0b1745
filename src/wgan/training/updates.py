"""One update of each player: the two halves of Algorithm 1, for every objective, without a branch on a name.

Each update is one scalar, one backward, one optimizer step (`critic_update separate`: one on each half).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.data import Source
from wgan.distributed.sync_layers import SyncedBatchNorm, share_batch
from wgan.engine import Draws, Engine, seeded
from wgan.errors import NotFinite, WganError
from wgan.losses import (
    POINTS,
    Objective,
    class_loss,
    clip_weights,
    clippable,
    gradient_norms,
    objective,
    safe_norms,
    share_at_bound,
)
from wgan.models import Critic, Generator, build
from wgan.models.fast.linear import inputs_only
from wgan.training.accumulate import Cut, Stats, cuts, descend
from wgan.training.augment import augment
from wgan.training.optim import build_optimizers
from wgan.training.schedule import ema_decay


@dataclass
class Players:
    """Generator, critic, averaged generator and their optimizers, with what they need to be updated."""

    config: Config
    engine: Engine
    objective: Objective
    generator: Generator
    critic: Critic
    average: Generator | None
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer
    clipped: list[Tensor]  # what weight clipping bounds; empty when it is off
    updates: int = 0  # critic updates of the step under way that are done: above 0 where a signal cut a long phase
    measured: dict[str, float] = field(default_factory=dict)  # statistics of a step whose evaluation a signal cut
    moved: list[nn.Parameter] = field(default_factory=list)  # of the critic, by the generator's update too
    share: float = 0.0  # of augmented images; it moves where `augment_target` is on

    @property
    def best_generator(self) -> Generator:
        """The averaged generator where there is one, else the raw one."""
        return self.average or self.generator

    def augment(self, x: Tensor, step: int, purpose: str) -> Tensor:
        """Return x [B, C, H, W], real or fake, as the critic sees it: changed when `augment` is on, by draws of its own."""
        return augment(x, self.share, self.engine.draws(self.config.seed, step, purpose, len(x))) if self.share else x

    def mirror(self, x: Tensor, position: int) -> Tensor:
        """Return real images x [B, C, H, W], half of them mirrored when `flip` is on: a mirrored one counts as data."""
        c = self.config
        if not c.flip:
            return x
        turn = self.engine.draws(c.seed, position, "flip", len(x)).uniform() < 0.5
        return torch.where(turn[:, None, None, None], x.flip(3), x)


def make_players(config: Config, engine: Engine, source: Source) -> Players:
    """Build both networks (weights a function of the seed alone), the average and the optimizers on the device."""
    if (config.flip or config.augment or config.augment_target) and not source.is_image:
        raise WganError(f"flip and augment are for images, and {source.name} holds vectors: leave them out")
    with seeded(config.seed, 0, "initial weights"):
        generator, critic = build(config, source.shape, source.classes)
        average = build(config, source.shape, source.classes)[0] if config.ema else None
    if average is not None:
        average.load_state_dict(generator.state_dict())
        average.requires_grad_(False).eval()
    for network in (generator, critic, average):
        if network is not None:
            network.to(engine.device, engine.dtype)
    rules = objective(config.objective)
    clipped = clippable(critic, config.clip_scope) if rules.clip else []
    if engine.group.world > 1 or config.microbatch:
        for network in (generator, critic):
            share_batch(network, engine.group, engine.place)
    if config.compile:  # of the two players the one that is never differentiated twice
        engine.require_compiler(bool(config.fast))
        generator.compile(dynamic=False)
    moved = moved_by_generator(critic, config.generator_moves)
    optimizers = build_optimizers(generator, critic, config, moved)
    return Players(
        config, engine, rules, generator, critic, average, *optimizers, clipped, moved=moved, share=config.augment
    )


def moved_by_generator(critic: nn.Module, which: str) -> list[nn.Parameter]:
    """Return the critic's weights that the generator's update moves too: none, those of normalisations, or all (critic)."""
    if which == "none":
        return []
    if which == "critic":
        return list(critic.parameters())
    norms = [
        m for m in critic.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, SyncedBatchNorm))
    ]
    if not norms:
        raise WganError(
            "generator_moves norms needs a critic with a normalisation: set critic_norm batch, layer or instance"
        )
    return [weight for norm in norms for weight in norm.parameters(recurse=False)]


def pack(x: Tensor, m: int) -> Tensor:
    """[B, C, ...] -> [B / m, m C, ...]: m samples side by side on the channel axis (PacGAN, Lin 2018)."""
    return x if m == 1 else x.reshape(x.shape[0] // m, m * x.shape[1], *x.shape[2:])


def make_fakes(p: Players, z: Tensor, y: Tensor | None) -> Tensor:
    """Return G(z, y) [B, *shape] without a gradient: the critic's update needs none through the generator."""
    held = p.config.critic_fakes == "running"
    if held:
        hold_statistics(p.generator)
    with torch.no_grad(), p.engine.autocast():
        made = [p.generator(cut(z), cut(y)) for cut in cuts(len(z), p.config.microbatch)]
    if held:
        p.generator.train()
    return made[0] if len(made) == 1 else torch.cat(made)


def judge(p: Players, x: Tensor, y: Tensor | None, blocks: int = 1) -> tuple[Tensor, Tensor | None]:
    """Return the critic's scores [B] and class logits of already packed x, which is `blocks` batches side by side."""
    with p.engine.autocast(), p.engine.place.side_by_side(blocks):
        return p.critic(x, y)


def judge_both(
    p: Players, real: Tensor, fake: Tensor, y: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Return real and fake scores and logits; in one pass unless batch norm makes a batch's samples depend on each other."""
    if p.config.critic_norm == "batch":
        (r, r_logits), (f, f_logits) = judge(p, real, y), judge(p, fake, y)
        return r, f, r_logits, f_logits
    scores, logits = judge(p, torch.cat([real, fake]), None if y is None else torch.cat([y, y]), blocks=2)
    r, f = scores.split([len(real), len(fake)])
    r_logits, f_logits = (None, None) if logits is None else logits.split([len(real), len(fake)])
    return r, f, r_logits, f_logits


def critic_update(p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draws: Draws) -> Stats:
    """Update the critic on real and fake [B, *shape] that share labels y [B]; return its statistics."""
    real, fake = pack(real, p.config.pack), pack(fake, p.config.pack)
    thaw(p)
    if p.config.critic_update == "separate":
        return _separate_update(p, real, fake, y)

    def loss_of(cut: Cut) -> tuple[Tensor, Stats]:
        return critic_loss(p, cut(real), cut(fake), cut(y), draws.again())

    return _critic_step(p, len(real), loss_of)


def thaw(p: Players) -> None:
    """Let the critic learn again after a generator's update; to ask first is cheaper than to walk over every module."""
    held = p.config.critic_statistics == "running"  # its batch norms were set apart, one by one
    if held or not p.critic.training or not all(w.requires_grad for w in p.critic.parameters()):
        p.critic.requires_grad_(True).train()


def critic_loss(p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draws: Draws) -> tuple[Tensor, Stats]:
    """Return the whole loss of the critic as one scalar, and its parts."""
    r, f, r_logits, f_logits = judge_both(p, real, fake, y)
    loss = p.objective.critic(r, f)
    stats: Stats = {"critic/real": r.mean().detach(), "critic/fake": f.mean().detach()}
    if p.objective.penalty is not None and p.config.penalty_weight:
        penalty, norms = penalty_term(p, real, fake, y, draws)
        stats |= {"critic/penalty": penalty.detach(), "critic/slope": norms.mean().detach()}
        loss = loss + penalty
    if p.config.class_critic and y is not None:
        term = _class_terms(p, r_logits, f_logits, y, stats)
        loss = loss + p.config.class_critic * term
    return loss, {"critic/loss": loss.detach(), **stats}


def penalty_term(p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return the mean penalty and the gradient norms at the objective's points."""
    assert p.objective.penalty is not None
    points = POINTS[p.objective.points](real, fake, draws)
    labels = y if y is None or len(points) == len(y) else torch.cat([y, y])
    with p.engine.autocast():
        by_hand = p.critic.slope(points.detach(), labels) if isinstance(p.critic, Critic) else None
    if by_hand is not None:
        norms = safe_norms(by_hand)
    else:
        with inputs_only():
            norms = gradient_norms(lambda x: judge(p, x, labels, len(points) // len(real))[0], points)
    return p.objective.penalty(norms, p.config.penalty_weight).mean(), norms


def _class_terms(p: Players, r_logits: Tensor | None, f_logits: Tensor | None, y: Tensor, stats: Stats) -> Tensor:
    sides = {"real": r_logits, "fake": f_logits}
    losses = {}
    for side, logits in sides.items():
        if logits is not None:
            losses[side] = class_loss(logits, y, p.config.class_clip)
            stats[f"class/{side}"] = losses[side].detach()
            stats[f"class/accuracy_{side}"] = (logits.argmax(1) == y).float().mean()
    return torch.stack([loss for side, loss in losses.items() if side in p.config.class_on]).sum()


def _critic_step(p: Players, packs: int, loss_of: Callable[[Cut], tuple[Tensor, Stats]]) -> Stats:
    stats = descend(p.engine, p.config, p.critic_optimizer, packs * p.config.pack, loss_of)
    if p.config.clip_when == "step":
        clip_weights(p.clipped, p.config.clip)  # after the step: the generator must meet a clipped critic
    return stats


def _separate_update(p: Players, real: Tensor, fake: Tensor, y: Tensor | None) -> Stats:
    """One optimizer step on the real half, then one on the fake half (systems S0, S2, S3)."""
    stats: Stats = {"critic/loss": 0.0}
    if p.config.clip_when == "before-pair":
        clip_weights(p.clipped, p.config.clip)
    for side, x in (("real", real), ("fake", fake)):
        found = _critic_step(p, len(x), lambda cut, x=x, side=side: _half_loss(p, cut(x), cut(y), side))  # type: ignore[misc]
        stats |= found
        stats["critic/loss"] = stats["critic/loss"] + found[f"critic/loss_{side}"]
    if p.config.clip_when == "after-pair":
        clip_weights(p.clipped, p.config.clip)
    return stats


def _half_loss(p: Players, x: Tensor, y: Tensor | None, side: str) -> tuple[Tensor, Stats]:
    """Return the critic's loss on the real or the fake half, and its parts."""
    scores, logits = judge(p, x, y)
    absent = scores.new_zeros(len(scores))  # the other half's term is a constant here
    loss = p.objective.critic(*((scores, absent) if side == "real" else (absent, scores)))
    loss = loss - p.objective.critic(absent, absent) / 2  # that constant: the halves then add up to the joint loss
    stats: Stats = {f"critic/{side}": scores.mean().detach()}
    if p.config.class_critic and y is not None and logits is not None:
        term = class_loss(logits, y, p.config.class_clip)
        stats |= {f"class/{side}": term.detach(), f"class/accuracy_{side}": (logits.argmax(1) == y).float().mean()}
        loss = loss + p.config.class_critic * term * (side in p.config.class_on)
    return loss, {**stats, f"critic/loss_{side}": loss.detach()}


def generator_update(p: Players, z: Tensor, y: Tensor | None, real: Tensor | None, step: int) -> Stats:
    """Update the generator on latents z [B, Z] and labels y [B], and its average; the critic is frozen."""
    p.critic.requires_grad_(False)  # spares the critic's weight gradients
    for weight in p.moved:
        weight.requires_grad_(True)
    if p.config.critic_statistics == "running":
        hold_statistics(p.critic)
    p.generator.train()

    def loss_of(cut: Cut) -> tuple[Tensor, Stats]:
        return generator_loss(p, cut(z), cut(y), cut(real), step)

    stats = descend(p.engine, p.config, p.generator_optimizer, len(z), loss_of)
    if p.average is not None:
        update_average(p.average, p.generator, ema_decay(p.config.ema, step))
    return stats


def generator_loss(p: Players, z: Tensor, y: Tensor | None, real: Tensor | None, step: int) -> tuple[Tensor, Stats]:
    """Return the whole loss of the generator as one scalar, and its parts."""
    with p.engine.autocast():
        fake = p.generator(z, y)
    seen = p.augment(fake, step, "augment generator")
    scores, logits = judge(p, pack(seen, p.config.pack), y)
    real_scores = None if real is None else judge(p, pack(real, p.config.pack), y)[0]
    loss = p.objective.generator(scores, real_scores)
    stats: Stats = {"generator/score": scores.mean().detach()}
    if p.config.class_generator and p.generator.classes and y is not None and logits is not None:  # it was told y
        term = class_loss(logits, y, p.config.class_clip)
        stats |= {"generator/class": term.detach(), "generator/class_accuracy": (logits.argmax(1) == y).float().mean()}
        loss = loss + p.config.class_generator * term
    return loss, {"generator/loss": loss.detach(), **stats}


def hold_statistics(network: nn.Module) -> None:
    """Let batch norm use its running statistics, and leave them as they are, until the network is set to train again."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, SyncedBatchNorm)):
            module.eval()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average <- decay average + (1 - decay) network, for weights and floating buffers; counters are copied."""
    ours, theirs = average.state_dict(), network.state_dict()
    smooth = [k for k, t in ours.items() if t.is_floating_point()]
    torch._foreach_lerp_([ours[k] for k in smooth], [theirs[k] for k in smooth], 1 - decay)
    for key in ours.keys() - set(smooth):
        ours[key].copy_(theirs[key])


def gradient_norm(network: nn.Module) -> float:
    """Return the Euclidean norm of all gradients of a network."""
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(grads)) if grads else 0.0


def watch(p: Players) -> Stats:
    """Return what is worth a look but costs a pass over the weights: gradient norms, the share of clipped weights."""
    stats: Stats = {
        "critic/gradient_norm": gradient_norm(p.critic),
        "generator/gradient_norm": gradient_norm(p.generator),
    }
    if p.clipped:
        stats["critic/share_clipped"] = share_at_bound(p.clipped, p.config.clip)
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
        named = {f"{player}/{key}": weight for key, weight in network.named_parameters()}
        for key, weight in [*named.items()]:
            slots = optimizer.state.get(weight, {})
            named |= {f"{key} ({slot})": t for slot, t in slots.items() if t.shape == weight.shape}
        bad = [key for key, t in named.items() if not torch.isfinite(t).all()]
        if bad:
            raise NotFinite(bad[0], step)


def _sums_are_finite(network: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
    """Return False wherever a number is not finite, in one pass over memory (and, rarely, where a sum overflows)."""
    weights = list(network.parameters())
    slots = [t for w in weights for t in optimizer.state.get(w, {}).values() if t.shape == w.shape]
    return bool(torch.isfinite(torch.stack([t.sum() for t in [*weights, *slots]]).sum()))
