"""How much of the real data the fakes reach, and how much of what they make is real: PRDC, modes, classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.errors import WganError
from wgan.metrics.neighbours import Centred, chunks, mean_of, squared_distances
from wgan.metrics.rows import labels, pair

Counts = NDArray[np.int64]


class Prdc(NamedTuple):
    """Fractions in 0..1, but density, which may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(fake: Any, real: Any, k: int = 5) -> Prdc:
    """Return precision, recall, density and coverage of two feature sets by balls to the k-th neighbour.

    With r_i, s_j the distances of real x_i and fake y_j to their k-th neighbour in their own set:
    precision = mean_j [some i: ‖x_i − y_j‖ < r_i], recall = mean_i [some j: ‖x_i − y_j‖ < s_j],
    density = Σ_ij [‖x_i − y_j‖ < r_i] / (k M), coverage = mean_i [some j: ‖x_i − y_j‖ < r_i]
    fake [M, D], real [N, D], both above k. Memory: chunks (about 500 MB) whatever N, M and D.
    Source: Kynkäänniemi et al. 2019, equations 1 and 2; Naeem et al. 2020, section 3.
    Errors: WganError for k or fewer samples, NaN, unequal widths. More than k equal samples have radius 0, and a ball of
    radius 0 holds nothing: a constant set scores 0. Precision and recall are not robust to outliers, and all four depend
    on N and M: compare at equal numbers, beside real against real.
    """
    if k < 1:
        raise WganError(f"k must be at least 1, not {k}")
    fake, real = pair(fake, real, least=k + 1, single=True)
    mean = mean_of(real)
    x, y = Centred(real, mean), Centred(fake, mean)
    real_radius, fake_radius = _radii(x, k), _radii(y, k)
    held_by = torch.zeros(len(y), dtype=torch.int64)  # number of real balls that hold fake j
    recalled, covered = 0, 0
    for part in chunks(len(x), max(len(y), len(mean))):
        d2 = squared_distances(x[part], y)  # [chunk, M]
        inside = d2 < real_radius[part, None]
        held_by += inside.sum(0)
        covered += int(inside.any(1).sum())
        recalled += int((d2 < fake_radius[None, :]).any(1).sum())
    return Prdc(
        precision=float((held_by > 0).double().mean()),
        recall=recalled / len(x),
        density=float(held_by.double().mean()) / k,
        coverage=covered / len(x),
    )


def _radii(x: Centred, k: int) -> Tensor:
    """Return the squared distance of each row to its k-th nearest other row."""
    parts = chunks(len(x), max(x.x.shape))
    return torch.cat([squared_distances(x[s], x).kthvalue(k + 1, dim=1).values for s in parts])  # the 1st is itself


def kl(counts: Any, reference: Any = None) -> float:
    """Return the Kullback-Leibler divergence of observed counts from a reference law, in nats.

    Σ_k p_k log(p_k / q_k), p = counts / N, q = reference / its sum (uniform when None), with 0 log 0 = 0
    counts [K] -> >= 0; infinite where something was counted that the reference excludes.
    Errors: WganError when nothing was counted. Not 0 for a perfect sampler of finite N: about (K − 1) / 2N.
    """
    p = np.asarray(counts, dtype=np.float64)
    q = np.ones_like(p) if reference is None else np.asarray(reference, dtype=np.float64)
    if p.shape != q.shape or not p.sum() > 0 or not q.sum() > 0:
        raise WganError("a divergence needs two histograms of one length with something counted in each")
    p, q, seen = p / p.sum(), q / q.sum(), p > 0
    with np.errstate(divide="ignore"):
        return max(0.0, float((p[seen] * np.log(p[seen] / q[seen])).sum()))


class Modes(NamedTuple):
    """What `mode_report` counts: modes reached of all, fraction of samples near one, divergence in nats, modes covered."""

    reached: int
    modes: int
    high_quality: float
    reverse_kl: float
    counts: Counts  # samples nearest to each mode
    covered: int  # modes with at least N / (10 K) high-quality samples: a tenth of what each has in the data


