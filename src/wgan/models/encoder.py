"""The encoder: from a sample back to the latent from which the generator makes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.config.groups import Family
from wgan.config.objectives import OWN
from wgan.config.rules import CONVOLUTIONAL
from wgan.models import MODELS, auto, kernels_of
from wgan.models.layers import Chain, Style
from wgan.ways import OLD, Ways

OF_AXES: dict[int, Family] = {
    3: "conv",
    4: "conv3d",
}  # the family beside a critic of the caller's own, by the axes of a sample


class Encoder(nn.Module):
    """E(x [B, *shape]) -> (z [B, Z], class logits [B, K] or None): a trunk like the critic's, then one linear layer each.

    The classes learn from what the trunk finds and teach it nothing: the latents are those of an encoder without them.
    """

    def __init__(self, trunk: Chain, width: int, latent: int, classes: int) -> None:
        super().__init__()
        self.trunk, self.out = trunk, nn.Linear(width, latent)
        self.head = nn.Linear(width, classes) if classes else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """x [B, *shape] in the generator's range -> z [B, Z], class logits [B, K] or None."""
        h = self.trunk(x)
        with torch.autocast(x.device.type, enabled=False):  # a latent rounded to 8 bits would be another one
            h = h.to(self.out.weight.dtype)
            return self.out(h), None if self.head is None else self.head(h.detach())


def build_encoder(config: Config, shape: tuple[int, ...], latent: int, classes: int = 0, ways: Ways = OLD) -> Encoder:
    """Return the encoder of a run: the layers of its critic, with batch norm, Z outputs and K of a classifier (0 = none).

    Beside a critic of the caller's own it has the layers that `auto` stands for. Weights come from torch's default
    generator: seed it around the call.
    """
    family, layers = config.critic, config.critic_layers
    if family == OWN:
        layers, family = "auto", OF_AXES.get(len(shape), "mlp")
    if layers == "auto":
        layers = auto.line("critic", family, shape)
    style = Style("batch", "lrelu:0.2", kernels=kernels_of(config, ways))
    trunk, width = MODELS[family][1](layers, shape, style)
    network = Encoder(trunk, width, latent, classes)
    return network.to(memory_format=torch.channels_last) if family in CONVOLUTIONAL else network  # type: ignore[call-overload]
