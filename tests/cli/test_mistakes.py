"""One sentence, exit code 2 and no trace for every mistake on the command line."""

import errno
import os
import shlex
import subprocess
import sys

import pytest
import torch
from conftest import Result

from wgan.cli import main as cli

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
TRAIN_MISTAKES = [
    ("mnits", "unknown recipe 'mnits': did you mean mnist"),
    ("''", "unknown recipe ''"),
    ("mnist extra", "does not take 'extra'"),
    ("--n-critc 3", "unknown flag '--n-critc': did you mean --n-critic"),
    ("--n-critc=3", "unknown flag '--n-critc': did you mean --n-critic"),
    ("-x", "unknown flag '-x'"),
    ("--recipe mnist", "unknown flag '--recipe'"),
    ("--lr", "--lr: expected one argument"),
    ("--lr fast", "lr must be a number, not 'fast'"),
    ("--lr -1", "lr must be between 0 and 10"),
    ("--lr nan", "lr must be between 0 and 10"),
    ("--lr 1e99", "lr must be between 0 and 10"),
    ("--steps 0", "steps must be between 1"),
    ("--steps 1.5", "steps must be a whole number, not '1.5'"),
    ("--batch 0", "batch must be between 1"),
    ("--seed -1", "seed must be between 0"),
    ("--seed 99999999999999999999", "seed must be between 0"),
    ("--objective wgan-pg", "objective 'wgan-pg' is not known: did you mean"),
    ("--device tpu", "device 'tpu' is not known"),
    pytest.param("--device gpu", "device cuda is not available", marks=NO_CUDA),
    ("--device cuda:0", "device 'cuda:0' is not known: did you mean cuda"),
    pytest.param("--device cuda", "device cuda is not available", marks=NO_CUDA),
    ("--split valid", "split 'valid' is not known"),
    ("--data mnits", "unknown data 'mnits': did you mean mnist"),
    ("--data photos", "; no file or folder has that name, either"),
    ("--data mnist:", "ends with ':'"),
    ("--data mnist:12", "'12' is neither a digit"),
    ("--data mnist:5-2", "5-2"),
    ("--data ring:pacgn", "pacgn"),
    ("--generator-layers nonsense", "nonsense"),
    ("--generator-layers '/ 128 64k4x3 / k3'", "28"),
    ("--generator-layers ''", "generator_layers"),
    ("--critic-layers '32k3p9 32k3p9 /'", "critic_layers"),
    ("--critic-activation tanhh", "tanhh"),
    ("--generator-activation lrelu:x", "lrelu:x"),
    ("--critic-norm batch", "critic_norm layer or none"),
    ("--pack 7 --critic-conditioning none", "pack 7 must divide batch"),
    ("--generator-norm none", "conditioning norm needs a generator_norm"),
    ("mnist --data ring", "conv"),
    (
        "mnist --data mnist:5 --class-critic 1",
        "class_critic 1 would do nothing: the data mnist:5 has no labels; leave that out",
    ),
    (
        "--data ring --conditioning concat --class-critic 1",
        "conditioning concat and class_critic 1 would do nothing: the data ring has",
    ),
    ("--dry-run=3", "ignored explicit argument"),
    ("--run FILE", "is a file"),
    ("--run FILE/run", "cannot create"),
    ("--run .", "is not a run folder: it holds FILE"),
]


@pytest.mark.parametrize(("line", "words"), TRAIN_MISTAKES)
def test_a_mistake_with_train_is_one_sentence_and_no_trace(here, command, line, words):
    (here / "FILE").write_text("mine")
    said = command("train", "--threads", 1, "--steps", 2, *shlex.split(line)).sentence()  # a later flag wins
    assert words in said
    assert [p.name for p in here.iterdir()] == ["FILE"] and (here / "FILE").read_text() == "mine"


