"""RECIPES: name -> where it comes from, what it changes in Config, and what to expect. A recipe is only differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wgan.config import Config
from wgan.errors import unknown
from wgan.recipes.published import (
    ARJOVSKY,
    GULRAJANI_MNIST,
    NO_CLASSIFIER,
    PLAIN,
    S0,
    S1,
    S2,
    S3,
    S4,
    TOY,
    UNCONDITIONAL,
)


@dataclass(frozen=True)
class Recipe:
    """One published or own system as differences from the defaults of Config."""

    source: str  # paper or description
    trains: str  # what, in a few words
    minutes: str  # on 2 cores of an AMD EPYC with bf16, for the whole recipe; "≤" = measured on one of them
    expected: str  # metric, its mean ± standard deviation over how many seeds, or one run; never the best
    changes: Mapping[str, Any]
    avx2: str = ""  # minutes of one core of an Intel Xeon held to AVX2, fp32 (benchmarks/results/no_slower.json)


_STACKED = {
    **UNCONDITIONAL,
    **NO_CLASSIFIER,
    "data": "stacked-mnist",
    "steps": 20000,
    "sample_every": 1000,
    "evaluate_every": 2000,
}
_POINTS = {
    **TOY,
    "generator_layers": "128 128 128",
    "critic_layers": "128 128 128",
    "batch": 512,
    "penalty_weight": 0.3,
    "lr": 2e-3,
    "lr_decay": "linear",
    "n_critic": 3,
    "ema": 0.995,
    "steps": 5000,
}

_FOLLOW = {**PLAIN, "generator_layers": "auto", "critic_layers": "auto", "lr_decay": "linear"}
_IMAGES = {**_FOLLOW, "critic_lr": 1e-3}
_VECTORS = {
    **_FOLLOW,
    "data": "ring",
    "generator": "mlp",
    "generator_norm": "none",
    "conditioning": "concat",
    "critic": "mlp",
    "latent": 32,
    "batch": 128,
    "penalty_weight": 1.0,
    "lr": 2e-4,
    "beta1": 0.5,
    "beta2": 0.9,
    "n_critic": 5,
    "steps": 6000,
}

_SIGNALS = {
    **_FOLLOW,
    "data": "ar2",
    "generator": "conv1d",
    "critic": "conv1d",
    "critic_lr": 1e-3,
    "n_critic": 2,
}

_VOLUMES = {**_SIGNALS, "data": "blobs", "generator": "conv3d", "critic": "conv3d", "steps": 2000}

_TABLE = {
    **_VECTORS,
    "generator_layers": "256 256",
    "generator_norm": "batch",
    "critic_layers": "256 256",
    "batch": 500,
    "lr": 1e-3,
    "latent": 64,
    "beta1": 0.0,
    "n_critic": 2,
    "steps": 3000,
}

RECIPES: dict[str, Recipe] = {
    "mnist": Recipe(
        "wgan's own default",
        "conditional digits, gradient penalty, averaged generator",
        "5",
        "relative-fid 0.0034 ± 0.0002 (6 seeds)",
        {},
        avx2="28",
    ),
    "fashion": Recipe(
        "wgan's own default",
        "clothes by class (Fashion-MNIST)",
        "≤ 11",
        "CAS 86.0 ± 0.3 % (3 seeds; real 88.7)",
        {"data": "fashion"},
    ),
    "stacked-mnist": Recipe(
        "wgan's own",
        "three digits in one picture: 1,000 modes",
        "≤ 39",
        "1,000 modes, KL 0.072 (one run; real 0.025)",
        _STACKED,
    ),
    "ring": Recipe(
        "wgan's own",
        "8 Gaussians on a ring (PacGAN's)",
        "1.3",
        "8 of 8 modes, 97.1 ± 0.8 % within 3 sigma (3 seeds)",
        {**_POINTS, "data": "ring"},
    ),
    "grid": Recipe(
        "wgan's own",
        "25 Gaussians on a grid (PacGAN's)",
        "1.9",
        "25 of 25 modes, 96.7 ± 0.4 % within 3 sigma (3 seeds)",
        {**_POINTS, "data": "grid", "lr": 3e-3, "steps": 7000},
    ),
    "images": Recipe(
        "wgan's own", "your own images: networks that follow their size", "", "depends on the data", _IMAGES
    ),
    "vectors": Recipe(
        "wgan's own", "your own vectors and tables: MLPs, gradient penalty", "", "depends on the data", _VECTORS
    ),
    "signals": Recipe(
        "wgan's own", "your own signals: 1-D convolutions, gradient penalty", "", "depends on the data", _SIGNALS
    ),
    "volumes": Recipe(
        "wgan's own", "your own volumes: 3-D convolutions, gradient penalty", "", "depends on the data", _VOLUMES
    ),
    "table": Recipe(
        "wgan's own", "your own tables of numbers, words, dates and missing cells", "", "depends on the data", _TABLE
    ),
    "conv-clip-five": Recipe(
        "WGANs Convergence and Optimization (GeeksforGeeks 2024)",
        "fives, clipping",
        "6",
        "relative-fid 1.75, fives only (one run; of three seeds one ends black)",
        S0,
        avx2="17",
    ),
    "mlp-clip": Recipe(
        "Deep Learning with PyTorch, GAN, WGAN",
        "digits, MLPs, clipping",
        "≤ 11",
        "relative-fid 0.36 (one run)",
        S1,
        avx2="12",
    ),
    "ac-clip": Recipe(
        "Wasserstein GAN in Keras (2017)",
        "digits by class, auxiliary classifier, clipping",
        "500",
        "relative-fid 0.44, labels 35 % at 9,764 steps of batch 20, rough digits by class (one run)",
        S2,
    ),
    "deep-conv-clip": Recipe(
        "Wasserstein GAN with MNIST, Part 6 (2020)",
        "digits, deep critic, clipping",
        "520",
        "relative-fid 0.68 at 10,307 steps, first rough digits, as published (one run)",
        S3,
        avx2="4400",
    ),
    "small-mlp-clip": Recipe(
        "WGAN in PyTorch",
        "digits, small MLPs, clipping",
        "≤ 4",
        "relative-fid 0.31 (one run)",
        S4,
        avx2="4.6",
    ),
    "small-mlp-gp": Recipe(
        "WGAN in PyTorch, its extension",
        "the same, gradient penalty",
        "7",
        "relative-fid 0.27 (one run)",
        {**S4, "objective": "wgan-gp"},
        avx2="6.4",
    ),
    "small-mlp-gan": Recipe(
        "WGAN in PyTorch, its comparison",
        "the same, standard GAN",
        "5",
        "relative-fid 1.75 (one run)",
        {**S4, "objective": "gan"},
    ),
    "arjovsky-mnist": Recipe(
        "Arjovsky 2017 and its code",
        "digits, DCGAN, clipping",
        "≤ 30",
        "relative-fid 0.27 (one run)",
        ARJOVSKY,
    ),
    "gulrajani-mnist": Recipe(
        "Gulrajani 2017 and its code",
        "digits, gradient penalty",
        "23",
        "relative-fid 0.26 at 772 steps (one run)",
        GULRAJANI_MNIST,
        avx2="250",
    ),
    "gulrajani-ring": Recipe(
        "Gulrajani 2017",
        "8 Gaussians on a ring",
        "25",
        "6 of 8 modes, 31 % within 3 sigma at 3,000 steps (one run)",
        {**TOY, "data": "ring:gulrajani"},
        avx2="35",
    ),
    "gulrajani-grid": Recipe(
        "Gulrajani 2017",
        "25 Gaussians on a grid",
        "≤ 25",
        "25 of 25 modes, 51 % within 3 sigma at 4,365 steps (one run)",
        {**TOY, "data": "grid:gulrajani"},
    ),
    "gulrajani-swissroll": Recipe(
        "Gulrajani 2017",
        "a swiss roll",
        "≤ 12",
        "exact W1 0.15 at 3,000 steps (one run; real 0.07)",
        {**TOY, "data": "swissroll:gulrajani"},
    ),
}


DEFAULT = "mnist"  # what Config() holds


def recipe(name: str) -> Recipe:
    """Return the recipe `name`; an unknown one raises WganError with the nearest names."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def configure(name: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the Config of recipe `name` with `overrides`."""
    changes = {**recipe(name).changes, **(overrides or {}), "recipe": name}
    return Config().replace(**changes)
