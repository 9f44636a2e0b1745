"""Test the statistics of a study against answers that are known, and its whole procedure against chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.studies import simulated
from scipy.stats import binom

from wgan.compare.study import statistics as st


def test_the_interval_is_that_of_the_law_school_data():
    # Efron & Tibshirani 1993, table 3.1: LSAT and GPA of 15 schools, r = 0.776; BCa reaches lower than percentiles (0.46, 0.96)
    lsat = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
    gpa = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
    low, high = st.interval(lambda x, y: np.corrcoef(x, y)[0, 1], lsat, gpa, resamples=2000)
    assert 0.22 < low < 0.42 and 0.91 < high < 0.955


def test_intervals_of_no_spread_and_of_one_value():
    assert st.interval(np.mean, [2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert st.interval(np.mean, [2.0]) == (-math.inf, math.inf)


def test_flipping_signs_goes_through_all_of_them():
    assert st.sign_flip([1, 2, 3]) == 2 / 8
    assert st.sign_flip(range(1, 9)) == 2 / 256
    assert st.sign_flip([1, -1]) == 1.0 and st.sign_flip([0, 0, 0]) == 1.0
    assert st.sign_flip([5]) == 1.0  # one pair is as likely to have either sign


def test_the_ratio_is_that_of_geometric_means():
    found = st.ratio_effect([1.0, 4.0, 8.0], [2.0, 4.0, 32.0])  # ratios 1/2, 1, 1/4: geometric mean 1/2
    assert found.value == pytest.approx(0.5) and found.low < 0.5 < found.high and (found.n, found.null) == (3, 1)
    other = st.ratio_effect([2.0, 4.0, 32.0], [1.0, 4.0, 8.0])
    assert other.value == pytest.approx(2.0) and other.low == pytest.approx(1 / found.high, rel=0.05)


def test_a_difference_is_paired():
    found = st.difference_effect([11, 22, 33], [10, 20, 30])
    assert found.value == 2 and found.p == 0.25 and found.null == 0


def test_fractions_of_the_same_draws_by_mcnemar():
    a = [True] * 10 + [False] * 2 + [True] * 8
    b = [False] * 10 + [True] * 2 + [True] * 8
    found = st.fraction_effect(a, b)
    assert found.value == pytest.approx(0.4) and found.p == pytest.approx(158 / 4096)  # 2 (1 + 12 + 66) / 2^12
    assert st.fraction_effect([True, False], [True, False]).p == 1.0


def test_the_probability_of_superiority_counts_ties_half():
    assert st.superiority([1, 2], [2, 3]) == 3.5 / 4
    assert st.superiority([2, 3], [1, 2]) == 0.5 / 4


def test_holm_is_the_textbooks():
    assert st.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert st.holm([0.9, 0.001]) == pytest.approx([0.9, 0.002]) and st.holm([]) == []


def test_a_partial_correlation_by_hand():
    # Spearman: x and z 0.6, y and z 0.8, x and y 0.8: (0.8 - 0.48) / sqrt(0.64 * 0.36)
    assert st.partial_correlation([2, 1, 4, 3], [1, 2, 4, 3], [1, 2, 3, 4]) == pytest.approx(2 / 3)
    assert st.partial_correlation([1, 2, 3, 4], [1, 2, 4, 3], [5, 6, 7, 8]) == 0  # x is the step
    assert st.partial_correlation([1, 1, 1], [1, 2, 3], [2, 1, 3]) == 0


def test_a_shared_trend_is_no_tracking():
    rng, steps = np.random.default_rng(0), np.arange(40)
    fall = np.exp(-steps / 15)
    losses, qualities = (fall + 0.05 * rng.normal(size=(8, 40)) for _ in range(2))
    assert np.corrcoef(losses[0], qualities[1])[0, 1] > 0.9  # of two different runs
    assert st.tracking_effect(st.crossed(losses, qualities, steps)).p > 0.05
    told = st.tracking_effect(st.crossed(losses, losses + 0.01 * rng.normal(size=(8, 40)), steps))
    assert told.p < 0.01 and told.low > 0.3


def test_tracking_compares_the_diagonal_with_the_rest():
    found = st.tracking_effect(np.eye(6))
    assert found.value == 1 and found.p < 0.02 and st.tracking_effect(np.ones((6, 6))).p == 1


def test_the_expected_best_of_trials_by_hand():
    assert st.expected_best([3, 1, 2], 2) == pytest.approx(4 / 3)  # of (1, 2), (1, 3), (2, 3)
    assert st.expected_best([3, 1, 2], 1) == pytest.approx(2) and st.expected_best([3, 1, 2], 3) == 1


def test_the_spread_by_rates_leaves_the_rest_out():
    rng = np.random.default_rng(0)
    rates = rng.normal(size=(40, 2))
    g = (rates[:, 0] - rates[:, 0].mean()) / rates[:, 0].std()
    assert st.spread_by_rates(2 * g + 5, rates) == pytest.approx(2)
    other = 9 * rng.normal(size=40)  # what rates do not explain
    assert st.spread_by_rates(2 * g + other, rates) < 0.6 * (2 * g + other).std()
    assert st.spread_by_rates(np.full(40, 5.0), rates) == pytest.approx(0, abs=1e-9)


def test_an_arm_that_rates_move_twice_as_far_has_a_ratio_of_two():
    rng = np.random.default_rng(1)
    rates = np.exp(rng.normal(size=(40, 2)))
    b = np.exp(np.log(rates[:, 0]) + 0.1 * rng.normal(size=40))
    found = st.sensitivity_effect(b**2, b, rates, resamples=199)
    assert found.value == pytest.approx(2, rel=1e-6) and found.low > 1.5 and found.p == pytest.approx(1 / 200, abs=0.01)


@pytest.mark.parametrize(
    ("value", "low", "high", "adjusted", "said"),
    [
        (0.5, 0.4, 0.6, 0.01, "supported"),
        (2.0, 1.5, 2.5, 0.01, "contradicted"),
        (0.5, 0.4, 0.6, 0.06, "undecided"),  # the other hypotheses count
        (0.5, 0.2, 1.1, 0.01, "undecided"),
        (0.9, 0.85, 0.95, 0.01, "contradicted"),  # equal within 1.25: no difference worth a claim
        (0.9, 0.79, 0.95, 0.01, "supported"),  # 1 / 1.25 = 0.8
        (0.5, -math.inf, 0.6, 0.01, "undecided"),
    ],
)
def test_a_verdict_needs_interval_and_p_value(value, low, high, adjusted, said):
    effect = st.Effect(value, low, high, 0.001, 10, 1)
    assert st.verdict(effect, adjusted, "lower") == said


def test_two_pairs_decide_nothing():
    assert st.verdict(st.Effect(0.1, 0.1, 0.1, 0.0, 2, 1), 0.0, "lower") == "undecided"
    assert st.verdict(None, 0.0, "lower") == "undecided"


def wrong(seeds):
    """Return how many simulated studies of equal arms say "supported" of anything."""
    found = (simulated(seed=s, resamples=299)["verdicts"].values() for s in seeds)
    return sum(any(v["verdict"] == "supported" for v in study) for study in found)


def test_equal_arms_are_hardly_ever_called_different():
    assert wrong(range(4)) <= binom.ppf(0.999, 4, st.ALPHA)


@pytest.mark.slow
def test_equal_arms_are_called_different_in_one_of_twenty():
    assert wrong(range(400)) <= st.ALPHA * 400


def test_an_arm_that_is_far_better_is_found():
    found = simulated(better={"wgan-gp": 0.1})["verdicts"]
    assert found["quality"]["verdict"] == found["stability"]["verdict"] == "supported"
    worse = simulated(better={"wgan-gp": 10.0})["verdicts"]
    assert worse["quality"]["verdict"] == worse["stability"]["verdict"] == "contradicted"
    assert found["quality"]["effect"]["value"] < 0.25 and found["quality"]["effect"]["n"] == 8
