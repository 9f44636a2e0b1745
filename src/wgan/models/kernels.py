"""The seam of how layers compute: one set of functions for a network, picked once where it is built.

PLAIN is PyTorch's own, models/fast holds faster ones for a CPU; both give the same numbers up to rounding, under the same
names, so that no layer asks which it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan.host import DROPOUT


class Plan(NamedTuple):
    """How the big side [H, W] of a square convolution lies over its small side [h, w]: pixel s p + tap - before."""

    kernel: int
    stride: int
    before: tuple[int, int]  # padding above and at the left
    big: tuple[int, int]
    small: tuple[int, int]

    @property
    def after(self) -> tuple[int, int]:
        """The padding below and at the right; below 0 where the last pixels are not read."""
        (h, w), (top, left) = self.small, self.before
        reach = self.kernel - self.stride
        return self.stride * h + reach - self.big[0] - top, self.stride * w + reach - self.big[1] - left


@dataclass(frozen=True)
class Kernels:
    """The operations that have more than one way of computing."""

    linear: Callable[[Tensor, Tensor, Tensor], Tensor]  # x [B, n], weight [m, n], bias [m] -> [B, m]
    convolve: Callable[[Tensor, Tensor, Tensor | None, Plan], Tensor]  # [B, C, H, W], [C', C, k, k] -> [B, C', h, w]
    transposed: Callable[[Tensor, Tensor, Tensor | None, Plan], Tensor]  # [B, C, h, w], [C, C', k, k] -> [B, C', H, W]
    repeated: Callable[
        [Tensor, Tensor, Tensor | None, Tensor], Tensor
    ]  # each pixel twice, then 'same': -> [B, C', 2H, 2W]
    times: Callable[[Tensor, Tensor], Tensor]  # g [B, m], weight [m, n] -> g weight [B, n]
    drop: Callable[[Tensor, float], Tensor]  # a fraction p of x is 0, the rest divided by 1 - p
    tanh: Callable[[Tensor], Tensor]


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan) -> Tensor:
    """Kernels.convolve by PyTorch."""
    if plan.after == plan.before:
        return F.conv2d(x, weight, bias, plan.stride, plan.before)
    (top, left), (bottom, right) = plan.before, plan.after
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, plan.stride)


def transposed(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan) -> Tensor:
    """Kernels.transposed by PyTorch."""
    made = F.conv_transpose2d(x, weight, bias, plan.stride, plan.before)
    return made[:, :, : plan.big[0], : plan.big[1]]


def repeated(x: Tensor, weight: Tensor, bias: Tensor | None, fold: Tensor) -> Tensor:
    """Kernels.repeated by PyTorch; `fold`, of the low resolution, is not needed."""
    grown = F.interpolate(x, scale_factor=2, mode="nearest")
    return F.conv2d(grown, weight, bias, padding=weight.shape[2] // 2)


def drop(x: Tensor, p: float) -> Tensor:
    """Kernels.drop by PyTorch, from the stream of the step (host.dropping)."""
    return x * torch.empty_like(x).bernoulli_(1 - p, generator=DROPOUT.get()).div_(1 - p)


PLAIN = Kernels(F.linear, convolve, transposed, repeated, torch.matmul, drop, torch.tanh)
