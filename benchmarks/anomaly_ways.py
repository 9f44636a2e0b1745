"""Simple ways to tell anomalies, beside which `benchmarks/anomaly.py` sets the score, and an autoencoder of equal cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM

import wgan
from wgan.metrics.gaussian import fit_gaussian
from wgan.metrics.neighbours import nearest
from wgan.models import build_generator
from wgan.models.encoder import build_encoder
from wgan.rng import order, seeded

NEIGHBOURS, BASE, SVM_ROWS, GAUSSIAN_ROWS = 5, 10_000, 2_000, 2_000
FRACTION = 0.9  # of the variance, which PCA keeps
Rows = NDArray[Any]
Way = Callable[[Rows, Rows], Rows]  # training rows [N, D], judged ones [M, D] -> scores [M], larger = stranger


def floats(x: torch.Tensor) -> torch.Tensor:
    """Return bytes of images in [-1, 1]."""
    return x.float() / 127.5 - 1


def components(train: Rows) -> tuple[Rows, Rows]:
    """Return the mean of rows [N, D] and the directions [K, D] that hold FRACTION of their variance."""
    mean = train.mean(0)
    values, vectors = np.linalg.eigh(np.cov((train - mean).T))
    held = np.cumsum(values[::-1]) / values.sum()
    return mean, vectors.T[::-1][: int(np.searchsorted(held, FRACTION)) + 1]


def pca(train: Rows, test: Rows) -> Rows:
    """Return the distance of rows from the plane of the training rows."""
    mean, basis = components(train)
    centred = test - mean
    return np.linalg.norm(centred - centred @ basis.T @ basis, axis=1)


def forest(train: Rows, test: Rows) -> Rows:
    """Return the scores of an isolation forest (Liu 2008) as scikit-learn has it."""
    return -IsolationForest(random_state=0).fit(train).score_samples(test)


def gaussian(train: Rows, test: Rows) -> Rows:
    """Return the Mahalanobis distances that the score takes, of the numbers themselves: what it is worth without networks."""
    return fit_gaussian(torch.from_numpy(train[:GAUSSIAN_ROWS])).distance(torch.from_numpy(test)).numpy()


def one_class_svm(train: Rows, test: Rows) -> Rows:
    """Return the scores of a one-class SVM (Schölkopf 2001), fitted to SVM_ROWS rows."""
    return -OneClassSVM(nu=0.1).fit(train[:SVM_ROWS]).score_samples(test)


def neighbours(train: Rows, test: Rows) -> Rows:
    """Return the mean distance to the NEIGHBOURS nearest of BASE training rows."""
    base = train[:BASE]
    return nearest(test, base, min(NEIGHBOURS, len(base)))[0].mean(1)


ROWS: dict[str, Way] = {
    "PCA": pca,
    "Mahalanobis": gaussian,
    "isolation forest": forest,
    "one-class SVM": one_class_svm,
    "neighbours": neighbours,
}


def autoencoder(run: wgan.Run, x: torch.Tensor, test: torch.Tensor, seconds: float, seed: int) -> tuple[Rows, int]:
    """Return squared errors of an autoencoder and its steps: the networks of E and G, for `seconds` of CPU time."""
    config, shape = run.config, run.facts.shape
    with seeded(seed, 0, "autoencoder"):
        encode, decode = build_encoder(config, shape, config.latent), build_generator(config, shape, 0)
    optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=1e-3)
    start, step = time.process_time(), 0
    while (spent := time.process_time() - start) < seconds or not step:
        optimizer.param_groups[0]["lr"] = 1e-3 * max(0.0, 1 - spent / seconds)
        batch = floats(x[order(seed, "autoencoder", len(x), step * 64, 64)])
        optimizer.zero_grad()
        (decode(encode(batch)[0]) - batch).square().mean().backward()
        optimizer.step()
        step += 1
    encode.eval(), decode.eval()
    with torch.no_grad():
        errors = [(decode(encode(b)[0]) - b).square().mean((1, 2, 3)) for b in floats(test).split(500)]
    return torch.cat(errors).double().numpy(), step


def kept_autoencoder(run: wgan.Run, x: torch.Tensor, test: torch.Tensor, seconds: float, seed: int) -> tuple[Rows, int]:
    """Return what autoencoder() does, from beside the run where it was trained before."""
    path = run.path.with_suffix(".autoencoder.npz")
    if not path.exists():
        errors, steps = autoencoder(run, x, test, seconds, seed)
        np.savez(path, errors=errors, steps=steps)
    with np.load(path) as found:
        return found["errors"], int(found["steps"])
