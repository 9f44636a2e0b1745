"""Test `wgan compare`: the plan of its runs, the arithmetic of its answers, its page, and how it refuses and goes on."""

from __future__ import annotations

import errno
import json
import math
import os
import signal

import numpy as np
import pytest
import torch
from test_report import Elements

from wgan import cells, compare, probes, readings, showing, tally
from wgan.cells import Request
from wgan.checkpoint import write_atomically
from wgan.cli import parse
from wgan.errors import WganError
from wgan.losses import OBJECTIVES
from wgan.run import open_run

FOUR = ("gan", "wgan-clip", "wgan-gp", "wgan-lp")
PLACES = ("real", "fake", "between")


def request(**changes):
    return Request(**{"objectives": FOUR, "data": "grid", "seeds": 2, "kind": "steps", "amount": 100, **changes})


def point(step, estimate, figure, modes=None, near=None):
    return {"step": step, "estimate": estimate, "figure": figure, "modes": modes, "high_quality": near}


def cell(objective, last, *, parts=("quality", "rates"), seed=0, rate=1.0, data="grid", failed="", **more):
    curve = (
        []
        if failed
        else [point(10, 3.0, 2 * last, 1, 0.1), point(20, 2.0, 1.5 * last, 2, 0.2), point(30, 1.0, last, 3, 0.3)]
    )
    about = {
        "objective": objective,
        "parts": list(parts),
        "seed": seed,
        "rate": rate,
        "data": data,
        "architecture": "mlp",
    }
    shown = {} if failed else {"modes-reached": {"value": 25.0 - last, "floor": 25.0, "better": "higher"}}
    quantiles = {place: [0.1, 0.5, 1.0, 1.5, 2.0] for place in PLACES}
    slopes = {"quantiles": quantiles, "edges": [-2.0, -1.0, 0.0, 1.0], "shares": [0.0, 0.25, 0.75], "near_one": 0.5}
    read = {"figures": shown, "curve": curve, "tracks": 1.0, "slopes": {} if failed else slopes, "share_clipped": None,
            "weights": {}, "cpu_seconds": 10.0}  # fmt: skip
    return {**about, "name": f"{objective}-{seed}", "failed": failed, **read, **more}


def result_of(found, gradients=None, **changes):
    names = list(dict.fromkeys(c["objective"] for c in found))
    about = {**request().as_dict(), "objectives": names, **changes}
    result = {"format": 2, "request": about, "steps": dict.fromkeys(names, 30), "rate_factor": 10.0, "cells": found}
    result["gradients"] = gradients or {name: [[[0, 0.1], [10, 1.0], [500, 0.001]]] for name in names}
    return {**result, "summary": tally.summary(result)}


# --- the plan ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_image", [False, True])
@pytest.mark.parametrize("name", cells.SETTINGS)
def test_every_cell_is_a_valid_config_and_only_the_objectives_own_settings_differ(name, is_image):
    data = "mnist" if is_image else "grid"
    steps = {name: 100, "gan": 100}
    asked = request(objectives=tuple(dict.fromkeys([name, "gan"])), data=data)
    configs = {
        (c.objective, c.architecture, c.rate, c.seed, c.data): c.config(is_image)
        for c in cells.cells(asked, is_image, steps)
    }
    for (objective, *rest), config in configs.items():
        other = configs[("gan", *rest)]
        assert config.objective == objective and config.steps == 100
        for field in ("generator", "generator_layers", "generator_norm", "critic", "critic_layers", "latent", "batch", "seed",
                      "data", "threads", "evaluate_every", "precision"):  # fmt: skip
            assert getattr(config, field) == getattr(other, field), field


def test_the_three_architectures_of_images_are_an_mlp_and_convolutions_with_and_without_batch_norm():
    found = {c.architecture: c.config(True) for c in cells.cells(request(data="mnist"), True, dict.fromkeys(FOUR, 100))}
    kinds = {name: (c.generator, c.critic, c.generator_norm, c.critic_norm) for name, c in found.items()}
    assert kinds == {"mlp": ("mlp", "mlp", "none", "none"), "conv-batch-norm": ("conv", "conv", "batch", "none"),
                     "conv-plain": ("conv", "conv", "none", "none")}  # fmt: skip


@pytest.mark.parametrize(("data", "weight"), [("grid", 1.0), ("mnist", 10.0)])
def test_a_run_is_of_its_own_seed_data_and_steps_at_a_constant_rate(data, weight):
    steps = {"gan": 150, "wgan-clip": 40, "wgan-gp": 30, "wgan-lp": 20}
    for c in cells.cells(request(data=data), data == "mnist", steps):
        config = c.config(data == "mnist")
        assert (config.seed, config.data, config.steps) == (c.seed, c.data, steps[c.objective])
        assert (config.lr_decay, config.penalty_weight, config.precision) == ("none", weight, "fp32")
        # nothing beside the objective: an auxiliary classifier's loss would be measured with it
        assert (config.conditioning, config.critic_conditioning, config.ema, config.critic_lr) == ("none", "none", 0, 0)
        assert config.class_critic == config.class_generator == 0


def test_the_plan_has_each_run_once_and_all_that_the_questions_need():
    found = cells.cells(request(), False, dict.fromkeys(FOUR, 100))
    assert len({c.name for c in found}) == len(found)
    # 2 seeds and 4 objectives of: grid at three rates, ring, two more architectures
    assert len(found) == 2 * 4 * (3 + 1 + 2)
    first = next(
        c for c in found if c.objective == "gan" and c.data == "grid" and c.rate == 1 and c.architecture == "mlp"
    )
    assert set(first.parts) == {"quality", "collapse", "rates", "architectures"}
    assert {c.seed for c in found} == {0, 1} and {c.rate for c in found} == {0.3, 1.0, 3.0}


