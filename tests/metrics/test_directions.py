"""The direction of both players: each update moves the Wasserstein estimate, or the point, where the theory says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.problems import (
    LinearCritic,
    PointGenerator,
    by_hand,
    draws,
    exact_players,
    normal,
    points,
    points_config,
    two_clouds,
)
from torch import Tensor

from wgan.losses import OBJECTIVES
from wgan.training.optim import OPTIMIZERS
from wgan.training.players import Players
from wgan.training.updates import critic_update, generator_update, judge_sides, make_fakes


def wasserstein(p: Players, real: Tensor, fake: Tensor) -> float:
    with torch.no_grad():
        r, f = (s for s, _ in judge_sides(p, {"real": real, "fake": fake}, None).values())
    return float(r.mean() - f.mean())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_critic_step_raises_the_wasserstein_estimate(name: str, optimizer: str) -> None:
    p = exact_players(points_config(objective=name, optimizer=optimizer, lr=1e-3, clip=5, penalty_weight=1), points())
    real, fake = two_clouds()
    before = wasserstein(p, real, fake)
    critic_update(p, real, fake, None, draws(16))
    assert wasserstein(p, real, fake) > before


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_generator_step_lowers_the_wasserstein_estimate(name: str, optimizer: str) -> None:
    """The critic is frozen."""
    p = exact_players(points_config(objective=name, optimizer=optimizer, lr=1e-3, clip=5), points())
    real, z = two_clouds()[0], normal(3, 16, 3)
    before = wasserstein(p, real, make_fakes(p, z, None))
    generator_update(p, z, None, (real, None) if p.objective.pairs else None, 0)
    assert wasserstein(p, real, make_fakes(p, z, None)) < before


@pytest.mark.parametrize("update", ["joint", "separate"])
def test_both_ways_to_update_raise_the_estimate(update: str) -> None:
    for name in ("wgan-clip", "gan"):
        p = exact_players(points_config(objective=name, critic_update=update, lr=1e-3, clip=5), points())
        real, fake = two_clouds()
        before = wasserstein(p, real, fake)
        critic_update(p, real, fake, None, draws(16))
        assert wasserstein(p, real, fake) > before


def test_a_clipped_linear_critic_reaches_the_exact_distance() -> None:
    """Times its bound."""
    # max of w.(mu - theta) over |w_i| <= c is c ||mu - theta||_1 = 0.01 * (3 + 0.5) for point masses at mu and theta
    p = by_hand(LinearCritic(torch.zeros(2).double()), rate=1e-3, objective="wgan-clip")
    p = replace(p, clipped=[p.critic.w])  # a module made by hand is not a layer that clipping knows
    real = torch.tensor([[3.0, -0.5]]).double().expand(4, 2)
    fake = torch.zeros(4, 2).double()
    for _ in range(25):  # the slower weight moves 1e-3 * 0.5 each time: 20 steps to 0.01
        critic_update(p, real, fake, None, draws(4))
    assert wasserstein(p, real, fake) == pytest.approx(0.01 * 3.5, rel=1e-12)
    assert p.critic.w.tolist() == [0.01, -0.01]


def test_two_players_bring_a_point_towards_the_data() -> None:
    # real data at mu, ||mu|| = 1; G = theta starts at 0. The critic's w points to mu with a norm of about 1 + d / 20
    # (d the distance left), and theta moves by 0.05 w: 15 steps cover about 0.75 of the way
    mu = torch.tensor([0.6, -0.8]).double()
    generator = PointGenerator(torch.zeros(2).double())
    p = by_hand(LinearCritic(0.1 * mu), generator, rate=0.05, objective="wgan-gp")
    z = torch.zeros(4, 1).double()
    for step in range(15):
        for _ in range(5):
            critic_update(p, mu.expand(4, 2), make_fakes(p, z, None), None, draws(4))
        generator_update(p, z, None, None, step)
    assert (generator.theta.detach() - mu).norm().item() == pytest.approx(0.25, abs=0.03)
