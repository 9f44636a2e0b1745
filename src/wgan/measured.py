"""What figures are made of: fakes and reals in the spaces that metrics work in, each computed once; and one figure's terms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.metrics.certified import EvaluationCritic, fit_critic
from wgan.metrics.features import classify, features
from wgan.metrics.memorisation import Memorisation, memorisation
from wgan.subjects import Reals, Subject

Computed = TypeVar("Computed")
SMALL = 2000  # samples of each side for exact optimal transport and nearest neighbours


def flat(x: Tensor) -> NDArray[np.float32]:
    """Return samples as rows: pixels in [0, 1], or vectors in their own units."""
    y = x.float() / 255 if x.dtype == torch.uint8 else x.float()
    rows: NDArray[np.float32] = y.flatten(1).numpy()
    return rows


@dataclass(frozen=True)
class Figure:
    """One figure: its value, spread (standard deviation, or None), floor (the same figure, real against real), and terms."""

    name: str
    value: float
    spread: float | None = None
    floor: float | None = None
    floor_spread: float | None = None
    n_fake: int = 0
    n_real: int = 0
    extractor: str = "pixels"
    better: str = "lower"
    note: str = ""


@dataclass(frozen=True, eq=False)
class Measured:
    """Fakes and reals in the spaces that metrics work in, each computed once; those of the reals once for all subjects."""

    subject: Subject
    reals: Reals

    @property
    def fakes(self) -> Tensor:
        """The fakes as stored: uint8 images or float32 vectors."""
        return self.subject.fakes

    @property
    def is_image(self) -> bool:
        """Whether the samples are images."""
        return self.fakes.dim() == 4

    @property
    def is_digits(self) -> bool:
        """Whether the shipped digit classifier applies."""
        return self.reals.test.name.partition(":")[0] == "mnist" and tuple(self.fakes.shape[1:]) == (1, 28, 28)

    @functools.cached_property
    def features(self) -> NDArray[np.float32]:
        """Classifier features of the fakes."""
        return features(self.fakes)

    @functools.cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The digit the classifier sees in each fake."""
        return classify(self.fakes)

    @functools.cached_property
    def evaluation_critic(self) -> EvaluationCritic:
        """A 1-Lipschitz critic fitted to training reals and the first half of the fakes; the second half is held out."""
        return fit_critic(flat(self.reals.fitting[0]), flat(self.fakes[: len(self.fakes) // 2]))

    @functools.cached_property
    def memorised(self) -> Memorisation:
        """Nearest training neighbours of the fakes, beside those of held-out reals."""
        n = min(SMALL, len(self.fakes), len(self.reals.held_out[0]))
        train = self.of_reals(
            "train rows", lambda: flat(self.reals.train.batch(torch.arange(len(self.reals.train)))[0])
        )
        return memorisation(flat(self.fakes[:n]), flat(self.reals.held_out[0][:n]), train)

    def of_reals(self, name: str, make: Callable[[], Computed]) -> Computed:
        """Return what `make` computes from the reals alone, once for all checkpoints."""
        if name not in self.reals.cache:
            self.reals.cache[name] = make()
        found: Computed = self.reals.cache[name]
        return found

    def real_features(self, part: str) -> NDArray[np.float32]:
        """Classifier features of the held-out or floor reals."""
        x = self.reals.held_out[0] if part == "held_out" else self.reals.floor[0]
        return self.of_reals(f"features {part}", lambda: features(x))
