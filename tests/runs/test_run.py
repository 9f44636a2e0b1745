"""The run folder: how it is opened and begun, what is refused before anything is written, and the lock."""

import dataclasses
import errno
import json
import os
import signal
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.child_processes import Child, wait_for
from helpers.run_folders import WORDS, bytes_of, json_of, without_events

from wgan.config import Config
from wgan.data import open_source
from wgan.errors import WganError
from wgan.models import build, parameter_count
from wgan.recipes import configure
from wgan.report.reader import gather
from wgan.runs.facts import RunFacts
from wgan.runs.folder import check_folder, has_run, lock, open_run, start_or_continue
from wgan.training import loop, recorder, state
from wgan.ways import Ways

FACTS = RunFacts(shape=(2,), classes=0, class_names=(), device="cpu", precision="fp32", threads=1)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


# --- opening ----------------------------------------------------------------------------------------------------------


def test_a_new_run_is_opened_again_as_it_was_written(tmp_path):
    started = start_or_continue(tmp_path / "run", Config(seed=3), FACTS)
    opened = open_run(tmp_path / "run")
    assert opened.config == started.config == Config(seed=3)
    assert opened.facts == started.facts == FACTS
    assert opened.step == 0 and opened.log() == []
    assert names(tmp_path / "run") == ["checkpoints", "config.json", "run.json", "samples"]


def test_every_fact_is_read_as_it_was_written(tmp_path):
    """None of the fields has its default, so that none can be lost on the way through run.json."""
    facts = RunFacts(
        shape=(1, 8, 8),
        classes=2,
        class_names=("a", "b"),
        precision="bf16",
        threads=3,
        device="cuda",
        ways=Ways("mkl"),
        processor="a processor",
        processes=2,
        parameters={"critic": 5},
        versions={"torch": "2"},
        data="hash",
        units={"mean": [1.0]},
        table={"columns": []},
        signal={"mean": [1.0]},
        depth={"low": 0.0},
        conditions={"columns": []},
        class_counts=(3, 4),
        origin={"run": "other"},
        parts={"critic": {"name": "m.Net", "source": "hash"}},
    )
    assert all(f.default != getattr(facts, f.name) for f in dataclasses.fields(facts))
    assert start_or_continue(tmp_path / "run", Config(), facts).facts == facts


def test_a_fact_that_another_version_added_is_left_alone(tmp_path):
    path = start_or_continue(tmp_path / "run", Config(), FACTS).path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
    assert open_run(path.parent).facts == FACTS


def test_run_json_holds_the_parameter_counts(ring_run, copy):
    """They are those of the networks, and those that the report counts in the checkpoint of an older run."""
    run = open_run(ring_run)
    counts = [parameter_count(network) for network in build(run.config, run.facts.shape, run.facts.classes)]
    assert run.facts.parameters == dict(zip(("generator", "critic"), counts, strict=True))
    old = copy(ring_run)
    dropped = {k: v for k, v in json.loads((old / "run.json").read_text()).items() if k != "parameters"}
    (old / "run.json").write_text(json.dumps(dropped))
    assert open_run(old).facts.parameters == {}
    assert gather(old, "old").parameters == run.facts.parameters


def test_a_finished_run_tells_its_step_and_its_log(ring_run):
    run = open_run(str(ring_run))
    assert run.step == 2 and run.config.steps == 2
    assert [r["step"] for r in run.log()] == [2]
    assert run.facts.shape == (2,) and run.facts.classes == 0


def broken(folder, name, data):
    """Give a file of a run other contents; None removes it."""
    path = folder / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)


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
    assert bytes_of(tmp_path) == {name: b"mine"}


def test_a_run_that_lost_its_config_is_not_begun_anew(ring_run, copy):
    run = copy(ring_run)
    (run / "config.json").unlink()
    before = bytes_of(run)
    with pytest.raises(WganError, match=r"half written: it holds no config\.json"):
        loop.train(configure("gulrajani-ring", {"threads": 1, "steps": 1}), run)
    assert bytes_of(run) == before


