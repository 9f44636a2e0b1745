"""Test that docs/lab/anomaly.md says what was measured, and that its benchmark measures what it says."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/lab/anomaly.md"


@pytest.fixture(scope="module")
def bench(script):
    return script("benchmarks", "anomaly")


def test_the_page_is_made_of_the_committed_measurements(script):
    tool = script("benchmarks", "anomaly_page")
    text, entries = PAGE.read_text(), json.loads((ROOT / "benchmarks/results/anomaly.json").read_text())
    assert tool.page(text, entries) == text
    changed = copy.deepcopy(entries)
    changed["blots"]["pixel_auc"]["wgan"]["value"] = 0.123
    assert "| **wgan** | 0.123 (" in tool.page(text, changed)


def test_what_the_page_says_of_blots_is_measured():
    """Its answer in the first lines: maps are better than the simple ways', beyond the intervals."""
    found = json.loads((ROOT / "benchmarks/results/anomaly.json").read_text())["blots"]["pixel_auc"]
    own = found.pop("wgan")
    assert all(own["low"] > other["high"] for other in found.values())


def test_the_answer_is_what_was_measured():
    """Means over the ten digits, of each over three seeds; the first sentences must hold of them."""
    entries = json.loads((ROOT / "benchmarks/results/anomaly.json").read_text())
    own = [e["auc"] for name, e in entries.items() if re.fullmatch(r"digit \d seed [012]", name)]
    simple = [entries[f"digit {k} simple"]["auc"] for k in range(10)]
    assert len(own) == 30
    text = " ".join(PAGE.read_text().split())
    score = np.mean([auc["score"]["value"] for auc in own])
    assert f"is {score:.3f} (three seeds, 0.764 to 0.847): above an autoencoder" in text
    lower = {"equal cost": [auc["autoencoder"] for auc in own]}
    names = {"PCA": "PCA", "one-class SVM": "one-class SVM", "isolation forest": "isolation forest"}
    lower |= {said: [auc[way] for auc in simple] for said, way in names.items()}
    for said, found in lower.items():
        value = np.mean([way["value"] for way in found])
        assert f"{said} ({value:.3f})" in text and value < score
    best = np.mean([auc["neighbours, random features"]["value"] for auc in simple])
    assert f"random features ({best:.3f})" in text


def test_the_plane_of_pca_is_that_of_scikit_learn(script):
    ways = script("benchmarks", "anomaly_ways")
    rows = np.random.default_rng(0).normal(size=(200, 6)) * [5, 3, 1, 0.5, 0.1, 0.1]
    theirs = PCA(ways.FRACTION, svd_solver="full").fit(rows[:150])
    expected = np.linalg.norm(rows[150:] - theirs.inverse_transform(theirs.transform(rows[150:])), axis=1)
    assert ways.pca(rows[:150], rows[150:]) == pytest.approx(expected)


def test_blots_are_where_the_mask_says(bench):
    x = torch.zeros(20, 1, 28, 28)
    changed, mask = bench.blotted(x)
    assert ((changed != x)[:, 0].numpy() == mask).all() and 16 <= mask.sum((1, 2)).min() <= mask.sum((1, 2)).max() <= 64
    assert bench.each_image((changed - x).abs().flatten(1).numpy(), mask.reshape(20, -1))["value"] == 1


def test_a_rare_level_leaves_the_table_with_its_column(bench, tmp_path):
    (tmp_path / "t.csv").write_text("a,kind,b\n1, x,2\n3, rare,4\n5, x,6\n")
    usual, rare = bench.without_rare(tmp_path / "t.csv", tmp_path, "kind", "rare")
    assert usual.read_text() == "a,b\n1,2\n5,6\n" and rare.read_text() == "a,b\n3,4\n"


def test_seeds_of_a_class_are_put_together(script):
    """Means 0.5, 0.6 and 0.7 of three seeds: 0.6 with t(2) = 4.303 times 0.1 / sqrt(3)."""
    tool = script("benchmarks", "anomaly_page")
    found = {
        f"digit {k} seed {s}": {"auc": {"score": {"value": 0.4 + k / 5 + s / 10}}} for k in (0, 1) for s in range(3)
    }
    found |= {f"digit {k} simple": {"auc": {"PCA": {"value": 0.25}}} for k in (0, 1)}
    lines = tool.left_out("digit")(found).splitlines()
    assert lines[0] == "| way | without 0 | without 1 | mean |"
    assert lines[2:] == [
        "| **wgan: score** | 0.500 | 0.700 | 0.600 (0.352 to 0.848) |",
        "| PCA | 0.250 | 0.250 | 0.250 |",
    ]
    found["digit 3 simple"] = {"auc": {"PCA": {"value": 0.5}}}
    lines = tool.left_out("digit")(found).splitlines()
    assert lines[0] == "| way | without 0 | without 1 | without 3 | mean of 0, 1 |"
    assert lines[2:] == [
        "| **wgan: score** | 0.500 | 0.700 | – | 0.600 (0.352 to 0.848) |",
        "| PCA | 0.250 | 0.250 | 0.500 | 0.250 |",
    ]


def test_the_simple_ways_are_measured(bench, tmp_path):
    """In seconds: the anomaly counts, and an entry that is there stays."""
    out = tmp_path / "found.json"
    out.write_text('{"other": 1}')
    words = ["digits", "--digits", "3", "--simple", "--tiny", "--folder", str(tmp_path / "f"), "--out", str(out)]
    bench.main([*words, "--ways", "PCA,Mahalanobis,isolation forest,one-class SVM,neighbours"])
    found = json.loads(out.read_text())
    (name,) = set(found) - {"other"}
    assert found["other"] == 1 and found[name]["anomalous"] + found[name]["normal"] == 300
    assert set(found[name]["auc"]) == set(bench.ROWS)
