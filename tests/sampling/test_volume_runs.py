"""A run on volumes: what it writes, and how its samples come back in the user's values and files."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import wgan
from wgan.cli import main as cli
from wgan.errors import WganError
from wgan.export.page import export_page
from wgan.export.serve import json_text
from wgan.visual.slices import SHOWN, slice_grid, slices_of

SMALL = {
    "steps": 2,
    "batch": 8,
    "latent": 4,
    "generator_layers": "/ 6 4k4x2 / k3",
    "critic_layers": "4k4x2 6k3x2 /",
    "threads": 1,
}


@pytest.fixture(scope="module")
def data():
    made = np.random.default_rng(0).integers(-300, 900, (150, 1, 8, 6, 8))
    return made.astype(np.int16), np.arange(150) % 3


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A conditional run."""
    return wgan.train(data=data, run=tmp_path_factory.mktemp("volumes") / "run", **SMALL)


def sampled(path, out):
    assert cli.main(["sample", str(path), "-n", "6", "--out", str(out)]) == 0
    return out


def test_a_run_keeps_the_range_and_shows_slices(run):
    facts = json.loads((run.path / "run.json").read_text())
    assert facts["shape"] == [1, 8, 6, 8] and facts["precision"] == "fp32"
    assert facts["depth"] == {"low": -300.0, "high": 899.0, "dtype": "int16"}
    assert run.config.recipe == "volumes" and (run.path / "progress.gif").stat().st_size
    with Image.open(run.samples / "step-00000002.png") as grid:
        assert grid.width > 8 * 8 * 2 and grid.height > 12 * 6


def test_samples_are_the_decoded_ones_in_units(run):
    model = wgan.load(run)
    samples = model.sample(5, label=1)
    assert samples.shape == (5, 1, 8, 6, 8) and samples.labels.tolist() == [1] * 5
    assert torch.equal(samples.as_subclass(torch.Tensor), samples.round()) and samples.min() >= -(2**15)
    for some in (samples, samples[:2], samples[0]):
        assert some._repr_png_()[:4] == b"\x89PNG" and some._repr_html_() is None
    with pytest.raises(WganError, match="not images"):
        samples.to_images()


def test_files_are_read_back_as_the_same_volumes(run, tmp_path, capsys):
    found = np.load(sampled(run.path, tmp_path / "a.npz"))
    assert found["samples"].shape == (6, 1, 8, 6, 8) and found["samples"].dtype == np.int16
    assert found["labels"].tolist() == [0, 1, 2] * 2
    np.testing.assert_array_equal(np.load(sampled(run.path, tmp_path / "b.npy")), found["samples"])
    sampled(run.path, f"{tmp_path}/out/")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1" / "000004.npy"), found["samples"][4])
    assert sampled(run.path, tmp_path / "d.png").read_bytes()[:4] == b"\x89PNG"
    assert cli.main(["sample", str(run.path), "--out", f"{tmp_path}/x.csv"]) == 2
    assert "these samples are volumes" in capsys.readouterr().err


def test_volume_metrics_stand_next_to_their_reference(run, data, tmp_path):
    report = wgan.evaluate(run, n=100)
    names = {"voxel-w1", "volume-mean-w1", "random-coverage", "random-relative-fid", "sliced-w1", "copies", "coverage"}
    values = {v.name: v for v in report.results[0].values}
    assert names <= set(values)
    assert all(np.isfinite(values[n].value) and np.isfinite(values[n].reference) for n in names)
    assert not {"channel-w1", "fid-lenet", "cas", "outside-range"} & set(values)
    np.savez(tmp_path / "own.npz", samples=data[0])
    for shape in ((150, 1, 8, 6, 8), (150, 8, 6, 8)):
        np.savez(tmp_path / "fakes.npz", samples=data[0].reshape(shape))
        found = wgan.evaluate(tmp_path / "fakes.npz", data=tmp_path / "own.npz", n=150, metrics=["volumes"])
        assert all(v.value < 3 * v.reference for v in found.results[0].values)
    np.savez(tmp_path / "fakes.npz", samples=data[0][:, :, :4])
    with pytest.raises(WganError, match=r"expected numbers \[N, 1, 8, 6, 8\]"):
        wgan.evaluate(tmp_path / "fakes.npz", data=tmp_path / "own.npz", n=150)
    np.savez(tmp_path / "points.npz", samples=np.random.default_rng(0).normal(size=(200, 2)))
    with pytest.raises(WganError, match="it is for volumes"):
        wgan.evaluate(tmp_path / "points.npz", data="ring", metrics=["volumes"])


