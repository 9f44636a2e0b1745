"""What every metric is made from: fakes and reals in the spaces that metrics work in, each computed once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wgan.evaluation.samples import Reals, Subject
from wgan.metrics.certified import EvaluationCritic, fit_critic
from wgan.metrics.classifier import fit_classifier
from wgan.metrics.features import digits_of, features, lenet_card
from wgan.metrics.inception import Extractor, inception_features
from wgan.metrics.memorisation import Memorisation, memorisation
from wgan.metrics.random_features import extractor_hash, extractor_name, random_features
from wgan.metrics.rows import Pixels

Computed = TypeVar("Computed")
SMALL = 2000  # samples of each side for exact optimal transport and nearest neighbours
BOOTSTRAPS = 10
BLOCK = 2**24  # numbers of training samples held as floats at once
CLASSIFIED = 32  # larger images are averaged down to this side for the classifier of cas and gan-test


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One value of a metric with its spread (standard deviation, or None), its reference (the same, real against real), terms."""

    name: str
    value: float
    spread: float | None = None
    reference: float | None = None  # None where the data are too few for one
    reference_spread: float | None = None  # over draws of training samples, or as `spread`; None for one draw only
    n_fake: int = 0
    n_real: int = 0
    extractor: str = ""  # what reads the samples; nothing = the samples' own numbers, see Measured.space
    better: str = ""  # lower | higher | none; filled in from the table of metrics
    note: str = ""
    per_class: dict[str, float] | None = None  # the same for each class, by name
    reference_per_class: dict[str, float] | None = None
    sha256: str | None = None  # of the extractor's weights, where it has any

    def to_json(self) -> dict[str, Any]:
        """Return it as metrics.json has it, where a reference is called `floor`."""
        return {name.replace("reference", "floor"): value for name, value in asdict(self).items()}

    @property
    def floor(self) -> float | None:
        """The reference, by its name in metrics.json and in older programs."""
        return self.reference


