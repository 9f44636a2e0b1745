"""Toy signals whose autocovariance and spectrum are known: an autoregression of order 2, and sums of two sines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data.source import Source, parts, rows, sample_stream
from wgan.errors import WganError

SIZE = 10_000  # signals in each split
STEPS = 128
PHI = (1.5, -0.8)  # of ar2: damped waves of about 11 steps
WAVES = ((5, 0.8), (12, 0.2))  # of sines: whole periods in STEPS, and the variance that each gives


def open_ar2(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open stretches of a stationary Gaussian AR(2) of variance 1, float32 [1, 128]; WganError for an argument."""
    return _series(spec, argument, split, seed, "ar2", ar2)


def open_sines(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open sums of two sines of fixed strength and random phase, float32 [1, 128]; WganError for an argument."""
    return _series(spec, argument, split, seed, "sines", sines)


def ar2(draw: np.random.Generator) -> NDArray[np.float64]:
    """x_t = φ1 x_{t-1} + φ2 x_{t-2} + σ e_t, e ~ N(0, 1), from the stationary law on: [SIZE, STEPS]."""
    noise = draw.standard_normal((SIZE, STEPS))
    x = np.empty_like(noise)
    rho = PHI[0] / (1 - PHI[1])  # of neighbours
    x[:, 0], x[:, 1] = noise[:, 0], rho * noise[:, 0] + np.sqrt(1 - rho**2) * noise[:, 1]
    sigma = np.sqrt(1 - PHI[0] * rho - PHI[1] * ar2_autocorrelation(2)[2])
    for t in range(2, STEPS):
        x[:, t] = PHI[0] * x[:, t - 1] + PHI[1] * x[:, t - 2] + sigma * noise[:, t]
    return x


def ar2_autocorrelation(lags: int) -> NDArray[np.float64]:
    """ρ_0 = 1, ρ_1 = φ1 / (1 - φ2), ρ_k = φ1 ρ_{k-1} + φ2 ρ_{k-2} (Yule and Walker): [lags + 1]."""
    found = [1.0, PHI[0] / (1 - PHI[1])]
    while len(found) <= lags:
        found.append(PHI[0] * found[-1] + PHI[1] * found[-2])
    return np.array(found[: lags + 1])


def sines(draw: np.random.Generator) -> NDArray[np.float64]:
    """Σ_j √(2 v_j) sin(2π k_j t / T + φ_j), φ_j ~ U(0, 2π): [SIZE, STEPS], autocovariance Σ_j v_j cos(2π k_j τ / T)."""
    phases = 2 * np.pi * draw.random((SIZE, len(WAVES)))
    t = np.arange(STEPS) / STEPS
    waves = [np.sqrt(2 * v) * np.sin(2 * np.pi * k * t + phases[:, [j]]) for j, (k, v) in enumerate(WAVES)]
    found: NDArray[np.float64] = np.sum(waves, axis=0)
    return found


def _series(
    spec: str,
    argument: str,
    split: str,
    seed: int,
    toy: str,
    make: Callable[[np.random.Generator], NDArray[np.float64]],
) -> Source:
    if argument:
        raise WganError(f"data '{spec}': {toy} takes no argument, write {toy}")
    made = np.concatenate([make(sample_stream(seed, toy, part)) for part in parts(split)])
    values = torch.from_numpy(made.astype(np.float32))[:, None]
    return Source(spec, split, (1, STEPS), len(values), rows(values), recipe="signals")
