"""Mirrors of the log in a tracker, on stand-ins for the trackers: what they are sent, and that none can end a run."""

import sys
from types import SimpleNamespace

import pytest

import wgan
from wgan.errors import WganError
from wgan.runs import mirror

SMALL = {
    "generator_layers": "8",
    "critic_layers": "8",
    "batch": 8,
    "n_critic": 1,
    "threads": 1,
    "log_every": 1,
    "steps": 2,
}


@pytest.fixture
def trackers(monkeypatch):
    """Stand-ins for mlflow, wandb and trackio that note each call."""
    calls = []

    def noted(name):
        return lambda *words, **named: calls.append((name, words, named))

    flow = ("set_experiment", "start_run", "log_params", "log_metrics", "end_run")
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(**{name: noted(name) for name in flow}))
    for tracker in ("wandb", "trackio"):
        monkeypatch.setitem(sys.modules, tracker, SimpleNamespace(**{n: noted(n) for n in ("init", "log", "finish")}))
    return calls


def numbers_of(run):
    return [{k: v for k, v in line.items() if k not in ("step", "alarm")} for line in run.log()]


@pytest.mark.parametrize("to", ["wandb", "trackio"])
def test_each_line_is_sent_while_a_run_trains(here, cheap, trackers, to):
    seen = []
    run = wgan.train("gulrajani-ring", run="mine", log_to=to, on_step=lambda step, n: seen.append(step), **SMALL)
    assert [name for name, *_ in trackers] == ["init", "log", "log", "finish"] and seen == [1, 2]
    assert trackers[0][2]["name"] == "mine" and trackers[0][2]["config"]["batch"] == 8
    assert [(words[0], named["step"]) for name, words, named in trackers[1:3]] == list(
        zip(numbers_of(run), (1, 2), strict=True)
    )


def test_mlflow_gets_options_in_parts_and_metrics(here, cheap, trackers, command):
    done = command(
        "train", "gulrajani-ring", "--run", "mine", "--log-to", "mlflow", "--steps", 1, "--batch", 8, "--threads", 1
    )
    assert done.code == 0, done
    names = [name for name, *_ in trackers]
    assert names[:2] == ["set_experiment", "start_run"] and names[-2:] == ["log_metrics", "end_run"]
    params = [words[0] for name, words, _ in trackers if name == "log_params"]
    assert all(len(p) <= 100 for p in params) and {k for p in params for k in p} == set(
        vars(wgan.open_run("mine").config)
    )


def test_the_log_of_a_run_is_sent_afterwards(ring_run, trackers, command):
    done = command("log", ring_run, "--to", "wandb")
    run = wgan.open_run(ring_run)
    sent = [(named["step"], words[0]) for name, words, named in trackers if name == "log"]
    assert done.code == 0 and f"{len(sent)} lines of" in done.out
    assert sent == [(line["step"], n) for line, n in zip(run.log(), numbers_of(run), strict=True)]


def test_a_tracker_that_fails_ends_no_run(here, cheap, trackers, monkeypatch, capsys):
    def fail(*words, **named):
        raise ConnectionError("no route")

    monkeypatch.setattr(sys.modules["wandb"], "log", fail)
    run = wgan.train("gulrajani-ring", run="mine", log_to="wandb", **SMALL)
    said = capsys.readouterr().err
    assert (
        run.step == 2
        and said.count("wandb failed (ConnectionError: no route)") == 1
        and "wgan log RUN --to wandb" in said
    )
    with pytest.raises(WganError, match="wandb failed: ConnectionError"):
        mirror.send_log("mine", "wandb")


def test_a_tracker_that_is_not_there_is_refused_first(here, command, monkeypatch):
    monkeypatch.setattr(mirror.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert "pip install 'wgan[wandb]'" in command("train", "gulrajani-ring", "--log-to", "wandb").sentence()
    assert (
        "unknown tracker 'wandbb': did you mean wandb"
        in command("train", "gulrajani-ring", "--log-to", "wandbb").sentence()
    )
    assert list(here.iterdir()) == []
