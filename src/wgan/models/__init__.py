"""Networks: MODELS maps a family to its body and trunk; build() makes the generator and the critic of a Config."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.config import Config
from wgan.config.rules import CONVOLUTIONAL
from wgan.errors import WganError, unknown
from wgan.models import auto, conv, mlp, resnet
from wgan.models.fast.input_gradient import input_gradient
from wgan.models.layers import Chain, Style, initialise, spectral

MODELS = {
    "conv": (conv.generator_body, conv.critic_trunk),
    "resnet": (resnet.generator_body, resnet.critic_trunk),
    "mlp": (mlp.generator_body, mlp.critic_trunk),
}


class Generator(nn.Module):
    """G(z [B, Z], y [B] or None) -> x [B, *shape]; in [-1, 1] with tanh.

    conditioning: none, product (z times an embedding of y), concat (the one-hot of y beside z), norm (in the body).
    """

    def __init__(
        self, body: Chain, latent: int, conditioning: str, classes: int, tanh: bool, fast: bool = True
    ) -> None:
        super().__init__()
        self.fast = fast
        self.latent, self.classes, self.conditioning, self.tanh = latent, classes, conditioning, tanh
        self.embedding = nn.Embedding(classes, latent) if conditioning == "product" else None
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)  # Keras's Glorot uniform
        self.body = body

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z [B, Z], y int64 [B] (needed when conditional) -> x [B, *shape]."""
        if self.embedding is not None:
            z = z * self.embedding(y)
        elif self.conditioning == "concat":
            assert y is not None
            z = torch.cat([z, F.one_hot(y, self.classes).to(z.dtype)], 1)
        x = self.body(z, y)
        x = x.float() if x.dtype == torch.bfloat16 else x  # bf16 is too coarse near -1 and 1
        if not self.tanh:
            return x
        return 2 * torch.sigmoid(2 * x) - 1 if self.fast and x.device.type == "cpu" else torch.tanh(x)  # 4 times faster


class Critic(nn.Module):
    """D(x [B, *shape], y [B] or None) -> (score [B], class_logits [B, K] or None); never a sigmoid."""

    def __init__(self, trunk: Chain, width: int, projection_classes: int, head_classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.score = nn.Linear(width, 1)
        self.projection = nn.Embedding(projection_classes, width) if projection_classes else None
        if self.projection is not None:
            nn.init.normal_(self.projection.weight, 0.0, width**-0.5)
        self.head = nn.Linear(width, head_classes) if head_classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """x [B, *shape], y int64 [B] for a projection critic -> score [B], class logits [B, K] or None."""
        h = self.trunk(x)  # [B, width]
        with torch.autocast(x.device.type, enabled=False):  # a score rounded to 8 bits would hide the W estimate
            h = h.to(self.score.weight.dtype)
            score = self.score(h).squeeze(1)  # [B]
            if self.projection is not None:
                score = score + (self.projection(y) * h).sum(1)
            return score, self.head(h) if self.head is not None else None

    def slope(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """x, y as above -> the gradient of the score in x [B, n]; None where autograd has to find it."""
        return input_gradient(self.trunk, self.score, x, None if self.projection is None else self.projection(y))


def build(config: Config, shape: tuple[int, ...], classes: int) -> tuple[Generator, Critic]:
    """Return the generator and the critic that `config` names, for samples of `shape` with `classes` labels (0 = none).

    On data without labels every conditioning is off. Weights come from torch's default generator: seed it around the
    call. Raises WganError for sizes that the family cannot make.
    """
    conditioning = config.conditioning if classes else "none"
    if conditioning == "norm" and config.generator_norm == "none":
        raise WganError(
            "conditioning norm needs a generator_norm: use batch, layer or instance, or conditioning concat"
        )
    return _generator(config, shape, classes, conditioning), _critic(config, shape, classes)


def _generator(c: Config, shape: tuple[int, ...], classes: int, conditioning: str) -> Generator:
    if c.generator not in MODELS:
        raise unknown("generator family", c.generator, MODELS)
    norm_classes = classes if conditioning == "norm" else 0
    fast = bool(c.fast)
    style = Style(
        c.generator_norm, c.generator_activation, c.norm_momentum, c.norm_eps, norm_classes, 0.0, c.upsample, fast
    )
    inputs = c.latent + (classes if conditioning == "concat" else 0)
    layers = auto.line("generator", c.generator, shape) if c.generator_layers == "auto" else c.generator_layers
    body = MODELS[c.generator][0](layers, inputs, shape, style)
    initialise(body, c.generator_init)
    tanh = c.output == "tanh" or (c.output == "auto" and len(shape) == 3)
    network = Generator(body, c.latent, conditioning, classes if conditioning != "none" else 0, tanh, fast)
    return network.to(memory_format=torch.channels_last) if c.generator in CONVOLUTIONAL else network  # type: ignore[call-overload]


def _critic(c: Config, shape: tuple[int, ...], classes: int) -> Critic:
    if c.critic not in MODELS:
        raise unknown("critic family", c.critic, MODELS)
    style = Style(c.critic_norm, c.critic_activation, c.norm_momentum, c.norm_eps, 0, c.dropout, fast=bool(c.fast))
    packed = (shape[0] * c.pack, *shape[1:])
    layers = auto.line("critic", c.critic, shape) if c.critic_layers == "auto" else c.critic_layers
    trunk, width = MODELS[c.critic][1](layers, packed, style)
    projection = classes if c.critic_conditioning == "projection" else 0
    head = classes if c.class_critic or c.class_generator else 0
    network = Critic(trunk, width, projection, head)
    initialise(network, c.critic_init)
    if c.critic_norm == "spectral":
        spectral(network)
    return network.to(memory_format=torch.channels_last) if c.critic in CONVOLUTIONAL else network  # type: ignore[call-overload]


def parameter_count(network: nn.Module) -> int:
    """Return the number of trainable weights."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
