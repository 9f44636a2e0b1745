"""What is measured while training: the training functional on other images, alarms said once, the best step, no weight moved."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers.problems import QuadraticCritic, by_hand

from wgan.data import open_source
from wgan.data.source import report_indices, selection_indices
from wgan.engine import make_engine
from wgan.evaluation.tracking import loss_tracks_quality
from wgan.metrics.distances import relative_fid, scaled_fid
from wgan.metrics.features import features
from wgan.metrics.random_features import random_features
from wgan.recipes import configure
from wgan.rng import stream
from wgan.runs.folder import open_run
from wgan.training import monitor as module
from wgan.training.monitor import ALARMS, SELECTION, Monitor, frozen_copy, norms_at_samples, scores_of
from wgan.training.players import Players, make_players
from wgan.training.state import state

TINY = {"generator_layers": "16", "critic_layers": "16", "batch": 20, "threads": 1}


@pytest.fixture(scope="module")
def digits():
    return open_source("mnist", "train")


def players(source, **changes) -> Players:
    config = configure("small-mlp-clip", {**TINY, **changes})
    return make_players(config, make_engine("cpu", "fp32", 1), source)


def test_selection_and_report_parts_divide_the_test_split():
    """They share no image and leave none out."""
    chosen, reported = selection_indices(10_000), report_indices(10_000)
    assert len(chosen) == 2000
    assert sorted(torch.cat([chosen, reported]).tolist()) == list(range(10_000))


def test_small_sets_keep_four_fifths_for_the_report():
    assert (len(selection_indices(50)), len(report_indices(50))) == (10, 40)


def test_measuring_changes_no_weight_and_no_buffer(digits):
    p = players(digits, generator_norm="batch", critic_norm="batch", ema=0.9)
    before = {f"{a}/{k}": v.clone() for a, part in state(p).items() for k, v in part.items() if torch.is_tensor(v)}
    torch_state = torch.get_rng_state()
    Monitor(p.config, digits).measure(p, 1)
    after = {f"{a}/{k}": v for a, part in state(p).items() for k, v in part.items() if torch.is_tensor(v)}
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert torch.equal(torch_state, torch.get_rng_state())


def test_the_same_step_measures_the_same_figures(digits):
    p = players(digits)
    assert Monitor(p.config, digits).measure(p, 5) == Monitor(p.config, digits).measure(p, 5)


def test_the_gap_is_the_training_functional_on_held_out_images(digits):
    p = players(digits)
    m = Monitor(p.config, digits)
    fakes = m.fakes(p, len(m.reals[0]), m.reals[1])
    x = (m.reals[0].float() - 127.5) / 127.5
    with torch.no_grad():  # by hand: mean score of held-out reals minus mean score of fakes
        expected = float(p.critic(x)[0].mean() - p.critic(fakes)[0].mean())
    assert m.gaps(p, fakes)["evaluate/wasserstein_held_out"] == pytest.approx(expected, abs=1e-5)


def test_a_batch_norm_critic_is_scored_on_batch_statistics(digits):
    """As in training."""
    p = players(digits, critic_norm="batch")
    x = digits.batch(torch.arange(20))[0]
    frozen = dataclasses.replace(p, critic=frozen_copy(p.critic))
    with torch.no_grad():
        expected = p.critic.train()((x.float() - 127.5) / 127.5)[0]
    assert torch.allclose(scores_of(frozen, x, None).float(), expected, atol=1e-5)


def test_a_critic_with_slope_w_has_slope_w_everywhere(digits):
    p = players(digits, critic_layers="")  # no hidden layer: D(x) = w.x + b
    w = p.critic.score.weight
    m = Monitor(p.config, digits)
    figures = m.gaps(p, m.fakes(p, len(m.reals[0]), None))
    assert figures["evaluate/slope_max"] == pytest.approx(float(w.detach().norm()), rel=1e-5)
    assert figures["evaluate/gap_per_slope"] == pytest.approx(
        figures["evaluate/wasserstein_held_out"] / float(w.detach().norm()), rel=1e-5
    )


def test_quality_of_digits_is_fid_against_selection_reals(digits):
    """By the features of the shipped classifier."""
    p = players(digits)
    m = Monitor(p.config, digits)
    fakes = m.fakes(p, len(m.reals[0]), m.reals[1])
    figures = m.quality(fakes)
    images = ((fakes + 1) * 127.5).round().to(torch.uint8)
    held_out = open_source("mnist", "test").batch(selection_indices(10_000)[: len(m.reals[0])])[0]
    assert figures[SELECTION] == pytest.approx(scaled_fid(features(images), features(held_out)))
    assert sum(figures[f"evaluate/share_{k}"] for k in range(10)) == pytest.approx(1)


def test_a_perfect_toy_sampler_reaches_every_mode_a_point_one():
    ring = open_source("ring", "train")
    m = Monitor(configure("gulrajani-ring", {"data": "ring"}), ring)
    perfect = m.quality(ring.batch(torch.arange(2000))[0])
    assert perfect["evaluate/modes"] == 8 and perfect["evaluate/high_quality"] > 0.97
    point = m.quality(ring.modes[:1].repeat(2000, 1))
    assert point["evaluate/modes"] == 1
    assert point[SELECTION] > 10 * perfect[SELECTION]


GOOD = {
    "evaluate/wasserstein_held_out": 1.0,
    "evaluate/slope_mean": 1.0,
    "evaluate/overfit": 0.0,
    **{f"evaluate/share_{k}": 0.1 for k in range(10)},
}


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({"evaluate/wasserstein_held_out": -0.1}, ALARMS["negative"]),
        ({"evaluate/slope_mean": 0.4}, ALARMS["slope"]),
        ({"evaluate/slope_mean": 2.1}, ALARMS["slope"]),
        ({"evaluate/overfit": 3.1}, ALARMS["overfit"]),
        ({"critic/share_clipped": 0.95}, ALARMS["bound"]),
        ({"evaluate/share_4": 0.005, "evaluate/share_7": 0.0}, ALARMS["class"].format("4, 7")),
    ],
)
def test_each_fault_raises_its_alarm_once(digits, changes, alarm):
    m = Monitor(configure("small-mlp-gp"), digits)
    assert m.alarms(9000, GOOD) == []
    assert m.alarms(9000, GOOD | changes) == [alarm]
    assert m.alarms(9001, GOOD | changes) == []


def test_a_slope_far_from_one_is_no_alarm_without_a_penalty(digits):
    assert Monitor(configure("small-mlp-clip"), digits).alarms(9000, GOOD | {"evaluate/slope_mean": 5.0}) == []


def test_a_slope_far_from_one_is_no_alarm_under_a_light_penalty():
    ring = open_source("ring", "train")
    m = Monitor(configure("gulrajani-ring", {"data": "ring", "penalty_weight": 0.1}), ring)
    figures = GOOD | {"evaluate/slope_mean": 5.0, "evaluate/modes": 8.0}
    assert m.alarms(90_000, figures) == []
    heavy = Monitor(configure("gulrajani-ring", {"data": "ring", "penalty_weight": 1.0}), ring)
    assert heavy.alarms(90_000, figures) == [ALARMS["slope"]]


def test_a_young_generator_may_miss_classes(digits):
    m = Monitor(configure("small-mlp-gp", {"steps": 1000}), digits)
    missing = GOOD | {"evaluate/share_4": 0.0}
    assert m.alarms(99, missing) == [] and len(m.alarms(100, missing)) == 1


def test_a_resumed_monitor_remembers_its_best_step_and_alarms(digits):
    records = [
        {"step": 10, SELECTION: 3.0},
        {"step": 20, SELECTION: 1.0},
        {"step": 20, "alarm": ALARMS["negative"]},
        {"step": 30, SELECTION: 2.0},
        {"step": 40, SELECTION: 1.0},  # no better: the earlier step stays
    ]
    m = Monitor.resumed(configure("small-mlp-clip"), digits, records)
    assert (m.best, m.lowest) == (20, 1.0)
    assert m.alarms(9000, GOOD | {"evaluate/wasserstein_held_out": -1.0}) == []


def test_spearman_is_one_when_the_loss_falls_with_the_metric():
    """And minus one when it rises."""
    falling = [{"evaluate/wasserstein_train": 5.0 - i, SELECTION: 1.0 / (1 + i)} for i in range(5)]
    rising = [{"evaluate/wasserstein_train": 5.0 + i, SELECTION: 1.0 / (1 + i)} for i in range(5)]
    assert loss_tracks_quality(falling) == pytest.approx(1)
    assert loss_tracks_quality(rising) == pytest.approx(-1)
    assert loss_tracks_quality(falling[:3]) is None


def test_samples_are_as_many_as_the_selection_part_at_most():
    assert module.SAMPLES <= 2000 and np.isfinite(module.SAMPLES)


@pytest.mark.parametrize(("size", "n", "said"), [(100, 20, True), (499, 99, True), (500, 100, False)])
def test_too_few_samples_to_choose_a_step_by_are_said_once(digits, size, n, said):
    m = Monitor(configure("small-mlp-clip"), digits)
    m.held_out = dataclasses.replace(digits, size=size)
    alarms = [ALARMS["few"].format(n)] if said else []
    assert m.alarms(9000, GOOD) == alarms and m.alarms(9001, GOOD) == []


@pytest.mark.parametrize(("n", "tag"), [(20, "random_fid"), (299, "random_fid"), (300, "sliced_w1")])
def test_the_best_step_of_few_images_is_chosen_by_what_sees_blur(digits, n, tag):
    """At 20 images sliced W1 is lower for blurred ones: 40 draws of real images and of their blur, in benchmarks/power.py."""
    m = Monitor(configure("images"), dataclasses.replace(digits, reader=""))
    x = digits.batch(torch.arange(2000))[0]
    m.reals = (x[1000 : 1000 + n], None)
    blurred = torch.nn.functional.avg_pool2d(x.float(), 3, 1, 1)
    sharp, dull = (m.quality(images[:n].float() / 127.5 - 1) for images in (x, blurred))
    assert list(sharp) == [f"evaluate/{tag}", SELECTION] and sharp[SELECTION] < dull[SELECTION]
    if tag == "random_fid":
        assert sharp[SELECTION] == pytest.approx(relative_fid(random_features(x[:n]), random_features(m.reals[0])))
    before = Monitor.resumed(m.config, m.source, [{"step": 1, "evaluate/sliced_w1": 0.5, SELECTION: 0.5}])
    before.reals = m.reals
    assert "evaluate/sliced_w1" in before.quality(x[:n].float() / 127.5 - 1)  # a run keeps what its log chose by


def test_overfitting_is_the_lead_of_training_images(digits):
    """In standard errors; the training gap is that of training images."""
    p = players(digits)
    m = Monitor(p.config, digits)
    n = len(m.reals[0])
    fakes = m.fakes(p, n, m.reals[1])
    index = torch.randint(len(digits), (n,), generator=stream(p.config.seed, 0, "monitor train"))
    with torch.no_grad():
        train, held = (p.critic((x.float() - 127.5) / 127.5)[0].double() for x in (digits.batch(index)[0], m.reals[0]))
        fake = p.critic(fakes)[0].double()
    figures = m.gaps(p, fakes)
    assert figures["evaluate/wasserstein_train"] == pytest.approx(float(train.mean() - fake.mean()), abs=1e-5)
    assert figures["evaluate/slope_max"] > 1.05 * figures["evaluate/slope_mean"]
    assert figures["evaluate/gap_per_slope"] * figures["evaluate/slope_max"] == pytest.approx(
        figures["evaluate/wasserstein_held_out"]
    )
    error = float((train.var() / n + held.var() / n).sqrt())
    assert figures["evaluate/overfit"] == pytest.approx(float(train.mean() - held.mean()) / error, abs=1e-3)
    assert figures["evaluate/wasserstein_train"] != figures["evaluate/wasserstein_held_out"]


def test_slopes_are_measured_at_reals_and_at_fakes():
    p = by_hand(QuadraticCritic(torch.ones(2, dtype=torch.float64)))  # the slope at x is ||x||
    real, fake = torch.tensor([[3.0, 4.0]]).repeat(5, 1), torch.tensor([[0.0, 2.0]]).repeat(5, 1)
    assert norms_at_samples(p, real, fake, None).tolist() == [5.0] * 5 + [2.0] * 5


def test_a_critic_of_packs_scores_whole_packs(digits):
    """It leaves the rest out, and so do its gradient norms."""
    p = players(digits, pack=4)
    x = digits.batch(torch.arange(50))[0]
    packs = ((x[:48].float() - 127.5) / 127.5).reshape(12, 4, 28, 28)
    with torch.no_grad():
        expected = p.critic(packs)[0]
    assert torch.allclose(scores_of(p, x, None).float(), expected, atol=1e-5)
    fakes = p.engine.to_float(x)
    assert torch.equal(norms_at_samples(p, x, fakes, None), norms_at_samples(p, x[:48], fakes[:48], None))
    assert len(norms_at_samples(p, x, fakes, None)) == 24  # 12 packs of each side


def test_fakes_of_the_averaged_generator_are_measured(digits):
    """With the labels of the reals."""
    p = players(digits, ema=0.9, conditioning="concat")
    with torch.no_grad():
        for w in p.average.parameters():
            w += 0.1
    m = Monitor(p.config, digits)
    y = torch.arange(40) % 10
    z = torch.randn(40, p.average.latent, generator=stream(p.config.seed, 0, "monitor"))
    with torch.no_grad():
        expected, raw = (network.eval()(z, y) for network in (p.average, p.generator))
    found = m.fakes(p, 40, y)
    assert torch.allclose(found, expected, atol=1e-5) and not torch.allclose(found, raw, atol=1e-3)
    assert not torch.allclose(found, m.fakes(p, 40, (y + 1) % 10), atol=1e-3)


def test_a_critic_with_dropout_is_scored_without_it(digits):
    p = players(digits, dropout=0.5)
    x = digits.batch(torch.arange(40))[0]
    frozen = dataclasses.replace(p, critic=frozen_copy(p.critic))
    with torch.no_grad():
        expected = p.critic.eval()((x.float() - 127.5) / 127.5)[0]
        dropped = p.critic.train()((x.float() - 127.5) / 127.5)[0]
    assert not torch.allclose(dropped, expected, atol=1e-3)
    assert torch.allclose(scores_of(frozen, x, None).float(), expected, atol=1e-5)


def test_the_loss_of_a_run_that_never_changes_tracks_nothing(recwarn):
    assert loss_tracks_quality([{"evaluate/wasserstein_train": 1.0, SELECTION: float(i)} for i in range(5)]) is None
    assert not recwarn.list


def test_the_end_of_a_run_says_whether_its_loss_tracked_quality(tmp_path, command):
    words = ("train", "ring", "--run", tmp_path / "ring", "--evaluate-every", 1, "--batch", 32, "--threads", 1)
    assert "Spearman" not in command(*words, "--steps", 3).out  # three evaluations have no correlation
    said = command(*words, "--steps", 4)
    value = loss_tracks_quality(open_run(tmp_path / "ring").log())
    assert said.code == 0 and f"Spearman correlation of W estimate and quality over the run: {value:.2f}\n" in said.out
