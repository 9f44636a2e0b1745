"""Fréchet, kernel and Wasserstein-1 distances against closed forms, theorems and other programs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wgan.errors import WganError
from wgan.metrics import neighbours
from wgan.metrics.distances import (
    exact_w1,
    fid,
    kid,
    mmd2,
    relative_fid,
    scale_features,
    scaled_fid,
    sliced_w1,
    total_variance,
    w1_1d,
)

PAIRWISE = [fid, relative_fid, scaled_fid, kid, mmd2, exact_w1, sliced_w1]


def normal(seed, n=200, d=5, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) * scale + shift


def whiten(x):
    """Give x exactly mean 0 and covariance I, so that closed forms hold to rounding."""
    x = x - x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T


# --- FID ---


def test_fid_of_diagonal_gaussians_is_its_closed_form():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.5, 3.0])
    mean = np.array([1.0, 0.0, -2.0])
    x, y = whiten(normal(0, d=3)) * a, whiten(normal(1, d=3)) * b + mean
    expected = (mean**2).sum() + ((a - b) ** 2).sum()  # Dowson & Landau 1982, commuting covariances
    assert fid(x, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(80, 90), (500, 40)])
def test_fid_agrees_with_torchmetrics(n, m):
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):  # "features" of an image are its pixels
        num_features = 6

        def forward(self, x):
            return x.double()

    x, y = normal(0, n, 6), normal(1, m, 6, 1.5, 0.3)
    oracle = FrechetInceptionDistance(Given(), normalize=True, input_img_size=(6,)).set_dtype(torch.float64)
    oracle.update(torch.tensor(y), real=True)
    oracle.update(torch.tensor(x), real=False)
    assert fid(x, y) == pytest.approx(float(oracle.compute()), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(200, 150), (20, 150), (20, 25), (200, 12)])
def test_fid_is_the_value_of_sqrtm_also_below_d_samples(n, m):
    from scipy import linalg

    x, y = normal(0, n, 40) @ normal(1, 40, 40), normal(2, m, 40, 2.0, 0.3)
    a, b = np.cov(x.T), np.cov(y.T)
    root = linalg.sqrtm(a @ b + 1e-12 * np.eye(40)).real
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root)
    assert fid(x, y) == pytest.approx(expected, rel=1e-9 if min(n, m) > 40 else 1e-3)


def test_fid_does_not_depend_on_unused_dimensions():
    """Where the covariances are singular."""
    x, y = normal(0), normal(1, scale=2)
    dead = np.zeros((200, 7))
    assert fid(np.hstack([x, dead]), np.hstack([y, dead])) == pytest.approx(fid(x, y), rel=1e-12)


@pytest.mark.parametrize("cells", [1, 60])
def test_fid_does_not_depend_on_chunks_or_stored_precision(monkeypatch, cells):
    x, y = normal(0, 70, 6).astype(np.float32), normal(1, 90, 6, 1.5, 100.0).astype(np.float32)
    whole = fid(x.astype(np.float64), y.astype(np.float64))
    monkeypatch.setattr(neighbours, "CELLS", cells)
    assert fid(x, y) == pytest.approx(whole, rel=1e-12)


def test_fid_below_d_samples_equals_that_in_their_own_span():
    x, y = normal(0, 10, 4), normal(1, 12, 4, 2.0)
    turn = np.linalg.qr(normal(2, 50, 50))[0][:4]  # an isometry of R^4 into R^50
    assert fid(x @ turn, y @ turn) == pytest.approx(fid(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [2, 5, 300])
def test_fid_of_a_shifted_copy_is_the_squared_shift(n):
    """And of a set with itself zero."""
    x = normal(0, n, 20)
    assert fid(x, x) == pytest.approx(0, abs=1e-12)
    assert fid(x + 0.5, x) == pytest.approx(20 * 0.25, rel=1e-12)


def test_fid_is_symmetric_and_at_least_the_squared_mean_gap():
    x, y = normal(0, 60, 30), normal(1, 15, 30, 3.0, 1.0)
    assert fid(x, y) == pytest.approx(fid(y, x), rel=1e-12)
    assert fid(x, y) >= ((x.mean(0) - y.mean(0)) ** 2).sum()


def test_constant_fakes_are_a_point_constant_reals_no_scale():
    x, flat = normal(0), np.full((50, 5), 0.7)
    expected = ((x.mean(0) - 0.7) ** 2).sum() + np.trace(np.cov(x.T))
    assert fid(flat, x) == pytest.approx(expected, rel=1e-12)
    assert fid(flat, flat) == pytest.approx(0, abs=1e-12)
    for function in (relative_fid, scaled_fid, kid):
        with pytest.raises(WganError, match="all real samples are equal"):
            function(x, flat)


def test_relative_and_scaled_fid_do_not_depend_on_units():
    """Of the features."""
    x, y = normal(0, shift=0.2), normal(1, 300)
    assert relative_fid(1000 * x, 1000 * y) == pytest.approx(relative_fid(x, y), rel=1e-12)
    assert scaled_fid(x, y) == pytest.approx(fid(scale_features(x, y), scale_features(y, y)), rel=1e-12)
    assert relative_fid(x, y) == pytest.approx(fid(x, y) / np.trace(np.cov(y.T)), rel=1e-12)
    assert total_variance(scale_features(y, y)) == pytest.approx(5, rel=1e-12)


# --- KID ---


def test_mmd2_is_its_definition_written_as_loops():
    x, y = normal(0, 6, 3), normal(1, 4, 3, 2.0)

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    within_x = np.mean([k(x[i], x[j]) for i in range(6) for j in range(6) if i != j])
    within_y = np.mean([k(y[i], y[j]) for i in range(4) for j in range(4) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    assert mmd2(x, y) == pytest.approx(within_x + within_y - 2 * across, rel=1e-12)


def test_mmd2_agrees_with_torchmetrics():
    from torchmetrics.image import kid as kernel

    x, y = normal(0, 80, 6), normal(1, 80, 6, 1.5)
    expected = kernel.poly_mmd(torch.tensor(x), torch.tensor(y), degree=3, gamma=None, coef=1.0)
    assert mmd2(x, y) == pytest.approx(float(expected), rel=1e-9)


def test_kid_of_equal_laws_is_unbiased_and_a_shift_shows():
    """Of equal laws it is about zero."""
    values = [kid(normal(s, 100, 8), normal(s + 1000, 100, 8), subsets=10)[0] for s in range(60)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)
    assert min(values) < 0  # an unbiased estimate of 0 is negative half of the time
    value, spread = kid(normal(0, shift=1.0), normal(1))
    assert value > 5 * spread


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_spread_of_kid_is_its_error(shift):
    """Over 60 draws of both sets the value scatters by what is given for it, where a subset is a tenth of the set."""
    found = np.array([kid(normal(s, 600, 6, shift=shift), normal(s + 500, 600, 6), 40, 60) for s in range(60)])
    assert 0.8 < found[:, 1].mean() / found[:, 0].std(ddof=1) < 2.2


def test_kid_has_a_spread_even_for_sets_below_a_subset():
    """And repeats with its seed."""
    x, y = normal(0, 50), normal(1, 50)
    assert kid(x, y)[1] > 1e-3
    assert kid(x, y, seed=3) == kid(x, y, seed=3) != kid(x, y, seed=4)


def test_kid_scales_both_sets_by_the_reference_alone():
    value, spread = kid(normal(0, 400, scale=3.0), normal(1, 400))
    assert value > 3 * spread  # each in a unit of its own, they would be equal


def test_kid_does_not_change_with_the_unit_of_the_features():
    x, y = normal(0, scale=1.3), normal(1)
    assert kid(7 * x, 7 * y) == pytest.approx(kid(x, y), rel=1e-9)


# --- Wasserstein-1 ---


@pytest.mark.parametrize(("n", "m"), [(7, 7), (5, 12), (1, 9), (1, 1)])
def test_w1_of_numbers_agrees_with_scipy(n, m):
    from scipy import stats

    x, y = normal(0, n, 1)[:, 0], normal(1, m, 1, 2.0)[:, 0]
    assert w1_1d(x, y) == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-12)


def test_w1_of_equally_many_numbers_pairs_them_in_order():
    assert w1_1d([0.0, 1.0, 5.0], [6.0, 1.0, 1.0]) == pytest.approx((1 + 0 + 1) / 3)
    assert w1_1d([0.0], [1.0, 3.0]) == pytest.approx(2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12), st.floats(-10, 10))
def test_w1_is_symmetric_exact_for_shifts_and_a_metric(seed, n, m, shift):
    """It keeps the triangle inequality."""
    x, y, z = normal(seed, n, 1), normal(seed + 1, m, 1), normal(seed + 2, n + m, 1)
    assert w1_1d(x + shift, x) == pytest.approx(abs(shift), abs=1e-12)
    assert w1_1d(x, y) == pytest.approx(w1_1d(y, x), abs=1e-12)
    assert w1_1d(x, y) <= w1_1d(x, z) + w1_1d(z, y) + 1e-12


@pytest.mark.parametrize("d", [1, 2, 64])
def test_exact_w1_of_a_translation_is_its_length(d):
    x = normal(0, 120, d)
    t = normal(1, 1, d)
    assert exact_w1(x + t, x) == pytest.approx(np.linalg.norm(t), rel=1e-6)


def test_exact_w1_in_one_dimension_is_sorting():
    """And takes sets of unequal size."""
    x, y = normal(0, 60, 1), normal(1, 45, 1, 2.0)
    assert exact_w1(x, y) == pytest.approx(w1_1d(x, y), rel=1e-6)


def test_exact_w1_is_the_best_of_all_matchings():
    from scipy import optimize

    x, y = normal(0, 80, 4), normal(1, 80, 4, 1.5)
    cost = np.linalg.norm(x[:, None] - y[None], axis=2)
    assert exact_w1(x, y) == pytest.approx(cost[optimize.linear_sum_assignment(cost)].mean(), rel=1e-6)


def test_exact_w1_of_single_points_is_their_distance():
    """And of equal sets zero."""
    x = normal(0, 100, 30, shift=5)
    assert exact_w1(x, x[::-1]) == pytest.approx(0, abs=1e-5)
    assert exact_w1([[0.0, 0.0]], [[3.0, 4.0]]) == pytest.approx(5)


def test_exact_w1_refuses_what_would_fill_the_memory():
    with pytest.raises(WganError, match="10,000"):
        exact_w1(np.zeros((20_000, 1)), np.zeros((6_000, 1)))


def test_sliced_w1_of_a_translation_is_the_mean_projected_length():
    x = normal(0, 300, 3)
    t = np.array([2.0, 0.0, 0.0])
    assert sliced_w1(x + t, x, projections=20_000) == pytest.approx(1.0, rel=0.02)  # E|θ_1| = 1/2 on the sphere in R^3
    assert sliced_w1(x, x) == 0


def test_sliced_w1_agrees_with_pot_and_stays_below_w1():
    import ot

    x, y = normal(0, 100, 4), normal(1, 100, 4, 1.5)
    expected = ot.sliced_wasserstein_distance(x, y, n_projections=4000, p=1, seed=0)
    assert sliced_w1(x, y, projections=4000) == pytest.approx(expected, rel=0.02)
    assert sliced_w1(x, y) < exact_w1(x, y)


# --- what is refused ---


@pytest.mark.parametrize("function", PAIRWISE)
def test_bad_arrays_are_refused_in_one_sentence(function):
    good = normal(0)
    broken = good.copy()
    broken[3, 2] = np.nan
    with pytest.raises(WganError, match="NaN or infinite values in 1 of 200"):
        function(broken, good)
    with pytest.raises(WganError, match=r"fake has 5 numbers a sample, real has 4"):
        function(good, good[:, :4])
    with pytest.raises(WganError, match="shape"):
        function(good[:, 0], good)
    with pytest.raises(WganError, match="0 samples"):
        function(good[:0], good)


@pytest.mark.parametrize("function", [fid, relative_fid, scaled_fid, mmd2, kid])
def test_one_sample_has_no_spread_and_is_refused(function):
    with pytest.raises(WganError, match="has 1 samples; this metric needs at least"):
        function(normal(0, 1), normal(1))


@pytest.mark.parametrize("function", PAIRWISE)
def test_tensors_images_and_bytes_give_the_same_as_arrays(function):
    images = torch.randint(0, 256, (60, 1, 3, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    others = torch.randint(0, 200, (50, 1, 3, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    flat = [v.reshape(len(v), -1).double().numpy() for v in (images, others)]
    assert function(images, others) == function(*flat)
