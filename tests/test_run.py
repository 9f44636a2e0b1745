"""The run folder: what is refused before anything is written, the lock, signals, kills, and the same bytes in the end."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from children import CADENCE, RING, Child, finished_bytes, logged, make_cheap, wait_for
from conftest import CONDITIONAL

from wgan import checkpoint, cli, desk, loop, state
from wgan.config import Config
from wgan.data import open_source
from wgan.errors import WganError
from wgan.log import read_log
from wgan.recipes import configure
from wgan.run import check_folder, has_run, lock, open_run, start_or_continue

WORDS = ["train", *RING, *CADENCE]
LAST = 24
FACTS = {
    "shape": [2],
    "classes": 0,
    "class_names": [],
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "versions": {},
}


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def everything(folder):
    """Return the bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def without_events(folder):
    """The same without TensorBoard's files, which hold clock times."""
    return {name: data for name, data in everything(folder).items() if not name.startswith("events")}


# --- opening ----------------------------------------------------------------------------------------------------------


def test_a_new_run_is_opened_again_as_it_was_written(tmp_path):
    started = start_or_continue(tmp_path / "run", Config(seed=3), FACTS)
    opened = open_run(tmp_path / "run")
    assert opened.config == started.config == Config(seed=3)
    assert {k: opened.facts[k] for k in FACTS} == FACTS
    assert opened.step == 0 and opened.log() == []
    assert names(tmp_path / "run") == ["checkpoints", "config.json", "run.json", "samples"]


def test_a_finished_run_tells_its_step_and_its_log(ring_run):
    run = open_run(str(ring_run))
    assert run.step == 2 and run.config.steps == 2
    assert [r["step"] for r in run.log()] == [2]
    assert run.facts["shape"] == [2] and run.facts["classes"] == 0


