"""Source: what every data set looks like to the loop and the metrics, and the random stream it is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.data.conditions import Conditions
from wgan.data.depth import PixelUnits
from wgan.data.signals import SignalUnits
from wgan.data.tabular.table import Table
from wgan.data.units import Units
from wgan.errors import WganError

SPLITS = ("train", "test", "all")
TOYS = ("ring", "grid")  # bundled points whose modes are known
# the shipped digit classifier, of a whole image or of each channel of one
Reader = Literal["lenet-mnist", "lenet-mnist by channel"]

RECIPES = {1: "vectors", 2: "signals", 3: "images", 4: "volumes"}  # that fit samples of as many dimensions
Shown = Callable[[NDArray[Any]], dict[str, NDArray[Any]]]  # samples [N, *shape] -> by name numbers or texts [N]


@dataclass(frozen=True, eq=False)
class Source:
    """A fixed, finite, indexed data set in memory; sample i is the same on every call, machine and process."""

    name: str  # the spec it was opened with, such as mnist:0-4
    split: str  # train, test, or all = train then test
    shape: tuple[int, ...]  # of one sample: (C, H, W) for images, (C, T) for signals, (C, D, H, W) for volumes, (D,)
    size: int  # N, the number of samples
    gather: Callable[[Tensor], Tensor] = field(
        repr=False
    )  # indices int64 [B] -> uint8 [B, C, H, W] or float32 [B, C, T], [B, C, D, H, W], [B, D]
    labels: Tensor | None = field(default=None, repr=False)  # int64 [N] in 0..classes-1
    classes: int = 0  # 0 = unlabelled
    class_names: tuple[str, ...] = ()
    recipe: str = ""  # which recipe fits: it is trained when nobody names one
    reader: Reader | None = None  # which of the package's classifiers knows what these samples show
    mode_tests: tuple[str, ...] = ()  # specs of like data with known modes: where `wgan compare` counts collapse
    modes: Tensor | None = field(default=None, repr=False)  # float32 [K, D], the centres of a toy
    sigma: float = 0.0  # standard deviation of a toy's noise in each coordinate, in the units of the samples
    mode_count: int = 0  # K; 0 = the modes are not known
    mode_index: Tensor | None = field(default=None, repr=False)  # int64 [N] in 0..mode_count-1
    units: Units | None = field(default=None, repr=False)  # of vectors that were standardised
    depth: PixelUnits | None = field(default=None, repr=False)  # of images of values and volumes, float32 in [-1, 1]
    signal: SignalUnits | None = field(default=None, repr=False)  # of signals that were standardised
    table: Table | None = field(default=None, repr=False)  # of a table with columns of any kind, and
    codes: Callable[[Tensor], Tensor] | None = field(
        default=None, repr=False
    )  # indices [B] -> its rows, float64 [B, C]
    conditions: Conditions | None = field(default=None, repr=False)  # numbers and categories of each sample, and
    told: Tensor | None = field(default=None, repr=False)  # the vectors of them, float32 [N, W]: instead of labels
    shown: Shown | None = field(default=None, repr=False)  # reads conditions off samples, where these show them
    asked: Tensor | None = field(default=None, repr=False)  # int64 [N, A], see Table.conditions
    fingerprint: str = ""  # of the content of a user's own data; "" = bundled
    notes: tuple[str, ...] = ()  # what the user should know about how the data were read

    def __len__(self) -> int:
        return self.size

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image [C, H, W], uint8 or float32, rather than a vector float32 [D] or a signal."""
        return len(self.shape) == 3

    @property
    def is_signal(self) -> bool:
        """Whether a sample is a signal float32 [C, T]: C channels of T steps."""
        return len(self.shape) == 2

    @property
    def is_volume(self) -> bool:
        """Whether a sample is a volume float32 [C, D, H, W]."""
        return len(self.shape) == 4

    @property
    def kind(self) -> str:
        """What the samples are called, as the recipe that fits them."""
        return kind_of(self.shape)

    @property
    def radius(self) -> float:
        """3σ, the distance to a centre within which a sample counts as high quality; 0 without centres."""
        return 0.0 if self.modes is None else 3 * self.sigma

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return samples [B, *shape] and what networks are told of them at `indices` int64 [B].

        That is labels int64 [B], condition vectors float32 [B, W], or None. An index outside 0..N-1 raises IndexError: it
        is a fault of the caller, not of the user.
        """
        known = self.labels if self.told is None else self.told
        return self.gather(indices), None if known is None else known.index_select(0, indices)

    def facts(self) -> dict[str, Any]:
        """Return what a run records about a user's own data: a hash of their content, units of tables, class counts."""
        found: dict[str, Any] = {}
        if self.conditions is not None:  # of bundled data, too
            found["conditions"] = self.conditions.to_json()
        if self.depth is not None:
            found["depth"] = self.depth.to_json()
        if not self.fingerprint:
            return found
        found |= {"data": self.fingerprint, "units": None if self.units is None else self.units.to_json()}
        if self.signal is not None:
            found["signal"] = self.signal.to_json()
        if self.table is not None:
            found["table"] = self.table.to_json()
        if self.labels is not None:
            found["class_counts"] = tuple(self.labels.bincount(minlength=self.classes).tolist())
        return found

    def mode_labels(self, indices: Tensor) -> Tensor:
        """Return the true mode, int64 [B] in 0..mode_count-1, of the samples at `indices` int64 [B].

        Raises WganError when the modes of this source are not known.
        """
        if self.mode_index is None:
            raise WganError(f"{self.name} has no known modes: stacked-mnist, ring and grid have")
        return self.mode_index.index_select(0, indices)


def kind_of(shape: tuple[int, ...]) -> str:
    """Return what samples of a shape are called: vectors, signals, images or volumes."""
    return RECIPES[len(shape)]


def rows(values: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the `gather` of samples that lie in memory as `values` [N, *shape]."""
    return lambda indices: values.index_select(0, indices)


def sample_stream(seed: int, name: str, split: str) -> np.random.Generator:
    """Return the random stream of one split of one data set; different names or splits are independent."""
    key = (*name.encode(), 0, *split.encode())  # bytes, not hash(): that one differs between processes
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def parts(split: str) -> tuple[str, ...]:
    """Return the splits that `split` consists of, in their order."""
    return ("train", "test") if split == "all" else (split,)


def selection_indices(size: int) -> Tensor:
    """Return the indices of held-out samples by which a run's best step is chosen: a fifth, at most 2,000, always the same."""
    return _shuffled(size)[: min(2000, size // 5)]


def report_indices(size: int) -> Tensor:
    """Return all other held-out indices, the only ones that reported metrics use, in a fixed random order."""
    return _shuffled(size)[min(2000, size // 5) :]


def _shuffled(size: int) -> Tensor:
    return torch.from_numpy(sample_stream(0, "held-out halves", "test").permutation(size))
