"""Networks: MODELS maps a family to its body and trunk; build() makes the generator and the critic of a Config."""

from __future__ import annotations

import torch
from torch import nn

from wgan.config import Config, NetworkOptions
from wgan.config.objectives import OWN
from wgan.config.rules import CONVOLUTIONAL
from wgan.errors import WganError, unknown
from wgan.models import auto, conv, conv1d, conv3d, mlp, resnet, resnet1d
from wgan.models.fast import fast_kernels
from wgan.models.kernels import PLAIN, Kernels
from wgan.models.layers import Style, initialise, spectral
from wgan.models.networks import Critic, Generator
from wgan.models.own import OwnCritic, OwnGenerator
from wgan.models.table_head import Columns, TableHead
from wgan.ways import OLD, Ways

__all__ = [
    "MODELS",
    "AnyCritic",
    "AnyGenerator",
    "Columns",
    "Critic",
    "Generator",
    "build",
    "build_critic",
    "build_generator",
    "parameter_count",
]

AnyGenerator = Generator | OwnGenerator
AnyCritic = Critic | OwnCritic

MODELS = {
    "conv": (conv.generator_body, conv.critic_trunk),
    "resnet": (resnet.generator_body, resnet.critic_trunk),
    "conv1d": (conv1d.generator_body, conv1d.critic_trunk),
    "conv3d": (conv3d.generator_body, conv3d.critic_trunk),
    "resnet1d": (resnet1d.generator_body, resnet1d.critic_trunk),
    "mlp": (mlp.generator_body, mlp.critic_trunk),
}


def build(
    config: Config, shape: tuple[int, ...], classes: int, columns: Columns | None = None, conditions: int = 0
) -> tuple[Generator, Critic]:
    """Return the generator and the critic that `config` names, for samples of `shape` with `classes` labels (0 = none).

    columns: of a table with columns of any kind. conditions: the width of the vector that comes with each sample instead of
    a label (0 = none). On data without labels every conditioning is off. Weights come from torch's
    default generator: seed it around the call. Raises WganError for sizes that the family cannot make.
    """
    generator = build_generator(config, shape, classes, columns, OLD, conditions)  # first: drawn before the critic's
    return generator, build_critic(config, shape, classes, OLD, conditions)


def build_generator(
    config: Config,
    shape: tuple[int, ...],
    classes: int,
    columns: Columns | None = None,
    ways: Ways = OLD,
    conditions: int = 0,
) -> Generator:
    """Return the generator alone, as build() does: what samples are made with."""
    conditioning = config.conditioning if classes or conditions else "none"
    if conditions and config.conditioning not in ("concat", "norm"):
        raise WganError(f"conditioning {config.conditioning} is for classes: with conditions use concat or norm")
    if conditioning == "norm" and config.generator_norm == "none":
        raise WganError(
            "conditioning norm needs a generator_norm: use batch, layer or instance, or conditioning concat"
        )
    if columns is not None and (classes or conditions):  # these are what is asked for
        columns = columns._replace(choices=())
    head = None if columns is None else TableHead(columns)
    return _generator(config, shape, classes, conditioning, kernels_of(config, ways), head, conditions)


def build_critic(config: Config, shape: tuple[int, ...], classes: int, ways: Ways = OLD, conditions: int = 0) -> Critic:
    """Return the critic alone, as build() does."""
    head = classes if config.class_critic or config.class_generator else 0  # outputs of the auxiliary classifier
    return _critic(config, shape, classes, head, kernels_of(config, ways), conditions)


def kernels_of(config: Config, ways: Ways) -> Kernels:
    """Return how the layers of a run compute."""
    return fast_kernels(ways) if config.fast else PLAIN


def _generator(
    c: Config,
    shape: tuple[int, ...],
    classes: int,
    conditioning: str,
    kernels: Kernels,
    head: TableHead | None,
    conditions: int,
) -> Generator:
    if c.generator == OWN:
        raise WganError("generator own stands for a network that only Python can give: wgan.train(generator=MODULE)")
    if c.generator not in MODELS:
        raise unknown("generator family", c.generator, MODELS)
    by_norm = conditioning == "norm"
    style = Style(
        c.generator_norm,
        c.generator_activation,
        c.norm_momentum,
        c.norm_eps,
        classes if by_norm else 0,
        conditions if by_norm else 0,
        upsample=c.upsample,
        kernels=kernels,
    )
    inputs = c.latent + (classes + conditions if conditioning == "concat" else 0) + (0 if head is None else head.asked)
    layers = auto.line("generator", c.generator, shape) if c.generator_layers == "auto" else c.generator_layers
    body = MODELS[c.generator][0](layers, inputs, shape, style)
    initialise(body, c.generator_init)
    tanh = c.output == "tanh" or (c.output == "auto" and len(shape) == 3 and c.depth == "byte")
    told = classes if conditioning != "none" else 0
    network = Generator(body, c.latent, conditioning, told, tanh, kernels, head, conditions)
    return network.to(memory_format=torch.channels_last) if c.generator in CONVOLUTIONAL else network  # type: ignore[call-overload]


def _critic(
    c: NetworkOptions, shape: tuple[int, ...], classes: int, head: int, kernels: Kernels, conditions: int
) -> Critic:
    if c.critic == OWN:
        raise WganError("critic own stands for a network that only Python can give: wgan.train(critic=MODULE)")
    if c.critic not in MODELS:
        raise unknown("critic family", c.critic, MODELS)
    if conditions and c.critic_conditioning != "projection":
        raise WganError("critic_conditioning none would let the critic ignore the conditions: use projection")
    style = Style(c.critic_norm, c.critic_activation, c.norm_momentum, c.norm_eps, dropout=c.dropout, kernels=kernels)
    packed = (shape[0] * c.pack, *shape[1:])
    layers = auto.line("critic", c.critic, shape) if c.critic_layers == "auto" else c.critic_layers
    trunk, width = MODELS[c.critic][1](layers, packed, style)
    projection = classes if c.critic_conditioning == "projection" else 0
    network = Critic(trunk, width, projection, head, conditions)
    initialise(network, c.critic_init)
    if c.critic_norm == "spectral":
        spectral(network)
    return network.to(memory_format=torch.channels_last) if c.critic in CONVOLUTIONAL else network  # type: ignore[call-overload]


def parameter_count(network: nn.Module) -> int:
    """Return the number of trainable weights."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
