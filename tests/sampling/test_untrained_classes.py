"""A class without a training sample: said when training begins, and refused where it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

import wgan
from wgan.errors import WganError
from wgan.sampling.model import load

SMALL = {"batch": 8, "threads": 1, "conditioning": "concat", "generator": "mlp", "critic": "mlp"}


@pytest.fixture
def run(here, cheap, cache, capsys):
    """A run on pictures of which the class c is in the test part only."""
    x = np.random.default_rng(0).integers(0, 256, (150, 8, 8), dtype=np.uint8)
    train, test = np.array(["a", "b"])[np.arange(60) % 2], np.array(["a", "b", "c"])[np.arange(90) % 3]
    np.savez("miss.npz", x_train=x[:60], x_test=x[60:], y_train=train, y_test=test)
    wgan.train(data="miss.npz", run="run", steps=1, generator_layers="8", critic_layers="8", **SMALL)
    return "run"


def test_a_class_without_training_samples_is_refused(run, command, tmp_path):
    with pytest.raises(WganError, match="run never saw a training sample of label 'c': it cannot make any"):
        load(run).sample(4, label="c")
    assert "never saw a training sample of label 'c'" in command("sample", run, "-n", 4, "--label", "c").sentence()
    assert not list(tmp_path.glob("**/samples.*"))


def test_classes_take_turns_without_the_one_never_seen(run, command):
    model = load(run)
    assert (model.untrained, model.class_names) == (["c"], ["a", "b", "c"])
    assert model.sample(4).labels.tolist() == ["a", "b", "a", "b"]
    assert "all classes but c in turn" in command("sample", run, "-n", 4, "--out", "x.npz").out


def test_a_class_without_training_samples_is_said(run, command):
    said = command("data", "miss.npz", "--no-measure").out
    assert "1 of 3 classes have no training sample and cannot be requested: c" in said
    again = command(
        "train",
        "--data",
        "miss.npz",
        "--run",
        "again",
        "--steps",
        1,
        "--batch",
        8,
        "--threads",
        1,
        "--generator",
        "mlp",
        "--critic",
        "mlp",
    )
    assert "1 of 3 classes have no training sample" in again.err + again.out
