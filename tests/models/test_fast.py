"""Each fast way of computing beside the plain one: the same numbers up to rounding, in fp64 to 1e-12."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.problems import EXACT, KERAS, SINGLE, images, images_config, normal, points, points_config
from torch import Tensor, nn
from torch.nn import functional as F

from wgan import engine
from wgan.config import Config
from wgan.config.rules import CONVOLUTIONAL
from wgan.data.depth import PixelUnits
from wgan.models.fast import FAST
from wgan.models.fast import convolution as convolutions
from wgan.models.fast.convolution import convolve, transposed
from wgan.models.fast.linear import linear
from wgan.models.kernels import PLAIN, Kernels, Plan
from wgan.models.layers import Dropout, RepeatConv, SameConv, UpConv
from wgan.runs import checkpoint
from wgan.training import step as phases
from wgan.training.fused import FastRMSprop
from wgan.training.legacy import KerasRMSprop
from wgan.training.optim import OPTIMIZERS, build_optimizers
from wgan.training.players import make_players
from wgan.training.state import engine_for, load_optimizer, optimizer_state
from wgan.training.updates import make_fakes

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


EACH: dict[str, dict[str, Any]] = {**{name: {"optimizer": name} for name in OPTIMIZERS}, "keras": KERAS}


def test_the_plain_optimizers_are_the_published_ones() -> None:
    plain = points_config(fast=0)
    built = {
        name: build_optimizers(network(torch.float32), nn.Linear(1, 1), plain.replace(**options))[0]
        for name, options in EACH.items()
    }
    assert type(built["rmsprop"]) is torch.optim.RMSprop and type(built["adam"]) is torch.optim.Adam
    assert not built["adam"].param_groups[0]["fused"]
    assert isinstance(built["keras"], KerasRMSprop) and built["keras"].slot == "square_avg"


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(("first", "then"), [(0, 1), (1, 0), (1, 1)])
def test_either_way_goes_on_from_the_others_state(name: str, first: int, then: int) -> None:
    # an older release saved the plain state; the second moment is the same number wherever it is kept
    config = points_config(lr=1e-3, **EACH[name])
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


def test_a_step_in_one_pass_leaves_the_gradient_alone() -> None:
    """And weights that have none."""
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


# --- products ---------------------------------------------------------------------------------------------------------

# kernel, stride, side, channels in and out: each way through convolutions.py, with even and uneven borders
CONVOLUTIONS = [
    (3, 1, 6, 5, 6),
    (4, 2, 8, 5, 6),
    (3, 2, 7, 5, 6),
    (3, 2, 8, 5, 6),
    (5, 2, 6, 1, 6),  # from a grey image
    (4, 2, 6, 3, 5),  # from a colour image
    (7, 1, 5, 5, 1),  # to a grey image
    (2, 1, 5, 5, 3),  # to a colour image, by an even kernel
    (1, 2, 5, 5, 6),  # a kernel smaller than its stride
    (3, 1, 4, 2, 2),  # few channels on both sides
]


def convolution(k: int, s: int, side: int, inputs: int, outputs: int) -> tuple[SameConv, Tensor]:
    torch.manual_seed(k + 10 * s)
    return SameConv(nn.Conv2d(inputs, outputs, k, s), (side, side + 2)).double(), normal(3, 2, inputs, side, side + 2)


@pytest.mark.parametrize("patched", [False, True])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution_has_the_plain_ones_values_and_derivatives(
    case: tuple[int, ...], patched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolutions, "PATCHED", (torch.float64,) if patched else ())
    layer, x = convolution(*case)
    layer.kernels = FAST
    found = derivatives(layer, x)
    layer.kernels = PLAIN
    for a, b in zip(found, derivatives(layer, x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    ("k", "s", "inputs", "outputs"), [(4, 2, 5, 6), (3, 2, 5, 6), (5, 2, 5, 1), (4, 2, 6, 3), (3, 3, 2, 2)]
)
def test_a_fast_transposed_convolution_is_the_plain_one(
    k: int, s: int, inputs: int, outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its values and its derivatives."""
    monkeypatch.setattr(convolutions, "PATCHED", (torch.float64,))
    layer, x = UpConv(inputs, outputs, k, s).double(), normal(3, 2, inputs, 3, 4)
    layer.kernels = FAST
    found = derivatives(layer, x)
    layer.kernels = PLAIN
    for a, b in zip(found, derivatives(layer, x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


def derivatives(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Return values, first derivatives, and the derivatives of a penalty on the input's gradient."""
    x = x.clone().requires_grad_(True)
    weights = list(layer.parameters())
    y = layer(x)
    seed = normal(7, *y.shape)
    first = torch.autograd.grad((y * seed).sum() + y.square().sum(), [x, *weights], create_graph=True)
    second = torch.autograd.grad(sum(f.square().sum() for f in first), [x, *weights])
    return [t.detach() for t in (y, *first, *second)]


def test_the_products_are_each_others_derivatives_to_any_order() -> None:
    plan = Plan(3, 2, (0, 0), (5, 5), (3, 3))
    x, w, b = (normal(k, *shape).requires_grad_(True) for k, shape in enumerate([(2, 5, 5, 5), (6, 5, 3, 3), (6,)]))
    up, c = normal(4, 2, 6, 3, 3).requires_grad_(True), normal(5, 5).requires_grad_(True)
    for f, inputs in ((convolve, (x, w, b)), (transposed, (up, w, c))):
        assert torch.autograd.gradcheck(lambda *t, f=f: f(*t, plan), inputs)
        assert torch.autograd.gradgradcheck(lambda *t, f=f: f(*t, plan), inputs)


def test_a_bf16_convolution_is_as_exact_as_pytorchs() -> None:
    for case in CONVOLUTIONS:
        layer, x = convolution(*case)
        exact = derivatives_once(layer, x)
        layer, x = layer.float(), x.float()
        errors = []
        for fast in (True, False):
            layer.kernels = FAST if fast else PLAIN
            with torch.autocast("cpu", torch.bfloat16):
                found = derivatives_once(layer, x)
            errors.append([float((a.double() - b).norm() / b.norm()) for a, b in zip(found, exact, strict=True)])
        assert all(mine < 2 * plain + 2e-3 for mine, plain in zip(*errors, strict=True)), (case, errors)


def derivatives_once(layer: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_(True)
    y = layer(x)
    seed = normal(7, *y.shape).to(y.dtype)
    return [t.detach() for t in (y, *torch.autograd.grad((y * seed).sum(), [x, *layer.parameters()]))]


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_plain_way_of_growing_is_repeat_then_convolve(kernel: int) -> None:
    layer, x = RepeatConv(nn.Conv2d(3, 4, kernel)).double(), normal(1, 2, 3, 5, 6)
    assert layer.kernels is PLAIN
    up = F.interpolate(x, scale_factor=2, mode="nearest")
    assert torch.equal(layer(x), F.conv2d(up, layer.inner.weight, layer.inner.bias, padding=kernel // 2))


def test_a_linear_map_is_pytorchs_with_its_derivatives() -> None:
    x, w, b = (normal(k, *shape).float() for k, shape in enumerate([(7, 5), (33, 5), (33,)]))
    plain, fast = ([t.clone().requires_grad_(True) for t in (x, w, b)] for _ in range(2))
    results = []
    for inputs, f in ((plain, F.linear), (fast, linear)):
        y = f(*inputs)
        first = torch.autograd.grad(y.pow(3).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), inputs)
        results.append([y, *first, *second])
    for a, c in zip(*results, strict=True):
        torch.testing.assert_close(a, c, rtol=2e-4, atol=1e-3)


@pytest.mark.parametrize("kernels", [PLAIN, FAST])
def test_dropout_keeps_the_mean_and_follows_the_seed(kernels: Kernels) -> None:
    """And drops the fraction it should."""
    layer, x = Dropout(0.3), torch.ones(16, 32, 56, 56).to(memory_format=torch.channels_last).requires_grad_(True)
    layer.kernels = kernels
    torch.manual_seed(1)
    y = layer(x)
    dropped = float((y == 0).float().mean())
    assert abs(dropped - 0.3) < 5 * math.sqrt(0.3 * 0.7 / x.numel())  # 5 sigma of a fair draw
    assert sorted(y.detach().unique().tolist()) == pytest.approx([0.0, 1 / 0.7])
    assert ((y == 0).float().mean((0, 2, 3)) - 0.3).abs().max() < 0.05  # in every channel
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], y)  # what was dropped gets no gradient
    torch.manual_seed(1)
    assert torch.equal(layer(x), y)
    assert not torch.equal(layer(x), y)
    assert torch.equal(layer.eval()(x), x)


# --- whole updates ----------------------------------------------------------------------------------------------------

PLAYERS = {
    "conv, penalty": images_config(penalty_weight=5, class_critic=1.0, class_generator=1.0),
    "conv, clipping, separate, nearest": images_config(
        objective="wgan-clip",
        critic_norm="batch",
        critic_update="separate",
        upsample="nearest",
        generator_layers="/ 8 6k5x2 / k3x2",
        **KERAS,
    ),
    "mlp, shared reals": points_config(objective="wgan-clip", optimizer="rmsprop", real_batches="shared", n_critic=3),
    "mlp, penalty": points_config(penalty_weight=2, n_critic=3),
}


@pytest.mark.parametrize("name", PLAYERS)
def test_three_steps_of_both_players_are_the_plain_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "PATCHED", (torch.float64,))
    config, weights = PLAYERS[name], []
    source = images() if config.data == "tiny" else points()
    for fast in (1, 0):
        p = make_players(config.replace(fast=fast, lr=1e-3), EXACT, source)
        for step in range(3):
            phases.critic_phase(p, source, step)
            phases.generator_phase(p, source, step)
        weights.append([w.detach() for network in (p.critic, p.generator) for w in network.state_dict().values()])
    for a, b in zip(*weights, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["mlp, shared reals", "mlp, penalty"])
def test_a_phase_cut_between_two_updates_resumes_bit_for_bit(name: str) -> None:
    # the fakes of all updates are made in one pass, also by the process that goes on in the middle
    final = []
    for cut in (False, True):
        p = make_players(PLAYERS[name].replace(n_critic=4, batch=64), SINGLE, points())
        done = 0
        while done < 4:
            try:
                phases.critic_phase(p, points(), 0, lambda stop=cut: stop, done)
                break
            except phases.StepCut as left:
                assert left.updates == done + 1
                done = left.updates
        final.append([w.detach().clone() for w in p.critic.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*final, strict=True))


def test_all_fakes_of_a_phase_are_those_of_each_update() -> None:
    p = make_players(PLAYERS["mlp, penalty"].replace(n_critic=4), EXACT, points())
    together = phases.fakes_together(p, 2, 4)
    assert len(together) == 4
    for k, fake in enumerate(together):
        torch.testing.assert_close(fake, make_fakes(p, phases.critic_latents(p, 2, k), None), rtol=1e-12, atol=1e-13)
    normed = make_players(PLAYERS["mlp, penalty"].replace(generator_norm="batch"), EXACT, points())
    assert not phases.fakes_together(normed, 2, 4)  # a fake depends on its batch
    plain = make_players(PLAYERS["mlp, penalty"].replace(fast=0), EXACT, points())
    assert not phases.fakes_together(plain, 2, 4)


def test_bf16_is_chosen_for_convolutions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_bf16", lambda device: True)
    mlps = images_config(generator="mlp", generator_layers="8", critic="mlp", critic_layers="8")
    cases = [(points_config(), points(), "fp32"), (mlps, images(), "fp32"), (images_config(), images(), "bf16")]
    cases += [(mlps.replace(critic=family), images(), "bf16") for family in CONVOLUTIONAL]
    cases += [(images_config(), replace(images(), depth=PixelUnits(0, 4000, "uint16")), "fp32")]  # bf16 has 8 bits
    for config, source, wanted in cases:
        assert engine_for(config.replace(precision="auto", device="cpu"), source).precision == wanted
        assert engine_for(config.replace(precision="fp32", device="cpu"), source).precision == "fp32"


def test_a_mixed_linear_map_is_as_exact_as_autocasts() -> None:
    x, w, b = (normal(k, *shape) for k, shape in enumerate([(16, 40), (33, 40), (33,)]))
    exact = linear_derivatives(F.linear, x, w, b)
    errors = []
    for f in (linear, F.linear):
        with torch.autocast("cpu", torch.bfloat16):
            found = linear_derivatives(f, x.float(), w.float(), b.float())
        errors.append([float((a.double() - c).norm() / c.norm()) for a, c in zip(found, exact, strict=True)])
        assert all(t.dtype == torch.float32 for t in found[1:])
    assert all(mine < 1.5 * theirs + 1e-3 for mine, theirs in zip(*errors, strict=True)), errors


def linear_derivatives(f: Any, *inputs: Tensor) -> list[Tensor]:
    """Return the value, the gradients, and the gradients of a penalty on the input's gradient."""
    x, w, b = (t.clone().requires_grad_(True) for t in inputs)
    y = f(x, w, b)
    (slope,) = torch.autograd.grad(y.sum() + y.square().sum(), x, create_graph=True)
    second = torch.autograd.grad(slope.square().sum(), [x, w])
    first = torch.autograd.grad(f(x, w, b).square().sum(), [x, w, b])
    return [t.detach() for t in (y, *first, *second)]
