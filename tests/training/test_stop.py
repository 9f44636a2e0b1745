"""Leaving in time: a signal within a long critic phase or an evaluation, and a run that goes on there with the same bits."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from helpers.interrupted import CONV, N_CRITIC, POINTS, SYSTEMS, kept, logged, train

from wgan import progress
from wgan.distributed import signals as stopping
from wgan.distributed.signals import Interrupted
from wgan.runs import checkpoint, log
from wgan.runs.folder import open_run
from wgan.sampling.model import load
from wgan.training import loop, monitor, pictures, recorder
from wgan.training import step as phases
from wgan.visual import plots


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots at a run's end, and measure on few samples."""
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    monkeypatch.setattr(monitor, "SAMPLES", 20)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def make(name: str, **changes: Any) -> dict[str, bytes]:
        train(monkeypatch, name, tmp_path / "whole", **changes)
        return kept(tmp_path / "whole")

    return make


def signal_at(patch: pytest.MonkeyPatch, step: int, k: int) -> None:
    """Send this process SIGTERM during critic update k of `step`, and give the step no time to end."""
    update, count = phases.critic_update, [0]

    def interrupted(*arguments: Any) -> Any:
        if count[0] == step * N_CRITIC + k:
            signal.raise_signal(signal.SIGTERM)
        count[0] += 1
        return update(*arguments)

    patch.setattr(phases, "critic_update", interrupted)
    patch.setattr(stopping, "PATIENCE", -1.0)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(("step", "k"), [(0, 0), (1, 2), (2, 3)])
def test_a_long_critic_phase_is_left_between_two_updates(
    name: str, step: int, k: int, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And resumes there."""
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


def test_stopping_in_every_step_changes_no_bit(whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And again in the same one."""
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


def test_a_run_stopped_within_its_first_step_is_not_sampled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One stopped in a later step is sampled as before."""
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
        *({"share": wrong} for wrong in ("x", -0.1, 2, None, True, float("nan"))),
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
            stopping.check()
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
        patch.setattr(monitor.Monitor, "fakes", lambda *_: pytest.fail("measured after the signal"))
        train(monkeypatch, CONV, tmp_path)
    assert json.loads((tmp_path / "checkpoints" / "step-00000002.json").read_text())["measured"]


# --- where a signal may come ------------------------------------------------------------------------------------------

MOMENTS = {
    "the step": (loop, "take_step", 3),
    "a line of the log": (log.Log, "scalars", 3),
    "a sheet": (recorder, "draw_grid", 2),
    "a checkpoint": (recorder, "save", 1),
    "the progress line": (progress.Progress, "update", 2),
    "after the last checkpoint": (recorder, "save", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_wherever_a_signal_comes_all_that_is_logged_is_saved(
    moment: str, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    """And said."""
    expected, run = whole(POINTS), tmp_path / "run"
    owner, name, count = MOMENTS[moment]
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "PATIENCE", 60.0)
        signal_after(patch, owner, name, count)
        outcome = train(monkeypatch, POINTS, run)
    said = capsys.readouterr().out
    assert outcome.code == 143 and outcome.run.step == logged(run)[-1]
    if "last" not in moment:
        assert f"SIGTERM: saving step {outcome.run.step}, then leaving" in said and outcome.run.step < 4
    assert train(monkeypatch, POINTS, run).code == 0
    assert kept(run) == expected


def signal_after(patch: pytest.MonkeyPatch, owner: Any, name: str, count: int) -> None:
    """Send this process SIGTERM right after call `count` of a function."""
    works, left = getattr(owner, name), [count]

    def then_asked(*arguments: Any, **options: Any) -> Any:
        result = works(*arguments, **options)
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGTERM)
        return result

    patch.setattr(owner, name, then_asked)


@pytest.mark.parametrize("part", ["fakes", "gaps", "scores_of", "quality"])
def test_each_part_of_an_evaluation_is_left(part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The signal comes when the part begins; nothing that takes long is begun after it."""
    owner: Any = monitor if part == "scores_of" else monitor.Monitor
    works, after = getattr(owner, part), []

    def asked(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        patch.setattr(monitor, "judge", lambda *_: after.append("judge"))
        patch.setattr(monitor, "exact_w1", lambda *_: after.append("exact_w1"))
        return works(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(stopping, "PATIENCE", 60.0)
        patch.setattr(owner, part, asked)
        if part == "quality":  # its one figure is not cut
            patch.setattr(monitor.Monitor, "quality", works)
            patch.setattr(
                monitor, "norms_at_samples", lambda *a: (signal.raise_signal(signal.SIGTERM), monitor.torch.ones(2))[1]
            )
            patch.setattr(monitor, "exact_w1", lambda *_: after.append("exact_w1"))
        assert train(monkeypatch, POINTS, tmp_path).code == 143
    assert after == []
    assert json.loads((tmp_path / "checkpoints" / "step-00000002.json").read_text())["measured"]


@pytest.mark.parametrize(
    ("late", "listed", "expected"),
    [(True, True, set()), (False, False, {"progress.gif"}), (False, True, {"losses.png", "progress.gif"})],
)
def test_late_pictures_are_left_out(
    late: bool, listed: bool, expected: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So are plots that would wait for the list of fonts."""
    monkeypatch.setattr(loop, "finish_pictures", pictures.finish_pictures)
    monkeypatch.setattr(loop, "fonts_are_listed", lambda: listed)
    monkeypatch.setattr(stopping, "PICTURES", -1.0 if late else 600.0)
    monkeypatch.setattr(stopping, "PLOTS", -1.0 if late else 600.0)
    signal_at(monkeypatch, 1, 4)
    train(monkeypatch, POINTS, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} & {"losses.png", "progress.gif", ".progress.gif.part"} == expected


def test_an_animation_is_left_between_two_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the animation of before is kept."""
    train(monkeypatch, POINTS, tmp_path)
    pictures.finish_pictures(open_run(tmp_path))
    before, calls = (tmp_path / "progress.gif").read_bytes(), []

    def hurry() -> None:
        calls.append(1)
        if len(calls) == 4:  # before each file, before the first frame, before the second
            raise Interrupted

    (tmp_path / "samples" / "step-00000009.png").write_bytes((tmp_path / "samples" / "step-00000004.png").read_bytes())
    with pytest.raises(Interrupted), stopping.checking(hurry):
        pictures.finish_pictures(open_run(tmp_path))
    assert (tmp_path / "progress.gif").read_bytes() == before
    assert not list(tmp_path.glob(".*.part"))


def test_no_plot_waits_for_the_list_of_fonts_after_a_signal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(matplotlib, "get_cachedir", lambda: str(tmp_path))
    assert not plots.fonts_are_listed()
    (tmp_path / "fontlist-v390.json").write_text("{}")
    assert plots.fonts_are_listed()
