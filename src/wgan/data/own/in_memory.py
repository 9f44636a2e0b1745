"""Data that Python gives (an array, tensor, Dataset or iterable) are kept in the cache under a hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data.own.archives import shown
from wgan.data.own.cache import disk_errors
from wgan.data.own.frames import is_frame, keep_frame
from wgan.data.own.given_source import is_given, spec_of_source
from wgan.errors import WganError
from wgan.files import cache_home, write_whole

GIVEN = "given:"
WHOLE = (np.ndarray, torch.Tensor, list)  # what holds samples; two of them are no samples themselves


@runtime_checkable
class Convertible(Protocol):
    """What says itself how it becomes an array: a column of pandas or polars, a picture."""

    def __array__(self) -> NDArray[Any]: ...
    def __len__(self) -> int: ...


def spec_of(data: Any) -> str:
    """Return the data spec, given:HASH, of an array, tensor, DataFrame, (samples, labels), Dataset or iterable; else WganError.

    A dict is arrays with names, as in an .npz: samples and what comes with them. A Source, or a pair of them, stays as it is,
    known while this program runs.
    """
    if is_given(data):
        return spec_of_source(data)
    if is_frame(data):
        return GIVEN + keep_frame(data)
    if isinstance(data, (tuple, list)) and data and is_frame(data[0]):
        raise WganError("data holds a DataFrame among others: give it alone, with labels='COLUMN' for its class")
    if isinstance(data, Mapping):
        return keep_named(data)
    values, labels = arrays_of(data)
    return keep({"samples": values} if labels is None else {"samples": values, "labels": labels})


def keep_named(data: Mapping[Any, Any]) -> str:
    """Keep arrays with names, samples and conditions, as a .npz of them would be read; WganError for what is not an array."""
    strange = next((name for name in data if not isinstance(name, str) or not name), None)
    if strange is not None or not data:
        raise WganError("data as a dict needs names of arrays, such as {'images': x, 'energy': e}")
    return keep({name: as_array(value) for name, value in data.items()})


def arrays_of(data: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return samples [N, ...] and labels [N] or None.

    A Dataset or iterable is read once, to its end; its items are samples, or (sample, label) pairs, or (sample,). A DataLoader
    stands for its data set: its batches and their order are the run's own affair.
    """
    if isinstance(data, (np.ndarray, torch.Tensor)):
        return as_array(data), None
    if is_pair(data):
        return arrays_of(data[0])[0], as_array(data[1])
    items = items_of(data.dataset if isinstance(data, torch.utils.data.DataLoader) else data)
    items = [item[0] if isinstance(item, tuple) and len(item) == 1 else item for item in items]  # of a TensorDataset
    require_pairs(items)
    pairs = bool(items) and all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items)
    samples = [as_array(item[0] if pairs else item) for item in items]
    shapes = {s.shape for s in samples}
    if not samples:
        raise WganError("data holds no samples: give an array, a tensor, a Dataset or an iterable of arrays")
    if len(shapes) > 1:
        several = " and ".join(str(list(s)) for s in sorted(shapes)[:2])
        raise WganError(f"data holds samples of {len(shapes)} shapes, such as {several}: make them one size")
    labels = np.array([one_label(item[1], i) for i, item in enumerate(items)]) if pairs else None
    return np.stack(samples), labels


