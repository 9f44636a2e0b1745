"""The judges of a study: two metrics of each kind of data, for the samples of runs, for noise and for real samples."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wgan.config import Config
from wgan.data import Source, open_source
from wgan.evaluation.context import SMALL, flat
from wgan.evaluation.samples import Reals, open_reals
from wgan.metrics.classifier import fit_classifier
from wgan.metrics.coverage import mode_report
from wgan.metrics.distances import exact_w1, scaled_fid, sliced_w1
from wgan.metrics.features import features
from wgan.metrics.random_features import random_features
from wgan.rng import stream
from wgan.training.monitor import Monitor, in_parts

APART_SEED = 7  # of the second classifier
DIGITS = ("fid-lenet", "fid-apart")
IMAGES = ("random-relative-fid", "sliced-w1")
POINTS = ("exact-w1", "sliced-w1")
COVERED = "modes-covered"


def judges_of(source: Source) -> tuple[str, str]:
    """Return the names of the two metrics that judge samples of the data; the first is the one that hypotheses are about."""
    if source.reader == "lenet-mnist":
        return DIGITS
    return IMAGES if source.is_image else POINTS


@functools.lru_cache(maxsize=2)
def reals_of(data: str, samples: int) -> Reals:
    """Return both splits; no sample of the held-out part that is reported on chose a setting."""
    return open_reals(data, samples)


@functools.lru_cache(maxsize=2)
def classifier_apart(data: str) -> nn.Module:
    """Return a classifier of another architecture than the shipped one, trained here from another seed."""
    source = open_source(data, "train")
    x, y = source.batch(torch.arange(len(source)))
    return fit_classifier(x, y, source.classes, seed=APART_SEED)


def features_apart(data: str) -> Callable[[Tensor], NDArray[np.float32]]:
    """Return what gives the activations [N, 128] before that classifier's last layer, of images uint8 [N, C, H, W]."""
    network = classifier_apart(data)
    assert isinstance(network, nn.Sequential)
    trunk = network[:-1]

    def seen(images: Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            found: NDArray[np.float32] = trunk(images.float() / 127.5 - 1).numpy()
        return found

    return seen


def judged(samples: Tensor, data: str, n: int) -> dict[str, float]:
    """Return every judge's value for samples as stored, uint8 [N, C, H, W] or float32 [N, D], against the report split."""
    reals = reals_of(data, n)
    source, held = reals.test, reals.held_out[0]
    if source.reader == "lenet-mnist":
        pairs = (features, features_apart(data))
        values = [scaled_fid(in_parts(look, samples), in_parts(look, held)) for look in pairs]
        return dict(zip(DIGITS, map(float, values), strict=True))
    sliced = float(sliced_w1(flat(samples), flat(held)))
    if source.is_image:
        return {IMAGES[0]: float(scaled_fid(random_features(samples), random_features(held))), IMAGES[1]: sliced}
    exact = float(exact_w1(flat(samples[:SMALL]), flat(reals.balanced(SMALL))))
    return {POINTS[0]: exact, POINTS[1]: sliced, **modes(samples, source)}


def modes(samples: Tensor, source: Source) -> dict[str, float]:
    """Return how many modes of a toy the samples cover, and the fraction of them that is near one."""
    if source.modes is None:
        return {}
    found = mode_report(samples.numpy(), source.modes.numpy(), source.radius)
    return {COVERED: float(found.covered), "modes-high-quality": found.high_quality}


def noise_like(x: Tensor, n: int) -> Tensor:
    """Return n samples of uniform noise: bytes, or points in the box around x."""
    draws = stream(0, 0, "study noise")
    if x.dtype == torch.uint8:
        return torch.randint(0, 256, (n, *x.shape[1:]), generator=draws, dtype=torch.uint8)
    low, high = x.min(0).values, x.max(0).values
    return low + (high - low) * torch.rand(n, *x.shape[1:], generator=draws)


def rows_beside(config: Config, n: int) -> dict[str, dict[str, float]]:
    """Return what the judges and the selection metric say of noise and of real training samples: the ends of every table."""
    reals = reals_of(config.data, n)
    monitor = Monitor(config, reals.train)
    found = {}
    for name, samples in (("noise", noise_like(reals.held_out[0], n)), ("real", reals.draw(0)[0])):
        as_made = samples.float() / 127.5 - 1 if samples.dtype == torch.uint8 else samples
        selection = monitor.quality(as_made[: len(monitor.reals[0])])["evaluate/selection"]
        found[name] = {**judged(samples, config.data, n), "selection": selection}
    return found
