"""Faster ways of computing the same layers on a CPU, equal up to rounding: FAST, behind the names of models/kernels.py."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan.models.fast import convolution, dropout
from wgan.models.fast.linear import can_multiply, linear
from wgan.models.kernels import PLAIN, Kernels, Plan

__all__ = ["FAST"]


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return linear(x, weight, bias) if can_multiply(x) else F.linear(x, weight, bias)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan) -> Tensor:
    return (convolution if x.device.type == "cpu" else PLAIN).convolve(x, weight, bias, plan)


def _transposed(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan) -> Tensor:
    return (convolution if x.device.type == "cpu" else PLAIN).transposed(x, weight, bias, plan)


def _drop(x: Tensor, p: float) -> Tensor:
    return (dropout if x.device.type == "cpu" else PLAIN).drop(x, p)


def _tanh(x: Tensor) -> Tensor:
    """tanh x = 2 sigmoid(2 x) - 1, which PyTorch computes 4 times faster on a CPU."""
    return 2 * torch.sigmoid(2 * x) - 1 if x.device.type == "cpu" else torch.tanh(x)


FAST = Kernels(_linear, _convolve, _transposed, convolution.repeated, _drop, _tanh)
