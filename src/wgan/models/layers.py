"""Blocks that every family uses: convolutions with TensorFlow's 'same' sizes, normalisations, activations, conditioning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError


@dataclass(frozen=True)
class Style:
    """What all layers of one player share."""

    norm: str  # none | batch | layer | instance | spectral
    activation: str  # relu | lrelu:SLOPE | relu-cap:MAX
    momentum: float = 0.1
    eps: float = 1e-5
    classes: int = 0  # above 0: normalisations are conditional on the label
    dropout: float = 0.0
    upsample: str = "transpose"


class SameConv(nn.Module):
    """Convolution whose output side is ceil(side / stride), padded as TensorFlow's 'same' (more at the end if odd)."""

    def __init__(self, inner: nn.Conv2d, side: tuple[int, int]) -> None:
        super().__init__()
        (k, _), (s, _) = inner.kernel_size, inner.stride
        (top, bottom), (left, right) = (same_padding(n, k, s) for n in side)
        self.pad = (left, right, top, bottom)
        self.even = left == right and top == bottom
        if self.even:
            inner.padding = (top, left)  # the convolution pads for free
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', ceil(H / s), ceil(W / s)]."""
        return self.inner(x if self.even else F.pad(x, self.pad))


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's 'same' padding (before, after) of one axis."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class UpConv(nn.Module):
    """Transposed convolution whose output side is exactly side * growth, cropped as the gradient of a 'same' convolution."""

    def __init__(self, c_in: int, c_out: int, kernel: int, growth: int) -> None:
        super().__init__()
        if kernel < growth:
            raise WganError(
                f"a transposed convolution of kernel {kernel} cannot grow {growth} times: use kernel {growth} or more"
            )
        self.growth = growth
        self.inner = nn.ConvTranspose2d(c_in, c_out, kernel, growth, padding=(kernel - growth) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', H * growth, W * growth]."""
        h, w = x.shape[2] * self.growth, x.shape[3] * self.growth
        return self.inner(x)[:, :, :h, :w]


class Repeat(nn.Module):
    """Nearest-neighbour upsampling."""

    def __init__(self, growth: int) -> None:
        super().__init__()
        self.growth = growth

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, H * growth, W * growth]."""
        return F.interpolate(x, scale_factor=self.growth, mode="nearest")


class RepeatConv(nn.Module):
    """Nearest upsampling by 2 and a 'same' convolution of odd kernel, computed at the low resolution.

    Each of the four output phases reads few low-resolution pixels, so the kernel is folded: 5 x 5 becomes four 3 x 3, 2.8
    times fewer products, with the same values up to rounding, borders included. `inner` keeps the plain kernel.
    """

    fold: Tensor

    def __init__(self, inner: nn.Conv2d) -> None:
        super().__init__()
        (k, _), self.inner = inner.kernel_size, inner
        r = k // 2
        self.reach = (r + 1) // 2  # low-resolution pixels to each side
        fold = torch.zeros(2, 2 * self.reach + 1, k)  # [phase, low-resolution tap, tap]
        for phase in (0, 1):
            for tap in range(k):
                fold[phase, (phase + tap - r) // 2 + self.reach, tap] = 1
        self.register_buffer("fold", fold, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', 2 H, 2 W]."""
        w = torch.einsum("pik,qjl,ockl->opqcij", self.fold, self.fold, self.inner.weight)  # [C', 2, 2, C, taps, taps]
        bias = None if self.inner.bias is None else self.inner.bias.repeat_interleave(4)
        y = F.conv2d(x, w.flatten(0, 2).contiguous(memory_format=torch.channels_last), bias, padding=self.reach)
        return F.pixel_shuffle(y, 2)


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


class ConditionalNorm(nn.Module):
    """A normalisation whose gain and bias are looked up by the label (Dumoulin 2017; gain starts at 1, bias at 0)."""

    def __init__(self, norm: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.gain = nn.Embedding(classes, channels)
        self.bias = nn.Embedding(classes, channels)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x [B, C, ...], y [B] -> [B, C, ...]."""
        x = self.norm(x)
        shape = (x.shape[0], x.shape[1], *(1,) * (x.dim() - 2))
        gain, bias = self.gain(y).to(x.dtype).view(shape), self.bias(y).to(x.dtype).view(shape)
        return torch.addcmul(bias, x, gain)  # one pass over the feature map


def normalisation(style: Style, channels: int, spatial: bool) -> nn.Module | None:
    """Return the normalisation of one layer, conditional when the style has classes, or None."""
    if style.norm in ("none", "spectral"):
        return None
    affine = style.classes == 0
    if style.norm == "batch":
        kind = nn.BatchNorm2d if spatial else nn.BatchNorm1d
        norm: nn.Module = kind(channels, eps=style.eps, momentum=style.momentum, affine=affine)
    elif style.norm == "instance" and not spatial:
        raise WganError("normalisation instance needs feature maps: use layer or batch in an mlp")
    else:
        groups = 1 if style.norm == "layer" else channels
        norm = nn.GroupNorm(groups, channels, eps=style.eps, affine=affine)
    return norm if affine else ConditionalNorm(norm, channels, style.classes)


def finish(style: Style, channels: int, spatial: bool, norm: bool, active: bool) -> list[nn.Module]:
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
            x = layer(x, y) if isinstance(layer, ConditionalNorm) else layer(x)
        return x


def initialise(network: nn.Module, deviation: float) -> None:
    """Draw kernels from N(0, deviation) and zero the biases; deviation 0 keeps PyTorch's own initial values."""
    if deviation == 0:
        return
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def spectral(network: nn.Module) -> None:
    """Divide every kernel, reshaped to a matrix, by its largest singular value (Miyato 2018). Not a Lipschitz certificate."""
    for module in list(network.modules()):
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            torch.nn.utils.parametrizations.spectral_norm(module)
