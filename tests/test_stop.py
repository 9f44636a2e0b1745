"""Leaving in time: a signal within a long critic phase or an evaluation, and a run that goes on there with the same bits."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from problems import images, images_config, points, points_config, train_on

from wgan import checkpoint, loop, monitor
from wgan import stop as stopping
from wgan.generate import load
from wgan.log import read_log
from wgan.run import open_run
from wgan.stop import Interrupted, Stop, stop_on_signal

N_CRITIC = 5
LONG = {"n_critic": N_CRITIC, "steps": 4, "sample_every": 2, "evaluate_every": 2, "checkpoint_every": 2}
SYSTEMS = {
    "mlp, clipping, halves, shared batches, last latents": (
        points_config(
            objective="wgan-clip",
            optimizer="rmsprop-keras",
            critic_update="separate",
            real_batches="shared",
            generator_latents="last",
            **LONG,
        ),
        points(),
    ),
    "conv, dropout, auxiliary classes": (
        images_config(dropout=0.4, class_critic=1.0, class_generator=1.0, conditioning="product", **LONG),
        images(),
    ),
    "conv, batch norm, average": (images_config(ema=0.9, beta1=0.5, conditioning="norm", **LONG), images()),
}
POINTS, CONV = "mlp, clipping, halves, shared batches, last latents", "conv, batch norm, average"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots at a run's end, and measure on few samples."""
    monkeypatch.setattr(loop, "finish_pictures", lambda run: None)
    monkeypatch.setattr(monitor, "SAMPLES", 20)


def train(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path, **changes: Any) -> loop.Outcome:
    config, source = SYSTEMS[name]
    train_on(monkeypatch, source)
    return loop.train(config.replace(**changes), folder, tty=False)


def kept(folder: Path, step: int = 4) -> dict[str, bytes]:
    """What two equal runs have in common to the last byte."""
    files = [*(folder / "samples").iterdir(), *(folder / "checkpoints").glob(f"step-{step:08d}.*")]
    return {p.name: p.read_bytes() for p in [*files, folder / "log.jsonl", folder / "config.json"]}


def logged(folder: Path) -> list[int]:
    return [r["step"] for r in read_log(folder) if "critic/loss" in r]


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def make(name: str, **changes: Any) -> dict[str, bytes]:
        train(monkeypatch, name, tmp_path / "whole", **changes)
        return kept(tmp_path / "whole")

    return make


def signal_at(patch: pytest.MonkeyPatch, step: int, k: int) -> None:
    """Send this process SIGTERM during critic update k of `step`, and give the step no time to end."""
    update, count = loop.critic_update, [0]

    def interrupted(*arguments: Any) -> Any:
        if count[0] == step * N_CRITIC + k:
            signal.raise_signal(signal.SIGTERM)
        count[0] += 1
        return update(*arguments)

    patch.setattr(loop, "critic_update", interrupted)
    patch.setattr(stopping, "PATIENCE", -1.0)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(("step", "k"), [(0, 0), (1, 2), (2, 3)])
