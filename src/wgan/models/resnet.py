"""The residual family: the lines of the convolutional one, each layer a block of two convolutions beside a shortcut."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.models.conv import first_map, image_shape
from wgan.models.layers import (
    Chain,
    FeatureMap,
    Labelled,
    Repeat,
    SameConv,
    Style,
    make_dense,
    make_dropout,
    norm_and_activation,
)
from wgan.models.mlp import stack
from wgan.models.notation import Layer, conv_critic, conv_generator


class Block(Labelled):
    """x -> shortcut(x) + residual(x): norm, activation, convolution, twice (Gulrajani 2017, appendix F; He 2016).

    The shortcut changes nothing but what it must: the size, and by a 1 x 1 convolution the channels.
    """

    def __init__(self, shortcut: list[nn.Module], residual: list[nn.Module]) -> None:
        super().__init__()
        self.shortcut, self.residual = Chain(shortcut), Chain(residual)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x [B, C, H, W], y [B] where norms are conditional -> [B, C', H', W']."""
        out: Tensor = self.shortcut(x, y) + self.residual(x, y)
        return out


class Average(nn.Module):
    """Mean over N x N pixels; over those that are there where N does not divide the side."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, ceil(H / n), ceil(W / n)]."""
        return F.avg_pool2d(x, self.n, ceil_mode=True, count_include_pad=False)


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, H, W] before the output activation. WganError for sides that the growth does not divide."""
    spec = conv_generator(layers)
    channels, height, width = image_shape(shape, "generator resnet")
    growth = math.prod(layer.stride for layer in [*spec.stages, spec.out])
    side = first_map(height, width, growth)
    require_blocks(spec.stages, "generator_layers", layers)
    dense, n = stack(spec.dense, inputs, style)
    modules = [*dense, make_dense(n, side[0] * side[1] * spec.base.width, style), FeatureMap(spec.base.width, side)]
    c = spec.base.width
    for layer in spec.stages:
        grown = (side[0] * layer.stride, side[1] * layer.stride)
        modules.append(grow(c, layer, grown, style))
        c, side = layer.width, grown
    modules += norm_and_activation(style, c, True, True, True)
    modules += [Repeat(spec.out.stride)] if spec.out.stride > 1 else []
    return Chain([*modules, SameConv(nn.Conv2d(c, channels, spec.out.kernel), (height, width), style.kernels)])


def grow(c_in: int, layer: Layer, grown: tuple[int, int], style: Style) -> Block:
    """A block that repeats pixels before its first convolution."""
    c, k = layer.width, layer.kernel
    repeat: list[nn.Module] = [Repeat(layer.stride)] if layer.stride > 1 else []
    change: list[nn.Module] = [nn.Conv2d(c_in, c, 1)] if c_in != c else []
    residual = [
        *norm_and_activation(style, c_in, True, layer.norm, True),
        *repeat,
        SameConv(nn.Conv2d(c_in, c, k), grown, style.kernels),
        *norm_and_activation(style, c, True, layer.norm, True),
        SameConv(nn.Conv2d(c, c, k), grown, style.kernels),
    ]
    return Block([*change, *repeat], residual)  # a 1 x 1 convolution before the repetition: fewer products


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, H, W] -> features [B, width]; returns the trunk and the width."""
    stages, dense = conv_critic(layers)
    c, height, width = image_shape(shape, "critic resnet")
    require_blocks(stages, "critic_layers", layers)
    side, modules = (height, width), []
    for number, layer in enumerate(stages):
        modules += shrink(c, layer, side, style, number == 0)
        c, side = layer.width, (-(-side[0] // layer.stride), -(-side[1] // layer.stride))
    hidden, features = stack(dense, c * side[0] * side[1], style)
    last = norm_and_activation(style, c, True, stages[-1].norm, True)
    return Chain([*modules, *last, nn.Flatten(), *hidden]), features


def shrink(c_in: int, layer: Layer, side: tuple[int, int], style: Style, first: bool) -> list[nn.Module]:
    """A block that averages pixels after its second convolution; the first one meets the image as it is."""
    c, k = layer.width, layer.kernel
    average: list[nn.Module] = [Average(layer.stride)] if layer.stride > 1 else []
    change: list[nn.Module] = [nn.Conv2d(c_in, c, 1)] if c_in != c else []
    begin = [] if first else norm_and_activation(style, c_in, True, layer.norm, True)
    residual = [
        *begin,
        SameConv(nn.Conv2d(c_in, c, k), side, style.kernels),
        *norm_and_activation(style, c, True, layer.norm, True),
        SameConv(nn.Conv2d(c, c, k), side, style.kernels),
        *average,
    ]
    block = Block([*average, *change], residual)  # the two commute: averaging first is cheaper
    return [block, *([make_dropout(style)] if style.dropout else [])]


def require_blocks(layers: list[Layer], name: str, line: str) -> None:
    """Raise WganError for a suffix that means nothing in a block, rather than leave it out in silence."""
    if any(layer.pool != 1 or not layer.activation for layer in layers):
        raise WganError(
            f"{name} '{line.strip()}': pN and a0 mean nothing in a resnet block, which shrinks or grows with xN"
        )