@pytest.mark.parametrize(
    ("part", "count"), [("quality", 4), ("collapse", 8), ("rates", 12), ("architectures", 12), ("gradients", 0)]
)
def test_a_part_brings_its_own_runs_alone(part, count):
    found = cells.cells(request(seeds=1, parts=(part,)), False, dict.fromkeys(FOUR, 100))
    assert len(found) == count and all(c.parts == (part,) for c in found)
    gradients = compare.gradient_cells(request(parts=(part,)), False, dict.fromkeys(FOUR, 100))
    assert [(c.objective, c.seed) for c in gradients] == [(o, s) for s in (0, 1) for o in FOUR if part == "gradients"]


@pytest.mark.parametrize(
    ("data", "is_image", "toys"),
    [("grid", False, ["ring", "grid"]), ("ring:gulrajani", False, ["ring:gulrajani", "grid:gulrajani"]),
     ("table.csv", False, ["ring", "grid"]), ("mnist:0-4", True, ["stacked-mnist"]), ("faces/", True, [])],
)  # fmt: skip
def test_collapse_is_counted_where_modes_are_known(data, is_image, toys):
    assert cells.toys_of(data, is_image) == toys


def test_the_learning_rate_of_a_cell_is_its_objectives_own_times_the_factor():
    found = {
        (c.objective, c.rate): c.config(True)
        for c in cells.cells(request(data="mnist"), True, dict.fromkeys(FOUR, 100))
    }
    assert found["wgan-clip", 3.0].lr == pytest.approx(1.5e-4) and found["gan", 1.0].lr == 2e-4
    assert found["gan", 0.3].lr == pytest.approx(6e-5) and found["wgan-gp", 1.0].lr == 1e-4
    assert found["wgan-clip", 1.0].optimizer == "rmsprop" and found["wgan-gp", 1.0].n_critic == 5
    points = {(c.objective, c.rate): c.config(False) for c in cells.cells(request(), False, dict.fromkeys(FOUR, 100))}
    for key, config in points.items():
        assert config.lr == pytest.approx(cells.POINT_RATE * found[key].lr) and config.critic_lr == 0


def test_a_run_is_evaluated_ten_times_and_never_averaged():
    (config,) = {c.config(False).replace(seed=0, objective="gan", n_critic=1, lr=1, optimizer="adam", beta1=0, beta2=0)
                 for c in cells.cells(request(parts=("quality",)), False, dict.fromkeys(FOUR, 100))}  # fmt: skip
    assert (config.evaluate_every, config.log_every, config.ema, config.threads) == (10, 1, 0.0, 1)


