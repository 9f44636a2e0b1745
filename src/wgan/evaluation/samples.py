"""What is evaluated: the fakes of a run or of a file, and the reals they are compared with, in the data's own units."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.config import ReadingOptions
from wgan.data import Source, open_source
from wgan.data.depth import PixelUnits
from wgan.data.own.arrays import load_npy, read_npz
from wgan.data.own.open import is_archive
from wgan.data.own.tables import TABLES
from wgan.data.source import report_indices
from wgan.data.tabular.cells import read_cells
from wgan.data.tabular.read import codes_like
from wgan.data.tabular.table import Table
from wgan.errors import WganError
from wgan.rng import stream
from wgan.sampling.export import folder_name
from wgan.sampling.generate import BLOCK
from wgan.sampling.model import Model

ORDER = "evaluation order"  # the stream of the permutation that the samples of a file are read in
DRAWS = 4  # sets of training samples that a reference is the mean of, and its spread over
PART = 10 * BLOCK  # fakes made at once: as floats they take four times the bytes that are kept


@dataclass(frozen=True, kw_only=True)
class About:
    """Where fakes come from; None for what does not apply."""

    n_fake: int
    file: str | None = None
    folder: str | None = None  # of images, or an archive of them
    run: str | None = None
    step: int | None = None
    generator: str | None = None  # raw | average
    seed: int | None = None  # of the latents
    checkpoint: str | None = None  # what was asked for: last, best or a step

    def to_json(self) -> dict[str, str | int]:
        """Return what applies, by name, as metrics.json has it."""
        names = ("file", "folder", "run", "step", "generator", "seed", "n_fake", "checkpoint")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, eq=False)
class Subject:
    """n fakes: images uint8 [N, C, H, W], else float32 [N, *shape], their labels int64 [N], their source.

    Labels may be None. In an order that says nothing about them: metrics read the first samples, the last, or one half.
    """

    fakes: Tensor
    labels: Tensor | None
    about: About
    told: Tensor | None = None  # the vectors of conditions [n, W] that they were made for
    outside: NDArray[np.bool_] | None = None  # of a table: which numbers [N, C] lie outside the training range
    rows: NDArray[np.float64] | None = None  # of a table: its rows [N, C], see table_rows


@dataclass(frozen=True, eq=False)
class Reals:
    """The reals of one data set: the held-out part that is reported on, and the training split.

    Reference values are those of training samples that stand in for fakes: `draws` disjoint sets of n, the first of which is
    `draw(0)`.
    """

    train: Source
    test: Source
    n: int
    seed: int = 0
    cache: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def held_out(self) -> tuple[Tensor, Tensor | None]:
        """Up to n held-out samples, none of which chose a checkpoint."""
        return self.test.batch(report_indices(len(self.test))[: self.n])

    def balanced(self, n: int) -> Tensor:
        """Return up to n held-out samples; of a toy with known modes equally many of each, from all that are reported on."""
        if self.test.mode_index is None or self.test.modes is None:
            return self.held_out[0][:n]
        candidates = report_indices(len(self.test))
        modes = self.test.mode_labels(candidates)
        each = [candidates[modes == k][: n // self.test.mode_count] for k in range(self.test.mode_count)]
        return self.test.batch(torch.cat(each))[0]

    @property
    def draws(self) -> int:
        """How many disjoint sets of n samples the training split holds, at most DRAWS; 1 where it holds fewer than two."""
        return max(1, min(DRAWS, len(self.train) // self.n))

    def draw(self, k: int) -> tuple[Tensor, Tensor | None]:
        """Return the k-th set of n training samples (the first of all there are, where they are fewer)."""
        return self._first if k == 0 else self._train(k * self.n, self.n)

    @functools.cached_property
    def _first(self) -> tuple[Tensor, Tensor | None]:
        """n training samples, or all where there are fewer."""
        return self._train(0, self.n)

    @property
    def half(self) -> int:
        """The size of two disjoint sets of training samples: n, or half of all where they are fewer than 2n."""
        return min(self.n, len(self.train) // 2)

    @functools.cached_property
    def unfitted(self) -> tuple[Tensor, Tensor | None]:
        """Training samples that stand in for fakes before an evaluation critic: none of `fitting` is among them."""
        return self._first if self.half == self.n else self._train(0, self.half)

    @functools.cached_property
    def fitting(self) -> tuple[Tensor, Tensor | None]:
        """Other training samples, as many as `unfitted`, from which an evaluation critic may learn what is real."""
        return self._train(self.half, self.half)

    def _train(self, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        return self.train.batch(self.order(start, count))

    def order(self, start: int, count: int) -> Tensor:
        """Return the numbers of training samples at the places start .. start + count - 1 of a fixed random order."""
        return torch.randperm(len(self.train), generator=stream(self.seed, 0, "evaluation"))[start : start + count]


def open_reals(spec: str, n: int, seed: int = 0, options: ReadingOptions | None = None) -> Reals:
    """Open both splits of the data `spec`, read as `options` say where they are the user's own."""
    train, test = (open_source(spec, split, options=options) for split in ("train", "test"))
    return Reals(train, test, n, seed)


