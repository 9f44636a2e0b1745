"""Volumes of your own: what [N, D, H, W] and [N, C, D, H, W] become, how their values come back, and what is refused."""

import numpy as np
import pytest
import torch

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.bundled import solids
from wgan.errors import WganError

VOLUME = ReadingOptions(kind="volume")


def bodies(count=60, shape=(2, 4, 6, 5), kind=np.float64, seed=0):
    return (np.random.default_rng(seed).random((count, *shape)) * 500 + 100).astype(kind)


def opened(tmp_path, values, split="train", options=None, **arrays):
    np.savez(tmp_path / "x.npz", samples=values, **arrays)
    return open_source(str(tmp_path / "x.npz"), split, options=options)


def everything(source):
    return source.batch(torch.arange(len(source)))[0]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.float32])
def test_values_are_kept_and_seen_by_the_training_range(tmp_path, kind):
    values = bodies(kind=np.int64).astype(kind)
    train, test = (opened(tmp_path, values, split) for split in ("train", "test"))
    assert (train.shape, train.kind, train.recipe) == ((2, 4, 6, 5), "volumes", "volumes")
    assert train.is_volume and not train.is_image and not train.is_signal
    x = everything(train)
    assert x.dtype == torch.float32 and (float(x.min()), float(x.max())) == (-1, 1)
    own = [train.depth.stored(train.depth.restore(everything(s).numpy())) for s in (train, test)]
    assert own[0].dtype == kind and own[0].shape[1:] == (2, 4, 6, 5)
    found = np.sort(np.concatenate(own), axis=None)
    np.testing.assert_allclose(found, np.sort(values, axis=None), rtol=0 if kind != np.float32 else 1e-6)


@pytest.mark.parametrize(
    ("stored", "options", "shape", "note"),
    [
        (
            (8, 8, 8),
            None,
            (1, 8, 8, 8),
            "read as 60 volumes, depth x height x width = 8x8x8 (--kind image: as pictures)",
        ),
        ((17, 18, 20), None, (1, 17, 18, 20), "(--kind image: as pictures)"),
        ((4, 6, 5), VOLUME, (1, 4, 6, 5), "read as 60 volumes, depth x height x width = 4x6x5"),
        ((1, 4, 6, 5), None, (1, 4, 6, 5), "read as 60 volumes, depth x height x width = 4x6x5"),
        ((3, 4, 6, 5), None, (3, 4, 6, 5), "60 volumes of 3 channels (first)"),
        ((8, 9, 10, 2), None, (2, 8, 9, 10), "60 volumes of 2 channels (last)"),
        ((6, 6, 6, 8), None, (8, 6, 6, 6), "60 volumes of 8 channels (last)"),
        ((8, 6, 6, 6), None, (8, 6, 6, 6), "60 volumes of 8 channels (first)"),
    ],
)
def test_what_an_array_holds_is_said(tmp_path, stored, options, shape, note):
    values = bodies(shape=stored)
    source = opened(tmp_path, values, options=options)
    assert source.shape == shape and any(note in text for text in source.notes)
    first = source.depth.restore(everything(source).numpy())
    moved = np.moveaxis(values, -1, 1) if "last" in note else values.reshape(60, *shape)
    assert any(np.allclose(first[0], one, rtol=1e-5) for one in moved)


def test_pictures_stay_pictures(tmp_path):
    for stored, shape in (((3, 8, 8), (3, 8, 8)), ((8, 12, 12), (8, 12, 12)), ((20, 24, 3), (3, 20, 24))):
        assert opened(tmp_path, bodies(shape=stored, kind=np.float32)).shape == shape
    cube = opened(tmp_path, bodies(shape=(8, 8, 8)), options=ReadingOptions(kind="image"))
    assert cube.shape == (8, 8, 8) and cube.is_image
    assert "(--kind volume: as volumes)" in " ".join(cube.notes)


