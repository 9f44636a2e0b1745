"""How samples are written: a sample grid, arrays, tables in the user's own columns, or a folder of images."""

from __future__ import annotations

import csv
import io
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wgan.data.depth import PixelUnits
from wgan.data.source import kind_of
from wgan.data.tabular.dates import holds
from wgan.data.tabular.table import Table
from wgan.errors import WganError
from wgan.files import replace_file, write_atomically
from wgan.runs.folder import make_folder
from wgan.sampling.grids import portray
from wgan.sampling.model import Model, Samples
from wgan.sampling.rows import displayed, values_of, with_label
from wgan.visual.images import save_png, visible
from wgan.visual.png import png_bytes

GRID = 10_000  # samples in one grid; more would be an image that nothing opens


def write_grid(samples: Samples, out: Path, model: Model) -> None:
    """Write the PNG of grid_bytes."""
    write_atomically(out, grid_bytes(samples))


def grid_bytes(samples: Samples) -> bytes:
    """Return one PNG: a grid of images, line plots of signals, slices of volumes, or a scatter plot of points."""
    return png_bytes(portray(displayed(samples), None))


def write_npz(samples: Samples, out: Path, model: Model) -> None:
    """Write the arrays of npz_bytes."""
    write_atomically(out, npz_bytes(samples, model))


def npz_bytes(samples: Samples, model: Model) -> bytes:
    """Return an .npz of `images`, or `samples` (and `columns` of vectors), and `labels` (class names) where conditional.

    Of a run with conditions one array for each of these.

    A table with columns of other kinds than numbers gives one array for each column.
    """
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays_of(samples, model))  # type: ignore[arg-type]
    return packed.getvalue()


def arrays_of(samples: Samples, model: Model) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz by name."""
    if model.table is not None:
        return {name: np.array(cells) for name, cells in cells_of(samples, model.table).items()}
    arrays = {"images" if samples.dim() == 4 else "samples": array_of(samples, model)}
    if model.units is not None and model.units.names:
        arrays["columns"] = np.array(model.units.names)
    if samples.labels is not None:
        arrays["labels"] = samples.labels
    return {**arrays, **{name: v for name, v in (samples.given or {}).items() if name not in arrays}}


def array_of(samples: Samples, model: Model) -> NDArray[Any]:
    """Return the samples as one array: images uint8 [N, H, W] or [N, H, W, C], all else in the user's own type."""
    if model.depth is not None:
        return model.depth.stored(samples.numpy())
    if samples.dim() == 4:
        return samples.to_images()
    if samples.dim() == 2:
        return rows_of(samples, model)
    return samples.numpy() if model.signal is None else model.signal.stored(samples.numpy())


def cells_of(samples: Samples, table: Table) -> dict[str, list[str]]:
    """Return rows of a table as the cells of each column, the class at its place."""
    labels = None if samples.labels is None else [str(label) for label in samples.labels.tolist()]
    told = {name: [str(v) for v in values.tolist()] for name, values in (samples.given or {}).items()}
    return {**with_label(table.cells(samples.numpy()), table, labels), **told}


def write_npy(samples: Samples, out: Path, model: Model) -> None:
    """Write one array, see array_of; labels next to it as NAME.labels.npy."""
    if model.table is not None:
        raise WganError(
            "a .npy holds one array of numbers, and this table has columns of other kinds: give a .csv or .npz"
        )
    parts = {out: array_of(samples, model)}
    if samples.labels is not None:
        parts[out.with_suffix(".labels.npy")] = samples.labels
    if samples.given and all(v.dtype.kind in "if" for v in samples.given.values()):  # a block of numbers, as it is read
        parts[out.with_suffix(".conditions.npy")] = np.stack([*samples.given.values()], axis=1)
    for path, array in parts.items():
        save_array(array, path)


def save_array(array: Any, path: Path) -> None:
    """Write one .npy, whole or not at all."""
    packed = io.BytesIO()
    np.save(packed, array)
    write_atomically(path, packed.getvalue())


def rows_of(samples: Samples, model: Model) -> NDArray[Any]:
    """Return vectors [N, C] in the type of the user's columns where they share one, else float64."""
    rows = samples.numpy()
    kinds = set() if model.units is None else set(model.units.kinds)
    return rows.astype(kinds.pop()) if len(kinds) == 1 else rows


def columns_of(samples: Samples, model: Model) -> dict[str, Any]:
    """Return the user's columns by name, in their order and types, the class among them; WganError for images.

    Signals have one row for each step: the number of the signal, the step, and a column for each channel.
    """
    if samples.dim() == 3:
        return steps_of(samples, model)
    if samples.dim() != 2:
        raise WganError(
            f"a table holds vectors, and these samples are {kind_of(samples.shape[1:])}: give a .png, a .npz or a "
            "folder/ to --out"
        )
    return {**values_of(samples.numpy(), model.table or model.units, samples.labels), **(samples.given or {})}


def steps_of(samples: Samples, model: Model) -> dict[str, Any]:
    """Return signals [N, C, T] as columns of N * T numbers: `signal`, `step`, the channels, and `label` where conditional."""
    count, channels, steps = samples.shape
    values = array_of(samples, model).reshape(count, -1, steps)
    names = [f"x{i}" for i in range(channels)] if model.signal is None else model.signal.channels
    columns: dict[str, Any] = {"signal": np.repeat(np.arange(count), steps), "step": np.tile(np.arange(steps), count)}
    columns |= {name: values[:, i].reshape(-1) for i, name in enumerate(names)}
    columns |= {name: np.repeat(v, steps) for name, v in (samples.given or {}).items()}
    return columns if samples.labels is None else {**columns, "label": np.repeat(samples.labels, steps)}


