"""Every training row comes back exactly, whatever its columns hold; and what is drawn looks like the data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.tables import mixed
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import kstest

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.tabular.coding import LATTICE, MOST_LEVELS, SPIKE, fit_category, fit_number
from wgan.data.tabular.table import Column, from_json
from wgan.errors import WganError

KINDS = {
    "whole": lambda g, n: g.integers(-40, 4000, n).astype(float),
    "few": lambda g, n: g.choice([1.0, 2.0, 5.0], n),
    "spiked": lambda g, n: np.where(g.random(n) < 0.6, 0.0, g.lognormal(3, 2, n).round(2)),
    "capped": lambda g, n: np.minimum(g.exponential(1e5, n).round(0), 200_001),
    "heavy": lambda g, n: (g.standard_cauchy(n) * 1000).round(4),
    "constant": lambda g, n: np.full(n, 7.5),
}


@settings(max_examples=40, deadline=None)
@given(
    kind=some.sampled_from(sorted(KINDS)),
    n=some.integers(1, 3000),
    seed=some.integers(0, 10**6),
    missing=some.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_number_comes_back_exactly(kind, n, seed, missing):
    g = np.random.default_rng(seed)
    codes = KINDS[kind](g, n)
    codes[g.random(n) < missing] = np.nan
    coding = fit_number(codes)
    x = coding.encode(codes, g.uniform(0.05, 0.95, n))
    assert x.shape == (n, coding.width) and np.isfinite(x).all()
    assert np.array_equal(coding.decode(x).round(4), codes, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(levels=some.integers(1, 400), n=some.integers(1, 2000), seed=some.integers(0, 10**6))
def test_every_level_comes_back_exactly(levels, n, seed):
    g = np.random.default_rng(seed)
    codes = (levels * g.random(n) ** 3).astype(np.int64).astype(float)
    codes[g.random(n) < 0.1] = np.nan
    coding = fit_category(codes)
    assert coding.slots <= MOST_LEVELS + 1
    assert np.array_equal(coding.decode(coding.encode(codes, g.uniform(0.05, 0.95, n))), codes, equal_nan=True)


@pytest.mark.parametrize("distinct", [LATTICE // 2, 4 * LATTICE])
def test_scores_of_the_rest_are_normal(distinct):
    g = np.random.default_rng(0)
    codes = (g.lognormal(1, 1, 20_000) * 1000).astype(np.int64).astype(float) % distinct
    coding = fit_number(codes)
    z = coding.encode(codes, g.random(len(codes)))[:, -1]
    assert coding.lattice == (distinct < LATTICE) and kstest(z, "norm").statistic < 0.01


def test_normal_scores_come_back_with_the_law_of_the_column():
    g = np.random.default_rng(0)
    codes = g.poisson(30, 20_000).astype(float) + 0.5 * (g.random(20_000) < 0.5)
    coding = fit_number(codes)
    x = np.zeros((20_000, coding.width))
    x[:, 0], x[:, -1] = 1, g.normal(size=20_000)
    rest = codes[~np.isin(codes, coding.spikes)]
    assert abs(coding.decode(x).mean() - rest.mean()) < 0.1 and set(coding.decode(x)) <= set(rest)


def test_what_is_drawn_keeps_the_step_of_the_column():
    """Between quantiles a score means any number: it becomes one that a multiple of 5 may be."""
    g = np.random.default_rng(0)
    codes = 5.0 * g.integers(0, 4 * LATTICE, 10_000) + 2
    coding = fit_number(codes)
    made = Column("c", "number", coding, step=5.0).round(coding.decode(coding.encode(codes, codes) + 0.01))
    assert not coding.lattice and set(made % 5) == {2}


def test_zero_has_no_sign(tmp_path, cache):
    price = Column("price", "number", fit_number(np.arange(-600.0, 600) / 100), digits=2)
    assert price.texts(price.round(np.array([-0.001, -0.0, -0.01]))) == ["0.00", "0.00", "-0.01"]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *["-0.0,x", "1.5,y", "0.0,z"] * 20]))
    source = open_source(str(tmp_path / "t.csv"), "all")
    assert set(source.table.cells(source.codes(torch.arange(60)).numpy())["a"]) == {"0.0", "1.5"}


def test_a_value_that_many_rows_share_has_a_slot():
    g = np.random.default_rng(0)
    codes = g.normal(size=5000)
    codes[:200], codes[200:220] = 0.0, 9.0
    assert fit_number(codes).spikes == (0.0,) and SPIKE > 20 / 5000


def test_of_few_rows_no_value_is_a_spike():
    codes = np.r_[np.arange(40.0), 3.0, 3.0, 7.0]
    assert fit_number(codes).spikes == () and fit_number(np.r_[codes, 3.0, 3.0]).spikes == (3.0,)


def test_a_value_of_no_training_row_has_no_slot():
    coding = fit_category(np.array([0.0, 1.0, 1.0]))
    assert coding.encode(np.array([2.0, np.nan]), np.array([0.5, 0.5])).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_every_row_of_a_file_comes_back_as_it_was_written(tmp_path, cache, seed):
    wanted = mixed(tmp_path / "t.csv", seed=seed)
    source = open_source(str(tmp_path / "t.csv"))
    x = source.batch(torch.arange(len(source)))[0].numpy()
    cells = source.table.cells(source.table.decode(x))
    assert list(cells) == list(wanted)
    rows = set(zip(*wanted.values(), strict=True))
    assert set(zip(*cells.values(), strict=True)) <= rows and len(x) == 300


def test_a_table_is_the_same_after_json(tmp_path, cache):
    mixed(tmp_path / "t.csv")
    table = open_source(str(tmp_path / "t.csv")).table
    values = json.loads(json.dumps(table.to_json()))
    assert from_json(values) == table and from_json(None) is None
    values["columns"][0]["coding"]["marks"] = [2.0, 1.0]
    with pytest.raises(WganError, match="is damaged"):
        from_json(values)


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_of_both_parts_are_read(tmp_path, cache, split):
    mixed(tmp_path / "t.csv")
    source = open_source(str(tmp_path / "t.csv"), split, options=ReadingOptions(labels="smoker"))
    x, y = source.batch(torch.arange(len(source)))
    assert x.shape == (len(source), source.table.width) and x.isfinite().all() and y.unique().tolist() == [0, 1]
    assert "smoker" not in source.table.names and source.codes(torch.arange(len(source))).shape == (len(source), 8)


@pytest.mark.parametrize("again", [1, 2])
def test_no_class_of_a_table_is_held_out_whole(tmp_path, cache, again):
    """Single rows of a class would be, rows there twice or not; and columns are fitted to the very rows that are trained on."""
    kinds = [f"rare {i}" if i % 10 == 0 else "ab"[i % 2] for i in range(200)]
    lines = [f"{3 * (i // again)},w{i // again % 3},{kind}\n" for i, kind in enumerate(kinds)]
    (tmp_path / "t.csv").write_text("size,word,class\n" + "".join(lines))
    source = open_source(str(tmp_path / "t.csv"), options=ReadingOptions(labels="class"))
    assert source.classes == 22 and source.labels.bincount(minlength=22).min() == 1
    codes = source.codes(torch.arange(len(source))).numpy()
    assert source.table.columns[0].coding == fit_number(codes[:, 0])
