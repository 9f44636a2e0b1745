"""Faster ways of computing the same layers on a CPU, equal up to rounding, behind the names of models/kernels.py."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan.models.fast import convolution, dropout
from wgan.models.fast.linear import can_multiply, linear, times
from wgan.models.kernels import PLAIN, Kernels, Plan
from wgan.ways import OLD, Ways

__all__ = ["FAST", "fast_kernels"]


@functools.cache
def fast_kernels(ways: Ways) -> Kernels:
    """Return the fast kernels that compute as `ways` says."""
    return Kernels(
        functools.partial(_linear, library=ways.linear),
        functools.partial(_convolve, small=ways.small_maps),
        functools.partial(_transposed, small=ways.small_maps),
        functools.partial(convolution.repeated, small=ways.small_maps),
        functools.partial(times, library=ways.linear),
        _drop,
        _tanh,
    )


def _linear(x: Tensor, weight: Tensor, bias: Tensor, library: str) -> Tensor:
    return linear(x, weight, bias, library) if can_multiply(x) else F.linear(x, weight, bias)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan, small: str) -> Tensor:
    if x.device.type != "cpu":
        return PLAIN.convolve(x, weight, bias, plan)
    return convolution.convolve(x, weight, bias, plan, small)


def _transposed(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan, small: str) -> Tensor:
    if x.device.type != "cpu":
        return PLAIN.transposed(x, weight, bias, plan)
    return convolution.transposed(x, weight, bias, plan, small)


def _drop(x: Tensor, p: float) -> Tensor:
    return (dropout if x.device.type == "cpu" else PLAIN).drop(x, p)


def _tanh(x: Tensor) -> Tensor:
    """tanh x = 2 sigmoid(2 x) - 1, which PyTorch computes 4 times faster on a CPU."""
    return 2 * torch.sigmoid(2 * x) - 1 if x.device.type == "cpu" else torch.tanh(x)


FAST = fast_kernels(OLD)
