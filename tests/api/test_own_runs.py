"""Whole runs on a user's own data: the recipe and networks follow them, and resume is exact."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import wgan
from wgan.cli import data as inspection
from wgan.cli.train import copying
from wgan.config import Config
from wgan.errors import WganError
from wgan.evaluation import evaluate as evaluating
from wgan.evaluation.context import MetricValue
from wgan.models import auto, build
from wgan.recipes import configure

pytestmark = pytest.mark.usefixtures("cache")

SMALL = ("--steps", 3, "--batch", 8, "--threads", 1)


# --- networks follow the data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(
    "shape",
    [(1, 8, 8), (1, 28, 28), (3, 32, 32), (5, 40, 24), (3, 64, 64), (2, 12, 16), (1, 4, 4), (1, 128, 96), (7,), (900,)],
)
def test_automatic_networks_fit_every_shape(shape, classes):
    config = configure("images" if len(shape) == 3 else "vectors", {"latent": 4})
    generator, critic = build(config, shape, classes)
    y = torch.tensor([0, 1]) if classes else None
    with torch.no_grad():
        x = generator(torch.randn(2, 4), y)
        assert x.shape == (2, *shape) and critic(x, y)[0].shape == (2,)


def test_the_width_rule():
    # counted by hand from docs/reference/networks.md: maps of 4 to 7 pixels, channels from 64 (or 32) down, at most 256
    assert auto.line("generator", "conv", (1, 28, 28)) == "/ 128 64k4x2 / k4x2"
    assert auto.line("generator", "conv", (3, 64, 64)) == "/ 256 256k4x2 128k4x2 64k4x2 / k4x2"
    assert auto.line("generator", "conv", (3, 128, 128)) == "/ 256 256k4x2 128k4x2 64k4x2 32k4x2 / k4x2"
    assert auto.line("critic", "conv", (3, 64, 64)) == "32k4x2 64k4x2 128k4x2 256k4x2 /"
    assert auto.line("critic", "mlp", (13,)) == "128 128 128" and auto.line("generator", "mlp", (100,)) == "512 512 512"


def test_a_side_that_cannot_be_made_is_refused_with_the_nearest():
    with pytest.raises(
        WganError, match="30x27 images: the sides must be multiples of 4, for example 32x28; give --size 28"
    ):
        build(configure("images"), (1, 30, 27), 0)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_folder_trains_samples_and_is_measured(photos, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = command("train", "--data", "photos", "--augment", 0.5, "--flip", 1, *SMALL)
    assert result.code == 0 and "next: wgan sample runs/photos -n 100 --out samples.png" in result.out
    run = wgan.open_run("runs/photos")
    assert run.config.recipe == "images" and run.config.data == str(photos) and run.facts.class_names == ("a", "b")
    assert "% of 12 samples look like a copy of a training sample" in result.out
    assert (tmp_path / "runs/photos/neighbours.png").is_file()
    (tmp_path / "runs/photos/neighbours.png").unlink()
    assert command("sample", "runs/photos", "-n", 4, "--label", "b", "--out", "b.png").code == 0
    measured = command("evaluate", "runs/photos", "-n", 100, "--metrics", "prdc,sliced-w1,memorisation")
    assert measured.code == 0 and "pixels" in measured.out and (tmp_path / "runs/photos/neighbours.png").is_file()


@pytest.mark.parametrize(("few", "near", "lines"), [(94, 0.9, 0), (95, 0.225, 1), (95, 0.226, 2)])
def test_the_line_on_copies_says_the_figures_of_the_evaluation(tmp_path, monkeypatch, few, near, lines):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(125, 2)))  # 94 to train on
    found = SimpleNamespace(copies=0.125, real_copies=0.004, near=near, fake_median=1.5, real_median=2.5)

    def measured(path, n, metrics, checkpoint):
        assert (path, metrics, checkpoint) == (tmp_path, ["memorisation"], "last")
        result = SimpleNamespace(measured=SimpleNamespace(is_image=False, memorised=found))
        return SimpleNamespace(
            metric=lambda name: MetricValue(name=name, value=0.125, n_fake=40, n_real=25), results=[result]
        )

    monkeypatch.setattr(evaluating, "evaluate", measured)
    monkeypatch.setattr(inspection, "FEW", few)
    config = configure("vectors", {"data": str(tmp_path / "x.npy")})
    said = [*copying(config, tmp_path)]
    assert (
        said
        == [
            "copies: 12.5 % of 40 samples look like a copy of a training sample, 0.4 % of 25 held-out ones; "
            "median distance to the nearest 1.5, of held-out ones 2.5",
            "copies: another 10.1 % are near to several training samples at once: not copies, but blurred, or less varied "
            "than the data",
        ][:lines]
    )


def test_copies_are_counted_only_for_few_own_samples(tmp_path, command, cheap, monkeypatch):
    x = np.random.default_rng(0).normal(size=(100, 2))
    np.save(tmp_path / "x.npy", x)
    said = command("train", "--data", tmp_path / "x.npy", "--run", tmp_path / "run", *SMALL).out
    assert "copies: " in said and "neighbours" not in said
    monkeypatch.setattr(inspection, "FEW", 75)  # as many as are trained on: no longer few
    assert "copies: " not in command("train", "--data", tmp_path / "x.npy", "--run", tmp_path / "run", *SMALL).out
    assert "copies: " not in command("train", "vectors", "--data", "ring", "--run", tmp_path / "ring", *SMALL).out


def test_vectors_and_a_recipe_for_images_are_one_clear_sentence(tmp_path, command):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 3)))
    for family in ("conv", "resnet"):
        words = ("train", "images", "--data", tmp_path / "x.npy", "--generator", family, "--critic", family, *SMALL)
        said = command(*words).sentence()
        assert f"the family {family} makes images, and the data are vectors of 3 numbers: use --generator mlp" in said


def test_five_channels_train_and_sample(tmp_path, command, cheap):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (40, 5, 8, 8), dtype=np.uint8))
    assert command("train", "--data", tmp_path / "x.npy", "--run", tmp_path / "run", *SMALL).code == 0
    for name in ("s.png", "s.npz", "folder/"):
        assert command("sample", tmp_path / "run", "-n", 3, "--out", f"{tmp_path}/{name}").code == 0
    assert np.load(tmp_path / "s.npz")["images"].shape == (3, 8, 8, 5)


def test_the_monitor_measures_any_channels_and_one_column(tmp_path):
    for x in (
        np.random.default_rng(0).integers(0, 256, (60, 2, 8, 8), dtype=np.uint8),
        np.random.default_rng(0).normal(size=(60, 1)),
    ):
        np.save(tmp_path / f"x{x.ndim}.npy", x)
        run = wgan.train(data=tmp_path / f"x{x.ndim}.npy", run=tmp_path / f"run{x.ndim}", steps=2, batch=8, threads=1)
        assert run.best == 2 and all(np.isfinite(v) for v in run.log()[0].values())


def test_a_resumed_run_is_the_uninterrupted_one(photos, tmp_path, cheap):
    options = {"data": photos, "batch": 8, "threads": 1, "augment": 0.5, "flip": 1, "lr_decay": "none"}
    whole = wgan.train(run=tmp_path / "whole", steps=4, **options)
    wgan.train(run=tmp_path / "parts", steps=2, **options)
    parts = wgan.train(run=tmp_path / "parts", steps=4, **options)
    (a,), (b,) = (sorted(r.checkpoints.glob("*4.safetensors")) for r in (whole, parts))
    assert a.read_bytes() == b.read_bytes()


def test_a_run_is_not_continued_on_other_data(photos, tmp_path, cheap):
    options = {"data": photos, "run": tmp_path / "run", "batch": 8, "threads": 1}
    wgan.train(steps=1, **options)
    Image.new("RGB", (16, 12), "red").save(photos / "a" / "new.png")
    with pytest.raises(WganError, match="its content changed"):
        wgan.train(steps=2, **options)


def test_a_mistake_in_the_data_leaves_no_run_behind(tmp_path, command):
    said = command("train", "--data", tmp_path / "nothing", "--run", tmp_path / "run").sentence()
    assert "no file or folder" in said and not (tmp_path / "run").exists()


OFF = {"conditioning": "none", "critic_conditioning": "none"}
OF_LABELS = [
    {"conditioning": "norm"},
    {"critic_conditioning": "projection"},
    {"class_critic": 1.0},
    {"class_generator": "0.2"},
]


@pytest.mark.parametrize("option", OF_LABELS)
def test_an_option_on_labels_is_refused_where_there_are_none(photos, tmp_path, cheap, option):
    words = {"steps": 1, "batch": 8, "threads": 1, **option}
    (name, value), run = next(iter(option.items())), tmp_path / "run"
    with pytest.raises(
        WganError, match=rf"^{name} {value} would do nothing: .*photos has no labels \(labels none\); leave"
    ):
        wgan.train(data=photos, labels="none", run=run, **words)
    with pytest.raises(
        WganError, match=f"^{name} {value} would do nothing: the array given as data has no labels; leave"
    ):
        wgan.train(data=np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8), run=run, **words)
    assert not run.exists()
    wgan.train(data=photos, run=run, **words)  # its sub-folders are labels
    off = {**words, name: OFF.get(name, 0), "class_on": "real"}  # the last: of a classifier that is not there
    wgan.train(data=photos, labels="none", run=tmp_path / "plain", **off)


def test_a_run_that_was_begun_with_an_option_of_labels_goes_on(photos, tmp_path, cheap):
    options = {"data": photos, "labels": "none", "run": tmp_path / "run", "batch": 8, "threads": 1}
    wgan.train(steps=1, **options)
    config = tmp_path / "run/config.json"
    config.write_text(config.read_text().replace('"class_critic": 0.0', '"class_critic": 1.0'))
    assert wgan.train(steps=2, class_critic=1.0, **options).step == 2


def test_a_config_from_before_these_options_is_still_read():
    import json

    from wgan.config import FIELDS, from_json

    values = json.loads(Config().to_json())
    old = {k: v for k, v in values.items() if k == "format" or not FIELDS[k].later}
    assert len(old) == 54 < len(values)  # as many as that release wrote
    assert from_json(json.dumps(old), "config.json") == Config()


@pytest.mark.parametrize(
    "option", [{"size": 30}, {"size": 4}, {"size": 260}, {"channels": 2}, {"augment": 1.5}, {"crop": "left"}]
)
def test_options_outside_their_range_are_refused(option):
    with pytest.raises(WganError, match=next(iter(option))):
        Config(**option)
