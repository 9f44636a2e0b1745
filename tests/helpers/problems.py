"""Problems whose answer is known, and tiny players and data to try them on. What each answer is, its docstring derives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.config.objectives import FACTS
from wgan.data import Source
from wgan.data.conditions import fit
from wgan.data.depth import PixelUnits
from wgan.engine import Engine
from wgan.losses import clippable, objective
from wgan.rng import Draws
from wgan.training import monitor, start
from wgan.training.players import Players, make_players

torch.set_num_threads(1)  # tiny tensors: a second thread only costs

EXACT = Engine(torch.device("cpu"), "fp64", 1)  # float64: an answer is right to 1e-12 or it is wrong
SINGLE = Engine(torch.device("cpu"), "fp32", 1)


class LinearCritic(nn.Module):
    """D(x) = w . x over all coordinates: its gradient is w at every sample, so each norm is ||w|| exactly."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w.clone())

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, None]:
        return (x * self.w).flatten(1).sum(1), None


class QuadraticCritic(nn.Module):
    """D(x) = sum(a x^2) / 2: its gradient at x is a x, so the norms differ from sample to sample."""

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a.clone())

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, None]:
        return (self.a * x.square()).flatten(1).sum(1) / 2, None


class PointGenerator(nn.Module):
    """G(z) = theta for every z: with real data at one point mu, W1 is ||mu - theta||."""

    latent, classes = 1, 0

    def __init__(self, theta: Tensor) -> None:
        super().__init__()
        self.theta = nn.Parameter(theta.clone())

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.theta.expand(len(z), *self.theta.shape) + 0 * z.sum()


def by_hand(critic: nn.Module, generator: nn.Module | None = None, rate: float = 0.01, **options: Any) -> Players:
    """Players in float64 around networks made by hand, each with plain gradient descent: w -= rate * gradient."""
    config = points_config(**{"batch": 4, **options})
    rules = objective(config.objective)
    generator = generator or PointGenerator(torch.zeros(2, dtype=torch.float64))
    return Players(
        config,
        EXACT,
        rules,
        generator,  # type: ignore[arg-type]
        critic,  # type: ignore[arg-type]
        None,
        torch.optim.SGD(generator.parameters(), lr=rate),
        torch.optim.SGD(critic.parameters(), lr=rate),
        clippable(critic, config.clip_scope) if FACTS[config.objective].clips else [],
    )


KERAS = {"optimizer": "rmsprop", "rmsprop_rho": 0.9, "rmsprop_eps": 1e-7, "rmsprop_eps_place": "under"}  # from 2.11 on


def points_config(**options: Any) -> Config:
    """A config of two small MLPs for points of the plane, without labels."""
    networks = {
        "data": "line",
        "batch": 8,
        "latent": 3,
        "generator": "mlp",
        "generator_layers": "16 16",
        "generator_norm": "none",
        "conditioning": "none",
        "critic": "mlp",
        "critic_layers": "16 16",
        "critic_conditioning": "none",
        "ema": 0.0,
    }
    return Config().replace(**{**TRAINING, **networks, **RUN, **options})


def images_config(**options: Any) -> Config:
    """A config of two small convolutional networks for 8 x 8 images with labels."""
    networks = {
        "data": "tiny",
        "batch": 6,
        "latent": 5,
        "generator": "conv",
        "generator_layers": "/ 8 6k4x2 / k3x2",
        "generator_norm": "batch",
        "conditioning": "norm",
        "critic": "conv",
        "critic_layers": "6k4x2 8k3x2 /",
        "critic_conditioning": "projection",
        "ema": 0.999,
    }
    return Config().replace(**{**TRAINING, **networks, **RUN, **options})


