"""An exported page, and what its script computes outside of a browser."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from wgan.export.card import card_of
from wgan.export.page import render

NODE = shutil.which("node") or shutil.which("nodejs")
RUNNER = Path(__file__).with_name("run_page.mjs")

needs_node = pytest.mark.skipif(NODE is None, reason="there is no node to run the page's script with")


def in_node(text, z, y, folder, codes=()):
    """Return what the page's script makes of latents z [N, Z], of labels or vectors of conditions, and of codes of conditions."""
    (folder / "page.html").write_text(text)
    asked = {"z": z, "y": [0] * len(z) if y is None else y, "codes": [*codes]}
    (folder / "asked.json").write_text(json.dumps(asked, default=torch.Tensor.tolist))
    words = [NODE, RUNNER, folder / "page.html", folder / "asked.json"]
    found = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr[-2000:]
    return json.loads(found.stdout)


def page_of(model):
    return render(model, card_of(model, "a model"))
