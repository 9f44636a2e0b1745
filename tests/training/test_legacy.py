"""What only the published programs need: initial weights, running fakes, clipped classes, a critic that the generator moves."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from helpers.problems import exact_players, images, images_config, normal, points_config
from torch import Tensor, nn

from wgan.config import Config, from_json
from wgan.errors import NotFinite, WganError
from wgan.losses import class_loss
from wgan.models.layers import initialise
from wgan.training.players import Players
from wgan.training.updates import critic_update, generator_update, make_fakes
from wgan.training.watch import require_finite_weights

CLIPPED: dict[str, Any] = {"objective": "wgan-clip", "critic_norm": "batch", "critic_update": "separate"}


def players(**options: Any) -> Players:
    return exact_players(images_config(precision="fp64", **{**CLIPPED, **options}), images())


def one_generator_step(p: Players) -> dict[str, Tensor]:
    before = {k: v.clone() for k, v in p.critic.named_parameters()}
    generator_update(p, normal(1, 4, p.config.latent), torch.arange(4) % 3, None, 0)
    return before


# --- initial weights --------------------------------------------------------------------------------------------------


def test_two_words_start_convolutions_and_dense_layers() -> None:
    network = nn.Sequential(nn.Conv2d(16, 32, 5), nn.Flatten(), nn.Linear(300, 100))
    initialise(network, "normal:0.02 glorot")
    assert network[0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert network[2].weight.abs().max().item() == pytest.approx(math.sqrt(6 / 400), rel=0.01)  # U(-a, a)
    initialise(network, "glorot normal:0.02")
    assert network[0].weight.abs().max().item() == pytest.approx(math.sqrt(6 / (25 * 48)), rel=0.01)
    assert network[2].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not network[0].bias.any() and not network[2].bias.any()


def test_pytorch_keeps_the_weights_that_are_there() -> None:
    network = nn.Linear(3, 2)
    before = [w.clone() for w in network.parameters()]
    initialise(network, "pytorch")
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize("how", ["normal", "normal:x", "normal:-1", "he", "", "glorot glorot glorot", "nan"])
def test_an_unknown_start_is_refused_with_an_example(how: str) -> None:
    with pytest.raises(WganError, match=r"normal:0\.02"):
        initialise(nn.Linear(3, 2), how)


# --- the clipped cross-entropy ----------------------------------------------------------------------------------------


def gradient_of(gap: float, clip: float) -> Tensor:
    logits = torch.tensor([[0.0, gap, 0.0]], dtype=torch.float64, requires_grad=True)
    class_loss(logits, torch.tensor([0]), clip).backward()
    assert logits.grad is not None
    return logits.grad


def test_a_confidently_wrong_sample_has_no_gradient() -> None:
    assert not gradient_of(20, 1e-7).any()  # q_y = e^-20 < 1e-7, and the other two are clipped as well
    assert gradient_of(20, 0).norm() == pytest.approx(math.sqrt(2), rel=1e-6)
    torch.testing.assert_close(gradient_of(5, 1e-7), gradient_of(5, 0), rtol=1e-9, atol=1e-12)


def test_the_clipped_loss_is_kerass_number() -> None:
    logits = torch.tensor([[0.0, 20.0, 0.0]], dtype=torch.float64)
    q = [1e-7, 1 - 1e-7, 1e-7]  # softmax of that, clipped
    assert class_loss(logits, torch.tensor([0]), 1e-7).item() == pytest.approx(math.log(sum(q)) - math.log(1e-7))


# --- fakes by running statistics --------------------------------------------------------------------------------------


def test_running_fakes_do_not_depend_on_their_batch() -> None:
    p = players(critic_fakes="running")
    z, y = normal(1, 4, p.config.latent), torch.arange(4) % 3
    before = {k: v.clone() for k, v in p.generator.state_dict().items()}
    torch.testing.assert_close(make_fakes(p, z, y)[:2], make_fakes(p, z[:2], y[:2]), rtol=1e-12, atol=1e-12)
    assert all(torch.equal(v, before[k]) for k, v in p.generator.state_dict().items())
    assert all(m.training for m in p.generator.modules())
    batch = players(critic_fakes="batch")
    assert not torch.allclose(make_fakes(batch, z, y)[:2], make_fakes(batch, z[:2], y[:2]))


# --- a critic that the generator's step moves -------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["none", "norms", "critic"])
def test_the_generator_moves_what_it_is_told(which: str) -> None:
    p = players(generator_moves=which, lr=0.01)
    before = one_generator_step(p)
    moved = {k for k, v in p.critic.named_parameters() if not torch.equal(v, before[k])}
    norms = {k for k in before if k.startswith(("trunk.layers.1.", "trunk.layers.4."))}
    expected = {"none": set(), "norms": norms, "critic": set(before)}[which]
    assert moved <= expected and len(moved) >= len(expected) / 2  # a bias before batch norm has no gradient


def test_it_moves_them_towards_what_pleases_the_generator() -> None:
    p = players(generator_moves="norms", lr=1e-3)
    z, y = normal(1, 4, p.config.latent), torch.arange(4) % 3
    frozen = players(generator_moves="none", lr=1e-3)
    for q in (p, frozen):
        generator_update(q, z, y, None, 0)

    def score(q: Players) -> float:
        return q.critic(p.generator(z, y), y)[0].mean().item()

    assert score(p) > score(frozen)


def test_the_generators_step_has_running_squares_of_its_own() -> None:
    p = players(generator_moves="critic")
    one_generator_step(p)
    assert not p.critic_optimizer.state
    assert len(p.generator_optimizer.param_groups[0]["params"]) == len(
        [*p.generator.parameters(), *p.critic.parameters()]
    )


def test_an_infinite_square_of_a_moved_weight_is_named() -> None:
    p = players(generator_moves="critic", optimizer="rmsprop")
    one_generator_step(p)
    require_finite_weights(p, 1)
    squares = p.generator_optimizer.state[p.critic.score.weight]
    next(t for t in squares.values() if t.shape == p.critic.score.weight.shape).view(-1)[0] = math.inf
    with pytest.raises(NotFinite, match=r"critic/score\.weight"):
        require_finite_weights(p, 1)


def test_norms_without_a_normalisation_are_refused() -> None:
    with pytest.raises(WganError, match="critic_norm"):
        players(generator_moves="norms", critic_norm="none")


# --- when weights are clipped -----------------------------------------------------------------------------------------


def farthest(when: str) -> float:
    p = players(clip_when=when, clip=0.01, lr=0.05)
    x = images().batch(torch.arange(4))[0].double() / 127.5 - 1
    y = torch.arange(4) % 3
    critic_update(p, x, make_fakes(p, normal(1, 4, p.config.latent), y), y, p.engine.draws(0, 0, "x", 4))
    return max(w.abs().max().item() for w in p.clipped)


def test_a_pair_is_clipped_after_each_step_after_it_or_before() -> None:
    assert farthest("step") <= 0.01 and farthest("after-pair") <= 0.01 < farthest("before-pair")


def test_a_time_for_pairs_needs_pairs() -> None:
    with pytest.raises(WganError, match="critic_update separate"):
        points_config(objective="wgan-clip", clip_when="after-pair")


# --- the words of 0.1 -------------------------------------------------------------------------------------------------


def test_a_config_of_01_is_read_in_todays_words() -> None:
    old = json.loads(Config().to_json())
    for name in (
        "critic_fakes",
        "generator_moves",
        "class_clip",
        "clip_when",
        "rmsprop_rho",
        "rmsprop_eps",
        "rmsprop_eps_place",
    ):
        del old[name]
    new = from_json(json.dumps(old | {"optimizer": "rmsprop-keras2", "generator_init": 0.02, "critic_init": 0.0}), "x")
    assert (new.optimizer, new.rmsprop_rho, new.rmsprop_eps, new.rmsprop_eps_place) == ("rmsprop", 0.9, 1e-7, "beside")
    assert (new.generator_init, new.critic_init) == ("normal:0.02", "pytorch")
    assert from_json(json.dumps(old | {"optimizer": "rmsprop-keras"}), "x").rmsprop_eps_place == "under"