SAMPLE_MISTAKES = [
    ("", "no run is named, and there is none in runs/"),
    ("nowhere", "no run folder nowhere"),
    (".", "is not a run folder"),
    ("''", "is not a run folder"),
    ("FILE", "is not a run folder"),
    ("EMPTY", "is not a run folder: it holds no config.json"),
    ("x" * 300, "name too long"),
    ("RUN RUN", "does not take"),
    ("RUN -n 0", "n must be at least 1, not 0"),
    ("RUN -n -3", "n must be at least 1, not -3"),
    ("RUN -n 1.5", "'1.5' is not a whole number"),
    ("RUN -n many", "'many' is not a whole number"),
    ("RUN -n 10001", "at most 10000 samples"),
    ("RUN -n 1000000000000 --out a.npz", "do not fit into memory"),
    ("RUN --n 3", "unknown flag '--n'"),
    ("RUN --seed -1", "seed must be between 0"),
    ("RUN --seed 9223372036854775808", "seed must be between 0"),
    ("RUN --seed x", "'x' is not a whole number"),
    ("RUN --truncation -1", "truncation must be"),
    ("RUN --truncation nan", "truncation must be"),
    ("RUN --truncation inf", "truncation must be"),
    ("RUN --truncation x", "'x' is not a number"),
    ("RUN --label 10", "unknown label '10': did you mean 1 or 0? (known: 0, 1, 2, 3"),
    ("RUN --label -1", "unknown label '-1'"),
    ("RUN --label ''", "unknown label ''"),
    ("RUN --labels 1,11", "unknown label '11': did you mean 1"),
    ("RUN --labels ,", "unknown label ''"),
    ("RUN --label 1 --labels 1,2", "--label or --labels, not both"),
    ("DIGITS --label 3", "is an unconditional model"),
    ("DIGITS --labels 3,4", "is an unconditional model"),
    ("RUN --checkpoint 99", "no checkpoint of step 99: it has 2"),
    ("RUN --checkpoint first", "is not last, best or a step"),
    ("RUN --out FILE", "FILE exists"),
    ("RUN --out ''", "exists"),
    ("RUN --out a.jpg", "give a .png, a .npz or a folder/"),
    ("RUN --out nowhere/a.png", "the folder nowhere does not exist"),
    ("RUN --out nowhere/a/", "the folder nowhere does not exist"),
    ("RUN --out FILE/a.png", "the folder FILE does not exist"),
    ("RING --out a/", "are not images"),
]
WALK_MISTAKES = [
    ("", "no run is named, and there is none in runs/"),
    ("nowhere", "no run folder nowhere"),
    ("RUN --stops 1", "at least 2 stops"),
    ("RUN --frames 0", "at least 2 stops, 1 frame"),
    ("RUN --rows 0", "1 row"),
    ("RUN --stops x", "'x' is not a whole number"),
    ("RUN --stops 1000000 --frames 1000000", "do not fit into memory"),
    ("RUN --label 10", "unknown label '10'"),
    ("RUN --seed -1", "seed must be between 0"),
    ("DIGITS --label 3", "is an unconditional model"),
    ("RING", "are not images"),
    ("RUN --out a.mp4", "give a .gif or a .png"),
    ("RUN --out EMPTY", "give a .gif or a .png"),
    ("RUN --out nowhere/a.gif", "the folder nowhere does not exist"),
]
MISTAKES = [("sample", *row) for row in SAMPLE_MISTAKES] + [("interpolate", *row) for row in WALK_MISTAKES]


@pytest.mark.parametrize(("verb", "line", "words"), MISTAKES)
def test_a_mistake_with_a_run_is_one_sentence_and_no_trace(
    here, command, verb, line, words, conditional_run, digits_run, ring_run
):
    (here / "FILE").write_text("mine")
    (here / "EMPTY").mkdir()
    names = {"RUN": str(conditional_run), "DIGITS": str(digits_run), "RING": str(ring_run)}
    said = command(verb, *(names.get(word, word) for word in shlex.split(line))).sentence().replace("File name", "name")
    assert words in said
    assert sorted(p.name for p in here.iterdir()) == ["EMPTY", "FILE"] and (here / "FILE").read_text() == "mine"
    assert not any((here / "EMPTY").iterdir())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tarin", "unknown command 'tarin': did you mean train"),
        ("''", "unknown command ''"),
        ("frobnicate", "unknown command 'frobnicate': choose from "),
        ("--verison", "unknown flag '--verison': did you mean --version"),
        ("recipes extra", "does not take 'extra'"),
        ("recipes --all", "unknown flag '--all'"),
    ],
)
def test_a_mistake_before_any_command_is_one_sentence(command, line, words):
    assert words in command(*shlex.split(line)).sentence()


def test_a_message_names_the_nearest_and_not_all_of_many_flags(command):
    assert len(command("train", "--n-critc", "3").sentence()) < 120


def raising(error):
    def call(found):
        raise error

    return lambda name: call


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", "disk"), "disk: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
    ],
)
def test_what_the_system_refuses_anywhere_is_one_sentence(command, monkeypatch, error, words):
    monkeypatch.setattr(cli, "function", raising(error))
    assert words in command("recipes").sentence()


def test_a_defect_of_ours_is_not_hidden(command, monkeypatch):
    monkeypatch.setattr(cli, "function", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        command("recipes")


def test_ctrl_c_outside_of_training_is_said_and_ends_with_130(command, monkeypatch):
    monkeypatch.setattr(cli, "function", raising(KeyboardInterrupt()))
    assert command("recipes") == Result(130, "", "wgan: interrupted\n")


def test_a_real_process_ends_with_2_and_one_line(tmp_path):
    words = [sys.executable, "-m", "wgan", "sample", "nowhere"]
    found = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2 and found.stdout == ""
    assert found.stderr.startswith("wgan: no run folder nowhere") and found.stderr.count("\n") == 1


def test_a_reader_that_goes_away_causes_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)  # as in `wgan recipes | head -0`
    with os.fdopen(writer) as out:
        found = subprocess.run([sys.executable, "-m", "wgan", "recipes"], stdout=out, stderr=subprocess.PIPE)
    assert found.stderr == b"" and found.returncode == 1


@pytest.mark.parametrize(
    "words", ["evaluate absent.npz --data mnist", "data mnist", "benchmark ring"], ids=["evaluate", "data", "benchmark"]
)
def test_a_folder_as_out_is_refused_before_the_work(tmp_path, command, words):
    (tmp_path / "made.png").mkdir()
    said = command(*words.split(), "--out", tmp_path / "made.png").sentence()
    assert said == f"--out {tmp_path / 'made.png'} is a folder: give the name of a file"
    assert [*tmp_path.rglob("*")] == [tmp_path / "made.png"]
