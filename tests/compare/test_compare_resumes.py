"""Test that a comparison that was interrupted, damaged or ran into a full disk goes on where it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal

import pytest
from helpers.comparisons import request

from wgan.compare import diagnostics, measure, plan
from wgan.compare import run as compare
from wgan.distributed import signals
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.runs.folder import open_run
from wgan.training import loop, recorder
from wgan.training.monitor import Monitor


@pytest.fixture
def tiny(monkeypatch):
    """Comparisons of tiny networks, without the costly parts of evaluation."""
    small = {"generator_layers": "8", "critic_layers": "8", "batch": 16, "latent": 2}
    for architecture in plan.ARCHITECTURES["points"].values():
        for name, value in small.items():
            monkeypatch.setitem(architecture, name, value)
    monkeypatch.setattr(measure, "SAMPLES", 200)
    monkeypatch.setattr(measure, "metrics_of", lambda source, long: ["modes"])
    figures = {"evaluate/selection": 1.0, "evaluate/wasserstein_train": 0.5}
    monkeypatch.setattr(Monitor, "measure", lambda self, players, step, *more: dict(figures))
    monkeypatch.setattr(Monitor, "alarms", lambda self, step, figures: [])
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    monkeypatch.setattr(recorder, "draw_grid", lambda *about: None)
    monkeypatch.setattr(compare, "vanishing", lambda config: {config.objective: [[0, 1.0], [1, 0.5]]})
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


def test_a_comparison_resumes_and_gives_the_same_values(tmp_path, monkeypatch, tiny):
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
    assert whole["steps"] == {"gan": 20} and whole["rate_factor"] == plan.POINT_RATE
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


def test_a_finished_run_without_a_log_is_named(tmp_path, tiny, command):
    """And it is trained again once its folder is deleted."""
    words = [
        "compare",
        "gan",
        "--data",
        "ring",
        "--steps",
        "20",
        "--seeds",
        "1",
        "--parts",
        "quality",
        "--out",
        tmp_path,
    ]
    assert command(*words).code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    (folder / "comparison.json").unlink()
    (folder / "log.jsonl").unlink()
    assert f"{folder}/log.jsonl holds no evaluation" in command(*words).err.splitlines()[-1]
    shutil.rmtree(folder)
    assert command(*words).code == 0


@pytest.mark.parametrize("part", ["cell", "metric", "gradient"])
def test_a_signal_while_measuring_stops_and_it_resumes(tmp_path, monkeypatch, tiny, command, part):
    words = ["compare", "gan", "--data", "ring", "--steps", "20", "--seeds", "2", "--parts", "quality,gradients"]
    words += ["--out", tmp_path / "out"]
    module, name = {
        "cell": (measure, "critic_weights"),
        "metric": (measure, "from_model"),
        "gradient": (diagnostics, "generator_gradients"),
    }[part]
    real = getattr(module, name)
    if part == "gradient":
        monkeypatch.setattr(compare, "vanishing", lambda config: diagnostics.vanishing(config, (0, 3)))
    calls = []

    def struck(*about):
        calls.append(name)
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*about)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(module, name, struck)
    result = command(*words)
    assert result.code == 143 and "the same command resumes it" in result.out and "Traceback" not in result.err
    assert len(calls) == 1 and signal.getsignal(signal.SIGTERM) == before
    monkeypatch.setattr(module, name, real)
    assert command(*words).code == 0 and (tmp_path / "out" / "index.html").is_file()


def test_a_signal_between_two_parts_of_a_reading_stops_it(tmp_path, monkeypatch):
    (one,) = plan.trials(request(objectives=("gan",), parts=("quality",), seeds=1), False, {"gan": 20})
    calls = []

    def struck():
        calls.append("check")
        if len(calls) > 1:
            raise compare.Interrupted(143)

    monkeypatch.setattr(compare, "trained_run", lambda *about: None)
    monkeypatch.setattr(compare, "run_reading", lambda cell, run: signals.check())
    with pytest.raises(compare.Interrupted), signals.checking(struck):
        compare.measure_trial(one, tmp_path, False)
    assert len(calls) == 2 and not list(tmp_path.iterdir())


def test_the_time_of_a_training_that_was_stopped_counts(tmp_path, monkeypatch):
    (one,) = plan.trials(request(objectives=("gan",), parts=("quality",), seeds=1), False, {"gan": 20})
    times = iter([1.0, 3.5])
    monkeypatch.setattr(compare.time, "process_time", lambda: next(times))
    monkeypatch.setattr(compare, "train", lambda *about: (_ for _ in ()).throw(compare.Interrupted(130)))
    with pytest.raises(compare.Interrupted):
        compare.trained_run(one.config(False), one.name, tmp_path)
    assert compare.spent(tmp_path) == {one.name: 2.5}


def test_a_signal_while_training_is_passed_on(tmp_path, monkeypatch, tiny, command):
    class Ended:
        code = 130

    monkeypatch.setattr(compare, "train", lambda config, path: Ended())
    result = command("compare", "gan", "--data", "ring", "--steps", "20", "--seeds", "1", "--out", tmp_path / "out")
    assert result.code == 130 and "the same command resumes it" in result.out


def test_a_diverged_run_counts_as_failed_and_is_not_repeated(tmp_path, monkeypatch, tiny):
    real, calls = compare.train, []

    def diverged(config, path):
        calls.append(path.name)
        if config.lr > 3 * plan.POINT_RATE * 1e-4:
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
