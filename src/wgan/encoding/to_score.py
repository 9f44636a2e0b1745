"""opened_data(): the samples that are to be scored, as a run's networks take them, in the order in which they are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.config import ReadingOptions, part
from wgan.data import Source, is_own, open_source
from wgan.data.depth import PixelUnits
from wgan.data.own.image_folder import names_of_pictures
from wgan.data.own.open import open_own
from wgan.data.own.tables import TABLES
from wgan.data.signals import SignalUnits
from wgan.data.split import WHOLE
from wgan.data.tabular.known import require_known
from wgan.data.units import Units
from wgan.errors import WganError
from wgan.evaluation.samples import (
    encoded,
    is_pictures,
    labels_beside,
    name_of_samples,
    read_arrays,
    read_codes,
    read_table,
    standard_samples,
)
from wgan.runs.folder import Run

PART = 1000  # samples that are read at a time


@dataclass(frozen=True, eq=False)
class ToScore:
    """The samples to score: a source, or the rows of a table; with their labels as the user wrote them."""

    source: Source | None
    rows: Tensor | None
    labels: list[str] | None
    split: str
    standard: Units | SignalUnits | PixelUnits | None = None  # of the run's own data
    files: list[str] | None = None  # of each sample, where it has one of its own

    def __len__(self) -> int:
        return len(self.rows if self.rows is not None else self.source or ())

    def batch(self, index: Tensor) -> Tensor:
        """Return samples by their numbers, in the range of the networks or as bytes."""
        if self.rows is not None:
            return self.rows[index]
        assert self.source is not None
        return self.standardised(self.source.batch(index)[0])

    def parts(self) -> list[Tensor]:
        """Return the samples in parts."""
        return [self.batch(index) for index in torch.arange(len(self)).split(PART)]

    def standardised(self, x: Tensor) -> Tensor:
        """Return samples of the source by the run's mean and deviation, where they were standardised by their own."""
        theirs = None if self.source is None else standard_of(self.source)
        if theirs is None or self.standard is None or theirs == self.standard:
            return x
        values = theirs.restore(x.numpy(), True) if isinstance(theirs, Units) else theirs.restore(x.numpy())
        return torch.from_numpy(self.standard.standardise(values))


def opened_data(run: Run, own: Source, data: str, split: str | None, options: ReadingOptions | None) -> ToScore:
    """Return the samples of `data` as the run's networks take them; WganError where they do not fit."""
    path = Path(data)
    if len(own.shape) == 1 and path.suffix.lower() in (*TABLES, ".npy", ".npz") and path.is_file():
        if options is not None:
            raise WganError(f"{data} is read as {run.path} read its own rows: leave out how data are read")
        if split is None:
            return table_rows(path, own)
        if str(path.resolve()) != own.name:
            raise WganError(
                f"{data} is scored whole: leave --split out, it divides the data of the run and bundled ones"
            )
    which = split or (WHOLE if is_own(data) else "test")
    source = opened_source(data, which, part(ReadingOptions, options or run.config))
    if source.shape != run.facts.shape:
        raise WganError(
            f"{run.path} makes samples of shape {run.facts.shape}, and {data} has {source.shape}{reading_text(run, source)}"
        )
    if (standard_of(source) is None) != (standard_of(own) is None):
        raise WganError(f"{data} and {own.name} are not of one kind: only one of them was standardised")
    labels = None if source.labels is None else [source.class_names[i] for i in source.labels.tolist()]
    files = names_of_pictures(path) if which == WHOLE and path.exists() and is_pictures(path) else []
    return ToScore(source, None, labels, which, standard_of(own), files if len(files) == len(source) else None)


def opened_source(data: str, split: str, options: ReadingOptions) -> Source:
    """Return the source of `data`: the user's own are read by the options."""
    if split == WHOLE:
        return open_own(data, split, options)
    return open_source(data, split, options=options if is_own(data) else None)


def reading_text(run: Run, source: Source) -> str:
    """Return how images of another size or other channels become the run's."""
    if not (source.is_image and len(run.facts.shape) == 3 and is_own(source.name)):
        return ""
    channels, height, width = run.facts.shape
    size = f"{height}" if height == width else f"{height}x{width}"
    return f": read them with --size {size} --channels {channels}"


def standard_of(source: Source) -> Units | SignalUnits | PixelUnits | None:
    """Return what standardised the samples of a source, where anything did."""
    return source.units or source.signal or source.depth


def table_rows(path: Path, own: Source) -> ToScore:
    """Return the rows of a table in the units, or the codes, of the run's own."""
    if own.table is not None:
        rows, names = read_codes(path, own, own.table)
        require_known(own.table, rows, str(path))
        return ToScore(None, encoded(own.table, rows), texts(names), WHOLE)
    arrays = read_table(path, own) if path.suffix.lower() in TABLES else read_arrays(path)
    name = name_of_samples(arrays, path)
    x = standard_samples(arrays[name], own, f"{path} ({name})")
    if not len(x):
        raise WganError(f"{path} holds no samples")
    return ToScore(None, x, texts(labels_beside(arrays, len(x), path)), WHOLE)


def texts(labels: NDArray[Any] | None) -> list[str] | None:
    """Return labels as the user wrote them."""
    return None if labels is None else [str(v) for v in labels.tolist()]
