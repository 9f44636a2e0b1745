"""IDX files as MNIST has them: images, the labels that lie next to them under the matching name, and the part for testing."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from wgan.data.idx import read_idx
from wgan.data.own.archives import shown
from wgan.data.own.arrays import Arrays
from wgan.data.own.named_arrays import joined
from wgan.errors import WganError

IDX = re.compile(r"(?P<part>.*?)[-.]?images?[-.]idx3[-.]ubyte(\.gz)?", re.IGNORECASE)


def find_idx(folder: Path) -> list[Path]:
    """Return the image files of IDX data in a folder, training first."""
    files = sorted(p for p in folder.iterdir() if IDX.fullmatch(p.name) and p.is_file())
    unique = {p.name.removesuffix(".gz"): p for p in reversed(files)}  # a plain file before its .gz
    return sorted(unique.values(), key=lambda p: (is_test(p), p.name))


def is_test(path: Path) -> bool:
    """Return whether an IDX file is for testing, by its name (t10k, test)."""
    return bool(re.search("t10k|test", path.name, re.IGNORECASE))


def read_idx_folder(folder: Path) -> Arrays:
    """Read the IDX files of a folder: one pair of images and labels, or a training and a test pair."""
    files = find_idx(folder)
    train, test = [p for p in files if not is_test(p)], [p for p in files if is_test(p)]
    if len(train) > 1 or len(test) > 1:
        several = train if len(train) > 1 else test
        raise WganError(
            f"{shown(folder)} holds several IDX data sets ({', '.join(shown(p.name) for p in several)}): give one file"
        )
    parts = [read_idx_pair(p) for p in (*train, *test)]
    return parts[0] if len(parts) == 1 else joined({"train": parts[0], "test": parts[1]}, shown(folder))


def read_idx_pair(path: Path) -> Arrays:
    """Read one IDX file of images and the labels that lie next to it under the matching name."""
    values = read_idx(path, shown(path))
    beside = labels_beside(path)
    return Arrays(values, None if beside is None else read_idx(beside, shown(beside)))


def labels_beside(path: Path) -> Path | None:
    """Return the labels file of train-images-idx3-ubyte(.gz): train-labels-idx1-ubyte, plain or gzip, or None."""
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("image", "label").replace("idx3", "idx1")
    options = [path.with_name(name), path.with_name(name + ".gz")]
    return next((p for p in options if p.is_file() and p != path), None)


def looks_like_idx(path: Path) -> bool:
    """Return whether a file begins as IDX data do, plain or in gzip."""
    import gzip

    try:
        with open(path, "rb") as file:
            head = file.read(4)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                head = packed.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in range(8, 15) and head[3] > 0
