"""Test that the pages of the comparisons say what the committed results say, and that their summaries are those of their runs."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from wgan.compare import summary
from wgan.compare.study.design import read_design
from wgan.compare.study.run import as_json
from wgan.compare.study.verdicts import answered

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "benchmarks/results").glob("compare-*.json"))
COMPARISONS = [file for file in FILES if "summary" in json.loads(file.read_text())]


@pytest.fixture(scope="module")
def tool(script):
    return script("tools", "compare_page")


@pytest.mark.parametrize("name", ["docs/lab/convergence.md", "benchmarks/COMPARISONS.md"])
def test_the_pages_are_made_of_the_committed_results(tool, name):
    text, template = (ROOT / name).read_text(), tool.PAGES[ROOT / name]
    found = tool.results()
    assert tool.page(template, found) == text
    other = copy.deepcopy(found)
    other["mnist"]["summary"]["quality"]["wgan-gp"]["fid-lenet"]["mean"] *= 2
    other["study"]["verdicts"]["quality"]["verdict"] = "refuted"
    assert tool.page(template, other) != text


def test_the_verdicts_follow_from_the_committed_raw_values(tool):
    study = tool.results()["study"]
    assert study["design"] == tool.study_tables.rounded(as_json(read_design(tool.STUDY)))
    again = answered(study)
    assert {n: v["verdict"] for n, v in again["verdicts"].items()} == {
        n: v["verdict"] for n, v in study["verdicts"].items()
    }
    for name, verdict in study["verdicts"].items():
        told = [verdict["effect"][k] for k in ("value", "p", "n")]
        assert [again["verdicts"][name]["effect"][k] for k in ("value", "p", "n")] == pytest.approx(told, rel=1e-2)
    assert [s["verdict"] for s in again["sentences"]] == [s["verdict"] for s in study["sentences"]]
    assert len(study["confirm"]) == sum(t["seeds"] * len(study["design"]["arms"]) for t in study["tasks"].values())


def test_the_tour_of_the_comparisons_stays_short():
    assert len((ROOT / "docs/lab/convergence.md").read_text().split()) < 2_000


def stability(**groups):
    """A comparison whose runs gave (share at the threshold, rate -> (mean, spread)) for each objective."""
    found = {
        name.replace("_", "-"): {
            "reached": reached,
            "groups": {k: {"mean": m, "spread": s, "n": 3} for k, (m, s) in rows.items()},
        }
        for name, (reached, rows) in groups.items()
    }
    return {"summary": {"stability": found}}


def test_more_stable_is_more_runs_that_arrive_and_less_spread(tool):
    """More runs reach the threshold, and seeds differ less."""
    found = stability(
        gan=(0.5, {"rate × 1": (8.0, 2.0), "rate × 3": (40.0, 20.0)}),
        wgan_gp=(0.6, {"rate × 1": (1.0, 0.2), "rate × 3": (2.0, 0.6)}),
        wgan_lp=(0.5, {"rate × 1": (1.0, 0.1), "rate × 3": (2.0, 0.2)}),
        wgan_clip=(0.9, {"mlp": (1.0, 0.375)}),
    )
    spreads = {name: tool.seed_spread(found, name) for name in ("gan", "wgan-gp", "wgan-lp", "wgan-clip")}
    assert spreads == pytest.approx({"gan": 0.375, "wgan-gp": 0.25, "wgan-lp": 0.1, "wgan-clip": 0.375})
    assert [tool.rate_ratio(found, name) for name in ("gan", "wgan-gp", "wgan-clip")] == [5.0, 2.0, None]
    assert [tool.more_stable(found, name) for name in ("wgan-gp", "wgan-lp", "wgan-clip")] == [True, False, False]


def test_from_the_largest_estimate_on_a_curve_is_ranked_anew(tool):
    curve = [
        {"step": i, "estimate": e, "figure": f}
        for i, (e, f) in enumerate([(1, 9), (5, 8), (4, 6), (3, 5), (2, 1), (0, 2)])
    ]
    found = {"cells": [{"parts": ["quality"], "objective": "gan", "curve": c} for c in (curve, curve[:4])]}
    assert tool.peak(found, "gan") == {"step": 1, "estimate": 5, "figure": 8}
    assert tool.fallen(found, "gan") == {
        "mean": pytest.approx(0.9),
        "spread": None,
        "n": 1,
    }  # of the other three are left
    assert tool.later(found, "gan")["mean"] == pytest.approx(0.9)  # three of the second again


def near(one, other):
    """Whether two JSON values are the same to about six digits, the precision that is kept."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[k], other[k]) for k in one)
    if isinstance(one, float) and isinstance(other, (int, float)):
        return one == pytest.approx(other, rel=1e-4, abs=1e-4)
    return one == other


@pytest.mark.parametrize("file", COMPARISONS, ids=lambda f: f.stem)
def test_the_summary_of_a_comparison_is_that_of_its_runs(file):
    found = json.loads(file.read_text())
    again = json.loads(json.dumps(summary.summary(found)))
    assert near(again, found["summary"])
    assert all(found[k] for k in ("date", "machine", "command", "versions"))


@pytest.mark.parametrize("name", ["grid", "mnist"])
def test_the_long_comparison_has_four_objectives_three_seeds(tool, name):
    found = tool.results()[name]
    assert {c["seed"] for c in found["cells"]} == {0, 1, 2} and len(found["request"]["objectives"]) == 4
