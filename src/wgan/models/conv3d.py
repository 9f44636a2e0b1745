"""The convolutional family of volumes: three axes, and any sides."""

from __future__ import annotations

from wgan.errors import WganError
from wgan.models import conv_nd
from wgan.models.layers import FAMILY_OF, Chain, Style


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, D, H, W] before the output activation."""
    return conv_nd.generator_body(layers, inputs, volume_shape(shape, "generator conv3d"), style)


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, D, H, W] -> features [B, width]; returns the trunk and the width."""
    return conv_nd.critic_trunk(layers, volume_shape(shape, "critic conv3d"), style)


def volume_shape(shape: tuple[int, ...], who: str) -> tuple[int, int, int, int]:
    """Return (channels, depth, height, width); WganError when the data are no volumes."""
    if len(shape) != 4:
        raise WganError(
            f"{who} needs volumes, and this data has samples of shape {shape}: use the {FAMILY_OF[len(shape)]} family, or --kind "
            "volume for an array that holds volumes"
        )
    return shape[0], shape[1], shape[2], shape[3]
