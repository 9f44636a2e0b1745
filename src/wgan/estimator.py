"""wgan.Generator: a generator in the shape of scikit-learn's estimators, which is not needed: fit, sample, score, get_params."""

from __future__ import annotations

import contextlib
import inspect
import io
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wgan.errors import WganError

LEAST = 40  # rows that a run needs to train on some and measure on others
REPEATED = 100  # rows to which fewer are repeated: equal ones stay on one side, and ten are left to measure on
SCORED = 2000  # samples of each side, at most, that a score compares


class _Temporary:
    """A folder that goes when the last estimator that holds it does: copies of an estimator share it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="wgan-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def __deepcopy__(self, memo: object) -> _Temporary:
        return self


class Generator:
    """Learns the distribution of the rows of X [N, D], or of images [N, H, W] or [N, C, H, W], and draws from it.

    recipe: None = what fits the data. steps, batch: None = the recipe's. options: any others of wgan.train, by name.
    conditional: y are classes, and sample() takes one; else y is not looked at. run: the folder of the run; None = one that goes
    when the estimator and its deep copies do. random_state: a whole number, a RandomState to draw one from, or None for 0.
    verbose: show progress. Every mistake is a WganError, which is a ValueError. Attributes after fit: run_, n_features_in_,
    classes_ (conditional).
    """

    def __init__(
        self,
        recipe: str | None = None,
        *,
        steps: int | None = None,
        batch: int | None = None,
        conditional: bool = False,
        options: Mapping[str, Any] | None = None,
        run: str | Path | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.steps = steps
        self.batch = batch
        self.conditional = conditional
        self.options = options
        self.run = run
        self.random_state = random_state
        self.verbose = verbose

    # --- parameters -----------------------------------------------------------------------------------------------------

    @classmethod
    def _names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` is as scikit-learn calls it, and changes nothing."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Generator:
        """Set parameters by name; WganError for one that is not there."""
        for name, value in params.items():
            if name not in self._names():
                raise WganError(
                    f"Invalid parameter {name!r} for estimator Generator: it has {', '.join(self._names())}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        told = [f"{k}={v!r}" for k, v in self.get_params().items() if v is not defaults[k].default]
        return f"Generator({', '.join(told)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None, target_tags=TargetTags(required=False), input_tags=InputTags(three_d_array=True)
        )

    # --- use --------------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Generator:
        """Train on X, in a run of its own; y [N] are its classes where `conditional`."""
        rows = checked(X)
        labels = classes_of(y, len(rows)) if self.conditional else None
        few = np.resize(np.arange(len(rows)), len(rows) if len(rows) >= LEAST else REPEATED)
        data = rows[few] if labels is None else (rows[few], labels[few])
        run, temporary = self.run, None
        if run is None:
            temporary = _Temporary()
            run = temporary.path
        self._train(data, Path(run))
        self.run_, self._temporary = str(run), temporary  # the temporary folder of an earlier fit goes now
        self.n_features_in_ = int(np.prod(rows.shape[1:]))
        if labels is not None:
            self.classes_ = np.unique(labels)
        return self

    def _train(self, data: Any, folder: Path) -> None:
        from wgan.api import train

        asked = {"steps": self.steps, "batch": self.batch, "seed": seed_of(self.random_state)}
        asked = {**{k: v for k, v in asked.items() if v is not None}, **(self.options or {})}
        with contextlib.nullcontext() if self.verbose else contextlib.redirect_stdout(io.StringIO()):
            train(self.recipe, data=data, run=folder, **asked)  # type: ignore[arg-type]

    @property
    def model(self) -> Any:
        """The trained Model; WganError before fit."""
        from wgan.sampling.model import load

        if "run_" not in vars(self):
            raise WganError("this Generator is not fitted yet: call fit with data first")
        return load(self.run_)

    def sample(self, n_samples: int = 1, label: Any = None, random_state: Any = None) -> NDArray[Any]:
        """Return n_samples rows [n, D] in the units of X, or images as uint8 [n, H, W] or [n, H, W, 3].

        label: of a conditional generator: one class, or several that take turns. The same random_state gives the same samples.
        """
        model = self.model
        made = model.sample(n_samples, label=label, seed=seed_of(random_state))
        drawn: NDArray[Any]
        if model.depth is not None:
            drawn = model.depth.stored(made.numpy())
        else:
            drawn = made.to_images() if made.dim() == 4 else made.numpy()
        flat = model.signal is not None and model.signal.flat
        return drawn[:, 0] if flat else drawn

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the distance between X and as many samples: 0 is the best, and higher is better.

        Rows, signals and images of values: W1, with each number divided by its standard deviation in X. Images: sliced W1 of
        pixels in [0, 1]. At most 2000 of X are compared. y is not looked at.
        """
        from wgan.metrics.distances import exact_w1, sliced_w1

        real = checked(X, least=1)[:SCORED]
        fake = self.sample(len(real))
        if fake.shape[1:] != real.shape[1:] and fake.ndim == 2:
            raise WganError(
                f"X has {real.shape[1]} features, but Generator is expecting {self.n_features_in_} features as input"
            )
        if fake.ndim > 2 and not (self.model.signal or self.model.depth):
            return -float(sliced_w1(fake / 255.0, channels_last(real) / 255.0))
        fake, real = (x.reshape(len(x), -1) for x in (fake, real))
        scale = real.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        return -float(exact_w1(fake / scale, real / scale))

    def _repr_html_(self) -> str | None:
        shown: str | None = self.model._repr_html_() if "run_" in vars(self) else None
        return shown


