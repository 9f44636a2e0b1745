"""One update of each player: whose weights move, on which scores, and what the numbers are."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from helpers.problems import (
    SINGLE,
    LinearCritic,
    by_hand,
    draws,
    exact_players,
    images,
    images_config,
    normal,
    points,
    points_config,
    same,
    two_clouds,
    weights,
)
from torch import Tensor

from wgan.config.objectives import FACTS
from wgan.errors import WganError
from wgan.losses import OBJECTIVES, clip_weights
from wgan.training import step as phases
from wgan.training.optim import build_optimizers
from wgan.training.players import Players, make_players
from wgan.training.updates import (
    critic_loss,
    critic_update,
    generator_update,
    judge_sides,
    make_fakes,
)
from wgan.training.watch import require_finite, watch

# --- who moves in whose update ----------------------------------------------------------------------------------------


FAMILIES = {
    "mlp": (points_config, points),
    "conv": (lambda **o: images_config(**{"conditioning": "concat", **o}), images),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_critic_update_leaves_the_generator_alone(family: str) -> None:
    """Its fakes are made without a graph."""
    make, source = FAMILIES[family]
    p = exact_players(make(), source())
    n = p.config.batch
    y = torch.arange(n) % 3 if source().classes else None
    fake = make_fakes(p, normal(1, n, p.config.latent), y)
    assert not fake.requires_grad
    before = weights(p.generator)
    critic_update(p, normal(2, *fake.shape), fake, y, draws(n))
    assert all(w.grad is None for w in p.generator.parameters())
    assert same(before, weights(p.generator))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generator_update_leaves_the_critic_alone(family: str) -> None:
    """Its weights and its gradients."""
    make, source = FAMILIES[family]
    p = exact_players(make(), source())
    n = p.config.batch
    y = torch.arange(n) % 3 if source().classes else None
    z = normal(1, n, p.config.latent)
    fake = make_fakes(p, z, y)
    critic_update(p, normal(2, *fake.shape), fake, y, draws(n))
    before, gradients = weights(p.critic), [w.grad.clone() for w in p.critic.parameters()]
    mine = weights(p.generator)
    generator_update(p, z, y, None, 0)
    assert same(before, weights(p.critic))
    assert same(gradients, [w.grad for w in p.critic.parameters()])
    assert not same(mine, weights(p.generator))


def count_calls(p: Players, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the backwards and both players' optimizer steps."""
    counts = {"backward": 0, "critic": 0, "generator": 0}
    backward = torch.autograd.backward

    def counted(tensors: Any, *rest: Any, **options: Any) -> None:
        counts["backward"] += 1
        assert isinstance(tensors, Tensor) and tensors.dim() == 0  # one scalar
        backward(tensors, *rest, **options)

    def tick(name: str) -> Any:
        return lambda *_: counts.update({name: counts[name] + 1})

    monkeypatch.setattr(torch.autograd, "backward", counted)
    p.critic_optimizer.register_step_post_hook(tick("critic"))
    p.generator_optimizer.register_step_post_hook(tick("generator"))
    return counts


