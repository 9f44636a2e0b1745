"""`wgan evaluate` on tables: runs and files of any program, each metric beside real rows and rows made without a generator."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.tables import mixed

import wgan
from wgan.config import ReadingOptions
from wgan.errors import WganError

METRICS = "columns,pairs,trained-on-fakes,detection,row-copies"
pytestmark = pytest.mark.usefixtures("cache", "cheap")


def write(path, columns):
    """Write columns of cells as CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture
def real(here):
    """A table on disk, and its cells."""
    return mixed(here / "real.csv", n=1500)


def values(report):
    """Return the values of a report by name."""
    return {v.name: v for v in report.results[0].values}


def measured(name, **options):
    """Return the table metrics of a file of rows, held against real.csv."""
    return values(wgan.evaluate(name, data="real.csv", metrics=METRICS.split(","), **options))


def test_rows_of_the_same_law_are_as_good_as_real_ones(real, here):
    mixed(here / "rows.csv", n=1000, seed=9)
    found = measured("rows.csv")
    for name in ("column-shapes", "pair-trends"):
        assert found[name].value == pytest.approx(found[name].reference, abs=0.04) and found[name].value > 0.8, name
    assert found["detection"].value < 0.6 and found["exact-copies"].value < 0.01
    assert found["nearer-to-training"].value == pytest.approx(0.5, abs=0.1)


def test_copies_of_training_rows_are_told(real):
    source = wgan.open_source("real.csv")
    import torch

    write("rows.csv", source.table.cells(source.codes(torch.arange(400)).numpy()))
    found = measured("rows.csv")
    assert found["exact-copies"].value == 1 and found["exact-copies"].reference < 0.01
    assert "resampled rows 1" in found["exact-copies"].note


def test_columns_drawn_one_by_one_have_shapes_and_no_relations(here):
    g = np.random.default_rng(0)
    kind = g.choice(["a", "b", "c"], 2000)
    columns = {"kind": kind, "size": [f"{v:.2f}" for v in g.normal(size=2000) + 5 * (kind == "a")], "same": kind}
    write("real.csv", columns)
    write("rows.csv", {name: g.permutation(column) for name, column in columns.items()})
    found = measured("rows.csv")
    assert found["column-shapes"].value > 0.85 and found["pair-trends"].value < found["pair-trends"].reference - 0.2
    assert found["trained-on-fakes"].value < 0.6 < 0.95 < found["trained-on-fakes"].reference
    assert "macro F1 of same" in found["trained-on-fakes"].note


def test_missing_cells_at_another_rate_are_told(real, here):
    rows = mixed(here / "rows.csv", n=600, seed=3)
    rows["age"] = [cell if i % 2 else "" for i, cell in enumerate(rows["age"])]
    write("rows.csv", rows)
    gap = measured("rows.csv")["missing-gap"]
    assert gap.value == pytest.approx(0.45, abs=0.12) and gap.reference < 0.15 and "column age" in gap.note


