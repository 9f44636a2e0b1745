"""Each penalty beside its formula by hand, the points it looks at, and the norms of gradients."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.problems import (
    LinearCritic,
    QuadraticCritic,
    by_hand,
    draws,
    exact_players,
    images,
    images_config,
    normal,
    points,
    points_config,
)
from torch import Tensor

from wgan.losses import OBJECTIVES, POINTS, gradient_norms, safe_norms
from wgan.training.updates import critic_loss, critic_update, penalty_term

PENALISED = [name for name, rules in OBJECTIVES.items() if rules.penalty]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


# --- penalties -------------------------------------------------------------------------------------------------------

# What lambda = 10 and ||w|| = 5 or 0.5 cost, by each published formula.
LINEAR_COST = {
    "wgan-gp": {5.0: 10 * 4.0**2, 0.5: 10 * 0.5**2},
    "wgan-lp": {5.0: 10 * 4.0**2, 0.5: 0.0},
    "dragan": {5.0: 10 * 4.0**2, 0.5: 10 * 0.5**2},
    "gan-gp": {5.0: 10 * 4.0**2, 0.5: 10 * 0.5**2},
    "wgan-div": {5.0: 10 * 5.0**6, 0.5: 10 * 0.5**6},
    "r3gan": {5.0: 10 * 5.0**2, 0.5: 10 * 0.5**2},
}


def test_every_penalty_has_its_cost_listed_here() -> None:
    assert set(LINEAR_COST) == set(PENALISED)


@pytest.mark.parametrize("name", PENALISED)
@pytest.mark.parametrize("size", [5.0, 0.5])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 2, 5), (7,)])
@pytest.mark.parametrize("batch", [1, 3])
def test_penalty_of_a_linear_critic_is_exact(name: str, size: float, shape: tuple[int, ...], batch: int) -> None:
    # uneven weights: a norm over channels only, or pixel by pixel, gives another number
    w = normal(1, *shape) * (1 + torch.arange(math.prod(shape)).view(shape))
    w = w * size / w.norm()
    p = by_hand(LinearCritic(w), objective=name, penalty_weight=10.0)
    penalty, norms = penalty_term(p, normal(2, batch, *shape), normal(3, batch, *shape), None, draws(batch))
    torch.testing.assert_close(norms, torch.full_like(norms, size), rtol=1e-13, atol=0)
    assert penalty.item() == pytest.approx(LINEAR_COST[name][size], rel=1e-12, abs=1e-12)


def test_the_penalty_takes_the_norm_sample_by_sample() -> None:
    """Shown where the gradients of the samples differ."""
    # D(x) = sum(a x^2)/2, gradient a x. a = (1, 2), x = (3, 0), (0, 2), (0.3, 0.2): norms 3, 4, 0.5.
    a = torch.tensor([1.0, 2.0], dtype=torch.float64)
    x = torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.3, 0.2]], dtype=torch.float64)
    norms = gradient_norms(lambda v: QuadraticCritic(a)(v)[0], x)
    torch.testing.assert_close(norms, torch.tensor([3.0, 4.0, 0.5]).double(), rtol=1e-13, atol=0)
    # real = fake = x, so every mix of them is x: the mean of (2^2, 3^2, 0.5^2), one-sided without the last
    for name, cost in {"wgan-gp": 13.25 / 3, "wgan-lp": 13 / 3, "wgan-div": (3**6 + 4**6 + 0.5**6) / 3}.items():
        p = by_hand(QuadraticCritic(a), objective=name, penalty_weight=1.0)
        assert penalty_term(p, x, x, None, draws(3))[0].item() == pytest.approx(cost, rel=1e-12)


def test_r3gan_penalty_is_half_the_weight_times_r1_plus_r2() -> None:
    a = torch.tensor([1.0, 2.0], dtype=torch.float64)
    real = torch.tensor([[3.0, 0.0], [0.0, 2.0]], dtype=torch.float64)  # ||a x||^2 = 9, 16: R1 = 12.5
    fake = torch.tensor([[1.0, 0.5], [0.0, 0.0]], dtype=torch.float64)  # ||a x||^2 = 2, 0: R2 = 1
    p = by_hand(QuadraticCritic(a), objective="r3gan", penalty_weight=7.0)
    assert penalty_term(p, real, fake, None, draws(2))[0].item() == pytest.approx(7 / 2 * (12.5 + 1), rel=1e-13)


@pytest.mark.parametrize(
    ("name", "slope"),
    # the w that maximises w.d - penalty, for real data at d and fakes at 0, ||d|| = 5, lambda = 2:
    # (||w|| - 1)^2: 5 = 2 * 2 (||w|| - 1);  one-sided the same, as ||w|| > 1;  ||w||^6: 5 = 2 * 6 ||w||^5
    [("wgan-gp", 1 + 5 / 4), ("wgan-lp", 1 + 5 / 4), ("wgan-div", (5 / 12) ** 0.2)],
)
def test_critic_loss_is_stationary_at_the_closed_form_optimum(name: str, slope: float) -> None:
    d = torch.tensor([3.0, 4.0], dtype=torch.float64)
    p = by_hand(LinearCritic(d / 5 * slope), objective=name, penalty_weight=2.0)
    loss, stats = critic_loss(p, {"real": d.expand(3, 2), "fake": torch.zeros(3, 2).double()}, None, draws(3))
    loss.backward()
    torch.testing.assert_close(p.critic.w.grad, torch.zeros(2).double(), rtol=0, atol=1e-13)
    assert float(stats["critic/slope"]) == pytest.approx(slope, rel=1e-13)


def test_a_critic_loss_is_scores_plus_penalty_plus_class_terms() -> None:
    c = images_config(class_critic=0.5, class_generator=1.0, penalty_weight=3.0)
    p = exact_players(c, images())
    real, fake, y = normal(1, 6, 1, 8, 8), normal(2, 6, 1, 8, 8), torch.arange(6) % 3
    loss, s = critic_loss(p, {"real": real, "fake": fake}, y, draws(6))
    parts = s["critic/fake"] - s["critic/real"] + s["critic/penalty"] + 0.5 * (s["class/real"] + s["class/fake"])
    assert loss.item() == pytest.approx(float(parts), rel=1e-13) == float(s["critic/loss"])


@pytest.mark.parametrize(("on", "sides"), [("real", ["real"]), ("fake", ["fake"]), ("real+fake", ["real", "fake"])])
@pytest.mark.parametrize("update", ["joint", "separate"])
def test_classifier_learns_from_the_images_that_class_on_names(on: str, sides: list[str], update: str) -> None:
    c = images_config(class_critic=2.0, class_on=on, objective="wgan-clip", critic_update=update, lr=0)
    p = exact_players(c, images())
    s = critic_update(p, normal(1, 6, 1, 8, 8), normal(2, 6, 1, 8, 8), torch.arange(6) % 3, draws(6))
    parts = s["critic/fake"] - s["critic/real"] + 2 * sum(s[f"class/{side}"] for side in sides)
    # clipping after the real half changes the critic that judges the fakes: the sum holds of the scores it reports
    assert float(s["critic/loss"]) == pytest.approx(float(parts), rel=1e-12)
    # how often the classifier is right is reported on both sides, so that a starved head shows
    assert {"class/accuracy_real", "class/accuracy_fake"} <= set(s)


# --- where a penalty looks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 4, 4), (5, 2, 3), (2,)])
def test_interpolation_draws_one_mixing_weight_for_each_sample(shape: tuple[int, ...]) -> None:
    real, fake = torch.ones(50, *shape).double(), torch.zeros(50, *shape).double()
    eps = POINTS["interpolates"](real, fake, draws(50)).flatten(1)  # eps * 1 + (1 - eps) * 0
    assert torch.equal(eps, eps[:, :1].expand_as(eps))  # not pixel by pixel, nor by channel
    assert len(eps[:, 0].unique()) == 50  # not one for the batch


def test_mixing_weights_are_uniform_between_0_and_1() -> None:
    real, fake = torch.ones(5000, 1).double(), torch.zeros(5000, 1).double()
    eps = POINTS["interpolates"](real, fake, draws(5000))[:, 0].sort().values
    assert eps.min() >= 0 and eps.max() <= 1
    # Kolmogorov's distance: below 1.95 / sqrt(n) for all but 1 in 1000 samples of U[0, 1]; the seed is fixed
    distance = (eps - (torch.arange(5000) + 0.5) / 5000).abs().max()
    assert distance < 1.95 / math.sqrt(5000)


def test_interpolates_lie_between_a_real_and_its_fake() -> None:
    """On the segment between them."""
    real, fake = normal(1, 9, 2, 3, 3), normal(2, 9, 2, 3, 3)
    given = torch.linspace(0, 1, 9, dtype=torch.float64).view(9, 1, 1, 1)
    asked = []

    def draw(kind: str, shape: tuple[int, ...]) -> Tensor:
        asked.append((kind, shape))
        return given

    torch.testing.assert_close(POINTS["interpolates"](real, fake, draw), fake + given * (real - fake))
    assert asked == [("uniform", (1, 1, 1))]


def test_dragan_looks_around_real_samples_only() -> None:
    real = normal(1, 40, 1, 5, 5)
    p = POINTS["around real"](real, torch.full_like(real, math.nan), draws(40))
    u = (p - real) / (0.5 * real.std())
    assert u.min() >= 0 and u.max() <= 1 + 1e-9
    assert len(u.flatten().unique()) == u.numel()  # each coordinate its own draw
    reach = u.flatten(1).amax(1)  # about alpha, one for each sample: some points lie near the data, others far
    assert reach.min() < 0.2 and reach.max() > 0.8
    assert u.mean().item() == pytest.approx(0.25, abs=0.1)  # E[alpha] E[u]


def test_r3gan_looks_at_real_and_at_fake() -> None:
    real, fake = normal(1, 2, 3), normal(2, 2, 3)
    assert torch.equal(POINTS["real and fake"](real, fake, draws(2)), torch.cat([real, fake]))


@pytest.mark.parametrize("name", PENALISED)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("batch", [1, 5])
def test_penalties_take_any_batch_and_any_number_of_channels(name: str, channels: int, batch: int) -> None:
    shape = (channels, 8, 8)
    c = images_config(objective=name, batch=6)  # the batch at hand may be shorter than the config's
    p = exact_players(c, images(shape=shape))
    y = torch.arange(batch) % 3
    loss, _ = critic_loss(p, {"real": normal(1, batch, *shape), "fake": normal(2, batch, *shape)}, y, draws(batch))
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(w.grad).all() for w in p.critic.parameters())


# --- gradient norms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PENALISED)
def test_a_flat_critic_has_an_exact_penalty_and_finite_gradient(name: str) -> None:
    p = by_hand(LinearCritic(torch.zeros(2, 3).double()), objective=name, penalty_weight=10.0)
    penalty, _ = penalty_term(p, normal(1, 4, 2, 3), normal(2, 4, 2, 3), None, draws(4))
    # (0 - 1)^2 where the target slope is 1 from both sides, else 0
    assert penalty.item() == (10.0 if name in ("wgan-gp", "gan-gp", "dragan") else 0.0)
    penalty.backward()
    assert torch.equal(p.critic.w.grad, torch.zeros(2, 3).double())  # by the convention at 0, and not NaN


def test_one_flat_sample_does_not_spoil_the_others_gradient() -> None:
    g = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    norms = safe_norms(g)
    assert norms.tolist() == [5.0, 0.0]
    norms.sum().backward()
    # g / ||g||
    torch.testing.assert_close(g.grad, torch.tensor([[0.6, 0.8], [0, 0]], dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1.0, 1e6])
def test_gradient_norms_carry_no_epsilon(size: float) -> None:
    w = torch.tensor([0.6, 0.8], dtype=torch.float64) * size
    norms = gradient_norms(lambda x: x @ w, normal(1, 3, 2))
    torch.testing.assert_close(norms, torch.full((3,), size, dtype=torch.float64), rtol=1e-14, atol=0)


def test_norms_of_bf16_gradients_are_computed_in_fp32() -> None:
    ones = torch.ones(2, 1000, dtype=torch.bfloat16)  # bf16 cannot count to 1000 in ones
    norms = safe_norms(ones)
    assert norms.dtype == torch.float32
    torch.testing.assert_close(norms, torch.full((2,), math.sqrt(1000)))


def test_the_penalty_has_the_right_gradient_for_the_critic() -> None:
    w = torch.tensor([3.0, 4.0], dtype=torch.float64)
    p = by_hand(LinearCritic(w), objective="wgan-gp", penalty_weight=10.0)
    penalty_term(p, normal(1, 5, 2), normal(2, 5, 2), None, draws(5))[0].backward()
    # d/dw 10 (||w|| - 1)^2 = 20 (||w|| - 1) w / ||w|| = 20 * 4 * (0.6, 0.8)
    torch.testing.assert_close(p.critic.w.grad, torch.tensor([48.0, 64.0]).double(), rtol=1e-13, atol=0)


def test_the_penalty_reaches_every_layer() -> None:
    """By the second derivative."""
    p = exact_players(points_config(objective="wgan-gp"), points())
    real, fake = normal(1, 8, 2), normal(2, 8, 2)
    first = p.critic.trunk.layers[1].weight  # of the first linear map, behind Flatten
    penalty_term(p, real, fake, None, draws(8))[0].backward()
    # against a central difference of the penalty itself
    slope, h = first.grad[3, 1].item(), 1e-6
    cost = []
    for sign in (1, -1):
        with torch.no_grad():
            first[3, 1] += sign * h
        cost.append(penalty_term(p, real, fake, None, draws(8))[0].item())
        with torch.no_grad():
            first[3, 1] -= sign * h
    assert abs(slope) > 1e-6
    assert slope == pytest.approx((cost[0] - cost[1]) / (2 * h), rel=1e-5)