def test_budgets_become_steps(monkeypatch):
    assert compare.steps_of(request(amount=70), False) == dict.fromkeys(FOUR, 70)
    # one pass each on real and fake, one at the penalty's points, five times a step, and one for the generator
    forwards = compare.steps_of(request(kind="forwards", amount=1100), False)
    assert forwards == {"gan": 1100 // 3, "wgan-clip": 100, "wgan-gp": 1100 // 16, "wgan-lp": 1100 // 16}
    seen = []

    def seconds(cell, is_image):
        seen.append(cell.objective)
        return (0.5 if cell.objective == "gan" else 2.0) * (1 if len(seen) > 4 else 3)  # the first round is disturbed

    monkeypatch.setattr(compare, "seconds_per_step", seconds)
    found = compare.steps_of(request(kind="seconds", amount=60), False)
    assert found == {"gan": 120, "wgan-clip": 30, "wgan-gp": 30, "wgan-lp": 30}
    assert seen == [*FOUR] * 3  # interleaved
    assert [compare.seconds_of(t) for t in ("90s", "10m", "1.5h")] == [90, 600, 5400]


def test_the_forwards_of_a_step_are_those_that_the_critic_makes(monkeypatch):
    passes = []
    for name in ("gan", "wgan-clip", "wgan-gp"):
        passes.clear()
        config = next(
            c.config(False).replace(batch=16, critic_layers="4", generator_layers="4", fast=0)  # no pass by hand
            for c in cells.cells(request(objectives=(name,), parts=("quality",)), False, {name: 20})
        )
        source = compare.open_source("grid", "train")
        players = compare.make_players(config, compare.engine_for(config, source), source)
        players.critic.register_forward_hook(lambda *about: passes.append(len(about[1][0]) / 16))
        compare.critic_phase(players, source, 0)
        compare.generator_phase(players, source, 0)
        assert sum(passes) == cells.forwards(name)


def test_a_step_is_timed_by_the_processor_and_not_by_the_clock(monkeypatch):
    times = iter([5.0, 7.0])
    monkeypatch.setattr(compare.time, "process_time", lambda: next(times))
    monkeypatch.setattr(compare.time, "perf_counter", lambda: pytest.fail("the clock on the wall"))
    monkeypatch.setattr(compare, "make_players", lambda *about: None)
    monkeypatch.setattr(compare, "critic_phase", lambda *about: {})
    monkeypatch.setattr(compare, "generator_phase", lambda *about: {})
    (cell,) = cells.cells(request(objectives=("gan",), parts=("quality",), seeds=1), False, {"gan": 20})
    assert compare.seconds_per_step(cell, False) == 2.0 / compare.PROBE


# --- the arithmetic of the answers ------------------------------------------------------------------------------------


def test_mean_and_spread_are_those_of_the_seeds():
    assert tally.mean_spread([1.0, 3.0, None]) == {"mean": 2.0, "spread": math.sqrt(2), "n": 2}
    assert tally.mean_spread([5.0])["spread"] is None and tally.mean_spread([])["mean"] is None


def test_an_estimate_of_each_objective_is_what_its_loss_says_of_the_distance():
    record = {"critic/wasserstein": 3.0, "critic/loss": 1.0, "critic/penalty": 0.25}
    assert tally.estimate("wgan-gp", record) == tally.estimate("wgan-clip", record) == 3.0
    assert tally.estimate("dragan", record) == math.log(2) - 0.375
    assert tally.estimate("hinge", record) == -0.75
    # an optimal critic of two distributions that never meet scores +-infinity: its loss is 0, JS is log 2
    far = {"critic/loss": float(OBJECTIVES["gan"].critic(torch.tensor([50.0]), torch.tensor([-50.0])))}
    assert tally.estimate("gan", far) == pytest.approx(math.log(2))
    # ... and of equal distributions 0: its loss is 2 log 2, JS is 0
    near = {"critic/loss": float(OBJECTIVES["gan"].critic(torch.zeros(1), torch.zeros(1)))}
    assert tally.estimate("gan", near) == pytest.approx(0, abs=1e-6)
    assert {tally.estimate_name(n).partition(" ")[0] for n in OBJECTIVES} == {"W", "JS", "minus"}
    assert tally.estimate_name("gan").startswith("JS") and tally.estimate_name("wgan-clip").startswith("W")


def test_a_curve_holds_the_mean_estimate_since_the_evaluation_before():
    logged = [{"step": s, "critic/loss": -float(s), "critic/wasserstein": float(s)} for s in range(1, 7)]
    logged[2] |= {"evaluate/selection": 9.0, "evaluate/modes": 4.0}
    logged[5] |= {"evaluate/selection": 8.0}
    logged.insert(3, {"step": 3, "alarm": "vanishing: all"})
    found = tally.curve_of("wgan-gp", logged)
    assert found == [point(3, 2.0, 9.0, 4.0), point(6, 5.0, 8.0)]


def test_tracks_is_the_rank_correlation_of_estimate_and_figure():
    def curve(pairs):
        return [point(i, *pair) for i, pair in enumerate(pairs)]

    assert tally.spearman(curve([(1, 10), (2, 20), (3, 1000), (4, 1001)])) == pytest.approx(1.0)
    assert tally.spearman(curve([(1, 4), (2, 3), (3, 2), (4, 1)])) == pytest.approx(-1.0)
    # ranks 1 2 3 4 against 1 2 4 3: 1 - 6 * 2 / (4 * 15)
    assert tally.spearman(curve([(1, 1), (2, 2), (3, 9), (4, 5)])) == pytest.approx(0.8)
    assert tally.spearman(curve([(1, 1), (2, 2), (3, 3)])) is None
    assert tally.spearman(curve([(1, 1), (1, 2), (1, 3), (1, 4)])) is None


def test_stability_is_the_share_of_runs_within_twice_the_best():
    found = [cell("gan", 1.0), cell("gan", 2.0, seed=1), cell("gan", 2.1, rate=3.0, parts=("rates",)),
             cell("gan", 9, rate=3.0, seed=1, parts=("rates",), failed="critic/loss is not finite at step 4"),
             cell("gan", 3.0, parts=("architectures",)) | {"architecture": "shallow"},
             cell("gan", 0.1, data="ring", parts=("collapse",))]  # fmt: skip
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
    assert tally.final(worse) == 5.0 and tally.final({**worse, "failed": "nan"}) == math.inf
    assert tally.share([worse], 4.0) == 0.0


def test_runs_of_other_rates_do_not_count_for_quality_tracks_and_clipping():
    other = cell("gan", 9.0, rate=3.0, parts=("rates",), tracks=-1.0, share_clipped=0.5)
    summary = result_of([cell("gan", 1.0), other])["summary"]
    assert summary["quality"]["gan"]["modes-reached"]["mean"] == 24.0
    assert summary["tracks"]["gan"] == {"mean": 1.0, "spread": None, "n": 1}
    assert summary["clipping"]["gan"]["share_clipped"]["n"] == 0


def test_a_comparison_in_which_every_run_failed_has_no_threshold():
    summary = result_of([cell("gan", 1.0, failed="critic/loss is not finite at step 4")])["summary"]
    assert summary["threshold"] is None and summary["stability"]["gan"]["reached"] == 0.0
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_quality_is_the_mean_over_the_seeds_with_its_floor_and_what_it_took():
    row = result_of([cell("gan", 1.0), cell("gan", 3.0, seed=1, cpu_seconds=14.0)])["summary"]["quality"]["gan"]
    assert row["modes-reached"] == {"mean": 23.0, "spread": math.sqrt(2), "n": 2, "floor": 25.0, "better": "higher"}
    assert row["CPU seconds"]["mean"] == 12.0


def test_the_fall_of_a_gradient_is_counted_in_powers_of_ten_from_its_largest():
    curves = {
        "gan": [[[0, 0.1], [10, 1.0], [500, 0.01]], [[0, 1.0], [10, 0.5], [500, 0.0001]]],
        "wgan-gp": [[[0, 1.0]]],
    }
    found = result_of([cell("gan", 1.0)], curves)["summary"]["gradients"]
    assert found["gan"]["mean"] == pytest.approx(-3) and found["gan"]["spread"] == pytest.approx(math.sqrt(2))
    assert found["wgan-gp"]["mean"] == 0
    assert tally.decades(0.0) == -30


def test_what_clipping_does_is_summed_up_over_the_seeds():
    slopes = {"quantiles": {"real": [0.1, 0.2, 3.0, 5.0, 6.0], "fake": [0.01, 0.2, 1.0, 5.0, 8.0]}, "near_one": 0.25}
    found = [
        cell("wgan-clip", 1.0, share_clipped=0.5, slopes=slopes),
        cell("wgan-clip", 1.0, seed=1, share_clipped=0.7),
    ]
    row = tally.clipping(found[:1])
    assert row["median_slope"]["real"]["mean"] == 3.0 and row["median_slope"]["fake"]["mean"] == 1.0
    assert row["spread"]["mean"] == pytest.approx(800) and row["near_one"]["mean"] == 0.25
    assert tally.clipping(found)["share_clipped"]["mean"] == pytest.approx(0.6)


# --- inside the critics -----------------------------------------------------------------------------------------------


def config(name, data="ring", **changes):
    (found,) = cells.cells(
        request(objectives=(name,), data=data, seeds=1, parts=("quality",)), data == "mnist", {name: 20}
    )
    small = {"generator_layers": "8", "critic_layers": "16", "batch": 32, "latent": 2}
    return found.config(data == "mnist").replace(**{**small, **changes})


def test_the_generator_stays_as_it_was_while_the_critic_learns(monkeypatch):
    made = []
    monkeypatch.setattr(
        probes, "make_players", lambda *about, real=probes.make_players: made.append(real(*about)) or made[-1]
    )
    found = probes.vanishing(config("wgan-gp"), (0, 3, 6))
    (players,) = made
    fresh = probes.make_players(config("wgan-gp"), players.engine, probes.open_source("ring", "train"))
    for now, before in zip(players.generator.parameters(), fresh.generator.parameters(), strict=True):
        assert torch.equal(now, before)
    assert any(
        not torch.equal(a, b) for a, b in zip(players.critic.parameters(), fresh.critic.parameters(), strict=True)
    )
    ((name, curve),) = found.items()
    assert name == "wgan-gp" and [k for k, _ in curve] == [0, 3, 6] and all(n > 0 for _, n in curve)
    assert players.critic.score.weight.grad is None or players.critic.score.weight.requires_grad is False


def test_the_minimax_gradient_vanishes_below_a_good_critic_and_the_non_saturating_one_does_not():
    found = probes.vanishing(config("gan", lr=0.02, critic_layers="64"), (0, 200))
    assert list(found) == ["gan", "gan, minimax"]
    fall = {name: curve[1][1] / curve[0][1] for name, curve in found.items()}
    assert fall["gan, minimax"] < 0.1 * fall["gan"]


def test_the_gradient_is_that_of_the_loss_in_the_generators_weights():
    c = config("gan")
    source = probes.open_source("ring", "train")
    p = probes.make_players(c, probes.engine_for(c, source), source)
    found = probes.generator_gradients(p, source, 0)
    _, z = probes.batch(p, source, 1_000_000)
    scores = p.critic(p.generator(z, None), None)[0]
    for name, loss in (
        ("gan", torch.nn.functional.softplus(-scores)),
        ("gan, minimax", torch.log(1 - scores.sigmoid())),
    ):
        p.generator.zero_grad()
        loss.mean().backward(retain_graph=True)
        norm = math.sqrt(sum(float(w.grad.square().sum()) for w in p.generator.parameters()))
        assert found[name] == pytest.approx(norm, rel=1e-4)


def set_critic(run, make):
    """Write a checkpoint in which the critic's weights are what `make` says of each."""
    found, _ = probes.checkpoint.load_newest(run.checkpoints)
    tensors = {k: make(k, t) if k.startswith("critic/") else t for k, t in found.tensors.items()}
    probes.checkpoint.save(run.checkpoints, found.step, tensors, {})


@pytest.fixture
def ring(copy, ring_run):
    """A run whose critic is a known linear function: layers of 16, every weight 0 but those that carry x to the score."""
    run = open_run(copy(ring_run))

    def carry(key, tensor):
        new = torch.zeros_like(tensor)
        if key.endswith("weight"):
            new[0, 0] = 3.0 if "score" in key else 1.0
        elif "score" not in key and tensor.dim():
            new[:] = 50.0  # far from the kink of the relu
        return new

    set_critic(run, carry)
    return run


def test_slopes_are_those_of_the_last_critic_at_reals_fakes_and_between(ring):
    found = probes.critic_slopes(ring)
    assert set(found["quantiles"]) == set(PLACES)
    for values in found["quantiles"].values():
        assert values == pytest.approx([3.0] * len(probes.QUANTILES))
    assert found["near_one"] == 0.0 and sum(found["shares"]) == pytest.approx(1.0)
    edges, shares = np.array(found["edges"]), np.array(found["shares"])
    (bin_,) = np.flatnonzero(shares)
    assert edges[bin_] <= math.log10(3.0) <= edges[bin_ + 1]


def test_slopes_near_one_are_counted(ring):
    set_critic(ring, lambda key, t: t * 0.4 if "score.weight" in key else t)
    assert probes.critic_slopes(ring)["near_one"] == 1.0  # 1.2
    set_critic(ring, lambda key, t: t * 0.3 if "score.weight" in key else t)
    assert probes.critic_slopes(ring)["near_one"] == 0.0  # 0.36


def test_the_places_are_held_out_reals_fakes_of_the_last_generator_and_mixes_of_both(ring_run):
    run = open_run(ring_run)
    source = probes.open_source(run.config.data, "test")
    p = probes.make_players(run.config, probes.resume_engine(run.config, run.path, source), source)
    probes.restore(p, run)
    found = probes.places_of(p, source)
    assert all(len(x) == probes.POINTS for x in found.values())
    radius = source.modes.norm(dim=1).mean()
    assert found["real"].norm(dim=1).sub(radius).abs().max() < 0.2 * radius
    low, high = torch.minimum(found["real"], found["fake"]), torch.maximum(found["real"], found["fake"])
    assert ((found["between"] >= low - 1e-6) & (found["between"] <= high + 1e-6)).all()
    share = (found["between"] - found["fake"]).norm(dim=1) / (found["real"] - found["fake"]).norm(dim=1)
    assert share.std() > 0.2 and 0.4 < share.mean() < 0.6  # a mixing weight for each point


def test_the_histogram_of_weights_counts_each_once(ring):
    set_critic(ring, lambda key, t: torch.full_like(t, -0.5 if "score" in key else 0.25))
    found = probes.critic_weights(ring)
    assert sum(found["shares"]) == pytest.approx(1.0) and found["largest"] == 0.5
    score = sum(
        t.numel() for k, t in probes.checkpoint.load_newest(ring.checkpoints)[0].tensors.items() if "critic/score" in k
    )
    total = sum(
        t.numel()
        for k, t in probes.checkpoint.load_newest(ring.checkpoints)[0].tensors.items()
        if k.startswith("critic/")
    )
    below = sum(s for s, e in zip(found["shares"], found["edges"][1:], strict=True) if e < 0)
    assert below == pytest.approx(score / total)
    assert found["rms"] == pytest.approx(math.sqrt((score * 0.25 + (total - score) * 0.0625) / total))


def test_a_reading_of_a_run_measures_what_its_questions_need(ring_run, monkeypatch):
    monkeypatch.setattr(readings, "SAMPLES", 200)
    run = open_run(ring_run)
    wanted = {"quality": {"modes-reached", "sliced-w1", "precision", "coverage", "certified-w1"}, "collapse": {"modes-reached"},
              "rates": set()}  # fmt: skip
    monkeypatch.setitem(readings.MEASURES, "certified-w1", readings.MEASURES["sliced-w1"].__class__(
        lambda m: "", lambda m: iter([readings_figure("certified-w1")])))  # fmt: skip
    for part, names in wanted.items():
        about = cells.Cell((part,), "wgan-gp", "ring:gulrajani", "mlp", 1.0, 0, 2, 1)
        found = readings.reading(about, run, False)
        assert set(found) | {"failed"} == set(readings.NOTHING)
        assert set(found["figures"]) >= names and bool(found["figures"]) == bool(names)
        assert bool(found["slopes"]) == bool(found["weights"]) == (part == "quality")
    second = cells.Cell(("quality",), "wgan-gp", "ring:gulrajani", "mlp", 1.0, 1, 2, 1)
    assert readings.reading(second, run, False)["weights"] == {}


def readings_figure(name):
    from wgan.figures import Figure

    return Figure(name, 1.0)


@pytest.mark.parametrize(("data", "count"), [("ring", 2000), ("stacked-mnist", 10_000)])
def test_a_figure_is_read_off_enough_samples_with_its_own_floor(monkeypatch, data, count):
    from wgan.figures import Figure

    monkeypatch.setattr(readings, "load", lambda run, checkpoint: checkpoint)
    monkeypatch.setattr(readings, "reals_of", lambda *about: about)
    monkeypatch.setattr(readings, "from_model", lambda *about: about)
    measure = readings.MEASURES["modes"].__class__(
        lambda m: "", lambda m: iter([Figure("seen", float(m.subject[1]), floor=7.0, better="higher")])
    )
    monkeypatch.setitem(readings.MEASURES, "modes", measure)
    about = cells.Cell(("collapse",), "gan", data, "mlp", 1.0, 0, 2, 1)
    assert readings.figures_of(about, None, ["modes"]) == {"seen": {"value": count, "floor": 7.0, "better": "higher"}}


def test_the_last_value_of_a_tag_and_the_whole_curve_are_read(monkeypatch):
    assert readings.last([{"a": 1}, {"a": 2}, {"b": 3}], "a") == 2.0 and readings.last([{"b": 3}], "a") is None
    logged = [{"step": i, "critic/loss": 0.0, "critic/wasserstein": w, "evaluate/selection": f}
              for i, (w, f) in enumerate([(9.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0)])]  # fmt: skip
    run = type("Logged", (), {"log": lambda self: logged})()
    found = readings.reading(cells.Cell(("rates",), "wgan-gp", "ring", "mlp", 1.0, 0, 2, 1), run, False)
    assert found["tracks"] == pytest.approx(0.0) and len(found["curve"]) == 5


def test_slopes_are_taken_at_samples_that_were_held_out(ring, monkeypatch):
    held = []
    real = probes.places_of
    monkeypatch.setattr(probes, "places_of", lambda p, source: held.append(source) or real(p, source))
    probes.critic_slopes(ring)
    index = torch.arange(20)
    test, train = (probes.open_source(ring.config.data, split).batch(index)[0] for split in ("test", "train"))
    assert torch.equal(held[0].batch(index)[0], test) and not torch.equal(test, train)


@pytest.mark.parametrize(
    ("data", "is_image", "first"),
    [("mnist:0-4", True, "fid-lenet"), ("stacked-mnist", True, "stacked-modes"), ("ring:gulrajani", False, "modes"),
     ("photos/", True, "sliced-w1")],
)  # fmt: skip
def test_the_first_figure_is_the_one_that_says_most_of_the_data(data, is_image, first):
    assert readings.metrics_of(data, is_image, False) == list(dict.fromkeys([first, "sliced-w1"]))
    assert {"prdc", "certified-w1", first} <= set(readings.metrics_of(data, is_image, True))


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_every_answer_and_escapes_what_it_is_told(tmp_path):
    evil = "<script>alert(1)</script>"
    weights = {"edges": [-1.0, 0.0, 1.0], "shares": [0.25, 0.75], "largest": 1.0, "rms": 0.5}
    found = [cell("gan", 1.0), cell("gan", 2.0, seed=1), cell("wgan-clip", 1.0, weights=weights, share_clipped=0.5, failed=""),
             cell("wgan-clip", 1.0, seed=1, failed=evil)]  # fmt: skip
    found = [{**c, "data": evil} for c in found]
    result = result_of(found, data=evil)
    showing.write_page(result, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    seen = Elements(page)
    assert page.count("<script") == 2 and "alert(1)" in seen.text and "http" not in page.replace("http-equiv", "")
    for text in (
        "50 % of the clipped ones on the bound",
        "Vanishing gradients",
        "1 diverged",
        "Spearman 1.00 ± 0.00",
        "the rates 10 times as high",
        "gan, minimax",
        "the JS estimate, nats",
        "the W estimate",
        "at most 2:",
        "equal steps",
        "-3.00",
    ):
        assert text in seen.text, text
    # quality, modes and share over time, gradients, two scatters, slopes, one histogram of weights
    assert page.count("<svg") == 3 + 1 + 2 + 1 + 1
    assert "Not part of this comparison" not in seen.text


def test_what_was_not_asked_is_said_on_the_page(tmp_path):
    found = [cell("gan", 1.0, parts=("rates",), figures={}, slopes={})]
    result = result_of(found, gradients={"x": []}, parts=["rates"])
    result["gradients"] = {}
    showing.write_page(result, tmp_path)
    text = Elements((tmp_path / "index.html").read_text("utf-8")).text
    assert text.count("Not part of this comparison") == 5  # all but stability


def test_curves_run_over_the_budget_that_is_equal():
    found = [cell("gan", 1.0), cell("wgan-gp", 1.0), cell("wgan-gp", 3.0, seed=1)]
    result = result_of(found, kind="seconds", amount=60)
    result["steps"] = {"gan": 30, "wgan-gp": 60}
    steps, values = showing.mean_curve(result, "wgan-gp", "figure")
    assert steps.tolist() == [10, 20, 30] and values.tolist() == [4, 3, 2]
    assert showing.mean_curve(result, "gan", "figure")[0].tolist() == [20, 40, 60]
    assert showing.over_time(result)[0].hover["across"] == "CPU second"
    result["request"]["kind"] = "steps"
    assert showing.mean_curve(result, "gan", "figure")[0].tolist() == [10, 20, 30]
    assert showing.mean_curve(result_of([cell("gan", 1, failed="x")]), "gan", "figure") is None


def test_the_gradients_chart_is_the_geometric_mean_over_the_seeds():
    (panel,) = showing.gradients({"gan": [[[0, 1.0], [500, 0.01]], [[0, 100.0], [500, 0.0001]]]})
    assert panel.lines[0].points == [(0, 1.0), (500, -3.0)] and panel.hover["across"] == "update"


def test_a_scatter_has_the_estimate_across_and_the_figure_up():
    (panel,) = showing.tracks(result_of([cell("wgan-gp", 7.0)]))
    assert panel.lines[0].points == [(1.0, 7.0), (2.0, 10.5), (3.0, 14.0)]


def test_the_slopes_chart_stands_on_a_logarithmic_axis():
    (panel,) = showing.slopes(result_of([cell("gan", 1.0), cell("wgan-gp", 1.0)]))
    assert [line.name for line in panel.lines] == ["gan", "wgan-gp"]
    assert [v for _, v in panel.lines[0].points] == [0.25, 0.75]
    assert panel.hover["x"][1] >= 0.5


@pytest.mark.parametrize(
    ("words", "seeds", "steps", "without"), [(["--quick"], 1, 500, {"architectures"}), ([], 3, 4000, set())]
)
def test_quick_is_one_seed_fewer_steps_and_one_architecture(words, seeds, steps, without):
    asked = compare.request_of(parse(["compare", *words]))
    assert (asked.objectives, asked.data, asked.seeds, asked.amount) == (FOUR, "grid", seeds, steps)
    assert set(cells.PARTS) - set(asked.parts) == without


def test_a_signal_between_two_runs_stops_before_the_next_is_trained(tmp_path):
    def struck():
        raise compare.Interrupted(143)

    (one,) = cells.cells(request(objectives=("gan",), parts=("quality",), seeds=1), False, {"gan": 20})
    with pytest.raises(compare.Interrupted):
        compare.measure_cell(one, tmp_path, False, struck)
    assert not list(tmp_path.iterdir())


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["gann"], "did you mean gan"),
        (["gan", "gan"], "twice"),
        (["--steps", "5"], "only 5 steps"),
        (["--steps", "100", "--budget", "10m"], "one budget"),
        (["--budget", "soon"], "not a time"),
        (["--critic-forwards", "20"], "only 6 steps"),
        (["--seeds", "0"], "between 1 and 100"),
        (["--data", "mnits"], "mnist"),
        (["--data", "mnist,grid"], "mnist,grid"),
        (["--steps", "0"], "more than 0"),
        (["--parts", "qualty"], "did you mean quality"),
        (["runs/mnist"], "wgan report"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(command, tmp_path, words, part):
    assert part in command("compare", *words, "--out", tmp_path / "out").sentence()
    assert not (tmp_path / "out").exists()


def test_a_budget_of_time_too_small_for_one_evaluation_is_refused(command, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "seconds_per_step", lambda cell, is_image: 1.0)
    assert "only 19 steps" in command("compare", "--budget", "19s", "--out", tmp_path / "out").sentence()
    assert not (tmp_path / "out").exists()


def test_another_request_or_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"request": request().as_dict(), "steps": dict.fromkeys(FOUR, 100)}))
    assert compare.planned(request(), tmp_path, False)["steps"]["gan"] == 100
    for other in ({"seeds": 5}, {"data": "ring"}, {"parts": ("quality",)}, {"kind": "forwards"}, {"amount": 101}):
        with pytest.raises(WganError, match="another comparison"):
            compare.planned(request(**other), tmp_path, False)
    for text in ("", "[]", '{"request": 1}', json.dumps({"request": request().as_dict()})):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(WganError, match="another comparison"):
            compare.planned(request(), tmp_path, False)
    (tmp_path / "plan.json").rename(tmp_path / "precious.txt")
    with pytest.raises(WganError, match="not a comparison"):
        compare.planned(request(), tmp_path, False)


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch):
    """Comparisons of tiny networks, without the costly parts of evaluation."""
    small = {"generator_layers": "8", "critic_layers": "8", "batch": 16, "latent": 2}
    for architecture in cells.ARCHITECTURES["points"].values():
        for name, value in small.items():
            monkeypatch.setitem(architecture, name, value)
    monkeypatch.setattr(readings, "SAMPLES", 200)
    monkeypatch.setattr(readings, "metrics_of", lambda data, is_image, long: ["modes"])
    figures = {"evaluate/selection": 1.0, "evaluate/wasserstein_train": 0.5}
    monkeypatch.setattr("wgan.monitor.Monitor.measure", lambda self, players, step, *more: dict(figures))
    monkeypatch.setattr("wgan.monitor.Monitor.alarms", lambda self, step, figures: [])
    monkeypatch.setattr("wgan.loop.finish_pictures", lambda *_, **__: None)
    monkeypatch.setattr("wgan.desk.draw_sheet", lambda *about: None)
    monkeypatch.setattr(compare, "vanishing", lambda config, check: {config.objective: [[0, 1.0], [1, 0.5]]})
    return request(
        objectives=("gan",), seeds=1, amount=20, parts=("quality", "collapse", "rates", "gradients"), data="ring"
    )


