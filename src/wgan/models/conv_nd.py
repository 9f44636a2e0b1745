"""What the convolutional families of signals and volumes share: that of images with one axis or three, and any sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.models.layers import Chain, Style, make_dense, make_dropout, norm_and_activation, require_reach, same_padding
from wgan.models.mlp import stack
from wgan.models.notation import ConvGeneratorSpec, Layer, conv_critic, conv_generator

CONVOLUTIONS: dict[int, type[nn.Conv1d | nn.Conv3d]] = {1: nn.Conv1d, 3: nn.Conv3d}  # by the axes of a feature map
TRANSPOSED = {1: nn.ConvTranspose1d, 3: nn.ConvTranspose3d}
POOLINGS = {1: nn.MaxPool1d, 3: nn.MaxPool3d}


class SameConvNd(nn.Module):
    """Convolution whose output sides are ceil(side / stride), padded as TensorFlow's 'same' (more at the end if odd)."""

    def __init__(self, inner: nn.Conv1d | nn.Conv3d) -> None:
        super().__init__()
        self.inner = inner
        self.convolve = F.conv1d if isinstance(inner, nn.Conv1d) else F.conv3d

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T, ...] -> [B, C', ceil(T / s), ...]."""
        k, s = self.inner.kernel_size[0], self.inner.stride[0]
        pads = [same_padding(side, k, s) for side in x.shape[2:]]
        if all(before == after for before, after in pads):
            return self.convolve(x, self.inner.weight, self.inner.bias, s, [before for before, _ in pads])
        around = [n for pair in reversed(pads) for n in pair]  # F.pad begins with the last axis
        return self.convolve(F.pad(x, around), self.inner.weight, self.inner.bias, s)


class UpConvNd(nn.Module):
    """Transposed convolution with sides of exactly side * growth, cropped as the gradient of a 'same' convolution."""

    def __init__(self, axes: int, c_in: int, c_out: int, kernel: int, growth: int) -> None:
        super().__init__()
        require_reach(kernel, growth)
        self.growth = growth
        self.inner = TRANSPOSED[axes](c_in, c_out, kernel, growth, padding=(kernel - growth) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T, ...] -> [B, C', T * growth, ...]."""
        return cut(self.inner(x), [side * self.growth for side in x.shape[2:]])


class Cut(nn.Module):
    """The first steps of each axis: a sample with a side that the growth does not divide is made a little larger."""

    def __init__(self, *sides: int) -> None:
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T', ...] -> [B, C, T, ...]."""
        return cut(x, self.sides)


def cut(x: Tensor, sides: Sequence[int]) -> Tensor:
    """x [B, C, T', ...] -> its first `sides`, [B, C, T, ...]."""
    for axis, side in enumerate(sides, 2):
        x = x.narrow(axis, 0, side)
    return x


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, T, ...] before the output activation; shape (C, T, ...) of one sample."""
    channels, *sides = shape
    spec, style = conv_generator(layers), replace(style, axes=len(sides))
    modules, c = beginning(spec, inputs, sides, style), spec.base.width
    modules += norm_and_activation(style, c, True, spec.base.norm, spec.base.activation)
    for layer in spec.stages:
        modules += [
            *_grow(c, layer, style),
            *norm_and_activation(style, layer.width, True, layer.norm, layer.activation),
        ]
        c = layer.width
    modules += _grow(c, Layer(channels, spec.out.kernel, spec.out.stride), style)
    return Chain([*modules, Cut(*sides)])


def beginning(spec: ConvGeneratorSpec, inputs: int, sides: Sequence[int], style: Style) -> list[nn.Module]:
    """z [B, inputs] -> the first feature map [B, C, T', ...], which the growth makes at least as large as `sides`."""
    growth = math.prod(layer.stride for layer in [*spec.stages, spec.out])
    first = [-(-side // growth) for side in sides]
    dense, n = stack(spec.dense, inputs, style)
    c = spec.base.width
    return [*dense, make_dense(n, c * math.prod(first), style), nn.Unflatten(1, (c, *first))]


def _grow(c_in: int, layer: Layer, style: Style) -> list[nn.Module]:
    if layer.stride > 1 and style.upsample == "transpose":
        return [UpConvNd(style.axes, c_in, layer.width, layer.kernel, layer.stride)]
    conv = SameConvNd(CONVOLUTIONS[style.axes](c_in, layer.width, layer.kernel))
    return [*([nn.Upsample(scale_factor=layer.stride)] if layer.stride > 1 else []), conv]


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, T, ...] -> features [B, width]; returns the trunk and the width."""
    c, *sides = shape
    (stages, dense), style = conv_critic(layers), replace(style, axes=len(sides))
    modules: list[nn.Module] = []
    for layer in stages:
        modules += _shrink(c, layer, style)
        c, sides = layer.width, sides_after(layer, sides)
    hidden, width = stack(dense, c * math.prod(sides), style)
    return Chain([*modules, nn.Flatten(), *hidden]), width


def _shrink(c_in: int, layer: Layer, style: Style) -> list[nn.Module]:
    conv = SameConvNd(CONVOLUTIONS[style.axes](c_in, layer.width, layer.kernel, layer.stride))
    modules: list[nn.Module] = [conv, *norm_and_activation(style, layer.width, True, layer.norm, layer.activation)]
    modules += [POOLINGS[style.axes](layer.pool)] if layer.pool > 1 else []
    return modules + ([make_dropout(style)] if style.dropout else [])


def sides_after(layer: Layer, sides: list[int]) -> list[int]:
    """Return the sides that a critic's layer leaves; WganError for none."""
    after = [-(-side // layer.stride) // layer.pool for side in sides]
    if min(after) < 1 and len(sides) == 1:
        raise WganError(f"critic_layers: a feature map of {sides[0]} steps is too short for pooling by {layer.pool}")
    if min(after) < 1:
        raise WganError(
            f"critic_layers: a {'x'.join(map(str, sides))} feature map is too small for pooling by {layer.pool}"
        )
    return after
