"""A user's own images: every kind of file becomes what it shows, prepared once, split for ever, and refused in one sentence."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wgan.data import Options, data_options, is_own, open_source, pictures, store
from wgan.data import decode as files
from wgan.data.decode import Frame, Unreadable, decode, header
from wgan.data.own import absolute
from wgan.data.split import held_out_count, held_out_mask
from wgan.errors import WganError


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """Prepared data go to a folder of this test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("WGAN_CACHE", str(folder))
    return folder


def flat(value, size=(16, 16), mode="RGB"):
    return Image.new(mode, size, value)


def folder_of(path, count=44, size=(16, 16), start=0):
    """`count` grey PNGs; the i-th is all of brightness start + i."""
    path.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("L", size, start + i).save(path / f"{i:03d}.png")
    return path


def refusal(spec, split="train", **options):
    with pytest.raises(WganError) as caught:
        open_source(str(spec), split, options=Options(**options))
    text = str(caught.value)
    assert "\n" not in text and len(text) < 500 and "Traceback" not in text
    return text


def everything(source):
    return source.batch(torch.arange(len(source)))[0]


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


# --- one picture ------------------------------------------------------------------------------------------------------


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
        assert header(file) == (*size, False), kind
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
        ((512, 512), "center", (32, 32), (64, 64)),
        ((1024, 512), "fit", (32, 32), (128, 64)),  # twice as large in both directions
        ((1024, 512), "center", (64, 16), (256, 128)),  # what is wanted is wider than high
        ((512, 512), "none", (32, 32), (512, 512)),  # Pillow's own reduction comes first there
    ],
)
def test_a_jpeg_is_decoded_at_twice_the_wanted_side_at_least(monkeypatch, shape, crop, size, seen):
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
    [(b"", "empty"), (b"hello", "no picture"), (png_header(30_000, 30_000), "pixels"), (png_header(4, 4), "cut short")],
)
def test_what_is_no_picture_says_why(data, reason):
    with pytest.raises(Unreadable, match=reason):
        decode(io.BytesIO(data), Frame(1, 4, 4, "center"))


# --- folders and archives -----------------------------------------------------------------------------------------------


def test_a_folder_becomes_images_once_each(tmp_path):
    path = folder_of(tmp_path / "x")
    source = open_source(str(path), "all")
    assert (len(source), source.shape, source.classes, source.labels) == (44, (1, 16, 16), 0, None)
    assert sorted(everything(source)[:, 0, 0, 0].tolist()) == list(range(44))
    assert everything(source).dtype == torch.uint8 and (everything(source) == everything(source)[:, :, :1, :1]).all()


def test_train_and_test_are_fixed_share_nothing_and_make_up_all(tmp_path):
    path = folder_of(tmp_path / "x", 200)
    parts = {s: everything(open_source(str(path), s))[:, 0, 0, 0].tolist() for s in ("train", "test", "all")}
    assert parts["all"] == parts["train"] + parts["test"] and sorted(parts["all"]) == list(range(200))
    assert len(parts["test"]) == 50  # a quarter: 100 would leave too little
    # the permutation of 200 that every version must give: a run's held-out images may never change
    assert parts["test"][:5] == np.flatnonzero(held_out_mask(200, None))[:5].tolist() == FIRST_HELD_OUT


FIRST_HELD_OUT = [1, 4, 7, 8, 10]


@pytest.mark.parametrize(("n", "count"), [(40, 10), (399, 99), (400, 100), (1000, 100), (5000, 500), (10**6, 10_000)])
def test_how_many_are_held_out(n, count):
    assert held_out_count(n) == count


def labelled(path):
    for i, name in enumerate(("cat", "dog", "eel")):
        folder_of(path / name, 16, start=60 * i)
    return path