def without_times(result):
    """Leave out what no two comparisons share: how long the runs took."""
    cells_ = [{k: v for k, v in c.items() if k != "cpu_seconds"} for c in result["cells"]]
    rows = {
        name: {k: v for k, v in row.items() if "CPU" not in k} for name, row in result["summary"]["quality"].items()
    }
    return {**result, "cells": cells_, "summary": {**result["summary"], "quality": rows}}


def test_a_comparison_goes_on_where_it_was_and_gives_the_same_figures(tmp_path, monkeypatch, tiny):
    whole = compare.compare(tiny, tmp_path / "whole")
    real, calls = compare.train, []

    def stopped(config, path):
        calls.append(path)
        if len(calls) == 2:
            raise compare.Interrupted(130)
        return real(config, path)

    monkeypatch.setattr(compare, "train", stopped)
    with pytest.raises(compare.Interrupted):
        compare.compare(tiny, tmp_path / "parts")
    assert not (tmp_path / "parts" / "compare.json").exists()
    again = compare.compare(tiny, tmp_path / "parts")
    assert len(calls) == 1 + len(whole["cells"])  # the finished run was not trained again
    assert without_times(again) == without_times(whole)
    assert (tmp_path / "parts" / "index.html").is_file()
    assert json.loads((tmp_path / "parts" / "compare.json").read_text()) == json.loads(json.dumps(again))
    # a third time nothing is trained or measured, and a reading that was damaged is made again
    monkeypatch.setattr(compare, "vanishing", None)
    (tmp_path / "parts" / "runs" / whole["cells"][0]["name"] / "comparison.json").write_text('{"figures": ')
    assert compare.compare(tiny, tmp_path / "parts") == again and len(calls) == 1 + len(whole["cells"])
    assert all(c["cpu_seconds"] > 0 for c in again["cells"])


