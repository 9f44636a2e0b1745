"""Distances between two samples: Fréchet (FID), kernel (KID) and Wasserstein-1. All 0 for equal sets, all >= 0 but KID."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgan.errors import WganError
from wgan.metrics.neighbours import chunks, mean_of
from wgan.metrics.rows import Rows, pair, rows

MOST_CELLS = 10_000**2  # of the cost matrix of exact W1: 0.8 GB


def fid(fake: Any, real: Any) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two feature sets.

    ‖μ − ν‖² + tr A + tr B − 2 tr (A^½ B A^½)^½, with covariances over N − 1, in float64
    fake [N, D], real [M, D], N and M >= 2, also below D -> >= 0, in squared feature units.
    Source: Heusel et al. 2017, equation 6. The last trace is the nuclear norm of F Gᵀ for any A = Fᵀ F, B = Gᵀ G: factors
    by `eigh`, or the centred samples themselves when N <= D, so singular covariances lose no digit.
    Errors: WganError for fewer than 2 samples, NaN, unequal widths. Not unbiased: it falls with N, so compare at equal N
    and beside its reference, real against real; not comparable between feature extractors.
    """
    a, b = pair(fake, real, least=2, single=True)
    (mean_a, root_a), (mean_b, root_b) = _moments(a), _moments(b)
    cross = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    spread = (root_a**2).sum() + (root_b**2).sum()  # traces of both covariances
    return max(0.0, float(((mean_a - mean_b) ** 2).sum() + spread - 2 * cross))


def _moments(x: Rows) -> tuple[Rows, Rows]:
    """Return the mean [D] and F [min(N, D), D] with Fᵀ F = the covariance of x [N, D]; large sets are read in chunks."""
    n, d = x.shape
    mean = x.mean(0, dtype=np.float64)
    if n <= d:
        return mean, (x - mean) / np.sqrt(n - 1)
    scatter = np.zeros((d, d))
    for part in chunks(n, d):
        centred = x[part] - mean
        scatter += centred.T @ centred
    values, vectors = np.linalg.eigh(scatter / (n - 1))
    return mean, (vectors * np.sqrt(np.maximum(values, 0))).T


def total_variance(real: Any) -> float:
    """Return the trace of the covariance, the scale of a feature space; WganError if all samples are equal."""
    b = rows(real, "real", least=2)
    trace = float(b.var(0, ddof=1).sum())
    if trace <= 1e-24 * float((b**2).sum(1).mean()):  # what rounding leaves of a constant
        raise WganError("all real samples are equal: they set no scale to measure a distance by")
    return trace


def relative_fid(fake: Any, real: Any) -> float:
    """Return `fid` as a fraction of the reference's total variance: fid / tr C_real.

    Same arguments as `fid` -> >= 0, no unit: 0 = equal, 1 = what a set collapsed to the reference's mean scores. It does
    not change when all features are multiplied by a number, which raw ReLU features leave open.
    Errors: as `fid`, and WganError when all reals are equal. Not comparable between extractors.
    """
    return fid(fake, real) / total_variance(real)


def scale_features(features: Any, real: Any) -> Rows:
    """Return features / sqrt(tr C_real / D): a unit in which the reference has variance 1 on average. [N, D] -> [N, D]."""
    a, b = pair(features, real, names=("features", "real"))
    scaled: Rows = a / np.sqrt(total_variance(b) / b.shape[1])
    return scaled


def scaled_fid(fake: Any, real: Any) -> float:
    """Return `fid` of features scaled by the reference, the metric called fid-lenet: fid · D / tr C_real.

    Arguments and errors as `relative_fid` -> >= 0, no unit. Not an Inception FID, and never beside one in a column.
    """
    a, b = pair(fake, real, least=2)
    return float(relative_fid(a, b) * a.shape[1])


def mmd2(a: Any, b: Any) -> float:
    """Return the unbiased squared maximum mean discrepancy under k(x, y) = (x·y / D + 1)³.

    mean_{i≠j} k(a_i, a_j) + mean_{i≠j} k(b_i, b_j) − 2 mean_{ij} k(a_i, b_j)
    a [N, D], b [M, D], N and M >= 2 -> about 0 for equal laws, also below 0.
    Source: Bińkowski et al. 2018 (the kernel inception distance); Gretton et al. 2012, equation 3. Errors: WganError as `fid`.
    """
    x, y = pair(a, b, least=2)
    return _within(x) + _within(y) - 2 * float(_kernel(x, y).mean())


def _kernel(x: Rows, y: Rows) -> Rows:
    base = x @ y.T / x.shape[1] + 1
    product: Rows = base * base * base
    return product


def _within(x: Rows) -> float:
    k = _kernel(x, x)
    return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)))


