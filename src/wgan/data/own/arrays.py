"""Arrays on disk (.npy, .npz, safetensors), and `Arrays`: samples, the labels next to them, and what is for testing."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.conditions import Raw
from wgan.data.own.archives import shown
from wgan.data.own.missing_marks import marks_among
from wgan.errors import WganError

ROOM = 1 << 30  # bytes that any packed file may unpack to
MAPPED = 1 << 28  # bytes: a smaller array is read whole, for a mapped file that is cut short meanwhile ends the process


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
    conditions: Raw | None = None  # the columns that --conditions names, [N] each


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
        raise WganError(f"{shown(path)} cannot be read as an array: {plain_error(error)}") from None
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
        raise WganError(f"{shown(path)} cannot be read as arrays: {plain_error(error)}") from None
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
        raise WganError(f"{shown(path)} cannot be read as safetensors: {plain_error(error)}") from None
    return {k: (t.float() if t.dtype == torch.bfloat16 else t).numpy() for k, t in tensors.items()}


def plain_error(error: Exception) -> str:
    """Return the first line of an error without what only a programmer understands."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "Object arrays" in text or "Python objects" in text:
        return "it holds Python objects, which are never unpickled"
    return "it is not in NumPy's format" if "pickle" in text else text  # what NumPy takes all unknown bytes for


def require_labels(arrays: Arrays, where: str) -> None:
    """Raise WganError unless there is one label for each sample, a whole number or a text."""
    labels, n = arrays.labels, len(arrays.values)
    if labels is None:
        return
    if labels.ndim == 2 and len(labels) == n and labels.shape[1] > 1:
        raise WganError(
            f"{where} has {labels.shape[1]} labels for each sample: give one class for each (of a one-hot label the place of "
            "its 1, argmax), or --labels none"
        )
    if labels.shape not in ((n,), (n, 1)):
        raise WganError(
            f"{where} has {n} samples and labels of shape {list(labels.shape)}: expected [{n}]; "
            "fix them, or give --labels none"
        )
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise WganError(f"{where}: labels must be whole numbers or texts, one for each sample, and some are not")
    if labels.dtype.kind not in "fiubUS":
        raise WganError(f"{where}: labels must be whole numbers or texts, not {labels.dtype}")
    if labels.dtype.kind in "US":
        require_no_marks(
            [v.decode(errors="replace") if isinstance(v, bytes) else v for v in labels.ravel().tolist()], where
        )


def require_no_marks(labels: Sequence[str], where: str) -> None:
    """Raise WganError where a label is none: empty, or a mark of a missing value, such as the nan that pandas makes of one."""
    marks = {"", *marks_among(labels)}
    missing = [(i, label.strip()) for i, label in enumerate(labels) if label.strip() in marks]
    if missing:
        at, label = missing[0]
        raise WganError(
            f"{where} has no label for {len(missing)} of {len(labels)} samples, the first is sample {at} ('{label}'): drop "
            "these, rename a class of that name, or give --labels none"
        )


def save_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of an uncompressed .npz."""
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    return packed.getvalue()