def test_a_run_that_was_stopped_half_way_is_trained_to_its_end(tmp_path, monkeypatch, tiny):
    asked = tiny.replace(parts=("quality",))
    whole = compare.compare(asked, tmp_path)
    assert whole["steps"] == {"gan": 20} and whole["rate_factor"] == cells.POINT_RATE
    folder = tmp_path / "runs" / whole["cells"][0]["name"]
    for file in folder.glob("checkpoints/*20.*"):
        file.unlink()
    (folder / "comparison.json").unlink()
    assert open_run(folder).step == 10
    real, calls = compare.train, []
    monkeypatch.setattr(compare, "train", lambda config, path: calls.append(path) or real(config, path))
    again = compare.compare(asked, tmp_path)
    assert calls == [folder] and open_run(folder).step == 20 and without_times(again) == without_times(whole)


@pytest.mark.parametrize("damage", ["", "[]", '{"failed": ""}'])
def test_a_reading_without_its_figures_is_made_again(tmp_path, tiny, damage):
    whole = compare.compare(tiny, tmp_path)
    (tmp_path / "runs" / whole["cells"][1]["name"] / "comparison.json").write_text(damage)
    assert compare.compare(tiny, tmp_path) == whole


@pytest.mark.parametrize("part", ["cell", "metric", "gradient"])
def test_a_signal_while_measuring_stops_the_comparison_and_it_goes_on(tmp_path, monkeypatch, tiny, command, part):
    words = ["compare", "gan", "--data", "ring", "--steps", "20", "--seeds", "2", "--parts", "quality,gradients"]
    words += ["--out", tmp_path / "out"]
    module, name = {"cell": (readings, "critic_weights"), "metric": (readings, "from_model"),
                    "gradient": (probes, "generator_gradients")}[part]  # fmt: skip
    real = getattr(module, name)
    if part == "gradient":
        monkeypatch.setattr(compare, "vanishing", lambda config, check: probes.vanishing(config, (0, 3), check))
    calls = []

    def struck(*about):
        calls.append(name)
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*about)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(module, name, struck)
    result = command(*words)
    assert result.code == 143 and "the same command goes on" in result.out and "Traceback" not in result.err
    assert len(calls) == 1 and signal.getsignal(signal.SIGTERM) == before
    monkeypatch.setattr(module, name, real)
    assert command(*words).code == 0 and (tmp_path / "out" / "index.html").is_file()


