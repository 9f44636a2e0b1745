"""The residual family of signals: the lines of conv1d, each layer a block of two convolutions beside a shortcut."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from wgan.models.conv1d import signal_shape
from wgan.models.conv_nd import Cut, SameConvNd, beginning
from wgan.models.layers import Chain, Repeat, Style, make_dropout, norm_and_activation
from wgan.models.mlp import stack
from wgan.models.notation import Layer, conv_critic, conv_generator
from wgan.models.resnet import Block, require_blocks


def generator_body(layers: str, inputs: int, shape: tuple[int, ...], style: Style) -> Chain:
    """z [B, inputs] -> x [B, C, T] before the output activation."""
    spec, style = conv_generator(layers), replace(style, axes=1)
    channels, steps = signal_shape(shape, "generator resnet1d")
    require_blocks(spec.stages, "generator_layers", layers)
    modules = beginning(spec, inputs, [steps], style)
    c = spec.base.width
    for layer in spec.stages:
        modules.append(grow(c, layer, style))
        c = layer.width
    modules += norm_and_activation(style, c, True, True, True)
    modules += [Repeat(spec.out.stride)] if spec.out.stride > 1 else []
    return Chain([*modules, SameConvNd(nn.Conv1d(c, channels, spec.out.kernel)), Cut(steps)])


def grow(c_in: int, layer: Layer, style: Style) -> Block:
    """A block that repeats steps before its first convolution."""
    c, k = layer.width, layer.kernel
    repeat: list[nn.Module] = [Repeat(layer.stride)] if layer.stride > 1 else []
    change: list[nn.Module] = [nn.Conv1d(c_in, c, 1)] if c_in != c else []
    residual = [
        *norm_and_activation(style, c_in, True, layer.norm, True),
        *repeat,
        SameConvNd(nn.Conv1d(c_in, c, k)),
        *norm_and_activation(style, c, True, layer.norm, True),
        SameConvNd(nn.Conv1d(c, c, k)),
    ]
    return Block([*change, *repeat], residual)


def critic_trunk(layers: str, shape: tuple[int, ...], style: Style) -> tuple[Chain, int]:
    """x [B, C, T] -> features [B, width]; returns the trunk and the width."""
    (stages, dense), style = conv_critic(layers), replace(style, axes=1)
    c, steps = signal_shape(shape, "critic resnet1d")
    require_blocks(stages, "critic_layers", layers)
    modules: list[nn.Module] = []
    for number, layer in enumerate(stages):
        modules += shrink(c, layer, style, number == 0)
        c, steps = layer.width, -(-steps // layer.stride)
    hidden, width = stack(dense, c * steps, style)
    return Chain([*modules, *norm_and_activation(style, c, True, stages[-1].norm, True), nn.Flatten(), *hidden]), width


def shrink(c_in: int, layer: Layer, style: Style, first: bool) -> list[nn.Module]:
    """A block that averages steps after its second convolution; the first one meets the signal as it is."""
    c, k = layer.width, layer.kernel
    average: list[nn.Module] = [average_of(layer.stride)] if layer.stride > 1 else []
    change: list[nn.Module] = [nn.Conv1d(c_in, c, 1)] if c_in != c else []
    residual = [
        *([] if first else norm_and_activation(style, c_in, True, layer.norm, True)),
        SameConvNd(nn.Conv1d(c_in, c, k)),
        *norm_and_activation(style, c, True, layer.norm, True),
        SameConvNd(nn.Conv1d(c, c, k)),
        *average,
    ]
    return [Block([*average, *change], residual), *([make_dropout(style)] if style.dropout else [])]


def average_of(n: int) -> nn.Module:
    """Return the mean over n steps; over those that are there where n does not divide them."""
    return nn.AvgPool1d(n, ceil_mode=True, count_include_pad=False)
