"""--minutes chooses the steps that fit, by a clock of the test's own; --patience ends a run, and both survive a resume."""

import json

import pytest
import torch
from helpers.run_folders import without_events
from torch import nn

import wgan
from wgan.config import Config
from wgan.distributed.group import Group
from wgan.errors import WganError
from wgan.runs.checkpoint import saved_steps
from wgan.runs.log import read_log
from wgan.training import budget, monitor, start
from wgan.training.budget import Costs, duty_count, steps_within

SMALL = {"generator_layers": "16", "critic_layers": "16", "batch": 8, "n_critic": 1, "threads": 1}
RING = {**SMALL, "recipe": "gulrajani-ring", "log_every": 2, "evaluate_every": 2, "checkpoint_every": 3}


class Points(nn.Module):
    """z [B, 3], y -> points of the plane [B, 2], with a layer of its own."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 2)

    def forward(self, z, y):
        return self.out(z)


pytestmark = pytest.mark.usefixtures("here", "cheap")


def kept(folder):
    """What a run leaves that does not depend on the clock."""
    return {name: data for name, data in without_events(folder).items() if name not in ("times.jsonl", ".lock")}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the work of the budget moves: 0.25 s a step, 2 s an evaluation, 1 s a sample grid."""
    now = [100.0]

    def costly(name, seconds, owner=budget):
        real = getattr(owner, name)

        def work(*args, **kwargs):
            now[0] += seconds
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, work)

    costly("take_step", 0.25)
    costly("critic_phase", 0.125)
    costly("measure", 2.0, monitor.Monitor)
    costly("grid", 1.0)
    monkeypatch.setattr(budget.time, "perf_counter", lambda: now[0])
    return now


COSTS = Costs(step=0.5, update=0.125, evaluation=2.0, grid=1.0)


@pytest.mark.parametrize(
    ("options", "seconds", "expected"),
    [
        ({"evaluate_every": None, "sample_every": None}, 103.0, 200),  # 200 / 2 + 2 + 1
        ({"evaluate_every": None, "sample_every": None}, 102.99, 199),
        ({"evaluate_every": 50, "sample_every": 100}, 110.0, 200),  # 100 + 4 x 2 + 2 x 1
        ({"evaluate_every": None, "sample_every": None}, 3.5, 1),
        ({"evaluate_every": None, "sample_every": None}, 3.49, 0),
        # warm-100 at n_critic 1: 99 more updates at each of the first 25 steps: 12.5 + 25 x 99 / 8 + 3 = 324.875
        ({"evaluate_every": None, "sample_every": None, "critic_schedule": "warm-100"}, 324.875, 25),
    ],
)
def test_the_steps_that_fit_are_the_most_that_do(options, seconds, expected):
    assert steps_within(seconds, COSTS, Config().replace(**options)) == expected


def test_a_duty_falls_on_its_steps_and_on_the_last():
    assert [duty_count(every, n) for every, n in ((5, 10), (5, 11), (None, 11), (1, 4))] == [2, 3, 1, 4]


def test_minutes_write_a_number_of_steps_and_nothing_else(clock, capsys):
    # 15 s: 2 + 3 steps (1.25 s), a critic phase, two evaluations, a sample grid: 6.375; 3 for the end: 5.625 are left
    run = wgan.train(run="timed", minutes=0.25, **{**RING, "evaluate_every": None, "sample_every": None})
    assert run.config.steps == run.step == 10  # (5.625 - 2 - 1) / 0.25 = 10.5
    assert "a step takes 250 ms here, so the run has 10 steps" in capsys.readouterr().out
    plain = wgan.train(run="plain", **{**RING, "evaluate_every": None, "sample_every": None, "steps": 10})
    assert kept(run.path) == kept(plain.path) and json.loads((run.path / "config.json").read_text())["steps"] == 10


def test_the_same_command_resumes_with_the_same_steps(clock, capsys):
    options = {**RING, "evaluate_every": None, "sample_every": None}
    whole = wgan.train(run="whole", minutes=0.25, **options)
    wgan.train(run="cut", minutes=0.25, on_step=lambda step, numbers: wgan.STOP if step == 4 else None, **options)
    clock[0] += 1000.0  # another day
    again = wgan.train(run="cut", minutes=0.25, **options)
    assert "minutes: the run keeps the 10 steps it was begun with" in capsys.readouterr().out
    assert again.step == 10 and kept(again.path) == kept(whole.path)


def test_the_learning_rate_is_0_at_the_end_that_was_chosen(clock):
    run = wgan.train(run="timed", minutes=0.25, lr_decay="linear", **{**RING, "evaluate_every": None})
    assert run.config.decay_steps is None and run.config.lr_decay == "linear" and run.config.steps < 5000


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "minutes must be between 0.05 and 1000000, not 0"),
        (-1, "minutes must be between"),
        (float("nan"), "minutes must be between"),
        (float("inf"), "minutes must be between"),
        ("5m", "minutes must be a number, not '5m'"),
        (True, "minutes must be a number, not True"),
    ],
)
def test_a_time_that_is_none_is_one_sentence(here, minutes, words):
    with pytest.raises(WganError, match=words):
        wgan.train(run="bad", minutes=minutes, **RING)
    assert not (here / "bad").exists()


def test_a_time_too_short_for_one_step_writes_nothing(here, clock):
    with pytest.raises(
        WganError, match=r"minutes 0.05 is too short: .* one step and its evaluation take 0.\d+ minutes"
    ):
        wgan.train(run="short", minutes=0.05, **RING)
    assert not (here / "short").exists()