def from_model(model: Model, n: int, seed: int, labels: Tensor | None) -> Subject:
    """Make n fakes with a loaded model; a conditional one gets `labels`, or vectors of conditions, in random order."""
    from wgan.sampling.latents import latents

    z = latents(seed, n, model.network.latent)
    asked = labels if model.network.told else None
    if asked is None and model.conditions is not None:
        asked = model.usual(n, seed)
    known = asked if model.network.classes else None
    parts = []
    for some in torch.arange(n).split(PART):
        samples = model.decode(z[some], None if asked is None else asked[some]).as_subclass(Tensor)
        parts.append(to_bytes(samples) if samples.dim() == 4 and model.depth is None else samples)
    about = About(run=str(model.run.path), step=model.step, generator=model.weights, seed=seed, n_fake=n)
    fakes, units = torch.cat(parts), model.units
    if model.table is not None:
        rows = model.table.decode(fakes.numpy())
        return Subject(encoded(model.table, rows), known, about, rows=rows)
    if units is None:
        return Subject(fakes, known, about)
    rows = units.restore(fakes.numpy())
    seen = torch.from_numpy(units.standardise(rows))  # what `wgan sample` would write
    return Subject(seen, known, about, outside=units.outside(fakes.numpy()), rows=rows)


def encoded(table: Table, rows: NDArray[np.float64]) -> Tensor:
    """Return rows [N, C] of a table as networks see them, float32 [N, D]."""
    return torch.from_numpy(table.encode(rows, np.arange(len(rows)))).float()


def to_bytes(x: Tensor) -> Tensor:
    """Return images in [-1, 1] as the uint8 [N, C, H, W] a viewer would show: evaluation sees what users see."""
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_file(path: Path, n: int, like: Source) -> Subject:
    """Read up to n samples of a file that any program made; WganError for what does not fit the data `like`.

    They come in a fixed random order: files are often sorted by class, and then the first n, or one half, lack some.
    npz: `images` uint8 [N, H, W] or [N, H, W, 3], or `samples` float [N, D]; `labels` [N], class names, beside them.
    npy: one such array. csv, tsv, parquet: the columns of the data, in any order, the class among them where it is known.
    Never unpickles.
    """
    if like.table is not None:
        return from_table(path, n, like, like.table)
    if like.is_signal and path.suffix.lower() in TABLES:
        raise WganError(f"{path} is a table, and {like.name} holds signals: give a .npz or .npy of them")
    arrays = read_arrays(path) if path.suffix.lower() not in TABLES else read_table(path, like)
    name = name_of_samples(arrays, path)
    if like.depth is not None:
        fakes = as_values(arrays[name], like.shape, like.depth, f"{path} ({name})")
    elif like.is_signal:
        fakes = as_signals(arrays[name], like, f"{path} ({name})")
    else:
        fakes = standard_samples(arrays[name], like, f"{path} ({name})")
    labels = labels_beside(arrays, len(fakes), path)
    order = torch.randperm(len(fakes), generator=stream(0, 0, ORDER))[:n]
    about = About(file=str(path), n_fake=len(order))
    numbers = label_numbers(labels, like, str(path))[order] if labels is not None and like.classes else None
    if like.units is None:
        return Subject(fakes[order], numbers, about)
    seen = fakes[order].numpy()
    own = like.units.restore(seen, beyond_range=True)
    return Subject(fakes[order], numbers, about, outside=like.units.outside(seen), rows=own)


def from_table(path: Path, n: int, like: Source, table: Table) -> Subject:
    """Read up to n rows of a file with the columns of the data `like`, in any order; WganError for one that has others."""
    rows, labels = read_codes(path, like, table)
    order = torch.randperm(len(rows), generator=stream(0, 0, ORDER))[:n]
    numbers = label_numbers(labels, like, str(path))[order] if labels is not None and like.classes else None
    rows = rows[order.numpy()]
    return Subject(encoded(table, rows), numbers, About(file=str(path), n_fake=len(order)), rows=rows)