def test_sub_folders_are_classes(tmp_path):
    source = open_source(str(labelled(tmp_path / "x")), "all")
    x, y = source.batch(torch.arange(48))
    assert source.class_names == ("cat", "dog", "eel") and source.classes == 3
    assert (x[:, 0, 0, 0] // 60).tolist() == y.tolist()
    assert open_source(str(tmp_path / "x"), options=Options(labels="none")).labels is None


def test_train_and_test_folders_are_the_split(tmp_path):
    labelled(tmp_path / "x" / "train")
    labelled(tmp_path / "x" / "test")
    source = open_source(str(tmp_path / "x"), "test")
    assert (len(source), source.classes) == (48, 3)


def test_one_folder_around_everything_is_no_class(tmp_path):
    folder_of(tmp_path / "x" / "inner")
    assert open_source(str(tmp_path / "x")).classes == 0


def pack_zip(folder, path):
    with zipfile.ZipFile(path, "w") as packed:
        for p in sorted(folder.rglob("*.png")):
            packed.write(p, p.relative_to(folder.parent))
    return path


def pack_tar(folder, path):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as packed:
        packed.add(folder, folder.name)
    return path


@pytest.mark.parametrize(("name", "pack"), [("x.zip", pack_zip), ("x.tar", pack_tar), ("x.tar.gz", pack_tar)])
def test_an_archive_is_its_folder(tmp_path, name, pack):
    folder = labelled(tmp_path / "x")
    a, b = open_source(str(folder), "all"), open_source(str(pack(folder, tmp_path / name)), "all")
    assert a.class_names == b.class_names
    order = [torch.argsort(everything(s)[:, 0, 0, 0].long()) for s in (a, b)]
    for one, other in zip(a.batch(order[0]), b.batch(order[1]), strict=True):
        assert torch.equal(one, other)
    assert not (tmp_path / "cat").exists()


def test_images_of_several_sizes_become_one_and_that_is_said(tmp_path):
    path = folder_of(tmp_path / "x", 20, (20, 30))
    folder_of(path / "more", 30, (70, 90), start=50)
    for p in (path / "more").iterdir():
        p.rename(path / f"m{p.name}")
    source = open_source(str(path))
    assert source.shape == (1, 32, 32) and "2 sizes" in source.notes[0] and "32x32" in source.notes[0]
    assert open_source(str(path), options=Options(size=8, channels=3)).shape == (3, 8, 8)
    assert "crop none needs one size" in refusal(path, crop="none")


def test_rectangles_stay_and_scale(tmp_path):
    path = folder_of(tmp_path / "x", size=(24, 16))
    assert open_source(str(path)).shape == (1, 16, 24)
    assert open_source(str(path), options=Options(size=8, crop="none")).shape == (1, 8, 12)
    assert open_source(str(path), options=Options(size=8)).shape == (1, 8, 8)


def test_grey_among_colour_is_said(tmp_path):
    path = folder_of(tmp_path / "x")
    flat((1, 2, 3)).save(path / "red.png")
    source = open_source(str(path))
    assert source.shape[0] == 3 and "44 of 45 images are grey" in source.notes[0]


def test_other_files_and_hidden_ones_are_left_alone(tmp_path):
    path = folder_of(tmp_path / "x")
    for name in ("notes.txt", ".hidden.png", "._mac.png"):
        (path / name).write_text("no picture")
    assert len(open_source(str(path), "all")) == 44


def test_a_name_that_is_not_utf8_is_read_and_shown(tmp_path):
    path = labelled(tmp_path / "x")
    os.rename(path / "cat", os.fsencode(path) + b"/caf\xe9")
    source = open_source(str(path))
    assert source.class_names[0] == "caf\\xe9"
    with pytest.raises(WganError, match="not UTF-8"):
        absolute(os.fsdecode(os.fsencode(path) + b"/caf\xe9"))


# --- preparation ------------------------------------------------------------------------------------------------------


def test_a_second_opening_decodes_nothing(tmp_path, monkeypatch):
    path = folder_of(tmp_path / "x")
    first = everything(open_source(str(path)))
    monkeypatch.setattr(pictures, "decode", None)
    monkeypatch.setattr(pictures, "header", None)
    assert torch.equal(everything(open_source(str(path))), first)


def test_a_changed_file_or_option_is_prepared_anew(tmp_path):
    path = folder_of(tmp_path / "x")
    before = open_source(str(path))
    flat(255, mode="L").save(path / "000.png")
    os.utime(path / "000.png", ns=(1, 1))
    after = open_source(str(path), "all")
    assert before.fingerprint != after.fingerprint and 255 in everything(after)


def test_the_fingerprint_is_of_the_content_not_of_dates(tmp_path):
    a, b = (open_source(str(folder_of(tmp_path / n))).fingerprint for n in "ab")
    c = open_source(str(folder_of(tmp_path / "c", start=1))).fingerprint
    assert a == b != c and len(a) == 32


def test_an_interrupted_preparation_goes_on_where_it_was(tmp_path, monkeypatch):
    path = folder_of(tmp_path / "x", 60)
    whole = everything(open_source(str(path), "all"))
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(store, "COMMIT", 0.0)
    monkeypatch.setattr(pictures, "TOGETHER", 4)  # or the first of two jobs may be the one that dies
    seen = []
    original = pictures.decode

    def dying(file, frame):
        seen.append(1)
        if len(seen) == 45:
            raise KeyboardInterrupt
        return original(file, frame)

    monkeypatch.setattr(pictures, "decode", dying)
    with pytest.raises(KeyboardInterrupt):
        open_source(str(path))
    assert not list((tmp_path / "other").rglob("about.json"))
    seen.clear()
    seen += [1] * 100
    assert torch.equal(everything(open_source(str(path), "all")), whole)
    assert 0 < len(seen) - 100 < 60 - 7  # what was committed was not decoded again


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("x.bin", lambda raw: raw[:-1]),
        ("rows.npz", lambda raw: raw[:-1]),
        ("about.json", lambda raw: raw[:-1]),
        ("about.json", lambda raw: b"[" * 100_000),
    ],
)
def test_prepared_data_that_were_damaged_are_made_again(tmp_path, cache, name, damage):
    path = folder_of(tmp_path / "x")
    whole = everything(open_source(str(path)))
    (file,) = cache.rglob(name)
    file.write_bytes(damage(file.read_bytes()))
    assert torch.equal(everything(open_source(str(path))), whole)


