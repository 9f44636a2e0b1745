"""What a source says of itself: which recipe fits it, what reads it, and where its like has known modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wgan.data import SOURCES, open_source
from wgan.models import build
from wgan.recipes import RECIPES, configure


@pytest.mark.parametrize("name", SOURCES)
def test_the_recipe_of_bundled_data_is_one_made_for_them(fashion, name):
    source = open_source(name)
    assert source.recipe in RECIPES
    config = configure(source.recipe)
    if config.generator_layers == "auto" and source.conditions is not None:  # networks that follow the size of the data
        generator, critic = build(config, source.shape, source.classes, conditions=source.conditions.width)
        x = generator(torch.zeros(2, config.latent), source.told[:2])
        assert x.shape[1:] == source.shape and critic(x, source.told[:2])[0].shape == (2,)
        return
    made_for = open_source(config.data)
    assert (made_for.shape, made_for.classes, made_for.reader) == (source.shape, source.classes, source.reader)
    assert len(source.class_names) == source.classes


def test_only_digits_are_read_by_the_digit_classifier(fashion):
    readers = {name: open_source(name).reader for name in SOURCES}
    assert readers.pop("mnist") == "lenet-mnist" and readers.pop("stacked-mnist") == "lenet-mnist by channel"
    assert set(readers.values()) == {None}
    assert open_source("mnist:5").reader == "lenet-mnist"


@pytest.mark.parametrize(
    ("data", "tests"),
    [
        ("mnist:0-4", ("stacked-mnist",)),
        ("stacked-mnist", ("stacked-mnist",)),
        ("fashion", ()),
        ("grid", ("ring", "grid")),
        ("ring:gulrajani", ("ring:gulrajani", "grid:gulrajani")),
        ("swissroll:gulrajani", ("ring", "grid")),
    ],
)
def test_data_are_tested_for_collapse_on_their_like(fashion, data, tests):
    source = open_source(data)
    assert source.mode_tests == tests
    for other in map(open_source, tests):
        assert other.is_image == source.is_image and other.mode_count > 1


def test_own_data_say_the_recipe_of_their_kind(tmp_path, cache):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "mnist.npy", rng.integers(0, 256, (40, 28, 28), dtype=np.uint8))
    np.save(tmp_path / "ring.npy", rng.normal(size=(40, 2)))
    images, rows = (open_source(str(tmp_path / name)) for name in ("mnist.npy", "ring.npy"))
    assert (images.recipe, images.reader, images.mode_tests) == ("images", None, ())
    assert (rows.recipe, rows.reader, rows.mode_tests) == ("vectors", None, ("ring", "grid"))
