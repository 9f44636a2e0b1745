"""`wgan invert`: latents of images, refined by gradient steps; walks between them."""

from __future__ import annotations

import shutil

import pytest
import torch
from PIL import Image

from wgan.data import open_source
from wgan.encoding import invert as module
from wgan.encoding.invert import invert
from wgan.encoding.train import EncoderOptions, train_encoder
from wgan.errors import WganError
from wgan.sampling.model import load


@pytest.fixture(scope="module")
def run(digits_run, tmp_path_factory):
    """A run of digits with an encoder."""
    folder = shutil.copytree(digits_run, tmp_path_factory.mktemp("inverted") / "run")
    train_encoder(folder, EncoderOptions(steps=4, batch=8), tty=False)
    return folder


@pytest.fixture
def photos(tmp_path):
    """Two digits as image files."""
    x = open_source("mnist", "test").batch(torch.arange(2))[0]
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, image in zip(paths, x, strict=True):
        Image.fromarray(image[0].numpy()).save(path)
    return paths


def test_the_latent_of_a_sample_is_found_again(run):
    """An image that the generator made is reached much more closely than the encoder alone does."""
    model = load(run)
    x = model.sample(2, seed=5).as_subclass(torch.Tensor)
    before, after = invert(run, x, steps=0), invert(run, x, steps=150)
    assert all(b > a + 6 for a, b in zip(before.psnr, after.psnr, strict=True))
    assert torch.allclose(after.made, model.decode(after.z, None).as_subclass(torch.Tensor))


def test_more_steps_never_give_a_worse_latent(run, photos, monkeypatch):
    """The best latent on the way is kept: here every step goes much too far."""
    monkeypatch.setattr(module, "RATE", 20.0)
    x = invert(run, photos, steps=0).images
    few, many = invert(run, x, steps=0), invert(run, x, steps=5)
    inverter = load(run).inverter
    total = [inverter.total(*inverter.errors(x, r.z, None)[1:]) for r in (few, many)]
    assert (total[1] <= total[0] + 1e-4).all()


def test_an_image_does_not_depend_on_its_neighbours(run, photos):
    both, one = invert(run, photos, steps=10), invert(run, photos[1:], steps=10)
    assert torch.allclose(both.z[1], one.z[0], atol=1e-5)


def test_pictures_and_walks_are_written(run, photos, command, tmp_path):
    said = command("invert", run, *photos, "--steps", 3, "--out", tmp_path / "pairs.png").out
    assert said.count("PSNR") == 2 and Image.open(tmp_path / "pairs.png").height > 56
    command("invert", run, *photos, "--steps", 3, "--out", tmp_path / "walk.gif")
    assert Image.open(tmp_path / "walk.gif").n_frames > 20
    assert "the way to its result" in command("invert", run, photos[0], "--steps", 3, "--out", tmp_path / "one.gif").out


def test_each_refusal_is_one_sentence(run, photos, command, tmp_path, ring_run):
    (tmp_path / "text.png").write_text("no picture")
    files = sorted(tmp_path.iterdir())
    bad = command("invert", run, tmp_path / "text.png", "--out", tmp_path / "x.png").sentence()
    assert bad.endswith("text.png as an image: it is not an image, or it is damaged")
    assert "no such file" in command("invert", run, tmp_path / "none.png", "--out", tmp_path / "x.png").sentence()
    assert "give a .gif or a .png" in command("invert", run, photos[0], "--out", tmp_path / "x.txt").sentence()
    assert (
        "unconditional model" in command("invert", run, photos[0], "--label", 3, "--out", tmp_path / "x.png").sentence()
    )
    with pytest.raises(WganError, match="has no encoder"):
        invert(ring_run, photos)
    assert sorted(tmp_path.iterdir()) == files


def test_only_images_of_the_range_are_inverted(run, ring_run, tmp_path):
    with pytest.raises(WganError, match=r"pixels must be bytes \(uint8\) or lie in \[-1, 1\]"):
        invert(run, torch.full((1, 1, 28, 28), 7.0))
    with pytest.raises(WganError, match="the samples hold NaN"):
        invert(run, torch.full((1, 1, 28, 28), torch.nan))
    with pytest.raises(WganError, match=r"makes samples \[N, 1, 28, 28\], and these are \[1, 1, 14, 14\]"):
        invert(run, torch.zeros(1, 1, 14, 14))
    bytes_, floats = torch.zeros(1, 28, 28, dtype=torch.uint8), torch.full((1, 1, 28, 28), -1.0)
    assert torch.equal(invert(run, bytes_, steps=1).z, invert(run, floats, steps=1).z)
    points = shutil.copytree(ring_run, tmp_path / "ring")
    train_encoder(points, EncoderOptions(steps=2, batch=8), tty=False)
    with pytest.raises(WganError, match="makes vectors: only images are inverted"):
        invert(points, torch.zeros(1, 2))