def write_csv(samples: Samples, out: Path, model: Model) -> None:
    """Write a CSV file, with tabs in a .tsv."""
    write_atomically(out, csv_text(samples, model, "\t" if out.suffix.lower() == ".tsv" else ",").encode())


def csv_text(samples: Samples, model: Model, delimiter: str = ",") -> str:
    """Return a table with the user's column names; whole numbers as such, others with their digits."""
    if model.table is not None:
        return cells_text(cells_of(samples, model.table), delimiter)
    columns = columns_of(samples, model)
    digits = (
        dict(zip(model.units.names, model.units.decimals, strict=True)) if model.units and model.units.names else {}
    )
    cells = [as_text(values, digits.get(name, -1)) for name, values in columns.items()]
    return cells_text(dict(zip(columns, cells, strict=True)), delimiter)


def cells_text(columns: dict[str, list[str]], delimiter: str) -> str:
    """Return columns of cells as CSV with a line of names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def as_text(values: NDArray[Any], digits: int) -> list[str]:
    """Return the cells of one column."""
    if values.dtype.kind != "f":
        return [str(v) for v in values.tolist()]
    return [f"{v:.{digits}f}" if digits >= 0 else repr(float(v)) for v in values.tolist()]


def write_parquet(samples: Samples, out: Path, model: Model) -> None:
    """Write a Parquet file with the user's column names and types; WganError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise WganError("writing Parquet needs pyarrow, install it with pip install 'wgan[parquet]'") from None
    columns = columns_of(samples, model)
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    for column in model.table.columns if model.table is not None else ():
        if column.kind == "date":  # days are days, and times of day no moments of 1970
            kind = {"day": pa.date32(), "time": pa.time64("us")}.get(holds(column.form))
            arrays[column.name] = arrays[column.name].cast(kind) if kind is not None else arrays[column.name]
    table = pa.table(arrays)
    replace_file(out, lambda file: pq.write_table(table, file))


def folder_name(label: str) -> str:
    """Return a class name as the name of one folder, which cannot lead to another place: N/A becomes N_A."""
    name = re.sub(r"[/\\:\x00-\x1f\ud800-\udfff]", "_", label)[:60]  # 60 characters are at most 240 of the 255 bytes
    return name if name.strip(". ") else "_"


def write_folder(samples: Samples, out: Path, model: Model) -> None:
    """Write a PNG of each image, a WAV of each recording, a .npy of each volume, below a folder for each class."""
    if samples.dim() == 3:
        write_recordings(samples, out, model)
        return
    if samples.dim() == 5:
        write_volumes(samples, out, model)
        return
    if model.depth is not None:
        write_values(samples, out, model.depth)
        return
    for i, image in enumerate(visible(samples.to_images())):
        save_png(Image.fromarray(image), folder_of(samples, i, out) / f"{i:06d}.png")


def write_values(samples: Samples, out: Path, units: PixelUnits) -> None:
    """Write one file for each grey image of values: PNG of 8 or 16 bits, else TIFF; WganError for several channels."""
    if samples.shape[1] > 1:
        raise WganError("pictures of values have one channel, and these have more: give a .npz or .npy to --out")
    png = units.dtype in ("uint8", "uint16")
    for i, values in enumerate(units.stored(samples.numpy())):
        kept = values if png or units.dtype == "int32" else values.astype(np.float32)
        image = Image.fromarray(kept)
        path = folder_of(samples, i, out) / f"{i:06d}{'.png' if png else '.tif'}"
        replace_file(path, lambda file, image=image: image.save(file, format="PNG" if png else "TIFF"))  # type: ignore[misc]


def write_volumes(samples: Samples, out: Path, model: Model) -> None:
    """Write one .npy [C, D, H, W] for each volume."""
    for i, values in enumerate(array_of(samples, model)):
        save_array(values, folder_of(samples, i, out) / f"{i:06d}.npy")


def folder_of(samples: Samples, i: int, out: Path) -> Path:
    """Return the folder of sample i, made where it is not there."""
    folder = out if samples.labels is None else out / folder_name(str(samples.labels[i]))
    make_folder(folder)
    return folder


def write_recordings(samples: Samples, out: Path, model: Model) -> None:
    """Write one WAV of 16 bits for each signal; WganError where the data were no such recordings."""
    units = model.signal
    if units is None or not units.rate:
        raise WganError(
            "a folder holds pictures or recordings, and these signals came from an array: give a .npz, .npy or .csv to --out"
        )
    for i, values in enumerate(units.stored(samples.numpy())):
        packed = io.BytesIO()
        with wave.open(packed, "wb") as file:
            file.setparams((values.shape[0], 2, units.rate, 0, "NONE", ""))
            file.writeframes(values.T.astype("<i2").tobytes())
        write_atomically(folder_of(samples, i, out) / f"{i:06d}.wav", packed.getvalue())


WRITERS: dict[str, Callable[[Samples, Path, Model], None]] = {
    ".png": write_grid,
    ".npz": write_npz,
    ".npy": write_npy,
    ".csv": write_csv,
    ".tsv": write_csv,
    ".parquet": write_parquet,
}
