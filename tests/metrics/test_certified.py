"""Wasserstein-1 from below: never above a known truth, close to it where it can be, and the sample bracket in order."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from wgan.errors import WganError
from wgan.metrics import neighbours
from wgan.metrics.certified import (
    certified_w1,
    fit_critic,
    maxmin,
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
def test_the_bound_holds_on_a_hundred_pairs_in_2_to_128_dimensions():
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
    assert found.bound > 0.9 * 2.5
    one_sided, two_sided = (NormalDist().inv_cdf(share) for share in (0.95, 0.975))  # 95 % each
    assert found.gap - found.bound == pytest.approx(one_sided * found.error, rel=1e-3)
    assert found.high - found.gap == pytest.approx(two_sided * found.error, rel=1e-3)


@pytest.mark.parametrize("unit", [1e-3, 255.0])
def test_the_bound_scales_with_the_unit_and_ignores_the_origin(unit):
    sets = normal(0, shift=1.0), normal(1), normal(2, shift=1.0), normal(3)
    plain = certified_w1(*sets, steps=30)
    moved = certified_w1(*[unit * (s + 7) for s in sets], steps=30)
    assert moved.gap == pytest.approx(unit * plain.gap, rel=1e-2)


def test_equal_laws_are_bounded_by_nothing_though_the_fit_finds_something():
    found = certified_w1(*[normal(s, 400, 20) for s in range(4)], steps=100)
    assert found.low < 0 < found.high and found.bound < 0.1
    assert found.fitted > found.gap


def test_constant_images_have_an_answer():
    flat = np.zeros((50, 4))
    found = certified_w1(flat, flat, flat, flat, steps=5)
    assert found.bound == found.gap == 0 and found.error < 1e-12
    apart = certified_w1(flat + 3, flat, flat + 3, flat, steps=100)
    assert 5.5 < apart.bound <= 6 + 1e-9  # two points at distance 6


def test_the_same_seed_gives_the_same_figure_on_any_threads_and_touches_no_global_stream():
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


def test_the_certificate_is_the_product_of_largest_singular_values_not_an_assumption():
    critic = fit_critic(normal(0), normal(1), steps=5)
    stretched = critic._replace(weights=[2 * critic.weights[0], *critic.weights[1:]])
    assert stretched.lipschitz() == pytest.approx(2)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16), (1, 9)])
def test_bjorck_on_the_gram_matrix_reaches_the_nearest_orthonormal_matrix(shape):
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
    with pytest.raises(WganError, match="held_real has 29 samples; this figure needs at least 30"):
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


def test_bracket_has_an_answer_for_equal_sets_constants_and_critics_that_order_nothing():
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
