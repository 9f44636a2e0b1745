"""The players of a run: networks, averaged generator, optimizers, and how they are built."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.config.objectives import ObjectiveFacts
from wgan.data import Source
from wgan.distributed.sync_layers import share_batch
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.losses import Objective, clippable
from wgan.models import AnyCritic, AnyGenerator, Columns, build_critic, build_generator
from wgan.models.own import OwnCritic
from wgan.rng import seeded
from wgan.training.augment import augment
from wgan.training.given import NONE_GIVEN, Given, rules_of, settled
from wgan.training.legacy import moved_by_generator
from wgan.training.optim import build_optimizers
from wgan.training.own_networks import all_but_norms, apart, own_critic, own_generator
from wgan.training.own_optimizer import rate_of
from wgan.training.written import Written, written


@dataclass
class Players:
    """Generator, critic, averaged generator and their optimizers, with what they need to be updated."""

    config: Config
    engine: Engine
    objective: Objective
    generator: AnyGenerator
    critic: AnyCritic
    average: AnyGenerator | None
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer
    clipped: list[Tensor]  # what weight clipping bounds; empty when it is off
    moved: list[nn.Parameter] = field(default_factory=list)  # of the critic, by the generator's update too
    augment_fraction: float = 0.0  # of augmented images; it moves where `augment_target` is on
    given: Given = NONE_GIVEN  # which of all this the caller made
    frozen: list[nn.Parameter] = field(default_factory=list)  # of a caller's critic: weights that never learn
    written: Written | None = None  # both updates without autograd, where both networks are plain MLPs

    @property
    def best_generator(self) -> AnyGenerator:
        """The averaged generator where there is one, else the raw one."""
        return self.average or self.generator

    def augment(self, x: Tensor, step: int, purpose: str) -> Tensor:
        """Return x [B, C, H, W], real or fake, as the critic sees it: changed when `augment` is on, by draws of its own."""
        if not self.augment_fraction:
            return x
        return augment(x, self.augment_fraction, self.engine.draws(self.config.seed, step, purpose, len(x)))

    def mirror(self, x: Tensor, position: int) -> Tensor:
        """Return real images x [B, C, H, W], half of them mirrored when `flip` is on: a mirrored one counts as data."""
        c = self.config
        if not c.flip:
            return x
        turn = self.engine.draws(c.seed, position, "flip", len(x)).uniform() < 0.5
        return torch.where(turn[:, None, None, None], x.flip(3), x)


def make_players(config: Config, engine: Engine, source: Source, given: Given = NONE_GIVEN) -> Players:
    """Build both networks (weights a function of the seed alone), the average and the optimizers on the device.

    given: what the caller made instead; what is learnt of it stands in the config of the players.
    """
    config = settled(config, given)
    if (config.flip or config.augment or config.augment_target) and not source.is_image:
        raise WganError(f"flip and augment are for images, and {source.name} holds {source.kind}: leave them out")
    rules, facts = rules_of(config, given)
    config, generator, critic = networks(config, engine, source, given, facts)
    average = copy.deepcopy(generator) if config.ema else None
    if average is not None:
        average.requires_grad_(False).eval()
    frozen = [w for w in critic.parameters() if not w.requires_grad]
    clipped = clipped_weights(critic, config) if facts.clips else []
    if engine.group.world > 1 or config.microbatch:
        for network in (generator, critic):
            share_batch(network, engine.group, engine.shard)
    if config.compile:  # the generator alone: a penalised critic is differentiated twice
        engine.require_compiler(config.fast)
        generator.compile(dynamic=False)
    moved = moved_by_generator(critic, config.generator_moves)
    optimizers = build_optimizers(generator, critic, config, moved, given.optimizers)
    if given.optimizer is not None:
        rates = {"lr": rate_of(optimizers[0], config.lr), "critic_lr": rate_of(optimizers[1], config.lr)}
        config = config.replace(**rates)
    return Players(
        config,
        engine,
        rules,
        generator,
        critic,
        average,
        *optimizers,
        clipped,
        moved=moved,
        augment_fraction=config.augment,
        given=given,
        frozen=frozen,
        written=written(config, engine, rules, generator, critic, moved),
    )


def networks(
    config: Config, engine: Engine, source: Source, given: Given, facts: ObjectiveFacts
) -> tuple[Config, AnyGenerator, AnyCritic]:
    """Return generator and critic on the device, wgan's own or those given, and the config with what these turned out to be."""
    generator: AnyGenerator
    critic: AnyCritic
    if given.generator is not None and given.critic is not None:
        apart(given.generator, given.critic)
    width = 0 if source.conditions is None else source.conditions.width
    with seeded(config.seed, 0, "initial weights"):
        if given.generator is None:
            columns = None if source.table is None else Columns(*source.table.layout)
            generator = build_generator(config, source.shape, source.classes, columns, engine.ways, width)
        if given.critic is None:
            critic = build_critic(config, source.shape, source.classes, engine.ways, width)
    if given.generator is not None:
        config, generator = own_generator(given.generator, config, engine, source)
    if given.critic is not None:
        config, critic = own_critic(given.critic, config, engine, source, facts)
    return config, generator.to(engine.device, engine.dtype), critic.to(engine.device, engine.dtype)


def clipped_weights(critic: AnyCritic, config: Config) -> list[Tensor]:
    """Return what weight clipping bounds in a critic of ours, or of the caller's."""
    own = isinstance(critic, OwnCritic) and config.clip_scope == "all"
    return all_but_norms(critic) if own else clippable(critic, config.clip_scope)