def test_a_grid_shows_slices_from_front_to_back():
    assert slices_of(8) == [*range(8)] and slices_of(5) == [*range(5)]
    assert slices_of(32) == [2, 6, 10, 14, 18, 22, 26, 30]
    steps = torch.linspace(-1, 1, 8)[:, None, None].expand(30, 1, 8, 4, 4)
    plain = np.asarray(slice_grid(steps).convert("L"))[-10]  # a line through the last row of volumes
    found = [v for i, v in enumerate(plain) if i and v != plain[i - 1] and v != 70]
    assert found == [round(255 * i / 7) for i in range(8)] * 2
    assert slice_grid(steps).height == slice_grid(steps[:SHOWN]).height


def test_what_is_for_images_is_refused_before_any_work(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros((1, 8, 6, 8)))
    for words in (["interpolate", str(run.path)], ["score", str(run.path), "x.npy", "--maps", "m.png"]):
        assert cli.main(words) == 2
        assert "makes volumes" in capsys.readouterr().err
    for words in (["--flip", "1"], ["--augment", "0.3"]):
        assert cli.main(["train", "--data", "blobs", "--run", "new", *words]) == 2
        assert "blobs holds volumes" in capsys.readouterr().err
    assert cli.main(["compare", "--data", "blobs", "--out", "c"]) == 2
    assert "holds volumes" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npy"]


def test_wgan_data_tells_of_volumes_and_how_to_train(tmp_path, data, capsys):
    np.save(tmp_path / "v.npy", data[0])
    assert cli.main(["data", str(tmp_path / "v.npy"), "--out", str(tmp_path / "grid.png")]) == 0
    said = capsys.readouterr().out
    assert "volumes, channels x depth x height x width = 1x8x6x8; 113 to train on, 37 held out" in said
    assert "113 training volumes are very few" in said and "wgan train volumes --data" in said
    assert (tmp_path / "grid.png").stat().st_size


def test_the_encoder_and_the_estimator_take_volumes(run, data):
    assert cli.main(["encode", str(run.path), "--steps", "2", "--threads", "1"]) == 0
    model = wgan.load(run)
    samples = model.sample(3)
    assert model.encode(samples).shape == (3, 4) and model.reconstruct(samples).shape == samples.shape
    made = wgan.Generator(recipe="volumes", options=SMALL).fit(data[0])
    assert made.sample(3).shape == (3, 1, 8, 6, 8) and made.score(data[0][:50]) < 0


def test_conditions_of_volumes_are_told_and_measured(tmp_path):
    level = np.linspace(0, 1, 400)
    x = level[:, None, None, None, None] + 0.1 * np.random.default_rng(0).standard_normal((400, 1, 6, 6, 6))
    np.savez(tmp_path / "x.npz", samples=x.astype(np.float32), level=level)
    options = {**SMALL, "conditions": "level", "critic_conditioning": "projection", "conditioning": "concat"}
    made = wgan.train(data=tmp_path / "x.npz", run=tmp_path / "run", **options)
    found = wgan.evaluate(made, n=100, metrics=["condition-numbers"]).results[0].values
    assert found[0].name == "condition-error" and found[0].reference < 0.1 < found[0].value


def test_exports_know_volumes_or_refuse(run, tmp_path):
    model = wgan.load(run)
    assert cli.main(["export", str(run.path), "--to", "hub", "--out", str(tmp_path / "hub")]) == 0
    assert torch.equal(wgan.load(tmp_path / "hub").sample(3), model.sample(3))
    assert "volumes of 8 × 6 × 8 voxels" in (tmp_path / "hub" / "README.md").read_text()
    with pytest.raises(WganError, match="this model makes volumes"):
        export_page(model, tmp_path / "page.html")
    assert [*json.loads(json_text(model.sample(2), model))] == ["volumes", "labels"]
