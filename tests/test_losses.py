"""Losses, penalties, clipping: each against a number worked out by hand, in float64, with more than one sample."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from helpers.problems import (
    LinearCritic,
    by_hand,
    draws,
    exact_players,
    images,
    images_config,
    normal,
    points,
    points_config,
    signals_config,
    train_on,
    volumes_config,
)
from torch import nn

import wgan
from wgan import losses
from wgan.config import FIELDS
from wgan.config.objectives import FACTS, ObjectiveFacts
from wgan.errors import WganError
from wgan.losses import OBJECTIVES, POINTS, Objective, class_loss, clip_weights, clippable, critic_term, generator_term
from wgan.models import MODELS, build
from wgan.training import loop
from wgan.training.optim import OPTIMIZERS
from wgan.training.schedule import CRITIC_SCHEDULES
from wgan.training.updates import critic_loss, critic_update

PENALISED = [name for name, rules in OBJECTIVES.items() if rules.penalty]
REAL = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
FAKE = torch.tensor([0.0, 3.0, -1.0], dtype=torch.float64)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


# --- losses ----------------------------------------------------------------------------------------------------------


def test_critic_losses_are_the_published_formulas() -> None:
    # mean(fake) = 2/3, mean(real) = -1/6
    assert critic_term(OBJECTIVES["wgan-gp"], REAL, FAKE).item() == pytest.approx(2 / 3 + 1 / 6, abs=1e-15)
    # max(0, 1 - real) = 0, 3, 0.5; max(0, 1 + fake) = 1, 4, 0
    assert critic_term(OBJECTIVES["hinge"], REAL, FAKE).item() == pytest.approx(3.5 / 3 + 5 / 3, abs=1e-15)
    # cross-entropy of the logits with the labels 1 (real) and 0 (fake)
    logistic = mean([softplus(-1), softplus(2), softplus(-0.5)]) + mean([softplus(0), softplus(3), softplus(-1)])
    assert critic_term(OBJECTIVES["gan"], REAL, FAKE).item() == pytest.approx(logistic, abs=1e-14)
    for name in ("gan-gp", "gan-sn"):
        assert critic_term(OBJECTIVES[name], REAL, FAKE).item() == pytest.approx(logistic, abs=1e-14)
    assert critic_term(OBJECTIVES["wgan-sn"], REAL, FAKE).item() == pytest.approx(2 / 3 + 1 / 6, abs=1e-15)
    # fake - real pair by pair: -1, 5, -1.5
    pairs = mean([softplus(-1), softplus(5), softplus(-1.5)])
    assert critic_term(OBJECTIVES["r3gan"], REAL, FAKE).item() == pytest.approx(pairs, abs=1e-14)


def test_generator_losses_are_the_published_formulas() -> None:
    assert generator_term(OBJECTIVES["wgan-gp"], FAKE).item() == pytest.approx(-2 / 3, abs=1e-15)
    nonsaturating = mean([softplus(0), softplus(-3), softplus(1)])
    assert generator_term(OBJECTIVES["gan"], FAKE).item() == pytest.approx(nonsaturating, abs=1e-14)
    for name in ("gan-gp", "gan-sn"):
        assert generator_term(OBJECTIVES[name], FAKE).item() == pytest.approx(nonsaturating, abs=1e-14)
    assert generator_term(OBJECTIVES["wgan-sn"], FAKE).item() == pytest.approx(-2 / 3, abs=1e-15)
    pairs = mean([softplus(1), softplus(-5), softplus(1.5)])  # real - fake
    assert generator_term(OBJECTIVES["r3gan"], FAKE, REAL).item() == pytest.approx(pairs, abs=1e-14)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_critics_want_real_high_and_generators_fake_high(name: str) -> None:
    rules = OBJECTIVES[name]
    # reals below 1 and fakes between 0 and 1: within the hinge's margin and between the targets of least squares
    real, fake = (t.clone().requires_grad_(True) for t in (REAL / 4, FAKE / 8 + 0.5))
    critic_term(rules, real, fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    generator_term(rules, fake, real.detach()).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_means_so_a_doubled_batch_costs_the_same(name: str) -> None:
    rules = OBJECTIVES[name]
    twice_real, twice_fake = torch.cat([REAL, REAL]), torch.cat([FAKE, FAKE])
    assert critic_term(rules, twice_real, twice_fake).item() == pytest.approx(
        critic_term(rules, REAL, FAKE).item(), abs=1e-14
    )
    assert generator_term(rules, twice_fake, twice_real).item() == pytest.approx(
        generator_term(rules, FAKE, REAL).item(), abs=1e-14
    )


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("family", MODELS)
def test_a_critic_has_no_sigmoid_its_last_layer_is_linear(name: str, family: str) -> None:
    options = {"critic": family, "critic_layers": "6k4x2 /" if family == "conv" else "6", "objective": name}
    shape: tuple[int, ...] = (1, 8, 8)
    config = images_config(**options)
    if family.endswith("1d"):
        shape, config = (2, 18), signals_config(objective=name)
        config = config.replace(critic=family, critic_layers=config.critic_layers if family == "conv1d" else "6x2 /")
    if family == "conv3d":
        shape, config = (2, 4, 6, 5), volumes_config(objective=name)
    critic = build(config, shape, 3)[1].double()
    x, y = normal(0, 4, *shape), torch.tensor([0, 1, 2, 0])
    score = critic(x, y)[0]
    assert score.shape == (4,)
    with torch.no_grad():
        for p in (*critic.score.parameters(), *critic.projection.parameters()):
            p.mul_(1e6)
    # a squashing of any kind would not let the score grow a million times
    torch.testing.assert_close(critic(x, y)[0], 1e6 * score, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_raw_scores_are_logged_and_no_probabilities(name: str) -> None:
    p = by_hand(LinearCritic(torch.tensor([30.0, 40.0]).double()), objective=name, clip=100)
    real, fake = torch.tensor([[1.0, 0], [3, 1]]).double(), torch.tensor([[0.0, -1], [0, -2]]).double()
    stats = critic_loss(p, {"real": real, "fake": fake}, None, draws(2))[1]
    assert float(stats["critic/real"]) == pytest.approx((30 + 130) / 2, abs=1e-12)
    assert float(stats["critic/fake"]) == pytest.approx((-40 - 80) / 2, abs=1e-12)


def test_class_loss_is_the_cross_entropy_of_raw_logits() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    # -log(1/2) and -log(1 / (1 + e^2))
    expected = (math.log(2) + math.log1p(math.exp(2))) / 2
    assert class_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, abs=1e-14)
    # a softmax before it could not exceed log(1 + e) = 1.31, however wrong the logits are
    assert class_loss(1000 * logits, torch.tensor([0, 1])).item() == pytest.approx((math.log(2) + 2000) / 2, rel=1e-12)


# --- clipping --------------------------------------------------------------------------------------------------------


def test_clipping_is_in_place_and_counts_what_is_at_the_bound() -> None:
    w = torch.tensor([-3.0, -0.01, 0.005, 0.02], dtype=torch.float64)
    clip_weights([w], 0.01)
    assert w.tolist() == [-0.01, -0.01, 0.005, 0.01]
    assert losses.fraction_at_bound([w], 0.01) == 0.75
    assert losses.fraction_at_bound([], 0.01) == 0.0


def conv_critic(norm: str) -> nn.Module:
    return build(images_config(objective="wgan-clip", critic_norm=norm, class_critic=1.0), (1, 8, 8), 3)[1]


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_clipping_takes_every_weight_but_never_a_normalisation(norm: str) -> None:
    critic = conv_critic(norm)
    layers = (nn.BatchNorm2d, nn.GroupNorm)
    gains = [id(p) for m in critic.modules() if isinstance(m, layers) for p in m.parameters()]
    assert len(gains) == (0 if norm == "none" else 4)  # a gain and a bias for each of two layers
    taken = [id(p) for p in clippable(critic, "all")]
    assert sorted(taken) == sorted(id(p) for p in critic.parameters() if id(p) not in gains)


def test_clip_scope_conv_takes_convolution_kernels_only() -> None:
    critic = conv_critic("batch")
    kernels = [m.weight for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert len(kernels) == 2
    assert [id(p) for p in clippable(critic, "conv")] == [id(k) for k in kernels]
    with pytest.raises(WganError, match="clip_scope all"):
        clippable(build(points_config(), (2,), 0)[1], "conv")


@pytest.mark.parametrize("scope", ["all", "conv"])
@pytest.mark.parametrize("update", ["joint", "separate"])
def test_clipped_weights_keep_their_bound_after_an_update(scope: str, update: str) -> None:
    c = images_config(objective="wgan-clip", critic_norm="batch", clip_scope=scope, critic_update=update, clip=0.003)
    c = c.replace(lr=0.05, conditioning="none", critic_conditioning="none")
    p = exact_players(c, images())
    for step in range(2):
        critic_update(p, normal(step, 6, 1, 8, 8), normal(9, 6, 1, 8, 8), None, draws(6))
        bound = [w.abs().max().item() for w in p.clipped]
        assert max(bound) == 0.003  # a step of 0.05 sends weights far beyond it
    # the gains started at 1 and stay about there; what is out of scope is not touched either
    gains = [m.weight for m in p.critic.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((g > 0.5).all() for g in gains)
    assert p.critic.score.weight.abs().max() > 0.003 or scope == "all"


def test_clipping_under_spectral_norm_is_refused() -> None:
    """It would bound nothing."""
    with pytest.raises(WganError, match="spectral"):
        points_config(objective="wgan-clip", critic_norm="spectral")


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("objective", OBJECTIVES),
        ("optimizer", OPTIMIZERS),
        ("critic_schedule", CRITIC_SCHEDULES),
        ("generator", MODELS),
        ("critic", MODELS),
    ],
)
def test_the_choices_of_config_are_the_keys_of_the_tables(field: str, table: dict) -> None:
    assert set(FIELDS[field].choices) == set(table)


def test_every_objective_is_whole_and_agrees_with_its_facts() -> None:
    assert [*FACTS] == [*OBJECTIVES]
    for name, rules in OBJECTIVES.items():
        facts = FACTS[name]
        assert rules.points in POINTS and facts.source, name
        assert (rules.penalty is not None, rules.pairs) == (facts.penalised, facts.pairs), name
        assert losses.objective(name) is rules
    with pytest.raises(WganError, match=r"did you mean .*wgan-gp"):
        losses.objective("wgan-pg")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_batch_norm_is_refused_exactly_where_there_is_a_penalty(name: str) -> None:
    if name in PENALISED:
        with pytest.raises(WganError, match="depend on the whole batch"):
            points_config(objective=name, critic_norm="batch")
    else:
        points_config(objective=name, critic_norm="batch")


def test_halves_add_up_to_the_whole_and_pairs_have_none() -> None:
    for rules in OBJECTIVES.values():
        if rules.pairs:
            with pytest.raises(ValueError, match="pairs"):
                critic_term(rules, REAL, None)
            continue
        halves = critic_term(rules, REAL, None) + critic_term(rules, None, FAKE)
        assert halves.item() == pytest.approx(critic_term(rules, REAL, FAKE).item(), abs=1e-14)


def test_least_squares_is_the_published_formula() -> None:
    # REAL 1, -2, 0.5 and FAKE 0, 3, -1: targets 1 and 0 for the critic, 1 for the generator, halves of squares
    rules = OBJECTIVES["lsgan"]
    critic = (mean([0, 9, 0.25]) + mean([0, 9, 1])) / 2
    assert critic_term(rules, REAL, FAKE).item() == pytest.approx(critic, abs=1e-14)
    assert generator_term(rules, FAKE).item() == pytest.approx(mean([1, 4, 4]) / 2, abs=1e-14)


def test_a_new_objective_is_two_entries(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Least squares with R1 at real and fake: its facts and its losses, no other change, and it trains."""
    plain = OBJECTIVES["lsgan"]
    entry = Objective(plain.real, plain.fake, plain.generator, losses.zero_centred, "real and fake")
    monkeypatch.setitem(OBJECTIVES, "least-squares", entry)
    monkeypatch.setitem(FACTS, "least-squares", ObjectiveFacts(None, "Mao 2017", penalised=True))
    monkeypatch.setitem(FIELDS, "objective", dataclasses.replace(FIELDS["objective"], choices=tuple(FACTS)))
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    train_on(monkeypatch, points())

    run = wgan.train(run=tmp_path / "run", config=points_config(objective="least-squares", steps=2))
    assert run.step == 2 and run.config.objective == "least-squares"
    costs = [line["critic/penalty"] for line in run.log() if "critic/penalty" in line]
    assert len(costs) == 2 and all(math.isfinite(cost) for cost in costs)


def test_norm_gains_are_clipped_only_when_asked():
    """By name; running statistics are never clipped."""
    critic = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1))
    norm = critic[1]
    assert all(p is not norm.weight and p is not norm.bias for p in clippable(critic, "all"))
    everything = clippable(critic, "all+norm")
    assert any(p is norm.weight for p in everything) and any(p is norm.bias for p in everything)
    clip_weights(everything, 0.01)
    assert float(norm.weight.detach().max()) == pytest.approx(0.01)
    assert norm.running_var.tolist() == [1.0, 1.0]
