"""Test that docs/lab/speed.md says what the committed measurements say."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from wgan.recipes import RECIPES, configure

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool(script):
    return script("benchmarks", "speed_page")


def test_the_page_is_made_of_the_committed_measurements(tool):
    speed, profiled, beside = tool.results()
    text = (ROOT / "docs/lab/speed.md").read_text()
    assert tool.page(text, speed, profiled, beside) == text
    slower, longer, times = copy.deepcopy(speed), copy.deepcopy(profiled), copy.deepcopy(beside)
    slower["published"]["result"]["S1"]["ratio"] = 99.0
    longer["recipes"]["mnist"]["fast"]["ms"] = 9876.0
    times["AVX2"]["result"]["mlp-clip"]["times_the_plain_way"] = 77.0
    assert "**99.0**" in tool.page(text, slower, profiled, beside)
    assert "9.88e+03" in tool.page(text, speed, longer, beside)
    assert "**77.00**" in tool.page(text, speed, profiled, times)


@pytest.mark.parametrize("kind", ["all instructions", "AVX2"])
def test_no_recipe_was_measured_slower_than_its_no_fast(tool, script, kind):
    bench, found = script("benchmarks", "no_slower"), tool.results()[2][kind]["result"]
    assert found.keys() == bench.RECIPES.keys()
    assert min(row["times_the_plain_way"] for row in found.values()) >= bench.NOISE


def test_minutes_of_recipes_on_avx2_are_the_measured_ones(tool):
    for name, row in tool.results()[2]["AVX2"]["result"].items():
        seconds = row["seconds"] * configure(name).steps
        assert RECIPES[name].avx2 == ("" if row["options"] else f"{float(f'{seconds / 60:.2g}'):g}"), name


@pytest.mark.parametrize("way", ["plain", "fast"])
def test_the_kinds_of_work_add_up_to_the_step(tool, way):
    for recipe, found in tool.results()[1]["recipes"].items():
        assert sum(found[way]["ms_by_kind"].values()) == pytest.approx(found[way]["ms"], rel=0.06), recipe