def test_labels_conditions_and_the_split_are_kept(tmp_path):
    values = bodies(80)
    np.savez(
        tmp_path / "x.npz", x_train=values[:60], y_train=["a", "b"] * 30, x_test=values[60:], y_test=["a", "b"] * 10
    )
    source = open_source(str(tmp_path / "x.npz"), "test")
    assert len(source) == 20 and source.class_names == ("a", "b") and source.labels.tolist() == [0, 1] * 10
    told = opened(tmp_path, values, options=ReadingOptions(conditions="dose"), dose=np.arange(80.0))
    assert told.is_volume and told.conditions.names == ["dose"] and told.told.shape == (len(told), 1)


def spoiled(what):
    values = bodies()
    values[3, 1, 2, 4, 0] = what
    return values


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (spoiled(np.nan), None, "NaN or infinite values in 1 of 60 volumes, the first is volume 3"),
        (spoiled(-np.inf), None, "NaN or infinite values in 1 of 60 volumes, the first is volume 3"),
        (spoiled(1e39), None, "holds values beyond 3.4e38"),
        (np.full((60, 1, 4, 4, 4), 7), None, "holds nothing to learn: every value is 7"),
        (bodies(1), None, "has 1 sample: at least 40 are needed"),
        (bodies(60, (33, 32, 32), np.uint8), None, "volumes of 33x32x32 are too large, every side may be 32 at most"),
        (bodies(40, (1, 65, 8, 8), np.uint8), None, "average blocks of 3x3x3"),
        (bodies(60, (3, 8, 8)), VOLUME, "volumes of 3x8x8 are too small, every side must be at least 4"),
        (bodies(60, (17, 18, 4, 20)), None, "volumes have at most 16 channels"),
        (bodies(60, (8, 8)), VOLUME, "volumes are [N, D, H, W], or [N, C, D, H, W]"),
        (bodies(60, (2, 2, 4, 4, 4)), VOLUME, "volumes are [N, D, H, W], or [N, C, D, H, W]"),
        (bodies(60).astype(complex), VOLUME, "holds complex128: expected numbers"),
        (bodies(), ReadingOptions(size=16), "size, crop and channels are for images"),
        (bodies(), ReadingOptions(kind="signal"), "signals are [N, T], or [N, C, T]"),
        (bodies(60, (9,)), ReadingOptions(kind="image"), "holds vectors, which are no images"),
    ],
)
def test_what_cannot_be_learned_from_is_one_sentence(tmp_path, values, options, words):
    with pytest.raises(WganError) as error:
        opened(tmp_path, values, options=options)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_blobs_have_the_totals_and_widths_they_are_drawn_with():
    source = open_source("blobs", "test")
    assert source.shape == (1, 8, 8, 8) and len(source) == solids.SIZE
    x = source.depth.restore(everything(source).numpy())[:, 0]
    assert x.min() >= 0 and x.max() <= solids.TOP
    total = np.sort(x.sum((1, 2, 3)))
    even = np.linspace(*solids.MASS, len(total))
    assert np.abs(total - even).max() < 0.8  # a Kolmogorov distance of 0.02: 1.95 / sqrt(10000) has a chance of 0.1 %
    at = np.arange(8.0)
    for axis in (1, 2, 3):
        along = x.sum(tuple({1, 2, 3} - {axis})) / x.sum((1, 2, 3))[:, None]
        centre = along @ at
        width = np.sqrt(along @ at**2 - centre**2)
        assert abs(centre.mean() - 3.5) < 0.02 and abs(centre.std() - 0.5) < 0.02
        assert width.min() > 0.85 and width.max() < 1.42 and abs(width.mean() - 1.15) < 0.03
    assert torch.equal(everything(source)[:4], everything(open_source("blobs", "all"))[solids.SIZE :][:4])
    with pytest.raises(WganError, match="blobs takes no argument"):
        open_source("blobs:3")
