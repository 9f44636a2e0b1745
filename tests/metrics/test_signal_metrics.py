"""Distances between signals on laws whose autocovariance and spectrum are known in closed form."""

import numpy as np
import pytest

from wgan.data.bundled import series
from wgan.errors import WganError
from wgan.metrics import signals

STEPS = series.STEPS


def waves(k, variance, count=3, seed=0):
    """Sines of k periods, random phases, and this variance: [N, 1, T]."""
    phase = 2 * np.pi * np.random.default_rng(seed).random((count, 1, 1))
    return np.sqrt(2 * variance) * np.sin(2 * np.pi * k * np.arange(STEPS) / STEPS + phase)


def ar2(seed=0):
    return series.ar2(np.random.default_rng(seed))[:, None]


@pytest.mark.parametrize("steps", [9, 10])
def test_powers_sum_to_the_mean_square(steps):
    x = np.random.default_rng(0).standard_normal((7, 2, steps)) + 3
    np.testing.assert_allclose(signals.power(x).sum(1), (x**2).mean((0, 2)), rtol=1e-12)


def test_a_sine_has_its_variance_at_its_frequency():
    found = signals.power(waves(5, 0.8))[0]
    assert found[5] == pytest.approx(0.8) and np.delete(found, 5).max() < 1e-12


def test_the_power_of_ar2_is_that_of_its_autocovariance():
    # E |X_k|^2 / T^2 = sum over |tau| < T of (T - |tau|) rho_tau cos(2 pi k tau / T) / T^2
    tau = np.arange(1, STEPS)
    rho, k = series.ar2_autocorrelation(STEPS - 1), np.arange(STEPS // 2 + 1)
    wave = np.cos(2 * np.pi * np.outer(k, tau) / STEPS)
    exact = (STEPS + 2 * wave @ ((STEPS - tau) * rho[1:])) / STEPS**2
    exact[1:-1] *= 2
    np.testing.assert_allclose(signals.power(ar2())[0], exact, rtol=0.06)  # an exponential law over 10,000 signals


def test_spectrum_distance_is_the_power_that_is_misplaced():
    real = waves(5, 0.8) + waves(12, 0.2, seed=1)
    assert signals.spectrum_distance(waves(5, 0.8, seed=2) + waves(12, 0.2, seed=3), real) == pytest.approx(
        0, abs=1e-12
    )
    assert signals.spectrum_distance(waves(5, 0.8), real) == pytest.approx(0.2)
    assert signals.spectrum_distance(waves(5, 0.8) + waves(20, 0.2), real) == pytest.approx(0.4)
    assert signals.spectrum_distance(3 * real, real) == pytest.approx(8)
    assert signals.spectrum_distance(0 * real, real) == 1
    two = np.concatenate([real, real], 1)
    assert signals.spectrum_distance(np.concatenate([real, 0 * real], 1), two) == pytest.approx(0.5)


def test_autocorrelation_of_known_signals():
    lags = np.arange(11)
    np.testing.assert_allclose(signals.autocorrelation(ar2(), 10)[0], series.ar2_autocorrelation(10), atol=0.01)
    many = waves(8, 2.0, count=4000) + 7
    np.testing.assert_allclose(signals.autocorrelation(many, 10)[0], np.cos(2 * np.pi * 8 * lags / STEPS), atol=0.03)


def test_autocorrelation_distance_of_noise_from_ar2():
    noise = np.random.default_rng(1).standard_normal((4000, 1, STEPS))
    exact = np.abs(series.ar2_autocorrelation(64)[1:]).mean()
    assert signals.autocorrelation_distance(noise, ar2()) == pytest.approx(exact, abs=0.002)
    assert signals.autocorrelation_distance(5 * ar2() + 3, ar2()) == pytest.approx(0, abs=1e-9)
    assert signals.autocorrelation_distance(ar2(1), ar2()) < 0.01


def test_channel_distances_are_shifts_in_deviations():
    real = np.random.default_rng(0).standard_normal((50, 2, 40)) * np.array([[1.0], [4.0]])
    moved = real + np.array([[0.5], [8.0]]) * real.std((0, 2))[:, None]
    np.testing.assert_allclose(signals.channel_distances(moved, real), [0.5, 8.0])
    assert signals.channel_distances(real, real).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (np.zeros((3, 9)), "must be signals"),
        (np.zeros((0, 1, STEPS)), "must be signals"),
        (np.full((3, 1, STEPS), np.nan), "NaN"),
        (np.zeros((3, 2, STEPS)), "must be equal"),
    ],
)
def test_what_is_no_pair_of_signals_is_refused(fake, words):
    for metric in (signals.spectrum_distance, signals.autocorrelation_distance, signals.channel_distances):
        with pytest.raises(WganError, match=words):
            metric(fake, waves(5, 1.0))


def test_reals_without_any_scale_are_refused():
    for metric, words in ((signals.spectrum_distance, "0 everywhere"), (signals.channel_distances, "constant")):
        with pytest.raises(WganError, match=words):
            metric(waves(5, 1.0), np.zeros((3, 1, STEPS)))
    with pytest.raises(WganError, match="lags must be"):
        signals.autocorrelation(waves(5, 1.0), STEPS)
