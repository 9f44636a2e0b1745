"""Convolutions in the ways that are fastest on a CPU; the same numbers as PyTorch's own, up to rounding.

A convolution needs three products: of pixels and kernel (forward), of the output's gradient and kernel (input gradient), of
pixels and output gradient (weight gradient). Each is the derivative of the others, so that three functions are closed under
differentiation and a gradient penalty can differentiate twice. Where the library's kernel is slow, a product is one matrix
product: the weight gradient over patches, and whatever has few channels (an image) tap by tap. Trials: benchmarks/NOTES.md.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan.models.fast import taps
from wgan.models.fast.linear import needed
from wgan.models.kernels import Plan
from wgan.ways import LIBRARY, PRODUCTS

FEW = 4  # channels of an image: up to here a convolution to or from it is computed tap by tap
PATCHED = (torch.bfloat16,)  # whose weight gradients go over patches; those of fp32 only where MANY
MANY = 256  # channels of the small side from which patches pay in fp32
LARGEST = 2**24  # numbers of one matrix of patches; above, copying them costs more than they save


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan, small: str = LIBRARY) -> Tensor:
    """x [B, C, H, W], weight [C', C, k, k] -> [B, C', h, w]; bf16 under autocast.

    small: whose are small maps and weight gradients in fp32, see Ways.small_maps.
    """
    out: Tensor = _Forward.apply(*_cast(x, weight, bias), plan, small)  # type: ignore[no-untyped-call]
    return out


def transposed(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan, small: str = LIBRARY) -> Tensor:
    """x [B, C, h, w], weight [C, C', k, k] -> [B, C', H, W], the gradient of a convolution; bf16 under autocast."""
    out: Tensor = _Backward.apply(*_cast(x, weight, bias), plan, small)  # type: ignore[no-untyped-call]
    return out


def repeated(x: Tensor, weight: Tensor, bias: Tensor | None, fold: Tensor, small: str = LIBRARY) -> Tensor:
    """x [B, C, H, W], each pixel twice, then a 'same' convolution -> [B, C', 2 H, 2 W], computed at the low resolution.

    Each of the four output phases reads few low-resolution pixels, so the kernel is folded: 5 x 5 becomes four 3 x 3, 2.8
    times fewer products, with the same values up to rounding, borders included.
    """
    k, (h, w) = fold.shape[1], (x.shape[2], x.shape[3])
    folded = torch.einsum("pik,qjl,ockl->pqocij", fold, fold, weight)  # [2, 2, C', C, taps, taps]
    kernel = folded.flatten(0, 2).contiguous(memory_format=torch.channels_last)
    four = None if bias is None else bias.repeat(4)
    if x.device.type == "cpu":
        y = convolve(x, kernel, four, Plan(k, 1, (k // 2, k // 2), (h, w), (h, w)), small)
    else:
        y = F.conv2d(x, kernel, four, padding=k // 2)
    phases = y.permute(0, 2, 3, 1).view(len(x), h, w, 2, 2, -1)  # pixels of all channels stay together: a fast copy
    return phases.permute(0, 1, 3, 2, 4, 5).reshape(len(x), 2 * h, 2 * w, -1).permute(0, 3, 1, 2)


def three_products(x: Tensor, w: Tensor, g: Tensor, p: Plan, small: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a convolution and its backward pass compute: output, input gradient, weight gradient."""
    return _forward(x, w, None, p, small), _backward(g, w, None, p, small), _weight(x, g, p, small)


def _cast(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    return tuple(None if t is None else t.to(torch.get_autocast_dtype("cpu")) for t in tensors)


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor | None, plan: Plan, small: str) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.how = plan, small
        return _forward(x, w, b, plan, small)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), need = ctx.saved_tensors, needed(ctx)
        dx = _Backward.apply(g, w, None, *ctx.how) if need[0] else None  # type: ignore[no-untyped-call]
        dw = _Weight.apply(x, g, *ctx.how) if need[1] else None  # type: ignore[no-untyped-call]
        return dx, dw, _over_pixels(g) if need[2] else None, None, None


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, g: Tensor, w: Tensor, b: Tensor | None, plan: Plan, small: str) -> Tensor:
        ctx.save_for_backward(g, w)
        ctx.how = plan, small
        return _backward(g, w, b, plan, small)

    @staticmethod
    def backward(ctx: Any, gg: Tensor) -> tuple[Tensor | None, ...]:
        (g, w), need = ctx.saved_tensors, needed(ctx)
        dg = _Forward.apply(gg, w, None, *ctx.how) if need[0] else None  # type: ignore[no-untyped-call]
        dw = _Weight.apply(gg, g, *ctx.how) if need[1] else None  # type: ignore[no-untyped-call]
        return dg, dw, _over_pixels(gg) if need[2] else None, None, None


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor, plan: Plan, small: str) -> Tensor:
        ctx.save_for_backward(x, g)
        ctx.how = plan, small
        return _weight(x, g, plan, small)

    @staticmethod
    def backward(ctx: Any, gw: Tensor) -> tuple[Tensor | None, ...]:
        (x, g), need = ctx.saved_tensors, ctx.needs_input_grad
        dx = _Backward.apply(g, gw, None, *ctx.how) if need[0] else None  # type: ignore[no-untyped-call]
        dg = _Forward.apply(x, gw, None, *ctx.how) if need[1] else None  # type: ignore[no-untyped-call]
        return dx, dg, None, None


