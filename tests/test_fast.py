"""Each fast way of computing beside the plain one: the same numbers up to rounding, in fp64 to 1e-12."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from problems import normal, points_config
from torch import Tensor, nn

from wgan import checkpoint
from wgan.config import Config
from wgan.optim import OPTIMIZERS, FastRMSprop, KerasRMSprop, build_optimizers
from wgan.state import load_optimizer, optimizer_state

# --- optimizers -------------------------------------------------------------------------------------------------------


def network(dtype: torch.dtype) -> nn.Module:
    """A channels-last kernel, a matrix and biases: sizes that are no multiple of a vector register."""
    torch.manual_seed(5)
    layers = nn.Sequential(nn.Conv2d(3, 7, 3), nn.Flatten(), nn.Linear(7 * 4, 33), nn.Linear(33, 1))
    return layers.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def trained(config: Config, dtype: torch.dtype, steps: range, state: dict[str, Tensor] | None = None) -> Any:
    """Return (weights, optimizer) after gradients as small as a clipped critic's, at a rate that changes."""
    net = network(dtype)
    optimizer, _ = build_optimizers(net, nn.Linear(1, 1), config)
    if state is not None:
        load_optimizer(optimizer, state)
    for t in steps:
        for k, p in enumerate(net.parameters()):
            p.grad = normal(100 * t + k, *p.shape).to(dtype) * 10.0 ** -(t % 5)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 / (1 + t)
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()], optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_pass_over_memory_steps_as_the_plain_optimizer(name: str, dtype: torch.dtype) -> None:
    config = points_config(optimizer=name, lr=1e-3, beta1=0.5)
    fast, _ = trained(config, dtype, range(40))
    plain, _ = trained(config.replace(fast=0), dtype, range(40))
    tolerance = 1e-13 if dtype == torch.float64 else 2e-6
    for a, b in zip(fast, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_the_plain_optimizers_are_the_published_ones() -> None:
    plain = points_config(fast=0)
    built = {
        name: build_optimizers(network(torch.float32), nn.Linear(1, 1), plain.replace(optimizer=name))[0]
        for name in OPTIMIZERS
    }
    assert type(built["rmsprop"]) is torch.optim.RMSprop and type(built["adam"]) is torch.optim.Adam
    assert not built["adam"].param_groups[0]["fused"]
    assert isinstance(built["rmsprop-keras"], KerasRMSprop) and built["rmsprop-keras"].slot == "square_avg"


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("first", "then"), [(0, 1), (1, 0), (1, 1)])
def test_either_way_goes_on_from_the_others_state(name: str, first: int, then: int) -> None:
    # an older release saved the plain state; the second moment is the same number wherever it is kept
    config = points_config(optimizer=name, lr=1e-3)
    _, optimizer = trained(config.replace(fast=first), torch.float64, range(6))
    saved = {k.removeprefix("o/"): v.clone() for k, v in checkpoint.flatten({"o": optimizer_state(optimizer)}).items()}
    _, whole = trained(config.replace(fast=0), torch.float64, range(9))
    _, other = trained(config.replace(fast=then), torch.float64, range(6, 9), saved)
    for a, b in zip(moments(whole), moments(other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-16)


def moments(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return the second moments without epsilon."""
    found = []
    for slots in optimizer.state.values():
        (key,) = [k for k in slots if k.startswith(("square_avg", "exp_avg_sq"))]
        found.append(slots[key] - (1e-7 if key == "square_avg_eps" else 0))
    return found


def test_a_step_in_one_pass_leaves_the_gradient_and_what_has_none_alone() -> None:
    for optimizer in (FastRMSprop, KerasRMSprop):
        w, still = (nn.Parameter(torch.ones(5)) for _ in range(2))
        made = optimizer([w, still], lr=0.1, **({"fast": True} if optimizer is KerasRMSprop else {}))
        w.grad = torch.arange(5.0)
        made.step()
        assert w.grad.tolist() == [0, 1, 2, 3, 4] and (still == 1).all()
        assert w[0] == 1 and (w[1:] < 1).all()  # no gradient, no step


def test_a_gradient_that_is_not_finite_breaks_the_weight() -> None:
    for name in OPTIMIZERS:
        layer = nn.Linear(2, 1, bias=False)
        optimizer, _ = build_optimizers(layer, nn.Linear(1, 1), points_config(optimizer=name, lr=0.1))
        layer.weight.grad = torch.tensor([[math.nan, 1.0]])
        optimizer.step()
        assert layer.weight[0, 0].isnan() and layer.weight[0, 1].isfinite()
