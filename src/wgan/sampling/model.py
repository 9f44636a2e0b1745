"""Use of a trained run: load() gives a Model that samples and walks, the same sample for a seed whatever n."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wgan.data.conditions import Conditions
from wgan.data.conditions import from_json as conditions_from_json
from wgan.data.depth import PixelUnits
from wgan.data.depth import from_json as depth_from_json
from wgan.data.signals import SignalUnits
from wgan.data.signals import from_json as signal_from_json
from wgan.data.tabular.table import Table
from wgan.data.tabular.table import from_json as table_from_json
from wgan.data.units import Units, from_json
from wgan.distributed.group import Group
from wgan.engine import Engine, make_engine
from wgan.errors import WganError, nearest
from wgan.host import thread_count, undisturbed
from wgan.models import AnyGenerator
from wgan.rng import seeded, stream
from wgan.runs.checkpoint import part
from wgan.runs.folder import Run, open_run
from wgan.sampling.conditioned import conditioned
from wgan.sampling.draw import Draw
from wgan.sampling.generate import BLOCK, generate
from wgan.sampling.given import Given, codes_of
from wgan.sampling.inverter import Inverter, Scores, inverter_of, seen_by_networks
from wgan.sampling.latents import latents, truncated
from wgan.sampling.rows import (
    displayed,
    draw_of_rows,
    frame_of,
    in_units,
    name_of,
    own_labels,
    rows_in_units,
    rows_of_table,
)
from wgan.sampling.rows_where import rows_where
from wgan.sampling.shown import model_html, samples_html, samples_png
from wgan.sampling.stored import fill, network_of, require_fit, wanted_step
from wgan.sampling.weights import exported_checkpoint, whole_checkpoint
from wgan.visual.images import to_uint8

MANY = 10_000  # samples whose quantiles say how a generator's numbers become the few values of a column
OWN = 90_210  # their seed
LIMIT = 2**27  # numbers in one tensor of samples (512 MiB): 171,196 images of MNIST


class Samples(torch.Tensor):
    """A tensor of samples [N, *shape] (images in [-1, 1]) that can turn itself into images of bytes.

    labels: the user's own [N], int64 where the data's classes are whole numbers, else text; None = unconditional.
    columns: of rows, the names of the user's columns. outside: of rows, the fraction of each column that lay outside the
    training range before it was clipped.
    """

    labels: np.ndarray | None = None
    given: dict[str, np.ndarray] | None = None  # conditions of each sample by name, in the user's units
    warnings: tuple[str, ...] = ()  # on conditions that lie outside of the training range
    outside: dict[str, float] | None = None
    columns: list[str] | None = None
    depth: PixelUnits | None = None  # of images that are values in the user's units
    signals: bool = False  # [N, C, T], or one [C, T]
    volumes: bool = False  # [N, C, D, H, W], or one [C, D, H, W]
    kept: float = 1.0  # the fraction of the rows drawn that lie in the ranges asked for
    source: Units | Table | None = None  # of rows of a table: what says which values they stand for

    def __getitem__(self, index: Any) -> Tensor:
        """Return what the index picks, with the labels of those samples: samples[:5].labels is labels[:5]."""
        part = super().__getitem__(index)
        if isinstance(part, Samples) and part.dim() == 2 == self.dim() and part.shape[1] == self.shape[1]:
            part.columns, part.source = self.columns, self.source
        if isinstance(part, Samples) and part.dim() > 1:
            part.signals, part.volumes, part.depth = self.signals, self.volumes, self.depth
        rows = index[0] if isinstance(index, tuple) and index else index
        flat = not (isinstance(rows, Tensor) and rows.dim() > 1)  # an index of more axes picks values, not samples
        if isinstance(part, Samples) and flat:
            picked = rows.numpy() if isinstance(rows, Tensor) else rows
            part.labels = None if self.labels is None else self.labels[picked]
            part.given = None if self.given is None else {name: v[picked] for name, v in self.given.items()}
        return part

    def _repr_png_(self) -> bytes | None:
        return samples_png(self)

    def _repr_html_(self) -> str | None:
        return samples_html(self)

    def to_frame(self, library: str = "pandas") -> Any:
        """Return rows of a table as a DataFrame of `library`, pandas or polars, in the user's columns and types."""
        return frame_of(self, library)

    def to_images(self) -> np.ndarray:
        """Return uint8 images [N, H, W] (grey) or [N, H, W, 3], as a screen shows them; WganError for vectors."""
        return images_of(displayed(self))


