"""The convolutional family of signals: that of images with one axis, and any number of steps."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.models.layers import Chain, Style, make_dense, make_dropout, norm_and_activation, require_reach, same_padding
from wgan.models.mlp import stack
from wgan.models.notation import ConvGeneratorSpec, Layer, conv_critic, conv_generator


class SameConv1d(nn.Module):
    """Convolution whose output has ceil(T / stride) steps, padded as TensorFlow's 'same' (more at the end if odd)."""

    def __init__(self, inner: nn.Conv1d) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] -> [B, C', ceil(T / s)]."""
        (k,), (s,) = self.inner.kernel_size, self.inner.stride
        before, after = same_padding(x.shape[2], k, s)
        if before == after:
            return F.conv1d(x, self.inner.weight, self.inner.bias, s, before)
        return F.conv1d(F.pad(x, (before, after)), self.inner.weight, self.inner.bias, s)


class UpConv1d(nn.Module):
    """Transposed convolution with exactly T * growth steps, cropped as the gradient of a 'same' convolution."""

    def __init__(self, c_in: int, c_out: int, kernel: int, growth: int) -> None:
        super().__init__()
        require_reach(kernel, growth)
        self.growth = growth
        self.inner = nn.ConvTranspose1d(c_in, c_out, kernel, growth, padding=(kernel - growth) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] -> [B, C', T * growth]."""
        made: Tensor = self.inner(x)
        return made[..., : x.shape[2] * self.growth]


class Cut(nn.Module):
    """The first steps of each axis: a sample with a side that the growth does not divide is made a little larger."""

    def __init__(self, *sides: int) -> None:
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T', ...] -> [B, C, T, ...]."""
        for axis, side in enumerate(self.sides, 2):
            x = x.narrow(axis, 0, side)
        return x


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, T] before the output activation."""
    spec, style = conv_generator(layers), replace(style, axes=1)
    channels, steps = signal_shape(shape, "generator conv1d")
    modules, c = beginning(spec, inputs, steps, style), spec.base.width
    modules += norm_and_activation(style, c, True, spec.base.norm, spec.base.activation)
    for layer in spec.stages:
        modules += [
            *_grow(c, layer, style),
            *norm_and_activation(style, layer.width, True, layer.norm, layer.activation),
        ]
        c = layer.width
    modules += _grow(c, Layer(channels, spec.out.kernel, spec.out.stride), style)
    return Chain([*modules, Cut(steps)])


def beginning(spec: ConvGeneratorSpec, inputs: int, steps: int, style: Style) -> list[nn.Module]:
    """z [B, inputs] -> the first feature map [B, C, T'], which the growth makes at least `steps` long."""
    first = -(-steps // math.prod(layer.stride for layer in [*spec.stages, spec.out]))
    dense, n = stack(spec.dense, inputs, style)
    return [*dense, make_dense(n, first * spec.base.width, style), nn.Unflatten(1, (spec.base.width, first))]


def _grow(c_in: int, layer: Layer, style: Style) -> list[nn.Module]:
    if layer.stride > 1 and style.upsample == "transpose":
        return [UpConv1d(c_in, layer.width, layer.kernel, layer.stride)]
    conv = SameConv1d(nn.Conv1d(c_in, layer.width, layer.kernel))
    return [*([nn.Upsample(scale_factor=layer.stride)] if layer.stride > 1 else []), conv]


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, T] -> features [B, width]; returns the trunk and the width."""
    (stages, dense), style = conv_critic(layers), replace(style, axes=1)
    c, steps = signal_shape(shape, "critic conv1d")
    modules: list[nn.Module] = []
    for layer in stages:
        modules += _shrink(c, layer, style)
        c, steps = layer.width, steps_after(layer, steps)
    hidden, width = stack(dense, c * steps, style)
    return Chain([*modules, nn.Flatten(), *hidden]), width


def _shrink(c_in: int, layer: Layer, style: Style) -> list[nn.Module]:
    conv = SameConv1d(nn.Conv1d(c_in, layer.width, layer.kernel, layer.stride))
    modules: list[nn.Module] = [conv, *norm_and_activation(style, layer.width, True, layer.norm, layer.activation)]
    modules += [nn.MaxPool1d(layer.pool)] if layer.pool > 1 else []
    return modules + ([make_dropout(style)] if style.dropout else [])


def steps_after(layer: Layer, steps: int) -> int:
    """Return how many steps a critic's layer leaves; WganError for none."""
    after = -(-steps // layer.stride) // layer.pool
    if after < 1:
        raise WganError(f"critic_layers: a feature map of {steps} steps is too short for pooling by {layer.pool}")
    return after


def signal_shape(shape: tuple[int, ...], who: str) -> tuple[int, int]:
    """Return (channels, steps); WganError when the data are no signals."""
    if len(shape) != 2:
        family = {1: "mlp", 3: "conv", 4: "conv3d"}[len(shape)]
        raise WganError(
            f"{who} needs signals, and this data has samples of shape {shape}: use the {family} family, or --kind signal for an "
            "array that holds signals"
        )
    return shape[0], shape[1]
