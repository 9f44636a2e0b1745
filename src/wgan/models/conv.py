"""The convolutional family: dense layers, a small feature map that grows; and the critic that shrinks it again."""

from __future__ import annotations

import math

from torch import nn

from wgan.errors import WganError
from wgan.models.layers import (
    FAMILY_OF,
    Chain,
    FeatureMap,
    Repeat,
    RepeatConv,
    SameConv,
    Style,
    UpConv,
    make_dense,
    make_dropout,
    norm_and_activation,
)
from wgan.models.mlp import stack
from wgan.models.notation import Layer, conv_critic, conv_generator


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, H, W] before the output activation. WganError for sides that the growth does not divide."""
    spec = conv_generator(layers)
    channels, height, width = image_shape(shape, "generator conv")
    side = first_map(height, width, math.prod(layer.stride for layer in [*spec.stages, spec.out]))
    dense, n = stack(spec.dense, inputs, style)
    modules = [*dense, make_dense(n, side[0] * side[1] * spec.base.width, style), FeatureMap(spec.base.width, side)]
    modules += norm_and_activation(style, spec.base.width, True, spec.base.norm, spec.base.activation)
    c = spec.base.width
    for layer in spec.stages:
        modules += [
            *_grow(c, layer, side, style),
            *norm_and_activation(style, layer.width, True, layer.norm, layer.activation),
        ]
        c, side = layer.width, (side[0] * layer.stride, side[1] * layer.stride)
    last = Layer(channels, spec.out.kernel, spec.out.stride)
    return Chain([*modules, *_grow(c, last, side, style)])


def first_map(height: int, width: int, growth: int) -> tuple[int, int]:
    """Return the sides of the first feature map; WganError for an image whose sides the growth does not divide."""
    if height % growth or width % growth:
        near = tuple(max(round(n / growth), 1) * growth for n in (height, width))
        raise WganError(
            f"a generator that grows {growth} times cannot make {height}x{width} images: "
            f"the sides must be multiples of {growth}, for example {near[0]}x{near[1]}"
        )
    return height // growth, width // growth


def _grow(c_in: int, layer: Layer, side: tuple[int, int], style: Style) -> list[nn.Module]:
    if layer.stride > 1 and style.upsample == "transpose":
        return [UpConv(c_in, layer.width, layer.kernel, layer.stride, style.kernels)]
    if layer.stride == 2 and layer.kernel % 2 and layer.kernel >= 5:
        return [RepeatConv(nn.Conv2d(c_in, layer.width, layer.kernel), style.kernels)]
    grown = (side[0] * layer.stride, side[1] * layer.stride)
    conv = SameConv(nn.Conv2d(c_in, layer.width, layer.kernel), grown, style.kernels)
    return [*([Repeat(layer.stride)] if layer.stride > 1 else []), conv]


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, H, W] -> features [B, width]; returns the trunk and the width."""
    stages, dense = conv_critic(layers)
    c, *rest = image_shape(shape, "critic conv")
    side = (rest[0], rest[1])
    modules: list[nn.Module] = []
    for layer in stages:
        modules += _shrink(c, layer, side, style)
        c, side = layer.width, _side_after(layer, side)
    hidden, width = stack(dense, c * side[0] * side[1], style)
    return Chain([*modules, nn.Flatten(), *hidden]), width


def _shrink(c_in: int, layer: Layer, side: tuple[int, int], style: Style) -> list[nn.Module]:
    conv = SameConv(nn.Conv2d(c_in, layer.width, layer.kernel, layer.stride), side, style.kernels)
    modules: list[nn.Module] = [conv, *norm_and_activation(style, layer.width, True, layer.norm, layer.activation)]
    modules += [nn.MaxPool2d(layer.pool)] if layer.pool > 1 else []
    return modules + ([make_dropout(style)] if style.dropout else [])


def _side_after(layer: Layer, side: tuple[int, int]) -> tuple[int, int]:
    after = tuple(-(-n // layer.stride) // layer.pool for n in side)
    if min(after) < 1:
        raise WganError(f"critic_layers: a {side[0]}x{side[1]} feature map is too small for pooling by {layer.pool}")
    return after[0], after[1]


def image_shape(shape: tuple[int, ...], who: str) -> tuple[int, int, int]:
    """Return (channels, height, width); WganError when the data are no images."""
    if len(shape) != 3:
        raise WganError(
            f"{who} needs images, and this data has samples of shape {shape}: use the {FAMILY_OF[len(shape)]} family"
        )
    return shape[0], shape[1], shape[2]
