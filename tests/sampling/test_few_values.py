"""Columns with few values, such as a rare yes or no: rows have them as often as the training rows, after a short run too."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import wgan
from wgan.data.units import fit, from_json
from wgan.errors import WganError
from wgan.sampling.model import load

RNG = np.random.default_rng(0)
N = 2000


def units_of(*columns):
    rows = np.stack([np.asarray(c, np.float64) for c in columns], 1)
    return fit(rows, [f"c{i}" for i in range(len(columns))], ["float64"] * len(columns), [-1] * len(columns), "x")


@pytest.fixture
def rare(here, cheap, cache):
    """A run of 30 steps on rows of which the 2 % with the largest `a` are marked; `kind` is 0, 1 or 10."""
    a = RNG.normal(size=N)
    marked = (a > np.quantile(a, 0.98)).astype(int)
    kind = RNG.choice([0, 1, 10], N, p=[0.5, 0.45, 0.05])
    header = "marked,a,kind\n"
    lines = [f"{m},{v:.3f},{k}\n" for m, v, k in zip(marked, a, kind, strict=True)]
    with open("rare.csv", "w") as file:
        file.write(header + "".join(lines))
    wgan.train(data="rare.csv", run="run", steps=30, batch=32, threads=1, generator_layers="16", critic_layers="16")
    return load("run")


def test_a_rare_value_is_generated_about_as_often(rare):
    rows = rare.sample(4000, seed=3).numpy()
    assert rows[:, 0].mean() == pytest.approx(0.02, abs=0.008)
    counts = {value: (rows[:, 2] == value).mean() for value in np.unique(rows[:, 2])}
    assert counts == pytest.approx({0: 0.5, 1: 0.45, 10: 0.05}, abs=0.03)  # no 2 to 9, which no training row has
    assert len(np.unique(rows[:, 1])) > 500  # a column of many values is left alone


def test_a_sample_with_few_values_is_the_same_for_every_n(rare):
    assert rare.sample(5, seed=3).tolist() == rare.sample(300, seed=3)[:5].tolist()


def test_rows_beyond_the_range_are_not_brought_to_few_values():
    raw = replace(units_of([0.5, 1.5] * 50), cuts=((0.0,),)).restore(RNG.normal(size=(99, 1)), beyond_range=True)
    assert len(np.unique(raw)) == 99


def test_values_lie_between_the_quantiles_of_the_generator():
    """Of a generator that never comes near the rare value: half of what it makes lies above its own median."""
    units = units_of(np.repeat([0.0, 1.0, 7.0], [50, 40, 10]))
    made = RNG.normal(-0.4, 0.01, size=(10_000, 1))
    rows = units.cut_by(made).restore(made)[:, 0]
    assert [(rows == v).mean() for v in (0, 1, 7)] == pytest.approx([0.5, 0.4, 0.1], abs=1e-3)
    order = np.argsort(made[:, 0])
    assert (np.diff(rows[order]) >= 0).all()  # the order of the generator's numbers is kept
    assert set(units.restore(made)[:, 0]) == {0.0}  # without its quantiles: the nearest value


def test_a_column_the_generator_never_varies_is_rounded():
    units = units_of(np.repeat([0.0, 1.0], [10, 90]))
    made = np.full((100, 1), float(units.standardise(np.array([[0.8]]))[0, 0]))
    assert set(units.cut_by(made).restore(made)[:, 0]) == {1.0}


@pytest.mark.parametrize(
    ("column", "few"),
    [
        (np.arange(200) % 20, True),
        (np.arange(210) % 21, False),
        (np.arange(199) % 20, False),
        (np.repeat([0, 1], [1, 99]), True),
        (np.linspace(0, 1, 100), False),
    ],
)
def test_which_columns_have_few_values(column, few):
    assert bool(units_of(column, np.arange(len(column)) % 2).values[0]) == few


def test_few_values_are_kept_in_the_run(rare):
    units = from_json(rare.run.facts.units)
    assert units.values == ((0, 1), (), (0, 1, 10)) and units.cuts == ()
    assert units.below[0][0] == pytest.approx(0.98, abs=0.005) and units.below[0][1] == 1


@pytest.mark.parametrize(
    "damage",
    [{"below": [[0.5]]}, {"below": [[0.9, 0.5]]}, {"values": [[1.0, 0.0]]}, {"values": []}, {"below": [[0.5, 0.9]]}],
)
def test_damaged_levels_are_refused(damage):
    whole = units_of([0, 1] * 50).to_json()
    assert from_json(json.loads(json.dumps(whole))) == units_of([0, 1] * 50)
    with pytest.raises(WganError, match="the units of the data"):
        from_json(whole | damage)
