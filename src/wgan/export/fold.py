"""A generator as a list of plain operations with their numbers: what a program without PyTorch has to compute.

Feature maps are [H, W, C], channels last. Batch norm is folded into the kernel before it where there is one. Every
operation is a dictionary `{"op": NAME, ...}` whose arrays are float64; templates/engine.js computes them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wgan.errors import WganError
from wgan.models import AnyGenerator
from wgan.models.layers import (
    CappedReLU,
    Chain,
    ConditionalNorm,
    FeatureMap,
    Linked,
    Repeat,
    RepeatConv,
    SameConv,
    UpConv,
)
from wgan.models.networks import Generator
from wgan.models.own import OwnGenerator
from wgan.models.resnet import Block
from wgan.models.table_head import TableHead

Op: TypeAlias = dict[str, Any]
Array: TypeAlias = NDArray[np.float64]
LINEAR = ("dense", "conv", "up")  # operations that have a kernel `w` and a bias `b`, by output channel last


def fold(network: AnyGenerator) -> list[Op]:
    """Return the operations that lead from a latent [Z] and a label to a sample; WganError for a layer none stands for."""
    if isinstance(network, OwnGenerator):
        raise WganError("a page cannot compute a generator given in Python: export to hub or onnx")
    if network.head is not None:
        return [row(network, network.head)]
    return output(network)


def row(network: Generator, head: TableHead) -> Op:
    """Return what makes a row of a table: the operations of the body, of each one-hot its place, width, and if scored.

    choices: of each column that can be asked for the number of its one-hot, and where that begins in the condition vector.
    """
    widths = [slots + scored for slots, scored in head.columns.heads]
    hots = [[sum(widths[:i]), slots, scored] for i, (slots, scored) in enumerate(head.columns.heads) if slots]
    choices = [] if network.told else [*zip(head.choice_rows.tolist(), head.choice_starts.tolist(), strict=True)]
    body = {"latent": network.own_latent, "asked": head.asked, "parts": [output(network)]}
    return {"op": "row", **body, "hots": hots, "choices": choices}


def output(network: Generator) -> list[Op]:
    """Return the operations of Generator.output: the label or the conditions, the body, the activation."""
    ops: list[Op] = []
    if network.embedding is not None:
        ops.append({"op": "product", "table": array(network.embedding.weight)})
    elif network.conditioning == "concat":
        ops.append({"op": "beside"} if network.conditions else {"op": "concat", "classes": network.classes})
    ops += chain(network.body)
    return [*ops, {"op": "tanh"}] if network.tanh else ops


def array(tensor: Tensor) -> Array:
    """Return a tensor as float64."""
    found: Array = tensor.detach().double().cpu().numpy()
    return found


def chain(layers: Chain) -> list[Op]:
    """Return the operations of layers one after the other."""
    ops: list[Op] = []
    for layer in layers.layers:
        add(ops, layer)
    return ops


def add(ops: list[Op], layer: nn.Module) -> None:
    """Append the operations of one layer, or fold it into the last one."""
    match layer:
        case nn.Linear():
            ops.append({"op": "dense", "w": array(layer.weight).T, "b": bias_of(layer, layer.out_features)})
        case FeatureMap():
            ops.append({"op": "map", "shape": [*layer.side, layer.channels]})
        case nn.Unflatten():
            unflatten(ops, tuple(layer.unflattened_size))
        case SameConv():
            ops.append(convolution(layer.inner, layer.plan.before))
        case nn.Conv2d():
            ops.append(convolution(layer, (0, 0)))
        case RepeatConv():
            ops += repeated(layer)
        case UpConv():
            ops.append(transposed(layer))
        case Repeat():
            ops.append({"op": "repeat", "n": layer.growth})
        case Block():
            ops.append({"op": "sum", "parts": [chain(layer.shortcut), chain(layer.residual)]})
        case ConditionalNorm():
            normalise(ops, layer.norm)
            ops.append(by_told(layer))
        case nn.BatchNorm1d() | nn.BatchNorm2d() | nn.GroupNorm():
            normalise(ops, layer)
        case nn.ReLU():
            ops.append({"op": "relu", "slope": 0.0, "cap": None})
        case nn.LeakyReLU():
            ops.append({"op": "relu", "slope": layer.negative_slope, "cap": None})
        case CappedReLU():
            ops.append({"op": "relu", "slope": 0.0, "cap": layer.cap})
        case nn.Identity():
            pass
        case _:
            raise WganError(f"a page cannot compute the layer {type(layer).__name__} of this generator")


def by_told(layer: ConditionalNorm) -> Op:
    """Return the gain and the bias that follow the class, or the vector of conditions."""
    gain, bias = layer.gain, layer.bias
    if isinstance(gain, Linked) and isinstance(bias, Linked):
        parts = {"gain": gain.weight, "gain0": gain.start, "bias": bias.weight, "bias0": bias.start}
        return {"op": "by condition", **{name: array(part) for name, part in parts.items()}}
    return {"op": "by class", "gain": array(gain.weight), "bias": array(bias.weight)}


def bias_of(layer: nn.Module, outputs: int) -> Array:
    """Return the bias of a linear layer, zeros where it has none."""
    bias = getattr(layer, "bias", None)
    return np.zeros(outputs) if bias is None else array(bias)


def unflatten(ops: list[Op], shape: tuple[int, ...]) -> None:
    """Let the last dense layer give an image [H, W, C] instead of [C, H, W]; vectors stay."""
    if len(shape) != 3:
        return
    order = np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
    ops[-1] |= {"w": ops[-1]["w"][:, order], "b": ops[-1]["b"][order]}
    ops.append({"op": "map", "shape": [shape[1], shape[2], shape[0]]})


def convolution(layer: nn.Conv2d, pad: tuple[int, int]) -> Op:
    """Return a convolution of stride 1 that keeps the side: kernel [k * k * C, C'], zeros before the first row and column."""
    if layer.stride != (1, 1) or layer.groups != 1 or layer.dilation != (1, 1):
        raise WganError("a page cannot compute a convolution with a stride, groups or dilation in a generator")
    return kernel(array(layer.weight), bias_of(layer, layer.out_channels), pad)


def kernel(weight: Array, bias: Array, pad: tuple[int, int]) -> Op:
    """Return the convolution of a kernel [C', C, k, k]."""
    size = weight.shape[2]
    return {
        "op": "conv",
        "k": size,
        "pad": list(pad),
        "w": weight.transpose(2, 3, 1, 0).reshape(-1, len(bias)),
        "b": bias,
    }


def repeated(layer: RepeatConv) -> list[Op]:
    """Return RepeatConv: at the low resolution a convolution for each of the four phases, and their pixels put in place."""
    weight = torch.einsum("pik,qjl,ockl->pqocij", *(t.double() for t in (layer.fold, layer.fold, layer.inner.weight)))
    bias = np.tile(bias_of(layer.inner, layer.inner.out_channels), 4)
    reach = layer.fold.shape[1] // 2
    return [kernel(array(weight.flatten(0, 2)), bias, (reach, reach)), {"op": "shuffle"}]


def transposed(layer: UpConv) -> Op:
    """Return a transposed convolution: kernel [C, k * k * C'], bias [C'], `crop` pixels less at the start of each side."""
    inner, size = layer.inner, layer.inner.kernel_size[0]
    weight = array(inner.weight).transpose(0, 2, 3, 1)  # [C, k, k, C']
    crop = (size - layer.growth) // 2
    w = weight.reshape(len(weight), -1)
    return {"op": "up", "k": size, "n": layer.growth, "crop": crop, "w": w, "b": bias_of(inner, inner.out_channels)}


def normalise(ops: list[Op], norm: nn.Module) -> None:
    """Append a normalisation; batch norm has fixed statistics, so it is a gain and a bias by channel."""
    if isinstance(norm, nn.GroupNorm):
        affine = {} if norm.weight is None else {"gain": array(norm.weight), "bias": array(norm.bias)}
        ops.append({"op": "norm", "per channel": norm.num_groups == norm.num_channels, "eps": norm.eps})
        ops += [{"op": "affine", **affine}] if affine else []
        return
    if not isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
        raise WganError(f"a page cannot compute the normalisation {type(norm).__name__} of this generator")
    assert norm.running_mean is not None and norm.running_var is not None
    gain = 1 / np.sqrt(array(norm.running_var) + norm.eps)
    gain = gain if norm.weight is None else gain * array(norm.weight)
    bias = -array(norm.running_mean) * gain + (0 if norm.bias is None else array(norm.bias))
    scale(ops, gain, bias)


def scale(ops: list[Op], gain: Array, bias: Array) -> None:
    """Multiply each channel by its gain and add its bias: in the last kernel where nothing but a change of shape follows it."""
    last = next((op for op in reversed(ops) if op["op"] not in ("map", "shuffle")), None)
    if last is None or last["op"] not in LINEAR:
        ops.append({"op": "affine", "gain": gain, "bias": bias})
        return
    outputs = last["w"].shape[1]
    last["w"] = last["w"] * np.tile(gain, outputs // len(gain))
    count = len(last["b"]) // len(gain)  # a dense layer before a map has H * W of each channel
    last["b"] = last["b"] * np.tile(gain, count) + np.tile(bias, count)
