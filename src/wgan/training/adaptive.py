"""Augmentation that adapts: its fraction follows how much better the critic knows training images than held-out ones."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from wgan.config import Config
from wgan.data.source import selection_indices
from wgan.errors import WganError
from wgan.rng import stream
from wgan.sampling.generate import generate
from wgan.training.accumulate import Stats
from wgan.training.augment import augment
from wgan.training.monitor import Monitor, frozen_copy
from wgan.training.players import Players
from wgan.training.updates import judge, pack

EVERY = 4  # steps between two looks (Karras 2020: 4 minibatches)
SWING = 100_000  # real images during which the fraction can go from 0 to 1
MOST = 0.8  # above it a generator may learn to make changed images (Karras 2020, section 3.1)
LEAST = 20  # held-out images to look at: with fewer the ratio is a matter of which they are


def require_held_out(monitor: Monitor) -> None:
    """Raise WganError when the fraction is to adapt and there are too few held-out images to see overfitting by."""
    config = monitor.config
    if not config.augment_target:
        return
    n = len(selection_indices(len(monitor.held_out)))
    if n < LEAST:
        raise WganError(
            f"augment_target watches the critic on held-out images, and {config.data} leaves {n} for that, fewer than "
            f"{LEAST}: use a fixed --augment 0.8"
        )


def follow(p: Players, monitor: Monitor, step: int, stats: Stats) -> Stats:
    """Return the statistics of `step` with the probability of augmentation, after moving it where `augment_target` is on.

    The fraction is all the state there is, and a checkpoint keeps it. Statistics that hold it already are those of a step
    whose evaluation a signal cut: they are not counted twice.
    """
    if not p.config.augment_target or "augment/share" in stats:
        return stats
    if step % EVERY:
        return {**stats, "augment/share": p.augment_fraction}
    ratio = overfitting(p, monitor, step)
    p.augment_fraction = moved_fraction(p.augment_fraction, ratio, p.config)
    return {**stats, "augment/share": p.augment_fraction, "augment/overfitting": ratio}


def moved_fraction(fraction: float, ratio: float, c: Config) -> float:
    """Return the fraction one step of EVERY · batch / SWING nearer to where the overfitting ratio is at its target."""
    change = EVERY * c.batch / SWING
    above = c.augment_target is not None and ratio > c.augment_target
    return min(max(fraction + (change if above else -change), 0.0), MOST)


def overfitting(p: Players, monitor: Monitor, step: int) -> float:
    """Return r = (E D(train) − E D(held out)) / (E D(train) − E D(fake)) on a batch each, as the critic sees them now.

    Source: Karras et al. 2020, equation 1, r_v. Their other measure, the mean sign of D(train), needs a critic whose 0 means
    something; this one does not change when the scores are shifted or scaled. 0 = the critic does not know its training
    images, 1 = held-out images look like fakes to it. 0 too where the critic does not tell reals from fakes at all.
    Nothing is learned from held-out images: they are scored by a copy, in the part of the test split that no report uses.
    """
    n, c = p.config.batch, p.config
    source = stream(c.seed, step, p.engine.purpose("adaptive augmentation"))
    train = monitor.source.batch(torch.randint(len(monitor.source), (n,), generator=source))
    index = torch.randint(len(monitor.reals[0]), (n,), generator=source)
    held_x, held_y = monitor.reals[0][index], None if monitor.reals[1] is None else monitor.reals[1][index]
    network = p.best_generator
    z = torch.randn(n, network.latent, generator=source)
    fakes = generate(network, z, train[1] if network.told else None, p.engine)
    critic = frozen_copy(p.critic)
    judged = dataclasses.replace(p, critic=critic)
    sides = ((train[0], train[1]), (held_x, held_y), (fakes, train[1]))
    known, unknown, fake = (mean_score(judged, x, y, source) for x, y in sides)
    return (known - unknown) / (known - fake) if known > fake else 0.0


@torch.no_grad()
def mean_score(p: Players, x: Tensor, y: Tensor | None, source: torch.Generator) -> float:
    """Return the critic's mean score of stored or generated images x [B, C, H, W], changed as in training."""
    seen = p.engine.to_float(x)
    u = Fixed(torch.rand(len(x), 10, generator=source).to(seen))
    changed = pack(augment(seen, p.augment_fraction, u), p.config.pack)
    score, _ = judge(p, changed, None if y is None else y.to(p.engine.device))
    return float(score.double().mean())


class Fixed:
    """Draws that every process of a group makes in the same way: the fraction must be the same for all."""

    def __init__(self, u: Tensor) -> None:
        self.u = u  # [B, 10]

    def uniform(self, *shape: int) -> Tensor:
        """Return the draws [B, 10]."""
        return self.u
