"""Test the advice of `wgan data` for sets of different sizes."""

from __future__ import annotations

import numpy as np
import pytest

from wgan.cli import data as inspection
from wgan.data import open_source
from wgan.recipes import configure
from wgan.training.adaptive import require_held_out
from wgan.training.monitor import Monitor


@pytest.mark.parametrize(
    ("count", "warned", "suggested"),
    [
        (40, "very few", "--augment 1.0"),
        (800, "are few", "--augment-target 0.3"),  # the share that is right depends on the data
        (8000, "", ""),
    ],
)
def test_augmentation_is_suggested_for_as_few_images_as_need_it(tmp_path, monkeypatch, count, warned, suggested):
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    spec = str(tmp_path / "x.npy")
    source = open_source(spec)
    said = "\n".join(inspection.advice(spec, source, {}, measured=False))
    assert ("warning" in said) == bool(warned) and warned in said
    line = said.partition("suggestion")[2]
    assert ("--augment" in line) == bool(suggested) and suggested in line
    if "target" in suggested:  # and it can be followed
        config = configure("images", {"data": spec, "augment_target": 0.3})
        require_held_out(Monitor(config, source))
