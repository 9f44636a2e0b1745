"""Rows that can exist: the range and step of the training rows, the data's class frequencies, the user's own labels."""

import numpy as np
import pytest
import torch

import wgan
from wgan.data.units import fit, step_of
from wgan.sampling import model as model_files
from wgan.sampling.model import load

G = np.random.default_rng(0)
PEOPLE = np.stack([G.integers(18, 90, 300), G.integers(1, 32, 300), G.beta(0.5, 0.5, 300).round(3)], 1)
UNITS = fit(PEOPLE, ["age", "day", "share"], ["int64", "int64", "float64"], [0, 0, 3], "people")
FAR = np.float32([[-9, -9, -9], [9, 9, 9], [0, 0, 0]])


def test_rows_stay_in_the_training_range():
    rows = UNITS.restore(FAR)
    assert (rows >= PEOPLE.min(0)).all() and (rows <= PEOPLE.max(0)).all()
    assert rows[:2].tolist() == [PEOPLE.min(0).tolist(), PEOPLE.max(0).tolist()]


def test_rows_beyond_the_range_are_kept_where_asked_for():
    rows = UNITS.restore(FAR, beyond_range=True)
    assert (rows[0] < PEOPLE.min(0)).all() and (rows[1] > PEOPLE.max(0)).all()
    assert rows[:, :2].tolist() == np.rint(rows[:, :2]).tolist()


def test_what_lies_outside_is_counted_before_it_is_clipped():
    assert UNITS.outside(FAR).mean(0).tolist() == pytest.approx([2 / 3] * 3)
    assert not UNITS.outside(UNITS.standardise(PEOPLE)).any()


@pytest.mark.parametrize(
    "values, step",
    [
        ([18, 19, 25], 1),
        ([0, 5, 10, 25], 5),
        ([0.25, 7.75], 7.5),
        ([0.1, 0.2, 0.3, 0.7], 0.1),
        ([1.5, 1.5], 0),
        (np.random.default_rng(0).normal(size=200), 0),
    ],
)
def test_the_step_of_a_column(values, step):
    assert step_of(np.array(values, dtype=np.float64)) == pytest.approx(step)


def test_rows_have_the_step_of_their_column():
    column = np.array([0.0, 5.0, 10.0, 15.0] * 20)[:, None]
    units = fit(column, ["dose"], ["float64"], [-1], "x")
    rows = units.restore(np.random.default_rng(0).normal(size=(200, 1)))
    assert set(np.unique(rows)) == {0.0, 5.0, 10.0, 15.0}


@pytest.fixture
def labelled(here, cheap, cache):
    """A run on 400 rows of which a tenth are of the class 12, the others of the class -3."""
    labels = np.where(np.arange(400) % 10 == 0, 12, -3)
    small = {"batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8", "conditioning": "concat"}
    wgan.train(data=(np.random.default_rng(0).normal(size=(400, 3)), labels), run="run", steps=1, **small)
    return "run"


def test_labelled_rows_have_the_frequencies_of_the_data(labelled, command):
    model = load(labelled)
    labels = model.sample(3000, seed=1).labels
    assert set(labels.tolist()) == {-3, 12}
    assert (labels == 12).mean() == pytest.approx(model.frequencies["12"], abs=0.02) == pytest.approx(0.1, abs=0.05)
    assert model.sample(70, seed=1).labels.tolist() == labels[:70].tolist()
    assert model.sample(4, label=[12, -3]).labels.tolist() == [12, -3, 12, -3]
    said = command("sample", labelled, "-n", "20", "--out", "rows.csv").out
    assert "classes as frequent as in the training data (-3 9" in said and "--labels A,B they take turns" in said


def test_labels_come_back_as_the_users_own(labelled):
    model = load(labelled)
    for label in (12, "12", 12.0, [12.0], np.float32(12), np.int64(12), np.array([12]), torch.tensor([12])):
        assert model.sample(3, label=label).labels.tolist() == [12, 12, 12]


def test_a_truth_value_is_a_label_as_it_is_in_the_data(here, cheap, cache):
    small = {"batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8", "conditioning": "concat"}
    data = (np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2 == 0)
    model = load(wgan.train(data=data, run="run", steps=1, **small))
    assert model.sample(2, label=True).labels.tolist() == model.sample(2, label=np.True_).labels.tolist() == [1, 1]


def test_names_that_only_look_like_numbers_stay_text(here, cheap, cache):
    labels = np.array(["007", "12"])[np.arange(60) % 2]
    small = {"batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8", "conditioning": "concat"}
    run = wgan.train(data=(np.random.default_rng(0).normal(size=(60, 3)), labels), run="run", steps=1, **small)
    assert set(load(run).sample(50, label=["007", "12"]).labels.tolist()) == {"007", "12"}


def test_a_generator_that_leaves_the_range_is_told_of(labelled, command, monkeypatch):
    model = load(labelled)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.mul_(30)
    samples, free = model.sample(200), model.sample(200, beyond_range=True)
    assert min(samples.outside.values()) > 0 and samples.outside == free.outside
    assert not model.units.outside(model.units.standardise(samples.numpy())).any()
    assert np.abs(free.numpy()).max() > np.abs(samples.numpy()).max()
    monkeypatch.setattr(model_files, "load", lambda *_, **__: model)
    said = command("sample", labelled, "-n", "20", "--out", "rows.csv").err
    assert "outside of the range of the training rows, clipped to it (--beyond-range keeps them)" in said
    kept = command("sample", labelled, "-n", "20", "--out", "rows.csv", "--force", "--beyond-range").err
    assert "kept as they are" in kept


def test_rows_outside_the_range_are_a_metric(labelled):
    figure = wgan.evaluate(labelled, n=100, metrics=["outside-range"]).figure("outside-range")
    assert 0 <= figure.value <= 1 and 0 <= figure.reference < 0.5
