"""Arrays of signals [N, T] or [N, C, T] -> prepared float32 signals [N, C, T], each channel standardised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data import signals
from wgan.data.own.arrays import Arrays
from wgan.data.own.cache import Prepared, Writer
from wgan.data.own.convert import CHUNK, numbered
from wgan.data.split import chosen, contents_of, held_out_mask, require_enough
from wgan.errors import WganError

LEAST_STEPS = 8
MOST_CHANNELS = 256


def prepare_signals(
    arrays: Arrays, options: ReadingOptions, folder: Path, where: str, rate: int = 0, split: str = "train"
) -> Prepared:
    """Prepare arrays as signals of `rate` steps in a second (0 = not known); WganError for what cannot be trained on."""
    if options.of_images:
        raise WganError(
            f"size, crop, channels and depth are for images, and {where} is read as signals: leave them out"
        )
    arrays, classes, labels = numbered(arrays, options, where)
    values, flat = channelled(arrays.values, where)
    require_enough(len(values), where, split)
    require_finite(values, where)
    held_out = chosen(contents_of(values), labels) if arrays.held_out is None else arrays.held_out
    fitted = signals.fit(values, ~held_out_mask(len(values), held_out), channel_names(arrays, values), flat, where)
    units = replace(fitted, rate=rate)
    writer = Writer(folder, len(values), values.shape[1:], "float32", where, arrays.conditions)
    writer.fill(standardised(values, writer.todo, units), lambda done: None)
    count, channels, steps = values.shape
    about = {
        "kind": "signals",
        "class_names": list(classes),
        "units": None,
        "signal": units.to_json(),
        "notes": [
            *arrays.notes,
            f"read as {count} signals of {channels} channel{'s' * (channels > 1)} and {steps} steps",
        ],
        "bad": [],
        "facts": {"stored": list(arrays.values.shape), "dtype": str(arrays.values.dtype)},
    }
    return writer.finish(labels, held_out, about)


def channel_names(arrays: Arrays, values: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the channels of signals [N, C, T]; those of a table's columns name steps where there is no C."""
    return arrays.names if len(arrays.names) == values.shape[1] else ()


def channelled(values: NDArray[Any], where: str) -> tuple[NDArray[Any], bool]:
    """Return signals as [N, C, T], and whether they came as [N, T]; WganError for other shapes, sizes and types."""
    shape = list(values.shape)
    if values.dtype.kind not in "fiub":
        raise WganError(f"{where} holds {values.dtype}: expected numbers")
    if values.ndim not in (2, 3) or not values.size:
        raise WganError(
            f"{where} has the shape {shape}: signals are [N, T], or [N, C, T] with C channels of T steps each"
        )
    if values.shape[-1] < LEAST_STEPS:
        raise WganError(
            f"{where} has the shape {shape}: signals of {shape[-1]} steps are too short, {LEAST_STEPS} are needed"
        )
    if values.ndim == 3 and values.shape[1] > MOST_CHANNELS:
        raise WganError(
            f"{where} has the shape {shape}: {shape[1]} channels of {shape[2]} steps are too many, signals are [N, C, T] with at "
            f"most {MOST_CHANNELS} channels; where the steps come first, swap the last two axes"
        )
    return (values[:, None], True) if values.ndim == 2 else (values, False)


def require_finite(values: NDArray[Any], where: str) -> None:
    """Raise WganError naming the first signal, channel and step that hold NaN or infinity, as their array counts them."""
    if values.dtype.kind != "f":
        return
    bad = [i for i in range(len(values)) if not np.isfinite(values[i]).all()]
    if bad:
        channel, step = np.argwhere(~np.isfinite(values[bad[0]]))[0]
        raise WganError(
            f"{where} holds NaN or infinite values in {len(bad)} of {len(values)} signals, the first in signal {bad[0]}, "
            f"channel {channel}, step {step} (counted from 0): fill them in, or leave those signals out"
        )


def standardised(
    values: NDArray[Any], todo: list[int], units: signals.SignalUnits
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (number, float32 [C, T]) of the signals that are not prepared yet."""
    for start in range(0, len(todo), CHUNK):
        numbers = todo[start : start + CHUNK]
        yield from zip(numbers, units.standardise(values[numbers]), strict=True)