def test_what_cannot_be_built_leaves_no_trace(tmp_path):
    config = configure("small-mlp-clip", {"generator_layers": "nonsense"})
    with pytest.raises(WganError, match="nonsense"):
        loop.train(config, tmp_path / "run")
    with pytest.raises(WganError, match="unknown data"):
        loop.train(configure("mnist", {"data": "mnits"}), tmp_path / "run")
    assert names(tmp_path) == []


def test_another_config_is_refused_and_nothing_is_written(tmp_path):
    """The message names each field that differs."""
    start_or_continue(tmp_path, Config(), FACTS)
    before = bytes_of(tmp_path)
    with pytest.raises(WganError) as caught:
        start_or_continue(tmp_path, Config(lr=1.0, batch=8, steps=9), FACTS)
    said = str(caught.value)
    assert "batch: 64 -> 8" in said and f"lr: {Config().lr} -> 1.0" in said and "steps" not in said and "--run" in said
    assert bytes_of(tmp_path) == before


def test_another_length_continues_and_is_written_down(tmp_path):
    start_or_continue(tmp_path, Config(steps=5), FACTS)
    assert start_or_continue(tmp_path, Config(steps=9), FACTS).config.steps == 9
    assert open_run(tmp_path).config.steps == 9


def test_fewer_steps_than_are_done_is_refused(ring_run, copy):
    run = copy(ring_run)
    config = open_run(run).config
    with pytest.raises(WganError, match="is at step 2 already, beyond the requested 1"):
        start_or_continue(run, config.replace(steps=1), FACTS)
    assert open_run(run).config.steps == 2


def test_a_continued_run_keeps_the_facts_it_was_begun_with(tmp_path):
    start_or_continue(tmp_path, Config(), FACTS)
    other = dataclasses.replace(FACTS, precision="bf16", threads=7)
    assert start_or_continue(tmp_path, Config(), other).facts.threads == 1
    engine = state.resume_engine(Config(), tmp_path, open_source("ring"))
    assert (engine.precision, engine.threads) == ("fp32", 1)


# --- the lock ---------------------------------------------------------------------------------------------------------


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
    held = lock(tmp_path)
    with pytest.raises(WganError, match="in use by another process"):
        lock(tmp_path)
    held.release()
    lock(tmp_path).release()


def test_a_second_process_is_refused_and_changes_nothing(tmp_path, command):
    """In one sentence."""
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
    monkeypatch.setattr(recorder, "draw_grid", lambda *_: (_ for _ in ()).throw(WganError("full")))
    assert command(*WORDS, "--run", tmp_path / "other").sentence() == "full"
    lock(tmp_path / "other").release()


@pytest.mark.parametrize("name", ["mkdir", "lock", "write"])
def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path, command, cheap, monkeypatch, name):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    if name == "mkdir":
        monkeypatch.setattr(Path, "mkdir", refuse)
    elif name == "lock":
        monkeypatch.setattr(FileLock, "acquire", refuse)
    else:
        monkeypatch.setattr(os, "replace", refuse)
    assert "ermission denied" in command(*WORDS, "--run", tmp_path / "run").sentence()


# --- a process as a user starts it ------------------------------------------------------------------------------------


def test_a_run_on_one_selected_class_is_sampled_and_resumed(tmp_path, cheap, command):
    words = ("train", "small-mlp-clip", "--data", "mnist:5", "--run", tmp_path / "fives", "--batch", 8, "--threads", 1)
    assert command(*words, "--steps", 1).code == 0
    assert open_run(tmp_path / "fives").facts.class_names == ("5",)
    assert command("sample", tmp_path / "fives", "-n", 2, "--out", tmp_path / "fives.npz").code == 0
    assert command(*words, "--steps", 2).code == 0 and open_run(tmp_path / "fives").step == 2
