"""Anomaly scores: the formulas against known answers, thresholds and intervals against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from wgan.errors import WganError
from wgan.metrics.anomaly import auc, average_precision, fraction, latent_distance, reconstruction_errors, threshold


def test_errors_are_means_of_squares_of_each_sample():
    x, made = torch.tensor([[[[1.0, -1.0]]], [[[0.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]], [[[0.0, 2.0]]]])
    residual, feature = reconstruction_errors(x, made, torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [1.0]]))
    assert residual.tolist() == [2.5, 2.0] and feature.tolist() == [4.0, 0.0]


def test_a_latent_of_the_usual_length_is_at_distance_0():
    z = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [0.0] * 8, [2.0] * 8])
    assert latent_distance(z).tolist() == [0.0, 2.0, 6.0]  # |8 - 8|, |0 - 8|, |32 - 8|, in units of sqrt(2 * 8)


def test_the_threshold_is_a_rank_of_the_normal_scores():
    found = threshold(np.arange(99.0)[::-1], 0.05)
    assert found.value == 94.0 and found.n == 99  # the 95th of 99: 5 of 100 ranks lie above it
    above = stats.binom.sf(
        4, 99, [found.low, found.high]
    )  # that 5 or more of 99 samples lie above a level of that rate
    assert above == pytest.approx([0.025, 0.975])


def test_too_few_normal_samples_cannot_show_a_rate():
    assert threshold(np.arange(99.0), 0.01).value == 98.0
    with pytest.raises(
        WganError, match=r"98 held-out normal samples cannot show a false-alarm rate of 0\.01: ask for 0\.011"
    ):
        threshold(np.arange(98.0), 0.01)
    with pytest.raises(WganError, match="must lie between 0 and 1, such as"):
        threshold(np.arange(98.0), 1.0)


def test_new_normal_samples_exceed_the_threshold_as_promised():
    """Whatever the law: the mean rate is at most the one asked for, and 95 % of the true rates lie in their intervals."""
    random = np.random.default_rng(0)
    found = [threshold(random.exponential(size=60) ** 3, 0.1) for _ in range(400)]
    rates = np.array([np.exp(-(t.value ** (1 / 3))) for t in found])
    assert rates.mean() == pytest.approx(0.1, abs=0.01) and rates.mean() <= 0.104
    assert np.mean([t.low <= rate <= t.high for t, rate in zip(found, rates, strict=True)]) == pytest.approx(
        0.95, abs=0.03
    )


@pytest.mark.parametrize("decimals", [8, 1])
def test_auc_and_average_precision_are_those_of_scikit_learn(decimals):
    """With one digit many scores are equal."""
    random = np.random.default_rng(1)
    normal, strange = random.normal(size=70).round(decimals), random.normal(0.8, 1, size=40).round(decimals)
    marks, scores = np.repeat([0, 1], [70, 40]), np.concatenate([normal, strange])
    assert auc(normal, strange).value == pytest.approx(roc_auc_score(marks, scores), abs=1e-12)
    assert average_precision(normal, strange).value == pytest.approx(average_precision_score(marks, scores), abs=1e-12)


def test_the_interval_of_auc_holds_the_truth():
    """Two normals one deviation apart: P(anomaly > normal) = Phi(1 / sqrt 2) = 0.7602."""
    random = np.random.default_rng(2)
    found = [auc(random.normal(size=50), random.normal(1, 1, size=30)) for _ in range(400)]
    assert np.mean([i.low <= 0.7602 <= i.high for i in found]) == pytest.approx(0.95, abs=0.03)


def test_complete_separation_has_an_interval_too():
    best = auc(np.arange(10.0), np.arange(20.0, 40.0))
    assert (best.value, best.high) == (1.0, 1.0) and best.low == pytest.approx(0.05 ** (1 / 10))
    worst = auc(np.arange(20.0, 40.0), np.arange(10.0))
    assert (worst.value, worst.low) == (0.0, 0.0) and worst.high == pytest.approx(1 - 0.05 ** (1 / 10))


def test_average_precision_has_the_interval_of_its_bootstrap():
    random = np.random.default_rng(3)
    found = average_precision(random.normal(size=200), random.normal(2, 1, size=50))
    assert found.value - 0.2 < found.low < found.value < found.high < found.value + 0.2


def test_a_fraction_has_the_exact_binomial_interval():
    found = fraction(0, 20)
    assert (found.value, found.low) == (0.0, 0.0) and found.high == pytest.approx(1 - 0.025 ** (1 / 20))
