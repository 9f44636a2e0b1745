"""Test `wgan compare`: the plan of its runs, the arithmetic of its answers, its page, and how it refuses."""

from __future__ import annotations

import json
import math

import pytest

from wgan import cells, compare, showing, tally
from wgan.cells import Request
from wgan.errors import WganError

FOUR = ("gan", "wgan-clip", "wgan-gp", "wgan-lp")


def request(**changes):
    return Request(**{"objectives": FOUR, "data": "grid", "seeds": 2, "kind": "steps", "amount": 100, **changes})


def cell(objective, figures, *, parts=("quality", "rates"), seed=0, rate=1.0, data="grid", failed="", **more):
    curve = [] if failed else [[10, 3.0, 2 * figures], [20, 2.0, 1.5 * figures], [30, 1.0, figures]]
    about = {
        "objective": objective,
        "parts": list(parts),
        "seed": seed,
        "rate": rate,
        "data": data,
        "architecture": "mlp",
    }
    shown = {} if failed else {"modes-reached": {"value": 25.0 - figures, "floor": 25.0, "better": "higher"}}
    return {**about, "name": f"{objective}-{seed}", "failed": failed, "figures": shown, "curve": curve, "tracks": 1.0,
            "slope_mean": 1.0, "slope_max": 2.0, "share_clipped": None, "weights": {}, **more}  # fmt: skip


def result_of(found, **changes):
    names = list(dict.fromkeys(c["objective"] for c in found))
    about = {**request().as_dict(), "objectives": names, **changes}
    result = {"format": 1, "request": about, "steps": dict.fromkeys(names, 30), "cells": found}
    result["gradients"] = {name: [[0, 1.0], [500, 0.001]] for name in names}
    return {**result, "summary": tally.summary(result)}


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
                      "data", "threads", "evaluate_every"):  # fmt: skip
            assert getattr(config, field) == getattr(other, field), field


def test_the_plan_has_each_run_once_and_all_that_the_questions_need():
    found = cells.cells(request(), False, dict.fromkeys(FOUR, 100))
    assert len({c.name for c in found}) == len(found)
    # 2 seeds and 4 objectives of: grid at three rates, ring, two more architectures
    assert len(found) == 2 * 4 * (3 + 1 + 2)
    first = next(
        c for c in found if c.objective == "gan" and c.data == "grid" and c.rate == 1 and c.architecture == "mlp"
    )
    assert set(first.parts) == {"quality", "collapse", "rates", "architectures"}
    assert len(cells.cells(request(seeds=1, quick=True), False, dict.fromkeys(FOUR, 100))) == 4 * (3 + 1)


def test_the_learning_rate_of_a_cell_is_its_objectives_own_times_the_factor():
    found = {(c.objective, c.rate): c.config(False) for c in cells.cells(request(), False, dict.fromkeys(FOUR, 100))}
    assert found["wgan-clip", 3.0].lr == pytest.approx(1.5e-4) and found["gan", 1.0].lr == 2e-4
    assert found["wgan-clip", 1.0].optimizer == "rmsprop" and found["wgan-gp", 1.0].n_critic == 5


