"""wgan: train Wasserstein GANs on a laptop, see how they learn, and measure honestly how good they are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what an editor knows; a program loads each on first use, see _PUBLIC
    from wgan.api import train
    from wgan.config import Config
    from wgan.data import Source, open_source
    from wgan.errors import WganError
    from wgan.estimator import Generator
    from wgan.evaluation.evaluate import Report, evaluate
    from wgan.evaluation.own_metrics import OwnMetric
    from wgan.losses import Objective
    from wgan.recipes import RECIPES
    from wgan.runs.folder import Run, open_run
    from wgan.sampling.dataset import SampleSet
    from wgan.sampling.model import Model, Samples, load
    from wgan.training.observer import STOP

__version__ = "0.2.0.dev0"

# public name -> module that holds it; imported on first use, so that `wgan --help` need not load torch
_PUBLIC = {
    "Config": "wgan.config",
    "Generator": "wgan.estimator",
    "Model": "wgan.sampling.model",
    "Objective": "wgan.losses",
    "OwnMetric": "wgan.evaluation.own_metrics",
    "RECIPES": "wgan.recipes",
    "Report": "wgan.evaluation.evaluate",
    "Run": "wgan.runs.folder",
    "STOP": "wgan.training.observer",
    "SampleSet": "wgan.sampling.dataset",
    "Samples": "wgan.sampling.model",
    "Source": "wgan.data",
    "WganError": "wgan.errors",
    "evaluate": "wgan.evaluation.evaluate",
    "load": "wgan.sampling.model",
    "open_run": "wgan.runs.folder",
    "open_source": "wgan.data",
    "train": "wgan.api",
}
__all__ = [
    "RECIPES",
    "STOP",
    "Config",
    "Generator",
    "Model",
    "Objective",
    "OwnMetric",
    "Report",
    "Run",
    "SampleSet",
    "Samples",
    "Source",
    "WganError",
    "__version__",
    "evaluate",
    "load",
    "open_run",
    "open_source",
    "train",
]


if not TYPE_CHECKING:  # a type checker would take any name for public

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'wgan' has no attribute '{name}'")
        return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
