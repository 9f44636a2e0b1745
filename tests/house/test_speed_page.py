"""Test that docs/lab/speed.md and benchmarks/SPEED.md say what the committed measurements say."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest

from wgan.recipes import RECIPES, configure

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool(script):
    return script("benchmarks", "speed_page")


def test_the_pages_are_made_of_the_committed_measurements(tool):
    speed, profiled, beside = tool.results()
    lab, tables = tool.PAGES
    assert all(tool.page(file, speed, profiled, beside) == file.read_text() for file in (lab, tables))
    for file, names in tool.PAGES.items():
        assert tuple(re.findall("<!-- (.+): written by", file.read_text())) == names
    slower, longer, times = copy.deepcopy(speed), copy.deepcopy(profiled), copy.deepcopy(beside)
    slower["AMX"]["published"]["result"]["S1"]["ratio"] = 99.0
    slower["held to AVX2"]["fraction"]["result"]["mnist"]["fraction"] = 0.987
    longer["recipes"]["mnist"]["fast"]["ms"] = 9876.0
    times["AVX2"]["result"]["mlp-clip"]["times_the_plain_way"] = 77.0
    assert "**99.00**" in tool.page(lab, slower, profiled, beside)
    assert "**99%**" in tool.page(tables, slower, profiled, beside)
    assert "9.88e+03" in tool.page(tables, speed, longer, beside)
    assert "**77.00**" in tool.page(tables, speed, profiled, times)


def test_the_lab_is_short_and_quotes_the_measured_gains(tool):
    words = (ROOT / "docs/lab/speed.md").read_text().split()
    text = " ".join(words)
    assert len(words) <= 1_500
    (least, most), (least_avx2, most_avx2) = (
        extremes(tool.results()[2][kind]) for kind in ("all instructions", "AVX2")
    )
    assert f"`--no-fast`**: {least[1]:.2f} times as fast (`{least[0]}`) to {most[1]:.2f} times (`{most[0]}`)" in text
    assert f"{least_avx2[1]:.2f} (`{least_avx2[0]}`) to {most_avx2[1]:.2f} times when" in text


def test_the_lab_quotes_the_five_minutes():
    text = " ".join((ROOT / "docs/lab/speed.md").read_text().split())
    found = json.loads((ROOT / "benchmarks/results/minutes-five.json").read_text())
    assert f"it chose {found['chosen'].split(',')[0]} and two threads" in text and "2 threads" in found["chosen"]
    assert f"took {found['steps']:,} steps, ended after {found['seconds']} seconds," in text
    distance, spread = (f"{found[name]:.4f}" for name in ("relative_fid", "relative_fid_spread"))
    assert f"relative-fid {distance} ± {spread} (real {found['relative_fid_reference']:.4f})" in text
    assert f"label accuracy {100 * found['label_accuracy']:.1f} % with {found['n']:,} fakes, one seed" in text


def extremes(part):
    """Return the recipes that gain least and most, with how much."""
    ranked = sorted((row["times_the_plain_way"], name) for name, row in part["result"].items())
    return [(name, times) for times, name in (ranked[0], ranked[-1])]


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
