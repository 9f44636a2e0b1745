"""Test what `wgan compare` reads off a finished run."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from wgan.compare import measure, plan
from wgan.data import open_source
from wgan.evaluation.context import MetricValue
from wgan.evaluation.metrics_table import METRICS
from wgan.runs.folder import open_run


def test_a_reading_of_a_run_measures_what_its_questions_need(ring_run, monkeypatch):
    monkeypatch.setattr(measure, "SAMPLES", 200)
    run = open_run(ring_run)
    wanted = {
        "quality": {"modes-reached", "sliced-w1", "precision", "coverage", "certified-w1"},
        "collapse": {"modes-reached"},
        "rates": set(),
    }
    bound = MetricValue(name="certified-w1", value=1.0)
    monkeypatch.setitem(METRICS, "certified-w1", SimpleNamespace(missing=lambda m: "", measure=lambda m: [bound]))
    for part, names in wanted.items():
        about = plan.Trial((part,), "wgan-gp", "ring:gulrajani", "mlp", 1.0, 0, 2, 1)
        found = measure.run_reading(about, run)
        assert set(found) | {"failed"} == set(measure.NOTHING)
        assert set(found["figures"]) >= names and bool(found["figures"]) == bool(names)
        assert bool(found["slopes"]) == bool(found["weights"]) == (part == "quality")
    second = plan.Trial(("quality",), "wgan-gp", "ring:gulrajani", "mlp", 1.0, 1, 2, 1)
    assert measure.run_reading(second, run)["weights"] == {}


@pytest.mark.parametrize(("data", "count"), [("ring", 2000), ("stacked-mnist:3", 10_000)])
def test_a_figure_is_read_off_enough_samples_with_its_own_floor(monkeypatch, data, count):
    monkeypatch.setattr(measure, "load", lambda run, checkpoint: checkpoint)
    monkeypatch.setattr(measure, "metrics_of", lambda source, long: ["modes"])
    monkeypatch.setattr(measure, "from_model", lambda *about: about)

    def seen(m):
        return [MetricValue(name="seen", value=float(m.subject[1]), reference=7.0, better="higher")]

    monkeypatch.setitem(METRICS, "modes", SimpleNamespace(missing=lambda m: "", measure=seen))
    about = plan.Trial(("collapse",), "gan", data, "mlp", 1.0, 0, 2, 1)
    assert measure.values_of(about, None, False) == {"seen": {"value": count, "floor": 7.0, "better": "higher"}}


def test_the_last_value_of_a_tag_and_the_whole_curve_are_read(monkeypatch):
    assert measure.last([{"a": 1}, {"a": 2}, {"b": 3}], "a") == 2.0 and measure.last([{"b": 3}], "a") is None
    logged = [
        {"step": i, "critic/loss": 0.0, "critic/wasserstein": w, "evaluate/selection": f}
        for i, (w, f) in enumerate([(9.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0)])
    ]
    run = type("Logged", (), {"log": lambda self: logged})()
    found = measure.run_reading(plan.Trial(("rates",), "wgan-gp", "ring", "mlp", 1.0, 0, 2, 1), run)
    assert found["tracks"] == pytest.approx(0.0) and len(found["curve"]) == 5


@pytest.mark.parametrize(
    ("data", "first"),
    [
        ("mnist:0-4", "fid-lenet"),
        ("stacked-mnist", "stacked-modes"),
        ("ring:gulrajani", "modes"),
        ("swissroll", "sliced-w1"),
    ],
)
def test_the_first_figure_is_the_one_that_says_most_of_the_data(data, first):
    source = dataclasses.replace(open_source(data), name="of no name that says anything")
    assert measure.metrics_of(source, False) == list(dict.fromkeys([first, "sliced-w1"]))
    assert {"prdc", "certified-w1", first} <= set(measure.metrics_of(source, True))
