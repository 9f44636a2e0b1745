"""--size HEIGHTxWIDTH: pictures of any sizes become rectangles."""

import numpy as np
import pytest
import torch
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.errors import WganError


def wide(folder, count=48):
    """Pictures of many sizes, red on the left half and blue on the right."""
    folder.mkdir()
    for i in range(count):
        picture = np.zeros((40 + i, 90 + 2 * i, 3), np.uint8)
        picture[:, : 45 + i, 0], picture[:, 45 + i :, 2] = 255, 255
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize("crop", ["center", "fit"])
def test_pictures_of_mixed_sizes_become_rectangles(tmp_path, crop):
    source = open_source(str(wide(tmp_path / "wide")), options=ReadingOptions(size="16x32", crop=crop))
    assert source.shape == (3, 16, 32)
    x = source.batch(torch.arange(len(source)))[0]
    assert (x[:, 0, :, :15] > 240).all() and (x[:, 2, :, 17:] > 240).all()


def test_an_array_of_pictures_becomes_rectangles(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (50, 20, 24), dtype=np.uint8))
    assert open_source(str(tmp_path / "x.npy"), options=ReadingOptions(size="8x12")).shape == (1, 8, 12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": "48x50"}, "size must be a multiple of 4"),
        ({"size": "48x4"}, "size must be between 8 and 256"),
        ({"size": "48x"}, "such as 48x96, not ''"),
        ({"size": "8x8x8"}, "such as 48x96, not '8x8x8'"),
        ({"size": "48x96", "crop": "none"}, "give one number, or crop center or fit"),
    ],
)
def test_sides_that_cannot_be_are_refused(options, words):
    with pytest.raises(WganError) as error:
        ReadingOptions(**options)
    assert words in str(error.value)


def test_equal_sides_are_one_number():
    assert ReadingOptions(size="32X32").size == 32 == ReadingOptions(size="32").size
    assert ReadingOptions(size="48x96").sides == (48, 96) and ReadingOptions(size="0").sides is None
