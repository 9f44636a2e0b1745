"""Data frames in, without their library being imported; pandas and polars themselves where they are installed."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
import torch

import wgan
from wgan.data import open_source
from wgan.data.own.in_memory import spec_of
from wgan.errors import WganError

N = 80
START = datetime(2024, 3, 1, 12, 30)
SMALL = {"batch": 8, "threads": 1, "n_critic": 1, "generator_layers": "8", "critic_layers": "8", "steps": 2}
COLUMNS = {
    "age": [float(i % 40) if i % 5 else float("nan") for i in range(N)],
    "colour": [("red", "blue", None, "co,ma")[i % 4] for i in range(N)],
    "member": [i % 3 == 0 for i in range(N)],
    "count": [i * i for i in range(N)],
}


class Column(list):
    """A column as both libraries have it."""

    def to_list(self):
        return list(self)


class DataFrame:
    """A frame as both libraries have it."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.data = columns

    def __getitem__(self, name):
        return Column(self.data[name])

    def __len__(self):
        return len(next(iter(self.data.values())))


def rows_of(source):
    """Return the rows of a source as Python values."""
    return source.table.values(source.codes(torch.arange(len(source))).numpy())


def test_a_frame_is_a_table(here, cache):
    source = open_source(spec_of(DataFrame(COLUMNS)), "all")
    assert source.table.names == list(COLUMNS) and [c.kind for c in source.table.columns] == [
        "number",
        "category",
        "category",
        "number",
    ]
    rows = rows_of(source)
    assert sorted(rows["count"]) == COLUMNS["count"] and set(rows["colour"]) == {"red", "blue", "co,ma", None}
    assert sorted(map(str, rows["age"])) == sorted("None" if v != v else str(v) for v in COLUMNS["age"])
    assert sum(rows["member"]) == sum(COLUMNS["member"])


def test_the_same_frame_is_the_same_data(here, cache):
    assert spec_of(DataFrame(COLUMNS)) == spec_of(DataFrame({k: list(v) for k, v in COLUMNS.items()}))
    assert spec_of(DataFrame(COLUMNS)) != spec_of(DataFrame({**COLUMNS, "count": [0] * N}))


def test_a_frame_trains_and_comes_back(here, cache, cheap, monkeypatch):
    from types import SimpleNamespace

    run = wgan.train(data=DataFrame(COLUMNS), run="run", **SMALL)
    assert run.config.recipe == "table"
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=DataFrame))
    frame = wgan.load("run").sample(30, where="colour=red").to_frame()
    assert frame.columns == list(COLUMNS) and set(frame["colour"]) == {"red"} and len(frame) == 30
    assert {type(v) for v in frame["member"]} == {bool} and {type(v) for v in frame["count"]} == {int}


def test_a_frame_of_numbers_is_read_as_vectors(here, cache):
    numbers = {i: np.random.default_rng(i).normal(size=N).round(3).tolist() for i in range(3)}
    source = open_source(spec_of(DataFrame(numbers)), "all")
    assert source.table is None and source.units.names == ("x0", "x1", "x2") and len(source) == N


def test_the_class_of_a_frame_is_a_column(here, cache, cheap):
    run = wgan.train(data=DataFrame(COLUMNS), labels="member", run="run", conditioning="concat", **SMALL)
    assert run.facts.class_names == ("False", "True")
    with pytest.raises(WganError, match="labels='COLUMN'"):
        wgan.train(data=(DataFrame(COLUMNS), [0] * N), run="other", **SMALL)


ZONES = [timezone(timedelta(hours=h)) for h in (1, 2)]  # winter and summer of one place


@pytest.mark.parametrize(
    "moments, form",
    [
        ([START + timedelta(seconds=61 * i) for i in range(N - 1)], "%Y-%m-%d %H:%M:%S"),
        ([START + timedelta(milliseconds=500 * i) for i in range(N - 1)], "%Y-%m-%d %H:%M:%S.%3f"),
        ([START + timedelta(microseconds=250 * i) for i in range(N - 1)], "%Y-%m-%d %H:%M:%S.%f"),
        ([START.replace(tzinfo=ZONES[0]) + timedelta(hours=i) for i in range(N - 1)], "%Y-%m-%d %H:%M:%S+01:00"),
        ([START.replace(tzinfo=ZONES[i % 2], day=i % 28 + 1) for i in range(N - 1)], "%Y-%m-%d %H:%M:%S+01:00"),
    ],
)
def test_moments_are_dates_in_one_format_and_come_back(here, cache, moments, form):
    source = open_source(spec_of(DataFrame({**COLUMNS, "when": [*moments, None]})), "all")
    when = source.table.columns[-1]
    assert (when.name, when.form) == ("when", form)
    found = rows_of(source)["when"]
    assert sorted(v for v in found if v is not None) == sorted(moments) and found.count(None) == 1


def test_moments_of_a_parquet_file_keep_their_zone(here, cache):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    moments = [START.replace(tzinfo=ZONES[0]) + timedelta(milliseconds=500 * i * i) for i in range(N)]
    pq.write_table(pa.table({**COLUMNS, "when": pa.array(moments)}), "rows.parquet")
    found = rows_of(open_source("rows.parquet", "all"))["when"]
    assert sorted(found) == moments and {v.utcoffset() for v in found} == {timedelta(hours=1)}


def test_parquet_types_come_back_and_nested_ones_are_left_out(here, cache, cheap, command):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    moments = [START + timedelta(days=i % 28, minutes=7 * i) for i in range(N)]
    columns = {
        **COLUMNS,
        "day": pa.array([m.date() for m in moments]),
        "clock": pa.array([m.time() for m in moments]),
        "when": pa.array(np.array(moments, "datetime64[ns]") + np.timedelta64(1, "ns")),
        "tags": pa.array([["a", "b"]] * N),
    }
    pq.write_table(pa.table(columns), "rows.parquet")
    assert "column tags holds list<" in " | ".join(open_source("rows.parquet").notes)
    wgan.train(data="rows.parquet", run="run", **SMALL)
    assert command("sample", "run", "-n", 20, "--out", "made.parquet").code == 0
    made = pq.read_table("made.parquet")
    kinds = {name: str(made.schema.field(name).type) for name in ("day", "clock", "when")}
    assert (
        kinds == {"day": "date32[day]", "clock": "time64[us]", "when": "timestamp[us]"}
        and "tags" not in made.column_names
    )
    assert set(made["day"].to_pylist()) <= {m.date() for m in moments}


def test_pictures_in_a_parquet_file_are_no_words(here, cache):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({**COLUMNS, "image": [b"png"] * N}), "rows.parquet")
    with pytest.raises(WganError, match=r"column image of .* holds files, such as pictures"):
        open_source("rows.parquet")


def test_two_columns_of_one_name_are_refused(here, cache):
    frame = DataFrame(COLUMNS)
    frame.columns = ["age", "age"]
    with pytest.raises(WganError, match="two columns called 'age'"):
        spec_of(frame)


def test_no_frame_library_is_imported():
    code = "import sys, wgan, wgan.api, wgan.data.own.in_memory; assert not {'pandas', 'polars'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_libraries_own_frames(library, here, cache):
    module = pytest.importorskip(library)
    columns = {**COLUMNS, "age": [None if v != v else v for v in COLUMNS["age"]]}
    source = open_source(spec_of(module.DataFrame(columns)), "all")
    assert source.table.names == list(COLUMNS) and set(rows_of(source)["colour"]) == {"red", "blue", "co,ma", None}