def test_measuring_does_not_train_a_module_of_the_callers(clock):
    def made():
        torch.manual_seed(0)
        return Points()

    options = {
        "data": "ring",
        "latent": 3,
        **{k: v for k, v in RING.items() if k not in ("generator_layers", "recipe")},
    }
    options |= {"evaluate_every": None, "sample_every": None, "critic": "mlp"}
    own = made()
    timed = wgan.train(run="timed", minutes=0.25, generator=own, **options)
    assert torch.equal(own.out.weight, made().out.weight)
    plain = wgan.train(run="plain", steps=timed.config.steps, generator=made(), **options)
    assert kept(timed.path) == kept(plain.path)


def test_minutes_and_steps_exclude_each_other(here):
    with pytest.raises(WganError, match="give minutes or steps, not both"):
        wgan.train(run="both", minutes=1, steps=5, **RING)
    assert not (here / "both").exists()


def test_what_the_first_evaluation_takes_more_counts_once(clock, monkeypatch):
    real, calls = monitor.Monitor.measure, []

    def measure(self, p, step):
        clock[0] += 0.0 if calls else 7.0
        calls.append(step)
        return real(self, p, step)

    monkeypatch.setattr(monitor.Monitor, "measure", measure)
    config = Config().replace(data="ring", **{**SMALL, "generator": "mlp", "critic": "mlp", "generator_norm": "none"})
    config = config.replace(conditioning="none", critic_conditioning="none")
    costs = budget.measured_costs(config, start.opened(config, Group()), budget.budget(1.0), Group())
    assert (costs.evaluation, costs.opening) == (2.0, 7.0)
    assert costs.of(config.replace(evaluate_every=2, sample_every=None), 6) == 7 + 6 * costs.step + 3 * 2 + 1


def test_measuring_takes_3_steps_or_3_hundredths_of_the_time(clock):
    config = Config().replace(
        data="ring",
        **{
            **SMALL,
            "generator": "mlp",
            "critic": "mlp",
            "generator_norm": "none",
            "conditioning": "none",
            "critic_conditioning": "none",
        },
    )
    source = start.opened(config, Group())
    for minutes, steps_taken in ((0.2, 2 + 3), (1, 2 + 8), (1000, 2 + 40)):  # 1.8 s and at most 10 s, at 0.25 s each
        before = clock[0]
        budget.measured_costs(config, source, budget.budget(minutes), Group())
        assert clock[0] - before == pytest.approx(0.25 * steps_taken + 0.125 + 2 + 2 + 1)


# --- patience ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch):
    """Selection figures by step: the best is at step 4."""
    figures = {2: 5.0, 4: 3.0, 6: 3.0, 8: 4.0, 10: 3.5, 12: 3.1, 14: 2.0, 16: 9.0}

    def measure(self, p, step):
        self.note(step, figures[step])
        return {monitor.SELECTION: figures[step]}

    monkeypatch.setattr(monitor.Monitor, "measure", measure)
    return figures


@pytest.mark.parametrize(("patience", "last"), [(1, 6), (2, 8), (3, 10), (4, 12), (5, 16)])
def test_patience_ends_after_so_many_without_a_better(measured, capsys, patience, last):
    run = wgan.train(run="patient", patience=patience, steps=16, **RING)
    assert run.step == last and run.config.steps == 16 and read_log(run.path)[-1]["step"] == last
    assert run.best == (14 if last == 16 else 4) and run.best in saved_steps(run.checkpoints)
    said = f"patience: nothing better in {patience} evaluations since step 4, so the run ends here"
    assert (said in capsys.readouterr().out) == (last < 16)


def test_a_run_that_patience_ended_stays_ended(measured, capsys):
    first = wgan.train(run="ended", patience=2, steps=16, **RING)
    before = kept(first.path)
    capsys.readouterr()
    again = wgan.train(run="ended", patience=2, steps=16, **RING)
    assert again.step == 8 and kept(again.path) == before
    assert "so the run ends here" in capsys.readouterr().out


def test_more_patience_goes_on_as_if_there_had_been_no_end(measured):
    wgan.train(run="ended", patience=2, steps=16, sample_every=2, **RING)
    on = wgan.train(run="ended", patience=4, steps=16, sample_every=2, **RING)
    whole = wgan.train(run="whole", patience=4, steps=16, sample_every=2, **RING)
    assert on.step == 12 and kept(on.path) == kept(whole.path)


@pytest.mark.parametrize("cut", [2, 4, 6, 8])
def test_a_stop_on_the_way_does_not_restart_the_patience(measured, cut):
    wgan.train(
        run="cut", patience=3, steps=16, on_step=lambda step, numbers: wgan.STOP if step == cut else None, **RING
    )
    resumed = wgan.train(run="cut", patience=3, steps=16, **RING)
    whole = wgan.train(run="whole", patience=3, steps=16, **RING)
    assert resumed.step == 10 and kept(resumed.path) == kept(whole.path)


@pytest.mark.parametrize("every", [None, 16, 20])
def test_patience_needs_more_than_one_evaluation(every):
    with pytest.raises(WganError, match="makes only one in 16 steps, at the end"):
        Config().replace(steps=16, patience=2, evaluate_every=every)


@pytest.mark.parametrize("value", [-1, "three", 1.5, float("nan")])
def test_patience_is_a_number_of_evaluations(value):
    with pytest.raises(WganError, match="patience must be"):
        Config().replace(patience=value)
    assert Config().replace(patience=0).patience is None
