"""Which recipe is trained when none is named, into which folder, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.run_folders import files

import wgan
from wgan.api import given, plan
from wgan.config import Config
from wgan.data import SOURCES
from wgan.errors import WganError
from wgan.recipes import configure
from wgan.runs.folder import open_run

SMALL = {"steps": 2, "batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8"}


@pytest.mark.parametrize(
    ("data", "recipe", "folder"),
    [
        ("mnist", "mnist", "mnist"),
        ("mnist:0-4", "mnist", "mnist-0-4"),
        ("stacked-mnist", "stacked-mnist", "stacked-mnist"),
        ("fashion", "fashion", "fashion"),
        ("ring", "ring", "ring"),
        ("ring:gulrajani", "ring", "ring-gulrajani"),
        ("grid", "grid", "grid"),
        ("swissroll", "gulrajani-swissroll", "swissroll"),
        ("ar2", "signals", "ar2"),
        ("sines", "signals", "sines"),
        ("gaussian", "vectors", "gaussian"),
        ("calorimeter", "images", "calorimeter"),
        ("strokes", "images", "strokes"),
        ("blobs", "volumes", "blobs"),
    ],
)
def test_bundled_data_take_their_own_recipe_and_folder(fashion, data, recipe, folder):
    config, path, chosen = plan(None, {"data": data})
    assert config == configure(recipe, {"data": data}) and path.as_posix() == f"runs/{folder}"
    assert chosen == f"recipe {recipe}, which fits the data {data}"


def test_own_images_and_rows_take_the_recipes_for_any(here, cache):
    rng = np.random.default_rng(0)
    np.save("faces.npy", rng.integers(0, 256, (40, 8, 8), dtype=np.uint8))
    np.save("rows.npy", rng.normal(size=(40, 3)))
    for name, recipe in (("faces", "images"), ("rows", "vectors")):
        config, path, chosen = plan(None, {"data": f"{name}.npy"})
        assert config == configure(recipe, {"data": str(here / f"{name}.npy")}) and path.as_posix() == f"runs/{name}"
        assert chosen == f"recipe {recipe}, which fits the data {here / f'{name}.npy'}"


def test_an_array_is_called_what_it_is(here, cache):
    spec = given(np.random.default_rng(0).normal(size=(40, 3)))
    assert plan(None, {"data": spec}).chosen == "recipe vectors, which fits the array given as data"


def test_options_that_only_the_fitting_recipe_can_take_are_taken():
    """A batch of the ring holds 512 points, one of images 64: this microbatch divides only the first."""
    assert plan(None, {"data": "ring", "microbatch": 256, "pack": 2}).config.microbatch == 256
    with pytest.raises(WganError, match="did you mean n_critic"):
        plan(None, {"data": "ring", "n_critc": 3})


def test_the_command_says_which_recipe_it_takes_and_why(here, cheap, command):
    words = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()]
    assert "recipe ring, which fits the data ring\n" in command("train", "--data", "ring", *words).out
    assert open_run("runs/ring").config == configure("ring", SMALL)
    said = command("train", "--run", "runs/ring", "--steps", "3").out
    assert "recipe ring, with which runs/ring began\n" in said
    assert "recipe gulrajani-ring, by its name\n" in command("train", "gulrajani-ring", *words).out
    before = files(here)
    assert command("train", "--dry-run").out.startswith("recipe mnist, the default\n")
    assert files(here) == before


def test_the_library_takes_the_same_recipe_and_says_so(here, cheap, capsys):
    run = wgan.train(data="ring", **SMALL)
    assert run.config == configure("ring", SMALL) and str(run.path) == "runs/ring"
    assert "recipe ring, which fits the data ring\n" in capsys.readouterr().out
    config = Config(recipe="mine").replace(**SMALL, generator="mlp", critic="mlp")
    assert plan(None, {}, base=config).chosen == "recipe mine, of the config that was given"


def test_every_bundled_name_is_tried_here():
    tried = {case[0] for case in test_bundled_data_take_their_own_recipe_and_folder.pytestmark[0].args[1]}
    assert set(SOURCES) <= tried