def images_of(samples: Tensor) -> np.ndarray:
    """Return images x [N, C, H, W] in [-1, 1] as uint8 [N, H, W] or [N, H, W, 3]; WganError for vectors [N, D]."""
    if samples.dim() != 4:
        raise WganError(f"samples of shape {tuple(samples.shape[1:])} are not images")
    return np.concatenate([to_uint8(part) for part in samples.split(1000)])  # a whole tensor in fp64 would be large


@dataclass(frozen=True)
class Model:
    """The generator of a run, in evaluation mode: the averaged one, or the raw one."""

    run: Run
    step: int
    network: AnyGenerator
    engine: Engine
    notes: list[str]  # what the user should know, such as a damaged checkpoint that was passed over
    raw: bool = False  # whether the weights are those of the last step, although the run also averaged them

    def _repr_html_(self) -> str:
        return model_html(self)

    @property
    def weights(self) -> str:
        """Which weights these are: average or raw. An exported model says it of itself."""
        if self.run.exported is not None:
            return self.run.exported.weights
        return "raw" if self.raw or not self.run.config.ema else "average"

    @cached_property
    def class_names(self) -> list[str]:
        """The names of the labels; empty for an unconditional model."""
        return list(self.run.facts.class_names) if self.network.classes else []

    @cached_property
    def units(self) -> Units | None:
        """The columns of vectors that were standardised for training; None for images and bundled points.

        Where some have few values, the generator's own quantiles say which of its numbers become which value.
        """
        units = from_json(self.run.facts.units)
        if units is None or not any(units.values):
            return units
        labels = self.usual(MANY, OWN)
        z = latents(OWN, MANY, self.network.latent)
        parts = [
            self.decode(z[some], None if labels is None else labels[some]) for some in torch.arange(MANY).split(1000)
        ]
        return units.cut_by(torch.cat([part.as_subclass(Tensor) for part in parts]).numpy())

    @undisturbed()
    def sample(
        self,
        n: int = 64,
        label: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        truncation: float = 0.0,
        beyond_range: bool = False,
        where: str | None = None,
        given: Given | None = None,
    ) -> Samples:
        """Return n samples [n, *shape], images in [-1, 1], others in the user's units; the i-th is the same for every n.

        label: one of the user's own labels, or several that take turns; None = images of all classes in turn, and rows of
        a table with the class frequencies of the training data. truncation T > 0 draws latents from the normal cut to
        [-T, T]; 0 = not cut. beyond_range: rows are not clipped to the range and step of the training rows. where: what all rows
        of a table are to have, such as "colour=red,size=M". given: conditions of all samples, "energy=50,angle=-30..30" or
        {"energy": 50, "angle": (-30, 30)}; a range goes along the columns of the grid, and conditions that are not named are
        those of training samples. Raises WganError for a label that the model does not know, and for a column, condition or
        value that the training data do not have.
        """
        self.require_room(n)
        if where is not None:
            return rows_where(self, n, label, seed, truncation, where, given)
        draw = self.draw(n, label, seed, truncation, beyond_range, given)
        return draw.finish(self.decode(draw.z, draw.told))

    def draw(
        self,
        n: int,
        label: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        truncation: float = 0.0,
        beyond_range: bool = False,
        given: Given | None = None,
    ) -> Draw:
        """Return what `sample` computes for the same arguments: what the network is given, and what becomes of its samples."""
        if self.conditions is not None or given is not None:
            return conditioned(self, n, label, seed, truncation, beyond_range, given)
        if self.table is not None:
            return draw_of_rows(self, self.table, n, label, seed, truncation)
        told = self.usual(n, seed) if label is None else self.labels(n, label)
        z = truncated(latents(seed, n, self.network.latent), truncation)
        return Draw(z, told, lambda made: self.in_own_units(made, beyond_range))

    @cached_property
    def conditions(self) -> Conditions | None:
        """The numbers and categories that every sample is made for; None for a model that is told none."""
        return conditions_from_json(self.run.facts.conditions) if self.network.conditions else None

    def usual(self, n: int, seed: int) -> Tensor | None:
        """Return what n samples are made for where nobody asks: conditions and classes as in the data, or classes in turn."""
        if self.conditions is not None:
            return torch.from_numpy(self.conditions.encode(codes_of([], self.conditions, n, seed)))
        return self.drawn_labels(n, seed) if self.frequencies else self.labels(n, None)

    def in_own_units(self, samples: Samples, beyond_range: bool = False) -> Samples:
        """Return what the networks made in the user's units; images of bytes stay in [-1, 1]."""
        if self.signal is not None or self.depth is not None:
            return in_units(samples, self.signal or self.depth)
        return samples if self.units is None else rows_in_units(samples, self.units, beyond_range)

    @cached_property
    def table(self) -> Table | None:
        """The columns of a table with columns of any kind; None for other data."""
        return table_from_json(self.run.facts.table)

    @cached_property
    def signal(self) -> SignalUnits | None:
        """The channels of signals that were standardised for training; None for other data, and for bundled ones."""
        return signal_from_json(self.run.facts.signal)

    @cached_property
    def depth(self) -> PixelUnits | None:
        """The range of images that keep their values; None for other data."""
        return depth_from_json(self.run.facts.depth)

    @cached_property
    def untrained(self) -> list[str]:
        """The labels that no training sample had; empty where the run did not note how many had each."""
        counts = self.run.facts.class_counts
        return [name for name, count in zip(self.class_names, counts, strict=False) if not count]

    @property
    def frequencies(self) -> dict[str, float]:
        """The fraction of each class in the training data, for tables; empty for images, and for runs that did not note it."""
        counts = self.run.facts.class_counts
        if (
            (self.run.facts.units is None and self.run.facts.table is None)
            or not self.network.classes
            or len(counts) != len(self.class_names)
            or not sum(counts)
        ):
            return {}
        return {name: count / sum(counts) for name, count in zip(self.class_names, counts, strict=True)}

    def drawn_labels(self, n: int, seed: int) -> Tensor:
        """Return label numbers int64 [n], drawn with the class frequencies of the data; the i-th does not depend on n."""
        bounds = torch.tensor(list(self.frequencies.values()), dtype=torch.float64).cumsum(0)
        blocks = range(math.ceil(n / BLOCK))
        draws = [torch.rand(BLOCK, generator=stream(seed, b, "sample label"), dtype=torch.float64) for b in blocks]
        return torch.searchsorted(bounds / bounds[-1], torch.cat(draws)[:n], right=True).clamp(max=len(bounds) - 1)

    def require_room(self, n: int) -> None:
        """Raise WganError for a number of samples below 1, or of more than LIMIT numbers in all."""
        most = LIMIT // max(math.prod(self.run.facts.shape), self.network.latent)
        if n < 1:
            raise WganError(f"n must be at least 1, not {n}")
        if n > most:
            raise WganError(
                f"{n} samples do not fit into memory: ask for at most {most}, and for more with another seed"
            )

    @undisturbed()
    def decode(self, z: Tensor, labels: Tensor | None, sizes: Sequence[int] = (BLOCK,)) -> Samples:
        """Return G(z, labels) for latents [N, Z] and labels int64 [N], condition vectors [N, W] or None; sizes: see generate."""
        with thread_count(self.engine.threads):
            samples = self.as_samples(generate(self.network, z, labels, self.engine, sizes))
        samples.labels = None if labels is None or not self.network.classes else own_labels(labels, self.class_names)
        return samples

    def as_samples(self, made: Tensor) -> Samples:
        """Return what the generator made, images of bytes within [-1, 1]."""
        bytes_of_images = made.dim() == 4 and self.run.facts.depth is None
        samples = (made.clamp_(-1, 1) if bytes_of_images else made).as_subclass(Samples)
        samples.signals, samples.volumes = (len(self.run.facts.shape) == axes for axes in (2, 4))
        return samples

    @cached_property
    def inverter(self) -> Inverter:
        """The run's critic and encoder beside this generator; WganError without an encoder, or of another step."""
        return inverter_of(self.run, self.network, self.engine, self.step, self.raw)

    @undisturbed()
    def encode(self, x: Tensor | NDArray[Any]) -> Tensor:
        """Return the latents [N, Z] that the run's encoder finds for samples x [N, *shape], as `sample` gives them."""
        with thread_count(self.engine.threads):
            return self.inverter.encode(self.as_network_sees(x))

    @undisturbed()
    def reconstruct(self, x: Tensor | NDArray[Any], label: int | str | None = None) -> Samples:
        """Return G(E(x)) of samples x as above; label: the class of all, None = the nearest of each."""
        with thread_count(self.engine.threads):
            seen = self.as_network_sees(x)
            made = self.inverter.reconstruct(seen, None if label is None else self.labels(len(seen), label))
        samples = self.as_samples(made)
        return rows_of_table(samples, self.table) if self.table is not None else self.in_own_units(samples)

    @undisturbed()
    def score(self, x: Tensor | NDArray[Any], label: int | str | None = None) -> Scores:
        """Return how unusual samples x, as above, are for the run: see Scores; the threshold is wgan.score's."""
        with thread_count(self.engine.threads):
            seen = self.as_network_sees(x)
            return self.inverter.scores(seen, None if label is None else self.labels(len(seen), label))

    def as_network_sees(self, x: Tensor | NDArray[Any]) -> Tensor:
        """Return samples as `sample` gives them, or bytes of images, in the range of the networks [N, *shape]."""
        units, numbers = self.units or self.signal or self.depth, np.asarray(x)
        if numbers.dtype.kind not in "biuf":
            raise WganError(f"samples are numbers, as sample() gives them, and these are {numbers.dtype}")
        return seen_by_networks(torch.as_tensor(numbers), self.run, units, self.table)

    def to_images(self, samples: Tensor) -> np.ndarray:
        """Return samples in [-1, 1] as uint8 images [N, H, W] or [N, H, W, 3]."""
        return images_of(displayed(samples) if isinstance(samples, Samples) else samples)

    def labels(self, n: int, label: int | str | Sequence[int | str] | None) -> Tensor | None:
        """Return the label numbers int64 [n] that `label` asks for, None for an unconditional model."""
        if not self.network.classes:
            if label is not None:
                what = "has conditions, no classes," if self.network.conditions else "is an unconditional model"
                raise WganError(f"{self.run.path} {what} and cannot make a requested label: leave it out")
            return None
        asked = label.tolist() if isinstance(label, (np.ndarray, np.generic, Tensor)) else label
        if asked is None:
            asked = [name for name in self.class_names if name not in self.untrained]
        wanted = [asked] if isinstance(asked, (int, float, str)) else list(asked)
        if not wanted:
            raise WganError("label names no class: give at least one")
        numbers = np.array([self._number(name_of(label)) for label in wanted], np.int64)
        return torch.from_numpy(np.resize(numbers, n))

    def _number(self, name: str) -> int:
        if name not in self.class_names:
            raise WganError(f"unknown label '{name}': {nearest(name, self.class_names)}")
        if name in self.untrained:
            raise WganError(
                f"{self.run.path} never saw a training sample of label '{name}': it cannot make any; train on some first"
            )
        return self.class_names.index(name)


