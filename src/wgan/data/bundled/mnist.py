"""MNIST as bundled with the package (whole or some classes), and stacked MNIST, its 1000-mode test of coverage."""

from __future__ import annotations

import hashlib
import math
import re
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor

from wgan.data.idx import inflate, read_idx
from wgan.data.source import Source, parts, rows, sample_stream
from wgan.errors import WganError


class File(NamedTuple):
    """One bundled IDX file: its name, and the shape and md5 (of the decompressed bytes) it must have."""

    name: str
    shape: tuple[int, ...]
    md5: str


IMAGES = {
    "train": File("train-images-idx3-ubyte.gz", (60000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    "test": File("t10k-images-idx3-ubyte.gz", (10000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
}
LABELS = {
    "train": File("train-labels-idx1-ubyte.gz", (60000,), "a25bea736e30d166cdddb491f175f624"),
    "test": File("t10k-labels-idx1-ubyte.gz", (10000,), "27ae3e4e09519cfbb04c329615203637"),
}
DIGITS = tuple(range(10))
STACKED_SIZES = {"train": 128_000, "test": 26_000}  # 26,000: the sample the literature counts modes in


def open_mnist(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open MNIST, images uint8 [1, 28, 28], or the classes in `argument` such as 5, 0-4 or 0,3,7.

    Labels are renumbered 0..k-1 in ascending order of the digits. One class alone is unlabelled: a condition that
    never varies teaches a network nothing. MNIST is fixed, so `seed` changes nothing.
    Raises WganError for a wrong selection or a damaged file.
    """
    chosen = select_digits(argument) if argument else DIGITS
    images, labels = load_mnist(split)
    if chosen != DIGITS:
        images, labels = _keep(images, labels, chosen)
    single = len(chosen) == 1
    return Source(
        name=spec,
        split=split,
        shape=(1, 28, 28),
        size=len(images),
        gather=rows(images),
        labels=None if single else labels,
        classes=0 if single else len(chosen),
        class_names=tuple(map(str, chosen)),
        recipe="mnist",
        reader="lenet-mnist",
        mode_tests=("stacked-mnist",),
    )


def open_stacked(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open stacked MNIST, uint8 [3, 28, 28]: three random digits as red, green and blue, mode 100a + 10b + c.

    Drawn from `seed`, or from the number in `argument`; images are put together in each batch, never stored.
    Raises WganError when `argument` is not a seed.
    """
    if argument and not re.fullmatch("[0-9]{1,18}", argument):
        raise WganError(f"{spec[:40]}: '{argument[:40]}' is not a seed, write a whole number such as stacked-mnist:7")
    images, labels = load_mnist(split)
    triples = _triples(split, int(argument or seed))
    digits = labels[triples]  # [N, 3]

    def gather(indices: Tensor) -> Tensor:
        chosen = triples.index_select(0, indices).flatten()  # [3B]
        return images.index_select(0, chosen).view(-1, 3, 28, 28)

    return Source(
        name=spec,
        split=split,
        shape=(3, 28, 28),
        size=len(triples),
        gather=gather,
        mode_count=1000,
        mode_index=digits @ torch.tensor([100, 10, 1]),
        recipe="stacked-mnist",
        reader="lenet-mnist by channel",
        mode_tests=("stacked-mnist",),
    )


def load_mnist(split: str) -> tuple[Tensor, Tensor]:
    """Return images uint8 [N, 1, 28, 28] and labels int64 [N]; reads only the files of `split`."""
    images = [load_file(IMAGES[part]).unsqueeze(1) for part in parts(split)]
    labels = [load_file(LABELS[part]).long() for part in parts(split)]
    if len(images) == 1:
        return images[0], labels[0]  # not through cat: it would copy
    return torch.cat(images), torch.cat(labels)


def load_file(file: File) -> Tensor:
    """Return one bundled file as uint8 of its shape; WganError when its bytes are not the published ones."""
    header = 4 + 4 * len(file.shape)
    data = inflate(read_packed(file.name), header + math.prod(file.shape), file.name)
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != file.md5:
        raise WganError(f"{file.name} is damaged: its md5 is not {file.md5}, install wgan again")
    return torch.from_numpy(read_idx(data, file.name))


def read_packed(name: str) -> bytes:
    """Return the compressed bytes of one bundled file; WganError when the installation lacks it."""
    try:
        return resources.files("wgan.data").joinpath("mnist", name).read_bytes()
    except OSError as error:
        raise WganError(f"cannot read the bundled {name}: {error.strerror}, install wgan again") from None


def select_digits(argument: str, name: str = "mnist") -> tuple[int, ...]:
    """Return the digits in '5', '0-4', '0,3,7' or '0-2,7', ascending, each once; WganError for anything else."""
    chosen: set[int] = set()
    for part in argument.split(","):
        match = re.fullmatch("([0-9])(?:-([0-9]))?", part)
        if match is None:
            raise WganError(f"{name}:{argument}: '{part}' is neither a digit 0 to 9 nor a range such as 0-4")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise WganError(f"{name}:{argument}: the range '{part}' runs backwards, write {last}-{first}")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def _keep(images: Tensor, labels: Tensor, chosen: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the images and renumbered labels of the `chosen` digits, in their stored order."""
    number = torch.full((10,), -1)
    number[list(chosen)] = torch.arange(len(chosen))
    renumbered = number[labels]
    kept = renumbered >= 0
    return images[kept], renumbered[kept]


def _triples(split: str, seed: int) -> Tensor:
    """Draw int64 [N, 3] positions in load_mnist(split); 'all' is the train draw, then the test draw."""
    drawn, start = [], 0
    for part in parts(split):
        count = IMAGES[part].shape[0]
        positions = sample_stream(seed, "stacked-mnist", part).integers(count, size=(STACKED_SIZES[part], 3))
        drawn.append(torch.from_numpy(positions) + start)
        start += count
    return torch.cat(drawn)
