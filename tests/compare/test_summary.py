"""Test the arithmetic of the answers of `wgan compare`: means, shares, correlations, what counts and what does not."""

from __future__ import annotations

import json
import math

import pytest
import torch
from helpers.comparisons import cell, point, result_of

from wgan.compare import summary as compare_summary
from wgan.losses import OBJECTIVES, critic_term


def test_mean_and_spread_are_those_of_the_seeds():
    assert compare_summary.mean_spread([1.0, 3.0, None]) == {"mean": 2.0, "spread": math.sqrt(2), "n": 2}
    assert compare_summary.mean_spread([5.0])["spread"] is None and compare_summary.mean_spread([])["mean"] is None


def test_an_estimate_is_what_the_loss_says_of_the_distance():
    record = {"critic/wasserstein": 3.0, "critic/loss": 1.0, "critic/penalty": 0.25}
    assert (
        compare_summary.distance_estimate("wgan-gp", record)
        == compare_summary.distance_estimate("wgan-clip", record)
        == 3.0
    )
    assert compare_summary.distance_estimate("dragan", record) == math.log(2) - 0.375
    assert compare_summary.distance_estimate("hinge", record) == -0.75
    # an optimal critic of two distributions that never meet scores +-infinity: its loss is 0, JS is log 2
    far = {"critic/loss": float(critic_term(OBJECTIVES["gan"], torch.tensor([50.0]), torch.tensor([-50.0])))}
    assert compare_summary.distance_estimate("gan", far) == pytest.approx(math.log(2))
    # ... and of equal distributions 0: its loss is 2 log 2, JS is 0
    near = {"critic/loss": float(critic_term(OBJECTIVES["gan"], torch.zeros(1), torch.zeros(1)))}
    assert compare_summary.distance_estimate("gan", near) == pytest.approx(0, abs=1e-6)
    assert {compare_summary.estimate_name(n).partition(" ")[0] for n in OBJECTIVES} == {"W", "JS", "minus"}
    assert compare_summary.estimate_name("gan").startswith("JS") and compare_summary.estimate_name(
        "wgan-clip"
    ).startswith("W")


def test_a_curve_holds_mean_estimates_between_evaluations():
    logged = [{"step": s, "critic/loss": -float(s), "critic/wasserstein": float(s)} for s in range(1, 7)]
    logged[2] |= {"evaluate/selection": 9.0, "evaluate/modes": 4.0}
    logged[5] |= {"evaluate/selection": 8.0}
    logged.insert(3, {"step": 3, "alarm": "vanishing: all"})
    found = compare_summary.curve_of("wgan-gp", logged)
    assert found == [point(3, 2.0, 9.0, 4.0), point(6, 5.0, 8.0)]


def test_tracks_is_the_rank_correlation_of_estimate_and_figure():
    def curve(pairs):
        return [point(i, *pair) for i, pair in enumerate(pairs)]

    assert compare_summary.tracks(curve([(1, 10), (2, 20), (3, 1000), (4, 1001)])) == pytest.approx(1.0)
    assert compare_summary.tracks(curve([(1, 4), (2, 3), (3, 2), (4, 1)])) == pytest.approx(-1.0)
    # ranks 1 2 3 4 against 1 2 4 3: 1 - 6 * 2 / (4 * 15)
    assert compare_summary.tracks(curve([(1, 1), (2, 2), (3, 9), (4, 5)])) == pytest.approx(0.8)
    assert compare_summary.tracks(curve([(1, 1), (2, 2), (3, 3)])) is None
    assert compare_summary.tracks(curve([(1, 1), (1, 2), (1, 3), (1, 4)])) is None


