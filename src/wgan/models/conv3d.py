"""The convolutional family of volumes: that of images with one axis more, and any sides."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.models.conv1d import Cut
from wgan.models.layers import Chain, Style, make_dense, make_dropout, norm_and_activation, require_reach, same_padding
from wgan.models.mlp import stack
from wgan.models.notation import Layer, conv_critic, conv_generator

FAMILY_OF = {1: "mlp", 2: "conv1d", 3: "conv"}  # of samples with another number of axes


class SameConv3d(nn.Module):
    """Convolution whose output sides are ceil(side / stride), padded as TensorFlow's 'same' (more at the end if odd)."""

    def __init__(self, inner: nn.Conv3d) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, D, H, W] -> [B, C', ceil(D / s), ceil(H / s), ceil(W / s)]."""
        k, s = self.inner.kernel_size[0], self.inner.stride[0]
        pads = [same_padding(side, k, s) for side in x.shape[2:]]
        if all(before == after for before, after in pads):
            return F.conv3d(x, self.inner.weight, self.inner.bias, s, [before for before, _ in pads])
        around = [n for pair in reversed(pads) for n in pair]  # F.pad begins with the last axis
        return F.conv3d(F.pad(x, around), self.inner.weight, self.inner.bias, s)


class UpConv3d(nn.Module):
    """Transposed convolution with sides of exactly side * growth, cropped as the gradient of a 'same' convolution."""

    def __init__(self, c_in: int, c_out: int, kernel: int, growth: int) -> None:
        super().__init__()
        require_reach(kernel, growth)
        self.growth = growth
        self.inner = nn.ConvTranspose3d(c_in, c_out, kernel, growth, padding=(kernel - growth) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, D, H, W] -> [B, C', D * growth, H * growth, W * growth]."""
        d, h, w = (side * self.growth for side in x.shape[2:])
        made: Tensor = self.inner(x)
        return made[..., :d, :h, :w]


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, D, H, W] before the output activation."""
    spec, style = conv_generator(layers), replace(style, axes=3)
    channels, *sides = volume_shape(shape, "generator conv3d")
    growth = math.prod(layer.stride for layer in [*spec.stages, spec.out])
    first = tuple(-(-side // growth) for side in sides)
    dense, n = stack(spec.dense, inputs, style)
    c = spec.base.width
    modules = [*dense, make_dense(n, c * math.prod(first), style), nn.Unflatten(1, (c, *first))]
    modules += norm_and_activation(style, c, True, spec.base.norm, spec.base.activation)
    for layer in spec.stages:
        modules += [
            *_grow(c, layer, style),
            *norm_and_activation(style, layer.width, True, layer.norm, layer.activation),
        ]
        c = layer.width
    modules += _grow(c, Layer(channels, spec.out.kernel, spec.out.stride), style)
    return Chain([*modules, Cut(*sides)])


def _grow(c_in: int, layer: Layer, style: Style) -> list[nn.Module]:
    if layer.stride > 1 and style.upsample == "transpose":
        return [UpConv3d(c_in, layer.width, layer.kernel, layer.stride)]
    conv = SameConv3d(nn.Conv3d(c_in, layer.width, layer.kernel))
    return [*([nn.Upsample(scale_factor=layer.stride)] if layer.stride > 1 else []), conv]


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, D, H, W] -> features [B, width]; returns the trunk and the width."""
    (stages, dense), style = conv_critic(layers), replace(style, axes=3)
    c, *sides = volume_shape(shape, "critic conv3d")
    modules: list[nn.Module] = []
    for layer in stages:
        modules += _shrink(c, layer, style)
        c, sides = layer.width, sides_after(layer, sides)
    hidden, width = stack(dense, c * math.prod(sides), style)
    return Chain([*modules, nn.Flatten(), *hidden]), width


def _shrink(c_in: int, layer: Layer, style: Style) -> list[nn.Module]:
    conv = SameConv3d(nn.Conv3d(c_in, layer.width, layer.kernel, layer.stride))
    modules: list[nn.Module] = [conv, *norm_and_activation(style, layer.width, True, layer.norm, layer.activation)]
    modules += [nn.MaxPool3d(layer.pool)] if layer.pool > 1 else []
    return modules + ([make_dropout(style)] if style.dropout else [])


def sides_after(layer: Layer, sides: list[int]) -> list[int]:
    """Return the sides that a critic's layer leaves; WganError for none."""
    after = [-(-side // layer.stride) // layer.pool for side in sides]
    if min(after) < 1:
        raise WganError(
            f"critic_layers: a {'x'.join(map(str, sides))} feature map is too small for pooling by {layer.pool}"
        )
    return after


def volume_shape(shape: tuple[int, ...], who: str) -> tuple[int, int, int, int]:
    """Return (channels, depth, height, width); WganError when the data are no volumes."""
    if len(shape) != 4:
        raise WganError(
            f"{who} needs volumes, and this data has samples of shape {shape}: use the {FAMILY_OF[len(shape)]} family, or --kind "
            "volume for an array that holds volumes"
        )
    return shape[0], shape[1], shape[2], shape[3]
