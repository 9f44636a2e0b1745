"""Images that keep their values, --depth float: arrays and files of 8 or 16 bits or floats, as float32 in their units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import depth
from wgan.data.own.cache import DONE, Prepared, Writer
from wgan.data.own.decode import (
    PLAIN,
    Frame,
    Unreadable,
    finite,
    flatten,
    is_deep,
    is_halved,
    open_picture,
    resize,
    whole,
)
from wgan.data.split import chosen, held_out_mask
from wgan.errors import WganError


def finished(
    writer: Writer,
    labels: NDArray[np.int64] | None,
    held_out: NDArray[np.bool_] | None,
    about: dict[str, Any],
    dtype: np.dtype[Any],
    where: str,
    what: str = "images",
) -> Prepared:
    """Close the file of values with the range of its training images or volumes; WganError where these are all the same.

    Also for values that are too large for 32 bits.
    """
    rows = np.flatnonzero(writer.state == DONE)
    mine = None if labels is None else labels[rows]
    held = chosen(writer.sums[rows], mine) if held_out is None else held_out[rows]
    writer.file.flush()
    values = np.memmap(writer.folder / "x.bin", np.float32, "r").reshape(-1, *writer.shape)
    try:
        require_32_bits(values, where)
        units = depth.fit(values, rows[~held_out_mask(len(rows), held)], name_of(dtype), where)
    except Exception:
        writer.discard()
        raise
    said = f"values keep their units: networks see {units.low:g} to {units.high:g}, the range of the training {what}, as -1 to 1"
    return writer.finish(labels, held_out, {**about, "depth": units.to_json(), "notes": [*about["notes"], said]})


def name_of(dtype: np.dtype[Any]) -> str:
    """Return the type in which samples come back: that of the values, but at most 32 bits of whole numbers."""
    return "float32" if dtype.kind == "b" or (dtype.kind in "iu" and dtype.itemsize > 4) else str(dtype)


def require_32_bits(values: NDArray[np.float32], where: str) -> None:
    """Raise WganError where finite numbers became infinite as float32, in which they are kept."""
    if not all(np.isfinite(sample).all() for sample in values):
        raise WganError(
            f"{where} holds values beyond 3.4e38, the largest number of 32 bits: divide them all by a number"
        )


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return values as float32; those that are too large for it become infinite, see require_32_bits."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def of_file(file: BinaryIO, frame: Frame) -> NDArray[np.float32]:
    """Return the picture in a file as float32 [C, H, W] of `frame`, in its own units; Unreadable for a damaged one."""
    picture = open_picture(file)
    if is_halved(picture):
        raise Unreadable("it has colours of 16 bits, which are read as 8: save it as an array (.npy)")
    with whole(picture):
        if is_deep(picture):
            planes = [as_float32(finite(np.asarray(picture)))] * frame.channels
        else:
            plain = flatten(picture, PLAIN).convert("L" if frame.channels == 1 else "RGB")
            planes = [np.asarray(band, np.float32) for band in plain.split()]
        return np.stack([sized(plane, frame) for plane in planes])


def sized(plane: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """Return one channel [H, W] in the size of `frame`, in floats."""
    if plane.shape == (frame.height, frame.width):
        return plane
    return np.asarray(resize(Image.fromarray(np.ascontiguousarray(plane)), frame), np.float32)


def of_arrays(
    parts: Iterable[tuple[list[int], NDArray[Any]]], frame: Frame
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (number, float32 [C, H, W]) of images [B, C, H, W] in their own units."""
    for numbers, planes in parts:
        for i, image in zip(numbers, planes, strict=True):
            yield i, np.stack([sized(as_float32(plane), frame) for plane in image])


def require_same_channels(options: ReadingOptions, where: str) -> None:
    """Raise WganError for channels that would have to be made of others."""
    if options.channels:
        raise WganError(f"depth float keeps the values of {where}: leave channels out")