def test_another_programs_file_may_order_its_columns_otherwise(real, here):
    """And write them otherwise."""
    rows = mixed(here / "rows.csv", n=300, seed=3)
    expected = {name: v.value for name, v in measured("rows.csv").items()}
    rows = {name: [cell.strip() for cell in rows[name]] for name in reversed(rows)}
    rows["price"] = [cell and str(float(cell)) for cell in rows["price"]]
    write("other.csv", {**rows, "more": ["1"] * 300})
    assert {name: v.value for name, v in measured("other.csv").items()} == pytest.approx(expected)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"age": None}, "has no column 'age'"),
        ({"age": "old"}, "column age of rows.csv holds 'old', which is not a number"),
        ({"day": "yesterday"}, "column day of rows.csv holds 'yesterday', which is not a date in the format %d.%m.%Y"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(real, here, change, said):
    rows = mixed(here / "rows.csv", n=200, seed=3)
    for name, cell in change.items():
        if cell is None:
            del rows[name]
        else:
            rows[name] = [cell] * 200
    write("rows.csv", rows)
    with pytest.raises(WganError, match=said):
        measured("rows.csv")


def test_a_level_the_data_do_not_have_counts_against_the_rows(real, here):
    rows = mixed(here / "rows.csv", n=400, seed=3)
    before = measured("rows.csv")["column-shapes"].value
    rows["kind"] = ["unheard of"] * 400
    write("rows.csv", rows)
    after = measured("rows.csv")
    assert after["worst-column"].value == 0 and "column kind" in after["worst-column"].note
    assert after["column-shapes"].value < before - 0.08


def test_a_run_is_measured_with_every_metric(real, command):
    small = ("--batch", 20, "--threads", 1, "--n-critic", 1, "--generator-layers", 8, "--critic-layers", 8)
    assert command("train", "--data", "real.csv", "--labels", "smoker", "--run", "run", "--steps", 2, *small).code == 0
    assert command("evaluate", "run", "-n", 100).code == 0
    (result,) = json.loads(Path("run/metrics.json").read_text())["results"]
    names = {value["name"] for value in result["figures"]}
    assert {
        "column-shapes",
        "pair-trends",
        "trained-on-fakes",
        "detection",
        "exact-copies",
        "precision",
        "sliced-w1",
    } <= names
    (trained,) = [value for value in result["figures"] if value["name"] == "trained-on-fakes"]
    assert trained["note"].startswith("macro F1 of the class") and 0 <= trained["value"] <= 1


def test_numbers_alone_have_the_same_metrics(here):
    g = np.random.default_rng(0)
    x = g.normal(size=(900, 3)).round(3)
    x[:, 2] = (x[:, 0] + x[:, 1]).round(3)
    for name, rows in (("real.csv", x[:600]), ("rows.csv", x[600:])):
        write(name, {n: [str(v) for v in column] for n, column in zip("abc", rows.T, strict=True)})
    found = measured("rows.csv")
    assert found["trained-on-fakes"].value > 0.99 and "R² of c" in found["trained-on-fakes"].note
    assert found["pair-trends"].value > 0.9 and found["detection"].value < 0.62


def test_the_metrics_of_tables_are_for_tables(here):
    np.savez("x.npz", samples=np.zeros((200, 2), np.float32))
    with pytest.raises(WganError, match="metric detection does not apply: it is for tables"):
        wgan.evaluate("x.npz", data="ring", metrics=["detection"])


def test_the_column_that_models_are_to_tell_may_be_named(here, command):
    g = np.random.default_rng(0)
    x, kind = g.normal(size=900), g.choice(["a", "b"], 900)
    bent = [f"{v:.3f}" for v in x**2]  # which no linear model can tell
    columns = {"x": [f"{v:.3f}" for v in x], "bent": bent, "kind": kind}
    for name, part in (("real.csv", slice(600)), ("rows.csv", slice(600, None))):
        write(name, {n: column[part] for n, column in columns.items()})
    found = measured("rows.csv", target_column="bent")
    assert "R² of bent" in found["trained-on-fakes"].note and found["trained-on-fakes"].value < 0.1
    assert "R² of bent" in found["trees-on-fakes"].note and found["trees-on-fakes"].value > 0.9
    assert "macro F1 of kind" in measured("rows.csv")["trees-on-fakes"].note
    words = ("evaluate", "rows.csv", "--data", "real.csv", "--metrics", "trained-on-fakes", "--target")
    assert command(*words, "bent").code == 0 and "of bent" in Path("rows.metrics.json").read_text()
    assert "target bend: real.csv has no such column: did you mean bent" in command(*words, "bend").sentence()


def test_a_target_is_a_column_of_a_table(here):
    np.savez("x.npz", samples=np.zeros((200, 2), np.float32))
    with pytest.raises(WganError, match="target is a column of a table, and ring is not a table"):
        wgan.evaluate("x.npz", data="ring", metrics=["sliced-w1"], target_column="x")


def test_columns_in_combinations_do_not_tell_each_other(here):
    """City and street come together: to tell one, a linear model may not see the number of the combination."""
    g = np.random.default_rng(0)
    street = g.integers(0, 4, 900)
    columns = {
        "city": [f"c{s // 2}" for s in street],
        "street": [f"s{s}" for s in street],
        "x": g.normal(size=900).round(3),
    }
    write("real.csv", {n: [str(v) for v in column] for n, column in columns.items()})
    found = wgan.evaluate(
        "real.csv",
        data="real.csv",
        n=600,
        metrics=["trained-on-fakes"],
        target_column="street",
        options=ReadingOptions(together="city,street"),
    )
    assert found.metric("trained-on-fakes").value < 0.5