def test_of_an_archive_no_more_is_in_memory_at_a_time_than_one_large_picture_needs(tmp_path, monkeypatch):
    """Six members of 8 MB where 10 MB may wait: the next is read when the one before is gone; reading takes 2.8 of them."""
    size = 1 << 23
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for i in range(6):
            packed.writestr(f"large{i}.png", bytes(size))
        for file in folder_of(tmp_path / "small").iterdir():
            packed.write(file, file.name)
    monkeypatch.setattr(pictures, "WAITING", 10_000_000)
    tracemalloc.start()
    try:
        assert "6 of 50 images" in refusal(tmp_path / "x.zip")
        assert size < tracemalloc.get_traced_memory()[1] < 3.3 * size
    finally:
        tracemalloc.stop()


def test_an_index_outside_is_refused(tmp_path):
    source = open_source(str(folder_of(tmp_path / "x")))
    for index in (-1, len(source)):
        with pytest.raises(IndexError):
            source.batch(torch.tensor([index]))


def test_every_picture_lands_in_its_own_row_whatever_the_order_of_work(tmp_path, monkeypatch):
    path = folder_of(tmp_path / "x", 101)
    (path / "050.png").write_bytes(b"zz")  # a row that is never written: the next must not take its place
    monkeypatch.setattr(pictures, "TOGETHER", 3)
    source = open_source(str(path), "all")
    assert sorted(everything(source)[:, 0, 0, 0].tolist()) == [i for i in range(101) if i != 50]
    (about,) = (p.parent for p in store.cache_home().rglob("about.json"))
    stored = np.fromfile(about / "x.bin", np.uint8).reshape(101, -1)[:, 0]
    assert [int(v) for i, v in enumerate(stored) if i != 50] == [i for i in range(101) if i != 50]


def test_a_few_unreadable_files_are_left_out_and_named(tmp_path):
    path = folder_of(tmp_path / "x", 200)
    (path / "007.png").write_bytes(b"")
    (path / "100.png").write_bytes((path / "100.png").read_bytes()[:50])
    source = open_source(str(path), "all")
    assert len(source) == 198 and not {7, 100} & set(everything(source)[:, 0, 0, 0].tolist())
    assert "2 of 200" in source.notes[0] and "007.png" in source.notes[0]


def test_three_of_two_hundred_unreadable_files_are_too_many(tmp_path):
    path = folder_of(tmp_path / "x", 200)
    for name in ("007.png", "100.png", "101.png"):
        (path / name).write_bytes(b"")
    assert "3 of 200 images" in refusal(path) and "more than 1 %" in refusal(path)


def cut_chunk(png):
    """A PNG whose pixels are longer than they say: Pillow calls that a syntax error when it decodes them."""
    return png[:36] + bytes([png[36] ^ 16]) + png[37:]


def test_a_picture_that_cannot_be_decoded_is_left_out_and_named(tmp_path):
    path = folder_of(tmp_path / "x", 200)
    (path / "007.png").write_bytes(cut_chunk((path / "007.png").read_bytes()))
    source = open_source(str(path), "all")
    assert len(source) == 199 and "007.png (it is damaged or cut short (SyntaxError))" in source.notes[0]


