"""Blocks that every family uses: convolutions with TensorFlow's 'same' sizes, normalisations, activations, conditioning."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.models.kernels import PLAIN, Kernels, Plan

FAMILY_OF = {1: "mlp", 2: "conv1d", 3: "conv", 4: "conv3d"}  # that fits samples of as many axes, channels among them


@dataclass(frozen=True)
class Style:
    """What all layers of one player share."""

    norm: str  # none | batch | layer | instance | spectral
    activation: str  # relu | lrelu:SLOPE | relu-cap:MAX
    momentum: float = 0.1
    eps: float = 1e-5
    classes: int = 0  # above 0: normalisations are conditional on the label
    conditions: int = 0  # above 0: they are conditional on a vector of so many numbers
    dropout: float = 0.0
    upsample: str = "transpose"
    axes: int = 2  # of a feature map beside its channels: 2 of images, 1 of signals, 3 of volumes
    kernels: Kernels = PLAIN  # how the layers compute


class Dense(nn.Linear):
    """A fully connected layer."""

    kernels = PLAIN

    def forward(self, x: Tensor) -> Tensor:
        """x [B, n] -> [B, m]."""
        return self.kernels.linear(x, self.weight, self.bias)


def make_dense(inputs: int, outputs: int, style: Style) -> Dense:
    """Return a fully connected layer in the style's way of computing."""
    layer = Dense(inputs, outputs)
    layer.kernels = style.kernels
    return layer


class Dropout(nn.Dropout):
    """Dropout that draws from the stream of the step, see host.dropping."""

    kernels = PLAIN

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape, a fraction p of it 0 and the rest divided by 1 - p."""
        return self.kernels.drop(x, self.p) if self.training and self.p else x


def make_dropout(style: Style) -> Dropout:
    """Return a dropout layer in the style's way of computing."""
    layer = Dropout(style.dropout)
    layer.kernels = style.kernels
    return layer