@pytest.mark.parametrize(
    ("update", "name"),
    [
        *(("joint", name) for name in OBJECTIVES),
        ("separate", "gan"),
        ("separate", "wgan-clip"),
    ],  # the others are refused
)
def test_an_update_is_one_backward_of_one_scalar_and_one_step(
    update: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = images_config(objective=name, critic_update=update, class_critic=1.0, class_generator=1.0)
    p = exact_players(config, images())
    counts = count_calls(p, monkeypatch)
    real, y = normal(1, 6, 1, 8, 8), torch.arange(6) % 3
    critic_update(p, real, normal(2, 6, 1, 8, 8), y, draws(6))
    halves = 1 if update == "joint" else 2
    assert counts == {"backward": halves, "critic": halves, "generator": 0}
    generator_update(p, normal(3, 6, 5), y, (real, y) if p.objective.pairs else None, 0)
    assert counts == {"backward": halves + 1, "critic": halves, "generator": 1}


@pytest.mark.parametrize("name", ["gan", "wgan-clip"])
def test_the_halves_of_a_separate_update_add_up_to_the_joint(name: str) -> None:
    # with a rate of 0 and a wide clip the critic stands still, so both ways see the same scores
    real, fake = two_clouds()
    losses = {}
    for update in ("joint", "separate"):
        p = exact_players(points_config(objective=name, critic_update=update, lr=0, clip=100), points())
        losses[update] = float(critic_update(p, real, fake, None, draws(16))["critic/loss"])
    assert losses["separate"] == pytest.approx(losses["joint"], rel=1e-12)


def test_a_separate_update_steps_on_reals_first() -> None:
    """And judges fakes by the critic after that step."""
    # w moves by +rate * mean(real), then by -rate * mean(fake)
    p = by_hand(LinearCritic(torch.tensor([1.0, 1.0]).double()), objective="wgan-clip", critic_update="separate")
    real, fake = torch.tensor([[2.0, 0.0]]).double().expand(4, 2), torch.tensor([[0.0, 3.0]]).double().expand(4, 2)
    stats = critic_update(p, real, fake, None, draws(4))
    assert p.critic.w.tolist() == pytest.approx([1.02, 0.97], abs=1e-15)
    assert float(stats["critic/real"]) == 2.0  # by w = (1, 1)
    assert float(stats["critic/fake"]) == pytest.approx(3.0)  # by w = (1.02, 1)
    assert float(stats["critic/loss"]) == pytest.approx(1.0)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_real_scores_never_depend_on_the_fakes_beside_them(norm: str) -> None:
    config = images_config(objective="wgan-clip", critic_norm=norm, critic_conditioning="none", conditioning="none")
    p = exact_players(config, images())
    real, fake = normal(1, 6, 1, 8, 8), normal(2, 6, 1, 8, 8)
    a, f = (s for s, _ in judge_sides(p, {"real": real, "fake": fake}, None).values())
    b, g = (s for s, _ in judge_sides(p, {"real": real, "fake": 10 + 5 * fake}, None).values())
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(f, g)


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_a_generator_update_judges_by_the_requested_statistics(statistics: str) -> None:
    config = images_config(
        objective="wgan-clip",
        critic_norm="batch",
        critic_conditioning="none",
        conditioning="none",
        critic_statistics=statistics,
    )
    p = exact_players(config, images())
    n = config.batch
    critic_update(p, 3 + 2 * normal(1, n, 1, 8, 8), normal(2, n, 1, 8, 8), None, draws(n))
    z = normal(3, n, config.latent)
    judge = copy.deepcopy(p.critic).train(statistics == "batch")
    with torch.no_grad():
        expected = -judge(copy.deepcopy(p.generator)(z))[0].mean()
    before = {k: t.clone() for k, t in p.critic.state_dict().items() if "running" in k}
    stats = generator_update(p, z, None, None, 0)
    torch.testing.assert_close(torch.as_tensor(stats["generator/loss"]), expected, rtol=1e-12, atol=0)
    kept = all(torch.equal(t, p.critic.state_dict()[k]) for k, t in before.items())
    assert before and kept == (statistics == "running")
    critic_update(p, normal(4, n, 1, 8, 8), normal(5, n, 1, 8, 8), None, draws(n))
    assert all(m.training for m in p.critic.modules())  # the critic's own update: by its batch, as ever


# --- clipping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["joint", "separate"])
def test_the_generator_meets_a_clipped_critic_at_every_step(update: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = points_config(objective="wgan-clip", clip=0.003, lr=0.1, optimizer="rmsprop", critic_update=update)
    p = make_players(config, SINGLE, points())
    met, after = [], []

    def largest() -> float:
        return max(w.abs().max().item() for w in p.critic.parameters())

    judged, updated = phases.generator_update, phases.critic_update
    monkeypatch.setattr(phases, "generator_update", lambda *a: (met.append(largest()), judged(*a))[1])
    monkeypatch.setattr(phases, "critic_update", lambda *a: (updated(*a), after.append(largest()))[0])
    for step in range(3):
        phases.critic_phase(p, points(), step)
        phases.generator_phase(p, points(), step)
    assert met == pytest.approx([0.003] * 3) and after == pytest.approx([0.003] * 6)  # n_critic is 2
    flat = torch.cat([w.detach().flatten() for w in p.critic.parameters()]).abs()
    share = (flat >= 0.003 * (1 - 1e-6)).double().mean().item()
    assert watch(p)["critic/share_clipped"] == pytest.approx(share) and share > 0.1


@pytest.mark.parametrize("name", OBJECTIVES)
def test_separate_halves_are_refused_where_a_term_joins_both(name: str) -> None:
    if not (FACTS[name].penalised or FACTS[name].pairs):
        points_config(objective=name, critic_update="separate")
    else:
        with pytest.raises(WganError, match="use joint"):
            points_config(objective=name, critic_update="separate")


def test_clipping_bounds_nothing_for_other_objectives() -> None:
    assert all(
        bool(exact_players(points_config(objective=name), points()).clipped) == (name == "wgan-clip")
        for name in OBJECTIVES
    )


# --- numbers that are not finite --------------------------------------------------------------------------------------


def test_gradients_are_never_mended_in_silence() -> None:
    # a broken loss must break the run: NaN in the critic's gradient reaches its weights
    p = by_hand(LinearCritic(torch.ones(2).double()), objective="wgan-clip", clip=10)
    stats = critic_update(p, torch.full((4, 2), math.nan).double(), torch.zeros(4, 2).double(), None, draws(4))
    assert not torch.isfinite(p.critic.w).any()
    with pytest.raises(WganError):
        require_finite(stats, 1)


def test_a_copy_of_the_players_updates_alike() -> None:
    # the whole state of an update is in the players: nothing hides in a module or a global
    p = make_players(images_config(conditioning="concat"), SINGLE, images())
    q = copy.deepcopy(p)
    q.generator_optimizer, q.critic_optimizer = build_optimizers(q.generator, q.critic, q.config)
    for players in (p, q):
        phases.critic_phase(players, images(), 3)
        phases.generator_phase(players, images(), 3)
    assert same(weights(p.critic) + weights(p.generator), weights(q.critic) + weights(q.generator))
    w = torch.full((2,), 3.0)
    clip_weights([w], 1.0)
    assert w.tolist() == [1.0, 1.0]


def test_the_logged_loss_is_the_one_before_the_step() -> None:
    p = by_hand(LinearCritic(torch.tensor([1.0, 0.0]).double()), objective="wgan-gp", penalty_weight=10)
    real, fake = torch.tensor([[1.0, 0.0]]).double().expand(4, 2), torch.zeros(4, 2).double()
    loss, _ = critic_loss(p, {"real": real, "fake": fake}, None, draws(4))
    stats = critic_update(p, real, fake, None, draws(4))
    # E[D(fake)] - E[D(real)] = -1, and the slope is 1: no penalty
    assert float(stats["critic/loss"]) == pytest.approx(-1.0) == loss.item()
    assert float(stats["critic/slope"]) == pytest.approx(1.0)
