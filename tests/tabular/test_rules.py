"""--keep and --together: no row breaks a rule, training rows come back exactly, and data that break one are refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.tabular.keep import wishes
from wgan.data.tabular.rules import Rule
from wgan.data.tabular.table import from_json
from wgan.errors import WganError

KEEP = "total=a+b-c,low<=high,start<=end,end<=last"
SMALL = ("--batch", 20, "--threads", 1, "--n-critic", 1, "--generator-layers", 8, "--critic-layers", 8, "--latent", 4)
PLACES = [("Bonn", "53111"), ("Bonn", "53113"), ("Trier", "54290"), ("Ulm", "")]


def ruled(path, n=300, change=None):
    """Write a table that keeps KEEP, with `low` missing in places; change: (row, column, cell)."""
    g = np.random.default_rng(0)
    rows = []
    for _ in range(n):
        a, b, c = (round(float(v), 2) for v in g.exponential(20, 3))
        low, start = int(g.integers(0, 900)), int(g.integers(1, 9))
        end = start + int(g.integers(0, 9))
        city, code = PLACES[g.integers(4)]
        row = {"a": f"{a:.2f}", "b": f"{b:.2f}", "c": f"{c:.2f}", "total": f"{a + b - c:.2f}"}
        row |= {"low": "" if g.random() < 0.1 else str(low), "high": str(low + int(g.choice([0, 1, 300])))}
        row |= {"start": f"2024-01-{start:02}", "end": f"2024-01-{end:02}", "last": f"2024-02-{end:02}"}
        rows.append({**row, "city": city, "code": code})
    if change:
        rows[change[0]][change[1]] = change[2]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def opened(path, **options):
    """Return the training part of a table."""
    return open_source(str(path), options=ReadingOptions(**options))


def refusal(path, **options):
    """Return the sentence with which a table is refused."""
    with pytest.raises(WganError) as error:
        opened(path, **options)
    return str(error.value)


def breaks(cells):
    """Return whether any row of cells by column breaks KEEP or has a place that does not exist."""
    n = lambda name: np.array([float(v) if v else np.nan for v in cells[name]])  # noqa: E731
    wrong = np.abs(n("total") - (n("a") + n("b") - n("c"))) > 1e-6
    wrong |= n("low") > n("high")
    wrong |= np.array(
        [not s <= e <= last for s, e, last in zip(cells["start"], cells["end"], cells["last"], strict=True)]
    )
    wrong |= np.array([place not in PLACES for place in zip(cells["city"], cells["code"], strict=True)])
    return bool(wrong.any())


@pytest.fixture
def table(tmp_path, cache):
    """A table with every rule, and the rows of its file."""
    rows = ruled(tmp_path / "t.csv")
    return opened(tmp_path / "t.csv", keep=KEEP, together="city,code"), rows


def test_training_rows_come_back_exactly(table):
    source, rows = table
    x = source.batch(torch.arange(len(source)))[0].numpy()
    cells = source.table.cells(source.table.decode(x))
    assert {*zip(*cells.values(), strict=True)} <= {tuple(row.values()) for row in rows} and list(cells) == list(
        rows[0]
    )


def test_what_networks_draw_breaks_no_rule(table):
    source, _ = table
    g = np.random.default_rng(1)
    cells = source.table.cells(source.table.decode(g.normal(size=(4000, source.table.width))))
    assert (
        not breaks(cells)
        and len({*cells["total"]}) > 1000
        and "" in cells["low"]
        and {*cells["code"]} == {c for _, c in PLACES}
    )


def test_what_is_kept_costs_no_numbers(table, tmp_path):
    source, _ = table
    assert source.table.columns[3].coding.width == source.table.columns[10].coding.width == 0
    assert [source.table.names[i] for i in source.table.asked] == ["start"]  # a slot of a difference is no value
    assert source.table.width < opened(tmp_path / "t.csv").table.width
    said = dict(source.table.describe())
    assert (
        "a+b-c, nothing is learned" in said["total"]
        and "at least end" in said["last"]
        and "at most high" in said["low"]
    )


def test_rules_are_the_same_after_json(table):
    table = table[0].table
    values = json.loads(json.dumps(table.to_json(), allow_nan=False))
    assert from_json(values) == table
    values["rules"][0]["at"] = 99
    with pytest.raises(WganError, match="is damaged"):
        from_json(values)


def test_a_table_of_before_rules_is_read(table):
    values = table[0].table.to_json()
    old = [{k: v for k, v in c.items() if k not in ("least", "kept")} for c in values["columns"]]
    found = from_json({"columns": old, "label": "", "label_at": -1})
    assert found.rules == found.groups == ()


@pytest.mark.parametrize(
    "change, said",
    [
        ((7, "total", "1.00"), "keep 'total=a+b-c': line 9 of"),
        ((7, "total", ""), "keep 'total=a+b-c': line 9 of"),
        ((3, "high", "-1"), "keep 'low<=high': line 5 of"),
        ((0, "end", "2023-12-31"), "keep 'start<=end': line 2 of"),
    ],
)
def test_data_that_break_a_rule_are_refused_with_the_line(tmp_path, cache, change, said):
    ruled(tmp_path / "t.csv", change=change)
    found = refusal(tmp_path / "t.csv", keep=KEEP)
    assert said in found and "breaks it; fix the rows, or leave the rule out" in found


def test_how_many_rows_break_a_rule_is_said(tmp_path, cache):
    rows = ruled(tmp_path / "t.csv")
    wanted = sum(row["low"] != "" and int(row["low"]) < int(row["high"]) for row in rows)
    first = next(i for i, row in enumerate(rows) if row["low"] and int(row["low"]) < int(row["high"]))
    assert f"line {first + 2} and {wanted - 1} more of" in refusal(tmp_path / "t.csv", keep="high<=low")


@pytest.mark.parametrize(
    "options, said",
    [
        ({"keep": "sum=a+b"}, "keep 'sum=a+b': "),
        ({"keep": "sum=a+b"}, "has no column 'sum'"),
        ({"keep": "total"}, "keep 'total': write TOTAL=A+B or A<=B"),
        ({"keep": "total=a+"}, "write TOTAL=A+B or A<=B"),
        ({"keep": "a<b"}, "write TOTAL=A+B or A<=B"),
        ({"keep": "a<=b+c"}, "write TOTAL=A+B or A<=B"),
        ({"keep": "a<=a"}, "names a column twice"),
        ({"keep": "city<=code"}, "city is a category"),
        ({"keep": "start<=low"}, "dates are compared with dates only"),
        ({"keep": "end=start"}, "never added"),
        ({"keep": "total=a+b-c,total=a+b-c"}, "told by other rules already"),
        ({"together": "city"}, "together 'city': write A,B"),
        ({"together": "city,code,"}, "write A,B"),
        ({"together": "city,town"}, "has no column 'town'"),
        ({"together": "city,code;code,a"}, "column code is in two groups"),
        ({"together": "city,total", "keep": "total=a+b-c"}, "told by --keep already"),
    ],
)
def test_what_cannot_be_kept_is_one_sentence(tmp_path, cache, options, said):
    ruled(tmp_path / "t.csv")
    assert said in refusal(tmp_path / "t.csv", **options)


def test_names_of_columns_may_hold_signs():
    names = ["a-b", "a", "b", "a<=b, c"]
    found = wishes("a=a-b+b,a<=b, c>=b", names, "t.csv")
    assert [(w.left, w.sign, w.terms) for w in found] == [
        ("a", "=", (("a-b", 1.0), ("b", 1.0))),
        ("b", "<=", (("a<=b, c", 1.0),)),
    ]


@settings(max_examples=60, deadline=None)
@given(
    rest=some.sampled_from([1, -1]),
    unit=some.sampled_from([1.0, 5.0, 0.01]),
    seed=some.integers(0, 10**6),
)
def test_a_difference_never_crosses_whatever_is_drawn(rest, unit, seed):
    """The other column may lie between two values of this one, and beyond its range."""
    g = np.random.default_rng(seed)
    rule = Rule(1, ((0, 1.0),), rest, float(rest * 40), unit)
    rows = np.stack([g.normal(0, 30, 200).round(3), np.abs(g.normal(0, 9, 200)) * (g.random(200) < 0.7)], 1)
    x = rule.outer(rows, lambda v: np.rint(v / unit) * unit)
    assert (rest * (x - rows[:, 0]) >= 0).all()
    room = rest * rows[:, 0] <= 40 - unit
    assert np.abs(x[room] / unit - np.rint(x[room] / unit)).max(initial=0) < 1e-6 and (rest * x[room] <= 40).all()


def test_columns_that_are_told_are_asked_for_by_rejection(tmp_path, cheap, cache, command):
    ruled(tmp_path / "t.csv")
    rules = ("--keep", KEEP, "--together", "city,code")
    assert (
        command("train", "--data", tmp_path / "t.csv", "--run", tmp_path / "run", "--steps", 2, *rules, *SMALL).code
        == 0
    )
    out = tmp_path / "rows.csv"
    said = command("sample", tmp_path / "run", "-n", 60, "--where", "city=Bonn,total>=10", "--out", out)
    assert said.code == 0 and "% of the rows drawn lie in the requested range" in said.err
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60 and all(row["city"] == "Bonn" and float(row["total"]) >= 10 for row in rows)
    assert not breaks({name: [row[name] for row in rows] for name in rows[0]})
    other = tmp_path / "other.csv"
    asked = command("sample", tmp_path / "run", "--where", "city=Rom", "--out", other).sentence()
    assert "which no row of the data has" in asked and not other.exists()
    assert "a page cannot hold a table with --keep" in command("export", tmp_path / "run", "--to", "page").sentence()
