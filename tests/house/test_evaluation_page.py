"""Test that docs/reference/evaluation.md says what the committed measurements and recipes say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool(script):
    return script("benchmarks", "evaluation_page")


def test_the_page_is_made_of_the_committed_measurements(tool, monkeypatch, tmp_path):
    text = (ROOT / "docs/reference/evaluation.md").read_text()
    assert tool.page(text) == text
    shutil.copytree(tool.RESULTS, tmp_path / "results")
    changed = tmp_path / "results/recipes/mnist.json"
    found = json.loads(changed.read_text())
    found["metrics"]["results"][0]["step"] = 4321
    changed.write_text(json.dumps(found))
    monkeypatch.setattr(tool, "RESULTS", tmp_path / "results")
    assert "`mnist`, step 4,321" in tool.page(text) and "`mnist` at 4,321 of 5,000 steps" in tool.page(text)
    with pytest.raises(SystemExit, match="lacks <!-- cost"):
        tool.page(text.replace("<!-- end of cost -->", ""))