def broken(folder, name, data):
    """Give a file of a run other contents; None removes it."""
    path = folder / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def json_of(folder, name, **changes):
    values = {**json.loads((folder / name).read_text()), **changes}
    return json.dumps({k: v for k, v in values.items() if v is not ...}).encode()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("config.json", None, "not a run folder: it holds no config.json"),
        ("run.json", None, "half written: it holds no run.json"),
        ("config.json", b"", "config.json is not valid JSON"),
        ("config.json", b'{"format": 1, "rec', "config.json is not valid JSON"),
        ("config.json", b"\xff\xfe\x00", "cannot read"),
        ("config.json", b"[]", "is not a config"),
        ("config.json", {"format": 2}, "config.json has format 2, this wgan reads up to 1: install a newer wgan"),
        ("config.json", {"lr": ...}, "config.json lacks lr"),
        ("run.json", b"", "run.json is not valid JSON"),
        ("run.json", b'{"format": 1', "run.json is not valid JSON"),
        ("run.json", b"3", "run.json lacks one of"),
        ("run.json", {"shape": ...}, "run.json lacks one of"),
        ("run.json", {"classes": "10"}, "run.json lacks one of"),
        ("run.json", {"format": 2}, "run.json has format 2, this wgan reads up to 1: install a newer wgan"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_sentence(ring_run, copy, name, data, words):
    run = copy(ring_run)
    broken(run, name, json_of(run, name, **data) if isinstance(data, dict) else data)
    with pytest.raises(WganError) as caught:
        open_run(run)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for name, words in (("none", "no run folder"), ("file", "not a run folder"), (".", "holds no config.json")):
        with pytest.raises(WganError, match=words):
            open_run(tmp_path / name)


# --- starting ---------------------------------------------------------------------------------------------------------


def test_an_empty_or_missing_folder_may_become_a_run(tmp_path):
    check_folder(tmp_path / "none")
    check_folder(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "left", [["run.json"], ["run.json", ".config.json.tmp"], [".lock"], [".lock", "checkpoints", "samples"]]
)
def test_a_start_that_was_killed_may_be_repeated(tmp_path, left):
    for name in left:
        (tmp_path / name).write_text("{") if "." in name else (tmp_path / name).mkdir()
    run = start_or_continue(tmp_path, Config(), FACTS)
    assert has_run(tmp_path) and run.step == 0


@pytest.mark.parametrize(
    "name", ["thesis.tex", "config.json", "log.jsonl", "checkpoints/step-00000001.json", "samples/me.png"]
)
def test_a_folder_with_other_things_is_refused_and_left_as_it_is(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(WganError) as caught:
        loop.train(configure("gulrajani-ring", {"threads": 1, "steps": 1}), tmp_path)
    assert name.split("/")[0] in str(caught.value) or "run.json" in str(caught.value)
    with pytest.raises(WganError):
        start_or_continue(tmp_path, Config(), FACTS)  # and once more when the lock is held
    assert everything(tmp_path) == {name: b"mine"}


def test_a_run_that_lost_its_config_is_not_begun_anew(ring_run, copy):
    run = copy(ring_run)
    (run / "config.json").unlink()
    before = everything(run)
    with pytest.raises(WganError, match=r"half written: it holds no config\.json"):
        loop.train(configure("gulrajani-ring", {"threads": 1, "steps": 1}), run)
    assert everything(run) == before


def test_what_cannot_be_built_leaves_no_trace(tmp_path):
    config = configure("small-mlp-clip", {"generator_layers": "nonsense"})
    with pytest.raises(WganError, match="nonsense"):
        loop.train(config, tmp_path / "run")
    with pytest.raises(WganError, match="unknown data"):
        loop.train(configure("mnist", {"data": "mnits"}), tmp_path / "run")
    assert names(tmp_path) == []


def test_a_config_that_differs_is_refused_with_each_field_and_nothing_is_written(tmp_path):
    start_or_continue(tmp_path, Config(), FACTS)
    before = everything(tmp_path)
    with pytest.raises(WganError) as caught:
        start_or_continue(tmp_path, Config(lr=1.0, batch=8, steps=9), FACTS)
    said = str(caught.value)
    assert "batch: 64 -> 8" in said and f"lr: {Config().lr} -> 1.0" in said and "steps" not in said and "--run" in said
    assert everything(tmp_path) == before


def test_another_length_continues_and_is_written_down(tmp_path):
    start_or_continue(tmp_path, Config(steps=5), FACTS)
    assert start_or_continue(tmp_path, Config(steps=9), FACTS).config.steps == 9
    assert open_run(tmp_path).config.steps == 9


def test_fewer_steps_than_are_done_is_refused(ring_run, copy):
    run = copy(ring_run)
    config = open_run(run).config
    with pytest.raises(WganError, match="is at step 2 already, beyond the 1 asked for"):
        start_or_continue(run, config.replace(steps=1), FACTS)
    assert open_run(run).config.steps == 2


def test_a_continued_run_keeps_the_facts_it_was_begun_with(tmp_path):
    start_or_continue(tmp_path, Config(), FACTS)
    other = {**FACTS, "precision": "bf16", "threads": 7}
    assert start_or_continue(tmp_path, Config(), other).facts["threads"] == 1
    engine = state.resume_engine(Config(), tmp_path, open_source("ring"))
    assert (engine.precision, engine.threads) == ("fp32", 1)


# --- the lock ---------------------------------------------------------------------------------------------------------


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
    held = lock(tmp_path)
    with pytest.raises(WganError, match="in use by another process"):
        lock(tmp_path)
    held.release()
    lock(tmp_path).release()


def test_a_second_process_is_refused_in_one_sentence_and_changes_nothing(tmp_path, command):
    run = tmp_path / "run"
    child = Child([*WORDS, "--run", str(run)], tmp_path / "out", pause=300)
    wait_for((run / "samples" / "step-00000000.png").exists)
    before = without_events(run)
    said = command(*WORDS, "--run", run).sentence()
    assert "in use by another process" in said and "--run" in said
    assert without_events(run) == before
    child.send(signal.SIGKILL)
    assert child.code() == 137
    lock(run).release()  # a killed process leaves no lock behind


def test_a_training_that_ends_or_fails_lets_go_of_the_lock(tmp_path, command, cheap, monkeypatch):
    assert command(*WORDS, "--run", tmp_path / "run").code == 0
    lock(tmp_path / "run").release()
    monkeypatch.setattr(desk, "draw_sheet", lambda *_: (_ for _ in ()).throw(WganError("full")))
    assert command(*WORDS, "--run", tmp_path / "other").sentence() == "full"
    lock(tmp_path / "other").release()


@pytest.mark.parametrize("name", ["mkdir", "lock", "write"])
def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path, command, cheap, monkeypatch, name):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    if name == "mkdir":
        monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    elif name == "lock":
        monkeypatch.setattr("wgan.run.FileLock.acquire", refuse)
    else:
        monkeypatch.setattr("os.replace", refuse)
    assert "ermission denied" in command(*WORDS, "--run", tmp_path / "run").sentence()


# --- the same bytes, whatever happens ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run that nobody interrupted leaves."""
    run = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        assert cli.main([*WORDS, "--run", str(run)]) == 0
    # the last three, and the best: of 6, 12, 18, 24 times 3 modulo 11 the second is lowest
    assert checkpoint.steps(run / "checkpoints") == [12, 15, 20, 24]
    return finished_bytes(run, LAST)


def assert_same(run, whole):
    found = finished_bytes(run, LAST)
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] == []