def signals_config(**options: Any) -> Config:
    """A config of two small convolutional networks for signals of 2 x 18 numbers with labels."""
    networks = {
        "data": "waves",
        "batch": 6,
        "latent": 5,
        "generator": "conv1d",
        "generator_layers": "/ 8 6k6x4 / k4x2",
        "generator_norm": "batch",
        "conditioning": "norm",
        "critic": "conv1d",
        "critic_layers": "6k8x4 8k3x2 /",
        "critic_conditioning": "projection",
        "ema": 0.999,
    }
    return Config().replace(**{**TRAINING, **networks, **RUN, **options})


def volumes_config(**options: Any) -> Config:
    """A config of two small convolutional networks for volumes of 2 x 4 x 6 x 5 numbers with labels."""
    networks = {
        "data": "boxes",
        "generator": "conv3d",
        "generator_layers": "/ 6 4k4x2 / k3",
        "critic": "conv3d",
        "critic_layers": "4k4x2 6k3x2 /",
    }
    return signals_config(**{**networks, **options})


# what the defaults of Config decide otherwise: they are the main recipe, and may be tuned without a test noticing
TRAINING = {
    "sampling": "epoch",
    "flip": 0,
    "augment": 0.0,
    "augment_target": 0.0,
    "generator_batch": 0,
    "generator_activation": "relu",
    "generator_init": "pytorch",
    "upsample": "transpose",
    "output": "auto",
    "critic_norm": "none",
    "critic_activation": "lrelu:0.2",
    "critic_init": "pytorch",
    "dropout": 0.0,
    "norm_momentum": 0.1,
    "norm_eps": 1e-5,
    "pack": 1,
    "objective": "wgan-gp",
    "penalty_weight": 10.0,
    "clip": 0.01,
    "clip_scope": "all",
    "class_critic": 0.0,
    "class_generator": 0.0,
    "class_on": "real+fake",
    "optimizer": "adam",
    "lr": 5e-4,
    "critic_lr": 0.0,
    "beta1": 0.0,
    "beta2": 0.9,
    "lr_decay": "none",
    "n_critic": 2,
    "critic_schedule": "constant",
    "real_batches": "fresh",
    "generator_latents": "fresh",
    "critic_update": "joint",
    "seed": 0,
}
# six steps, a line of the log for each, a sheet, an evaluation and a checkpoint after every third
RUN = {
    "steps": 6,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
    "log_every": 1,
    "sample_every": 3,
    "evaluate_every": 3,
    "checkpoint_every": 3,
}


def images(count: int = 26, classes: int = 3, shape: tuple[int, ...] = (1, 8, 8)) -> Source:
    """`count` random images; sample i has label i mod classes, and i itself as its first pixel."""
    x = torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    x[:, 0, 0, 0] = torch.arange(count)
    y = torch.arange(count) % max(classes, 1)
    names = tuple(str(k) for k in range(classes))
    return Source("tiny", "train", shape, count, lambda i: x[i], y if classes else None, classes, names)


def waves(count: int = 26, classes: int = 3) -> Source:
    """`count` random signals of 2 channels and 18 steps; sample i has label i mod classes, and i itself as its first value."""
    x = torch.randn(count, 2, 18, generator=torch.Generator().manual_seed(5))
    x[:, 0, 0] = torch.arange(count)
    names = tuple(str(k) for k in range(classes))
    return Source("waves", "train", (2, 18), count, lambda i: x[i], torch.arange(count) % classes, classes, names)


def boxes(count: int = 26, classes: int = 3) -> Source:
    """`count` random volumes of 2 channels, 4 x 6 x 5; sample i has label i mod classes, and i itself as its first value."""
    x = torch.randn(count, 2, 4, 6, 5, generator=torch.Generator().manual_seed(5))
    x[:, 0, 0, 0, 0] = torch.arange(count)
    names = tuple(str(k) for k in range(classes))
    return Source("boxes", "train", (2, 4, 6, 5), count, lambda i: x[i], torch.arange(count) % classes, classes, names)