def read_codes(path: Path, like: Source, table: Table) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
    """Return the rows [N, C] of a file with the columns of `table`, and its classes [N] where it has that column."""
    if path.suffix.lower() not in TABLES:
        raise WganError(f"{path} is not a table, and {like.name} is one: give a .csv, .tsv or .parquet")
    cells = read_cells(path)
    rows = codes_like(table, dict(zip(cells.names, cells.columns, strict=True)), str(path))
    if not table.label or table.label not in cells.names:
        return rows, None
    return rows, np.array([c.strip() for c in cells.column(table.label)])


def name_of_samples(arrays: dict[str, NDArray[Any]], path: Path) -> str:
    """Return which array of a file holds the samples; WganError where none has a name that says so."""
    name = next((k for k in ("images", "samples", "x", "arr_0") if k in arrays), None)
    if name is None:
        raise WganError(f"{path} holds {', '.join(arrays) or 'nothing'}: expected an array named images or samples")
    return name


def labels_beside(arrays: dict[str, NDArray[Any]], n: int, path: Path) -> NDArray[Any] | None:
    """Return the labels [n] beside n samples, None where there are none; WganError for another number of them."""
    labels = arrays.get("labels")
    if labels is not None and (labels.shape != (n,) or labels.dtype.kind not in "biuU"):
        raise WganError(f"{path}: labels must be {n} whole numbers or texts, not {labels.dtype} {list(labels.shape)}")
    return labels


def standard_samples(array: NDArray[Any], like: Source, where: str) -> Tensor:
    """Return bytes of images or vectors as networks see them; rows of a table in the user's units, all columns of them."""
    if like.units is None:
        return as_samples(array, like.shape, where)
    rows = as_samples(array, (len(like.units.mean),), where, np.float64)  # as `wgan sample` writes them
    return torch.from_numpy(like.units.standardise(rows.numpy()))


def table_rows(source: Source, indices: Tensor) -> NDArray[np.float64]:
    """Return the rows [B, C] of a table: codes, or numbers in the user's units."""
    if source.codes is not None:
        return source.codes(indices).numpy()
    x = source.batch(indices)[0].numpy()
    return x.astype(np.float64) if source.units is None else source.units.restore(x, beyond_range=True)


def is_pictures(path: Path) -> bool:
    """Return whether samples are given as a folder or an archive of images."""
    return path.is_dir() or (path.suffix.lower() not in (*TABLES, ".npz", ".npy") and is_archive(path))


def from_pictures(path: Path, n: int, like: Source) -> Subject:
    """Read up to n samples of a folder or archive of images; its folders are their classes where the data `like` have any.

    Raises WganError for images of another size than the data's, or a folder that is not a class of them.
    """
    if like.depth is not None:
        raise WganError(
            f"{like.name} holds {'volumes' if like.is_volume else 'values (depth float)'}: give a .npz or .npy"
        )
    if not like.is_image:
        kind = "signals: give an array" if like.is_signal else "vectors: give a table or an array"
        raise WganError(f"{path} holds images, and {like.name} holds {kind}")
    found = open_source(str(path.resolve()), "all", options=ReadingOptions(channels=min(like.shape[0], 3)))
    if found.shape != like.shape:
        sizes = [f"{s[1]}x{s[2]} in {s[0]} channel{'s' * (s[0] > 1)}" for s in (found.shape, like.shape)]
        raise WganError(f"the images of {path} are {sizes[0]}, and those of {like.name} {sizes[1]}: make them one size")
    some = torch.randperm(len(found), generator=stream(0, 0, ORDER))[:n]  # a folder is sorted by class
    fakes, y = found.batch(some)
    labels = None
    if y is not None and like.classes:
        names = {folder_name(name): name for name in like.class_names}  # as `wgan sample` writes them
        own = np.array([names.get(name, name) for name in found.class_names])
        labels = label_numbers(own[y.numpy()], like, str(path))
    return Subject(fakes, labels, About(folder=str(path), n_fake=len(fakes)))