def finish(run, tmp_path, whole):
    """Run the same command once more: it ends, and with the same bytes."""
    child = Child([*WORDS, "--run", str(run)], tmp_path / "out")
    assert child.code() == 0, child.text()
    assert_same(run, whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_leaves_and_the_same_command_finishes_with_the_same_bytes(tmp_path, whole, number, code):
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
    assert f"stopped at step {step}" in said and "the same command goes on" in said and "Traceback" not in said
    finish(run, tmp_path, whole)
    assert f"continuing: {run} at step {step}" in (tmp_path / "out").read_text()
    assert checkpoint.steps(run / "checkpoints") == [12, 15, 20, 24]  # where it was stopped is not to be seen


def test_a_second_ctrl_c_leaves_at_once_with_a_valid_folder(tmp_path, whole):
    run = tmp_path / "run"
    child = Child([*WORDS, "--run", str(run)], tmp_path / "first", pause=300)
    wait_for((run / "samples" / "step-00000000.png").exists)
    child.send(signal.SIGINT)
    wait_for(lambda: "asked" in child.text())  # two signals at the same time would be one
    child.send(signal.SIGINT)
    assert child.code() == 130  # its first step takes five minutes
    assert "Traceback" not in child.text()
    finish(run, tmp_path, whole)


def test_a_kill_before_any_rename_changes_nothing_in_the_end(tmp_path, whole):
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
    finish(run, tmp_path, whole)
    assert not [p for p in run.rglob(".*") if p.name != ".lock"]  # nothing half written is left


def test_kills_at_random_moments_change_nothing_in_the_end(tmp_path, whole):
    run = tmp_path / "run"
    moments = random.Random(7)
    for _ in range(3):
        at = (len(read_log(run)) if run.exists() else 0) + moments.randrange(1, 7)
        child = Child([*WORDS, "--run", str(run)], tmp_path / "first", pause=0.02)
        wait_for(lambda at=at: logged(run, at))
        time.sleep(moments.random() * 0.02)
        child.send(signal.SIGKILL)
        assert child.code() == 137
    finish(run, tmp_path, whole)


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
def test_how_often_is_logged_sampled_evaluated_or_saved_changes_no_weight(tmp_path, command, cheap, flag, whole):
    assert command(*WORDS, "--run", tmp_path, flag).code == 0
    name = f"checkpoints/step-{LAST:08d}.safetensors"
    assert (tmp_path / name).read_bytes() == whole[name]


def test_the_checkpoints_of_every_so_many_steps_are_kept_for_good(tmp_path, command, cheap):
    assert command(*WORDS, "--run", tmp_path, "--keep-every", 7).code == 0
    assert checkpoint.steps(tmp_path / "checkpoints") == [7, 12, 14, 15, 20, 21, 24]
    assert command(*WORDS, "--run", tmp_path, "--steps", 25).code == 0  # the option may change; what is there goes
    assert checkpoint.steps(tmp_path / "checkpoints") == [12, 15, 20, 25]


def test_drawing_sheets_leaves_the_statistics_of_batch_norm_alone(tmp_path, command, cheap):
    words = ["train", *CONDITIONAL, "--ema", "0", "--steps", "3", "--batch", "8", "--threads", "1"]
    assert all(command(*words, f"--sample-every={k}", "--run", tmp_path / str(k)).code == 0 for k in (0, 1))
    one, two = (tmp_path / k / "checkpoints" / "step-00000003.safetensors" for k in "01")
    assert one.read_bytes() == two.read_bytes()


def test_the_evaluation_changes_no_weight(tmp_path, command, whole, monkeypatch):
    monkeypatch.setattr("wgan.monitor.SAMPLES", 100)
    assert command(*WORDS, "--run", tmp_path, "--evaluate-every", 12).code == 0
    name = f"checkpoints/step-{LAST:08d}.safetensors"
    assert (tmp_path / name).read_bytes() == whole[name]


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


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path, command, cheap):
    """A finished run with checkpoints at 12, 15, 20 and 24."""
    assert command(*WORDS, "--run", tmp_path / "run").code == 0
    return tmp_path / "run"


