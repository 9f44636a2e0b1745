"""Anomaly scores: how far a sample is from what a generator can make, thresholds with a known false-alarm rate, and AUC.

Schlegl et al. 2019, "f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks". Only NumPy, SciPy and
torch: nothing here knows of runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from wgan.errors import WganError

CONFIDENCE = 0.95  # of every interval
DRAWS = 1000  # of the bootstrap of the average precision

Numbers = NDArray[np.float64]


def reconstruction_errors(x: Tensor, made: Tensor, features: Tensor, made_features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the residual and the feature residual of each sample, both [B].

    ‖x − G(E(x))‖² / n and ‖f(x) − f(G(E(x)))‖² / n_f, f the critic's features (Schlegl 2019, equations 3 and 4).
    x and made [B, *shape], features [B, W].
    """
    return (x - made).square().flatten(1).mean(1), (features - made_features).square().flatten(1).mean(1)


def residual_map(x: Tensor, made: Tensor) -> Tensor:
    """Return where images [B, C, H, W] in [-1, 1] and their reconstructions differ, as images: -1 = nowhere, 1 = by 2."""
    return (x - made).abs() - 1


def latent_distance(z: Tensor) -> Tensor:
    """Return how far ‖z‖² of latents z [B, Z] lies from Z, its mean under N(0, 1), in standard deviations √(2 Z): [B]."""
    size = z.shape[1]
    return (z.square().sum(1) - size).abs() / math.sqrt(2 * size)


@dataclass(frozen=True)
class Threshold:
    """A score above which a sample counts as anomalous, and the rate of false alarms that it has."""

    value: float
    rate: float  # asked for: the expected rate is at most this
    low: float  # 95 % interval of the true rate
    high: float
    n: int  # normal samples that it was taken from


def threshold(normal: Numbers, rate: float) -> Threshold:
    """Return the threshold at a false-alarm rate, from the scores [N] of normal samples that nothing was fitted to.

    It is the k-th lowest score, k = ⌈(N + 1)(1 − rate)⌉: a new normal sample exceeds it with probability at most `rate`. Given
    the N samples that probability is Beta(N + 1 − k, k) distributed, whatever the scores' law, which is the interval.
    Raises WganError for a rate outside (0, 1), and for one that so few samples cannot show.
    """
    if not 0 < rate < 1:
        raise WganError(f"the false-alarm rate must lie between 0 and 1, such as 0.01, not {rate:g}")
    n = len(normal)
    k = math.ceil((n + 1) * (1 - rate) - 1e-9)
    if k > n:
        least = 1 / (n + 1)
        raise WganError(
            f"{n} held-out normal samples cannot show a false-alarm rate of {rate:g}: ask for {math.ceil(least * 1000) / 1000:g} "
            "or more, or train on more samples"
        )
    low, high = stats.beta.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], n + 1 - k, k)
    return Threshold(float(np.sort(normal)[k - 1]), rate, float(low), float(high), n)


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def fraction(count: int, n: int) -> Interval:
    """Return count / n with the exact binomial interval of Clopper and Pearson (1934)."""
    found = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="exact")
    return Interval(count / n, float(found.low), float(found.high))


def auc(normal: Numbers, anomalous: Numbers) -> Interval:
    """Return the area under the ROC curve: P(score of an anomaly > score of a normal sample), ties count half.

    The interval is that of DeLong et al. (1988), on the logit scale, so that it stays within [0, 1].
    """
    m, n = len(anomalous), len(normal)
    both = stats.rankdata(np.concatenate([anomalous, normal]))
    above = (both[:m] - stats.rankdata(anomalous)) / n  # of each anomaly: the fraction of normal samples below it
    below = 1 - (both[m:] - stats.rankdata(normal)) / m  # of each normal sample: the fraction of anomalies above it
    value = float(above.mean())
    variance = (above.var(ddof=1) / m if m > 1 else 0.0) + (below.var(ddof=1) / n if n > 1 else 0.0)
    if not 0 < value < 1:  # complete separation: the exact bound of "no pair of min(m, n) independent ones is wrong"
        edge = (1 - CONFIDENCE) ** (1 / min(m, n))
        return Interval(value, edge if value == 1 else 0.0, 1.0 if value == 1 else 1 - edge)
    logit, half = math.log(value / (1 - value)), 1.96 * math.sqrt(variance) / (value * (1 - value))
    return Interval(value, 1 / (1 + math.exp(half - logit)), 1 / (1 + math.exp(-half - logit)))


def precision_average(scores: Numbers, anomalous: NDArray[np.bool_]) -> float:
    """Return the average precision: the mean, over the anomalies, of the precision at each one's score.

    Equal scores are one threshold, as in scikit-learn.
    """
    order = np.argsort(-scores, kind="stable")
    hits = anomalous[order].cumsum()
    last = np.append(np.diff(scores[order]) != 0, True)  # of each group of equal scores
    precision, recall = hits[last] / (np.flatnonzero(last) + 1), hits[last] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def average_precision(normal: Numbers, anomalous: Numbers, seed: int = 0) -> Interval:
    """Return the average precision with a percentile interval over DRAWS bootstraps of each class for itself."""
    random = np.random.default_rng(seed)
    marks = np.repeat([True, False], [len(anomalous), len(normal)])

    def drawn() -> Numbers:
        return np.concatenate([random.choice(anomalous, len(anomalous)), random.choice(normal, len(normal))])

    found = [precision_average(drawn(), marks) for _ in range(DRAWS)]
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(precision_average(np.concatenate([anomalous, normal]), marks), float(low), float(high))