def kid(fake: Any, real: Any, subsets: int = 100, size: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Return the kernel distance of scaled features and its standard error, from the mean of `mmd2` over subsets.

    fake [N, D], real [M, D], N and M >= 4 -> (value, spread), no unit, value about 0 for equal laws and below 0 by chance.
    error² = s² (m / (n − m) + 1 / subsets), s² the variance over subsets of m = min(size, N/2, M/2) samples of each, drawn
    without replacement, n = min(N, M): the delete-d jackknife (Shao & Wu 1989, equation 2.5), and what the mean of so few
    subsets adds. s itself is the error of one subset. For equal laws, where mmd2 falls as 1 / n, it is somewhat too large.
    Source: Bińkowski et al. 2018, on features scaled as `scale_features` does: the cubic kernel is not
    invariant to scale, so raw features would make the metric arbitrary. Errors: WganError as `relative_fid`.
    """
    a, b = pair(fake, real, least=4)
    a, b = scale_features(a, b), scale_features(b, b)
    size = min(size, len(a) // 2, len(b) // 2)
    rng = np.random.default_rng(seed)
    values = [
        mmd2(a[rng.choice(len(a), size, replace=False)], b[rng.choice(len(b), size, replace=False)])
        for _ in range(subsets)
    ]
    n = min(len(a), len(b))
    return float(np.mean(values)), float(np.std(values, ddof=1) * np.sqrt(size / (n - size) + 1 / subsets))


def w1_1d(a: Any, b: Any) -> float:
    """Return the exact Wasserstein-1 distance between two samples of numbers, by sorting.

    ∫ |F_a(t) − F_b(t)| dt, which for equal sizes is the mean of |a_(i) − b_(i)|
    a [N], b [M] (or [N, 1], [M, 1]) -> >= 0, in the unit of the numbers.
    Source: Villani 2003, theorem 2.18 and remark 2.19. Errors: WganError for NaN, no sample, or more than one number a sample.
    """
    x, y = pair(np.asarray(a)[:, None] if np.ndim(a) == 1 else a, np.asarray(b)[:, None] if np.ndim(b) == 1 else b)
    if x.shape[1] != 1:
        raise WganError(f"w1_1d measures single numbers, not samples of {x.shape[1]}: use sliced_w1 or exact_w1")
    return _sorted_w1(x[:, 0], y[:, 0])


def _sorted_w1(x: Rows, y: Rows) -> float:
    x, y = np.sort(x), np.sort(y)
    if len(x) == len(y):
        return float(np.abs(x - y).mean())
    steps = np.sort(np.concatenate([x, y]))
    below_x = np.searchsorted(x, steps[:-1], side="right") / len(x)
    below_y = np.searchsorted(y, steps[:-1], side="right") / len(y)
    return float((np.abs(below_x - below_y) * np.diff(steps)).sum())


def sliced_w1(fake: Any, real: Any, projections: int = 256, seed: int = 0) -> float:
    """Return the mean Wasserstein-1 distance over random directions: E_θ W1(θ·fake, θ·real), ‖θ‖ = 1.

    fake [N, ...], real [M, ...] -> >= 0, in data units, at most W1 itself; directions from `seed`.
    Source: Bonneel et al. 2015, with p = 1. Errors: WganError for NaN or unequal widths.
    Not W1: in D dimensions a translation reads smaller by a factor of about sqrt(πD/2).
    """
    a, b = pair(fake, real, single=True)
    directions = np.random.default_rng(seed).normal(size=(a.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.mean([_sorted_w1(x, y) for x, y in zip(_along(a, directions), _along(b, directions), strict=True)]))


def _along(x: Any, directions: Rows) -> Rows:
    """Return the coordinates [P, N] of rows [N, D] along directions [D, P]; large sets are read in chunks."""
    found = np.empty((directions.shape[1], len(x)))
    for part in chunks(*x.shape):
        found[:, part] = (x[part].astype(np.float64, copy=False) @ directions).T
    return found


def cost_matrix(a: Any, b: Any) -> Rows:
    """Return Euclidean distances [N, M] of rows; WganError when the matrix would exceed 10,000 × 10,000."""
    import ot

    if len(a) * len(b) > MOST_CELLS:
        raise WganError(
            f"exact W1 of {len(a)} and {len(b)} samples needs too much memory: give it 10,000 of each at most"
        )
    centre = mean_of(b)  # distances do not change, their rounding error shrinks
    matrix: Rows = np.empty((len(a), len(b)))
    for i in chunks(len(a), max(b.shape)):
        some = a[i] - centre
        for j in chunks(*b.shape):
            matrix[i, j] = ot.dist(some, b[j] - centre, metric="euclidean")
    return matrix


def exact_w1(fake: Any, real: Any) -> float:
    """Return the exact Wasserstein-1 distance between two finite samples, by optimal transport (network simplex).

    min_π Σ_ij π_ij ‖x_i − y_j‖, π with uniform marginals
    fake [N, ...], real [M, ...], N·M <= 10^8 -> >= 0, in data units, accurate to about 1e-7 of the data's size.
    Seconds in 784 dimensions on 2 cores: n = 1000 0.4, 2000 2, 5000 20.
    Source: Villani 2003, chapter 1 (Kantorovich's problem); Bonneel et al. 2011 for the solver.
    Errors: WganError for NaN, unequal widths, too many samples. Not the populations' W1, which it overestimates by far in
    high dimension: two samples of one law in pixel space are further apart than a sample and its blurred copy. Only beside
    its reference, real against real.
    """
    import ot

    a, b = pair(fake, real, single=True)
    cost = cost_matrix(a, b)
    value, log = ot.emd2(_uniform(len(a)), _uniform(len(b)), cost, numItermax=10_000_000, log=True)
    if log["warning"] is not None:
        raise WganError(f"exact W1 did not converge: {log['warning']}")
    return max(0.0, float(value))


def _uniform(n: int) -> Rows:
    weights: Rows = np.full(n, 1 / n)
    return weights
