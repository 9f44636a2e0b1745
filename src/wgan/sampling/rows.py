"""Samples of a table as rows in the user's own columns, and as data frames."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.data.depth import PixelUnits
from wgan.data.signals import SignalUnits
from wgan.data.tabular.table import Table
from wgan.data.units import Units
from wgan.errors import WganError
from wgan.sampling.draw import Draw
from wgan.sampling.latents import latents, truncated
from wgan.sampling.where import Where, conditions, insist

if TYPE_CHECKING:
    from wgan.sampling.model import Model, Samples


def rows_in_units(samples: Samples, units: Units, beyond_range: bool = False) -> Samples:
    """Return standardised vectors [N, D] as float64 rows [N, C] in the user's units, with their labels."""
    rows = torch.from_numpy(units.restore(samples.numpy(), beyond_range)).as_subclass(type(samples))
    rows.labels, rows.source = samples.labels, units
    shares = units.outside(samples.numpy()).mean(0)
    names = units.names or [f"x{i}" for i in range(len(shares))]
    rows.columns = list(names)
    rows.outside = {name: float(share) for name, share in zip(names, shares, strict=True) if share > 0}
    return rows


def in_units(samples: Samples, units: SignalUnits | PixelUnits | None) -> Samples:
    """Return signals, volumes, or images that keep their values, [N, C, ...], as float64 ones in the user's units."""
    assert units is not None
    values = torch.from_numpy(units.restore(samples.numpy())).as_subclass(type(samples))
    values.labels, values.signals, values.volumes = samples.labels, samples.signals, samples.volumes
    values.depth = units if isinstance(units, PixelUnits) else None
    return values


def displayed(samples: Samples) -> Tensor:
    """Return samples as they are shown: images in units as networks see them, of which [-1, 1] is black to white."""
    plain = samples.detach().as_subclass(torch.Tensor).cpu()
    return plain if samples.depth is None else torch.from_numpy(samples.depth.standardise(plain.numpy()))


def rows_of_table(samples: Samples, table: Table, wanted: Sequence[Where] = ()) -> Samples:
    """Return a generator's rows [N, D] as codes float64 [N, C] of a table, with their labels."""
    rows = torch.from_numpy(insist(table.decode(samples.numpy()), wanted)).as_subclass(type(samples))
    rows.labels, rows.source, rows.columns = samples.labels, table, table.names
    return rows


def draw_of_rows(
    model: Model,
    table: Table,
    n: int,
    label: int | str | Sequence[int | str] | None,
    seed: int,
    truncation: float,
    start: int = 0,
    wanted: Sequence[Where] = (),
) -> Draw:
    """Return what makes the rows from `start` to n of a table, codes float64 [n - start, C], each with what is `wanted`."""
    asked = conditions(wanted, table, n) if wanted else None
    if model.network.classes or label is not None:
        asked = model.drawn_labels(n, seed) if label is None and model.frequencies else model.labels(n, label)
    z = truncated(latents(seed, n, model.network.latent)[start:], truncation)
    return Draw(z, None if asked is None else asked[start:], lambda made: rows_of_table(made, table, wanted))


def values_of(rows: NDArray[Any], columns: Units | Table | None, labels: NDArray[Any] | None) -> dict[str, Any]:
    """Return the user's columns by name, in their order and types, the class among them: arrays, or lists of a Table."""
    if isinstance(columns, Table):
        found: dict[str, Any] = columns.values(rows)
    elif columns is None or not columns.names:
        found = {f"x{i}": rows[:, i] if columns is None else columns.column(rows, i) for i in range(rows.shape[1])}
    else:
        found = {name: columns.column(rows, i) for i, name in enumerate(columns.names)}
    return with_label(found, columns, labels)


def with_label(found: dict[str, Any], columns: Units | Table | None, labels: Any) -> dict[str, Any]:
    """Return columns by name with that of the class at its place, at the end where it has none."""
    if labels is None:
        return found
    named = columns is not None and columns.label
    at = columns.label_at if columns is not None and named else len(found)
    items = [*found.items()]
    items.insert(at, (columns.label if columns is not None and named else "label", labels))
    return dict(items)


def frame_of(samples: Samples, library: str) -> Any:
    """Return rows as a DataFrame of pandas or polars; WganError for images, or a library that is not there."""
    if samples.dim() != 2:
        what = "signals: use numpy()" if samples.dim() == 3 else "images: use to_images()"
        raise WganError(f"only rows become a DataFrame, and these samples are {what}")
    if library not in ("pandas", "polars"):
        raise WganError(f"to_frame makes a DataFrame of pandas or polars, not of {library}")
    try:
        module = importlib.import_module(library)
    except ImportError:
        raise WganError(f"to_frame needs {library}, which is not installed: pip install {library}") from None
    return module.DataFrame(values_of(np.asarray(samples), samples.source, samples.labels))


def own_labels(numbers: Tensor, names: Sequence[str]) -> np.ndarray:
    """Return label numbers [N] as the data name their classes: int64 where every name is a whole number, else text.

    A name such as 007 is text: as a number it would lose what it is.
    """
    own = [names[i] for i in numbers.tolist()]
    whole = all(n.removeprefix("-").isdecimal() and len(n) < 19 and str(int(n)) == n for n in names)
    return np.array([int(n) for n in own]) if whole else np.array(own)


def name_of(label: Any) -> str:
    """Return the class name of a label as the data would give it: 1 for 1, 1.0 and True, as labels of these types are named."""
    whole = isinstance(label, (bool, float)) and float(label).is_integer()
    return str(int(label)) if whole else str(label)
