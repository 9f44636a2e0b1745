"""A run continues with its folder alone; what changes no weight may be changed; moved data are the same data."""

import json
import shutil

import numpy as np
import pytest

import wgan
from wgan.errors import WganError
from wgan.runs.folder import open_run

SMALL = {"batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8", "seed": 3, "lr_decay": "none"}


@pytest.fixture
def begun(here, cheap, cache):
    """A run of two steps on a file of vectors, with options of its own."""
    np.save("rows.npy", np.random.default_rng(0).normal(size=(200, 3)))
    wgan.train(data="rows.npy", run="run", steps=2, **SMALL)
    return here


def weights(run, step=4):
    """Return the bytes of the checkpoint of `step`."""
    (file,) = sorted((run / "checkpoints").glob(f"*{step}.safetensors"))
    return file.read_bytes()


def test_a_run_continues_with_its_folder_alone(begun, command):
    whole = wgan.train(data="rows.npy", run="whole", steps=4, **SMALL)
    assert wgan.train(run="run", steps=4).config.seed == 3
    assert weights(begun / "run") == weights(whole.path)
    again = command("train", "--run", "run")
    assert again.code == 0 and "finished already" in again.out and "wgan train --run run --steps 8" in again.out


def test_what_changes_no_weight_may_be_changed(begun):
    whole = wgan.train(data="rows.npy", run="whole", steps=4, **SMALL)
    duties = {"log_every": 1, "sample_every": 1, "evaluate_every": 2, "checkpoint_every": 1}
    run = wgan.train(run="run", steps=4, **duties)
    assert weights(run.path) == weights(whole.path)
    assert {k: getattr(open_run("run").config, k) for k in duties} == duties
    assert [r["step"] for r in run.log()][-2:] == [3, 4]


def test_what_changes_weights_is_refused_with_the_way_to_resume(begun, command):
    said = command("train", "--run", "run", "--steps", "4", "--lr", "0.5").sentence()
    assert "lr: " in said and "batch" not in said and "wgan train --run run" in said


def test_moved_data_continue_by_their_new_place(begun, command):
    whole = wgan.train(data="rows.npy", run="whole", steps=4, **SMALL)
    shutil.move("rows.npy", "moved.npy")
    said = command("train", "--run", "run", "--steps", "4").sentence()
    assert "rows.npy, are no longer there: give their new place with --data" in said
    run = wgan.train(run="run", data="moved.npy", steps=4)
    assert weights(run.path) == weights(whole.path)
    assert json.loads((begun / "run/config.json").read_text())["data"] == str(begun / "moved.npy")
    assert wgan.train(run="run", steps=5).step == 5


def test_other_data_in_a_new_place_are_refused(begun):
    np.save("other.npy", np.random.default_rng(1).normal(size=(200, 3)))
    before = (begun / "run/config.json").read_bytes()
    with pytest.raises(WganError, match=r"data: .*rows.npy -> .*other.npy"):
        wgan.train(run="run", data="other.npy", steps=4)
    with pytest.raises(WganError, match=r"data: .*rows.npy -> ring"):
        wgan.train(run="run", data="ring", steps=4)
    assert (begun / "run/config.json").read_bytes() == before


def test_a_longer_run_keeps_the_decay_of_its_learning_rate(begun, command):
    """A linear decay of 2 steps that became one of 8 would raise the rate again from 0.5 to 0.75."""
    decaying = {**SMALL, "lr_decay": "linear", "checkpoint_every": 1}
    wgan.train(data="rows.npy", run="short", steps=2, **decaying)
    planned = wgan.train(data="rows.npy", run="planned", steps=8, decay_steps=2, **decaying)
    longer = command("train", "--run", "short", "--steps", "8")
    assert "the learning rate keeps its plan: it falls over 2 steps" in longer.out and "--decay-steps 8" in longer.out
    assert weights(begun / "short", 8) == weights(planned.path, 8)
    assert open_run("short").config.decay_steps == 2


def test_a_learning_rate_may_be_planned_anew(begun):
    decaying = {**SMALL, "lr_decay": "linear"}
    wgan.train(data="rows.npy", run="short", steps=2, **decaying)
    assert wgan.train(run="short", steps=8, decay_steps=8).config.decay_steps == 8
    assert open_run("short").config.decay_steps == 8
