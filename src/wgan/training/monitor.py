"""What is measured while a run trains: held-out gap, a small-sample quality metric, alarms, and which step was best.

Everything here looks at the selection part of the test split, which `wgan evaluate` never reports on, and draws from
streams of its own: measuring changes no weight.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.config.objectives import facts_about
from wgan.data import Source, open_source
from wgan.data.source import selection_indices
from wgan.distributed.signals import check
from wgan.losses import safe_norms
from wgan.metrics.coverage import mode_report
from wgan.metrics.distances import exact_w1, relative_fid, scaled_fid, sliced_w1
from wgan.metrics.features import CHUNK, classify, features
from wgan.metrics.random_features import CHUNK as SEEN
from wgan.metrics.random_features import random_features
from wgan.models.own import OwnCritic
from wgan.rng import stream
from wgan.runs.log import SELECTION
from wgan.sampling.generate import generate
from wgan.training.players import Players
from wgan.training.updates import judge, pack
from wgan.visual.images import bytes_last, to_uint8

SAMPLES = 2000  # of each side, at most
MANY = 300  # from here on pixels tell blurred from sharp images too (benchmarks/power.py); of fewer, random features do
FEW = 100  # of fewer, distances between samples differ more by chance than steps do, and prefer blurred fakes to sharp ones

ALARMS = {
    "negative": "critic lost: the W estimate on held-out samples is below 0",
    "slope": "gradient norm: the critic's is far from 1 (below 0.5 or above 2), so its scores are not in units of distance",
    "bound": "clipping: over 90 % of the clipped weights sit on the bound, the critic is little more than a sign pattern",
    "overfit": "overfitting: the critic tells training from held-out samples (their gap is above 3 standard errors)",
    "class": "vanishing: less than a tenth as frequent as in the data: class {}",
    "few": "few: the best step is chosen by {} held-out samples, too few to tell steps apart: look at the last one too",
    "mode": "vanishing: not all of the known modes are reached by a sample",
}


@dataclass
class Monitor:
    """Measures one run on held-out reals; opened on first use."""

    config: Config
    source: Source
    said: set[str] = field(default_factory=set)  # alarms are said once
    pixels: bool = False  # images are compared in pixels however few they are, as the run's log has it
    best: int | None = None  # the step with the lowest selection metric so far
    lowest: float = float("inf")
    waited: int = 0  # evaluations since then

    @classmethod
    def resumed(cls, config: Config, source: Source, records: Sequence[Mapping[str, Any]]) -> Monitor:
        """Return a monitor that remembers what a run's log says was best and already alarmed."""
        monitor = cls(config, source, {kind(r["alarm"]) for r in records if "alarm" in r})
        monitor.pixels = any("evaluate/sliced_w1" in r for r in records)
        for r in records:
            monitor.note(r.get("step"), r.get(SELECTION))
        return monitor

    def note(self, step: int | None, metric: float | None) -> None:
        """Remember `step` as the best when its selection metric is the lowest so far."""
        if metric is None:
            return
        self.waited += 1
        if metric < self.lowest:
            self.best, self.lowest, self.waited = step, metric, 0

    @functools.cached_property
    def held_out(self) -> Source:
        """The test split of the run's data."""
        return open_source(self.config.data, "test", options=self.config)

    @functools.cached_property
    def reals(self) -> tuple[Tensor, Tensor | None]:
        """The selection part of the held-out reals, as stored, and their labels."""
        return self.held_out.batch(selection_indices(len(self.held_out))[:SAMPLES])

    @functools.cached_property
    def real_features(self) -> np.ndarray:
        """Classifier features of the held-out reals."""
        return features(self.reals[0])

    @functools.cached_property
    def real_random_features(self) -> np.ndarray:
        """Features of the held-out reals in a network with random weights."""
        return in_parts(self.look, self.reals[0], SEEN)

    def look(self, x: Tensor) -> np.ndarray:
        """Return what a network with random weights sees in images, signals or volumes."""
        return random_features(x, scaled=self.source.depth is not None)

    @property
    def has_digits(self) -> bool:
        """Whether the shipped digit classifier applies."""
        return self.source.reader == "lenet-mnist"

    def measure(self, p: Players, step: int) -> dict[str, float]:
        """Return the metrics of `step` by tag; every draw depends on the run's seed alone.

        The work may be left every now and then (`signals.check`), and has then changed nothing. The
        processes of a group share the work.
        """
        check()
        n = len(self.reals[0])
        fakes = self.fakes(p, n, self.reals[1])
        metrics = self.gaps(p, fakes)
        check()
        metrics |= p.engine.group.on_main(lambda: self.quality(fakes))
        self.note(step, metrics[SELECTION])
        return metrics

    def fakes(self, p: Players, n: int, y: Tensor | None) -> Tensor:
        """Return n samples [n, *shape] of the averaged generator, told what the held-out reals are."""
        network = p.best_generator
        z = torch.randn(n, network.latent, generator=stream(self.config.seed, 0, "monitor"))
        return generate(network, z, y if network.told else None, p.engine)

    def gaps(self, p: Players, fakes: Tensor) -> dict[str, float]:
        """Return the critic's gap on held-out and on training reals, its largest gradient norm, and their quotient.

        The critic is a copy in the state it trains in (batch statistics, no dropout), so that this is the training
        functional on other images.
        """
        critic = frozen_copy(p.critic)
        judged = dataclasses.replace(p, critic=critic)
        n, y = len(fakes), self.reals[1]
        index = torch.randint(len(self.source), (n,), generator=stream(self.config.seed, 0, "monitor train"))
        train_x, train_y = self.source.batch(index)
        held = scores_of(judged, self.reals[0], y)
        train = scores_of(judged, train_x, train_y)
        fake = scores_of(judged, fakes, y)
        norms = norms_at_samples(judged, self.reals[0], fakes, y)
        error = float((held.var() / len(held) + train.var() / len(train)).sqrt())
        gap = float(held.mean() - fake.mean())
        return {
            "evaluate/wasserstein_held_out": gap,
            "evaluate/wasserstein_train": float(train.mean() - fake.mean()),
            "evaluate/overfit": float(train.mean() - held.mean()) / max(error, 1e-12),
            "evaluate/slope_max": float(norms.max()),
            "evaluate/slope_mean": float(norms.mean()),
            "evaluate/gap_per_slope": gap / max(float(norms.max()), 1e-12),
        }

    def quality(self, fakes: Tensor) -> dict[str, float]:
        """Return the metric the best step is chosen by, under its own tag and as SELECTION."""
        if self.has_digits:
            images = stored(fakes)
            counts = np.bincount(in_parts(classify, images), minlength=10)
            fractions = {f"evaluate/share_{k}": float(c) / len(images) for k, c in enumerate(counts)}
            name, value = "evaluate/fid_lenet", scaled_fid(in_parts(features, images), self.real_features)
        elif len(self.source.shape) == 1:
            fractions = self.modes(fakes)
            name, value = "evaluate/w1", exact_w1(fakes[:1000].numpy(), self.reals[0][:1000].numpy())
        elif not self.source.is_image or (not self.pixels and len(fakes) < MANY and min(fakes.shape[2:]) >= 4):
            fractions = {}
            seen = in_parts(self.look, fakes if self.source.depth else stored(fakes), SEEN)
            name, value = "evaluate/random_fid", relative_fid(seen, self.real_random_features)
        else:
            fractions = {}
            name, value = (
                "evaluate/sliced_w1",
                sliced_w1(pixels(fakes, self.source), pixels(self.reals[0], self.source)),
            )
        return {name: float(value), SELECTION: float(value), **fractions}

    def modes(self, fakes: Tensor) -> dict[str, float]:
        """Return the mode counts of a toy whose modes are known."""
        if self.source.modes is None:
            return {}
        found = mode_report(fakes.numpy(), self.source.modes.numpy(), self.source.radius)
        return {"evaluate/modes": float(found.reached), "evaluate/high_quality": float(found.high_quality)}

    def alarms(self, step: int, metrics: Mapping[str, float]) -> list[str]:
        """Return the alarms that a step's metrics and statistics raise, each kind once in a run.

        The generator is given a tenth of the run to reach every class and mode.
        """
        n = len(self.reals[0])
        raised = self._critic_alarms(metrics) + ([ALARMS["few"].format(n)] if n < FEW else [])
        raised += self._generator_alarms(metrics) if 10 * step >= self.config.steps else []
        fresh = [text for text in raised if kind(text) not in self.said]
        self.said.update(kind(text) for text in fresh)
        return fresh

    def _critic_alarms(self, metrics: Mapping[str, float]) -> list[str]:
        one_norm = facts_about(self.config.objective).unit_norm and self.config.penalty >= 1
        checks = {
            "negative": metrics["evaluate/wasserstein_held_out"] < 0,
            "slope": one_norm and not 0.5 <= metrics["evaluate/slope_mean"] <= 2,
            "bound": metrics.get("critic/share_clipped", 0.0) > 0.9,
            "overfit": metrics["evaluate/overfit"] > 3,
        }
        return [ALARMS[name] for name, bad in checks.items() if bad]

    def _generator_alarms(self, metrics: Mapping[str, float]) -> list[str]:
        texts: list[str] = []
        if self.has_digits and self.reals[1] is not None:
            names = [int(n) for n in self.held_out.class_names]
            wanted = np.bincount(self.reals[1].numpy(), minlength=len(names)) / len(self.reals[1])
            rare = [n for n, real in zip(names, wanted, strict=True) if metrics[f"evaluate/share_{n}"] < real / 10]
            texts = [ALARMS["class"].format(", ".join(map(str, rare)))] if rare else []
        if self.source.modes is not None and metrics["evaluate/modes"] < len(self.source.modes):
            texts.append(ALARMS["mode"])
        return texts


