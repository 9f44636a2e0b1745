"""Test that the guide's words on few images are those of the committed result."""

import json
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[2]


def distances(seeds, step):
    return [steps[step]["random-relative-fid"]["value"] for steps in seeds.values() if step in steps]


def quoted(values):
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def test_the_guide_quotes_the_committed_distances():
    found = json.loads((ROOT / "benchmarks/results/few_images.json").read_text())["results"]
    fresh, digits = found["fresh"], found["from digits"]
    page = " ".join((ROOT / "docs/guide/images.md").read_text().split())
    of_fresh, of_digits = (
        " and ".join(quoted(distances(way, step)) for step in ("50", "200")) for way in (fresh, digits)
    )
    assert f"is {of_fresh} from fresh weights, {of_digits} from digits (three seeds;" in page
    assert len(fresh) == len(digits) == 3
    assert all(max(distances(digits, step)) < min(distances(fresh, step)) for step in ("50", "200"))
    assert (
        distances(digits, "25") > distances(fresh, "25") and "At 25 steps the order was the reverse (one seed)" in page
    )
