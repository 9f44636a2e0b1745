"""Convolutions tap by tap over runs of pixels: the plain ones with two derivatives, without a product with a border."""

from __future__ import annotations

import pytest
import torch
from helpers.problems import normal
from torch import Tensor

from wgan.models.fast import convolution, taps
from wgan.models.kernels import PLAIN, Plan
from wgan.ways import LIBRARY, PRODUCTS

SHAPES = [
    (3, (1, 1), (4, 4), (4, 4)),
    (3, (1, 1), (2, 3), (2, 3)),
    (5, (2, 2), (4, 3), (4, 3)),
    (4, (1, 1), (4, 4), (4, 4)),  # 'same' of an even kernel: one more behind
    (3, (0, 0), (5, 4), (3, 2)),  # no border at all
    (3, (2, 2), (2, 2), (4, 4)),  # a small side larger than the big one
    (5, (2, 2), (1, 1), (1, 1)),
]  # kernel, before, big side, small side


@pytest.fixture(autouse=True)
def every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes few channels and maps without borders, too."""
    monkeypatch.setattr(taps, "suits", lambda *_: True)


def all_of(kernels: tuple[object, object], plan: Plan) -> list[Tensor]:
    """Return a convolution, its transpose, and first and second derivatives of both."""
    found = []
    for kind, (given, side, bias) in enumerate(((5, plan.big, 6), (6, plan.small, 5))):
        x, w, b = (normal(i, *s) for i, s in enumerate(((3, given, *side), (6, 5, plan.kernel, plan.kernel), (bias,))))
        leaves = [t.requires_grad_(True) for t in (x, w.contiguous(memory_format=torch.channels_last), b)]
        y = kernels[kind](*leaves, plan)  # type: ignore[operator]
        (g,) = torch.autograd.grad(y.square().sum(), leaves[0], create_graph=True)
        found += [y, g, *torch.autograd.grad(g.square().sum() + y.sum(), leaves)]
    return found


@pytest.mark.parametrize(("kernel", "before", "big", "small"), SHAPES)
def test_they_are_the_plain_ones_with_two_derivatives(
    kernel: int, before: tuple[int, int], big: tuple[int, int], small: tuple[int, int]
) -> None:
    plan = Plan(kernel, 1, before, big, small)

    def ours(kind: object) -> object:
        return lambda x, w, b, p: kind(x, w, b, p, PRODUCTS)  # type: ignore[operator]

    fast = all_of((ours(convolution.convolve), ours(convolution.transposed)), plan)
    plain = all_of((PLAIN.convolve, PLAIN.transposed), plan)
    for a, b in zip(fast, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_no_product_is_with_a_border() -> None:
    plan = Plan(3, 1, (1, 1), (4, 4), (4, 4))
    assert sum(run.length for run in taps.runs(plan)) == 100  # of 144


@pytest.mark.parametrize(("small", "taken"), [(PRODUCTS, True), (LIBRARY, False)])
def test_only_the_measured_way_takes_them(small: str, taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("forward", "backward", "weight"):
        monkeypatch.setattr(taps, name, lambda *_, name=name: calls.append(name))
    x, w = normal(1, 2, 5, 4, 4), normal(2, 5, 5, 3, 3)
    convolution.three_products(x, w, x, Plan(3, 1, (1, 1), (4, 4), (4, 4)), small)
    assert calls == (["forward", "backward", "weight"] if taken else [])


def test_large_maps_and_few_channels_are_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    same = {side: Plan(3, 1, (1, 1), (side, side), (side, side)) for side in (4, 7)}
    assert taps.suits(same[4], 128, 256)
    assert not taps.suits(same[7], 128, 256) and not taps.suits(same[4], 128, 64)
    assert not taps.suits(Plan(3, 2, (1, 1), (4, 4), (2, 2)), 128, 256)