def test_a_flipped_bit_is_named_set_aside_and_the_checkpoint_before_is_used(stopped, command, whole, monkeypatch):
    path = stopped / "checkpoints" / "step-00000024.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = command(*WORDS, "--run", stopped)
    assert found.code == 0
    assert "step-00000024.safetensors is damaged" in found.out and f"continuing: {stopped} at step 20" in found.out
    assert (stopped / "checkpoints" / "step-00000024.safetensors.damaged").read_bytes() == data
    for name in ("checkpoints/step-00000024.safetensors", "log.jsonl"):
        assert (stopped / name).read_bytes() == whole[name]


def test_when_every_checkpoint_is_damaged_it_says_so_and_starts_again(stopped, command, whole):
    for path in (stopped / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")
    found = command(*WORDS, "--run", stopped)
    assert found.code == 0 and "no whole checkpoint left: starting again at step 0" in found.out
    assert (stopped / "log.jsonl").read_bytes() == whole["log.jsonl"]


def test_a_newer_checkpoint_is_refused_and_kept(stopped, command):
    path = stopped / "checkpoints" / "step-00000024.json"
    path.write_bytes(json_of(stopped / "checkpoints", path.name, format=99))
    assert "install a newer wgan" in command(*WORDS, "--run", stopped).sentence()
    assert path.is_file()


def test_a_checkpoint_of_other_networks_is_refused_in_one_sentence(stopped, command):
    config = stopped / "config.json"
    config.write_text(config.read_text().replace('"critic_layers": "16"', '"critic_layers": "17"'))
    said = command(*WORDS, "--run", stopped, "--critic-layers", "17").sentence()
    assert "step 24" in said and "does not fit the networks" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {name.replace("critic_optimizer/0/exp_avg", "critic_optimizer/0/exp_bvg"): t[name] for name in t},
        lambda t: {**t, "generator_optimizer/99/exp_avg": t["generator_optimizer/0/exp_avg"]},
        lambda t: {**t, "critic_optimizer/1/exp_avg_sq": t["critic_optimizer/0/exp_avg_sq"]},
        lambda t: {**t, "critic_optimizer/0/step": t["critic_optimizer/0/step"].long()},
        lambda t: {name: tensor for name, tensor in t.items() if name != "generator_optimizer/1/step"},
    ],
    ids=["renamed", "of no parameter", "of another shape", "of another kind", "missing"],
)
def test_a_state_that_no_such_optimizer_has_is_refused_in_one_sentence(stopped, command, change):
    found = checkpoint.load(stopped / "checkpoints", 24)
    tensors = {name: tensor.clone() for name, tensor in change(dict(found.tensors)).items()}
    checkpoint.save(stopped / "checkpoints", 24, tensors, {"config": found.manifest["config"]})
    said = command(*WORDS, "--run", stopped).sentence()
    assert "step 24" in said and "does not fit the networks" in said


