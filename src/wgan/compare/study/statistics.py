"""What a study computes from its raw values: effects with intervals, tests, and what chance alone would give."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
LEVEL = 0.95  # of every interval
ALPHA = 0.05  # of all hypotheses of a study together
EQUAL = 1.25  # two positive quantities are called equal when their whole interval lies within this ratio
RESAMPLES = 9999  # of bootstraps and permutations; a test of 13 pairs or fewer goes through all of them
FEWEST = 3  # pairs below which nothing is said


@dataclass(frozen=True)
class Effect:
    """A difference or a ratio with its BCa interval, the p-value of there being none (two-sided), and the number of pairs."""

    value: float
    low: float
    high: float
    p: float
    n: int
    null: Literal[0, 1]  # 1 for a ratio, 0 for a difference

    @property
    def is_equal(self) -> bool:
        """Whether the whole interval of a ratio lies within EQUAL of 1."""
        return self.null == 1 and self.low >= 1 / EQUAL and self.high <= EQUAL


def floats(values: ArrayLike) -> Floats:
    """Return an array of float64."""
    return np.asarray(values, dtype=np.float64)


def interval(
    statistic: Callable[..., Any], *data: ArrayLike, resamples: int = RESAMPLES, vectorized: bool = False
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of a statistic of arrays of one length, resampled together (Efron 1987, section 3).

    Where all resamples give one value there is nothing to correct, and the interval is that value.
    """
    arrays = [floats(d) for d in data]
    value = float(statistic(*arrays))
    if len(arrays[0]) < 2:
        return -math.inf, math.inf
    if all((a == a[0]).all() for a in arrays):
        return value, value
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a degenerate distribution gives NaN: wide is then right
        found = stats.bootstrap(
            arrays,
            statistic,
            paired=len(arrays) > 1,
            n_resamples=resamples,
            confidence_level=LEVEL,
            method="BCa",
            vectorized=vectorized,
            random_state=np.random.default_rng(0),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)


def mean_of(values: Floats, axis: int = -1) -> Any:
    """Return the mean along an axis, as scipy asks for it."""
    return values.mean(axis)


def sign_flip(differences: ArrayLike, resamples: int = RESAMPLES) -> float:
    """Return the p-value (two-sided) of paired differences by flipping their signs, exact for 13 pairs or fewer.

    Valid whatever the distribution, where either sign was as likely. Source: Fisher 1935, section 21. 1 for a single pair, and
    where all are 0.
    """
    d = floats(differences)
    if len(d) < 2 or not d.any():
        return 1.0
    found = stats.permutation_test(
        (d,),
        mean_of,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        random_state=np.random.default_rng(0),
    )
    return float(found.pvalue)


def ratio_effect(a: ArrayLike, b: ArrayLike, resamples: int = RESAMPLES) -> Effect:
    """Return the ratio of the geometric means of paired positive values: exp(mean_i log(a_i / b_i)).

    a, b > 0 [n], pair by pair of one seed.
    """
    logs = np.log(floats(a)) - np.log(floats(b))
    low, high = interval(mean_of, logs, resamples=resamples, vectorized=True)
    value = math.exp(float(logs.mean()))
    return Effect(value, math.exp(low), math.exp(high), sign_flip(logs, resamples), len(logs), 1)


def difference_effect(a: ArrayLike, b: ArrayLike, resamples: int = RESAMPLES) -> Effect:
    """Return the mean of the paired differences a_i - b_i."""
    d = floats(a) - floats(b)
    low, high = interval(mean_of, d, resamples=resamples, vectorized=True)
    return Effect(float(d.mean()), low, high, sign_flip(d, resamples), len(d), 0)


def fraction_effect(a: ArrayLike, b: ArrayLike, resamples: int = RESAMPLES) -> Effect:
    """Return the difference of two fractions of the same draws, a, b bool [n], with McNemar's exact test (McNemar 1947)."""
    x, y = np.asarray(a, bool), np.asarray(b, bool)
    only_a, only_b = int((x & ~y).sum()), int((y & ~x).sum())
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    d = x.astype(float) - y.astype(float)
    low, high = interval(mean_of, d, resamples=resamples, vectorized=True)
    return Effect(float(d.mean()), low, high, p, len(d), 0)


