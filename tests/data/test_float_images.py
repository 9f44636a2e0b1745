"""Images that keep their values (--depth float): no 8-bit step from the file to the sample and back."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import wgan
from wgan.cli import main as cli
from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.depth import PixelUnits, from_json
from wgan.data.own.decode import Frame
from wgan.data.own.float_images import of_file
from wgan.errors import WganError
from wgan.evaluation import needs

DEEP = ReadingOptions(depth="float")
SMALL = {
    "steps": 2,
    "batch": 8,
    "latent": 4,
    "generator_layers": "/ 8 6k4x2 / k4x2",
    "critic_layers": "6k4x2 /",
    "threads": 1,
}


def values(count=60, dtype=np.uint16, shape=(8, 12), seed=0):
    """Numbers that bytes cannot tell apart: 20,000 to 20,199."""
    return (20_000 + np.random.default_rng(seed).integers(0, 200, (count, *shape))).astype(dtype)


def folder(path, images, kind="png"):
    path.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(path / f"{i:03d}.{kind}")
    return path


def opened(path, split="all", options=DEEP):
    return open_source(str(path), split, options=options)


def own(source):
    """All images in the user's units and type."""
    x = source.batch(torch.arange(len(source)))[0]
    return source.depth.stored(source.depth.restore(x.numpy()))


def sorted_images(x):
    return x.reshape(len(x), -1)[np.lexsort(x.reshape(len(x), -1).T)]


@pytest.mark.parametrize(
    ("dtype", "kind"), [(np.uint16, "png"), (np.uint16, "tif"), (np.float32, "tif"), (np.uint8, "png")]
)
def test_files_keep_every_value(tmp_path, dtype, kind):
    images = values(dtype=np.int64) if dtype != np.uint8 else values(dtype=np.int64) - 20_000
    images = images.astype(dtype) + (np.float32(0.5) if dtype == np.float32 else 0)
    source = opened(folder(tmp_path / "x", images.astype(dtype), kind))
    assert source.shape == (1, 8, 12) and source.is_image and source.recipe == "images"
    found = own(source)
    assert found.dtype == dtype and np.array_equal(sorted_images(found), sorted_images(images))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_arrays_keep_every_value(tmp_path, dtype):
    images = values(dtype=dtype) - (25_000 if np.dtype(dtype).kind in "if" else 0)
    np.save(tmp_path / "x.npy", images.astype(dtype))
    found = own(opened(tmp_path / "x.npy"))
    assert found.dtype == dtype
    np.testing.assert_allclose(sorted_images(found), sorted_images(images), rtol=0, atol=2e-5 * (dtype == np.float64))


def test_channels_keep_their_place(tmp_path):
    images = values(shape=(20, 24, 2)) + np.array([0, 5000], np.uint16)
    np.save(tmp_path / "x.npy", images)
    found = own(opened(tmp_path / "x.npy"))
    assert found.shape == (60, 20, 24, 2) and (found[..., 1] >= 25_000).all() and (found[..., 0] < 25_000).all()


def test_networks_see_the_training_range_as_one(tmp_path):
    images = values()
    np.savez(tmp_path / "x.npz", x_train=images[:45], x_test=images[45:] + 700)
    train, test = (opened(tmp_path / "x.npz", split) for split in ("train", "test"))
    x, other = (s.batch(torch.arange(len(s)))[0] for s in (train, test))
    assert x.dtype == torch.float32 and float(x.min()) == -1 and float(x.max()) == 1 and float(other.min()) > 1
    assert (train.depth.low, train.depth.high) == (images[:45].min(), images[:45].max())
    assert "values keep their units: networks see" in " ".join(train.notes)


def test_resized_images_stay_floats(tmp_path):
    ramp = (
        np.tile(np.linspace(1000, 1001, 32, dtype=np.float32), (50, 32, 1))
        + np.arange(50, dtype=np.float32)[:, None, None]
    )
    np.save(tmp_path / "x.npy", ramp)
    found = own(opened(tmp_path / "x.npy", options=ReadingOptions(depth="float", size=16)))
    assert found.shape == (50, 16, 16)
    np.testing.assert_allclose(np.diff(found[:, 8, 4:12], axis=1), 2 / 31, rtol=0.05)


def damaged(images):
    images = images.astype(np.float32)
    images[3, 2, 2] = np.nan
    return images