def test_stability_is_the_share_of_runs_within_twice_the_best():
    found = [
        cell("gan", 1.0),
        cell("gan", 2.0, seed=1),
        cell("gan", 2.1, rate=3.0, parts=("rates",)),
        cell("gan", 9, rate=3.0, seed=1, parts=("rates",), failed="critic/loss is not finite at step 4"),
        cell("gan", 3.0, parts=("architectures",)) | {"architecture": "shallow"},
        cell("gan", 0.1, data="ring", parts=("collapse",)),
    ]
    summary = result_of(found)["summary"]
    assert summary["threshold"] == 2.0
    row = summary["stability"]["gan"]
    assert (row["reached"], row["runs"], row["failed"]) == (0.4, 5, 1)
    assert row["groups"]["rate × 1"]["reached"] == 1.0 and row["groups"]["rate × 3"]["reached"] == 0.0
    assert row["groups"]["rate × 1"]["spread"] == pytest.approx(math.sqrt(0.5))
    assert list(row["groups"]) == ["rate × 1", "rate × 3", "shallow"] and row["groups"]["rate × 3"]["mean"] == 2.1
    assert row["groups"]["shallow"]["reached"] == 0.0
    assert summary["collapse"]["grid: modes-reached"]["gan"]["mean"] == 23.5
    assert summary["collapse"]["ring: modes-reached"]["gan"] == {"mean": 24.9, "spread": None, "n": 1, "floor": 25.0}


def test_the_last_figure_of_a_run_counts_and_not_its_best():
    worse = cell("gan", 1.0, curve=[point(10, 3.0, 1.0), point(20, 2.0, 5.0)])
    assert compare_summary.final(worse) == 5.0 and compare_summary.final({**worse, "failed": "nan"}) == math.inf
    assert compare_summary.fraction([worse], 4.0) == 0.0


def test_runs_of_other_learning_rates_do_not_count():
    """For quality, for whether the loss tracks it, and for clipping."""
    other = cell("gan", 9.0, rate=3.0, parts=("rates",), tracks=-1.0, share_clipped=0.5)
    summary = result_of([cell("gan", 1.0), other])["summary"]
    assert summary["quality"]["gan"]["modes-reached"]["mean"] == 24.0
    assert summary["tracks"]["gan"] == {"mean": 1.0, "spread": None, "n": 1}
    assert summary["clipping"]["gan"]["share_clipped"]["n"] == 0


def test_a_comparison_in_which_every_run_failed_has_no_threshold():
    summary = result_of([cell("gan", 1.0, failed="critic/loss is not finite at step 4")])["summary"]
    assert summary["threshold"] is None and summary["stability"]["gan"]["reached"] == 0.0
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_quality_is_a_mean_over_seeds_next_to_its_reference():
    """With what it took."""
    row = result_of([cell("gan", 1.0), cell("gan", 3.0, seed=1, cpu_seconds=14.0)])["summary"]["quality"]["gan"]
    assert row["modes-reached"] == {"mean": 23.0, "spread": math.sqrt(2), "n": 2, "floor": 25.0, "better": "higher"}
    assert row["CPU seconds"]["mean"] == 12.0


def test_the_fall_of_a_gradient_is_counted_in_powers_of_ten():
    """From its largest value."""
    curves = {
        "gan": [[[0, 0.1], [10, 1.0], [500, 0.01]], [[0, 1.0], [10, 0.5], [500, 0.0001]]],
        "wgan-gp": [[[0, 1.0]]],
    }
    found = result_of([cell("gan", 1.0)], curves)["summary"]["gradients"]
    assert found["gan"]["mean"] == pytest.approx(-3) and found["gan"]["spread"] == pytest.approx(math.sqrt(2))
    assert found["wgan-gp"]["mean"] == 0
    assert compare_summary.decades(0.0) == -30


def test_what_clipping_does_is_summed_up_over_the_seeds():
    slopes = {"quantiles": {"real": [0.1, 0.2, 3.0, 5.0, 6.0], "fake": [0.01, 0.2, 1.0, 5.0, 8.0]}, "near_one": 0.25}
    found = [
        cell("wgan-clip", 1.0, share_clipped=0.5, slopes=slopes),
        cell("wgan-clip", 1.0, seed=1, share_clipped=0.7),
    ]
    row = compare_summary.clipping(found[:1])
    assert row["median_slope"]["real"]["mean"] == 3.0 and row["median_slope"]["fake"]["mean"] == 1.0
    assert row["spread"]["mean"] == pytest.approx(800) and row["near_one"]["mean"] == 0.25
    assert compare_summary.clipping(found)["share_clipped"]["mean"] == pytest.approx(0.6)
