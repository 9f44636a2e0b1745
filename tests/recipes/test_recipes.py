"""Every recipe builds, takes three steps, fills its run folder, and is differences only."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

import wgan
from wgan.config import FIELDS, Config
from wgan.data import Source, open_source
from wgan.recipes import RECIPES, configure
from wgan.sampling import generate, latents
from wgan.training import monitor, pictures, start

pytestmark = pytest.mark.usefixtures("no_plots")


@functools.lru_cache
def read(spec: str, split: str) -> Source:
    """Each data set is read once for all recipes."""
    return open_source(spec, split)


def opened(spec: str, split: str = "train", options: Config | None = None) -> Source:
    return read(spec, split)


# What a run folder holds by the architecture's contract; metrics.json is another command's.
CONTRACT = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text("utf-8")
(ROW,) = [line for line in CONTRACT.splitlines() if line.startswith("| run folder |")]
FOLDER = {name.strip("/") for name in ROW.split("`")[1].split()} - {"metrics.json"}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_three_steps_and_fills_its_folder(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    full = name in ("small-mlp-clip", "gulrajani-ring")  # the plots are made for one recipe on images and one on points
    if full:
        monkeypatch.undo()
    if name == "fashion":
        request.getfixturevalue("fashion")
    monkeypatch.setattr(start, "open_source", opened)
    for module in (generate, latents, pictures):  # ten samples on a grid: the published generators are large
        monkeypatch.setattr(module, "BLOCK", 10)
    monkeypatch.setattr(monitor.Monitor, "measure", lambda *_: {})
    monkeypatch.setattr(monitor.Monitor, "alarms", lambda *_: [])
    tiny: dict[str, Any] = {
        "steps": 3,
        "batch": 8,
        "generator_batch": 0,
        "n_critic": 1,
        "critic_schedule": "constant",  # the published warm-up is 100 updates a step; test_feeding counts them
        "threads": 1,
        **dict.fromkeys(("log_every", "sample_every", "evaluate_every", "checkpoint_every"), 0),
    }
    run = wgan.train(name, run=tmp_path / "run", **tiny)
    held = {p.name for p in run.path.iterdir()} - {".lock"}
    assert held == (FOLDER if full else FOLDER - {"losses.png", "progress.gif"})
    assert sorted(p.name for p in run.samples.iterdir()) == ["step-00000000.png", "step-00000003.png"]
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["step-00000003.json", "step-00000003.safetensors"]
    assert [p.name.startswith("events.out.tfevents") for p in (run.path / "events").iterdir()] == [True]
    (line,) = run.log()
    losses = {"critic/loss", "generator/loss", "critic/wasserstein", "critic/real", "critic/fake"}
    assert line["step"] == run.step == 3 and losses <= set(line)
    assert run.config == configure(name, tiny) == wgan.open_run(run.path).config
    assert torch.isfinite(wgan.load(run).sample(2)).all()


def test_the_default_config_is_the_default_recipe() -> None:
    assert configure("mnist") == Config() and not RECIPES["mnist"].changes


def test_every_recipe_is_differences_only() -> None:
    defaults = Config()
    for name, recipe in RECIPES.items():
        assert set(recipe.changes) <= set(FIELDS), name
        assert configure(name) == defaults.replace(recipe=name, **recipe.changes)
