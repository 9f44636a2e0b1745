"""Test that the guide's words on few images are those of the committed result."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_guide_quotes_the_committed_distances():
    found = json.loads((ROOT / "benchmarks/results/few_images.json").read_text())["results"]
    fresh, digits = (
        {step: m["random-relative-fid"]["value"] for step, m in found[way]["0"].items()}
        for way in ("fresh", "from digits")
    )
    page = " ".join((ROOT / "docs/guide/images.md").read_text().split())
    assert (
        f"is {fresh['50']:.3f} and {fresh['200']:.3f} from fresh weights, {digits['50']:.3f} and {digits['200']:.3f} from digits"
        in page
    )
    assert (
        digits["25"] > fresh["25"]
        and "At 25 steps the order is the reverse. One seed" in page
        and len(found["fresh"]) == 1
    )
