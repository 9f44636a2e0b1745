"""A user's own pictures, one at a time: every kind of file becomes what it shows."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from helpers.own_data import flat
from PIL import Image

from wgan.data.own import decode as files
from wgan.data.own.decode import Frame, Unreadable, decode, header

pytestmark = pytest.mark.usefixtures("cache")


def decoded(picture, channels, kind="PNG", crop="center", size=(4, 4), **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return decode(file, Frame(channels, size[1], size[0], crop))


def sixteen(value):
    return Image.fromarray(np.full((4, 4), value, np.uint16))


PALETTE = flat((10, 200, 30), (4, 4)).quantize(4)


@pytest.mark.parametrize(
    ("picture", "kind", "colour"),
    [
        (flat(1, (4, 4), "1"), "PNG", (255, 255, 255)),
        (flat(77, (4, 4), "L"), "PNG", (77, 77, 77)),
        (flat((77, 255), (4, 4), "LA"), "PNG", (77, 77, 77)),
        (flat((77, 0), (4, 4), "LA"), "PNG", (255, 255, 255)),
        (PALETTE, "PNG", (10, 200, 30)),
        (PALETTE, "GIF", (10, 200, 30)),
        (flat((9, 8, 7), (4, 4)), "BMP", (9, 8, 7)),
        (flat((9, 8, 7), (4, 4)), "TIFF", (9, 8, 7)),
        (flat((1, 2, 3, 255), (4, 4), "RGBA"), "PNG", (1, 2, 3)),
        (flat((1, 2, 3, 0), (4, 4), "RGBA"), "PNG", (255, 255, 255)),
        (sixteen(257 * 200), "PNG", (200, 200, 200)),
        (sixteen(257 * 40), "TIFF", (40, 40, 40)),
        (Image.fromarray(np.full((4, 4), 0.2, np.float32)), "TIFF", (51, 51, 51)),
        (flat((0, 255, 255, 0), (4, 4), "CMYK"), "TIFF", (255, 0, 0)),
    ],
)
def test_every_mode_shows_its_colour(picture, kind, colour):
    pixels = decoded(picture, 3, kind)
    assert pixels.shape == (3, 4, 4) and pixels.dtype == np.uint8
    assert (pixels == np.array(colour, np.uint8)[:, None, None]).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_kinds_come_close(kind):
    pixels = decoded(flat((200, 100, 50), (16, 16)), 3, kind, quality=95, size=(16, 16))
    assert np.abs(pixels.astype(int) - np.array([200, 100, 50])[:, None, None]).max() <= 4


def test_one_channel_is_luminance():
    # ITU-R 601: 0.299 R + 0.587 G + 0.114 B, in Pillow's documentation of mode L
    assert decoded(flat((255, 0, 0), (4, 4)), 1).tolist() == np.full((1, 4, 4), 76).tolist()


def halves():
    """An upright picture: black above, white below."""
    pixels = np.zeros((8, 8), np.uint8)
    pixels[4:] = 255
    return pixels


@pytest.mark.parametrize(("orientation", "stored"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_the_cameras_orientation_is_honoured(orientation, stored):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.rot90(halves(), stored))
    assert (decoded(picture, 1, size=(8, 8), exif=exif)[0] == halves()).all()


@pytest.mark.parametrize(
    ("tag", "size"), [(1, (12, 8)), (3, (12, 8)), (4, (12, 8)), (5, (8, 12)), (6, (8, 12)), (8, (8, 12)), (77, (12, 8))]
)
def test_the_header_tells_the_turned_size(tag, size):
    exif = Image.Exif()
    exif[0x0112] = tag
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        file = io.BytesIO()
        flat((1, 2, 3), (12, 8)).save(file, kind, exif=exif)
        file.seek(0)
        assert header(file)[:3] == (*size, False), kind
        file.seek(0)
        assert decode(file, Frame(3, size[1], size[0], "none")).shape == (3, size[1], size[0])


def test_crops_and_fits():
    wide = np.zeros((8, 16), np.uint8)
    wide[:, :4], wide[:, 12:] = 50, 200
    picture = Image.fromarray(wide)
    assert (decoded(picture, 1, size=(8, 8))[0] == 0).all()  # the centre has neither side
    fit = decoded(picture, 1, crop="fit", size=(16, 16))[0]
    assert (fit == np.pad(wide, ((4, 4), (0, 0)), mode="edge")).all()
    assert decoded(picture, 1, crop="none", size=(4, 4)).shape == (1, 4, 4)


def test_a_large_jpeg_is_decoded_small_and_shows_the_same():
    ramp = np.tile(np.linspace(0, 255, 512).astype(np.uint8), (512, 1))
    small = decoded(Image.fromarray(ramp), 1, "JPEG", size=(8, 8))[0]
    assert np.abs(small.astype(float) - ramp.reshape(8, 64, 8, 64).mean((1, 3))).max() <= 3


def test_a_jpeg_is_never_decoded_smaller_than_it_is_wanted():
    blocks = np.random.default_rng(0).integers(0, 2, (16, 16)).astype(np.uint8) * 255
    small = decoded(Image.fromarray(blocks.repeat(4, 0).repeat(4, 1)), 1, "JPEG", size=(16, 16), quality=95)[0]
    assert ((small > 127) == (blocks > 127)).all()


@pytest.mark.parametrize(
    ("shape", "crop", "size", "seen"),
    [
        ((512, 512), "center", (32, 32), (128, 128)),
        ((1024, 512), "fit", (32, 32), (256, 128)),  # four times as large in both directions
        ((1024, 512), "center", (64, 16), (512, 256)),  # what is wanted is wider than high
        ((512, 512), "none", (32, 32), (512, 512)),  # Pillow's own reduction comes first there
    ],
)
def test_a_jpeg_is_decoded_at_four_times_the_wanted_side(monkeypatch, shape, crop, size, seen):
    sizes = []
    monkeypatch.setattr(files, "resize", lambda picture, frame: sizes.append(picture.size) or picture)
    decoded(flat("red", shape), 3, "JPEG", crop=crop, size=size)
    assert sizes == [seen]


def png_header(width, height):
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))
    return head + struct.pack(">I", 99) + b"IDAT"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not an image"),
        (png_header(30_000, 30_000), "pixels"),
        (png_header(4, 4), "cut short"),
    ],
)
def test_what_is_no_picture_says_why(data, reason):
    with pytest.raises(Unreadable, match=reason):
        decode(io.BytesIO(data), Frame(1, 4, 4, "center"))