def scans(count: int = 26) -> Source:
    """`count` random images of floats, 8 x 12, that keep their values, each with a number and a category as conditions."""
    x = torch.rand(count, 1, 8, 12, generator=torch.Generator().manual_seed(5)) * 2 - 1
    x[:, 0, 0, 0] = torch.arange(count) / count
    told = told_points(count)
    depth = PixelUnits(0, 4000, "uint16")
    return replace(told, name="scans", shape=(1, 8, 12), gather=lambda i: x[i], depth=depth, recipe="images")


def told_points(count: int = 26) -> Source:
    """`count` points of the plane, each with a number and a category of its own as conditions."""
    raw = {"place": np.arange(count) / 2.0, "side": np.array(["left", "right"])[np.arange(count) % 2]}
    conditions, codes = fit(raw, np.ones(count, np.bool_), "points")
    return replace(points(count), conditions=conditions, told=torch.from_numpy(conditions.encode(codes)))


def points(count: int = 26) -> Source:
    """`count` points of the plane: (i, -i / 2) for i = 0, 1, 2 ..., so that each tells its index."""
    i = torch.arange(count, dtype=torch.float32)
    x = torch.stack([i, -i / 2], 1)
    return Source("line", "train", (2,), count, lambda indices: x[indices])


def train_on(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """Make every run train on, and be evaluated with, `source`, whatever its config names."""
    for module in (start, monitor):
        monkeypatch.setattr(module, "open_source", lambda spec, split="train", seed=0, options=None: source)


def exact_players(config: Config, source: Source) -> Players:
    """Players of `config` in float64."""
    return make_players(config, EXACT, source)


def normal(seed: int, *shape: int) -> Tensor:
    """N(0, 1) draws in float64 that no other draw disturbs."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(network: nn.Module) -> list[Tensor]:
    """A copy of every parameter."""
    return [p.detach().clone() for p in network.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    """Whether two lists of tensors are equal bit for bit."""
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def everything(source: Source) -> Tensor:
    """Return all samples of a source."""
    return source.batch(torch.arange(len(source)))[0]


def some(source: Source, count: int = 500) -> Tensor:
    """Return the indices of `count` samples drawn with replacement."""
    return torch.randint(len(source), (count,), generator=torch.Generator().manual_seed(1))


def draws(rows: int, seed: int = 0) -> Draws:
    """The draws of one update, of `rows` samples."""
    return EXACT.draws(seed, 0, "test", rows)


def two_clouds(rows: int = 16) -> tuple[Tensor, Tensor]:
    """Real points around (1, 1) and fakes around (-1, -1)."""
    return normal(1, rows, 2) / 4 + 1, normal(2, rows, 2) / 4 - 1


def distinct(tensors: list[Tensor]) -> int:
    """How many of the tensors differ."""
    return len({t.numpy().tobytes() for t in tensors})


EXACTLY = 1e-12
# The gradient of a bias that batch norm takes away again is 0; Adam and RMSProp divide its rounding by as little. At
# 5e-5, the rate of the published systems, all else keeps within EXACTLY.
NO_EFFECT = 1e-9


def idle(name: str, config: Config, tensors: dict[str, Tensor]) -> bool:
    """Return whether a tensor is such a bias, or the mean that it shifts."""
    player, _, key = name.partition("/")
    batch_norm = config.generator_norm if player in ("generator", "average") else config.critic_norm
    return batch_norm == "batch" and key.endswith(("bias", "running_mean")) and not key.endswith("norm.bias")


def farthest(one: dict[str, Tensor], many: dict[str, Tensor], config: Config) -> tuple[float, str]:
    """Return the largest difference between two states, and where."""
    assert one.keys() == many.keys()
    worst = (0.0, "")
    for name in one:
        scale = NO_EFFECT / EXACTLY if idle(name, config, one) else 1.0
        distance = float((one[name].double() - many[name].double()).abs().max()) / scale
        worst = max(worst, (distance, name))
    return worst
