"""Distances between two sets of signals: spectrum, autocorrelation, and the values of each channel. All 0 for equal sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.metrics.distances import w1_1d
from wgan.metrics.neighbours import chunks
from wgan.metrics.rows import pair_of, samples_of

Numbers = NDArray[np.float64]
LAGS = 64  # at most, and half of a signal


def power(x: Any) -> Numbers:
    """Return the mean power of each channel at k = 0 .. T // 2 periods in a signal; over all k it is the mean square.

    P_k = w_k E |Σ_t x_t exp(-2πi k t / T)|² / T², w_k = 2 but 1 where k is 0 or T / 2
    x [N, C, T] -> [C, T // 2 + 1], in squared units of x. Source: the periodogram (Schuster 1898), without a window.
    """
    array = samples_of("signals", x, "x")
    steps = array.shape[2]
    total = np.zeros((array.shape[1], steps // 2 + 1))
    for part in chunks(len(array), array[0].size):
        total += (np.abs(np.fft.rfft(array[part].astype(np.float64), axis=2)) ** 2).sum(0)
    total *= 2 / (len(array) * steps**2)
    total[:, 0] /= 2
    if steps % 2 == 0:
        total[:, -1] /= 2
    return total


def spectrum_distance(fake: Any, real: Any) -> float:
    """Return Σ_k |P_k(fake) - P_k(real)| / Σ_k P_k(real), the mean over channels.

    fake [N, C, T], real [M, C, T] -> >= 0: the fraction of the real power that is missing or too much at some frequency;
    signals that are all 0 have 1, and a times the reals |a² - 1|. Errors: WganError as `power`, and for a silent channel.
    """
    a, b = (power(x) for x in pair_of("signals", fake, real))
    if not (b.sum(1) > 0).all():
        raise WganError("a channel of the real signals is 0 everywhere: its spectrum sets no scale")
    return float((np.abs(a - b).sum(1) / b.sum(1)).mean())


def autocorrelation(x: Any, lags: int) -> Numbers:
    """Return ρ_τ = γ_τ / γ_0 for τ = 0 .. lags, γ_τ = E (x_t - μ)(x_{t+τ} - μ) over all signals and steps, μ of the channel.

    x [N, C, T], lags < T -> [C, lags + 1] in about [-1, 1]; 0 beyond lag 0 for a constant channel. Errors: WganError as `power`.
    """
    array = samples_of("signals", x, "x")
    steps = array.shape[2]
    if not 0 <= lags < steps:
        raise WganError(f"lags must be from 0 to {steps - 1}, not {lags}")
    mean = array.mean((0, 2), dtype=np.float64)[:, None]
    gamma = np.zeros((array.shape[1], lags + 1))
    for part in chunks(len(array), array[0].size):
        centred = array[part] - mean
        gamma += np.stack([(centred[..., : steps - k] * centred[..., k:]).sum((0, 2)) for k in range(lags + 1)], 1)
    gamma /= len(array) * (steps - np.arange(lags + 1))
    whole = gamma[:, :1]
    scaled: Numbers = gamma / np.where(whole > 0, whole, 1)
    return scaled


def lags_of(steps: int) -> int:
    """Return how many lags of signals of so many steps are compared: half of them, from 1 to LAGS."""
    return max(1, min(LAGS, steps // 2))


def autocorrelation_distance(fake: Any, real: Any) -> float:
    """Return the mean of |ρ_τ(fake) - ρ_τ(real)| over channels and the lags τ = 1 .. min(64, T / 2).

    fake [N, C, T], real [M, C, T] -> 0 to about 2; it does not change when a side is shifted or scaled. Errors: WganError as
    `power`.
    """
    a, b = pair_of("signals", fake, real)
    lags = lags_of(a.shape[2])
    return float(np.abs(autocorrelation(a, lags) - autocorrelation(b, lags))[:, 1:].mean())


def channel_distances(fake: Any, real: Any) -> Numbers:
    """Return the Wasserstein-1 distance between the values of each channel at all steps, in its real standard deviation.

    fake [N, C, T], real [M, C, T] -> [C], >= 0; a shift by a deviations gives |a|. Source: Villani 2003, theorem 2.18.
    Errors: WganError as `power`, and for a constant channel of the reals.
    """
    a, b = pair_of("signals", fake, real)
    scale = b.std((0, 2), dtype=np.float64)
    if not (scale > 0).all():
        raise WganError("a channel of the real signals is constant: its values set no scale")
    return np.array([w1_1d(a[:, c].reshape(-1), b[:, c].reshape(-1)) / scale[c] for c in range(a.shape[1])])
