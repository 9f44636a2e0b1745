"""How similar two tables are: columns alone, pairs of columns, missing cells, and what a simple model learns from the rows.

Rows are float64 [N, C], NaN where a cell is missing; `categorical` bool [C] says which columns hold the numbers of levels.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import ks_2samp, rankdata

from wgan.metrics.neighbours import nearest
from wgan.metrics.rows import Rows

BINS = 10  # of a number beside a category
STEPS = 200  # of the fit of a linear model
NEIGHBOURS = 5
Flags = NDArray[np.bool_]


def column_shapes(fake: Rows, real: Rows, categorical: Flags) -> Rows:
    """Return for each column 1 - Kolmogorov-Smirnov (numbers that are there) or 1 - total variation (levels and missing)."""
    return np.array([shape(fake[:, i], real[:, i], categorical[i]) for i in range(real.shape[1])])


def shape(fake: Rows, real: Rows, categorical: bool) -> float:
    """Return 1 - KS of two columns [N], [M] of numbers, or 1 - TV of levels; 0 where only one has any number."""
    if categorical:
        return 1 - variation(*joint_numbers(fake[:, None], real[:, None]))
    a, b = fake[~np.isnan(fake)], real[~np.isnan(real)]
    if not len(a) or not len(b):
        return float(len(a) == len(b))
    return 1 - float(ks_2samp(a, b, method="asymp").statistic)


def variation(fake: NDArray[np.int64], real: NDArray[np.int64]) -> float:
    """Return the total variation, in 0..1, between the frequencies of whole numbers from 0 on."""
    count = max(int(fake.max()), int(real.max())) + 1
    p, q = (np.bincount(x, minlength=count) / len(x) for x in (fake, real))
    return float(np.abs(p - q).sum() / 2)


def joint_numbers(fake: Rows, real: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return one number for each different row of both [N, K], [M, K]; missing cells are equal."""
    both = np.concatenate([fake, real])
    both = np.where(np.isnan(both), -np.inf, both)
    found = np.zeros(len(both), np.int64)
    for column in both.T:
        _, numbers = np.unique(column, return_inverse=True)
        _, found = np.unique(found * (numbers.max() + 1) + numbers, return_inverse=True)
    return found[: len(fake)], found[len(fake) :]


def pair_trends(fake: Rows, real: Rows, categorical: Flags) -> Rows:
    """Return for each pair of columns how similar their relation is, in 0..1, symmetric [C, C] with 1 on the diagonal.

    Two numbers: 1 - |difference of their correlations| / 2 where both are there; else 1 - total variation of the joint
    frequencies, a number in BINS bins of equally many real rows.
    """
    count = real.shape[1]
    binned = [binned_alike(fake[:, i], real[:, i], categorical[i]) for i in range(count)]
    found = np.eye(count)
    for i, j in combinations(range(count), 2):
        if categorical[i] or categorical[j]:
            a, b = (np.stack([binned[i][side], binned[j][side]], 1) for side in (0, 1))
            found[i, j] = 1 - variation(*joint_numbers(a, b))
        else:
            found[i, j] = 1 - abs(correlation(fake[:, i], fake[:, j]) - correlation(real[:, i], real[:, j])) / 2
        found[j, i] = found[i, j]
    return found


def binned_alike(fake: Rows, real: Rows, categorical: bool) -> tuple[Rows, Rows]:
    """Return both columns in bins of equally many real rows, missing cells in one of their own; levels as they are."""
    present = real[~np.isnan(real)]
    if categorical or not len(present):
        return fake, real
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1]))
    a, b = (np.where(np.isnan(x), np.nan, np.searchsorted(edges, x, side="right")) for x in (fake, real))
    return a, b


def correlation(a: Rows, b: Rows) -> float:
    """Return Pearson's correlation of two columns where both are there, 0 where one does not vary."""
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 2 or a[both].std() == 0 or b[both].std() == 0:
        return 0.0
    return float(np.corrcoef(a[both], b[both])[0, 1])


def association(a: Rows, b: Rows) -> float:
    """Return Cramér's V of two columns of levels or bins [N], corrected for bias (Bergsma 2013), in 0..1."""
    pairs = [np.unique(np.where(np.isnan(x), -np.inf, x), return_inverse=True)[1] for x in (a, b)]
    rows, columns = (int(x.max()) + 1 for x in pairs)
    n = len(a)
    if min(rows, columns) < 2 or n < 2:
        return 0.0
    table = np.bincount(pairs[0] * columns + pairs[1], minlength=rows * columns).reshape(rows, columns) / n
    expected = np.outer(table.sum(1), table.sum(0))
    square = float(((table - expected) ** 2 / expected).sum()) - (rows - 1) * (columns - 1) / (n - 1)
    most = min(k - (k - 1) ** 2 / (n - 1) for k in (rows, columns)) - 1
    return float(np.sqrt(min(1.0, max(0.0, square) / most))) if most > 0 else 0.0


def missing_gap(fake: Rows, real: Rows) -> Rows:
    """Return for each column the difference of the fractions of missing cells, in 0..1."""
    gap: Rows = np.abs(np.isnan(fake).mean(0) - np.isnan(real).mean(0))
    return gap


