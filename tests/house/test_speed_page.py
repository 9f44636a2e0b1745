"""Test that docs/lab/speed.md says what the committed measurements say."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool(script):
    return script("benchmarks", "speed_page")


def test_the_page_is_made_of_the_committed_measurements(tool):
    speed, profiled = tool.results()
    text = (ROOT / "docs/lab/speed.md").read_text()
    assert tool.page(text, speed, profiled) == text
    slower, longer = copy.deepcopy(speed), copy.deepcopy(profiled)
    slower["published"]["result"]["S1"]["ratio"] = 99.0
    longer["recipes"]["mnist"]["fast"]["ms"] = 9876.0
    assert "**99.0**" in tool.page(text, slower, profiled)
    assert "9.88e+03" in tool.page(text, speed, longer)


@pytest.mark.parametrize("way", ["plain", "fast"])
def test_the_kinds_of_work_add_up_to_the_step(tool, way):
    for recipe, found in tool.results()[1]["recipes"].items():
        assert sum(found[way]["ms_by_kind"].values()) == pytest.approx(found[way]["ms"], rel=0.06), recipe