def test_a_long_critic_phase_is_left_between_two_updates_and_goes_on_there(
    name: str, step: int, k: int, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected, run = whole(name), tmp_path / "run"
    with monkeypatch.context() as patch:
        signal_at(patch, step, k)
        assert train(monkeypatch, name, run).code == 128 + signal.SIGTERM
    manifest = json.loads((run / "checkpoints" / f"step-{step:08d}-{k + 1:04d}.json").read_text())
    assert manifest["step"] == step and manifest["updates"] == k + 1
    assert open_run(run).step == step
    outcome = train(monkeypatch, name, run)
    assert outcome.code == 0 and f"step {step} and {k + 1} critic updates of the next" in outcome.notes[-1]
    assert kept(run) == expected
    assert checkpoint.moments(run / "checkpoints") == [(2, 0), (4, 0)]  # the one within a step is gone


def test_only_the_last_update_of_a_step_is_not_cut_off(
    whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        signal_at(patch, 1, N_CRITIC - 1)
        train(monkeypatch, POINTS, tmp_path / "run")
    assert checkpoint.moments(tmp_path / "run" / "checkpoints")[-1] == (2, 0)


def test_stopping_in_every_step_and_again_in_the_same_one_changes_no_bit(
    whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected, run, stops = whole(CONV), tmp_path / "run", 0
    while True:
        with monkeypatch.context() as patch:
            signal_at(patch, 0, 1)  # in the second update of each process
            if train(monkeypatch, CONV, run).code == 0:
                break
            stops += 1
        assert len([m for m in checkpoint.moments(run / "checkpoints") if m[1]]) <= 1
    assert stops >= 2 * 4  # five updates a step, two for each process
    assert kept(run) == expected


def test_a_step_that_is_soon_done_is_finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        signal_at(patch, 1, 1)
        patch.setattr(stopping, "PATIENCE", 60.0)
        train(monkeypatch, POINTS, tmp_path)
    assert checkpoint.moments(tmp_path / "checkpoints") == [(2, 0)]


def test_a_run_stopped_within_its_first_step_cannot_be_sampled_yet_and_one_of_later_ones_as_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for step, words in ((0, "no checkpoint yet"), (2, "")):
        with monkeypatch.context() as patch:
            signal_at(patch, step, 0)
            train(monkeypatch, POINTS, tmp_path / str(step))
        if words:
            with pytest.raises(ValueError, match=words):
                load(tmp_path / str(step))
        else:
            assert load(tmp_path / str(step)).step == step


def test_a_damaged_checkpoint_within_a_step_is_set_aside(
    whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = whole(POINTS)
    with monkeypatch.context() as patch:
        signal_at(patch, 3, 1)
        train(monkeypatch, POINTS, tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-00000003-0002.safetensors").write_bytes(b"torn")
    notes = train(monkeypatch, POINTS, tmp_path / "run").notes
    assert "step-00000003-0002.safetensors is damaged" in notes[0] and notes[1].endswith("at step 2")
    assert kept(tmp_path / "run") == expected


@pytest.mark.parametrize(
    "changes",
    [
        *({"updates": wrong} for wrong in (-1, "1", 10**9, True, 1)),
        *({"retries": 1.5}, {"event": 3}, {"measured": [1]}, {"measured": {"critic/loss": "x"}}),
    ],
)
def test_a_manifest_whose_stop_makes_no_sense_is_damaged(
    changes: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train(monkeypatch, POINTS, tmp_path)
    path = tmp_path / "checkpoints" / "step-00000004.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    found, notes = checkpoint.load_newest(tmp_path / "checkpoints")
    assert found is not None and found.step == 2 and "step-00000004.json" in notes[0]


# --- within an evaluation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [2, 4])
@pytest.mark.parametrize("name", [POINTS, CONV])
def test_an_evaluation_is_left_at_once_and_made_again(
    name: str, at: int, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected, run, measure = whole(name), tmp_path / "run", monitor.Monitor.measure

    def long(self: Any, players: Any, step: int) -> Any:
        if step == at:
            signal.raise_signal(signal.SIGTERM)
            raise AssertionError("the signal did not leave the evaluation")
        return measure(self, players, step)

    with monkeypatch.context() as patch:
        patch.setattr(monitor.Monitor, "measure", long)
        assert train(monkeypatch, name, run).code == 143
    assert open_run(run).step == at and logged(run) == list(range(1, at))
    for _ in range(2):  # killed while it is made again, and again
        shutil.copytree(run, tmp_path / "copy")
        assert train(monkeypatch, name, tmp_path / "copy").code == 0
        assert kept(tmp_path / "copy") == expected
        shutil.rmtree(tmp_path / "copy")
    assert train(monkeypatch, name, run).code == 0
    assert kept(run) == expected
    assert "measured" not in json.loads((run / "checkpoints" / "step-00000004.json").read_text())


def test_a_signal_before_an_evaluation_leaves_it_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        signal_at(patch, 1, 1)
        patch.setattr(stopping, "PATIENCE", 60.0)
        patch.setattr(monitor.Monitor, "measure", lambda *_: pytest.fail("measured after the signal"))
        train(monkeypatch, CONV, tmp_path)
    assert json.loads((tmp_path / "checkpoints" / "step-00000002.json").read_text())["measured"]


# --- the handler ------------------------------------------------------------------------------------------------------


def test_the_first_signal_asks_and_the_second_leaves() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signal() as stop:
        assert not stop.overdue() and not stop.reason
        signal.raise_signal(signal.SIGTERM)
        assert (stop.reason, stop.code) == ("SIGTERM", 143) and not stop.overdue()
        stop.asked = time.monotonic() - stopping.PATIENCE - 1
        assert stop.overdue()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_done_again_is_left_at_once_only_within_its_block() -> None:
    with stop_on_signal() as stop:
        with pytest.raises(Interrupted), stop.leaving_at_once():
            signal.raise_signal(signal.SIGINT)
        assert stop.reason == "SIGINT" and not stop.at_once
        with pytest.raises(Interrupted), stop.leaving_at_once():
            pytest.fail("asked already: not even begun")
    assert Stop().reason == ""
