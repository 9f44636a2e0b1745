"""on_step sees what the log gets, may end the run, can change nothing of it, and its exceptions lose no step."""

import asyncio
import os

import pytest
import torch
from helpers.run_folders import files, without_events

import wgan
from wgan.errors import WganError
from wgan.runs.checkpoint import saved_steps
from wgan.runs.log import read_log

SMALL = {"generator_layers": "16", "critic_layers": "16", "batch": 8, "n_critic": 1, "threads": 1, "steps": 6}
RING = {**SMALL, "recipe": "gulrajani-ring", "log_every": 2, "evaluate_every": 3, "checkpoint_every": 3}
pytestmark = pytest.mark.usefixtures("here", "cheap")


def kept(folder):
    """What a run leaves that does not depend on the clock."""
    return {name: data for name, data in without_events(folder).items() if name not in ("times.jsonl", ".lock")}


@pytest.fixture
def plain(here):
    """The run that nobody watches."""
    return wgan.train(run="plain", **RING)


def test_it_sees_each_line_of_the_log_once():
    seen = []
    run = wgan.train(run="seen", on_step=lambda step, numbers: seen.append({"step": step, **numbers}), **RING)
    assert [line["step"] for line in seen] == [2, 3, 4, 6]
    assert seen == read_log(run.path) and "critic/wasserstein" in seen[0] and "evaluate/selection" in seen[1]


def test_it_changes_no_byte_whatever_it_does(plain):
    def meddle(step, numbers):
        numbers.clear()
        wgan.load(plain).sample(3)
        torch.manual_seed(step)
        torch.set_num_threads(3)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        os.makedirs("elsewhere", exist_ok=True)
        os.chdir("elsewhere")

    meddled = wgan.train(run="meddled", on_step=meddle, **RING)
    assert kept(meddled.path) == kept(plain.path) and len(kept(plain.path)) > 6
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


def test_stop_saves_and_the_same_call_continues(plain, capsys):
    run = wgan.train(run="stopped", on_step=lambda step, numbers: wgan.STOP if step == 4 else None, **RING)
    assert run.step == 4 and saved_steps(run.checkpoints)[-1] == 4
    assert "on_step returned wgan.STOP: saving step 4" in capsys.readouterr().out
    assert wgan.train(run="stopped", **RING).step == 6
    assert kept(run.path) == kept(plain.path)


def test_nothing_but_stop_ends_a_run():
    assert wgan.train(run="on", on_step=lambda step, numbers: "stop", **RING).step == 6


@pytest.mark.parametrize("error", [ZeroDivisionError("own"), WganError("own"), SystemExit(7), KeyboardInterrupt()])
def test_an_exception_is_raised_after_the_run_is_saved(plain, error):
    def fail(step, numbers):
        if step == 4:
            raise error

    with pytest.raises(type(error)) as raised:
        wgan.train(run="failed", on_step=fail, **RING)
    assert raised.value is error
    assert saved_steps(wgan.open_run("failed").checkpoints)[-1] == 4
    wgan.train(run="failed", **RING)
    assert kept(plain.path) == kept(wgan.open_run("failed").path)


def test_a_number_that_it_finds_not_finite_is_no_loss_of_the_run():
    from wgan.errors import NotFinite

    def fail(step, numbers):
        raise NotFinite("mine", step)

    with pytest.raises(NotFinite, match=r"^mine is not finite at step 2$"):
        wgan.train(run="failed", on_step=fail, **RING)
    assert not [name for name in files(wgan.open_run("failed").path) if "not-finite" in name]


async def waited_for(step, numbers):
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("on_step", "words"),
    [
        ("print", "must be a function f\\(step, numbers\\), not 'print'"),
        (lambda step: None, "cannot be called so: too many positional"),
        (lambda a, b, c: None, "cannot be called so: missing a required argument: 'c'"),
        (waited_for, "that is not async"),
    ],
)
def test_what_cannot_be_called_is_refused_first(here, on_step, words):
    with pytest.raises(WganError, match=words):
        wgan.train(run="none", on_step=on_step, **RING)
    assert files(here) == []


def test_stop_is_public_and_says_its_name():
    assert repr(wgan.STOP) == "wgan.STOP"