def _over_pixels(g: Tensor) -> Tensor:
    """Return the bias gradient [C]; sums in fp32."""
    return g.sum((0, 2, 3))


def _by_runs(x: Tensor, p: Plan, channels: int, wide: int, small: str) -> bool:
    return small == PRODUCTS and x.dtype != torch.bfloat16 and taps.suits(p, channels, wide)


def _forward(x: Tensor, w: Tensor, b: Tensor | None, p: Plan, small: str) -> Tensor:
    if len(w) <= FEW and p.stride == 1:
        kernel = w.flip(2, 3).permute(0, 2, 3, 1)
        return _scatter(_by_tap(kernel, x), b, len(w), len(x), p.big, p, _flipped(p), p.small).to(x.dtype)
    if _by_runs(x, p, w.shape[1], len(w), small):
        return taps.forward(x, w, b, p)
    after = p.after
    if after == p.before:
        return F.conv2d(_last(x), w, b, p.stride, p.before)
    padded = F.pad(x, (p.before[1], after[1], p.before[0], after[0]))
    return F.conv2d(_last(padded), w, b, p.stride)


def _backward(g: Tensor, w: Tensor, b: Tensor | None, p: Plan, small: str) -> Tensor:
    channels = w.shape[1]
    if channels <= FEW:
        kernel = w.permute(1, 2, 3, 0)
        return _scatter(_by_tap(kernel, g), b, channels, len(g), p.small, p, p.before, p.big).to(g.dtype)
    if len(w) <= FEW and p.stride == 1 and b is None:
        rows = _gather(g, p.big, p, _flipped(p)).t() @ w.flip(2, 3).permute(0, 2, 3, 1).reshape(-1, channels)
        return rows.view(len(g), *p.big, channels).permute(0, 3, 1, 2)
    if _by_runs(g, p, channels, len(w), small):
        return taps.backward(g, w, b, p)
    after = p.after
    if after == p.before:
        return F.conv_transpose2d(_last(g), w, b, p.stride, p.before)
    # uneven borders: the library's transposed convolution falls back to a slow way, its input gradient does not
    size = [p.before[i] + p.big[i] + max(after[i], 0) for i in (0, 1)]
    blank = g.new_empty(len(g), *size, channels).permute(0, 3, 1, 2)  # only its size and layout are looked at
    y = _library(g, blank, w, p, False, 0)
    y = y[:, :, p.before[0] : p.before[0] + p.big[0], p.before[1] : p.before[1] + p.big[1]]
    return y if b is None else y.add_(b[:, None, None])


def _weight(x: Tensor, g: Tensor, p: Plan, small: str) -> Tensor:
    n, channels, wide = len(x), x.shape[1], g.shape[1]
    if channels <= FEW:
        found = _gather(x, p.small, p, p.before) @ _rows(g)  # [C k k, C']
        return found.view(channels, p.kernel, p.kernel, wide).permute(3, 0, 1, 2)
    if wide <= FEW and p.stride == 1:
        found = _gather(g, p.big, p, _flipped(p)) @ _rows(x)  # [C' k k, C]
        return found.view(wide, p.kernel, p.kernel, channels).flip(1, 2).permute(0, 3, 1, 2)
    if _by_runs(x, p, channels, wide, small):
        return taps.weight(x, g, p)
    size = n * math.prod(p.small) * p.kernel**2 * channels
    if size <= LARGEST and _patched(x.dtype, p, wide, small):
        found = _rows(g).t() @ _patches(x, p)  # [C', k k C]
        return found.view(wide, p.kernel, p.kernel, channels).permute(0, 3, 1, 2)
    return _library_weight(x, g, p)


