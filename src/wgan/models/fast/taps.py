"""Convolutions of stride 1 over small maps as one product for each tap and run of pixels, without the zeros of the border.

A 3 x 3 kernel over a padded 4 x 4 map spends 44 of 144 products on zeros. With pixels before samples, [h w B, C], what a tap
reads and where its share goes are runs of rows, so that nothing is gathered and no zero is multiplied. The taps of a kernel
that is channels-last are matrices in place.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from wgan.models.kernels import Plan

WIDE = 128  # channels on both sides from which a run is worth a product of its own
MOST = 0.75  # of a convolution's products that are not with zeros: above, the library is the faster one


class Run(NamedTuple):
    """Tap (i, j) of `length` neighbouring pixels: from the small side's `small` on, and from the big side's `big` on."""

    i: int
    j: int
    small: int
    big: int
    length: int


@functools.cache
def runs(p: Plan) -> tuple[Run, ...]:
    """Return the runs of a plan of stride 1: of a tap that spares no column one, else one for each row."""
    (_, w), (_, wide) = p.small, p.big
    down, across = (spans(p.small[a], p.big[a], p.before[a], p.kernel) for a in (0, 1))
    found = []
    for i, (top, rows) in enumerate(down):
        for j, (left, columns) in enumerate(across):
            at, of = top * w + left, (top + i - p.before[0]) * wide + left + j - p.before[1]
            if columns == w == wide:
                found.append(Run(i, j, at, of, rows * w))
            else:
                found += [Run(i, j, at + r * w, of + r * wide, columns) for r in range(rows)]
    return tuple(run for run in found if run.length > 0)


def spans(small: int, big: int, before: int, kernel: int) -> list[tuple[int, int]]:
    """Return for each tap of one axis the first pixel of the small side whose partner is no border, and how many there are."""
    first = [max(0, before - tap) for tap in range(kernel)]
    return [(low, max(min(small, big + before - tap) - low, 0)) for tap, low in enumerate(first)]


@functools.cache
def suits(p: Plan, channels: int, wide: int) -> bool:
    """Return whether a convolution between as many channels is faster this way."""
    if p.stride > 1 or min(channels, wide) < WIDE:
        return False
    return sum(run.length for run in runs(p)) <= MOST * p.small[0] * p.small[1] * p.kernel**2


def forward(x: Tensor, w: Tensor, b: Tensor | None, p: Plan) -> Tensor:
    """x [B, C, H, W], w [C', C, k, k] -> [B, C', h, w]."""
    n, given, taps = len(x), pixels(x), w.permute(2, 3, 1, 0)
    size = p.small[0] * p.small[1] * n
    made = given.new_zeros(size, len(w)) if b is None else b.expand(size, -1).contiguous()
    for run in runs(p):
        part = made[run.small * n : (run.small + run.length) * n]
        part.addmm_(given[run.big * n : (run.big + run.length) * n], taps[run.i, run.j])
    return samples(made, n, p.small)


def backward(g: Tensor, w: Tensor, b: Tensor | None, p: Plan) -> Tensor:
    """g [B, C', h, w], w [C', C, k, k] -> the gradient of the big side [B, C, H, W]."""
    n, given, taps = len(g), pixels(g), w.permute(2, 3, 0, 1)
    size = p.big[0] * p.big[1] * n
    made = given.new_zeros(size, w.shape[1]) if b is None else b.expand(size, -1).contiguous()
    for run in runs(p):
        part = made[run.big * n : (run.big + run.length) * n]
        part.addmm_(given[run.small * n : (run.small + run.length) * n], taps[run.i, run.j])
    return samples(made, n, p.big)


def weight(x: Tensor, g: Tensor, p: Plan) -> Tensor:
    """x [B, C, H, W], g [B, C', h, w] -> the gradient of the kernel [C', C, k, k], channels-last."""
    n, big, small = len(x), pixels(x), pixels(g)
    made = big.new_zeros(g.shape[1], p.kernel, p.kernel, x.shape[1])
    for run in runs(p):
        part = small[run.small * n : (run.small + run.length) * n].t()
        made[:, run.i, run.j].addmm_(part, big[run.big * n : (run.big + run.length) * n])
    return made.permute(0, 3, 1, 2)


def pixels(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [H W B, C]."""
    return x.permute(2, 3, 0, 1).reshape(-1, x.shape[1])


def samples(rows: Tensor, n: int, sides: tuple[int, int]) -> Tensor:
    """[H W B, C] -> [B, C, H, W], channels-last."""
    return rows.view(*sides, n, -1).permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)
