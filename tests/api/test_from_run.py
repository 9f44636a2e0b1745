"""A run starts from another run's weights: what fits is taken, by class name where there are classes, the rest is said."""

import json

import pytest
import torch
from helpers.run_folders import without_events

import wgan
from wgan.config import FIELDS
from wgan.errors import WganError
from wgan.runs import checkpoint
from wgan.training import origin

SMALL = {
    **{"generator": "mlp", "generator_layers": "16", "critic": "mlp", "critic_layers": "16", "latent": 8, "ema": 0.9},
    **{"steps": 2, "batch": 8, "threads": 1, "log_every": 1, "checkpoint_every": 1},
}
pytestmark = pytest.mark.usefixtures("here", "cheap")


@pytest.fixture
def digits(here):
    """A run of 2 steps on all ten digits."""
    return wgan.train("mnist", run="digits", **SMALL)


def tensors(run, step):
    return checkpoint.load(run.checkpoints, step).tensors


def kept(run):
    return {n: d for n, d in without_events(run.path).items() if n not in ("times.jsonl", ".lock")}


def test_all_weights_are_taken_where_only_the_objective_changes(digits, capsys):
    run = wgan.train(from_run="digits", run="new", steps=1, objective="hinge", checkpoint_every=50)
    assert run.config == digits.config.replace(objective="hinge", steps=1, checkpoint_every=50)
    old, new = tensors(digits, 2), tensors(run, 0)
    for name in new:
        if name.split("/")[0] in ("generator", "critic", "average"):
            assert torch.equal(new[name], old[name]), name
    assert not any("optimizer" in name for name in new)
    assert json.loads((run.path / "run.json").read_text())["origin"] == {
        **{"run": str(digits.path.resolve()), "step": 2, "new": []},
        "taken": {side: len({n for n in new if n.startswith(side + "/")}) for side in ("generator", "critic")},
    }
    assert "from " in capsys.readouterr().out and run.log()[0]["step"] == 1


def test_classes_are_matched_by_name(digits, capsys):
    run = wgan.train(from_run=digits, data="mnist:3-5", run="few", steps=1, checkpoint_every=50)
    old, new = tensors(digits, 2), tensors(run, 0)
    assert torch.equal(new["critic/head.weight"], old["critic/head.weight"][3:6])
    assert torch.equal(new["critic/projection.weight"], old["critic/projection.weight"][3:6])
    assert run.facts.class_names == ("3", "4", "5") and run.facts.origin["new"] == []
    back = wgan.train(from_run=run, data="mnist", run="many", steps=1, checkpoint_every=50)
    assert "critic/head.weight: 3 of 10 classes" in back.facts.origin["new"]
    fresh = wgan.train(config=back.config.replace(steps=1), run="fresh", checkpoint_every=50)
    grown, plain, few = tensors(back, 0), wgan.load(fresh, raw=True), tensors(run, 1)
    assert torch.equal(grown["critic/head.weight"][3:6], few["critic/head.weight"]) and plain
    assert not torch.equal(grown["critic/head.weight"][0], few["critic/head.weight"][0])
    assert "3 of 10 classes" in capsys.readouterr().out


def test_other_networks_take_what_fits_and_say_what_not(digits, capsys):
    run = wgan.train(from_run=digits, run="wide", critic_layers="32", steps=1)
    told = run.facts.origin
    assert told["taken"]["critic"] == 2 and len(told["new"]) == 5  # the biases of score and head are as many as before
    assert any(line.startswith("critic/") and "[16, 784] -> [32, 784]" in line for line in told["new"])
    assert "and " in capsys.readouterr().out
    with pytest.raises(WganError, match="no weights of digits fit: its networks are others"):
        wgan.train("gulrajani-ring", from_run=digits, run="none", steps=1, batch=8, threads=1)


def test_it_resumes_bit_for_bit_and_needs_the_other_run_no_more(digits, monkeypatch):
    options = {"from_run": "digits", "steps": 3, "lr": 3e-4}
    whole = wgan.train(run="whole", **options)
    wgan.train(run="cut", on_step=lambda step, numbers: wgan.STOP if step == 1 else None, **options)
    digits.path.rename("gone")
    cut = wgan.train(run="cut", steps=3)
    assert kept(cut) == kept(whole)


def test_a_kill_before_the_first_checkpoint_starts_from_it_again(digits, monkeypatch):
    whole = wgan.train(from_run="digits", run="whole", steps=2)
    save = origin.save
    monkeypatch.setattr(origin, "save", lambda *a: (_ for _ in ()).throw(SystemExit(9)))
    with pytest.raises(SystemExit):
        wgan.train(from_run="digits", run="killed", steps=2)
    monkeypatch.setattr(origin, "save", save)
    assert wgan.open_run("killed").facts.origin and not checkpoint.saved_steps(wgan.open_run("killed").checkpoints)
    killed = wgan.train(run="killed", steps=2)
    assert kept(killed) == kept(whole)


def test_a_run_keeps_the_origin_it_has(digits):
    wgan.train(run="plain", steps=1, **{k: v for k, v in SMALL.items() if k != "steps"}, recipe="mnist")
    wgan.train(from_run=digits, run="new", steps=1)
    with pytest.raises(WganError, match="plain was begun with fresh weights"):
        wgan.train(from_run=digits, run="plain", steps=2)
    with pytest.raises(WganError, match=r"new was begun from .*digits, not from plain"):
        wgan.train(from_run="plain", run="new", steps=2)
    with pytest.raises(WganError, match="cannot start from itself"):
        wgan.train(from_run=digits, run="digits", steps=3)
    with pytest.raises(WganError, match="no run folder nowhere"):
        wgan.train(from_run="nowhere", run="other")


def test_the_command_takes_a_run_by_name(digits, command):
    digits.path.parent.joinpath("runs").mkdir()
    digits.path.rename("runs/digits")
    done = command("train", "--from", "digits", "--data", "mnist:0-1", "--run", "two", "--steps", "1")
    assert done.code == 0 and "from " in done.out and "recipe mnist, with which runs/digits began" in done.out
    two = wgan.open_run("two")
    assert two.config.data == "mnist:0-1" and two.config.latent == 8 and two.config.labels == FIELDS["labels"].default
    assert "no run folder digitz" in command("train", "--from", "digitz").sentence()
