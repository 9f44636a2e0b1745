"""Arrays of volumes [N, D, H, W] or [N, C, D, H, W] -> prepared float32 volumes [N, C, D, H, W] in their own units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data.own import float_images
from wgan.data.own.arrays import Arrays
from wgan.data.own.cache import Prepared, Writer
from wgan.data.own.convert import MOST_CHANNELS, numbered
from wgan.data.split import require_enough
from wgan.errors import WganError

LEAST_SIDE, MOST_SIDE = 4, 32
MOST_PLAIN = 4  # channels: a last axis of so few is no side
LEAST_CUBE = (
    8  # [N, 8, 8, 8] and larger are volumes where nobody says what they are; smaller ones pictures of 4 channels
)


def are_volumes(shape: tuple[int, ...], kind: str) -> bool:
    """Return whether an array of this shape is read as volumes: --kind says so, or it has five axes, or cannot be pictures."""
    if kind != "auto":
        return kind == "volume"
    if len(shape) == 5:
        return sum(side > 1 for side in shape[1:]) > 1
    cube = len(shape) == 4 and LEAST_CUBE <= shape[1] == shape[2] == shape[3]
    return cube or (len(shape) == 4 and min(shape[1:]) > MOST_CHANNELS)


def prepare_volumes(arrays: Arrays, options: ReadingOptions, folder: Path, where: str, split: str) -> Prepared:
    """Prepare arrays as volumes; WganError for what cannot be trained on."""
    if options.size or options.channels or options.crop != "center":
        raise WganError(f"size, crop and channels are for images, and {where} is read as volumes: leave them out")
    arrays, classes, labels = numbered(arrays, options, where)
    values, layout = channelled(arrays.values, where)
    require_enough(len(values), where, split)
    require_finite(values, where)
    writer = Writer(folder, len(values), values.shape[1:], "float32", where, arrays.conditions)
    writer.fill(kept(values, writer.todo), lambda done: None)
    about = {
        "kind": "volumes",
        "class_names": list(classes),
        "units": None,
        "notes": [*arrays.notes, read_note(arrays.values.shape, values.shape, layout, options.kind)],
        "bad": [],
        "facts": {"stored": list(arrays.values.shape), "dtype": str(arrays.values.dtype)},
    }
    return float_images.finished(writer, labels, arrays.held_out, about, arrays.values.dtype, where, "volumes")


def channelled(values: NDArray[Any], where: str) -> tuple[NDArray[Any], str]:
    """Return volumes as [N, C, D, H, W] and where their channels were; WganError for other shapes, sizes and types."""
    shape = values.shape
    if values.dtype.kind not in "fiub":
        raise WganError(f"{where} holds {values.dtype}: expected numbers")
    if values.ndim not in (4, 5) or not values.size:
        raise WganError(
            f"{where} has the shape {list(shape)}: volumes are [N, D, H, W], or [N, C, D, H, W] with C channels"
        )
    last = values.ndim == 5 and channels_last(shape)
    found = values[:, None] if values.ndim == 4 else values
    if last:
        found = np.moveaxis(values, -1, 1)
    if found.shape[1] > MOST_CHANNELS:
        raise WganError(f"{where} has the shape {list(shape)}: volumes have at most {MOST_CHANNELS} channels")
    require_sides(found.shape[2:], shape, where)
    return found, "last" if last else "first"


def channels_last(shape: tuple[int, ...]) -> bool:
    """Return whether volumes of five axes have their channels last: three equal sides, or the three long ones, are the volume."""
    _, first, *_, last = shape
    if last > MOST_CHANNELS:
        return False
    cube = shape[1] == shape[2] == shape[3] != last
    return cube or first > MOST_CHANNELS or (last <= MOST_PLAIN < first)


def require_sides(sides: tuple[int, ...], shape: tuple[int, ...], where: str) -> None:
    """Raise WganError for volumes with a side that is too short or too long."""
    called = f"{where} has the shape {list(shape)}: volumes of {'x'.join(map(str, sides))}"
    if min(sides) < LEAST_SIDE:
        raise WganError(
            f"{called} are too small, every side must be at least {LEAST_SIDE}; read them as pictures with --kind image, "
            "reshaped to [N, C, H, W]"
        )
    if max(sides) > MOST_SIDE:
        factor = -(-max(sides) // MOST_SIDE)
        raise WganError(
            f"{called} are too large, every side may be {MOST_SIDE} at most: average blocks of {factor}x{factor}x{factor}, or "
            "cut a part out"
        )


def require_finite(values: NDArray[Any], where: str) -> None:
    """Raise WganError naming the first volume that holds NaN or infinity."""
    if values.dtype.kind != "f":
        return
    bad = [i for i in range(len(values)) if not np.isfinite(values[i]).all()]
    if bad:
        raise WganError(
            f"{where} holds NaN or infinite values in {len(bad)} of {len(values)} volumes, the first is volume {bad[0]} (counted "
            "from 0): fill them in, or leave those volumes out"
        )


def kept(values: NDArray[Any], todo: list[int]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (number, float32 [C, D, H, W]) of the volumes that are not prepared yet."""
    return ((i, float_images.as_float32(values[i])) for i in todo)


def read_note(stored: tuple[int, ...], shape: tuple[int, ...], layout: str, kind: str) -> str:
    """Return how the axes of an array were read, and how to read it otherwise where that was assumed."""
    count, channels, *sides = shape
    several = f" of {channels} channels ({layout})" if channels > 1 else ""
    other = "" if kind == "volume" or len(stored) == 5 else " (--kind image: as pictures)"
    return f"{list(stored)} is read as {count} volumes{several}, depth x height x width = {'x'.join(map(str, sides))}{other}"
