"""A user's own data in tests: folders and archives of pictures, tables, and how they are refused."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.errors import WganError


def flat(value, size=(16, 16), mode="RGB"):
    """A picture of one colour."""
    return Image.new(mode, size, value)


def folder_of(path, count=44, size=(16, 16), start=0):
    """`count` grey PNGs; the i-th is of brightness start + i, but for its last pixel, which is white or black."""
    path.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture = Image.new("L", size, start + i)
        picture.putpixel(
            (size[0] - 1, size[1] - 1), 255 * (start + i < 128)
        )  # the set uses its range: nothing is stretched
        picture.save(path / f"{i:03d}.png")
    return path


def refusal(spec, split="train", **options):
    """Return the one sentence with which data are refused; fail when they are not."""
    with pytest.raises(WganError) as caught:
        open_source(str(spec), split, options=ReadingOptions(**options))
    text = str(caught.value)
    assert "\n" not in text and len(text) < 500 and "Traceback" not in text
    return text


def files_in(folder):
    """Return the names of every file below a folder but locks, in order."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


def labelled(path):
    """A folder of three classes: 48 pictures, all of them different."""
    for i, name in enumerate(("cat", "dog", "eel")):
        folder_of(path / name, 16, start=60 * i)
    return path


def pack_zip(folder, path, pattern="*.png"):
    """A zip of a folder of PNGs, or of the files of another pattern."""
    with zipfile.ZipFile(path, "w") as packed:
        for p in sorted(folder.rglob(pattern)):
            packed.write(p, p.relative_to(folder.parent))
    return path


N = 60  # samples of every array and table


def rows():
    """[N, 4]: whole numbers, prices, tiny numbers, a constant."""
    rng = np.random.default_rng(1)
    return [
        [int(rng.integers(-5, 90)), f"{rng.normal(100, 30):.2f}", f"{rng.normal():.3e}", 7, "red" if i % 2 else "blue"]
        for i in range(N)
    ]


NAMES = ["age", "price", "tiny", "always", "colour"]


def table(path, lines, names=NAMES, delimiter=","):
    """Write a CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([names, *lines] if names else lines)
    return path
