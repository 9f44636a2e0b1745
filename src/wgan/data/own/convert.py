"""Arrays of any layout and range -> prepared uint8 images [N, C, H, W] or standardised float32 vectors [N, D]."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import units
from wgan.data.own import float_images
from wgan.data.own.arrays import Arrays, require_labels
from wgan.data.own.cache import Prepared, Writer
from wgan.data.own.decode import Frame, resize, scaled_sides
from wgan.data.own.missing_marks import far_note
from wgan.data.own.pixels import MOST_KEPT, Scale, Span, as_bytes, scale_of, span_of, whole_span
from wgan.data.split import chosen, contents_of, held_out_mask, require_enough
from wgan.errors import WganError
from wgan.progress import counting

CHUNK = 256  # samples converted together
MOST_CHANNELS = 16
LEAST_SIDE = 4  # pixels
LEAST_PIXELS, LEAST_GREY = 64, 15  # numbers of a row that may be a flattened picture, and the largest among all rows
LOOKED = 1000  # of these rows, which tell whether numbers are whole
FEW_ROWS = 16  # a 3-D array with so few rows, each LONG_ROWS as long or longer, is of signals: 12 leads, 9 sensors
FEW_ROWS_OF_BYTES = 7  # of bytes, as pictures mostly are: a line of text may be 8 pixels high
LONG_ROWS, ANY_ROWS = 4, 16  # times as long as there are rows; of any number of rows


def prepare_arrays(arrays: Arrays, options: ReadingOptions, folder: Path, where: str, split: str = "train") -> Prepared:
    """Prepare arrays as images or vectors; WganError for anything that cannot be trained on."""
    arrays, names, numbers = numbered(arrays, options, where)
    if len(arrays.values) == 0 or arrays.values.size == 0:
        raise WganError(f"{where} holds no samples: its shape is {list(arrays.values.shape)}")
    if arrays.values.dtype.kind not in "fiub":
        raise WganError(f"{where} holds {arrays.values.dtype}: expected numbers")
    require_first_counts(arrays.values.shape, where)
    arrays = flat(arrays)
    require_enough(len(arrays.values), where, "train" if arrays.values.ndim == 2 else split)
    if arrays.values.ndim == 2:
        return _vectors(arrays, numbers, names, options, folder, where)
    return _images(arrays, numbers, names, options, folder, where)


def require_first_counts(shape: tuple[int, ...], where: str) -> None:
    """Raise WganError where the last axis counts the samples, as in [28, 28, N] and [32, 32, 3, N]: the first one has to."""
    square = len(shape) in (3, 4) and shape[0] == shape[1] >= LEAST_SIDE and shape[-1] > LONG_ROWS * shape[0]
    if square and (len(shape) == 3 or shape[2] in (1, 3, 4)):
        pictures = f", or give {shape[0]} pictures of {shape[1]}x{shape[2]} pixels as [N, 1, H, W]"
        raise WganError(
            f"{where} has the shape {list(shape)}: its first axis counts the samples, and the last one seems to; move it there, "
            f"numpy.moveaxis(x, -1, 0){pictures if len(shape) == 3 else ''}"
        )


def flat(arrays: Arrays) -> Arrays:
    """Return samples of one row, [N, 1, T] and the like, as vectors [N, T]: pictures one pixel high are none."""
    shape = arrays.values.shape
    if len(shape) < 3 or sum(side > 1 for side in shape[1:]) > 1:
        return arrays
    note = f"{list(shape)} is read as vectors of {math.prod(shape[1:])} numbers (--kind signal: as signals)"
    return replace(arrays, values=arrays.values.reshape(len(arrays.values), -1), notes=(*arrays.notes, note))


def numbered(
    arrays: Arrays, options: ReadingOptions, where: str
) -> tuple[Arrays, tuple[str, ...], NDArray[np.int64] | None]:
    """Return class names in order and the class number of each sample; a single class counts as unlabelled."""
    if options.labels not in ("auto", "none") and not arrays.label:
        raise WganError(f"labels '{options.labels}' names the column of a table, and {where} is none: use auto or none")
    if arrays.labels is None or options.labels == "none":
        return replace(arrays, labels=None), (), None
    require_labels(arrays, where)
    labels = arrays.labels.reshape(-1)
    labels = labels.astype(np.int64) if labels.dtype.kind in "fb" else labels
    found, numbers = np.unique(labels, return_inverse=True)
    if len(found) == 1:
        what = f"the class {arrays.label} has" if arrays.label else "the labels have"
        note = f"{what} one value only: the data are read without classes"
        return replace(arrays, notes=(*arrays.notes, note)), (), None
    if 2 * len(found) > len(labels):
        raise WganError(
            f"{where} has {len(found)} classes for {len(labels)} samples: give --labels none to ignore them"
        )
    return arrays, tuple(str(v.decode() if isinstance(v, bytes) else v) for v in found), numbers.astype(np.int64)


# --- vectors ----------------------------------------------------------------------------------------------------------


def _vectors(
    arrays: Arrays,
    labels: NDArray[np.int64] | None,
    names: tuple[str, ...],
    options: ReadingOptions,
    folder: Path,
    where: str,
) -> Prepared:
    if options.of_images:
        raise WganError(f"size, crop, channels and depth are for images, and {where} holds vectors: leave them out")
    if options.kind == "image":
        raise WganError(f"{where} holds vectors, which are no images: leave kind out")
    rows = np.asarray(arrays.values)
    require_finite(rows, arrays.names, where)
    c = rows.shape[1]
    kinds = arrays.kinds or (str(rows.dtype),) * c
    decimals = arrays.decimals or (-1,) * c
    held_out = chosen(contents_of(rows), labels) if arrays.held_out is None else arrays.held_out
    train = ~held_out_mask(len(rows), held_out)
    fitted = units.fit(rows[train], arrays.names, kinds, decimals, where)
    fitted = replace(fitted, label=arrays.label, label_at=arrays.label_at)
    constant = [arrays.names[i] if arrays.names else str(i) for i in range(c) if i not in fitted.kept]
    notes = list(arrays.notes)
    if constant:
        notes.append(f"constant in the training part, kept as it is: column {', '.join(constant)}")
    if arrays.kinds:  # of a table, where a mark can be named
        called = arrays.names or [f"number {i + 1}" for i in range(c)]
        notes += filter(None, (far_note(name, rows[:, i]) for i, name in enumerate(called)))
    notes += pixel_note(rows)
    standard = fitted.standardise(rows)
    writer = Writer(folder, len(rows), (len(fitted.kept),), "float32", where, arrays.conditions)
    writer.fill_whole(standard)
    about = {
        "kind": "vectors",
        "class_names": list(names),
        "units": fitted.to_json(),
        "notes": notes,
        "bad": [],
        "facts": {"columns": c, "constant": constant},
    }
    return writer.finish(labels, held_out, about)


def pixel_note(rows: NDArray[Any]) -> list[str]:
    """Return what is said of rows [N, D] that may be flattened pictures: whole numbers 0 to 255, as many as a square has.

    A column more than that may be the class, as in the tables of digits that many courses hand out.
    """
    width, some = rows.shape[1], rows[:LOOKED]
    d = next((d for d in (width, width - 1) if d >= LEAST_PIXELS and math.isqrt(d) ** 2 == d), 0)
    if not d or rows.min() < 0 or not LEAST_GREY <= rows.max() <= 255 or not (some == np.rint(some)).all():
        return []
    side = math.isqrt(d)
    return [f"{d} whole numbers from 0 to 255 may be pixels: an array [N, {side}, {side}] is read as images"]


def require_finite(rows: NDArray[Any], names: tuple[str, ...], where: str) -> None:
    """Raise WganError naming the first column that holds NaN or infinity."""
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return
    row, column = np.argwhere(~np.isfinite(rows))[0]
    name = names[column] if names else column
    count = int((~np.isfinite(rows)).sum())
    raise WganError(
        f"{where} holds {count} NaN or infinite values, the first in row {row + 1}, column {name}: fill or drop them"
    )


# --- images -----------------------------------------------------------------------------------------------------------


def _images(
    arrays: Arrays,
    labels: NDArray[np.int64] | None,
    names: tuple[str, ...],
    options: ReadingOptions,
    folder: Path,
    where: str,
) -> Prepared:
    last = channels_last(arrays.values.shape, where)
    require_pictures(arrays.values, last, where)
    keeps = options.depth == "float"
    layout = layout_note(arrays.values.shape, last)
    scale = scale_of_arrays(arrays.values, where)
    frame = frame_of(arrays.values.shape, last, options, where)
    shape = (frame.channels, frame.height, frame.width)
    if keeps:
        float_images.require_same_channels(options, where)
    writer = Writer(folder, len(arrays.values), shape, "float32" if keeps else "uint8", where, arrays.conditions)
    parts = planes_of(arrays.values, writer.todo, last)
    with counting(len(writer.todo), f"preparing {where}", "images") as tick:
        writer.fill(float_images.of_arrays(parts, frame) if keeps else converted(parts, scale, frame), tick)
    about = {
        "kind": "images",
        "class_names": list(names),
        "units": None,
        "notes": [note for note in (*arrays.notes, layout, "" if keeps else scale.note) if note],
        "bad": [],
        "facts": {"stored": list(arrays.values.shape), "dtype": str(arrays.values.dtype)},
    }
    if keeps:
        return float_images.finished(writer, labels, arrays.held_out, about, arrays.values.dtype, where)
    return writer.finish(labels, arrays.held_out, about)


def channels_last(shape: tuple[int, ...], where: str) -> bool | None:
    """Return whether images [N, H, W, C] have their channels last, False for [N, C, H, W], None for [N, H, W].

    Two equal sides are the picture, and the odd one out is the channels; otherwise the short side at either end is.
    """
    if len(shape) == 3:
        return None
    if len(shape) == 4:
        first, middle, last = shape[1:]
        if first == middle != last <= MOST_CHANNELS:
            return True
        if first != middle == last and first <= MOST_CHANNELS:
            return False
        if last in (1, 3, 4) or (last <= MOST_CHANNELS < first):
            return True
        if first <= MOST_CHANNELS:
            return False
    raise WganError(
        f"{where} has the shape {list(shape)}: expected images [N, H, W], [N, H, W, C] or [N, C, H, W], or vectors [N, D]"
    )


def sides(shape: tuple[int, ...], last: bool | None) -> tuple[int, int]:
    """Return height and width of images of a shape."""
    height, width = shape[1:3] if last is not False else shape[2:4]
    return height, width


def require_pictures(values: NDArray[Any], last: bool | None, where: str) -> None:
    """Raise WganError for what are signals rather than pictures, such as [N, 12, 1000], and for too small pictures.

    A channel dimension, [N, 1, H, W], says that they are pictures, however long.
    """
    shape = list(values.shape)
    height, width = sides(values.shape, last)
    swapped = "" if height < width else " after swapping its last two axes"
    ways = f"read it as signals with --kind signal{swapped}, or as vectors, reshaped to [N, {math.prod(shape[1:])}]"
    if min(height, width) < LEAST_SIDE:
        raise WganError(f"{where} has the shape {shape}: pictures of {height}x{width} pixels are too small; {ways}")
    if last is None and are_signals(height, width, values.dtype.kind in "bu" and values.dtype.itemsize == 1):
        raise WganError(
            f"{where} has the shape {shape}, which is that of signals of {min(height, width)} channels: {ways}, or as "
            f"pictures of {height}x{width} pixels, reshaped to [N, 1, {height}, {width}]"
        )


def are_signals(height: int, width: int, in_bytes: bool) -> bool:
    """Return whether samples of two dimensions are signals of a few channels rather than pictures, whichever comes first."""
    rows, length = sorted((height, width))
    few = rows <= (FEW_ROWS_OF_BYTES if in_bytes else FEW_ROWS) and length >= LONG_ROWS * rows
    return few or length >= ANY_ROWS * rows


def layout_note(shape: tuple[int, ...], last: bool | None) -> str:
    """Return how channels that are neither grey nor colours were told from sides, or nothing."""
    if last is None:
        return ""
    channels, height, width = (shape[3], *shape[1:3]) if last else shape[1:]
    place = "last" if last else "first"
    return (
        ""
        if channels in (1, 3, 4)
        else f"{list(shape)} is read as {channels} channels ({place}) of {height}x{width} (--kind volume: as volumes)"
    )


def scale_of_arrays(values: NDArray[Any], where: str) -> Scale:
    """Return the one scale of all images; bytes that use their range need no words. WganError for NaN and infinity."""
    if values.dtype == np.bool_:
        return Scale(0, 1, "")
    return scale_of(whole_span(spans(values, where)), where, plain=values.dtype == np.uint8)


def spans(values: NDArray[Any], where: str) -> Iterator[Span]:
    """Yield the span of every CHUNK images; WganError for NaN and infinity."""
    for i in range(0, len(values), CHUNK):
        part = np.asarray(values[i : i + CHUNK])
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            raise WganError(f"{where} holds NaN or infinite values, the first among images {i + 1} to {i + len(part)}")
        yield span_of(part, max(256, MOST_KEPT * CHUNK // len(values)))


def frame_of(shape: tuple[int, ...], last: bool | None, options: ReadingOptions, where: str) -> Frame:
    """Return the size and channels of the prepared images; WganError for channels that cannot be had."""
    height, width = scaled_sides(sides(shape, last), options.sides, options.crop)
    stored = 1
    if last is not None:
        stored = shape[3] if last else shape[1]
    channels = options.channels or stored
    if channels != stored and (stored not in (1, 3, 4)):
        raise WganError(f"{where} has {stored} channels, which cannot become {channels}: leave --channels out")
    return Frame(channels, height, width, options.crop)


def planes_of(values: NDArray[Any], todo: list[int], last: bool | None) -> Iterator[tuple[list[int], NDArray[Any]]]:
    """Yield the images that are not prepared yet, CHUNK at a time: their numbers and their values [B, C, H, W]."""
    for start in range(0, len(todo), CHUNK):
        numbers = todo[start : start + CHUNK]
        part = np.asarray(values[numbers[0] : numbers[-1] + 1])[np.array(numbers) - numbers[0]]
        if last is None:
            part = part[:, None]
        yield numbers, part.transpose(0, 3, 1, 2) if last else part


def converted(
    parts: Iterable[tuple[list[int], NDArray[Any]]], scale: Scale, frame: Frame
) -> Iterator[tuple[int, NDArray[np.uint8] | str]]:
    """Yield (number, uint8 [C, H, W]) of images."""
    for numbers, planes in parts:
        for i, image in zip(numbers, as_bytes(planes, scale), strict=True):
            yield i, framed(image, frame)


def framed(image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
    """Return an image [C, H, W] with the channels and size of `frame`."""
    if len(image) != frame.channels:
        picture = Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
        if len(image) == 4:
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        pixels = np.asarray(picture.convert("L" if frame.channels == 1 else "RGB"))
        image = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if image.shape[1:] == (frame.height, frame.width):
        return image
    planes = [np.asarray(resize(Image.fromarray(np.ascontiguousarray(plane)), frame)) for plane in image]
    return np.stack(planes)