def superiority(a: ArrayLike, b: ArrayLike) -> float:
    """Return P(A < B) + P(A = B) / 2: how likely a run of A is better than one of B, where lower is better.

    The statistic of Mann & Whitney 1947 over the number of pairs; 0.5 = no difference.
    """
    x, y = floats(a), floats(b)
    return float(stats.mannwhitneyu(y, x, method="asymptotic").statistic) / (len(x) * len(y))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for all of them together: max_{j <= i} min(1, (m - j + 1) p_(j)) (Holm 1979)."""
    adjusted = [1.0] * len(p)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def partial_correlation(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> float:
    """Return Spearman's correlation of x and y given z: (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2)).

    What is left of their common course when that with z (the step) is taken out. 0 where nothing of x or y is left.
    """
    ranks = np.vstack([stats.rankdata(v) for v in (floats(x), floats(y), floats(z))])
    if (ranks.std(1) == 0).any():
        return 0.0
    r = np.corrcoef(ranks)
    left = (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)
    return 0.0 if left < 1e-12 else float((r[0, 1] - r[0, 2] * r[1, 2]) / math.sqrt(left))


def crossed(losses: ArrayLike, qualities: ArrayLike, steps: ArrayLike) -> Floats:
    """Return the partial correlation given the step of each run's loss with each run's quality: [R, T] twice -> [R, R].

    The diagonal is what a loss says of its own run; the rest is what the same loss would say of another one.
    """
    rows, columns = floats(losses), floats(qualities)
    return np.array([[partial_correlation(x, y, steps) for y in columns] for x in rows])


def tracking_effect(matrix: Floats, resamples: int = RESAMPLES) -> Effect:
    """Return by how much a loss correlates with its own run's quality more than with the other runs'.

    matrix [R, R] of `crossed`. value = mean_i (m_ii - mean_{j != i} m_ij); p: how often other runs' losses, dealt out at
    random, give as high or as low a mean of the diagonal.
    """
    n = len(matrix)
    own = np.diag(matrix)
    others = (matrix.sum(1) - own) / max(n - 1, 1)
    low, high = interval(mean_of, own - others, resamples=resamples, vectorized=True)
    return Effect(float((own - others).mean()), low, high, dealt(matrix, resamples), n, 0)


def dealt(matrix: Floats, resamples: int = RESAMPLES) -> float:
    """Return the p-value (two-sided) of the mean of the diagonal among those of permuted rows."""
    n = len(matrix)
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(n) for _ in range(resamples)])
    null = matrix[orders, np.arange(n)].mean(1)
    observed = float(np.diag(matrix).mean())
    above, below = ((1 + int((side >= -1e-12).sum())) / (1 + resamples) for side in (null - observed, observed - null))
    return min(1.0, 2 * min(above, below))


def expected_best(values: ArrayLike, k: int) -> float:
    """Return the expected lowest of k of the values, drawn without replacement: sum_i x_(i) C(n - i, k - 1) / C(n, k).

    What tuning with k trials would have given; source: Dodge et al. 2019, section 3, without replacement. 1 <= k <= n.
    """
    x = np.sort(floats(values))
    n = len(x)
    weights = [math.comb(n - i, k - 1) / math.comb(n, k) for i in range(1, n + 1)]
    return float(np.dot(x, weights))


def spread_by_rates(logs: Floats, rates: Floats) -> float:
    """Return the standard deviation of what a quadratic in log rates explains of log quality: logs [n], rates [n, 2]."""
    g, c = ((rates - rates.mean(0)) / (rates.std(0) + 1e-12)).T
    terms = np.column_stack([np.ones_like(g), g, c, g * g, c * c, g * c])
    return float((terms @ np.linalg.lstsq(terms, logs, rcond=None)[0]).std())


def sensitivity_effect(a: ArrayLike, b: ArrayLike, rates: ArrayLike, resamples: int = 999) -> Effect:
    """Return the ratio of how much the two learning rates move the quality of A and of B over the same draws.

    a, b > 0 [n] of the draws, rates > 0 [n, 2]; each side is `spread_by_rates` of the logarithms. p: by swapping A and B
    within draws.
    """
    x, y, r = np.log(floats(a)), np.log(floats(b)), np.log(floats(rates))
    columns = (x, y, r[:, 0], r[:, 1])

    def ratio(u: Floats, v: Floats, g: Floats, c: Floats) -> float:
        both = np.column_stack([g, c])
        return math.log((spread_by_rates(u, both) + 1e-12) / (spread_by_rates(v, both) + 1e-12))

    low, high = interval(ratio, *columns, resamples=resamples)
    observed, rng = ratio(*columns), np.random.default_rng(0)
    swaps = rng.random((resamples, len(x))) < 0.5
    null = np.array([ratio(np.where(s, y, x), np.where(s, x, y), *columns[2:]) for s in swaps])
    p = (1 + int((np.abs(null) >= abs(observed) - 1e-12).sum())) / (1 + resamples)
    return Effect(math.exp(observed), math.exp(low), math.exp(high), p, len(x), 1)


def verdict(effect: Effect | None, adjusted: float, claims: Literal["lower", "higher"]) -> str:
    """Return supported, contradicted or undecided for the claim that an effect lies below or above its null.

    Supported or contradicted only when the interval and the adjusted p-value both say so; an effect that is equal within
    EQUAL contradicts every claim of a difference.
    """
    if effect is None or effect.n < FEWEST or not all(map(math.isfinite, (effect.value, effect.low, effect.high))):
        return "undecided"
    if effect.is_equal:
        return "contradicted"
    below, above = effect.high < effect.null, effect.low > effect.null
    if adjusted > ALPHA or not (below or above):
        return "undecided"
    return "supported" if below == (claims == "lower") else "contradicted"
