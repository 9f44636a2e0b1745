"""The gradient of an MLP critic in its input, written by hand: autograd's bookkeeping costs more than such small products."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wgan.models.kernels import PLAIN
from wgan.models.layers import Chain, Dense


def input_gradient(trunk: nn.Module, score: nn.Module, x: Tensor, added: Tensor | None = None) -> Tensor | None:
    """x [B, *shape] -> dD/dx [B, n] in fp32 or fp64, differentiable in the weights; None where D is no plain MLP.

    h_0 = x, a_k = W_k h_(k-1) + b_k, h_k = s(a_k), D = (w + added) . h_m + b with s ReLU or LeakyReLU, so that
    dD/dx = W_1^T (s'(a_1) * W_2^T (s'(a_2) * ... (w + added))). s' is constant between the kinks: a factor without a
    derivative, as autograd takes it. `added` [B, width]: the label's part of a projection critic's last weights.
    """
    layers = plain_layers(trunk)
    if layers is None or type(score) is not nn.Linear or x.device.type != "cpu":
        return None
    factors = []
    with torch.no_grad():
        h = x.flatten(1)
        for dense, slope in layers:
            a = dense(h)
            factors.append(torch.where(a > 0, a.new_ones(()), slope))
            h = a * factors[-1]
    g = (score.weight.expand(len(x), -1) if added is None else score.weight + added).to(h.dtype)  # [B, width]
    for (dense, _), factor in zip(reversed(layers), reversed(factors), strict=True):
        g = dense.kernels.times(g * factor, dense.weight)
    return g


def plain_layers(trunk: nn.Module) -> list[tuple[Dense, float]] | None:
    """Return the layers of a trunk, each with its activation's slope below 0; None for any but the fast way's plain MLP."""
    if type(trunk) is not Chain or type(trunk.layers[0]) is not nn.Flatten or not len(trunk.layers) % 2:
        return None
    found = []
    rest = list(trunk.layers)[1:]
    for dense, active in zip(rest[::2], rest[1::2], strict=True):
        known = isinstance(active, (nn.ReLU, nn.LeakyReLU))
        if type(dense) is not Dense or dense.kernels is PLAIN or not known:  # spectral norm makes it another class
            return None
        found.append((dense, active.negative_slope if isinstance(active, nn.LeakyReLU) else 0.0))
    return found