def test_budgets_become_steps(monkeypatch):
    assert compare.steps_of(request(amount=70), False) == dict.fromkeys(FOUR, 70)
    # one pass each on real and fake, one at the penalty's points, five times a step, and one for the generator
    forwards = compare.steps_of(request(kind="forwards", amount=1100), False)
    assert forwards == {"gan": 1100 // 3, "wgan-clip": 100, "wgan-gp": 1100 // 16, "wgan-lp": 1100 // 16}
    monkeypatch.setattr(compare, "seconds_per_step", lambda cell, is_image: 0.5 if cell.objective == "gan" else 2.0)
    assert compare.steps_of(request(kind="seconds", amount=60), False)["gan"] == 120
    assert compare.steps_of(request(kind="seconds", amount=60), False)["wgan-gp"] == 30
    assert [compare.seconds_of(t) for t in ("90s", "10m", "1.5h")] == [90, 600, 5400]


def test_mean_and_spread_are_those_of_the_seeds():
    assert tally.mean_spread([1.0, 3.0, None]) == {"mean": 2.0, "spread": math.sqrt(2), "n": 2}
    assert tally.mean_spread([5.0])["spread"] == 0.0 and tally.mean_spread([])["mean"] is None


def test_stability_is_the_share_of_runs_within_twice_the_best():
    found = [cell("gan", 1.0), cell("gan", 2.0, seed=1), cell("gan", 2.1, rate=3.0, parts=("rates",)),
             cell("gan", 9, rate=3.0, seed=1, parts=("rates",), failed="critic/loss is not finite at step 4"),
             cell("gan", 0.1, data="ring", parts=("collapse",))]  # fmt: skip
    summary = result_of(found)["summary"]
    assert summary["threshold"] == 2.0
    row = summary["stability"]["gan"]
    assert (row["reached"], row["runs"], row["failed"]) == (0.5, 4, 1)
    assert row["groups"]["rate × 1"]["reached"] == 1.0 and row["groups"]["rate × 3"]["reached"] == 0.0
    assert row["groups"]["rate × 3"]["mean"] == 2.1
    assert summary["collapse"]["grid: modes-reached"]["gan"]["mean"] == 23.5
    assert summary["collapse"]["ring: modes-reached"]["gan"]["floor"] == 25.0


def test_the_page_shows_every_answer_and_escapes_what_it_is_told(tmp_path):
    evil = "<script>alert(1)</script>"
    weights = {"edges": [-1.0, 0.0, 1.0], "shares": [0.25, 0.75], "largest": 1.0, "rms": 0.5}
    found = [cell("gan", 1.0), cell("gan", 2.0, seed=1), cell("wgan-clip", 1.0, weights=weights, share_clipped=0.5, failed=""),
             cell("wgan-clip", 1.0, seed=1, failed=evil)]  # fmt: skip
    found = [{**c, "data": evil} for c in found]
    result = result_of(found, data=evil)
    showing.write_page(result, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert page.count("<script") == 2 and "alert(1)" in page and "http" not in page.replace("http-equiv", "")
    for text in ("50 % of the clipped ones on the bound", "Vanishing gradients", "1 diverged", "Spearman 1.00"):
        assert text in page, text
    assert page.count("<svg") == 1 + 1 + 2 + 1  # over time, gradients, two scatters, one histogram


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
        (["--steps", "0"], "more than 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(command, tmp_path, words, part):
    assert part in command("compare", *words, "--out", tmp_path / "out").sentence()
    assert not (tmp_path / "out").exists()


def test_another_request_or_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"request": request().as_dict(), "steps": dict.fromkeys(FOUR, 100)}))
    assert compare.planned(request(), tmp_path, False)["steps"]["gan"] == 100
    with pytest.raises(WganError, match="another comparison"):
        compare.planned(request(seeds=5), tmp_path, False)
    (tmp_path / "plan.json").rename(tmp_path / "precious.txt")
    with pytest.raises(WganError, match="not a comparison"):
        compare.planned(request(), tmp_path, False)


def test_a_comparison_goes_on_where_it_was_and_gives_the_same_figures(tmp_path, monkeypatch):
    tiny = {"generator_layers": "8", "critic_layers": "8", "batch": 16, "latent": 2}
    for architecture in cells.ARCHITECTURES["points"].values():
        for name, value in tiny.items():
            monkeypatch.setitem(architecture, name, value)
    monkeypatch.setattr(compare, "SAMPLES", 200)
    monkeypatch.setattr(compare, "metrics_of", lambda data, is_image, long: ["modes"])
    figures = {"evaluate/selection": 1.0, "evaluate/wasserstein_train": 0.5}
    monkeypatch.setattr("wgan.monitor.Monitor.measure", lambda self, players, step: dict(figures))
    monkeypatch.setattr("wgan.monitor.Monitor.alarms", lambda self, step, figures: [])
    monkeypatch.setattr("wgan.loop.finish_pictures", lambda *_, **__: None)
    monkeypatch.setattr("wgan.desk.draw_sheet", lambda *about: None)
    monkeypatch.setattr(compare, "vanishing", lambda config: {config.objective: [(0, 1.0), (1, 0.5)]})
    asked = request(objectives=("gan",), seeds=1, amount=20, quick=True, data="ring")
    whole = compare.compare(asked, tmp_path / "whole")
    real, calls = compare.train, []

    def stopped(config, path):
        calls.append(path)
        if len(calls) == 2:
            raise compare.Stopped(130)
        return real(config, path)

    monkeypatch.setattr(compare, "train", stopped)
    with pytest.raises(compare.Stopped):
        compare.compare(asked, tmp_path / "parts")
    again = compare.compare(asked, tmp_path / "parts")
    assert len(calls) == 1 + len(whole["cells"])  # the finished run was not trained again
    for one, other in zip(again["cells"], whole["cells"], strict=True):
        assert one == other
    assert again == whole
    assert (tmp_path / "parts" / "index.html").is_file()