def is_pair(data: Any) -> bool:
    """Return whether data are samples and their labels: two wholes, where the labels may be any column or tuple."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        return False
    samples, labels = data
    if all(isinstance(v, WHOLE) for v in data):
        return True
    known = isinstance(samples, (*WHOLE, Convertible)) and isinstance(labels, (*WHOLE, tuple, Convertible))
    return known and len(samples) == len(labels)


def require_pairs(items: Sequence[Any]) -> None:
    """Raise WganError for items that are neither samples nor (sample, label): what they are, and how to give them."""
    first = items[0] if items else None
    if isinstance(first, dict):
        raise WganError(
            f"data holds dicts with {', '.join(map(str, first))[:60]}: give (sample, label) pairs; a data set of Hugging Face: "
            "save it with save_to_disk(FOLDER) and give 'hf:FOLDER'"
        )
    if isinstance(first, tuple) and len(first) > 2:
        raise WganError(
            f"data holds items of {len(first)} parts: give samples, or (sample, label) pairs, for example "
            "[(item[0], item[1]) for item in data]"
        )


def one_label(value: Any, at: int) -> Any:
    """Return the one label of sample number `at`; WganError where it has several, or what is not a label."""
    if isinstance(value, dict):
        raise WganError(
            f"the label of sample {at} is a dict with {', '.join(map(str, value))[:60]}: give the class alone"
        )
    label = as_array(value)
    if label.size == 1:
        return label.item()
    raise WganError(
        f"sample {at} has {label.size} labels, and a class is one whole number or text: of a one-hot label give the place of its "
        "1 (argmax); several labels of one sample are not trained on: give one of them, or the samples alone"
    )


def items_of(data: Any) -> list[Any]:
    """Return the items of a Dataset (by number) or of an iterable; WganError for what is neither."""
    if type(data).__name__ == "DataFrame":  # of pandas or polars, neither of which is needed here
        raise WganError(
            "data cannot be such a DataFrame: give one of pandas or polars alone, with labels='COLUMN' for its class, or "
            "the path of a .csv or .parquet file"
        )
    if isinstance(data, torch.utils.data.Dataset) and hasattr(data, "__len__"):
        return [data[i] for i in range(len(data))]
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, dict)):
        return list(data)
    raise WganError(
        f"data cannot be a {type(data).__name__}: give a name or path, an array, a tensor, a Dataset or an iterable of arrays"
    )


def as_array(value: Any) -> NDArray[Any]:
    """Return a tensor, array, picture or number as an array; WganError for anything else."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.device.type == "meta":
            what = (
                "on the device meta, without values" if value.device.type == "meta" else "sparse: give it as to_dense()"
            )
            raise WganError(f"data holds a tensor that is {what}")
        value = value.detach().cpu()
        out: np.ndarray = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        return out
    try:
        array = np.asarray(value)
        if array.dtype == object:  # a column of pandas with names, or numbers, as Python objects
            if any(v is None or v != v for v in array.ravel().tolist() if not isinstance(v, np.ndarray)):
                raise WganError("data holds a missing value, None or NaN: fill it in, or drop that sample")
            array = np.array(array.tolist())
    except ValueError as error:  # a list of lists of different lengths
        if isinstance(error, WganError):
            raise
        raise WganError("data holds lists of different lengths, which are no array of numbers") from None
    if array.dtype.kind == "S":  # texts in bytes, as HDF5 files give labels
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "fiubU":
        kind = type(array.ravel()[0]).__name__ if array.dtype == object and array.size else str(array.dtype)
        what = f"values of type {kind}" if array.ndim else f"a {type(value).__name__}"
        raise WganError(f"data holds {what}: samples are numbers, and labels whole numbers or texts")
    return array


def keep(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Keep arrays in the cache folder; return the spec that stands for them, a hash of their content."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    path = cache_home() / "given" / f"{digest.hexdigest()[:24]}.npz"
    if not path.is_file():
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda f: np.savez(f, **arrays))  # type: ignore[arg-type]
    return GIVEN + path.stem


def given_path(spec: str) -> Path:
    """Return the file that holds an array given in Python; WganError when the cache was emptied."""
    name = spec.removeprefix(GIVEN)
    path = cache_home() / "given" / f"{name}.npz"
    table = path.with_suffix(".csv")
    path = table if table.is_file() else path
    if not name.isalnum() or not path.is_file():
        raise WganError(
            f"data {spec} came from an array in Python and is no longer in {shown(path.parent)}: give it again"
        )
    return path