def _patched(dtype: torch.dtype, p: Plan, wide: int, small: str) -> bool:
    if dtype in PATCHED:
        return p.stride > 1 or math.prod(p.small) <= 64
    return small == PRODUCTS and p.stride > 1 and wide >= MANY


def _library_weight(x: Tensor, g: Tensor, p: Plan) -> Tensor:
    after = p.after
    even = after == p.before
    x = _last(x if even else F.pad(x, (p.before[1], after[1], p.before[0], after[0])))
    blank = x.new_empty(g.shape[1], p.kernel, p.kernel, x.shape[1]).permute(0, 3, 1, 2)
    return _library(g, x, blank, p, even, 1)


def _library(g: Tensor, x: Tensor, w: Tensor, p: Plan, even: bool, which: int) -> Tensor:
    """Return the library's gradient of x (which 0) or of w (which 1); its transposed convolution is slower than this."""
    padding = list(p.before) if even else [0, 0]
    wanted = [which == 0, which == 1, False]
    found = torch.ops.aten.convolution_backward(
        _last(g), x, w, None, [p.stride] * 2, padding, [1, 1], False, [0, 0], 1, wanted
    )
    out: Tensor = found[which]
    return out


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _rows(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B H W, C]: no copy of what is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _flipped(p: Plan) -> tuple[int, int]:
    return p.kernel - 1 - p.before[0], p.kernel - 1 - p.before[1]


def _padded(x: Tensor, small: tuple[int, int], p: Plan, before: tuple[int, int]) -> Tensor:
    """Return x with its borders, exactly as large as `small` windows need."""
    size = [(small[i] - 1) * p.stride + p.kernel for i in (0, 1)]
    after = [size[i] - x.shape[2 + i] - before[i] for i in (0, 1)]
    return F.pad(x, (before[1], after[1], before[0], after[0]))


def _patches(x: Tensor, p: Plan) -> Tensor:
    """x [B, C, H, W] -> [B h w, k k C]."""
    windows = _padded(x, p.small, p, p.before).permute(0, 2, 3, 1).unfold(1, p.kernel, p.stride)
    windows = windows.unfold(2, p.kernel, p.stride)  # [B, h, w, C, k, k]
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, p.kernel**2 * x.shape[1])


def _gather(x: Tensor, small: tuple[int, int], p: Plan, before: tuple[int, int]) -> Tensor:
    """x [B, C, H, W] of few channels -> what each tap sees [C k k, B h w]."""
    windows = _padded(x, small, p, before).unfold(2, p.kernel, p.stride).unfold(3, p.kernel, p.stride)
    return windows.permute(1, 4, 5, 0, 2, 3).reshape(x.shape[1] * p.kernel**2, -1)


def _by_tap(kernel: Tensor, x: Tensor) -> Tensor:
    """kernel [C', k, k, C], x [B, C, h, w] -> what each pixel gives to each tap, [C' k k, B h w]."""
    return kernel.reshape(-1, kernel.shape[3]) @ _rows(x).t()


def _scatter(
    given: Tensor,
    bias: Tensor | None,
    channels: int,
    n: int,
    small: tuple[int, int],
    p: Plan,
    before: tuple[int, int],
    big: tuple[int, int],
) -> Tensor:
    """Add up what each tap gives, at least in fp32: [C k k, B h w] -> [B, C, H, W]."""
    k, s = p.kernel, p.stride
    wide = given if given.dtype == torch.float64 else given.float()
    parts = wide.view(channels, k, k, n, *small)
    size = [max((small[i] - 1) * s + k, before[i] + big[i]) for i in (0, 1)]
    total = wide.new_zeros(channels, n, *size)
    for i in range(k):
        for j in range(k):
            total[:, :, i : i + s * small[0] : s, j : j + s * small[1] : s] += parts[:, i, j]
    out = total[:, :, before[0] : before[0] + big[0], before[1] : before[1] + big[1]].transpose(0, 1)
    return out if bias is None else out + bias[:, None, None]
