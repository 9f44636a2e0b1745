"""Histograms of the columns of a table: fractions of all rows, levels by how frequent they are, and the picture of a step."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.tables import mixed

from wgan.data import open_source
from wgan.sampling import grids
from wgan.sampling.histograms import BARS, LEVELS, histogram

SAID = "{:.3g}".format


def test_the_bars_of_a_number_are_fractions_of_all_rows():
    g = np.random.default_rng(0)
    real, fake = g.normal(size=4000), g.normal(1, 1, 1000)
    real[:1000] = np.nan
    found = histogram("x", False, fake, real, SAID)
    assert found["kind"] == "number" and len(found["real"]) == len(found["fake"]) == BARS
    assert found["missing"] == [0.25, 0.0] and sum(found["real"]) == pytest.approx(0.75 * 0.99, abs=0.003)
    assert np.argmax(found["fake"]) > np.argmax(found["real"]) and float(found["labels"][0]) < -2
    json.dumps(found, allow_nan=False)


def test_bars_of_levels_add_up_with_others_and_missing():
    real = np.r_[np.repeat(np.arange(14.0), np.arange(14, 0, -1)), np.nan]
    fake = np.r_[np.zeros(3), 99.0, np.nan]
    found = histogram("x", True, fake, real, SAID)
    assert found["labels"] == [*map(str, range(LEVELS)), "others"]
    assert found["fake"] == pytest.approx([0.6, *[0] * (LEVELS - 1), 0.2]) and found["missing"][1] == 0.2
    assert sum(found["real"]) + found["missing"][0] == pytest.approx(1)


def test_few_different_numbers_stand_in_their_order():
    found = histogram("x", False, np.array([2.0]), np.array([3.0, 3.0, 1.0]), SAID)
    assert found["kind"] == "level" and found["labels"] == ["1", "3", "others"] and found["fake"] == [0, 0, 1]


@pytest.mark.parametrize("real", [np.full(5, np.nan), np.full(5, 7.0), np.r_[np.zeros(999), np.arange(20.0)]])
def test_columns_with_nothing_to_bin_have_a_histogram(real):
    found = histogram("x", False, np.arange(4.0), real, SAID)
    assert len(found["real"]) == len(found["fake"]) and np.isfinite(found["real"] + found["fake"]).all()


def test_levels_stand_by_how_frequent_they_are():
    found = histogram("x", True, np.zeros(2), np.array([0.0, 2, 2, 2, 1, 1]), SAID)
    assert found["labels"] == ["2", "1", "0"] and found["fake"] == [0, 0, 1]


def test_a_number_that_hardly_varies_keeps_its_whole_range():
    real = np.r_[np.zeros(9999), np.arange(20.0)]
    found = histogram("x", False, np.arange(4.0), real, SAID)
    assert found["labels"] == ["0", "19"] and sum(found["real"]) == pytest.approx(1) == sum(found["fake"])


def test_a_column_without_real_values_has_no_bars():
    found = histogram("x", True, np.zeros(3), np.full(5, np.nan), SAID)
    assert (found["labels"], found["real"], found["fake"], found["missing"]) == ([], [], [], [1.0, 0.0])


def test_the_grid_of_a_table_shows_its_columns(tmp_path, cache, monkeypatch):
    mixed(tmp_path / "t.csv")
    source, seen = open_source(str(tmp_path / "t.csv")), []
    drawn = grids.column_grid
    monkeypatch.setattr(grids, "column_grid", lambda parts: seen.extend(parts) or drawn(parts))
    picture = grids.portray(source.batch(torch.arange(50))[0], source)
    assert [it["name"] for it in seen] == source.table.names and picture.width == 800
    (kind,) = (it for it in seen if it["name"] == "smoker")
    assert set(kind["labels"]) == {"True", "False"} and sum(kind["fake"]) == pytest.approx(1)
