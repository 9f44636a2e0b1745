"""Fashion-MNIST by name, from where the system's package or the user has put its four IDX files."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from wgan.config import ReadingOptions
from wgan.data.own.open import open_own
from wgan.data.source import Source
from wgan.errors import WganError

CLASSES = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
PLACE = "/usr/share/datasets"  # of Debian's dataset-fashion-mnist
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def open_fashion(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open Fashion-MNIST (Xiao 2017), images uint8 [1, 28, 28] in 10 named classes; it is fixed, so `seed` changes nothing.

    It lies in the folder fashion-mnist within WGAN_DATA, or else where Debian's package puts it.
    Raises WganError when it is not there, and for an argument: it has no parts by name.
    """
    if argument:
        raise WganError(f"data '{spec}': fashion takes no argument, write fashion")
    folder = Path(os.environ.get("WGAN_DATA", PLACE)) / "fashion-mnist"
    missing = [name for name in FILES if not any((folder / (name + end)).is_file() for end in ("", ".gz"))]
    if missing:
        raise WganError(
            f"Fashion-MNIST is not on this machine ({folder} lacks {missing[0]}): install Debian's dataset-fashion-mnist, set "
            "WGAN_DATA to the folder that holds fashion-mnist, or give your copy by --data FOLDER"
        )
    source = open_own(str(folder), split, ReadingOptions())
    return dataclasses.replace(source, name=spec, class_names=CLASSES, recipe="fashion")
