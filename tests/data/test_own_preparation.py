"""A user's own images are prepared once: kept, checked, made again when they change, and skipped or refused by name."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from helpers.own_data import flat, folder_of, refusal
from helpers.problems import everything

from wgan.data import open_source
from wgan.data.own import cache as store
from wgan.data.own import image_folder, survey, workers
from wgan.files import cache_home

pytestmark = pytest.mark.usefixtures("cache")


def test_a_second_opening_decodes_nothing(tmp_path, monkeypatch):
    path = folder_of(tmp_path / "x")
    first = everything(open_source(str(path)))
    monkeypatch.setattr(image_folder, "decode", None)
    monkeypatch.setattr(survey, "header", None)
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
    monkeypatch.setattr(workers, "TOGETHER", 4)  # or the first of two jobs may be the one that dies
    seen = []
    original = image_folder.decode

    def dying(file, frame, scales):
        seen.append(1)
        if len(seen) == 45:
            raise KeyboardInterrupt
        return original(file, frame, scales)

    monkeypatch.setattr(image_folder, "decode", dying)
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


def test_an_archive_is_read_one_large_image_at_a_time(tmp_path, monkeypatch):
    """Six members of 8 MB where 10 MB may wait: the next is read when the one before is gone; reading takes 2.8 of them."""
    size = 1 << 23
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for i in range(6):
            packed.writestr(f"large{i}.png", bytes(size))
        for file in folder_of(tmp_path / "small").iterdir():
            packed.write(file, file.name)
    monkeypatch.setattr(workers, "WAITING", 10_000_000)
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


def test_every_image_lands_in_its_row_in_any_order_of_work(tmp_path, monkeypatch):
    path = folder_of(tmp_path / "x", 101)
    (path / "050.png").write_bytes(b"zz")  # a row that is never written: the next must not take its place
    monkeypatch.setattr(workers, "TOGETHER", 3)
    source = open_source(str(path), "all")
    assert sorted(everything(source)[:, 0, 0, 0].tolist()) == [i for i in range(101) if i != 50]
    (about,) = (p.parent for p in cache_home().rglob("about.json"))
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