def pixels(x: Tensor, source: Source) -> Any:
    """Return images in [0, 1] as their pixels are compared: bytes as a viewer shows them, values as they are."""
    return ((x + 1) / 2).numpy() if source.depth else bytes_last(x) / 255.0


def stored(fakes: Tensor) -> Tensor:
    """Return images [N, C, H, W] in [-1, 1] as the bytes [N, C, H, W] of a viewer; signals [N, C, T] and volumes as they are."""
    if fakes.dim() != 4:
        return fakes
    images = torch.from_numpy(to_uint8(fakes))
    return images[:, None] if images.dim() == 3 else images.permute(0, 3, 1, 2).contiguous()


def in_parts(look: Callable[[Tensor], np.ndarray], images: Tensor, size: int = CHUNK) -> np.ndarray:
    """Return what `look` sees in images [N, C, H, W], the same as at once; the work may be left before each part."""
    seen = []
    for part in images.split(size):
        check()
        seen.append(look(part))
    return np.concatenate(seen)


def kind(alarm: str) -> str:
    """Return what an alarm is about: the word before its colon."""
    return alarm.partition(":")[0]


def frozen_copy(critic: nn.Module) -> Any:
    """Return a copy of the critic that trains on batch statistics, drops nothing and learns nothing."""
    other = copy.deepcopy(critic).train().requires_grad_(False)
    for module in other.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, OwnCritic):
            module.fixed = True
    return other


