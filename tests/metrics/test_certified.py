"""Wasserstein-1 from below: never above a known truth, close to it where it can be, and the sample bracket in order."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from wgan.errors import WganError
from wgan.metrics import neighbours
from wgan.metrics.certified import (
    EvaluationCritic,
    certified_w1,
    certify,
    fit_critic,
    gap_bound,
    lower_mean,
    maxmin,
    means_of_parts,
    orthonormal,
    polar,
    retract,
    sample_bracket,
)
from wgan.metrics.distances import exact_w1


def normal(seed, n=500, d=3, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def funnels(seed, d, funnels=4):
    """A pair of laws with known W1 (the construction of Korotin et al. 2022).

    u(x) = min_n (‖x − a_n‖ + b_n) is 1-Lipschitz. Move each x straight toward the centre a_n of its own funnel by a share
    t < 1 of the way: then u falls by exactly the distance moved, so u is optimal and W1 = E t ‖x − a_n‖.
    """
    rng = np.random.default_rng(seed)
    centres, offsets = 2 * rng.normal(size=(funnels, d)), 0.3 * rng.normal(size=funnels)
    shares = rng.uniform(0.1, 0.9, funnels)

    def draw(n):
        x = 2 * rng.normal(size=(n, d))
        away = np.linalg.norm(x[:, None] - centres[None], axis=2)
        own = (away + offsets).argmin(1)
        move = shares[own, None] * (centres[own] - x)
        return x, x + move, np.linalg.norm(move, axis=1)

    return draw, float(np.mean([draw(4000)[2].mean() for _ in range(10)]))


def bound_on_funnels(seed, d, steps):
    draw, truth = funnels(seed, d)
    sets = draw(3000)[0], draw(3000)[1], draw(2000)[0], draw(2000)[1]  # four independent samples
    return certified_w1(*sets, steps=steps), truth


@pytest.mark.parametrize(("seed", "d"), [(0, 2), (1, 8), (2, 32), (3, 128)])
def test_the_bound_is_never_above_the_truth_and_not_empty(seed, d):
    found, truth = bound_on_funnels(seed, d, steps=150)
    assert 0.2 * truth < found.bound <= truth + (found.high - found.low)
    assert found.lipschitz == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
def test_the_bound_holds_on_100_pairs_in_2_to_128_dimensions():
    results = [bound_on_funnels(1000 + i, int(d), steps=500) for i, d in enumerate(np.geomspace(2, 128, 100).round())]
    above = sum(found.bound > truth for found, truth in results)
    assert all(found.bound <= truth + (found.high - found.low) for found, truth in results)
    assert above <= 10  # 5 are expected at most, if every bound were tight
    shares = np.array([found.bound / truth for found, truth in results])
    print(f"above {above}/100, bound / truth: median {np.median(shares):.3f}, least {shares.min():.3f}")
    assert np.median(shares) > 0.6


def test_a_translation_is_found_almost_whole():
    t = np.array([1.5, -2.0, 0.0])
    found = certified_w1(normal(0) + t, normal(1), normal(2) + t, normal(3), steps=150)
    assert found.low <= 2.5 <= found.high + 0.05
    assert found.bound > 0.85 * 2.5
    assert found.low < found.bound < found.gap - 1.645 * found.error  # it asks for more than a normal law would
    assert found.gap - found.bound < 5 * found.error


@pytest.mark.parametrize("unit", [1e-3, 255.0])
def test_the_bound_scales_with_the_unit_and_ignores_the_origin(unit):
    sets = normal(0, shift=1.0), normal(1), normal(2, shift=1.0), normal(3)
    plain = certified_w1(*sets, steps=30)
    moved = certified_w1(*[unit * (s + 7) for s in sets], steps=30)
    assert moved.gap == pytest.approx(unit * plain.gap, rel=1e-2)


def test_equal_laws_have_no_bound_though_the_fit_finds_a_gap():
    found = certified_w1(*[normal(s, 400, 20) for s in range(4)], steps=100)
    assert found.low < 0 < found.high and found.bound < 0.1
    assert found.fitted > found.gap


def test_constant_images_have_an_answer():
    flat = np.zeros((50, 4))
    found = certified_w1(flat, flat, flat, flat, steps=5)
    assert found.bound == found.gap == 0 and found.error < 1e-12
    apart = certified_w1(flat + 3, flat, flat + 3, flat, steps=100)
    assert apart.gap == pytest.approx(6, rel=0.05)
    assert (
        4.5 < apart.bound < apart.gap
    )  # two points at distance 6; in 50 draws a twentieth of other points may be unseen


# laws on [0, 1]: draw(rng, n), mean
LAWS = {
    "rarely 0": (lambda rng, n: 1.0 * (rng.random(n) < 0.97), 0.97),
    "rarely 1": (lambda rng, n: 1.0 * (rng.random(n) < 0.03), 0.03),
    "skewed down": (lambda rng, n: rng.beta(3.0, 0.1, n), 3.0 / 3.1),
    "uniform": (lambda rng, n: rng.random(n), 0.5),
}


@pytest.mark.parametrize("n", [30, 50, 200])
@pytest.mark.parametrize("law", LAWS)
def test_the_bound_on_a_mean_holds_at_every_n(law, n):
    """Of 300 seeded bounds at 95 % at most 26 may lie above the mean; a normal interval has 120 there at n = 30."""
    draw, mean = LAWS[law]
    above = sum(lower_mean(draw(np.random.default_rng([seed, n]), n), 0.05) > mean for seed in range(300))
    assert above <= 300 * 0.05 + 3 * math.sqrt(300 * 0.05 * 0.95)


def test_the_bound_on_a_mean_is_near_it_for_many_samples():
    for law, (draw, mean) in LAWS.items():
        x = draw(np.random.default_rng(1), 5000)
        assert x.mean() - 3.5 * x.std() / math.sqrt(5000) - 0.003 < lower_mean(x, 0.05) < mean, law


def test_the_bound_on_a_mean_is_the_largest_ruled_out_by_bets():
    x, alpha = np.random.default_rng(0).random(40), 0.05

    def fortune(m):
        mean, variance, total, squares, value = 0.5, 0.25, 0.5, 0.25, 1.0
        for t, v in enumerate(x, 1):
            value *= 1 + min(0.75 / m, math.sqrt(2 * math.log(1 / alpha) / (len(x) * variance))) * (v - m)
            total += v
            mean = total / (t + 1)
            squares += (v - mean) ** 2
            variance = squares / (t + 1)
        return value

    assert fortune(lower_mean(x, alpha)) == pytest.approx(1 / alpha)
    assert lower_mean(np.zeros(40), alpha) == 0


@pytest.mark.parametrize("n", [30, 200])
def test_the_certified_bound_holds_for_skewed_laws_and_small_n(n):
    """Reals are 1, rarely 0, and fakes are 0: W1 is 0.97, and a sample that lacks the rare ones has no variance."""
    itself = EvaluationCritic([torch.ones(1, 1, dtype=torch.float64)], [torch.zeros(1).double()], np.zeros(1), 1.0)
    draw, truth = LAWS["rarely 0"]
    zeros, above, outside = np.zeros((n, 1)), 0, 0
    for seed in range(200):
        real = draw(np.random.default_rng([seed, n]), n)[:, None]
        found = certify(itself, [[0.0], [1.0]], zeros, real, zeros)
        above += found.bound > truth
        outside += not found.low <= truth <= found.high
    assert max(above, outside) <= 200 * 0.05 + 3 * math.sqrt(200 * 0.05 * 0.95)


def test_bets_on_differences_lose_less_than_on_each_mean():
    rng = np.random.default_rng(0)
    f, g = rng.random(800), 0.8 * rng.random(500)
    two = lower_mean(f, 0.025) + lower_mean(1 - g, 0.025) - 1
    assert two + 0.01 < gap_bound(f, g, 0, 1, 0.05) < f.mean() - g.mean() - 0.01
    assert means_of_parts(np.arange(5.0), 2).tolist() == [0.5, 3.0]
    assert means_of_parts(f, 800).tolist() == f.tolist()


@pytest.mark.parametrize("law", LAWS)
def test_a_bound_on_a_gap_holds_for_unequal_numbers(law):
    """Reals of each law, 30 of them, against 70 fakes of a skewed one, of which 300 seeded bounds may lie above."""
    draw, mean = LAWS[law]
    above = 0
    for seed in range(300):
        rng = np.random.default_rng([seed, 7])
        above += gap_bound(draw(rng, 30), rng.beta(0.1, 3.0, 70), 0, 1, 0.05) > mean - 0.1 / 3.1
    assert above <= 300 * 0.05 + 3 * math.sqrt(300 * 0.05 * 0.95)


def test_the_committed_cases_show_coverage_at_every_n():
    """1,000 draws of each law and n, and 1,000 fits; written by benchmarks/certified_coverage.py."""
    kept = json.loads((Path(__file__).parents[2] / "benchmarks/results/certified_coverage.json").read_text())
    assert kept["seeds"] == kept["whole"]["cases"] == 1000
    assert {row["law"] for row in kept["means"]} == set(LAWS) and min(row["n"] for row in kept["means"]) == 30
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert max(kept["whole"]["above"], *(row["above"] for row in kept["means"])) <= most
    assert max(row["normal"] for row in kept["means"]) > 0.2  # what a normal interval does there


@pytest.mark.slow
def test_the_bound_holds_in_a_thousand_draws_of_each_law_and_n(script):
    tool = script("benchmarks", "certified_coverage")
    assert max(row["above"] for row in tool.means(1000)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_scores_beyond_those_of_the_fit_are_clipped_to_them():
    itself = EvaluationCritic([torch.ones(1, 1, dtype=torch.float64)], [torch.zeros(1).double()], np.zeros(1), 1.0)
    real, fake = np.linspace(1, 2, 50)[:, None], np.linspace(0, 1, 50)[:, None]
    plain = certify(itself, real, fake, real, fake)
    far = np.concatenate([real[:-1], [[1e6]]])
    assert certify(itself, real, fake, far, fake) == plain and plain.gap == pytest.approx(1)


def test_the_same_seed_gives_the_same_bound_on_any_threads():
    """And touches no global random stream."""
    sets = [normal(s, 100, 6) for s in range(4)]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    first = certified_w1(*sets, steps=10)
    torch.set_num_threads(threads + 1)
    try:
        assert certified_w1(*sets, steps=10) == first != certified_w1(*sets, steps=10, seed=1)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(before, torch.get_rng_state())


def test_large_sets_are_read_in_chunks_to_the_same_figure(monkeypatch):
    sets = [normal(s, 100, 6, 0.2 * s).astype(np.float32) for s in range(4)]
    whole = certified_w1(*[s.astype(np.float64) for s in sets], steps=10)
    monkeypatch.setattr(neighbours, "CELLS", 50)
    chunked = certified_w1(*sets, steps=10)
    assert chunked == pytest.approx(whole, rel=1e-4)


def test_the_critic_never_rises_faster_than_its_certificate():
    critic = fit_critic(normal(0, d=6, shift=0.5), normal(1, d=6), steps=60)
    x, y = normal(2, 4000, 6) * 3, normal(3, 4000, 6) * 3
    slopes = np.abs(critic(x) - critic(y)) / np.linalg.norm(x - y, axis=1)
    assert slopes.max() <= critic.lipschitz() * (1 + 1e-9)
    assert slopes.max() > 0.5  # and it uses the slope it may have


def test_the_certificate_is_a_product_of_singular_values():
    """The largest ones, computed and not assumed."""
    critic = fit_critic(normal(0), normal(1), steps=5)
    stretched = critic._replace(weights=[2 * critic.weights[0], *critic.weights[1:]])
    assert stretched.lipschitz() == pytest.approx(2)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16), (1, 9)])
def test_bjorck_reaches_the_nearest_orthonormal_matrix(shape):
    """On the Gram matrix."""
    w = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    near = polar(w) + 0.05 * w / w.norm()
    assert torch.allclose(orthonormal(near, 6), polar(near), atol=1e-12)
    gram = polar(w) @ polar(w).T if shape[0] <= shape[1] else polar(w).T @ polar(w)
    assert torch.allclose(gram, torch.eye(min(shape), dtype=w.dtype), atol=1e-12)
    once = near @ (3 * torch.eye(shape[1], dtype=w.dtype) - near.T @ near) / 2
    twice = once @ (3 * torch.eye(shape[1], dtype=w.dtype) - once.T @ once) / 2
    assert torch.allclose(orthonormal(near, 1), once, atol=1e-12)
    assert torch.allclose(orthonormal(near, 2), twice, atol=1e-12)
    assert not torch.allclose(once, twice, atol=1e-6)


def test_retraction_survives_a_step_that_bjorck_would_not():
    w = polar(torch.randn(8, 30, generator=torch.Generator().manual_seed(0)))
    far = w + 3.0
    assert not torch.allclose(orthonormal(far, 3), polar(far), atol=1e-2)
    assert torch.allclose(retract(far), polar(far), atol=1e-5)


def test_maxmin_sorts_pairs_and_keeps_gradient_norms():
    x = torch.tensor([[1.0, 5.0, 3.0, 2.0]], requires_grad=True)  # pairs (1, 3), (5, 2)
    out = maxmin(x)
    assert out.tolist() == [[3, 5, 1, 2]]
    (out * torch.tensor([[1.0, 2.0, 3.0, 4.0]])).sum().backward()
    assert sorted(x.grad[0].tolist()) == [1, 2, 3, 4]


def test_the_certified_bound_refuses_what_it_cannot_certify():
    x = normal(0)
    with pytest.raises(WganError, match="held_real has 29 samples; this metric needs at least 30"):
        certified_w1(x, x, x[:29], x, steps=1)
    with pytest.raises(WganError, match="NaN"):
        certified_w1(x, x, x, np.full((40, 3), np.nan), steps=1)
    with pytest.raises(WganError, match="must match"):
        certified_w1(x, x[:, :2], x, x, steps=1)
    with pytest.raises(WganError, match="held_real has 2 numbers a sample, real has 3"):
        certified_w1(x, x, x[:, :2], x[:, :2], steps=1)


# --- the bracket of two finite samples ---


def potential(seed, d):
    """Any function at all will do for the bracket: here a rough one."""
    w = np.random.default_rng(seed).normal(size=(d, 3))
    return lambda x: np.sin(x @ w).sum(1) + x[:, 0]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("d", [1, 2, 20])
def test_bracket_is_in_order_for_any_critic(seed, d):
    x, y = normal(seed, 80, d, 1.0), normal(seed + 50, 60, d)
    f = potential(seed, d)
    found = sample_bracket(x, y, f(x), f(y))
    assert 0 <= found.cross_slope <= found.c_transform + 1e-9 <= found.exact + 1e-6
    assert found.exact == pytest.approx(exact_w1(x, y))


def test_bracket_closes_when_the_critic_is_the_potential():
    x = normal(0, 100, 3)
    x[:, 0] += 10
    t = np.array([-4.0, 0.0, 0.0])
    found = sample_bracket(x, x + t, 5 * x[:, 0] + 2, 5 * (x + t)[:, 0] + 2)
    assert found.slope == pytest.approx(5)  # whatever the critic's unit
    assert (found.cross_slope, found.c_transform, found.exact) == pytest.approx((4, 4, 4), rel=1e-6)


def test_bracket_slope_is_the_largest_across_the_samples():
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    found = sample_bracket(x, y, [3.0, 4.0], [1.0, 0.0])
    assert found.slope == pytest.approx(3)  # (4 − 1) / 1
    assert found.cross_slope == pytest.approx((3.5 - 0.5) / 3)


def test_the_bracket_has_an_answer_for_degenerate_cases():
    """Equal sets, constants, and critics that order nothing."""
    x, y = normal(0, 40), normal(1, 40)
    same = sample_bracket(x, x, x[:, 0], x[:, 0])
    assert same.cross_slope == 0 and same.exact == pytest.approx(0, abs=1e-6) and math.isfinite(same.slope)
    flat = sample_bracket(x[:1].repeat(5, 0), x[:1].repeat(5, 0), np.zeros(5), np.zeros(5))
    assert flat == (0, 0, 0, 0)
    backwards = sample_bracket(x, y, np.zeros(40), np.ones(40))
    assert backwards.slope < 0 and backwards.cross_slope == 0 and 0 <= backwards.c_transform <= backwards.exact


def test_bracket_refuses_scores_that_are_not_one_for_each_sample():
    x, y = normal(0, 10), normal(1, 12)
    with pytest.raises(WganError, match="one score for each of 12 samples"):
        sample_bracket(x, y, np.zeros(10), np.zeros(11))
    with pytest.raises(WganError, match="NaN"):
        sample_bracket(x, y, np.full(10, np.nan), np.zeros(12))
    assert sample_bracket(x, y, torch.zeros(10, 1, requires_grad=True), torch.zeros(12)).cross_slope == 0
