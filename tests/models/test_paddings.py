"""Uneven borders, 'same' sizes and growing layers beside sums written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.problems import images_config, normal
from torch import Tensor, nn

from wgan.models import build
from wgan.models.layers import (
    Repeat,
    SameConv,
    UpConv,
    same_padding,
)

# --- paddings --------------------------------------------------------------------------------------------------------


def by_hand(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """The definition of TensorFlow's 'same': ceil(n / s) outputs, total = max((out - 1) s + k - n, 0), the odd one at the end."""
    n, k = len(x), len(kernel)
    out = math.ceil(n / stride)
    total = max((out - 1) * stride + k - n, 0)
    padded = np.concatenate([np.zeros(total // 2), x, np.zeros(total - total // 2)])
    return np.array([padded[i * stride : i * stride + k] @ kernel for i in range(out)])


def same_conv(kernel: Tensor, stride: int, side: tuple[int, int]) -> SameConv:
    inner = nn.Conv2d(1, 1, kernel.shape[0], stride, bias=False).double()
    with torch.no_grad():
        inner.weight.copy_(kernel[None, None])
    return SameConv(inner, side)


def test_uneven_padding_goes_to_the_end() -> None:
    # 1 2 3 4 with three ones, stride 2: TensorFlow pads one zero at the end, 1+2+3 and 3+4. PyTorch's padding 1: 3 and 9.
    conv = same_conv(torch.ones(1, 1).double().expand(3, 3) * torch.tensor([[0], [1.0], [0]]), 2, (1, 4))
    x = torch.tensor([1.0, 2, 3, 4]).double().view(1, 1, 1, 4)
    assert conv(x).flatten().tolist() == [6.0, 7.0]
    # an even kernel, stride 1: again at the end; 1 + 10*2, 2 + 10*3, 3 + 10*0
    conv = same_conv(torch.tensor([[1.0, 10.0], [0.0, 0.0]]).double(), 1, (1, 3))
    assert conv(torch.tensor([1.0, 2, 3]).double().view(1, 1, 1, 3)).flatten().tolist() == [21.0, 32.0, 3.0]


@pytest.mark.parametrize("side", [4, 5, 6, 7, 28])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_convolution_is_tensorflows_for_every_remainder(side: int, k: int, stride: int) -> None:
    # a kernel that is an outer product acts on rows and columns one after the other
    row, column = normal(1, k), normal(2, k)
    image = normal(3, side, side + 1)
    conv = same_conv(column[:, None] * row[None, :], stride, (side, side + 1))
    rows = np.stack([by_hand(line, row.numpy(), stride) for line in image.numpy()])
    both = np.stack([by_hand(line, column.numpy(), stride) for line in rows.T]).T
    got = conv(image[None, None])[0, 0]
    assert got.shape == (math.ceil(side / stride), math.ceil((side + 1) / stride))
    np.testing.assert_allclose(got.detach().numpy(), both, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 2), (4, 2), (5, 2), (7, 2), (3, 3), (4, 3), (5, 3), (6, 3)])
@pytest.mark.parametrize("side", [(4, 4), (3, 5)])
def test_a_transposed_convolution_is_the_gradient_of_a_same_one(k: int, s: int, side: tuple[int, int]) -> None:
    # Keras's Conv2DTranspose 'same' is by definition the gradient of its Conv2D 'same' with that kernel
    big = (side[0] * s, side[1] * s)
    down = SameConv(nn.Conv2d(3, 2, k, s, bias=False), big).double()
    up = UpConv(2, 3, k, s).double()
    with torch.no_grad():
        up.inner.weight.copy_(down.inner.weight)
        up.inner.bias.zero_()
    x, y = normal(1, 2, 3, *big).requires_grad_(True), normal(2, 2, 2, *side)
    (gradient,) = torch.autograd.grad(down(x), x, y)
    assert up(y).shape == x.shape
    torch.testing.assert_close(up(y), gradient, rtol=1e-12, atol=1e-12)


def test_padding_is_computed_from_side_kernel_and_stride() -> None:
    # worked out: (ceil(n/s) - 1) s + k - n, split with the larger half behind
    assert same_padding(28, 3, 2) == (0, 1)  # 26 + 3 - 28 = 1
    assert same_padding(7, 3, 2) == (1, 1)  # 6 + 3 - 7 = 2
    assert same_padding(28, 4, 2) == (1, 1)  # 26 + 4 - 28 = 2
    assert same_padding(28, 5, 2) == (1, 2)  # 26 + 5 - 28 = 3
    assert same_padding(7, 1, 3) == (0, 0)  # 6 + 1 - 7 = 0
    assert same_padding(9, 1, 2) == (0, 0)
    assert same_padding(9, 2, 5) == (0, 0)  # 5 + 2 - 9 < 0


def test_repeat_doubles_every_pixel() -> None:
    x = torch.tensor([[1.0, 2], [3, 4]])[None, None]
    assert Repeat(2)(x)[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


@pytest.mark.parametrize("upsample", ["transpose", "nearest"])
@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("side", [(8, 8), (12, 20)])
def test_generators_make_the_requested_size_with_every_kernel(upsample: str, k: int, side: tuple[int, int]) -> None:
    config = images_config(upsample=upsample, generator_layers=f"/ 4 4k{k}x2 / k{k}x2")
    assert build(config, (3, *side), 3)[0](torch.randn(2, 5), torch.tensor([0, 1])).shape == (2, 3, *side)


@pytest.mark.parametrize("side", [(5, 7), (8, 8), (28, 28), (1, 3)])
def test_critics_take_every_size(side: tuple[int, int]) -> None:
    config = images_config(generator="mlp", generator_layers="4", critic_layers="4k4x2 4k3x2 4k5x3 / 6")
    critic = build(config, (2, *side), 3)[1]
    assert critic(torch.randn(3, 2, *side), torch.tensor([0, 1, 2]))[0].shape == (3,)