@torch.no_grad()
def scores_of(p: Players, x: Tensor, y: Tensor | None) -> Tensor:
    """Return the critic's scores [N / pack] of stored or generated samples, in batches of the run's size."""
    size = p.config.batch
    x = x[: len(x) - len(x) % p.config.pack]  # what fills no whole pack is left out

    def batch_of(number: int) -> Tensor:
        i = number * size
        seen = pack(p.augment(p.engine.to_float(x[i : i + size]), i, "monitor"), p.config.pack)  # as in training
        score, _ = judge(p, seen, None if y is None else y[i : i + size].to(p.engine.device))
        return score.double().cpu()

    return torch.cat(p.engine.group.map(math.ceil(len(x) / size), batch_of))


def norms_at_samples(p: Players, real: Tensor, fake: Tensor, y: Tensor | None) -> Tensor:
    """Return ||grad D|| at up to 256 reals and as many fakes: where the critic is used, not only where it was penalised."""
    n = min(256, len(real), len(fake)) // p.config.pack * p.config.pack
    norms = []
    for x in (real[:n], fake[:n]):
        points = pack(p.engine.to_float(x), p.config.pack).detach().requires_grad_(True)
        labels = None if y is None else y[:n].to(p.engine.device)
        (gradient,) = torch.autograd.grad(judge(p, points, labels)[0].sum(), points)
        norms.append(safe_norms(gradient))
    return torch.cat(norms).cpu()
