"""Whole runs on a user's own data: the recipe and networks follow them, augmentation keeps every promise, resume is exact."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import wgan
from wgan import commands, inspection
from wgan.augment import augment, cutout, steps, translation
from wgan.config import Config
from wgan.data import open_source
from wgan.engine import make_engine
from wgan.errors import WganError
from wgan.loop import critic_phase, generator_phase
from wgan.measured import Figure
from wgan.models import auto, build
from wgan.recipes import configure
from wgan.updates import make_players

SMALL = ("--steps", 3, "--batch", 8, "--threads", 1)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """Prepared data go to a folder of this test's own."""
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def photos(tmp_path):
    """60 coloured pictures of 16 x 12 in two classes."""
    rng = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "photos" / ("ab"[i % 2])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "photos"


# --- networks follow the data -----------------------------------------------------------------------------------------------


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
    # counted by hand from docs/networks.md: maps of 4 to 7 pixels, channels from 64 (or 32) down, at most 256
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


# --- augmentation -----------------------------------------------------------------------------------------------------------


def draws(rows, seed=0):
    return make_engine("cpu", "fp32", 1).draws(seed, 3, "augment", rows)


def noise(rows=64, shape=(3, 16, 12)):
    return torch.rand(rows, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_no_share_changes_nothing_and_a_whole_share_everything():
    x = noise()
    assert torch.equal(augment(x, 0.0, draws(64)), x)
    changed = (augment(x, 1.0, draws(64)) != x).flatten(1).any(1)
    assert changed.all()
    part = (augment(noise(2000), 0.2, draws(2000)) != noise(2000)).flatten(1).any(1).float().mean()
    assert abs(part - (1 - 0.8**3)) < 0.05  # three changes, each to a fifth; 5 standard errors are 0.056


def test_augmentation_is_a_function_of_its_draws():
    x = noise()
    assert torch.equal(augment(x, 0.7, draws(64)), augment(x, 0.7, draws(64)))
    assert not torch.equal(augment(x, 0.7, draws(64)), augment(x, 0.7, draws(64, seed=1)))


def test_augmentation_passes_gradients():
    x = noise(4, (2, 4, 4)).double().requires_grad_()
    u = torch.rand(4, 10, generator=torch.Generator().manual_seed(0)).double()
    u[:, 5:7] = 0.0  # a hole in the corner, so that the rest has gradients
    u[:, 7:] = 0.0

    class Fixed:
        def uniform(self, *shape):
            return u

    assert torch.autograd.gradcheck(lambda v: augment(v, 1.0, Fixed()), x)


def test_translation_moves_whole_pixels_and_fills_with_grey():
    x = noise(1, (1, 16, 16)) + 3
    moved = translation(x, torch.tensor([0.99]), torch.tensor([0.0]))  # 2 down, 2 left
    assert torch.equal(moved[0, 0, 2:, :-2], x[0, 0, :-2, 2:])
    assert not moved[0, 0, :2].any() and not moved[0, 0, :, -2:].any()
    assert sorted(set(steps(torch.linspace(0, 0.999, 100), 16).tolist())) == [-2, -1, 0, 1, 2]


def test_cutout_empties_a_quarter_within_the_image():
    x = torch.ones(1, 2, 16, 16)
    hole = cutout(x, torch.tensor([0.5]), torch.tensor([0.5]))[0]
    assert (hole == 0).sum() == 2 * 8 * 8 and not hole[:, 4:12, 4:12].any()


class Spy(nn.Module):
    """A critic that remembers what it was shown."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, []

    def forward(self, x, y=None):
        self.seen.append(x.detach().clone())
        return self.inner(x, y)


def shown_to_the_critic(photos, **options):
    source = open_source(str(photos))
    config = Config(**{"data": str(photos), "batch": 8, "generator_layers": "auto", "critic_layers": "auto", **options})
    players = make_players(config, make_engine("cpu", "fp32", 1), source)
    players.critic = Spy(players.critic)
    critic_phase(players, source, 0)
    both = players.critic.seen[0]
    players.critic.seen.clear()
    generator_phase(players, source, 0)
    return both[:8], both[8:], players.critic.seen[0]


def test_both_players_see_real_and_fake_changed(photos):
    plain = shown_to_the_critic(photos)
    changed = shown_to_the_critic(photos, augment=1.0)
    for before, after in zip(plain[:2], changed[:2], strict=True):
        assert (before != after).flatten(1).any(1).all()
    assert (plain[2] != changed[2]).flatten(1).any(1).all()
    again = shown_to_the_critic(photos, augment=1.0)
    assert all(torch.equal(a, b) for a, b in zip(changed, again, strict=True))


def test_flips_mirror_about_half_of_the_real_images_only(photos):
    (real, fake, _), (flipped, same, _) = shown_to_the_critic(photos), shown_to_the_critic(photos, flip=1)
    turned = [bool(torch.equal(f, r.flip(2))) for r, f in zip(real, flipped, strict=True)]
    kept = [bool(torch.equal(f, r)) for r, f in zip(real, flipped, strict=True)]
    assert all(a != b for a, b in zip(turned, kept, strict=True)) and 0 < sum(turned) < 8
    assert torch.equal(fake, same)


def test_half_of_the_images_are_mirrored(photos):
    source = open_source(str(photos))
    config = Config(data=str(photos), batch=8, generator_layers="auto", critic_layers="auto", flip=1)
    players = make_players(config, make_engine("cpu", "fp32", 1), source)
    x = torch.zeros(4000, 1, 1, 2)
    x[..., 0] = 1
    share = players.mirror(x, 0)[:, 0, 0, 1].mean()
    assert abs(share - 0.5) < 5 * (0.25 / 4000) ** 0.5  # five standard errors


@pytest.mark.parametrize("option", ["flip", "augment"])
def test_vectors_have_neither(option):
    with pytest.raises(WganError, match="are for images"):
        make_players(configure("vectors", {option: 1}), make_engine("cpu", "fp32", 1), open_source("ring"))


# --- runs -------------------------------------------------------------------------------------------------------------------


def test_a_folder_trains_samples_and_is_measured(photos, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = command("train", "--data", "photos", "--augment", 0.5, "--flip", 1, *SMALL)
    assert result.code == 0 and "runs/photos" in result.out
    run = wgan.open_run("runs/photos")
    assert run.config.recipe == "images" and run.config.data == str(photos) and run.facts["class_names"] == ["a", "b"]
    assert "copies: " in result.out and "% of 12 samples are nearer to a training sample than 99 % of 12" in result.out
    assert (tmp_path / "runs/photos/neighbours.png").is_file()
    (tmp_path / "runs/photos/neighbours.png").unlink()
    assert command("sample", "runs/photos", "-n", 4, "--label", "b", "--out", "b.png").code == 0
    measured = command("evaluate", "runs/photos", "-n", 100, "--metrics", "prdc,sliced-w1,memorisation")
    assert measured.code == 0 and "pixels" in measured.out and (tmp_path / "runs/photos/neighbours.png").is_file()


@pytest.mark.parametrize(("few", "lines"), [(94, 0), (95, 1)])
def test_the_line_on_copies_says_the_figures_of_the_evaluation(tmp_path, monkeypatch, few, lines):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(125, 2)))  # 94 to train on
    figures = {"nearest-train": (1.5, 2.5), "copies": (0.125, 0.01)}

    def measured(path, n, metrics, checkpoint):
        assert (path, metrics, checkpoint) == (tmp_path, ["memorisation"], "last")
        found = [Figure(k, v, None, floor, None, 40, 25) for k, (v, floor) in figures.items()]
        result = {"measured": SimpleNamespace(is_image=False)}
        return SimpleNamespace(figure=lambda name: next(f for f in found if f.name == name), results=[result])

    monkeypatch.setattr("wgan.evaluation.evaluate", measured)
    monkeypatch.setattr(inspection, "FEW", few)
    config = configure("vectors", {"data": str(tmp_path / "x.npy")})
    said = [*commands.copying(config, tmp_path)]
    assert said == [
        "copies: 12.5 % of 40 samples are nearer to a training sample than 99 % of 25 held-out ones are; "
        "median distance 1.5, of held-out ones 2.5"
    ] * lines  # fmt: skip


def test_copies_are_counted_for_few_samples_of_the_users_own_only(tmp_path, command, cheap, monkeypatch):
    x = np.random.default_rng(0).normal(size=(100, 2))
    np.save(tmp_path / "x.npy", x)
    said = command("train", "--data", tmp_path / "x.npy", "--run", tmp_path / "run", *SMALL).out
    assert "copies: " in said and "neighbours" not in said
    monkeypatch.setattr(inspection, "FEW", 75)  # as many as are trained on: no longer few
    assert "copies: " not in command("train", "--data", tmp_path / "x.npy", "--run", tmp_path / "run", *SMALL).out
    assert "copies: " not in command("train", "vectors", "--data", "ring", "--run", tmp_path / "ring", *SMALL).out


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


def test_a_config_from_before_these_options_is_still_read():
    import json

    from wgan.config import LATER, from_json

    values = json.loads(Config().to_json())
    old = {k: v for k, v in values.items() if k not in LATER}
    assert from_json(json.dumps(old), "config.json") == Config()


@pytest.mark.parametrize(
    "option", [{"size": 30}, {"size": 4}, {"size": 260}, {"channels": 2}, {"augment": 1.5}, {"crop": "left"}]
)
def test_options_outside_their_range_are_refused(option):
    with pytest.raises(WganError, match=next(iter(option))):
        Config(**option)


# --- wgan data ----------------------------------------------------------------------------------------------------------------


def test_wgan_data_says_what_is_there(photos, command, tmp_path):
    (photos / "a" / "copy.png").write_bytes((photos / "a" / "0.png").read_bytes())
    (photos / "a" / "notes.txt").write_text("x")
    result = command("data", photos, "--out", tmp_path / "sheet.png", "--no-measure")
    assert result.code == 0
    said = result.out
    assert "3x12x16; 46 to train on, 15 held out" in said and "2 (a: 31, b: 30)" in said
    assert "1 of 61 samples are exact copies" in said and "1 other files left alone" in said and "16x12: 61" in said
    assert "very few" in said and f"wgan train images --data {photos} --steps 5000 --augment 1.0" in said
    assert Image.open(tmp_path / "sheet.png").size[0] > 100


def test_strict_refuses_what_training_would_skip(tmp_path, command):
    folder = tmp_path / "x"
    folder.mkdir()
    for i in range(120):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
    (folder / "5.png").write_bytes(b"no")
    assert "5.png: it is no picture" in command("data", folder, "--no-measure").out
    assert "1 files cannot be read, the first is 5.png" in command("data", folder, "--strict").sentence()


def test_wgan_data_shows_bundled_data_and_vectors(tmp_path, command, monkeypatch):
    monkeypatch.setattr(inspection, "measure", lambda players, source: 61.0)
    assert "100000 to train on, 100000 held out" in command("data", "ring", "--no-measure").out
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(50, 4)))
    said = command("data", tmp_path / "v.npy", "--out", tmp_path / "v.png").out
    assert "vectors" in said and "mlp generator" in said and "1:01 on this machine" in said


def test_duplicates_are_found_by_bytes_not_by_checksum(tmp_path, monkeypatch):
    from wgan.data import Options
    from wgan.data.own import prepared

    x = np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    x[7] = x[9] = x[3]
    monkeypatch.setattr("wgan.data.store.zlib.crc32", lambda data: 1)  # every checksum collides
    np.save(tmp_path / "x.npy", x)
    assert inspection.duplicates(prepared(str(tmp_path / "x.npy"), Options())) == 2


def test_the_suggestion_for_sides_that_no_family_makes_has_a_size_and_can_be_trained(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    np.save("odd.npy", np.random.default_rng(0).integers(0, 256, (60, 25, 30), np.uint8))
    (line,) = [line for line in command("data", "odd.npy", "--no-measure").out.splitlines() if "wgan train" in line]
    assert "--size 24 " in line
    words = shlex.split(line.partition("wgan train")[2])
    assert command("train", *words, "--dry-run").code == 0
    assert "--size" not in command("data", "mnist", "--no-measure").out