def mode_report(samples: Any, modes: Any, radius: float) -> Modes:
    """Return how samples of a mixture with known equal modes are spread over them.

    A sample within `radius` (3σ, inclusive) of its nearest mode is of high quality; a mode is reached when one such sample
    is nearest to it, and covered by at least N / (10 K) of them, which scattered noise does not give; reverse KL =
    KL(fraction of samples nearest to each mode ‖ uniform), over all samples.
    samples [N, D], modes [K, D], radius > 0 in data units.
    Source: Srivastava et al. 2017 (VEEGAN) section 4.1; Lin et al. 2018 (PacGAN) section 4.1, with 2,500 samples.
    Errors: WganError for NaN, unequal widths, radius <= 0. A perfect sampler in 2-D scores 0.9889, not 1.
    """
    if not radius > 0:
        raise WganError(f"radius must be above 0 (three standard deviations of a mode), not {radius}")
    x, centres = pair(samples, modes, names=("samples", "modes"))
    index = np.empty(len(x), dtype=np.int64)
    distance = np.empty(len(x))
    for part in chunks(len(x), centres.size):
        d = np.linalg.norm(x[part, None, :] - centres[None], axis=2)  # [chunk, K], without cancellation
        index[part], distance[part] = d.argmin(1), d.min(1)
    good = distance <= radius
    counts = np.bincount(index, minlength=len(centres))
    near = np.bincount(index[good], minlength=len(centres))
    covered = int((10 * len(centres) * near >= len(x)).sum())
    return Modes(int((near > 0).sum()), len(centres), float(good.mean()), kl(counts), counts, covered)


class StackedModes(NamedTuple):
    """What `stacked_modes` finds; divergences in nats."""

    reached: int
    modes: int
    kl: float
    kl_floor: float  # (K − 1) / 2N, of a perfect sampler, in theory
    kl_floor_measured: float  # the mean over perfect samplers drawn here
    kl_floor_spread: float  # and their standard deviation
    excess: float  # kl − kl_floor_measured


def stacked_modes(triples: Any, digits: int = 10, draws: int = 50, seed: int = 0) -> StackedModes:
    """Return the modes of stacked MNIST that a sample reaches, and its divergence from uniform beside a perfect sampler's.

    A mode is one triple of digits (1000 in all), reached when seen once; KL(p̂ ‖ uniform). A perfect sampler has (K − 1) / 2N in
    theory (Miller 1955), and the mean over `draws` seeded uniform samples of the same N.
    triples [N, 3] of whole numbers in 0..digits-1; published values use N = 26,000.
    Source: Metz et al. 2017, section 3.3.1; Lin et al. 2018, section 4.2. Errors: WganError for another shape or range.
    Not free of the classifier's own mistakes: real stacked digits score above a perfect sampler too.
    """
    array = np.asarray(triples.cpu() if hasattr(triples, "cpu") else triples)
    if array.ndim != 2 or array.shape[1] != 3:
        raise WganError(f"triples must have shape [N, 3], not {list(array.shape)}")
    flat = labels(array.reshape(-1), digits, "triples").reshape(-1, 3)
    n, size = len(flat), digits**3
    counts = np.bincount(flat @ np.array([digits**2, digits, 1]), minlength=size)
    perfect = np.random.default_rng(seed).multinomial(n, np.full(size, 1 / size), size=draws)
    expected = [kl(draw) for draw in perfect]
    found, mean = kl(counts), float(np.mean(expected))
    theory = (size - 1) / (2 * n)
    return StackedModes(int((counts > 0).sum()), size, found, theory, mean, float(np.std(expected)), found - mean)


class Histogram(NamedTuple):
    """What `class_histogram` counts."""

    counts: Counts  # [K]
    shares: NDArray[np.float64]  # [K], sum 1
    missing: tuple[int, ...]  # classes never seen
    kl: float  # from the reference's fractions, in nats


def class_histogram(predicted: Any, classes: int, reference: Any = None) -> Histogram:
    """Return how often each class occurs among predicted labels, and KL(fractions ‖ reference fractions).

    predicted int [N] in 0..classes-1; reference: counts or fractions [classes], uniform when None (MNIST is not quite).
    Errors: WganError for labels out of range, no label, or a reference of another length.
    Not a sign of quality: a classifier names noise too.
    """
    counts = np.bincount(labels(predicted, classes, "predicted"), minlength=classes)
    missing = tuple(int(c) for c in np.flatnonzero(counts == 0))
    return Histogram(counts, counts / counts.sum(), missing, kl(counts, reference))


class LabelAccuracy(NamedTuple):
    """What `label_accuracy` measures; `per_class` is NaN for a class that was never asked for."""

    accuracy: float
    per_class: NDArray[np.float64]  # [K]


def label_accuracy(asked: Any, predicted: Any, classes: int) -> LabelAccuracy:
    """Return the fraction of samples in which a classifier sees the requested label (GAN-test).

    asked, predicted int [N] in 0..classes-1 -> fractions in 0..1, overall and per class.
    Source: Shmelkov et al. 2018, section 3. Errors: WganError for unequal lengths or labels out of range.
    Not diversity: one good image for each class scores 1. Read it beside the classifier's accuracy on real data.
    """
    a, p = labels(asked, classes, "asked"), labels(predicted, classes, "predicted")
    if len(a) != len(p):
        raise WganError(f"asked has {len(a)} labels, predicted has {len(p)}: they must match")
    right, total = np.bincount(a[a == p], minlength=classes), np.bincount(a, minlength=classes)
    with np.errstate(invalid="ignore"):
        return LabelAccuracy(float((a == p).mean()), right / total)
