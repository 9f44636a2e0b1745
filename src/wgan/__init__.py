"""wgan: train Wasserstein GANs on a laptop, see how they learn, and measure honestly how good they are."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0.dev0"

# public name -> module that holds it; imported on first use, so that `wgan --help` need not load torch
_PUBLIC = {
    "Config": "wgan.config",
    "Objective": "wgan.losses",
    "RECIPES": "wgan.recipes",
    "STOP": "wgan.training.observer",
    "Run": "wgan.runs.folder",
    "WganError": "wgan.errors",
    "evaluate": "wgan.evaluation.evaluate",
    "load": "wgan.sampling.model",
    "open_run": "wgan.runs.folder",
    "open_source": "wgan.data",
    "train": "wgan.api",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'wgan' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
