"""The MLP family: fully connected generator body and critic trunk."""

from __future__ import annotations

from torch import nn

from wgan.models.layers import Chain, Style, make_dense, make_dropout, norm_and_activation
from wgan.models.notation import Layer, mlp


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, *shape] before the output activation."""
    hidden, width = stack(mlp(layers, "generator_layers"), inputs, style)
    size = 1
    for n in shape:
        size *= n
    return Chain([*hidden, make_dense(width, size, style), nn.Unflatten(1, shape)])


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, *shape] -> features [B, width]; returns the trunk and the width."""
    size = 1
    for n in shape:
        size *= n
    hidden, width = stack(mlp(layers, "critic_layers"), size, style)
    return Chain([nn.Flatten(), *hidden]), width


def stack(layers: list[Layer], inputs: int, style: Style) -> tuple[list[nn.Module], int]:
    """Return the modules of fully connected `layers` and the width they end with."""
    modules: list[nn.Module] = []
    for layer in layers:
        modules += [
            make_dense(inputs, layer.width, style),
            *norm_and_activation(style, layer.width, False, layer.norm, layer.activation),
        ]
        modules += [make_dropout(style)] if style.dropout else []
        inputs = layer.width
    return modules, inputs
