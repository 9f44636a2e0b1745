"""Test `wgan compare`: its budgets, how it refuses, how it is interrupted and goes on."""

from __future__ import annotations

import json

import pytest
from helpers.comparisons import FOUR, request

from wgan.cli.main import parse
from wgan.compare import plan
from wgan.compare import run as compare
from wgan.distributed.signals import checking
from wgan.errors import WganError

# --- what is asked and within which budget ----------------------------------------------------------------------------


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
            for c in plan.trials(request(objectives=(name,), parts=("quality",)), False, {name: 20})
        )
        source = compare.open_source("grid", "train")
        players = compare.make_players(config, compare.engine_for(config, source), source)
        players.critic.register_forward_hook(lambda *about: passes.append(len(about[1][0]) / 16))
        compare.critic_phase(players, source, 0)
        compare.generator_phase(players, source, 0)
        assert sum(passes) == plan.forwards(name)


def test_a_step_is_timed_by_the_processor_and_not_by_the_clock(monkeypatch):
    times = iter([5.0, 7.0])
    monkeypatch.setattr(compare.time, "process_time", lambda: next(times))
    monkeypatch.setattr(compare.time, "perf_counter", lambda: pytest.fail("the clock on the wall"))
    monkeypatch.setattr(compare, "make_players", lambda *about: None)
    monkeypatch.setattr(compare, "critic_phase", lambda *about: {})
    monkeypatch.setattr(compare, "generator_phase", lambda *about: {})
    (cell,) = plan.trials(request(objectives=("gan",), parts=("quality",), seeds=1), False, {"gan": 20})
    assert compare.seconds_per_step(cell, False) == 2.0 / compare.PROBE


@pytest.mark.parametrize(
    ("words", "seeds", "steps", "without"), [(["--quick"], 1, 500, {"architectures"}), ([], 3, 4000, set())]
)
def test_quick_is_one_seed_fewer_steps_and_one_architecture(words, seeds, steps, without):
    asked = compare.request_of(parse(["compare", *words]))
    assert (asked.objectives, asked.data, asked.seeds, asked.amount) == (FOUR, "grid", seeds, steps)
    assert set(plan.PARTS) - set(asked.parts) == without


def test_the_line_of_an_objective_tells_the_first_known_values(command, monkeypatch):
    known = {f"figure-{i}": {"mean": float(i), "spread": 0.5} for i in range(1, 6)}
    found = {"quality": {"gan": {"unknown": {"mean": None, "spread": None}, **known}}, "gradients": {}}
    found["stability"] = {"gan": {"groups": {}, "reached": None, "runs": 0}}
    monkeypatch.setattr(compare, "compare", lambda *about: {"summary": found})
    line = command("compare", "gan").out.splitlines()[0]
    assert line.split("  ")[-4:] == [f"figure-{i} {i} ± 0.5" for i in range(1, 5)] and line.startswith("gan ")
    found["quality"]["gan"] = {}
    found["stability"] = {"gan": {"groups": {"mlp": {}}, "reached": 1 / 3, "runs": 9}}
    found["gradients"] = {"gan": {"mean": -1.234}}
    assert command("compare", "gan").out.splitlines()[0].split(maxsplit=1) == [
        "gan",
        "stable 33 % of 9  gradient 10^-1.23",
    ]


def test_a_signal_between_two_runs_stops_before_the_next(tmp_path):
    def struck():
        raise compare.Interrupted(143)

    (one,) = plan.trials(request(objectives=("gan",), parts=("quality",), seeds=1), False, {"gan": 20})
    with pytest.raises(compare.Interrupted), checking(struck):
        compare.measure_trial(one, tmp_path, False)
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
        (["--parts", ""], "unknown part ''"),
        (["--parts", "rates,rates"], "twice"),
        (["runs/mnist"], "wgan report"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(command, tmp_path, words, part):
    assert part in command("compare", *words, "--out", tmp_path / "out").sentence()
    assert not (tmp_path / "out").exists()


def test_a_time_budget_below_one_evaluation_is_refused(command, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "seconds_per_step", lambda cell, is_image: 1.0)
    assert "only 19 steps" in command("compare", "--budget", "19s", "--out", tmp_path / "out").sentence()
    assert not (tmp_path / "out").exists()


def test_another_request_or_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"request": request().as_dict(), "steps": dict.fromkeys(FOUR, 100)}))
    assert compare.plan_in(request(), tmp_path, False)["steps"]["gan"] == 100
    for other in ({"seeds": 5}, {"data": "ring"}, {"parts": ("quality",)}, {"kind": "forwards"}, {"amount": 101}):
        with pytest.raises(WganError, match="another comparison"):
            compare.plan_in(request(**other), tmp_path, False)
    asked = request(parts=("rates", "quality"))  # in any order
    (tmp_path / "plan.json").write_text(json.dumps({"request": asked.as_dict(), "steps": dict.fromkeys(FOUR, 100)}))
    assert compare.plan_in(request(parts=("quality", "rates")), tmp_path, False)["steps"]["gan"] == 100
    for text in ("", "[]", '{"request": {'):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(WganError, match=r"plan\.json is damaged: delete it"):
            compare.plan_in(request(), tmp_path, False)
    for text in ('{"request": 1}', json.dumps({"request": request().as_dict()})):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(WganError, match="another comparison"):
            compare.plan_in(request(), tmp_path, False)
    (tmp_path / "plan.json").rename(tmp_path / "precious.txt")
    for out in (tmp_path, tmp_path / "precious.txt"):
        with pytest.raises(WganError, match=f"{out} is not a comparison"):
            compare.plan_in(request(), out, False)
    (tmp_path / "precious.txt").rename(tmp_path / "runs")  # runs of anybody
    with pytest.raises(WganError, match="not a comparison"):
        compare.plan_in(request(), tmp_path, False)
    (tmp_path / "cpu.json").write_text("{}")
    (tmp_path / "precious.txt").touch()
    with pytest.raises(WganError, match="not a comparison"):
        compare.plan_in(request(), tmp_path, False)
    (tmp_path / "precious.txt").unlink()
    assert compare.plan_in(request(), tmp_path, False)["steps"]["gan"] == 100


def test_a_plan_killed_while_it_was_written_is_written_again(tmp_path):
    (tmp_path / ".plan.json.tmp").write_text("{")
    assert compare.plan_in(request(), tmp_path, False)["steps"] == dict.fromkeys(FOUR, 100)
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