# --- what a simple model learns ---------------------------------------------------------------------------------------


class Linear(NamedTuple):
    """A linear model on standardised numbers: scores of each class, or one number."""

    mean: Rows  # [D]
    scale: Rows  # [D]
    weights: Rows  # [D + 1, K], the last row is the bias

    def __call__(self, x: Rows) -> Rows:
        """Return scores [N, K] of x [N, D]."""
        scores: Rows = with_one((x - self.mean) / self.scale) @ self.weights
        return scores


def with_one(x: Rows) -> Rows:
    """Return x [N, D] with a column of ones."""
    return np.concatenate([x, np.ones((len(x), 1))], 1)


def fit_classes(x: Rows, y: NDArray[np.int64], classes: int, penalty: float = 1.0) -> Linear:
    """Return the multinomial logistic regression of y in 0..classes-1 on x [N, D], by L-BFGS; penalty: of the squared weights."""
    mean, scale = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1.0)
    z, target = with_one((x - mean) / scale), np.eye(classes)[y]

    def loss(flat: Rows) -> tuple[float, Rows]:
        w = flat.reshape(-1, classes)
        scores, decay = z @ w, np.r_[np.full(len(w) - 1, penalty), 0][:, None] * w
        value = -(target * log_softmax(scores, 1)).sum() + (decay * w).sum() / 2
        return value / len(x), ((z.T @ (softmax(scores, 1) - target) + decay) / len(x)).ravel()

    found = minimize(loss, np.zeros(z.shape[1] * classes), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return Linear(mean, scale, found.x.reshape(-1, classes))


def fit_number(x: Rows, y: Rows, penalty: float = 1.0) -> Linear:
    """Return the ridge regression of y [N] on x [N, D]."""
    mean, scale = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1.0)
    z = with_one((x - mean) / scale)
    gram = z.T @ z + penalty * np.diag(np.r_[np.ones(x.shape[1]), 0])
    weights = np.linalg.lstsq(gram, z.T @ y[:, None], rcond=None)[0]
    return Linear(mean, scale, weights.astype(np.float64))


def macro_f1(predicted: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    """Return the mean over the classes of y of 2 · precision · recall / (precision + recall), in 0..1."""
    hits = [((predicted == k) & (y == k)).sum() for k in np.unique(y)]
    sums = [(predicted == k).sum() + (y == k).sum() for k in np.unique(y)]
    return float(np.mean([2 * hit / of for hit, of in zip(hits, sums, strict=True)]))


def r_squared(predicted: Rows, y: Rows) -> float:
    """Return 1 - mean squared error / variance, at least -1."""
    spread = float(((y - y.mean()) ** 2).mean())
    return max(-1.0, 1 - float(((predicted - y) ** 2).mean()) / spread) if spread else 0.0


def auc(scores: Rows, positive: Flags) -> float:
    """Return the probability that a positive has a greater score than a negative, ties half."""
    ranks, count = rankdata(scores), int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(scores) - count)))


def detection(fake: Rows, real: Rows) -> float:
    """Return the AUC with which a logistic regression tells fakes from reals [N, D], [M, D] it did not learn from; 0.5 = not.

    Half of each side is learned from and the other judged, then the other way round; at least 0.5.
    """
    n = min(len(fake), len(real))
    x, y = np.concatenate([fake[:n], real[:n]]), np.arange(2 * n) >= n
    part = np.arange(2 * n) % 2 == 0
    found = []
    for learn in (part, ~part):
        model = fit_classes(x[learn], y[learn].astype(np.int64), 2)
        scores = model(x[~learn])
        found.append(auc(scores[:, 1] - scores[:, 0], y[~learn]))
    return max(0.5, float(np.mean(found)))


# --- copies -----------------------------------------------------------------------------------------------------------


def nearer_to_training(fake: Rows, train: Rows, held: Rows) -> float:
    """Return the fraction of fakes [N, D] nearer to one of the training rows than to any of as many held-out ones; 0.5 = none."""
    n = min(len(train), len(held))
    a, b = (nearest(fake, side[:n])[0][:, 0] for side in (train, held))
    return float(((a < b) + 0.5 * (a == b)).mean())


def exact_copies(fake: Rows, train: Rows) -> float:
    """Return the fraction of rows [N, C] that equal a training row in every cell."""
    a, b = joint_numbers(fake, train)
    return float(np.isin(a, b).mean())


def interpolated(rows: Rows, x: Rows, categorical: Flags, count: int, seed: int = 0) -> Rows:
    """Return `count` rows between training rows [N, C] and one of their neighbours, as SMOTE makes them (Chawla 2002).

    x [N, D] are the numbers in which neighbours are sought. Numbers lie on the line between both; a level, and a number that
    one of them lacks, is that of either.
    """
    g = np.random.default_rng(seed)
    first = g.integers(len(rows), size=count)
    k = min(NEIGHBOURS, len(rows) - 1)
    near = nearest(x[first], x, k + 1)[1]
    second = near[np.arange(count), g.integers(1, k + 1, size=count)]
    a, b, t = rows[first], rows[second], g.random((count, 1))
    either = np.where(g.random(a.shape) < t, b, a)
    between = a + t * (b - a)
    return np.where(categorical | np.isnan(between), either, between)
