"""Arrays on disk (.npy, .npz, safetensors, IDX) as `Arrays`: samples, labels beside them, and what is for testing."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.idx import read_idx
from wgan.data.own.archives import shown
from wgan.errors import WganError

ROOM = 1 << 30  # bytes that any packed file may unpack to
MAPPED = 1 << 28  # bytes: a smaller array is read whole, for a mapped file that is cut short meanwhile ends the process
SAMPLE_NAMES = ("images", "samples", "image", "x", "X", "data", "arr_0")
LABEL_NAMES = ("labels", "label", "y", "Y", "target", "targets", "classes", "arr_1")
TRAIN_NAMES, TEST_NAMES = ("x_train", "X_train", "train_images"), ("x_test", "X_test", "test_images")
TRAIN_LABELS, TEST_LABELS = ("y_train", "Y_train", "train_labels"), ("y_test", "Y_test", "test_labels")
IDX = re.compile(r"(?P<part>.*?)[-.]?images?[-.]idx3[-.]ubyte(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Arrays:
    """Samples [N, ...] as stored, labels [N] of any type or None, and which of them are for testing (or None)."""

    values: NDArray[Any]
    labels: NDArray[Any] | None
    held_out: NDArray[np.bool_] | None = None
    names: tuple[str, ...] = ()  # of columns
    kinds: tuple[str, ...] = ()  # dtype of each column; empty = that of `values`
    decimals: tuple[int, ...] = ()
    label: str = ""  # column that held the labels
    label_at: int = -1
    notes: tuple[str, ...] = ()  # what was left out, and how the rest was read


def read_file(path: Path) -> Arrays:
    """Read an array file by its ending; WganError for one that is damaged, pickled or holds no samples."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".npz":
        return from_mapping(read_npz(path), shown(path))
    if suffix == ".safetensors":
        return from_mapping(read_safetensors(path), shown(path))
    return read_idx_pair(path)


def read_npy(path: Path) -> Arrays:
    """Read NAME.npy, with labels from NAME.labels.npy, NAME_labels.npy or labels.npy beside it."""
    values = load_npy(path)
    stem = path.name[: -len(".npy")]
    beside = [path.with_name(n) for n in (f"{stem}.labels.npy", f"{stem}_labels.npy", "labels.npy")]
    found = next((p for p in beside if p.is_file() and p != path), None)
    return Arrays(values, None if found is None else load_npy(found))


SPEAKING = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npy(path: Path) -> NDArray[Any]:
    """Return the array of a .npy file, mapped into memory where it is large; WganError for a damaged or pickled one."""
    try:
        array = np.load(path, mmap_mode="r" if path.stat().st_size > MAPPED else None, allow_pickle=False)
    except SPEAKING as error:
        raise WganError(f"{shown(path)} cannot be read as an array: {plain(error)}") from None
    except Exception:  # NumPy lets Python's own parser read a header, which has many ways to fail
        raise WganError(f"{shown(path)} cannot be read as an array: it is damaged") from None
    if not isinstance(array, np.ndarray):  # NumPy goes by the first bytes, not by the name
        raise WganError(f"{shown(path)} is not an array but an .npz: call it so")
    return array


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz; WganError for a damaged or pickled one, or one that unpacks to far too much."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > max(ROOM, 200 * path.stat().st_size):  # a thousandfold is what zeros give, and a bomb
            raise WganError(f"{shown(path)} would unpack to {size:,} bytes, far more than samples do: nothing is read")
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except WganError:
        raise
    except SPEAKING as error:
        raise WganError(f"{shown(path)} cannot be read as arrays: {plain(error)}") from None
    except Exception:
        raise WganError(f"{shown(path)} cannot be read as arrays: it is damaged") from None
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file; bfloat16 as float32."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WganError(f"{shown(path)} cannot be read as safetensors: {plain(error)}") from None
    return {k: (t.float() if t.dtype == torch.bfloat16 else t).numpy() for k, t in tensors.items()}