def test_a_signal_while_training_is_passed_on(tmp_path, monkeypatch, tiny, command):
    class Ended:
        code = 130

    monkeypatch.setattr(compare, "train", lambda config, path: Ended())
    result = command("compare", "gan", "--data", "ring", "--steps", "20", "--seeds", "1", "--out", tmp_path / "out")
    assert result.code == 130 and "the same command goes on" in result.out


def test_a_run_that_diverged_counts_as_failed_and_is_not_trained_again(tmp_path, monkeypatch, tiny):
    real, calls = compare.train, []

    def diverged(config, path):
        calls.append(path.name)
        if config.lr > 3 * cells.POINT_RATE * 1e-4:
            raise WganError("critic/loss is not finite at step 4: stopped")
        return real(config, path)

    monkeypatch.setattr(compare, "train", diverged)
    asked = tiny.replace(parts=("rates",))
    result = compare.compare(asked, tmp_path)
    assert [bool(c["failed"]) for c in result["cells"]] == [False, False, True]
    assert result["summary"]["stability"]["gan"]["failed"] == 1
    assert compare.compare(asked, tmp_path) == result and len(calls) == 3
    monkeypatch.setattr(compare, "train", lambda config, path: (_ for _ in ()).throw(WganError("no memory")))
    with pytest.raises(WganError, match="no memory"):
        compare.compare(asked, tmp_path / "other")


