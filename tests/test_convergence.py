"""Test that docs/convergence.md says what the committed results say, and that their summaries are those of their runs."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest

from wgan import tally

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "benchmarks/results").glob("compare-*.json"))
COMPARISONS = [file for file in FILES if "summary" in json.loads(file.read_text())]


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    import compare_page

    sys.path.remove(str(ROOT / "tools"))
    return compare_page


def test_the_page_is_made_of_the_committed_results(tool):
    text = (ROOT / "docs/convergence.md").read_text()
    found = tool.results()
    assert tool.page(found) == text
    other = copy.deepcopy(found)
    other["mnist"]["summary"]["quality"]["wgan-gp"]["fid-lenet"]["mean"] *= 2
    assert tool.page(other) != text


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
    again = json.loads(json.dumps(tally.summary(found)))
    assert near(again, found["summary"])
    assert all(found[k] for k in ("date", "machine", "command", "versions"))


@pytest.mark.parametrize("name", ["grid", "mnist"])
def test_the_comparison_at_length_is_of_four_objectives_over_three_seeds(tool, name):
    found = tool.results()[name]
    assert {c["seed"] for c in found["cells"]} == {0, 1, 2} and len(found["request"]["objectives"]) == 4
