"""Data that Python gives (an array, tensor, Dataset or iterable) are kept in the cache under a hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data.own.archives import shown
from wgan.data.own.cache import disk_errors
from wgan.errors import WganError
from wgan.files import cache_home, write_whole

GIVEN = "given:"
WHOLE = (np.ndarray, torch.Tensor, list)  # what holds samples, or their labels; two of them are no samples themselves


def spec_of(data: Any) -> str:
    """Return the data spec, given:HASH, of an array, tensor, (samples, labels), Dataset or iterable; WganError for others."""
    return keep(*arrays_of(data))


def arrays_of(data: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return samples [N, ...] and labels [N] or None.

    A Dataset or iterable is read once, to its end; its items are samples, or (sample, label) pairs, or (sample,). A DataLoader
    stands for its data set: its batches and their order are the run's own affair.
    """
    if isinstance(data, (np.ndarray, torch.Tensor)):
        return as_array(data), None
    if isinstance(data, (tuple, list)) and len(data) == 2 and all(isinstance(v, WHOLE) for v in data):
        return arrays_of(data[0])[0], as_array(data[1])
    items = items_of(data.dataset if isinstance(data, torch.utils.data.DataLoader) else data)
    items = [item[0] if isinstance(item, tuple) and len(item) == 1 else item for item in items]  # of a TensorDataset
    pairs = bool(items) and all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items)
    samples = [as_array(item[0] if pairs else item) for item in items]
    shapes = {s.shape for s in samples}
    if not samples:
        raise WganError("data holds no samples: give an array, a tensor, a Dataset or an iterable of arrays")
    if len(shapes) > 1:
        several = " and ".join(str(list(s)) for s in sorted(shapes)[:2])
        raise WganError(f"data holds samples of {len(shapes)} shapes, such as {several}: make them one size")
    labels = np.array([as_array(item[1]).item() for item in items]) if pairs else None
    return np.stack(samples), labels


def items_of(data: Any) -> list[Any]:
    """Return the items of a Dataset (by number) or of an iterable; WganError for what is neither."""
    if type(data).__name__ == "DataFrame":  # of pandas or polars, neither of which is needed here
        raise WganError(
            "data cannot be a DataFrame: write it as .csv or .parquet and give that path, which keeps the columns' names, or "
            "give its numbers, data.to_numpy()"
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
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists of different lengths
        raise WganError("data holds lists of different lengths, which are no array of numbers") from None
    if array.dtype.kind not in "fiubU":
        raise WganError(f"data holds a {type(value).__name__}, which is no array of numbers")
    return array


def keep(values: NDArray[Any], labels: NDArray[Any] | None) -> str:
    """Keep an array and its labels in the cache folder; return the spec that stands for them, a hash of their content."""
    digest = hashlib.sha256()
    arrays = {"samples": values} if labels is None else {"samples": values, "labels": labels}
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
    if not name.isalnum() or not path.is_file():
        raise WganError(
            f"data {spec} came from an array in Python and is no longer in {shown(path.parent)}: give it again"
        )
    return path