def label_numbers(labels: NDArray[Any], like: Source, where: str) -> Tensor:
    """Return class names [N], as `wgan sample` writes them, as label numbers of the data `like`; WganError for another."""
    numbers = {name: i for i, name in enumerate(like.class_names)}
    texts = [str(label) for label in labels.tolist()]
    strange = sorted(set(texts) - set(numbers))
    if strange:
        raise WganError(f"{where} holds the label {strange[0][:40]}, and {like.name} has {', '.join(numbers)}")
    return torch.tensor([numbers[text] for text in texts])


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz or .npy file; WganError for anything else, or one that unpacks to too much."""
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix == ".npy":
        return {"samples": load_npy(path)}
    raise WganError(
        f"{path} is not a run folder, a folder or archive of images, or a .npz, .npy, .csv, .tsv or .parquet file"
    )


def read_table(path: Path, like: Source) -> dict[str, NDArray[Any]]:
    """Return the columns of a table as `samples`, in the order of the data `like`, and its class as `labels`."""
    units = like.units
    found = TABLES[path.suffix.lower()](path, (units.label if units else "") or "label", needed=False)
    arrays = {"samples": found.values} if found.labels is None else {"samples": found.values, "labels": found.labels}
    if units is not None and units.names and found.names and units.names != found.names:
        strange = sorted(set(units.names) ^ set(found.names))
        if strange:
            raise WganError(f"{path} and {like.name} have other columns: only one of them has {', '.join(strange[:5])}")
        arrays["samples"] = found.values[:, [found.names.index(name) for name in units.names]]
    return arrays


def as_values(array: NDArray[Any], shape: tuple[int, ...], units: PixelUnits, where: str) -> Tensor:
    """Return images [N, H, W] or [N, H, W, C] in the user's units as float32 [N, C, H, W]; WganError where they do not fit.

    Volumes are [N, C, D, H, W], or [N, D, H, W] of one channel.
    """
    values = array[:, None] if array.ndim == len(shape) else array
    if array.ndim == 4 == len(shape) + 1:
        values = np.moveaxis(array, -1, 1)
    if values.shape[1:] != shape or values.dtype.kind not in "fiu":
        layout = layout_of(shape)
        raise WganError(f"{where} is {array.dtype} {list(array.shape)}: expected numbers {layout}")
    require_finite(values, where)
    return torch.from_numpy(np.ascontiguousarray(units.standardise(values)))


def as_signals(array: NDArray[Any], like: Source, where: str) -> Tensor:
    """Return signals [N, C, T] in the user's units, or [N, T] of one channel, standardised; WganError where they do not fit."""
    values = array[:, None] if array.ndim == 2 and like.shape[0] == 1 else array
    if values.shape[1:] != like.shape or values.dtype.kind not in "fiu":
        channels, steps = like.shape
        wanted = f"[N, C, T], {channels} channels of" if channels > 1 else "[N, T], one channel of"
        raise WganError(f"{where} is {array.dtype} {list(array.shape)}: expected {wanted} {steps} steps")
    require_finite(values, where)
    units = like.signal
    return torch.from_numpy(values.astype(np.float32) if units is None else units.standardise(values))


def as_samples(array: NDArray[Any], shape: tuple[int, ...], where: str, kind: Any = np.float32) -> Tensor:
    """Return the array as uint8 [N, C, H, W] or float32 [N, D]; WganError when it does not fit samples of `shape`."""
    if len(shape) == 1:
        if array.ndim != 2 or array.shape[1:] != shape or array.dtype.kind not in "fiu":
            raise WganError(f"{where} is {array.dtype} {list(array.shape)}: expected numbers [N, {shape[0]}]")
        require_finite(array, where)
        return torch.from_numpy(np.ascontiguousarray(array, dtype=kind))
    if array.dtype != np.uint8 or array.shape[1:] != stored_shape(shape):
        layout = layout_of(shape)
        raise WganError(f"{where} is {array.dtype} {list(array.shape)}: expected uint8 {layout}")
    images = torch.from_numpy(np.require(array, requirements=["C", "W"]))  # a mapped .npy may not be written to
    return images[:, None] if shape[0] == 1 else images.permute(0, 3, 1, 2).contiguous()


def stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in which a file holds an image [C, H, W], [H, W] or [H, W, C], or a volume, as it is."""
    if len(shape) == 4:
        return shape
    c, h, w = shape
    return (h, w) if c == 1 else (h, w, c)


def layout_of(shape: tuple[int, ...]) -> str:
    """Return the shape of an array of such images in words: [N, 28, 28]."""
    return f"[{', '.join(map(str, ('N', *stored_shape(shape))))}]"


def require_finite(array: NDArray[Any], where: str) -> None:
    """Raise WganError for NaN or infinite values."""
    if not np.isfinite(array).all():
        raise WganError(f"{where} holds NaN or infinite values")
