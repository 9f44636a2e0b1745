"""Hostile data of a user's own: every kind of file works or is refused in one sentence, in bounded time and memory."""

from __future__ import annotations

import functools
import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fuzzing import Bench
from helpers.hostile import CLAIMS, HEADERS, SHAPES, cases, hostile_npz, mutations
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.evaluation.samples import read_arrays


@functools.lru_cache
def valid_npz() -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, images=np.zeros((5, 8, 8), np.uint8), labels=np.arange(5))
    return packed.getvalue()


@cases(30, 2500)
def test_arrays_of_samples(data: st.DataObject, bench: Bench, ring: Path) -> None:
    path = bench.fresh() / data.draw(st.sampled_from(["x.npz", "x.npy"]))
    path.write_bytes(data.draw(mutations(valid_npz()) | SHAPES | st.sampled_from(hostile_npz())))
    bench.judge(lambda: {name: array.shape for name, array in read_arrays(path).items()})


@functools.lru_cache
def valid_image(kind: str) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(packed, kind)
    return packed.getvalue()


@cases(15, 700)
def test_images_of_a_folder(data: st.DataObject, bench: Bench, ring: Path, monkeypatch: Any = None) -> None:
    folder = bench.fresh() / "images"
    folder.mkdir()
    for i in range(40):  # as many as training needs
        (folder / f"good{i}.png").write_bytes(valid_image("PNG"))
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "BMP", "GIF"]))
    (folder / f"bad.{kind.lower()}").write_bytes(data.draw(mutations(valid_image(kind)) | st.just(big_png())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WGAN_CACHE", str(bench.inside / "cache"))
        patch.setenv("XDG_CACHE_HOME", str(bench.inside / "cache"))
        bench.judge(lambda: len(open_source(str(folder), "train")))


@functools.lru_cache
def big_png() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in its header."""
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@functools.lru_cache
def own_file(kind: str) -> bytes:
    """A valid file of 40 samples of each kind of data that a user may bring."""
    images, labels = np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8), np.arange(40) % 2
    packed = io.BytesIO()
    if kind == "npy":
        np.save(packed, images)
    elif kind == "npz":
        np.savez(packed, images=images, labels=labels)
    elif kind == "csv":
        return b"a,b,kind\n" + b"".join(b"%d,%d.5,x\n" % (i, i % 7) for i in range(40))
    elif kind == "ts":
        rows = [",".join(str((i * t) % 9) for t in range(8)) + f":{i % 2}\n" for i in range(40)]
        return b"@timeStamps false\n@classLabel true 0 1\n@data\n" + "".join(rows).encode()
    elif kind == "safetensors":
        return save({"images": torch.from_numpy(images), "labels": torch.from_numpy(labels)})
    elif kind == "idx3-ubyte":
        return struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes()
    elif kind == "idx3-ubyte.gz":
        return gzip.compress(own_file("idx3-ubyte"), mtime=0)
    elif kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(40):
                archive.writestr(f"class{i % 2}/{i}.png", valid_image("PNG"))
    else:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for i in range(40):
                entry = tarfile.TarInfo(f"class{i % 2}/{i}.png")
                entry.size = len(valid_image("PNG"))
                tar.addfile(entry, io.BytesIO(valid_image("PNG")))
    return packed.getvalue()


@functools.lru_cache
def hostile_archive(kind: str) -> bytes:
    """A zip or tar of pictures with names that lead elsewhere, links out of it, and a picture that unpacks to 256 MiB."""
    packed = io.BytesIO()
    names = ["../../outside/evil.png", "/tmp/evil.png", "a/../../evil.png", "\\evil.png", "x" * 300 + ".png"]
    if kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in [*names, *(f"{i}.png" for i in range(500))]:
                archive.writestr(name, valid_image("PNG"))
            with archive.open("bomb.png", "w") as entry:
                for _ in range(16):
                    entry.write(bytes(1 << 24))
    else:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name in [*names, *(f"{i}.png" for i in range(500))]:
                entry = tarfile.TarInfo(name)
                entry.size = len(valid_image("PNG"))
                tar.addfile(entry, io.BytesIO(valid_image("PNG")))
            for name, target in (("link.png", "/etc/passwd"), ("up.png", "../../outside/mine.txt")):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)
    return packed.getvalue()


KINDS = ["npy", "npz", "csv", "ts", "safetensors", "idx3-ubyte", "idx3-ubyte.gz", "zip", "tar"]


@cases(24, 1200)
def test_own_files(data: st.DataObject, bench: Bench, ring: Path) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    ways = mutations(own_file(kind))
    if kind in ("npy", "npz"):
        ways |= SHAPES | st.sampled_from(hostile_npz())
    if kind == "safetensors":
        ways |= CLAIMS | HEADERS
    if kind in ("zip", "tar"):
        ways |= st.just(hostile_archive(kind))
    path = bench.fresh() / (f"train-images-{kind}" if "idx" in kind else f"own.{kind}")
    path.write_bytes(data.draw(ways))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WGAN_CACHE", str(bench.inside / "cache"))
        bench.judge(lambda: open_source(str(path), "train").batch(torch.arange(2)))


@pytest.mark.parametrize("kind", KINDS)
def test_valid_files_and_harmless_members_are_read(kind: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harmless members of an otherwise hostile archive."""
    path = bench.fresh() / (f"train-images-{kind}" if "idx" in kind else f"own.{kind}")
    monkeypatch.setenv("WGAN_CACHE", str(bench.inside / "cache"))
    path.write_bytes(own_file(kind))
    bench.judge(lambda: open_source(str(path), "train").batch(torch.arange(2)))
    assert bench.counts["worked"]
    if kind in ("zip", "tar"):
        path.write_bytes(hostile_archive(kind))
        before = bench.counts["worked"]
        unlabelled = ReadingOptions(labels="none")
        bench.judge(lambda: open_source(str(path), "train", options=unlabelled).batch(torch.arange(2)))
        assert bench.counts["worked"] == before + 1


@pytest.mark.slow
def test_many_pictures_that_unpack_to_gigabytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGAN_CACHE", str(bench.fresh() / "cache"))
    folder, wide = bench.inside / "folder", io.BytesIO()
    folder.mkdir()
    Image.new("RGB", (9_999, 10_000)).save(wide, "PNG", compress_level=1)
    for i in range(40):
        (folder / f"{i}.png").write_bytes(valid_image("PNG") if i > 7 else wide.getvalue())
    bench.judge_bombs(lambda: open_source(str(folder), "train"))
    with zipfile.ZipFile(bench.inside / "own.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i in range(10):
            with archive.open(f"bomb{i}.png", "w") as entry:
                for _ in range(15):
                    entry.write(bytes(1 << 24))
        for i in range(990):
            archive.writestr(f"{i}.png", valid_image("PNG"))
    bench.judge_bombs(lambda: open_source(str(bench.inside / "own.zip"), "train"))
