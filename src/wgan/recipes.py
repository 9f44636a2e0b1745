"""RECIPES: name -> where it comes from, what it changes in Config, and what to expect. A recipe is only differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wgan.config import Config
from wgan.errors import unknown


@dataclass(frozen=True)
class Recipe:
    """One published or own system as differences from the defaults of Config."""

    source: str  # paper or description
    trains: str  # what, in a few words
    minutes: str  # on 2 CPU cores, for the whole recipe; "≤" = measured on one of them
    expected: str  # figure with tolerance, and how it was measured
    changes: Mapping[str, Any]


_OWN = {
    "lr": 1e-3,
    "critic_lr": 2e-3,
    "lr_decay": "linear",
    "class_critic": 1.0,
    "class_generator": 0.2,
    "class_on": "real",
}
_UNCONDITIONAL = {"conditioning": "none", "critic_conditioning": "none"}
_CLIP = {
    **_UNCONDITIONAL,
    "objective": "wgan-clip",
    "optimizer": "rmsprop",
    "lr": 5e-5,
    "clip": 0.01,
    "n_critic": 5,
    "ema": 0.0,
}
_KERAS = {**_CLIP, "optimizer": "rmsprop-keras", "critic_update": "separate"}
_KERAS_2 = {**_KERAS, "optimizer": "rmsprop-keras2"}

_S0 = {
    **_KERAS,
    "data": "mnist:5",
    "batch": 32,
    "generator_batch": 64,
    "latent": 50,
    "generator_layers": "/ 128n0 128k4x2 128k4x2 / k7",
    "generator_activation": "lrelu:0.2",
    "generator_init": 0.03,
    "critic_layers": "64k4x2 64k4x2 /",
    "critic_norm": "batch",
    "critic_init": 0.02,
    "clip_scope": "conv",
    "norm_momentum": 0.01,
    "norm_eps": 1e-3,
    "steps": 840,
    "sample_every": 84,
    "evaluate_every": 84,
}
_S1 = {
    **_CLIP,
    "generator": "mlp",
    "generator_layers": "256 512 1024",
    "generator_norm": "none",
    "critic": "mlp",
    "critic_layers": "512 256",
    "latent": 100,
    "generator_latents": "last",
    "steps": 9380,
    "sample_every": 500,
    "evaluate_every": 2000,
}
_S2 = {
    **_KERAS_2,
    "split": "all",
    "batch": 100,
    "latent": 100,
    "conditioning": "product",
    "generator_layers": "1024 / 128 256k5x2 128k5x2 / k2",
    "generator_norm": "none",
    "generator_activation": "lrelu:0.3",
    "generator_init": 0.02,
    "upsample": "nearest",
    "critic_layers": "32k3p2 64k3 128k3p2 256k3 /",
    "critic_activation": "lrelu:0.3",
    "critic_init": 0.02,
    "dropout": 0.3,
    "class_critic": 1.0,
    "class_generator": 1.0,
    "critic_schedule": "warm-100",
    "steps": 20000,
    "sample_every": 250,
    "seed": 777,
}
_S3 = {
    **_KERAS_2,
    "latent": 100,
    "generator_layers": "/ 512n0a0 128k3x2 64k3 / k3x2",
    "generator_activation": "relu-cap:0.2",
    "critic_layers": "64k3x2n0 128k3x2 256k3x2 512k3 /",
    "critic_norm": "batch",
    "norm_momentum": 0.2,
    "norm_eps": 1e-3,
    "sampling": "sequential",
    "real_batches": "shared",
    "generator_latents": "last",
    "steps": 93800,
    "sample_every": 938,
    "clip_scope": "all+norm",
    "critic_statistics": "running",
}
_S4 = {
    **_CLIP,
    "generator": "mlp",
    "generator_layers": "128 256",
    "generator_norm": "none",
    "critic": "mlp",
    "critic_layers": "256 128",
    "latent": 100,
    "real_batches": "shared",
    "steps": 9380,
    "sample_every": 500,
    "evaluate_every": 2000,
}
_GULRAJANI_MNIST = {
    **_UNCONDITIONAL,
    "generator_layers": "/ 256n0 128k5 64k5x2 / k5x2",
    "generator_norm": "none",
    "critic_layers": "64k5x2 128k5x2 256k5x2 /",
    "critic_activation": "lrelu:0.2",
    "batch": 50,
    "objective": "wgan-gp",
    "penalty_weight": 10.0,
    "lr": 1e-4,
    "beta1": 0.5,
    "beta2": 0.9,
    "n_critic": 5,
    "ema": 0.0,
    "steps": 4000,
}
_TOY = {
    **_UNCONDITIONAL,
    "generator": "mlp",
    "generator_layers": "512 512 512",
    "generator_norm": "none",
    "critic": "mlp",
    "critic_layers": "512 512 512",
    "critic_activation": "relu",
    "latent": 2,
    "batch": 256,
    "objective": "wgan-gp",
    "penalty_weight": 0.1,
    "lr": 1e-4,
    "beta1": 0.5,
    "beta2": 0.9,
    "n_critic": 5,
    "ema": 0.0,
    "steps": 6000,
    "sample_every": 250,
}
_ARJOVSKY = {
    **_CLIP,
    "latent": 100,
    "generator_layers": "/ 256 128k4x2 / k4x2",
    "generator_init": 0.02,
    "critic_layers": "64k4x2n0 128k4x2 256k4x2 /",
    "critic_norm": "batch",
    "critic_init": 0.02,
    "critic_schedule": "warm-100",
    "steps": 4000,
    "sample_every": 250,
}

_STACKED = {
    **_UNCONDITIONAL,
    "data": "stacked-mnist",
    "lr": 1e-3,
    "critic_lr": 2e-3,
    "lr_decay": "linear",
    "steps": 20000,
    "sample_every": 1000,
    "evaluate_every": 2000,
}
_POINTS = {
    **_TOY,
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

_FOLLOW = {"generator_layers": "auto", "critic_layers": "auto", "lr_decay": "linear"}
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

RECIPES: dict[str, Recipe] = {
    "mnist": Recipe(
        "wgan's own default",
        "conditional digits, gradient penalty, averaged generator",
        "10",
        "relative-fid 0.0031 ± 0.0003 at 5,000 steps",
        _OWN,
    ),
    "fashion": Recipe(
        "wgan's own default",
        "clothes by class (Fashion-MNIST)",
        "≤ 11",
        "CAS 85.9 % (real 88.7), 5,000 steps",
        {**_OWN, "data": "fashion"},
    ),
    "stacked-mnist": Recipe(
        "wgan's own", "three digits in one picture: 1,000 modes", "≤ 39", "1,000 modes, KL 0.072 (real 0.025)", _STACKED
    ),
    "ring": Recipe(
        "wgan's own",
        "8 Gaussians on a ring (PacGAN's)",
        "1.3",
        "8 of 8 modes, 96 % within 3 sigma",
        {**_POINTS, "data": "ring"},
    ),
    "grid": Recipe(
        "wgan's own",
        "25 Gaussians on a grid (PacGAN's)",
        "1.4",
        "25 of 25 modes, 94 % within 3 sigma",
        {**_POINTS, "data": "grid"},
    ),
    "images": Recipe(
        "wgan's own", "your own images: networks that follow their size", "", "depends on the data", _IMAGES
    ),
    "vectors": Recipe(
        "wgan's own", "your own vectors and tables: MLPs, gradient penalty", "", "depends on the data", _VECTORS
    ),
    "conv-clip-five": Recipe(
        "WGANs Convergence and Optimization (GeeksforGeeks 2024)",
        "fives, clipping",
        "6",
        "relative-fid 0.75 ± 0.01 (fives only)",
        _S0,
    ),
    "mlp-clip": Recipe(
        "Deep Learning with PyTorch, GAN, WGAN", "digits, MLPs, clipping", "≤ 11", "relative-fid 0.36 ± 0.003", _S1
    ),
    "ac-clip": Recipe(
        "Wasserstein GAN in Keras (2017)",
        "digits by class, auxiliary classifier, clipping",
        "days",
        "not measured",
        _S2,
    ),
    "deep-conv-clip": Recipe(
        "Wasserstein GAN with MNIST, Part 6 (2020)", "digits, deep critic, clipping", "days", "not measured", _S3
    ),
    "small-mlp-clip": Recipe(
        "WGAN in PyTorch", "digits, small MLPs, clipping", "≤ 4", "relative-fid 0.31 ± 0.003", _S4
    ),
    "small-mlp-gp": Recipe(
        "WGAN in PyTorch, its extension",
        "the same, gradient penalty",
        "7",
        "relative-fid 0.27 ± 0.004",
        {**_S4, "objective": "wgan-gp"},
    ),
    "small-mlp-gan": Recipe(
        "WGAN in PyTorch, its comparison",
        "the same, standard GAN",
        "5",
        "relative-fid 1.75 ± 0.01",
        {**_S4, "objective": "gan"},
    ),
    "arjovsky-mnist": Recipe("Arjovsky 2017 and its code", "digits, DCGAN, clipping", "?", "not measured", _ARJOVSKY),
    "gulrajani-mnist": Recipe(
        "Gulrajani 2017 and its code", "digits, gradient penalty", "?", "not measured", _GULRAJANI_MNIST
    ),
    "gulrajani-ring": Recipe(
        "Gulrajani 2017",
        "8 Gaussians on a ring",
        "25",
        "8 of 8 modes, 35 % within 3 sigma, at 2,000 steps",
        {**_TOY, "data": "ring:gulrajani"},
    ),
    "gulrajani-grid": Recipe(
        "Gulrajani 2017", "25 Gaussians on a grid", "≤ 25", "not measured", {**_TOY, "data": "grid:gulrajani"}
    ),
    "gulrajani-swissroll": Recipe(
        "Gulrajani 2017", "a swiss roll", "≤ 25", "not measured", {**_TOY, "data": "swissroll:gulrajani"}
    ),
}


def recipe(name: str) -> Recipe:
    """Return the recipe `name`; an unknown one raises WganError with the nearest names."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def configure(name: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the Config of recipe `name` with `overrides`."""
    changes = {**recipe(name).changes, **(overrides or {}), "recipe": name}
    return Config().replace(**changes)
