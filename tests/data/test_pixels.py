"""One range for a whole data set, said in a note, whichever way its pixels are stored."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from helpers.own_data import refusal
from helpers.problems import everything
from PIL import Image, ImageOps

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.own.decode import Frame, decode

pytestmark = pytest.mark.usefixtures("cache")

N = 60
RNG = np.random.default_rng(0)
SCAN = RNG.integers(0, 4096, (N, 16, 16)).astype(np.uint16)  # 12 bits
SCAN[0, 0, 0], SCAN[0, 0, 1] = 0, 4095
STRETCHED = np.rint(SCAN / 4095 * 255)
ENDINGS = ["png", "tif", "npy"]


def stored(folder, images, ending):
    """Images [N, H, W] as files of one kind; returns the spec."""
    folder.mkdir()
    if ending == "npy":
        np.save(folder / "x.npy", images)
        return str(folder / "x.npy")
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03d}.{ending}")
    return str(folder)


def pixels_and_notes(spec):
    source = open_source(spec, "all")
    return everything(source)[:, 0].numpy(), " ".join(source.notes)


def sorted_sums(x):
    return np.sort(x.reshape(len(x), -1).sum(1, dtype=np.int64))


def same_set(a, b):
    """Whether two sets hold the same images, in any order."""
    return np.array_equal(sorted_sums(a), sorted_sums(b)) and a.min() == b.min() and a.max() == b.max()


@pytest.mark.parametrize("ending", ENDINGS)
def test_12_bits_in_16_are_one_range_for_all(tmp_path, ending):
    x, note = pixels_and_notes(stored(tmp_path / "x", SCAN, ending))
    assert same_set(x, STRETCHED) and "values 0 to 4095 are stretched" in note


@pytest.mark.parametrize("ending", ["tif", "npy"])
def test_whole_numbers_of_32_bits_are_one_range_for_all(tmp_path, ending):
    images = np.stack([(RNG.random((16, 16)) * (240, 900)[i % 2]).astype(np.int32) for i in range(N)])
    images[0, 0, :2] = 0, 899
    x, note = pixels_and_notes(stored(tmp_path / "x", images, ending))
    assert same_set(x, np.rint(images / 899 * 255)) and "values 0 to 899 are stretched" in note


@pytest.mark.parametrize("ending", ["tif", "npy"])
def test_floats_are_one_range_for_all(tmp_path, ending):
    images = (RNG.random((N, 16, 16)) * np.linspace(0.05, 1, N)[:, None, None]).astype(np.float32)
    images[0, 0, 0], images[-1, 0, 0] = 0, 1
    x, note = pixels_and_notes(stored(tmp_path / "x", images, ending))
    assert same_set(x, np.rint(images.astype(np.float64) * 255)) and "read as 0 (black) to 1 (white)" in note


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("most", "said"), [(1, "0 to 1 are read as 0 (black) to 1"), (15, "0 to 15 are stretched")])
def test_bytes_that_use_little_are_stretched(tmp_path, ending, most, said):
    images = RNG.integers(0, most + 1, (N, 16, 16), dtype=np.uint8)
    x, note = pixels_and_notes(stored(tmp_path / "x", images, ending))
    assert same_set(x, np.rint(images * 255.0 / most)) and said in note


@pytest.mark.parametrize("ending", ENDINGS)
def test_bytes_that_use_their_range_stay_without_a_word(tmp_path, ending):
    images = RNG.integers(50, 140, (N, 16, 16), dtype=np.uint8)
    x, note = pixels_and_notes(stored(tmp_path / "x", images, ending))
    assert same_set(x, images) and note == ""


def test_deep_and_plain_pictures_have_a_scale_each(tmp_path):
    spec = stored(tmp_path / "x", SCAN, "png")
    for i in range(20):
        Image.fromarray(RNG.integers(0, 256, (16, 16), dtype=np.uint8)).save(tmp_path / "x" / f"plain{i}.png")
    x, note = pixels_and_notes(spec)
    assert x[:40].max() == 255 and "60 of 80 images: values 0 to 4095 are stretched" in note


def sparse():
    """Floats of 0..1 as digits have them: mostly 0."""
    return (RNG.random((N, 16, 16)) * (RNG.random((N, 16, 16)) < 0.2)).astype(np.float32)


def read(tmp_path, images):
    np.save(tmp_path / "x.npy", images)
    return pixels_and_notes(str(tmp_path / "x.npy"))


def test_an_overshoot_is_clipped_and_said(tmp_path):
    images = sparse()
    images[0, 0, 0], images[1, 0, 0] = -0.02, 1.03
    x, note = read(tmp_path, images)
    assert same_set(x, np.rint(images.clip(0, 1).astype(np.float64) * 255))
    assert "read as 0 (black) to 1 (white); 2 of 15360 values lie outside and are clipped" in note


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: 2 * x - 1, "are read as -1 (black) to 1 (white)"),
        (lambda x: (2 * x - 1) * 1.03, "values lie outside and are clipped"),
        (lambda x: 255 * x, "are read as 0 (black) to 255 (white)"),
        (lambda x: 0.45 * x, "are read as 0 (black) to 1 (white)"),
        (lambda x: 0.45 * x + 0.3, "are read as 0 (black) to 1 (white)"),
        (lambda x: 0.2 * x, "are stretched"),
        (lambda x: 0.2 * x + 0.4, "are stretched"),
        (lambda x: 6 * x - 3, "are stretched"),
        (lambda x: 1.4 * x - 0.2, "are stretched"),
    ],
)
def test_a_range_is_told_by_how_much_of_it_is_used(tmp_path, change, said):
    x = RNG.random((N, 16, 16))
    x[0, 0, :2] = 0, 1
    assert said in read(tmp_path, change(x))[1]


def test_unsigned_numbers_are_never_clipped(tmp_path):
    images = (RNG.random((N, 16, 16)) * 250).astype(np.uint16)
    images[0, 0, :2] = 0, 300
    assert "values 0 to 300 are stretched" in read(tmp_path, images)[1]


def test_a_few_hot_pixels_that_leave_the_rest_dark_are_said(tmp_path):
    images = SCAN.copy()
    images[0, 0, 0] = 65535
    assert "all but a few of the values lie within" in read(tmp_path, images)[1]
    assert "all but" not in read(tmp_path, sparse())[1]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((16, 16, 12), (12, 16, 16)),
        ((8, 8, 12), (12, 8, 8)),
        ((16, 16, 8), (8, 16, 16)),
        ((16, 16, 2), (2, 16, 16)),
        ((12, 16, 16), (12, 16, 16)),
        ((24, 24, 13), (13, 24, 24)),
        ((3, 4, 4), (3, 4, 4)),
        ((4, 8, 3), (3, 4, 8)),
    ],
)
def test_equal_sides_are_the_picture(tmp_path, shape, wanted):
    np.save(tmp_path / "x.npy", RNG.integers(0, 256, (N, *shape), dtype=np.uint8))
    source = open_source(str(tmp_path / "x.npy"))
    assert source.shape == wanted
    assert ("channels (" in " ".join(source.notes)) == (wanted[0] not in (1, 3, 4))


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (1, 50, 1), (1, 1, 50), (50, 1, 1)])
def test_samples_of_one_row_are_vectors(tmp_path, shape):
    x = RNG.normal(size=(N, *shape))
    np.save(tmp_path / "x.npy", x)
    source = open_source(str(tmp_path / "x.npy"))
    assert source.shape == (50,) and source.notes == (
        f"{[N, *shape]} is read as vectors of 50 numbers (--kind signal: as signals)",
    )


@pytest.mark.parametrize("shape", [(2, 50), (3, 2, 50), (50, 2, 3)])
def test_signals_are_refused(tmp_path, shape):
    np.save(tmp_path / "x.npy", RNG.normal(size=(N, *shape)))
    assert f"reshaped to [N, {np.prod(shape)}]" in refusal(tmp_path / "x.npy")


FLOATS, BYTES = "float32", "uint8"
LONG = [(5, 200), (200, 5), (12, 1000), (9, 128), (128, 9), (16, 64), (22, 500)]


@pytest.mark.parametrize("shape, dtype", [*((s, FLOATS) for s in LONG), ((5, 200), BYTES), ((22, 500), BYTES)])
def test_signals_of_a_few_channels_are_no_pictures(tmp_path, shape, dtype):
    np.save(tmp_path / "x.npy", (RNG.random((N, *shape)) * 250).astype(dtype))
    said = refusal(tmp_path / "x.npy")
    assert f"signals of {min(shape)} channels" in said and f"reshaped to [N, {np.prod(shape)}]" in said
    assert f"[N, 1, {shape[0]}, {shape[1]}]" in said


PLAUSIBLE = [(5, 5), (8, 8), (8, 16), (16, 16), (28, 28), (64, 80), (32, 256), (80, 100)]


@pytest.mark.parametrize("shape, dtype", [*((s, FLOATS) for s in PLAUSIBLE), ((8, 100), BYTES), ((16, 128), BYTES)])
def test_arrays_of_plausible_pictures_stay_pictures(tmp_path, cache, shape, dtype):
    np.save(tmp_path / "x.npy", (RNG.random((N, *shape)) * 250).astype(dtype))
    assert open_source(str(tmp_path / "x.npy")).shape == (1, *shape)


def test_pictures_with_a_channel_are_pictures_however_long(tmp_path, cache):
    np.save(tmp_path / "x.npy", RNG.random((N, 1, 5, 200)).astype("f4"))
    assert open_source(str(tmp_path / "x.npy")).shape == (1, 5, 200)


def jpegs():
    """Pictures of fine detail as JPEG files of 512 pixels."""
    zone = 127.5 + 127.5 * np.cos(((np.indices((512, 512)) - 256) ** 2).sum(0) / 500)
    blocks = (RNG.integers(0, 2, (128, 128)) * 255).repeat(4, 0).repeat(4, 1)
    for image in (zone, blocks):
        file = io.BytesIO()
        Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", quality=95)
        yield file


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_jpeg_decoded_small_is_what_the_whole_one_shows(size):
    for file in jpegs():
        whole = ImageOps.fit(Image.open(file).convert("L"), (size, size), Image.Resampling.LANCZOS)
        small = decode(file, Frame(1, size, size, "center"))[0]
        assert np.abs(small.astype(int) - np.asarray(whole)).max() <= 4


def test_pages_that_are_not_read_are_counted(tmp_path):
    pages = [Image.fromarray(RNG.integers(0, 256, (16, 16), dtype=np.uint8)) for _ in range(20)]
    (tmp_path / "x").mkdir()
    for i in range(50):
        pages[0].save(tmp_path / "x" / f"{i}.tif", save_all=True, append_images=pages[1:])
    note = " ".join(open_source(str(tmp_path / "x")).notes)
    assert "50 files hold several pages or frames: the first of each is read, 950 are left out" in note


def test_one_stack_of_pages_is_a_data_set(tmp_path):
    pages = [Image.fromarray(image) for image in SCAN]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    x, note = pixels_and_notes(str(tmp_path / "x.tif"))
    assert same_set(x, STRETCHED) and "values 0 to 4095 are stretched" in note
    pages[0].save(tmp_path / "y.tif")
    assert "is one picture: give a folder" in refusal(tmp_path / "y.tif")


def png16(pixels):
    """A PNG of 16 bits from [H, W, 3] or [H, W, 4], which Pillow does not write."""
    height, width, channels = pixels.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_16_bits_are_halved_and_that_is_said(tmp_path, channels):
    for i in range(N):
        (tmp_path / f"{i}.png").write_bytes(png16(RNG.integers(0, 65536, (16, 16, channels))))
    said = "60 images store colours or transparency in 16 bits, of which the upper 8 are read"
    assert said in " ".join(open_source(str(tmp_path)).notes)
    assert "colours of 16 bits" in refusal(tmp_path, depth="float")


def test_colours_of_8_bits_keep_their_values_at_any_size(tmp_path):
    """Also 16 pixels wide."""
    for i in range(N):
        Image.fromarray(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    source = open_source(str(tmp_path), options=ReadingOptions(depth="float"))
    assert source.shape == (3, 16, 16) and "16 bits" not in " ".join(open_source(str(tmp_path)).notes)
