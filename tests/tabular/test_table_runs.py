"""A table of every kind of column from one command to rows: trained, resumed exactly, sampled, asked for, in frames."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tables import mixed

import wgan
from wgan.data import open_source
from wgan.data.tabular.table import Table
from wgan.errors import WganError
from wgan.models.table_head import Columns, TableHead
from wgan.sampling.where import parts_of
from wgan.training.asked import mask

SMALL = ("--batch", 20, "--threads", 1, "--n-critic", 1, "--generator-layers", 8, "--critic-layers", 8, "--latent", 4)


@pytest.fixture
def table(here, cheap, cache):
    """A table of every kind of column."""
    return mixed(here / "t.csv")


@pytest.fixture
def run(table, command):
    """A short run on it."""
    assert command("train", "--data", "t.csv", "--run", "run", "--steps", 3, *SMALL).code == 0
    return "run"


def rows_of(path):
    """Return the rows of a CSV file as dictionaries."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def checkpoint_of(folder):
    """Return the bytes of the weights of the last step."""
    return Path(folder, "checkpoints", "step-00000006.safetensors").read_bytes()


def test_rows_have_the_columns_types_and_values_of_the_file(run, table, command):
    assert command("sample", run, "-n", 300, "--out", "rows.csv").code == 0
    rows = rows_of("rows.csv")
    assert len(rows) == 300 and list(rows[0]) == list(table)
    for name in ("kind", "zip", "smoker", "note", "always"):
        assert {row[name] for row in rows} <= set(table[name]), name
    assert all(row["age"] == "" or 18 <= int(row["age"]) < 90 for row in rows)
    assert all(row["price"] == "" or len(row["price"].partition(".")[2]) == 2 for row in rows)
    assert all(row["day"] == "" or len(row["day"].split(".")) == 3 for row in rows)
    assert {"", *table["age"]} >= {row["age"] for row in rows} and any(row["age"] == "" for row in rows)


def test_the_recipe_for_a_table_is_its_own(run):
    assert wgan.load(run).run.config.recipe == "table"


def test_a_resumed_run_is_the_run_that_was_not_stopped(table, command):
    for folder, steps in (("whole", 6), ("parts", 3), ("parts", 6)):
        words = ("train", "table", "--data", "t.csv", "--run", folder, "--steps", steps, "--lr-decay", "none", *SMALL)
        assert command(*words).code == 0
    assert checkpoint_of("whole") == checkpoint_of("parts")


