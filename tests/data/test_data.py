"""Data: the bundled digits are the published ones, selections and stacks agree with them, toys hold to their truth."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.problems import everything

from wgan.data import SOURCES, Source, open_source
from wgan.data.bundled import mnist as digits
from wgan.data.bundled import toys
from wgan.data.idx import inflate, read_idx
from wgan.errors import WganError

# Counts of each digit: published with the data set, and counted again from the label files.
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def idx_bytes(array: np.ndarray, code: int) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


DIGIT = idx_bytes(np.zeros((2, 28, 28), "u1"), 0x08)


# --- MNIST ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*digits.IMAGES.values(), *digits.LABELS.values()], ids=lambda f: f.name)
def test_bundled_files_are_the_published_ones(file: digits.File) -> None:
    published = {
        "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
    }
    data = gzip.decompress(digits.read_packed(file.name))
    assert hashlib.md5(data, usedforsecurity=False).hexdigest() == file.md5 == published[file.name]


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ("train", TRAIN_COUNTS),
        ("test", TEST_COUNTS),
        ("all", [a + b for a, b in zip(TRAIN_COUNTS, TEST_COUNTS, strict=True)]),
    ],
)
def test_mnist_split(mnist: dict[str, Source], split: str, counts: list[int]) -> None:
    source = mnist[split]
    assert (len(source), source.shape, source.classes, source.is_image) == (sum(counts), (1, 28, 28), 10, True)
    assert (source.name, source.split, source.class_names) == ("mnist", split, tuple("0123456789"))
    assert source.labels is not None and torch.bincount(source.labels).tolist() == counts
    x, y = source.batch(torch.tensor([3, 0, 3]))
    assert x.shape == (3, 1, 28, 28) and x.dtype == torch.uint8 and torch.equal(x[0], x[2])
    assert y is not None and y.dtype == torch.int64 and torch.equal(y, source.labels[[3, 0, 3]])


def test_first_labels_are_the_well_known_ones(mnist: dict[str, Source]) -> None:
    first = torch.arange(5)
    assert mnist["train"].batch(first)[1].tolist() == [5, 0, 4, 1, 9]  # type: ignore[union-attr]
    assert mnist["test"].batch(first)[1].tolist() == [7, 2, 1, 0, 4]  # type: ignore[union-attr]


def test_all_is_train_then_test_and_they_share_no_image(mnist: dict[str, Source]) -> None:
    train, test, both = (everything(mnist[split]) for split in ("train", "test", "all"))
    assert torch.equal(both[:60000], train) and torch.equal(both[60000:], test)
    known = {image.tobytes() for image in train.numpy()}
    assert not any(image.tobytes() in known for image in test.numpy())


def test_a_split_reads_only_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    read, original = [], digits.read_packed
    monkeypatch.setattr(digits, "read_packed", lambda name: read.append(name) or original(name))
    open_source("mnist", "test")
    assert sorted(read) == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def test_tensors_lie_on_writable_memory() -> None:
    """On read-only memory torch warns, once in a process, so the flag is the sure sign."""
    for data in (inflate(gzip.compress(DIGIT), len(DIGIT), "x"), gzip.compress(DIGIT)):
        assert read_idx(data).flags.writeable


def test_a_batch_is_a_copy(mnist: dict[str, Source]) -> None:
    index = torch.tensor([7])
    before = mnist["test"].batch(index)[0].clone()
    mnist["test"].batch(index)[0].zero_()
    assert torch.equal(mnist["test"].batch(index)[0], before)


@pytest.mark.parametrize("index", [-1, 10000])
def test_an_index_outside_is_refused(mnist: dict[str, Source], index: int) -> None:
    with pytest.raises((IndexError, RuntimeError)):
        mnist["test"].batch(torch.tensor([index]))


@pytest.mark.parametrize(
    ("argument", "chosen"),
    [
        ("0-4", [0, 1, 2, 3, 4]),
        ("0,3,7", [0, 3, 7]),
        ("7,0-2", [0, 1, 2, 7]),
        ("3-3,4", [3, 4]),
        ("1,1-2", [1, 2]),
        ("0-9", list(range(10))),
    ],
)
def test_class_selection(mnist: dict[str, Source], argument: str, chosen: list[int]) -> None:
    source, whole = open_source(f"mnist:{argument}", "test"), mnist["test"]
    assert source.name == f"mnist:{argument}"
    assert source.classes == len(chosen) and source.class_names == tuple(map(str, chosen))
    assert source.labels is not None and whole.labels is not None
    assert torch.bincount(source.labels).tolist() == [TEST_COUNTS[digit] for digit in chosen]
    for label, digit in enumerate(chosen):
        found = everything(source)[source.labels == label]
        assert torch.equal(found, everything(whole)[whole.labels == digit])


def test_one_class_is_unlabelled(mnist: dict[str, Source]) -> None:
    source = open_source("mnist:5")
    assert (len(source), source.classes, source.class_names, source.labels) == (5421, 0, ("5",), None)
    assert source.batch(torch.arange(3))[1] is None
    assert torch.equal(everything(source), everything(mnist["train"])[mnist["train"].labels == 5])


# --- specs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mnsit", "unknown data 'mnsit': did you mean mnist"),
        ("", "unknown data ''"),
        (":5", "unknown data ''"),
        ("mnist:", "ends with ':'"),
        ("mnist:12", "'12' is neither a digit"),
        ("mnist:x", "'x' is neither"),
        ("mnist:0,,3", "'' is neither"),
        ("mnist:0-12", "'0-12' is neither"),
        ("mnist:-1", "'-1' is neither"),
        ("mnist:٣", "'٣' is neither"),  # a digit to int(), not to us
        ("mnist:5-2", "runs backwards, write 2-5"),
        ("stacked-mnist:x", "'x' is not a seed"),
        ("stacked-mnist:-1", "'-1' is not a seed"),
        ("stacked-mnist:" + "9" * 5000, "is not a seed"),
        ("ring:gulrajan", "unknown scaling of ring 'gulrajan': did you mean gulrajani"),
        ("grid:x", "choose from gulrajani, pacgan"),
        ("swissroll:pacgan", "choose from gulrajani"),
    ],
)
def test_a_wrong_spec_is_one_sentence(spec: str, message: str) -> None:
    with pytest.raises(WganError) as caught:
        open_source(spec)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_split_and_seed() -> None:
    with pytest.raises(WganError, match="unknown split 'tets': did you mean test"):
        open_source("mnist", "tets")
    with pytest.raises(WganError, match="data seed must be 0 or more"):
        open_source("ring", seed=-1)


def test_every_name_opens_and_keeps_its_spec(fashion: Path) -> None:
    other_toys = ["ar2", "sines", "gaussian", "calorimeter", "strokes", "blobs"]
    assert [*SOURCES] == [
        "mnist",
        "stacked-mnist",
        "fashion",
        "ring",
        "grid",
        "swissroll",
        *other_toys,
    ]
    for name in SOURCES:
        source = open_source(name, "test")
        assert (source.name, source.split) == (name, "test")
        assert source.batch(torch.tensor([len(source) - 1]))[0].shape == (1, *source.shape)
        assert len(repr(source)) < 500  # no tensor of a million numbers in a message


def test_both_sizes_of_toys_divide_evenly() -> None:
    assert toys.SIZE % 8 == toys.SIZE % 25 == 0


# --- IDX -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "stored"), [(0x08, "u1"), (0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_round_trip(tmp_path: Path, code: int, stored: str, packed: bool) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(stored)
    data = idx_bytes(array, code)
    path = tmp_path / "values"
    path.write_bytes(gzip.compress(data) if packed else data)
    for found in (read_idx(path), read_idx(str(path)), read_idx(path.read_bytes())):
        assert found.dtype == array.dtype.newbyteorder("=") and found.dtype.isnative
        np.testing.assert_array_equal(found, array)


HUGE = struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)


BROKEN = [
    (b"", "is truncated"),
    (DIGIT[:3], "is truncated"),
    (DIGIT[:10], "IDX header needs 16 bytes, it holds 10"),
    (DIGIT[:-1], "is truncated: its shape 2x28x28 needs 1568 bytes of values, it holds 1567"),
    (DIGIT + b"\0", "is too long"),
    (b"PK\3\4" + DIGIT, "is not IDX: it starts with 504b0304"),
    (b"\0\0\7\3" + DIGIT[4:], "is not IDX"),
    (b"\0\0\x08\0", "is not IDX"),
    (b"\0\0\x08\xff" + bytes(4 * 255), "is not IDX"),
    (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 0), "is empty"),
    (HUGE + bytes(100), "is truncated: its shape 4294967295x4294967295x4294967295 needs"),
    (gzip.compress(HUGE + bytes(100)), "bytes of gzip cannot hold its shape"),
    (gzip.compress(DIGIT[:-1]), "is truncated: it should decompress to 1584 bytes and holds 1583"),
    (gzip.compress(DIGIT)[:-9], "is truncated"),
    (gzip.compress(DIGIT + bytes(10_000_000)), "is too long"),
    (gzip.compress(DIGIT) + gzip.compress(DIGIT), "is too long"),
    (b"\x1f\x8b" + bytes(50), "is damaged"),
    (gzip.compress(DIGIT)[:-8] + bytes(8), "is damaged"),  # a wrong checksum
]


@pytest.mark.parametrize(("data", "message"), BROKEN, ids=range(len(BROKEN)))  # gzip data would make ids of the hour
def test_broken_idx_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(WganError) as caught:
        read_idx(data, "digits.idx")
    assert message in str(caught.value) and str(caught.value).startswith("digits.idx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WganError, match=r"cannot read .*absent: No such file"):
        read_idx(tmp_path / "absent")


def test_inflating_stops_at_the_expected_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb of 50 MB in 50 KB must be refused after size + 1 bytes, not after all of them."""
    asked: list[int] = []
    bomb = gzip.compress(bytes(50_000_000))
    real = zlib.decompressobj

    class Recorder:
        def __init__(self, wbits: int) -> None:
            self.inner = real(wbits=wbits)

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def decompress(self, data: bytes, limit: int = 0) -> bytes:
            out = self.inner.decompress(data, limit)
            asked.append(len(out))
            return out

    monkeypatch.setattr(zlib, "decompressobj", Recorder)
    with pytest.raises(WganError, match="too long"):
        inflate(bomb, 1000, "bomb")
    assert asked == [1001]


# --- tampering -----------------------------------------------------------------------------------------------------


def changed_pixel(packed: bytes) -> bytes:
    data = bytearray(gzip.decompress(packed))
    data[5000] ^= 1
    return gzip.compress(bytes(data), 1)


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (changed_pixel, "its md5 is not"),
        (lambda packed: packed[:-100], "truncated"),
        (lambda packed: gzip.compress(gzip.decompress(packed) + b"\0", 1), "too long"),
        (lambda packed: b"not gzip", "does not decompress"),
    ],
)
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_a_tampered_file_is_refused(monkeypatch: pytest.MonkeyPatch, tamper, message: str, name: str) -> None:
    original = digits.read_packed
    monkeypatch.setattr(digits, "read_packed", lambda n: tamper(original(n)) if n == name else original(n))
    with pytest.raises(WganError, match=message) as caught:
        open_source("mnist", "test")
    assert str(caught.value).startswith(name)


def test_a_lacking_file_is_named() -> None:
    with pytest.raises(WganError, match="cannot read the bundled absent"):
        digits.read_packed("absent.gz")