@pytest.mark.parametrize(
    ("images", "options", "words"),
    [
        (damaged(values()), {}, "NaN or infinite"),
        (values() * 1e39, {}, "holds values beyond 3.4e38"),
        (values() * 0, {}, "holds nothing to learn"),
        (values(shape=(8, 12, 3)), {"channels": 1}, "leave channels out"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, images, options, words):
    np.save(tmp_path / "x.npy", images)
    with pytest.raises(WganError) as error:
        opened(tmp_path / "x.npy", options=ReadingOptions(depth="float", **options))
    assert words in str(error.value)


def test_damaged_ranges_of_a_run_are_named():
    whole = PixelUnits(0.0, 9.0, "uint16").to_json()
    assert from_json(json.loads(json.dumps(whole))) == PixelUnits(0.0, 9.0, "uint16")
    for key, value in {"low": 9.0, "high": float("inf"), "dtype": "O", "new": 1}.items():
        with pytest.raises(WganError, match="damaged"):
            from_json({**whole, key: value})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("float")
    np.save(path / "x.npy", values(count=150, shape=(8, 8)))
    return wgan.train(data=path / "x.npy", run=path / "run", depth="float", **SMALL)


def test_the_generator_is_linear_and_its_samples_are_values(run):
    model = wgan.load(run)
    assert not model.network.tanh and run.facts.depth["dtype"] == "uint16"
    with torch.no_grad():
        model.network.body.layers[-1].inner.bias.fill_(3.0)
    samples = model.sample(4)
    assert float(samples.mean()) > model.depth.high  # beyond the training range: nothing clips it
    assert samples.to_images().dtype == np.uint8 and samples.to_images().mean() > 250


def test_files_of_samples_hold_values(run, tmp_path):
    for name in ("a.npz", "b.npy", "c.png"):
        assert cli.main(["sample", str(run.path), "-n", "5", "--out", str(tmp_path / name)]) == 0
    assert cli.main(["sample", str(run.path), "-n", "5", "--out", f"{tmp_path}/d/"]) == 0
    images = np.load(tmp_path / "a.npz")["images"]
    assert (
        images.dtype == np.uint16 and images.shape == (5, 8, 8) and np.array_equal(images, np.load(tmp_path / "b.npy"))
    )
    with Image.open(tmp_path / "d" / "000002.png") as picture:
        assert np.array_equal(np.asarray(picture), images[2])


def test_metrics_compare_values(run, tmp_path):
    report = wgan.evaluate(run, n=100, metrics=["sliced-w1", "prdc", "fid-random", "memorisation"])
    assert all(np.isfinite([v.value, v.reference]).all() for v in report.results[0].values if v.name != "recall")
    measured = SimpleNamespace(
        subject=SimpleNamespace(labels=1), inception=1, is_image=True, fakes=torch.zeros(2, 1, 8, 8)
    )
    measured.reals = SimpleNamespace(test=SimpleNamespace(classes=2))
    assert "images of bytes" in needs.classified(measured) and "images of bytes" in needs.inception(measured)


def test_a_file_of_the_data_is_as_far_as_the_data(tmp_path):
    images = values(count=200, shape=(8, 8))
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "fakes.npz", images=images)
    found = {}
    for name, moved in (("same", 0), ("moved", 3)):
        np.savez(tmp_path / "fakes.npz", images=images + np.uint16(moved))
        report = wgan.evaluate(
            tmp_path / "fakes.npz", data=tmp_path / "x.npy", options=DEEP, metrics=["sliced-w1"], n=200
        )
        found[name] = report.metric("sliced-w1")
    assert found["same"].value < 3 * found["same"].reference
    assert found["moved"].value != found["same"].value  # 3 of 65,535: bytes would not see it


def test_exports_and_a_page_of_values(run, tmp_path):
    assert cli.main(["export", str(run.path), "--to", "hub", "--out", str(tmp_path / "hub")]) == 0
    assert torch.equal(wgan.load(tmp_path / "hub").sample(3), wgan.load(run).sample(3))
    assert json.loads((tmp_path / "hub" / "config.json").read_text())["range"] is None
    assert cli.main(["export", str(run.path), "--to", "page", "--out", str(tmp_path / "page.html")]) == 2


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "jpg"])
def test_pictures_of_16_pixels_are_not_taken_for_16_bits(ending):
    file = io.BytesIO()
    Image.new("L", (16, 160), 7).save(file, {"tif": "TIFF", "jpg": "JPEG"}.get(ending, ending.upper()))
    file.seek(0)
    assert (of_file(file, Frame(1, 160, 16, "center")) == 7).all()