@undisturbed()
def load(
    run: str | Path | Run,
    checkpoint: str | int = "last",
    raw: bool = False,
    device: str = "cpu",
    group: Group | None = None,
    threads: int | None = None,
    generator: nn.Module | None = None,
) -> Model:
    """Load the generator of a run or of an exported model.

    Args:
        run: a run folder, a Run, or an exported model.
        checkpoint: 'last', 'best' or a step.
        raw: the raw generator instead of the averaged one.
        device: where it computes.
        group: processes that share the making of samples; each must ask for the same ones.
        threads: of the CPU; None = as many as the run was trained with.
        generator: the network itself, of a run that was trained with the caller's own; a copy of it gets the run's weights.

    Raises:
        WganError: the folder is not a run, has no such checkpoint, or its files are damaged.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    alone = opened.exported is not None  # the generator and nothing else
    notes: list[str] = []
    if alone:
        found = exported_checkpoint(opened, checkpoint, raw)
    else:
        found, notes = whole_checkpoint(opened, wanted_step(opened, checkpoint))
    config, facts = opened.config, opened.facts
    if threads is not None and not 1 <= threads <= 1024:
        raise WganError(f"threads must be between 1 and 1024, not {threads}")
    own = None if group and group.world > 1 else facts.threads
    engine = make_engine(device, facts.precision, threads or own, group=group)
    name = "generator" if alone or raw or not config.ema else "average"
    players = {"generator": part(found.tensors, name), "critic": part(found.tensors, "critic")}
    require_fit(opened, {"generator": players["generator"]} if alone else players, generator)
    with seeded(0, 0, "load"):  # the random start is overwritten, and torch's own stream stays where it was
        network = network_of(opened, generator)
    network.to(engine.device, engine.dtype)  # before the weights: fp64 ones would be rounded
    fill(network, part(found.tensors, name), opened)
    network.requires_grad_(False).eval()
    return Model(opened, found.step, network, engine, notes, raw)
