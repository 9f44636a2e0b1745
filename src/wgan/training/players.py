"""The players of a run: networks, averaged generator, optimizers, and how they are built."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.config.objectives import FACTS
from wgan.data import Source
from wgan.distributed.sync_layers import share_batch
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.losses import (
    Objective,
    clippable,
    objective,
)
from wgan.models import build
from wgan.models.networks import Critic, Generator
from wgan.rng import seeded
from wgan.training.augment import augment
from wgan.training.legacy import moved_by_generator
from wgan.training.optim import build_optimizers


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
    clipped = clippable(critic, config.clip_scope) if FACTS[config.objective].clips else []
    if engine.group.world > 1 or config.microbatch:
        for network in (generator, critic):
            share_batch(network, engine.group, engine.place)
    if config.compile:  # of the two players the one that is never differentiated twice
        engine.require_compiler(config.fast)
        generator.compile(dynamic=False)
    moved = moved_by_generator(critic, config.generator_moves)
    optimizers = build_optimizers(generator, critic, config, moved)
    return Players(
        config, engine, rules, generator, critic, average, *optimizers, clipped, moved=moved, share=config.augment
    )
