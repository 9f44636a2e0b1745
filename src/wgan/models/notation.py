"""The layer notation: a network as one short line of text, the same for every family (docs/reference/networks.md).

A layer is WIDTH with optional suffixes: kN kernel N, xN stride (critic) or growth (generator) N, pN max pooling N,
n0 without normalisation, a0 without activation. Example: `64k4x2n0`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wgan.errors import WganError

_LAYER = re.compile(r"(?P<width>[1-9]\d{0,5})(k(?P<k>\d{1,2}))?(x(?P<x>\d))?(p(?P<p>\d))?(?P<n0>n0)?(?P<a0>a0)?")
_OUT = re.compile(r"k(?P<k>\d{1,2})(x(?P<x>\d))?")


@dataclass(frozen=True)
class Layer:
    """One layer of a network line."""

    width: int
    kernel: int = 3
    stride: int = 1
    pool: int = 1
    norm: bool = True
    activation: bool = True


def parse_layer(token: str) -> Layer:
    """Read one token such as `128k4x2`; WganError naming the token."""
    match = _LAYER.fullmatch(token)
    if not match:
        raise WganError(f"layer '{token}' is not WIDTH[kKERNEL][xSTRIDE][pPOOL][n0][a0], for example 64k4x2")
    g = match.groupdict()
    layer = Layer(int(g["width"]), int(g["k"] or 3), int(g["x"] or 1), int(g["p"] or 1), not g["n0"], not g["a0"])
    if layer.kernel < 1 or layer.stride < 1 or layer.pool < 1:
        raise WganError(f"layer '{token}': kernel, stride and pool must be at least 1")
    return layer


def parse_layers(text: str) -> list[Layer]:
    """Read tokens separated by blanks; an empty text is not a layer."""
    return [parse_layer(token) for token in text.split()]


@dataclass(frozen=True)
class ConvGeneratorSpec:
    """`dense / base stages / out`: dense layers, the first feature map, its growth, and the last convolution."""

    dense: list[Layer]
    base: Layer
    stages: list[Layer]
    out: Layer


def conv_generator(text: str) -> ConvGeneratorSpec:
    """Read a convolutional generator line, for example `1024 / 128 256k5x2 128k5x2 / k2`."""
    parts = text.split("/")
    if len(parts) != 3 or not parts[1].split():
        raise WganError(
            f"generator_layers '{text}' is not 'dense / base stages / out', for example '/ 128 64k4x2 32k4x2 / k3'"
        )
    dense, maps, out = parts
    base, *stages = parse_layers(maps)
    widths(maps.split()[0], "generator_layers, the first feature map")
    if any(layer.pool != 1 for layer in stages):
        raise WganError(f"generator_layers '{text}': pooling pN is for critics, a generator grows with xN")
    match = _OUT.fullmatch(out.strip() or "k3")
    if not match:
        raise WganError(f"generator_layers: the last part '{out.strip()}' is not kKERNEL[xGROWTH], for example k3")
    last = Layer(1, int(match["k"]), int(match["x"] or 1))
    return ConvGeneratorSpec(widths(dense, "generator_layers, dense part"), base, stages, last)


def conv_critic(text: str) -> tuple[list[Layer], list[Layer]]:
    """Read a convolutional critic line `stages / dense`, for example `64k4x2 128k4x2 /`; returns (stages, dense)."""
    parts = text.split("/")
    if len(parts) > 2 or not parts[0].split():
        raise WganError(f"critic_layers '{text}' is not 'stages / dense', for example '64k4x2 128k4x2 /'")
    return parse_layers(parts[0]), widths(parts[1] if len(parts) == 2 else "", "critic_layers, dense part")


def mlp(text: str, name: str) -> list[Layer]:
    """Read the hidden layers of an MLP, for example `512 256`."""
    return widths(text.replace("/", " "), name)


def widths(text: str, name: str) -> list[Layer]:
    """Read layers without kernel, stride or pooling; WganError for one that has any, rather than leave it out in silence."""
    layers = parse_layers(text)
    if set(text) & set("kxp"):
        raise WganError(
            f"{name} '{text.strip()}': k, x and p mean nothing here, give widths only, for example '512 256'"
        )
    return layers