def checked(X: Any, least: int = 2) -> NDArray[Any]:
    """Return X as an array of numbers [N, D] or of images; WganError (TypeError for what is sparse) for anything else."""
    if type(X).__module__.startswith("scipy.sparse"):
        raise TypeError("sparse data were passed, and a Generator needs dense rows: use X.toarray()")
    rows = np.asarray(X)
    if rows.dtype == object:
        rows = rows.astype(np.float64)  # TypeError or ValueError for what is not a number
    if np.iscomplexobj(rows):
        raise WganError("Complex data not supported: give real numbers")
    if rows.ndim not in (2, 3, 4, 5):
        raise WganError(
            f"X has {rows.ndim} axes: expected 2D array [N, D], or images; Reshape your data with X.reshape(-1, 1)"
        )
    if rows.size == 0:
        what = "0 feature(s)" if len(rows) else "0 sample(s)"
        raise WganError(f"X is empty: it has {what} (shape={rows.shape}) while a minimum of 1 is required.")
    if len(rows) < least:
        raise WganError(f"X has n_samples = {len(rows)}: at least {least} are needed to learn how they vary")
    if not np.isfinite(rows).all():
        raise WganError("X holds NaN or inf: fill in what is missing, or drop those rows")
    return rows.astype(np.float64) if rows.dtype == bool else rows


def classes_of(y: Any, n: int) -> NDArray[Any]:
    """Return classes [N] of a conditional generator; WganError unless there is one for each row."""
    if y is None:
        raise WganError("conditional=True requires y to be passed, but the target y is None")
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise WganError(f"y has shape {labels.shape}: expected ({n},), one class for each row of X")
    return labels


def channels_last(images: ArrayLike) -> NDArray[Any]:
    """Return images [N, C, H, W] as [N, H, W] or [N, H, W, C]; others as they are."""
    x = np.asarray(images)
    if x.ndim == 4 and x.shape[1] in (1, 3):
        return x[:, 0] if x.shape[1] == 1 else x.transpose(0, 2, 3, 1)
    return x


def seed_of(random_state: Any) -> int:
    """Return the seed that a random_state means: itself, one drawn from a RandomState or Generator, 0 for None."""
    if random_state is None:
        return 0
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(random_state)
