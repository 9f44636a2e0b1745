"""Runs of many processes: going on with another number, signals, kills, and what they say when one of them fails."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from helpers import group_workers as workers
from helpers.problems import EXACTLY, farthest, images_config
from helpers.process_group import Together
from torch import Tensor

from wgan.runs import checkpoint
from wgan.runs.log import read_log


def trained(folder: Path, processes: int, name: str, options: dict[str, Any], fault: str = "") -> list[int]:
    """Train in a group; return what each process returned."""
    meeting = folder / f"{name} {processes} {fault} {len(list(folder.iterdir()))}"
    return Together(meeting, processes, workers.train, str(folder / name), options, 120.0, fault).results()


def final(run: Path, step: int) -> dict[str, Tensor]:
    return checkpoint.load(run / "checkpoints", step).tensors


def contents(run: Path) -> dict[str, bytes]:
    """What two equal runs have in common to the last byte."""
    files = [*run.rglob("*.png"), *run.rglob("step-*6.*"), run / "log.jsonl", run / "run.json", run / "config.json"]
    return {p.name: p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert trained(folder, 2, "run", {}) == [0, 0]
    return folder / "run"


def test_a_run_goes_on_with_another_number_of_processes(whole: Path, tmp_path: Path) -> None:
    config = images_config(**{**workers.EIGHT, "n_critic": 2, "ema": 0.9, "checkpoint_every": 2})
    for name, turns in {"up": (1, 4), "down": (4, 1)}.items():
        for processes, last in zip(turns, (3, 6), strict=True):
            assert set(trained(tmp_path, processes, name, {"steps": last})) == {0}
        assert farthest(final(whole, 6), final(tmp_path / name, 6), config)[0] < EXACTLY
        assert [r["step"] for r in read_log(tmp_path / name) if "critic/loss" in r] == [1, 2, 3, 4, 5, 6]
        for mine, theirs in zip(read_log(tmp_path / name), read_log(whole), strict=True):
            assert figures(mine) == pytest.approx(figures(theirs), rel=1e-6, abs=1e-8)


def figures(record: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in record.items() if not isinstance(value, str)}


def test_only_the_first_process_writes(whole: Path) -> None:
    assert not (whole.parent / "run-1").exists()  # where the second one was told to
    facts = json.loads((whole / "run.json").read_text())
    assert facts["processes"] == 2 and facts["threads"] == 1


@pytest.mark.parametrize(
    ("fault", "codes"),
    [("one hears SIGTERM", [143, 143]), ("leader hears SIGINT", [130, 130])],
)
def test_a_signal_to_one_process_stops_all_at_the_same_step(
    fault: str, codes: list[int], whole: Path, tmp_path: Path
) -> None:
    """And the run resumes."""
    assert trained(tmp_path, 2, "run", {}, fault) == codes
    assert max(checkpoint.moments(tmp_path / "run" / "checkpoints")) == (3, 0)
    assert trained(tmp_path, 2, "run", {}) == [0, 0]
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize(("fault", "victim"), [("killed", 1), ("leader killed", 0)])
def test_a_killed_process_ends_the_others_and_no_bit_changes(
    fault: str, victim: int, whole: Path, tmp_path: Path
) -> None:
    """The run resumes with the same bits."""
    group = Together(tmp_path / "meeting", 2, workers.train, str(tmp_path / "run"), {}, 120.0, fault)
    codes = group.join()
    assert codes[victim] == -signal.SIGKILL and codes[1 - victim] == 0
    assert json.loads((tmp_path / "meeting" / f"result-{1 - victim}").read_text()) == 3
    said = group.text(1 - victim)
    assert "Traceback" not in said
    assert ("another process ended: training stopped, the last checkpoint is kept" in said) == (victim == 1)
    assert trained(tmp_path, 2, "run", {}) == [0, 0]
    assert contents(tmp_path / "run") == contents(whole)


def test_a_stuck_process_is_named_after_the_timeout(tmp_path: Path) -> None:
    group = Together(tmp_path / "meeting", 2, workers.train, str(tmp_path / "run"), {}, 2.0, "stopped")
    group.processes[0].join(120)
    os.kill(group.processes[1].pid, signal.SIGKILL)
    group.join()
    assert json.loads((tmp_path / "meeting" / "result-0").read_text()) == 3
    assert "process 1 gave no answer for 2 s (stuck, or cut off)" in group.text(0) and "Traceback" not in group.text(0)
    found, notes = checkpoint.load_newest(tmp_path / "run" / "checkpoints")
    assert found is not None and found.step == 3 and not notes  # what was saved before is whole


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("other versions", "differs from process 0 (torch: "),
        ("other options", "differs from process 0 (batch: 8 -> 16): start every process with the same options"),
        ("no data", "process 1 on "),
        ("full disk", "cannot write: no space left"),
        ("drift", "machines that round differently cannot train together"),
    ],
)
def test_a_mistake_on_one_process_is_one_sentence_and_ends_all(fault: str, words: str, tmp_path: Path) -> None:
    """The first process says the sentence."""
    group = Together(tmp_path / "meeting", 2, workers.train, str(tmp_path / "run"), {}, 120.0, fault)
    assert group.results() == [2, 2]
    (sentence,) = [line for line in group.text(0).splitlines() if line.startswith("wgan: ")]
    assert words in sentence and "Traceback" not in group.text(0) + group.text(1)
    assert "wgan: " not in group.text(1)


def test_a_bad_loss_on_one_process_stops_all_or_all_go_back(tmp_path: Path) -> None:
    """A loss that is not a finite number."""
    assert trained(tmp_path, 2, "stopped", {}, "not a number") == [2, 2]
    (name,) = [p.name for p in (tmp_path / "stopped").glob("not-finite-*")]
    assert name == "not-finite-00000004.json"
    assert trained(tmp_path, 2, "back", {"on_nan": "rollback"}, "not a number") == [0, 0]
    assert any("went back" in str(r.get("alarm", "")) for r in read_log(tmp_path / "back"))
    assert max(checkpoint.moments(tmp_path / "back" / "checkpoints")) == (6, 0)


def test_bits_do_not_depend_on_chance(whole: Path, tmp_path: Path) -> None:
    assert trained(tmp_path, 2, "run", {}, "another order") == [0, 0]
    assert contents(tmp_path / "run") == contents(whole)