def test_a_full_disk_stops_in_one_sentence_and_the_run_goes_on_when_there_is_room(tmp_path, command, cheap, whole):
    fsync, left = os.fsync, [30]

    def full(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        said = command(*WORDS, "--run", tmp_path).sentence()
    assert "o space left on device" in said
    assert 0 < open_run(tmp_path).step < LAST
    assert command(*WORDS, "--run", tmp_path).code == 0
    for name in (f"checkpoints/step-{LAST:08d}.safetensors", "log.jsonl"):
        assert (tmp_path / name).read_bytes() == whole[name]


def test_a_folder_that_is_deleted_under_a_run_stops_it_in_one_sentence(tmp_path, command, cheap, monkeypatch):
    check = loop.require_finite

    def delete(stats, step):
        if step == 7:
            shutil.rmtree(tmp_path / "run")
        check(stats, step)

    monkeypatch.setattr(loop, "require_finite", delete)
    assert "cannot write" in command(*WORDS, "--run", tmp_path / "run").sentence()


# --- numbers that are not finite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_a_loss_that_is_not_finite_stops_there_named_and_the_last_checkpoint_is_kept(
    tmp_path, command, cheap, monkeypatch, player
):
    phase = getattr(loop, f"{player}_phase")

    def poisoned(players, source, step, *rest):
        stats = phase(players, source, step, *rest)
        return {**stats, f"{player}/loss": torch.tensor(float("nan"))} if step == 13 else stats

    monkeypatch.setattr(loop, f"{player}_phase", poisoned)
    said = command(*WORDS, "--run", tmp_path).sentence()
    assert f"{player}/loss is not finite at step 14" in said
    run = open_run(tmp_path)
    assert run.step == 12 and run.log()[-1]["step"] == 13
    assert checkpoint.load(run.checkpoints, 12).step == 12


def test_a_rate_that_is_far_too_large_ends_in_one_sentence(tmp_path, command, cheap):
    words = [
        "train",
        "gulrajani-ring",
        "--objective",
        "wgan-clip",
        "--clip",
        "1000",
        "--critic-norm",
        "none",
        "--lr",
        "10",
    ]
    words += ["--critic-layers", "16 16 16 16 16 16", "--generator-layers", "16 16 16 16 16 16", "--batch", "8"]
    words += [
        "--optimizer",
        "rmsprop",
        "--threads",
        "1",
        "--steps",
        "200",
        "--n-critic",
        "1",
        "--checkpoint-every",
        "1",
    ]
    said = command(*words, "--run", tmp_path).sentence()
    assert "not finite" in said and "at step" in said
    step = open_run(tmp_path).step
    kept = checkpoint.load(tmp_path / "checkpoints", step).tensors
    assert all(torch.isfinite(t).all() for t in kept.values())


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


def test_a_run_on_one_selected_class_is_read_sampled_and_continued(tmp_path, cheap, command):
    words = ("train", "small-mlp-clip", "--data", "mnist:5", "--run", tmp_path / "fives", "--batch", 8, "--threads", 1)
    assert command(*words, "--steps", 1).code == 0
    assert open_run(tmp_path / "fives").facts["class_names"] == ["5"]
    assert command("sample", tmp_path / "fives", "-n", 2, "--out", tmp_path / "fives.npz").code == 0
    assert command(*words, "--steps", 2).code == 0 and open_run(tmp_path / "fives").step == 2