def test_a_run_of_other_data_in_the_comparison_is_refused(tmp_path, tiny):
    whole = compare.compare(tiny, tmp_path)
    ring = next(c["name"] for c in whole["cells"] if c["data"] == "ring")
    grid = next(c["name"] for c in whole["cells"] if c["data"] == "grid")
    runs = tmp_path / "runs"
    (runs / ring).rename(runs / "kept")
    (runs / grid).rename(runs / ring)
    (runs / ring / "comparison.json").unlink()
    with pytest.raises(WganError, match=r"not a run of this comparison \(data: grid -> ring"):
        compare.compare(tiny, tmp_path)


@pytest.mark.parametrize(
    "file", ["plan.json", "cpu.json", "comparison.json", "gan_s0.json", "compare.json", "index.html"]
)
def test_a_full_disk_is_one_sentence_and_the_comparison_goes_on(tmp_path, monkeypatch, tiny, command, file):
    words = ["compare", "gan", "--data", "ring", "--steps", "20", "--seeds", "1", "--parts", "quality,gradients"]
    replace = os.replace

    def full(source, target):
        if os.path.basename(target) == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    result = command(*words, "--out", tmp_path / "out")
    sentence = result.err.splitlines()[-1]  # below what it was doing
    assert (
        result.code == 2 and sentence.startswith("wgan: cannot write") and "no space left on device" in sentence.lower()
    )
    assert "Traceback" not in result.err + result.out
    monkeypatch.setattr(os, "replace", replace)
    assert command(*words, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "index.html").is_file()


def test_the_time_of_a_run_is_the_sum_of_its_parts(tmp_path):
    compare.spend(tmp_path, "a", 1.5)
    compare.spend(tmp_path, "b", 1.0)
    compare.spend(tmp_path, "a", 2.0)
    assert compare.spent(tmp_path) == {"a": 3.5, "b": 1.0}
    write_atomically(tmp_path / "cpu.json", b"{")
    assert compare.spent(tmp_path) == {}
