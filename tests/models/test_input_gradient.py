"""The slope of an MLP critic by hand beside autograd's: the same numbers, and the same derivatives in the weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.problems import EXACT, images, images_config, normal
from torch import Tensor

from wgan.losses import gradient_norms, safe_norms
from wgan.models import build
from wgan.models.fast.input_gradient import plain_layers
from wgan.models.networks import Critic
from wgan.training import updates
from wgan.training.players import make_players
from wgan.training.updates import critic_update

MLP = {"critic": "mlp", "critic_layers": "24 16", "critic_norm": "none", "generator": "mlp", "generator_layers": "8"}
SHAPE = (1, 8, 8)
KINDS: dict[str, dict[str, Any]] = {
    "leaky": {"critic_activation": "lrelu:0.2"},
    "relu": {"critic_activation": "relu"},
    "three layers": {"critic_layers": "24 16 12"},
    "projection": {"critic_conditioning": "projection"},
    "with a class head": {"class_critic": 1.0},
}
OTHERS: dict[str, dict[str, Any]] = {
    "plain": {"fast": 0},
    "spectral": {"critic_norm": "spectral"},
    "layer norm": {"critic_norm": "layer"},
    "dropout": {"dropout": 0.3},
    "capped": {"critic_activation": "relu-cap:0.2"},
    "convolutions": {"critic": "conv", "critic_layers": "8k3x2 /"},
}


def critic_of(**options: Any) -> Critic:
    torch.manual_seed(3)
    critic = build(images_config(**{**MLP, **options}), SHAPE, 3)[1]
    for weight in critic.parameters():  # scores of size 1, so that a wrong factor shows
        weight.data.mul_(3)
    return critic


def both(critic: Critic, x: Tensor, y: Tensor, half: bool) -> list[tuple[Tensor, list[Tensor | None]]]:
    """Return (norms, gradients of their squared distance from 1 in every weight) by hand, then by autograd."""
    found = []
    for by_hand in (True, False):
        critic.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            slope = critic.input_gradient(x, y)
            assert slope is not None and slope.shape == (len(x), 64)
            norms = safe_norms(slope) if by_hand else gradient_norms(lambda points: critic(points, y)[0], x)
        (norms - 1).square().mean().backward()  # type: ignore[no-untyped-call]
        found.append((norms.detach(), [w.grad for w in critic.parameters()]))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16"])
def test_the_slope_by_hand_is_autograds(kind: str, precision: str) -> None:
    dtype = torch.float64 if precision == "fp64" else torch.float32
    critic = critic_of(**KINDS[kind]).to(dtype)
    x, y = normal(1, 12, *SHAPE).to(dtype), torch.arange(12) % 3
    (ours, our_gradients), (theirs, their_gradients) = both(critic, x, y, precision == "bf16")
    tolerance = {"fp64": 1e-12, "fp32": 1e-5, "bf16": 2e-2}[precision]
    assert theirs.min() > 0.05 and theirs.std() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=0)
    for a, b in zip(our_gradients, their_gradients, strict=True):
        a, b = (torch.zeros(1, dtype=dtype) if t is None else t for t in (a, b))  # a bias has none, or 0
        assert float((a - b).norm()) <= tolerance * float(b.norm())
    assert sum(b is not None and float(b.norm()) > 0 for b in their_gradients) >= 3


@pytest.mark.parametrize("kind", OTHERS)
def test_other_critics_are_left_to_autograd(kind: str) -> None:
    critic = critic_of(**OTHERS[kind])
    assert critic.input_gradient(normal(1, 6, *SHAPE).float(), torch.arange(6) % 3) is None
    assert plain_layers(critic_of().trunk) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_of_the_critic_takes_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole update, penalty and all, in float64; autograd's way is not called."""
    moved = {}
    for by_hand in (True, False):
        config = images_config(**{**MLP, "objective": "wgan-gp", **KINDS[kind]})
        p = make_players(config, EXACT, images())
        with monkeypatch.context() as patch:
            if by_hand:
                patch.delattr(updates, "gradient_norms")
            else:
                patch.setattr(Critic, "input_gradient", lambda *_: None)
            x, y = images().batch(torch.arange(8))
            real = p.engine.to_float(x)
            critic_update(p, real, real.flip(0) * 0.5, y, p.engine.draws(1, 0, "points", 8))
        moved[by_hand] = [w.detach().clone() for w in p.critic.parameters()]
    for a, b in zip(moved[True], moved[False], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