def test_a_damaged_member_of_an_archive_is_left_out_and_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for file in sorted(folder_of(tmp_path / "x", 200).iterdir()):
            packed.write(file, file.name)
        at = packed.getinfo("007.png").header_offset
    raw = bytearray((tmp_path / "x.zip").read_bytes())
    raw[at + 80] ^= 255
    (tmp_path / "x.zip").write_bytes(raw)
    source = open_source(str(tmp_path / "x.zip"), "all")
    assert len(source) == 199 and "007.png (it cannot be read (BadZipFile))" in source.notes[0]


def test_a_compressed_archive_that_is_damaged_is_refused(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("0.png")
        entry.size = 30_000
        tar.addfile(entry, io.BytesIO(np.random.default_rng(0).bytes(entry.size)))
    raw = bytearray(lzma.compress(packed.getvalue()))
    raw[10_000:20_000:40] = bytes(250)
    (tmp_path / "x.tar.xz").write_bytes(raw)
    assert "x.tar.xz is a damaged archive" in refusal(tmp_path / "x.tar.xz")
    (tmp_path / "y.tar.gz").write_bytes(gzip.compress(packed.getvalue())[:40])  # not even its beginning can be read
    assert "y.tar.gz" in refusal(tmp_path / "y.tar.gz")


# --- bad input: one sentence, nothing left behind -----------------------------------------------------------------------


def damaged(path):
    folder_of(path)
    (path / "001.png").write_bytes(b"zzz")


def beside_classes(path):
    labelled(path)
    flat(3).save(path / "stray.png")


def one_image(path):
    folder_of(path, 1)


BAD = [
    (lambda p: p.mkdir(), "holds no images", {}),
    (lambda p: (p.mkdir(), (p / "a.txt").write_text("x")), "1 other files", {}),
    (one_image, "has 1 sample: at least 40", {}),
    (damaged, "001.png (it is no picture, or damaged)", {}),
    (beside_classes, "1 of 49 images", {}),
    (lambda p: folder_of(p), "names the column of a table", {"labels": "colour"}),
    (lambda p: p.write_bytes(b""), "is empty", {}),
    (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(99)), "of no kind that --data takes", {}),
    (lambda p: None, "no file or folder", {}),
]


@pytest.mark.parametrize(("make", "said", "options"), BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, cache, make, said, options):
    path = tmp_path / "bad"
    make(path)
    assert said in refusal(path, **options)
    assert files_in(cache) == []


def test_a_damaged_zip_is_one_sentence(tmp_path):
    path = pack_zip(folder_of(tmp_path / "x"), tmp_path / "x.zip")
    data = path.read_bytes()
    path.write_bytes(data[:400] + bytes(200) + data[600:])
    assert "x.zip" in refusal(path) or "cannot be read" in refusal(path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, cache, monkeypatch):
    path = folder_of(tmp_path / "x")
    original = pictures.decode

    def change(file, frame):
        flat((1, 2, 3), (99, 99)).save(path / "009.png")
        return original(file, frame)

    monkeypatch.setattr(pictures, "decode", change)
    assert "changed while it was read (009.png)" in refusal(path)
    assert files_in(cache) == []


def test_data_larger_than_the_disk_are_refused_before_anything_is_written(tmp_path, cache, monkeypatch):
    path = folder_of(tmp_path / "x")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100})())
    assert "give a smaller --size, or set WGAN_CACHE" in refusal(path)
    assert files_in(cache) == []


def test_a_cache_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "file"))
    assert "WGAN_CACHE" in refusal(folder_of(tmp_path / "x"))


def test_bundled_data_take_no_such_options():
    assert "bundled" in refusal("mnist", size=32)


@pytest.mark.parametrize("spec", ["./x", "a/b", "~/x", "x.csv", "hf:name", "given:12"])
def test_what_is_a_path(spec):
    assert is_own(spec)


@pytest.mark.parametrize("spec", ["mnist", "mnits", "ring:pacgan", "", "mnist:0-4"])
def test_what_is_a_name(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_own(spec) and absolute(spec) == spec


def test_a_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("./x/../y.csv") == str(Path(tmp_path).resolve() / "y.csv")


def test_options_come_from_the_config():
    from wgan.config import Config

    config = Config(size=32, crop="fit", channels=3, labels="none")
    assert data_options(config) == Options(32, "fit", 3, "none")
