"""PNG files written row by row: Pillow reads the pixels back, and the same pixels are the same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from wgan.visual.images import image_grid
from wgan.visual.png import png_bytes

DRAW = np.random.default_rng(0)
PICTURES = {
    "grey": Image.fromarray(DRAW.integers(0, 256, (7, 5), np.uint8)),
    "colour": Image.fromarray(DRAW.integers(0, 256, (4, 9, 3), np.uint8)),
    "one-pixel": Image.fromarray(np.array([[200]], np.uint8)),
    "one-row": Image.fromarray(DRAW.integers(0, 256, (1, 300, 3), np.uint8)),
    "grid": image_grid(DRAW.integers(0, 256, (13, 6, 8), np.uint8)),
    "palette": Image.fromarray(DRAW.integers(0, 256, (7, 5), np.uint8)).convert("P"),
    "alpha": Image.fromarray(DRAW.integers(0, 256, (7, 5, 4), np.uint8)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pillow_reads_what_was_written(name):
    picture = PICTURES[name]
    written = png_bytes(picture)
    with Image.open(io.BytesIO(written)) as read:
        read.load()  # which checks the sums of all chunks
        assert read.format == "PNG" and read.mode == picture.mode and np.array_equal(read, picture)
    assert png_bytes(picture.copy()) == written


def test_an_enlarged_image_is_smaller_than_pillow_makes_it():
    picture, plain = image_grid(DRAW.integers(0, 256, (1, 28, 28), np.uint8)), io.BytesIO()
    picture.save(plain, format="PNG")
    assert len(png_bytes(picture)) < len(plain.getvalue())
