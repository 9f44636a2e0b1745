"""The columns of a table on the page: what `wgan evaluate` wrote is drawn, and nothing else of metrics.json is trusted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.tables import mixed

from wgan.metrics.tables import association
from wgan.report.page import write_report
from wgan.report.tables import HEIGHT, pictures_from, steps

SMALL = ("--batch", 20, "--threads", 1, "--n-critic", 1, "--generator-layers", 8, "--critic-layers", 8)
GOOD = {
    "columns": [
        {
            "name": "<b>age",
            "kind": "number",
            "labels": ["1", "9"],
            "real": [0.5, 0.5],
            "fake": [0.2, 0.8],
            "missing": [0, 0.1],
        },
        {
            "name": "town",
            "kind": "level",
            "labels": ["<i>", "Ulm"],
            "real": [1, 0],
            "fake": [0.4, 0.6],
            "missing": [0, 0],
        },
    ],
    "associations": {"real": [[1, 0.25], [0.25, 1]], "fake": [[1, 0.5], [0.5, 1]]},
}


def changed(*path, to):
    """Return GOOD with one value replaced."""
    found = json.loads(json.dumps(GOOD))
    *most, last = path
    at = found
    for key in most:
        at = at[key]
    at[last] = to
    return found


def test_a_report_shows_the_columns_that_evaluate_measured(here, cheap, cache, command):
    mixed(here / "t.csv")
    assert command("train", "--data", "t.csv", "--run", "run", "--steps", 2, *SMALL).code == 0
    assert command("evaluate", "run", "-n", 100, "--metrics", "columns").code == 0
    table = json.loads(Path("run/metrics.json").read_text())["results"][0]["table"]
    assert [c["name"] for c in table["columns"]][:3] == ["age", "price", "gain"]
    assert (
        np.shape(table["associations"]["fake"]) == (9, 9)
        and table["associations"]["real"] != table["associations"]["fake"]
    )
    write_report([Path("run")], Path("r.html"))
    page = Path("r.html").read_text()
    assert 'id="columns"' in page and "histogram of price" in page and "Which columns hang together" in page
    assert page.count("<rect class=") == 2 * 9 * 9 and 'href="#columns"' in page


def test_a_report_of_another_run_has_no_columns(reported_run, tmp_path):
    write_report([reported_run], tmp_path / "r.html")
    assert 'id="columns"' not in (tmp_path / "r.html").read_text()


def test_what_the_file_says_is_drawn_and_escaped(reported_run, copy):
    run = copy(reported_run)
    values = json.loads((run / "metrics.json").read_text())
    values["results"][0]["table"] = GOOD
    (run / "metrics.json").write_text(json.dumps(values))
    write_report([run], run / "r.html")
    page = (run / "r.html").read_text()
    assert "&lt;b&gt;age" in page and "<b>age" not in page and "&lt;i&gt;" in page
    assert "missing: 0.0 % of real rows, 10.0 % of generated ones" in page and "60.0 %" in page


@pytest.mark.parametrize(
    "values",
    [
        None,
        5,
        {},
        {"columns": [], "associations": {"real": [], "fake": []}},
        changed("columns", 0, "real", to=[0.5]),
        changed("columns", 0, "real", to=[0.5, 2.0]),
        changed("columns", 0, "fake", to=[0.5, float("nan")]),
        changed("columns", 0, "kind", to="word"),
        changed("columns", 1, "labels", to=["one"]),
        changed("columns", 0, "missing", to=[0]),
        changed("associations", "real", to=[[1, 0], [1]]),
        changed("associations", "fake", to=[[1, 0]]),
        changed("associations", "fake", 0, 1, to=-1),
        changed("columns", 0, "real", to="ab"),
    ],
)
def test_what_evaluate_cannot_have_written_is_left_out(values):
    assert pictures_from(GOOD) is not None and pictures_from(values) is None


def test_the_highest_bar_reaches_the_top():
    points = [float(p.split()[1]) for p in steps([0.1, 0.4, 0.0], 0.4)[1:].split("L")]
    assert points[0] == points[-1] == HEIGHT and min(points) == 4 and points[5] == HEIGHT


def test_an_association_is_1_of_equal_columns_and_0_of_others():
    g = np.random.default_rng(0)
    a, b = g.integers(0, 5, 3000).astype(float), g.integers(0, 7, 3000).astype(float)
    a[a == 4] = np.nan
    assert association(a, 10 - a) == pytest.approx(1) and association(a, b) < 0.04
    half = np.where(g.random(3000) < 0.5, a, g.permutation(a))
    assert association(a, half) == pytest.approx(0.5, abs=0.04) == association(half, a)
    assert association(a, np.zeros(3000)) == 0 == association(a[:1], b[:1])