@dataclass(frozen=True, eq=False)
class Measured:
    """Fakes and reals in the spaces that metrics work in, each computed once; those of the reals once for all subjects."""

    subject: Subject
    reals: Reals
    inception: Extractor | None = None
    say: Callable[[str], None] = lambda text: None  # told how far a long computation is
    target: str = ""  # of a table: the column that models of the others are to tell; '' = see table_metrics.target_of

    @property
    def fakes(self) -> Tensor:
        """The fakes as stored: uint8 images, or float32 signals, volumes or vectors."""
        return self.subject.fakes

    @property
    def is_image(self) -> bool:
        """Whether the samples are images."""
        return self.fakes.dim() == 4

    @property
    def keeps_values(self) -> bool:
        """Whether the samples are images of values rather than bytes."""
        return self.is_image and self.fakes.dtype != torch.uint8

    @property
    def is_signal(self) -> bool:
        """Whether the samples are signals."""
        return self.fakes.dim() == 3

    @property
    def is_volume(self) -> bool:
        """Whether the samples are volumes."""
        return self.fakes.dim() == 5

    @property
    def space(self) -> str:
        """What the samples' own numbers are called."""
        return {5: "voxels", 4: "pixels", 3: "steps", 2: "columns"}[self.fakes.dim()]

    @property
    def is_digits(self) -> bool:
        """Whether the shipped digit classifier applies."""
        return self.reals.test.reader == "lenet-mnist" and tuple(self.fakes.shape[1:]) == (1, 28, 28)

    @functools.cached_property
    def features(self) -> NDArray[np.float32]:
        """Classifier features of the fakes."""
        return features(self.fakes)

    @functools.cached_property
    def random_features(self) -> NDArray[np.float32]:
        """Features of the fakes by a network with random weights."""
        return random_features(self.fakes, self.keeps_values)

    @functools.cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The digit the classifier sees in each fake."""
        return digits_of(self.features)

    @functools.cached_property
    def evaluation_critic(self) -> EvaluationCritic:
        """A 1-Lipschitz critic fitted to training reals and the first half of the fakes; the second half is held out."""
        return fit_critic(flat(self.reals.fitting[0]), halves(self.fakes)[0])

    @functools.cached_property
    def memorised(self) -> Memorisation:
        """Nearest training neighbours of the fakes, beside those of held-out reals."""
        n = min(SMALL, len(self.fakes), len(self.reals.held_out[0]))
        return memorisation(flat(self.fakes[:n]), flat(self.reals.held_out[0][:n]), self.train_blocks())

    def train_blocks(self) -> Iterator[Any]:
        """Yield the training split as rows, in blocks of at most BLOCK numbers: it may be far larger than memory."""
        train = self.reals.train
        for indices in torch.arange(len(train)).split(max(1, BLOCK // self.fakes[0].numel())):
            yield flat(train.batch(indices)[0])

    @functools.cached_property
    def inception_of_fakes(self) -> NDArray[np.float32]:
        """Inception features of the fakes."""
        return self._inception(self.fakes, "fakes")

    def reference(
        self, name: str, value_of: Callable[[int], float | tuple[float, ...]]
    ) -> list[tuple[float, float | None]]:
        """Return (mean, standard deviation) over the draws of training samples of each value that `value_of` gives of one.

        The deviation is None where the data hold one draw only.
        """
        draws = range(self.reals.draws)
        values = self.of_reals(f"reference {name}", lambda: np.atleast_2d([np.atleast_1d(value_of(k)) for k in draws]))
        return [(float(v.mean()), float(v.std(ddof=1)) if len(draws) > 1 else None) for v in values.T]

    def inception_of_reals(self, part: int | None) -> NDArray[np.float32]:
        """Inception features of a draw of training reals, of the held-out ones for None."""
        what = "held-out reals" if part is None else "training reals"
        return self.of_reals(f"inception {part}", lambda: self._inception(self.real(part), what))

    def _inception(self, x: Tensor, what: str) -> NDArray[np.float32]:
        assert self.inception is not None
        tick = lambda done, total: self.say(f"fid-inception: {done} of {total} {what}")  # noqa: E731
        return inception_features(x, self.inception.network, tick)

    @functools.cached_property
    def hashes(self) -> dict[str, str]:
        """Name of an extractor -> sha256 of its weights."""
        found = {lenet_name(): str(lenet_card()["sha256"])}
        if self.is_image or self.is_signal or self.is_volume:
            shape = self.fakes.shape[1:]
            found[extractor_name(*shape)] = extractor_hash(*shape)
        if self.inception is not None:
            found[self.inception.name] = self.inception.sha256
        return found

    @functools.cached_property
    def real_critic(self) -> EvaluationCritic:
        """The evaluation critic of the reference: training reals against the first half of other training reals."""
        fitted, _ = halves(self.reals.unfitted[0])
        return self.of_reals("critic", lambda: fit_critic(flat(self.reals.fitting[0]), fitted))

    @functools.cached_property
    def real_classifier(self) -> nn.Module:
        """A small classifier trained on as many labelled training reals as there are fakes."""
        x, y = self.reals.draw(0)
        classes = self.reals.test.classes
        return self.of_reals("classifier", lambda: fit_classifier(shrunk(x), y, classes))

    def of_reals(self, name: str, make: Callable[[], Computed]) -> Computed:
        """Return what `make` computes from the reals alone, once for all checkpoints."""
        if name not in self.reals.cache:
            self.reals.cache[name] = make()
        found: Computed = self.reals.cache[name]
        return found

    def real(self, part: int | None) -> Tensor:
        """A draw of training reals, the held-out ones for None."""
        return self.reals.held_out[0] if part is None else self.reals.draw(part)[0]

    def real_features(self, part: int | None) -> NDArray[np.float32]:
        """Classifier features of a draw of training reals, of the held-out ones for None."""
        return self.of_reals(f"features {part}", lambda: features(self.real(part)))

    def real_predicted(self, part: int | None) -> NDArray[np.int64]:
        """The digit the classifier sees in each of a draw of training reals, or of the held-out ones for None."""
        return self.of_reals(f"predicted {part}", lambda: digits_of(self.real_features(part)))

    def real_random_features(self, part: int | None) -> NDArray[np.float32]:
        """Features of a draw of training reals, of the held-out ones for None, by a network with random weights."""
        return self.of_reals(f"random features {part}", lambda: random_features(self.real(part), self.keeps_values))


def flat(x: Tensor) -> Any:
    """Return samples as rows [N, D]: pixels in [0, 1] (of bytes made when they are read), or vectors in their own units."""
    if x.dtype == torch.uint8:
        return Pixels(x)
    return (x.float() if x.dim() < 4 else (x.float() + 1) / 2).flatten(1).numpy()


def shrunk(x: Tensor) -> Tensor:
    """Return uint8 images [N, C, H, W], averaged down to a side of CLASSIFIED where they are larger."""
    size = (min(x.shape[2], CLASSIFIED), min(x.shape[3], CLASSIFIED))
    if tuple(x.shape[2:]) == size:
        return x
    parts = [nn.functional.adaptive_avg_pool2d(part.float(), size).round().to(torch.uint8) for part in x.split(500)]
    return torch.cat(parts)


def halves(x: Tensor) -> tuple[Any, Any]:
    """Return the rows of the first half, which an evaluation critic may learn from, and of the rest."""
    return flat(x[: len(x) // 2]), flat(x[len(x) // 2 :])


def lenet_name() -> str:
    """Return the extractor's name with the head of its hash."""
    return f"lenet-mnist {lenet_card()['sha256'][:12]}"


def of_a_fraction(p: float, n: int) -> float:
    """Return the standard deviation of a fraction of n independent samples: √(p (1 − p) / n)."""
    return math.sqrt(p * (1 - p) / n)


def bootstrap(function: Callable[[NDArray[np.float32]], float], x: NDArray[np.float32]) -> float:
    """Return the standard deviation of a metric over resampled samples (BOOTSTRAPS draws, fixed seed)."""
    rng = np.random.default_rng(0)
    return float(np.std([function(x[rng.integers(len(x), size=len(x))]) for _ in range(BOOTSTRAPS)], ddof=1))
