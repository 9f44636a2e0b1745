"""Signals, kills and cadences: the same bytes in the end, whatever happened on the way."""

import random
import signal
import subprocess
import sys
import time

import pytest
from conftest import CONDITIONAL
from helpers.child_processes import Child, finished_bytes, logged, wait_for
from helpers.run_folders import LAST, WORDS, without_events

from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.runs.log import read_log
from wgan.training import monitor

# --- the same bytes, whatever happens ---------------------------------------------------------------------------------


def assert_same(run, uninterrupted):
    found = finished_bytes(run, LAST)
    assert found.keys() == uninterrupted.keys()
    assert [name for name in uninterrupted if found[name] != uninterrupted[name]] == []


def finish(run, tmp_path, uninterrupted):
    """Run the same command once more: it ends, and with the same bytes."""
    child = Child([*WORDS, "--run", str(run)], tmp_path / "out")
    assert child.code() == 0, child.text()
    assert_same(run, uninterrupted)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_stopped_by_a_signal_ends_with_the_same_bytes(tmp_path, uninterrupted, number, code):
    """A signal saves and leaves; the same command again finishes the run."""
    run = tmp_path / "run"
    child = Child([*WORDS, "--run", str(run)], tmp_path / "first", pause=0.05)
    wait_for(lambda: logged(run, 7))
    child.send(number)
    assert child.code() == code, child.text()
    step = open_run(run).step
    assert 7 <= step < LAST and read_log(run)[-1]["step"] == step
    assert checkpoint.load(run / "checkpoints", step).step == step
    assert (run / "losses.png").is_file() and (run / "progress.gif").is_file()
    said = child.text()
    assert f"stopped at step {step}" in said and "the same command resumes it" in said and "Traceback" not in said
    finish(run, tmp_path, uninterrupted)
    assert f"continuing: {run} at step {step}" in (tmp_path / "out").read_text()
    assert checkpoint.saved_steps(run / "checkpoints") == [12, 15, 20, 24]  # where it was stopped is not to be seen


def test_a_second_ctrl_c_leaves_at_once_with_a_valid_folder(tmp_path, uninterrupted):
    run = tmp_path / "run"
    child = Child([*WORDS, "--run", str(run)], tmp_path / "first", pause=300)
    wait_for((run / "samples" / "step-00000000.png").exists)
    child.send(signal.SIGINT)
    wait_for(lambda: "asked" in child.text())  # two signals at the same time would be one
    child.send(signal.SIGINT)
    assert child.code() == 130  # its first step takes five minutes
    assert "Traceback" not in child.text()
    finish(run, tmp_path, uninterrupted)


def test_a_kill_before_any_rename_changes_nothing_in_the_end(tmp_path, uninterrupted):
    run = tmp_path / "run"
    moments = ["run.json", "config.json", "log.jsonl", "step-00000000.png", "step-00000005.safetensors"]
    moments += [
        "step-00000005.json",
        "step-00000008.png",
        "step-00000015.json",
        "step-00000024.safetensors",
        "progress.gif",
    ]
    for moment in moments:
        child = Child([*WORDS, "--run", str(run)], tmp_path / "first", kill_at=moment)
        assert child.code() == 137, (moment, child.text())
    assert "Traceback" not in child.text()
    finish(run, tmp_path, uninterrupted)
    assert not [p for p in run.rglob(".*") if p.name != ".lock"]  # nothing half written is left


def test_kills_at_random_moments_change_nothing_in_the_end(tmp_path, uninterrupted):
    run = tmp_path / "run"
    moments = random.Random(7)
    for _ in range(3):
        at = (len(read_log(run)) if run.exists() else 0) + moments.randrange(1, 7)
        child = Child([*WORDS, "--run", str(run)], tmp_path / "first", pause=0.02)
        wait_for(lambda at=at: logged(run, at))
        time.sleep(moments.random() * 0.02)
        child.send(signal.SIGKILL)
        assert child.code() == 137
    finish(run, tmp_path, uninterrupted)


