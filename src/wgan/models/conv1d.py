"""The convolutional family of signals: one axis, and any number of steps."""

from __future__ import annotations

from wgan.errors import WganError
from wgan.models import conv_nd
from wgan.models.layers import FAMILY_OF, Chain, Style


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, T] before the output activation."""
    return conv_nd.generator_body(layers, inputs, signal_shape(shape, "generator conv1d"), style)


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, T] -> features [B, width]; returns the trunk and the width."""
    return conv_nd.critic_trunk(layers, signal_shape(shape, "critic conv1d"), style)


def signal_shape(shape: tuple[int, ...], who: str) -> tuple[int, int]:
    """Return (channels, steps); WganError when the data are no signals."""
    if len(shape) != 2:
        raise WganError(
            f"{who} needs signals, and this data has samples of shape {shape}: use the {FAMILY_OF[len(shape)]} family, or --kind "
            "signal for an array that holds signals"
        )
    return shape[0], shape[1]