class SameConv(nn.Module):
    """Convolution whose output side is ceil(side / stride), padded as TensorFlow's 'same' (more at the end if odd)."""

    def __init__(self, inner: nn.Conv2d, side: tuple[int, int], kernels: Kernels = PLAIN) -> None:
        super().__init__()
        (k, _), (s, _) = inner.kernel_size, inner.stride
        (top, _), (left, _) = (same_padding(n, k, s) for n in side)
        self.inner, self.kernels = inner, kernels
        self.plan = Plan(k, s, (top, left), side, (-(-side[0] // s), -(-side[1] // s)))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', ceil(H / s), ceil(W / s)]."""
        return self.kernels.convolve(x, self.inner.weight, self.inner.bias, self.plan)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's 'same' padding (before, after) of one axis."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class UpConv(nn.Module):
    """Transposed convolution whose output side is exactly side * growth, cropped as the gradient of a 'same' convolution."""

    def __init__(self, c_in: int, c_out: int, kernel: int, growth: int, kernels: Kernels = PLAIN) -> None:
        super().__init__()
        require_reach(kernel, growth)
        self.growth, self.kernels = growth, kernels
        self.inner = nn.ConvTranspose2d(c_in, c_out, kernel, growth, padding=(kernel - growth) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', H * growth, W * growth]."""
        h, w, before = x.shape[2], x.shape[3], (self.inner.kernel_size[0] - self.growth) // 2
        plan = Plan(
            self.inner.kernel_size[0], self.growth, (before, before), (h * self.growth, w * self.growth), (h, w)
        )
        return self.kernels.transposed(x, self.inner.weight, self.inner.bias, plan)


def require_reach(kernel: int, growth: int) -> None:
    """Raise WganError for a transposed convolution that would leave gaps."""
    if kernel < growth:
        raise WganError(
            f"a transposed convolution of kernel {kernel} cannot grow {growth} times: use kernel {growth} or more"
        )


class Repeat(nn.Module):
    """Nearest-neighbour upsampling."""

    def __init__(self, growth: int) -> None:
        super().__init__()
        self.growth = growth

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, H * growth, W * growth]."""
        return F.interpolate(x, scale_factor=self.growth, mode="nearest")


class RepeatConv(nn.Module):
    """Nearest upsampling by 2 and a 'same' convolution of odd kernel; `inner` keeps the kernel.

    fold: which taps of the kernel read which low-resolution pixel, for the way that computes at the low resolution.
    """

    fold: Tensor

    def __init__(self, inner: nn.Conv2d, kernels: Kernels = PLAIN) -> None:
        super().__init__()
        (k, _), self.inner, self.kernels = inner.kernel_size, inner, kernels
        r = k // 2
        reach = (r + 1) // 2  # low-resolution pixels to each side
        fold = torch.zeros(2, 2 * reach + 1, k)  # [phase, low-resolution tap, tap]
        for phase in (0, 1):
            for tap in range(k):
                fold[phase, (phase + tap - r) // 2 + reach, tap] = 1
        self.register_buffer("fold", fold, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', 2 H, 2 W]."""
        return self.kernels.repeated(x, self.inner.weight, self.inner.bias, self.fold)


class FeatureMap(nn.Module):
    """A vector as a feature map that is channels-last from the start: no copy before the first convolution."""

    def __init__(self, channels: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.channels, self.side = channels, side

    def forward(self, x: Tensor) -> Tensor:
        """x [B, H * W * C] -> [B, C, H, W]."""
        return x.view(-1, *self.side, self.channels).permute(0, 3, 1, 2)


class CappedReLU(nn.Module):
    """min(max(x, 0), cap): Keras's ReLU(max_value)."""

    def __init__(self, cap: float) -> None:
        super().__init__()
        self.cap = cap

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape, in [0, cap]."""
        return x.clamp(0, self.cap)


def activation(name: str) -> nn.Module:
    """Return the activation 'relu', 'lrelu:SLOPE' or 'relu-cap:MAX'."""
    kind, _, number = name.partition(":")
    try:
        if kind == "relu" and not number:
            return nn.ReLU()
        if kind == "lrelu":
            return nn.LeakyReLU(float(number or 0.2))
        if kind == "relu-cap":
            return CappedReLU(float(number))
    except ValueError:
        pass
    raise WganError(f"activation '{name}' is not known: use relu, lrelu:SLOPE or relu-cap:MAX, for example lrelu:0.2")


class Labelled(nn.Module):
    """A layer that takes the label beside x."""


class Linked(nn.Module):
    """start + W c: what a condition vector c changes of a gain or a bias; W starts at 0."""

    def __init__(self, conditions: int, channels: int, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, conditions))
        self.start = nn.Parameter(torch.full((channels,), start))

    def forward(self, c: Tensor) -> Tensor:
        """c [B, W] -> [B, C]."""
        return F.linear(c.to(self.weight.dtype), self.weight, self.start)


class ConditionalNorm(Labelled):
    """A normalisation whose gain and bias follow what it is told (Dumoulin 2017; gain starts at 1, bias at 0).

    A class looks them up; a vector of conditions changes them linearly (Perez 2018).
    """

    def __init__(self, norm: nn.Module, channels: int, classes: int, conditions: int = 0) -> None:
        super().__init__()
        self.norm = norm
        self.gain: nn.Embedding | Linked
        self.bias: nn.Embedding | Linked
        if conditions:
            self.gain, self.bias = Linked(conditions, channels, 1.0), Linked(conditions, channels, 0.0)
        else:
            self.gain, self.bias = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
            nn.init.ones_(self.gain.weight)
            nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x [B, C, ...], y [B] or [B, W] -> [B, C, ...]."""
        x = self.norm(x)
        shape = (x.shape[0], x.shape[1], *(1,) * (x.dim() - 2))
        gain, bias = self.gain(y).to(x.dtype).view(shape), self.bias(y).to(x.dtype).view(shape)
        return torch.addcmul(bias, x, gain)  # one pass over the feature map


BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}  # by the axes of a feature map


def normalisation(style: Style, channels: int, spatial: bool) -> nn.Module | None:
    """Return the normalisation of one layer, conditional when the style has classes or conditions, or None."""
    if style.norm in ("none", "spectral"):
        return None
    affine = not (style.classes or style.conditions)
    if style.norm == "batch":
        kind = BATCH_NORMS[style.axes if spatial else 1]
        norm: nn.Module = kind(channels, eps=style.eps, momentum=style.momentum, affine=affine)
    elif style.norm == "instance" and not spatial:
        raise WganError("normalisation instance needs feature maps: use layer or batch in an mlp")
    else:
        groups = 1 if style.norm == "layer" else channels
        norm = nn.GroupNorm(groups, channels, eps=style.eps, affine=affine)
    return norm if affine else ConditionalNorm(norm, channels, style.classes, style.conditions)


def norm_and_activation(style: Style, channels: int, spatial: bool, norm: bool, active: bool) -> list[nn.Module]:
    """Return what follows a linear map: normalisation, activation."""
    layer = normalisation(style, channels, spatial) if norm else None
    return [*([layer] if layer else []), *([activation(style.activation)] if active else [])]


class Chain(nn.Module):
    """Layers one after the other; the label reaches those that are conditional on it."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x [B, ...] -> [B, ...]."""
        for layer in self.layers:
            x = layer(x, y) if isinstance(layer, Labelled) else layer(x)
        return x


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MATRICES = (nn.Linear, *CONVOLUTIONS, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def initialise(network: nn.Module, how: str) -> None:
    """Draw kernels as `how` says and zero the biases: 'pytorch' (its own, biases too), 'normal:STD' or 'glorot'.

    Two words are for convolutions and for dense layers. Glorot uniform is U(-a, a) with a = sqrt(6 / (fan in + fan out))
    (Glorot & Bengio 2010, equation 16; Keras's default). WganError for anything else.
    """
    words = how.split()
    if len(words) not in (1, 2):
        raise _unknown_start(how)
    draws = [_start(word, how) for word in words]
    for module in network.modules():
        if isinstance(module, MATRICES):
            draw = draws[-1] if isinstance(module, nn.Linear) else draws[0]
            if draw is not None:
                draw(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _start(word: str, how: str) -> Callable[[Tensor], Tensor] | None:
    kind, _, number = word.partition(":")
    if word == "pytorch":
        return None
    if word == "glorot":
        return nn.init.xavier_uniform_
    try:
        if kind == "normal" and 0 < float(number) <= 1:
            return functools.partial(nn.init.normal_, mean=0.0, std=float(number))
    except ValueError:
        pass
    raise _unknown_start(how)


def _unknown_start(how: str) -> WganError:
    return WganError(
        f"initial weights '{how}' are not known: use pytorch, glorot or normal:STD, for example normal:0.02, or two of them, for "
        "convolutions and for dense layers"
    )


def spectral(network: nn.Module) -> None:
    """Divide every kernel, reshaped to a matrix, by its largest singular value (Miyato 2018). Not a Lipschitz certificate.

    The embedding of a projection critic is one of them (Miyato & Koyama 2018, their public code).
    """
    for module in list(network.modules()):
        if isinstance(module, (nn.Linear, *CONVOLUTIONS, nn.Embedding)):
            torch.nn.utils.parametrizations.spectral_norm(module)


def spectral_buffers(network: nn.Module) -> list[Tensor]:
    """Return the singular vectors of `spectral`, which every pass in training moves by one power iteration."""
    return [b for name, b in network.named_buffers() if name.endswith(("._u", "._v"))]