def test_a_longer_run_is_the_shorter_one_continued(tmp_path, command, cheap):
    short, long = tmp_path / "short", tmp_path / "long"
    cadence = ["--log-every", 2, "--sample-every", 2, "--evaluate-every", 2]
    for run, steps in ((short, 4), (short, 6), (long, 6)):
        assert command(*WORDS, "--run", run, "--steps", steps, *cadence).code == 0
    for name in ("log.jsonl", "config.json", "checkpoints/step-00000006.safetensors", "samples/step-00000006.png"):
        assert (short / name).read_bytes() == (long / name).read_bytes()


@pytest.mark.parametrize(
    "flag", ["--log-every=3", "--sample-every=5", "--evaluate-every=1", "--checkpoint-every=1", "--keep-every=4"]
)
def test_how_often_a_duty_falls_changes_no_weight(tmp_path, command, cheap, flag, uninterrupted):
    """Logging, sampling, evaluating, saving."""
    assert command(*WORDS, "--run", tmp_path, flag).code == 0
    name = f"checkpoints/step-{LAST:08d}.safetensors"
    assert (tmp_path / name).read_bytes() == uninterrupted[name]


def test_checkpoints_of_every_so_many_steps_are_kept_for_good(tmp_path, command, cheap):
    assert command(*WORDS, "--run", tmp_path, "--keep-every", 7).code == 0
    assert checkpoint.saved_steps(tmp_path / "checkpoints") == [7, 12, 14, 15, 20, 21, 24]
    assert command(*WORDS, "--run", tmp_path, "--steps", 25).code == 0  # the option may change; what is there goes
    assert checkpoint.saved_steps(tmp_path / "checkpoints") == [12, 15, 20, 25]


def test_drawing_grids_leaves_batch_norm_statistics_alone(tmp_path, command, cheap):
    words = ["train", *CONDITIONAL, "--ema", "0", "--steps", "3", "--batch", "8", "--threads", "1"]
    assert all(command(*words, f"--sample-every={k}", "--run", tmp_path / str(k)).code == 0 for k in (0, 1))
    one, two = (tmp_path / k / "checkpoints" / "step-00000003.safetensors" for k in "01")
    assert one.read_bytes() == two.read_bytes()


def test_the_evaluation_changes_no_weight(tmp_path, command, uninterrupted, monkeypatch):
    monkeypatch.setattr(monitor, "SAMPLES", 100)
    assert command(*WORDS, "--run", tmp_path, "--evaluate-every", 12).code == 0
    name = f"checkpoints/step-{LAST:08d}.safetensors"
    assert (tmp_path / name).read_bytes() == uninterrupted[name]


def test_a_finished_run_is_said_to_be_and_changes_in_nothing(tmp_path, command, cheap):
    assert command(*WORDS, "--run", tmp_path).code == 0
    before = without_events(tmp_path)
    again = command(*WORDS, "--run", tmp_path)
    assert again.code == 0 and f"finished already: {tmp_path} at step {LAST}" in again.out
    assert without_events(tmp_path) == before


def test_a_kill_after_the_last_checkpoint_leaves_nothing_over(tmp_path, command, cheap, monkeypatch):
    assert command(*WORDS, "--run", tmp_path).code == 0
    before = without_events(tmp_path)
    checkpoints = tmp_path / "checkpoints"
    (checkpoints / "step-00000010.safetensors").write_bytes(b"its manifest is gone already")
    for suffix in (".json", ".safetensors"):  # and one that was to go next
        (checkpoints / f"step-00000005{suffix}").write_bytes((checkpoints / f"step-00000015{suffix}").read_bytes())
    assert command(*WORDS, "--run", tmp_path).code == 0
    assert without_events(tmp_path) == before


# --- a process as a user starts it ------------------------------------------------------------------------------------


def test_ctrl_c_in_a_real_process_saves_and_says_how_to_go_on(tmp_path):
    words = [
        sys.executable,
        "-m",
        "wgan",
        *WORDS,
        "--run",
        str(tmp_path / "run"),
        "--steps",
        "100000",
        "--evaluate-every",
        "0",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: logged(tmp_path / "run", 3))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130 and err == ""
    step = open_run(tmp_path / "run").step
    assert step >= 3 and f"stopped at step {step}" in out and "SIGINT: saving" in out