def plain(error: Exception) -> str:
    """Return the first line of an error without what only a programmer understands."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        "it holds Python objects, which are never unpickled" if "pickle" in text or "Python objects" in text else text
    )


def from_mapping(arrays: Mapping[str, NDArray[Any]], where: str) -> Arrays:
    """Find samples and labels among named arrays, or the train and test parts of both; WganError when there are none."""
    train, test = _first(arrays, TRAIN_NAMES), _first(arrays, TEST_NAMES)
    if train is not None and test is not None:
        labels = [_first(arrays, TRAIN_LABELS), _first(arrays, TEST_LABELS)]
        used = (TRAIN_NAMES, TEST_NAMES, TRAIN_LABELS, TEST_LABELS)
        return replace(joined(Arrays(train, labels[0]), Arrays(test, labels[1]), where), notes=left_out(arrays, *used))
    values = _first(arrays, SAMPLE_NAMES)
    if values is None:
        values = train
    if values is None and len(arrays) == 1:
        (values,) = arrays.values()
    if values is None:
        raise WganError(
            f"{where} holds {', '.join(arrays) or 'nothing'}: expected an array named images or samples, and labels"
        )
    found = next(name for name, array in arrays.items() if array is values)
    notes = left_out(arrays, (found,), (*LABEL_NAMES, *TRAIN_LABELS))
    return Arrays(values, _first(arrays, (*LABEL_NAMES, *TRAIN_LABELS)), notes=notes)


def left_out(arrays: Mapping[str, NDArray[Any]], *used: tuple[str, ...]) -> tuple[str, ...]:
    """Return a note on the arrays that are not read: of each group of names in `used` the first that is there is."""
    read = {next((name for name in names if name in arrays), "") for names in used}
    left = [f"{name} {list(array.shape)}" for name, array in arrays.items() if name not in read]
    return (f"not read: {', '.join(left)}",) if left else ()


def _first(arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)


def joined(train: Arrays, test: Arrays, where: str) -> Arrays:
    """Return both parts as one, the second marked for testing; WganError when they do not fit each other."""
    if train.values.shape[1:] != test.values.shape[1:]:
        raise WganError(
            f"{where}: train samples are {list(train.values.shape)}, test samples {list(test.values.shape)}"
        )
    if (train.labels is None) != (test.labels is None):
        raise WganError(f"{where}: labels are missing for one of train and test; give both, or --labels none")
    labels = None
    if train.labels is not None and test.labels is not None:
        require_labels(train, where)
        require_labels(test, where)
        labels = np.concatenate([train.labels, test.labels])
    held_out = np.arange(len(train.values) + len(test.values)) >= len(train.values)
    return Arrays(np.concatenate([train.values, test.values]), labels, held_out)


def require_labels(arrays: Arrays, where: str) -> None:
    """Raise WganError unless there is one label for each sample, a whole number or a text."""
    labels, n = arrays.labels, len(arrays.values)
    if labels is None:
        return
    if labels.shape not in ((n,), (n, 1)):
        raise WganError(f"{where} has {n} samples and labels of shape {list(labels.shape)}: expected [{n}]; "
                        "mend them, or give --labels none")  # fmt: skip
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise WganError(f"{where}: labels must be whole numbers or texts, one for each sample, and some are not")
    if labels.dtype.kind not in "fiubUS":
        raise WganError(f"{where}: labels must be whole numbers or texts, not {labels.dtype}")


# --- IDX --------------------------------------------------------------------------------------------------------------


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
    return parts[0] if len(parts) == 1 else joined(parts[0], parts[1], shown(folder))


def read_idx_pair(path: Path) -> Arrays:
    """Read one IDX file of images and the labels that lie beside it under the matching name."""
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


def save_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of an uncompressed .npz."""
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    return packed.getvalue()