def test_every_row_has_what_was_asked_for(run, command):
    where = "kind=com,ma,smoker=True, note="
    assert command("sample", run, "-n", 250, "--where", where, "--out", "rows.tsv").code == 0
    with open("rows.tsv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 250
    assert all((row["kind"], row["smoker"], row["note"]) == ("com,ma", "True", "") for row in rows)
    assert len({row["zip"] for row in rows}) > 1


def test_the_ith_row_is_the_same_for_every_number_of_rows(run):
    model = wgan.load(run)
    for where in (None, "smoker=False"):
        few, many = model.sample(7, where=where), model.sample(230, where=where)
        assert np.array_equal(few.numpy(), many.numpy()[:7], equal_nan=True)


def test_ranges_are_kept_by_rejection_and_its_rate_is_said(run, command):
    where = "age>=40,age<60,smoker=True,day>01.01.2021"
    said = command("sample", run, "-n", 60, "--where", where, "--out", "rows.csv")
    assert said.code == 0 and "% of the rows drawn lie in the requested range" in said.err
    rows = rows_of("rows.csv")
    assert len(rows) == 60 and all(40 <= int(row["age"]) < 60 and row["smoker"] == "True" for row in rows)
    assert all(row["day"][-4:] in ("2021", "2022") for row in rows)
    model = wgan.load(run)
    few, many = model.sample(5, where="age>=40"), model.sample(150, where="age>=40")
    assert np.array_equal(few.numpy(), many.numpy()[:5], equal_nan=True) and 0 < many.kept < 1


def test_one_value_of_many_is_kept_like_a_range(run, command):
    assert command("sample", run, "-n", 100, "--where", "age>=0", "--out", "rows.csv").code == 0
    age, day = rows_of("rows.csv")[0]["age"], next(row["day"] for row in rows_of("rows.csv") if row["day"])
    for where, name, value in ((f"age={age},smoker=True", "age", age), (f"day={day}", "day", day)):
        said = command("sample", run, "-n", 3, "--where", where, "--out", "rows.csv", "--force")
        assert said.code == 0 and "of the rows drawn lie in the requested range" in said.err
        rows = rows_of("rows.csv")
        assert [row[name] for row in rows] == [value] * 3 and (name == "day" or {r["smoker"] for r in rows} == {"True"})


@pytest.mark.parametrize(
    "where, said",
    [
        ("smoker=Maybe", "asks for smoker=Maybe, which no row of the training data has: it holds False, True"),
        ("smokes=True", "names no column of the table: did you mean smoker?"),
        ("age=", "where 'age=': '' is not a number"),
        ("age=thirty", "where 'age=thirty': 'thirty' is not a number"),
        ("age>40 and age<50", "'40 and age<50' is not a number; write a comma between conditions"),
        ("day=2021", "'2021' is not a date in the format"),
        ("always=x", "asks for column always, which never varies"),
        ("smoker>True", "a category has no order, write smoker=VALUE"),
        ("age>=old", "'old' is not a number"),
        ("day>tomorrow", "'tomorrow' is not a date in the format %d.%m.%Y"),
        ("age>200", "0 of 32000 rows that were drawn lie there"),
        ("smoker", "write NAME=VALUE"),
        ("smoker=True,smoker=False", "asks for column smoker twice"),
        ("", "where is empty"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(run, command, where, said):
    assert said in command("sample", run, "--where", where, "--out", "rows.csv").sentence()


def test_a_comma_begins_a_condition_only_before_a_column():
    names = ["a", "a b", "income"]
    assert parts_of("income=>50K, a b=x,y ,a=1", names) == [
        ("income", "=", ">50K"),
        ("a b", "=", "x,y"),
        ("a", "=", "1"),
    ]


def test_labels_of_a_table_are_its_classes(table, command):
    words = ("train", "--data", "t.csv", "--labels", "smoker", "--run", "run", "--steps", 3, *SMALL)
    assert command(*words).code == 0
    assert command("sample", "run", "-n", 20, "--label", "True", "--out", "rows.csv").code == 0
    rows = rows_of("rows.csv")
    assert list(rows[0]) == list(table) and {row["smoker"] for row in rows} == {"True"}
    said = command("sample", "run", "--where", "kind=NA", "--out", "r.csv").sentence()
    assert "trained without --labels: ask for smoker with --label" in said


def test_where_is_for_tables(tmp_path, ring_run, command):
    assert (
        "where is for tables" in command("sample", ring_run, "--where", "a=b", "--out", tmp_path / "x.npz").sentence()
    )


def test_parquet_and_npz_hold_the_same_rows(run, table, command):
    pq = pytest.importorskip("pyarrow.parquet")
    for name in ("rows.csv", "rows.npz", "rows.parquet"):
        assert command("sample", run, "-n", 40, "--out", name).code == 0
    rows, made = rows_of("rows.csv"), pq.read_table("rows.parquet").to_pydict()
    arrays = np.load("rows.npz")
    assert list(made) == list(table) == list(arrays)
    assert [row["kind"] for row in rows] == made["kind"] == arrays["kind"].tolist()
    assert [None if row["age"] == "" else int(row["age"]) for row in rows] == made["age"]
    assert [row["smoker"] == "True" for row in rows] == made["smoker"]
    assert "holds one array of numbers" in command("sample", run, "--out", "rows.npy").sentence()


def test_a_frame_needs_its_library_and_rows(run, monkeypatch):
    samples = wgan.load(run).sample(5)
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(WganError, match="pip install pandas"):
        samples.to_frame()
    with pytest.raises(WganError, match="pandas or polars, not of dask"):
        samples.to_frame("dask")


def test_a_frame_holds_the_users_columns_and_types(run, table, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setitem(__import__("sys").modules, "polars", SimpleNamespace(DataFrame=dict))
    samples = wgan.load(run).sample(50)[:20]
    assert "<td" in samples._repr_html_() and any(word in samples._repr_html_() for word in ("True", "False"))
    frame = samples.to_frame("polars")
    assert list(frame) == list(table) and all(len(column) == 20 for column in frame.values())
    assert {type(v) for v in frame["age"]} <= {int, type(None)} and {type(v) for v in frame["gain"]} == {float}
    assert {type(v).__name__ for v in frame["day"]} <= {"datetime", "NoneType"}


# --- the head of the generator ----------------------------------------------------------------------------------------

HEAD = TableHead(Columns(((3, True), (0, True), (4, False)), (0, 2)))


def test_a_row_is_hard_one_hots_and_scores_of_the_rest():
    raw, noise = torch.randn(500, 9), torch.randn(500, 7)
    x = HEAD(raw, noise, None)
    assert torch.equal(x[:, 4], raw[:, 4])
    for part in (x[:, :3], x[:, 5:]):
        assert set(part.unique().tolist()) == {0.0, 1.0} and (part.sum(1) == 1).all()
    rest = x[:, 0] == 1
    assert torch.equal(x[rest, 3], raw[rest, 3]) and (x[~rest, 3] == 0).all() and 0 < rest.sum() < 500


def test_slots_are_drawn_by_their_softmax():
    raw = torch.tensor([0.0, 1.0, 2.0, 0, 0, 0, 0, 0, 0]).expand(20_000, 9)
    noise = torch.randn(20_000, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(HEAD(raw, noise, None)[:, :3].mean(0), torch.softmax(raw[0, :3], 0), atol=0.015)


def test_what_is_asked_of_a_column_is_what_it_gives():
    raw, noise = torch.randn(40, 9), torch.randn(40, 7)
    y = torch.tensor([[2, 0], [0, 4], [3, 1], [0, 0]]).repeat(10, 1)
    x, free = HEAD(raw, noise, y), HEAD(raw, noise, None)
    assert (x[0::4, 1] == 1).all() and (x[1::4, 8] == 1).all() and (x[2::4, 2] == 1).all() and (x[2::4, 5] == 1).all()
    assert torch.equal(x[3::4], free[3::4]) and torch.equal(x[0::4, 5:], free[0::4, 5:])
    vector = HEAD.condition(y, raw)
    assert vector[:4].tolist() == [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0, 0], [0] * 7]


def test_the_gradient_reaches_every_logit_that_is_not_asked_for():
    raw = torch.randn(64, 9, requires_grad=True)
    weights = torch.arange(9.0)
    (HEAD(raw, torch.randn(64, 7), torch.tensor([[0, 2]]).expand(64, 2)) * weights).sum().backward()
    assert (raw.grad[:, :3].abs().sum(0) > 0).all() and (raw.grad[:, 5:] == 0).all() and raw.grad[:, 4].eq(4).all()


def test_rows_that_are_read_again_are_encoded_once(table, monkeypatch):
    """With the same bits."""
    source, calls = open_source("t.csv", "train"), []
    monkeypatch.setattr(Table, "encode", lambda *a, encode=Table.encode: calls.append(len(a[1])) or encode(*a))
    some, all_rows = torch.tensor([5, 0, 5]), torch.arange(len(source))
    first, whole = source.batch(some)[0], source.batch(all_rows)[0]
    again, twice = source.batch(some)[0], source.batch(all_rows.flip(0))[0]
    assert torch.equal(again, first) and torch.equal(twice, whole.flip(0)) and torch.equal(whole[some], first)
    assert calls == [3, len(source)]


def test_half_of_the_rows_are_asked_for_single_values():
    """And some for more."""
    asked = mask(torch.rand(20_000, 5, generator=torch.Generator().manual_seed(0)))
    counts = asked.sum(1)
    assert abs((counts == 0).float().mean() - 0.5) < 0.02
    assert abs((counts > 1).float().mean() - 0.5 * (1 - 0.9**3)) < 0.02
    assert (asked.float().mean(0) - asked.float().mean()).abs().max() < 0.02
