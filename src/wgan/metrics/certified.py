"""Wasserstein-1 from below, with a proof: an evaluation critic of bounded gradient norm, judged on held-out data."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from wgan.errors import WganError
from wgan.host import thread_count
from wgan.metrics.distances import cost_matrix, exact_w1
from wgan.metrics.neighbours import chunks, mean_of
from wgan.metrics.rows import Rows, pair, rows

WIDTH, HIDDEN, STEPS, BATCH = 128, 2, 500, 512  # fixed: bounds compare only under one architecture and budget
HELD = 2**25  # numbers of one standardised set kept; of a larger one each batch is made again, to the same numbers
TURN, RATE = 0.3, 0.01  # first steps: of a layer's weights, as an angle in radians; of each bias


class EvaluationCritic(NamedTuple):
    """f(x) = scale · W_L MaxMin(... MaxMin(W_1 (x − centre) / scale + b_1) ...): 1-Lipschitz when every ‖W‖₂ is 1."""

    weights: list[Tensor]  # float64 [out, in]
    biases: list[Tensor]  # float64 [out]
    centre: Rows  # [D], data units
    scale: float  # data units

    def __call__(self, samples: Any) -> Rows:
        """Return the critic's scores [N], in data units, of samples [N, ...] (computed in float64)."""
        x = rows(samples, single=True)
        scores = np.empty(len(x))
        for part in chunks(len(x), x.shape[1]):
            unit = torch.from_numpy((x[part] - self.centre) / self.scale)
            scores[part] = score(self.weights, self.biases, unit).numpy() * self.scale
        return scores

    def lipschitz(self) -> float:
        """Return a bound on the gradient norm, Π ‖W‖₂, by singular values in float64 (MaxMin sorts: its own is 1)."""
        return math.prod(float(torch.linalg.matrix_norm(w, ord=2)) for w in self.weights)


def maxmin(x: Tensor) -> Tensor:
    """Return pairs of features sorted: [B, 2K] -> [B, 2K]; gradient norms pass unchanged. Source: Anil et al. 2019."""
    first, second = x.chunk(2, dim=1)
    return torch.cat([torch.maximum(first, second), torch.minimum(first, second)], 1)


def score(weights: list[Tensor], biases: list[Tensor], x: Tensor) -> Tensor:
    """Return the network's output [B] for x [B, D]."""
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        x = maxmin(torch.addmm(b, x, w.T))
    return (x @ weights[-1].T + biases[-1])[:, 0]


def orthonormal(w: Tensor, iterations: int) -> Tensor:
    """Return w moved toward its nearest matrix with orthonormal rows (or columns, when it has more rows than columns).

    W <- W (3 I − WᵀW) / 2, iterated on the smaller Gram matrix only: with P = (3 I − G) / 2, G <- P G P, and the product of
    all P times W at the end. Needs singular values in (0, √3). Its derivative at an orthonormal W projects on the tangent
    space, so one iteration makes gradient descent Riemannian. Source: Björck & Bowie 1971; Anil et al. 2019, section 4.
    """
    wide = w.shape[0] <= w.shape[1]
    gram = w @ w.T if wide else w.T @ w
    eye = torch.eye(len(gram), dtype=w.dtype)
    total = step = (3 * eye - gram) / 2
    for _ in range(iterations - 1):
        gram = step @ gram @ step
        step = (3 * eye - gram) / 2
        total = step @ total
    return total @ w if wide else w @ total


def polar(w: Tensor) -> Tensor:
    """Return the nearest matrix to w with orthonormal rows or columns, exactly, by SVD."""
    u, _, vh = torch.linalg.svd(w, full_matrices=False)
    out: Tensor = u @ vh
    return out


def retract(w: Tensor) -> Tensor:
    """Return w on the orthonormal matrices again: three Björck iterations where they surely converge, else by SVD."""
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    close = float((gram - torch.eye(len(gram), dtype=w.dtype)).norm()) < 1
    return orthonormal(w, 3) if close else polar(w)


@thread_count(1)
def fit_critic(real: Any, fake: Any, steps: int = STEPS, seed: int = 0) -> EvaluationCritic:
    """Fit the evaluation critic: maximise mean f(real) − mean f(fake) over 1-Lipschitz f of one fixed architecture.

    real [N, ...], fake [M, ...] -> critic with orthonormal weights, so f has slope <= 1 everywhere. Batches of 512 of each
    with replacement, Adam with a cosine rate, one Björck iteration in each forward pass, a retraction after each step.
    Source: Anil et al. 2019. Errors: WganError for NaN or unequal widths. One seed gives one critic, whatever number of
    threads is set: it uses one, which is also fastest for matrices this small.
    Not the supremum over all 1-Lipschitz functions: a finite network after finitely many steps.
    """
    x, y = pair(real, fake, names=("real", "fake"), single=True)
    centre = (mean_of(x) + mean_of(y)) / 2
    scale = math.sqrt((_mean_square(x, centre) + _mean_square(y, centre)) / 2) or 1.0
    a, b = Standardised(x, centre, scale), Standardised(y, centre, scale)
    weights, biases = _climb(a, b, steps, torch.Generator().manual_seed(seed))
    exact = [polar(w.double()) for w in weights]
    return EvaluationCritic(exact, [v.double() for v in biases], centre, scale)


def _mean_square(x: Any, centre: Rows) -> float:
    """Return the mean of ‖x_i − centre‖², in chunks: large sets are not copied whole."""
    return sum(float(((x[part] - centre) ** 2).sum()) for part in chunks(*x.shape)) / len(x)


class Standardised:
    """(x − centre) / scale as float32 [N, D], of which rows are picked; made once where it is small."""

    def __init__(self, x: Any, centre: Rows, scale: float) -> None:
        self.x, self.centre, self.scale = x, centre, scale
        self.whole = None
        if math.prod(x.shape) <= HELD:
            self.whole = torch.cat([self._made(part) for part in chunks(*x.shape)])

    def _made(self, part: Any) -> Tensor:
        return torch.from_numpy((self.x[part] - self.centre) / self.scale).float()

    def __getitem__(self, index: Tensor) -> Tensor:
        return self._made(index.numpy()) if self.whole is None else self.whole[index]

    def __len__(self) -> int:
        return len(self.x)


def _climb(a: Standardised, b: Standardised, steps: int, rng: torch.Generator) -> tuple[list[Tensor], list[Tensor]]:
    """Return weights and biases after `steps` steps up the gap of batches from a and b, in float32."""
    weights, biases, optimizer = _start(len(a.centre), rng)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        picks = [s[torch.randint(len(s), (BATCH,), generator=rng)] for s in (a, b)]
        scores = score([orthonormal(w, 1) for w in weights], biases, torch.cat(picks))
        optimizer.zero_grad()
        (scores[BATCH:].mean() - scores[:BATCH].mean()).backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for w in weights:
                w.copy_(retract(w))
    return [w.detach() for w in weights], [v.detach() for v in biases]


def _start(width: int, rng: torch.Generator) -> tuple[list[Tensor], list[Tensor], torch.optim.Optimizer]:
    sizes = [width, *[WIDTH] * HIDDEN, 1]
    weights = [polar(torch.randn(o, i, generator=rng)).requires_grad_() for i, o in pairwise(sizes)]
    biases = [(torch.randn(o, generator=rng) / (2 * math.sqrt(o))).requires_grad_() for o in sizes[1:]]
    # an Adam step of rate r on each entry turns an orthonormal [o, i] by about r (√o + √i): the same angle for each layer
    groups = [{"params": [w], "lr": TURN / (math.sqrt(w.shape[0]) + math.sqrt(w.shape[1]))} for w in weights]
    return weights, biases, torch.optim.Adam([*groups, {"params": biases, "lr": RATE}], betas=(0.9, 0.99))


def lower_mean(x: Rows, alpha: float) -> float:
    """Return a number below the mean of a law on [0, 1], with confidence 1 − alpha at every n, by betting.

    The largest m with K(m) = Π_t (1 + λ_t (x_t − m)) >= 1 / alpha, or 0 where there is none                        (2)
    λ_t = min(3 / (4 m), √(2 log(1/alpha) / (n v_{t−1}))), v_t = (1/4 + Σ_{i<=t} (x_i − μ_i)²) / (t + 1),
    μ_t = (1/2 + Σ_{i<=t} x_i) / (t + 1)
    x [N] in 0..1, independent draws in an order that does not depend on them; 0 < alpha < 1.
    K is what a gambler has who bets on a mean above m, each bet made before x_t is seen. At the true mean it is a martingale
    from 1, so it reaches 1 / alpha with probability alpha at most (Markov), whatever the law: no normal law is assumed.
    No bet loses more than 3/4 of what there is, whatever x_t is.
    Source: Waudby-Smith & Ramdas 2024, section 4, theorem 3 with the predictable plug-in for fixed n, one-sided.
    """
    n = len(x)
    count = np.arange(2, n + 2)
    means = (0.5 + np.cumsum(x)) / count
    variances = np.concatenate([[0.25], ((0.25 + np.cumsum((x - means) ** 2)) / count)[:-1]])
    bets = np.sqrt(2 * math.log(1 / alpha) / (n * variances))
    low, high = 0.0, 1.0
    for _ in range(50):  # log K falls in m
        middle = (low + high) / 2
        won = float(np.log1p(np.minimum(0.75 / middle, bets) * (x - middle)).sum()) >= math.log(1 / alpha)
        low, high = (middle, high) if won else (low, middle)
    return low


def gap_bound(f: Rows, g: Rows, low: float, high: float, alpha: float) -> float:
    """Return a number below E f − E g with confidence 1 − alpha, by `lower_mean` of differences.

    (2 lower_mean(u) − 1) (high − low), u_k = (1 + (f̄_k − ḡ_k) / (high − low)) / 2, k = 1 .. min(N, M)              (3)
    f [N], g [M] in low..high, independent draws that must not depend on low and high -> in the unit of the scores.
    f̄_k and ḡ_k are the means of the k-th parts of f and g, cut in their order: every u_k has the mean that is asked for, so one
    series of bets is enough. About √(2 log(1/alpha) (v_f / N + v_g / M)) below the gap for variances v; a bound for each of the
    two means, with half of alpha, is about √(2 log(2/alpha)) (√(v_f / N) + √(v_g / M)) below it.
    """
    if not high > low:
        return 0.0
    parts = min(len(f), len(g))
    u = (1 + (means_of_parts(f, parts) - means_of_parts(g, parts)) / (high - low)) / 2
    return (2 * lower_mean(u, alpha) - 1) * (high - low)


def means_of_parts(x: Rows, parts: int) -> Rows:
    """Return the means [parts] of a row [N] cut in order into parts of nearly equal size; parts <= N."""
    ends = np.arange(parts + 1) * len(x) // parts
    means: Rows = np.add.reduceat(x, ends[:-1]) / np.diff(ends)
    return means


class Certified(NamedTuple):
    """What `certified_w1` finds; all but `lipschitz` in data units."""

    bound: float  # W1 of the populations is at least this, with 95 % confidence; >= 0
    gap: float  # the held-out estimate (mean f(real) − mean f(fake)) / L; below 0 by chance when nothing differs
    low: float  # interval that holds the gap of the populations with 95 % confidence
    high: float
    error: float  # its standard error
    lipschitz: float  # L, recomputed
    fitted: float  # the same gap on the data the critic was fitted to: its excess over `gap` is overfitting


@thread_count(1)
def certified_w1(real: Any, fake: Any, held_real: Any, held_fake: Any, steps: int = STEPS, seed: int = 0) -> Certified:
    """Return a lower bound on the Wasserstein-1 distance of two populations that holds with 95 % confidence at every n.

    W1 >= E h(real) − E h(fake), h = clip(f, a, b) / L                                                             (1)
    with f from `fit_critic(real, fake)`, L its slope by SVD, and a, b its least and largest score on what it was fitted to:
    clipping raises no slope, and gives the held-out scores a range, so that `gap_bound` holds for skewed laws and few samples.
    real, fake [N, ...]: what f may learn from (train reals, fresh fakes); held_real, held_fake: at least 30 others of each,
    in an order that says nothing about them. -> data units: pixels in [0, 1] and in [-1, 1] differ by a factor 2.
    Source: Kantorovich-Rubinstein duality (Villani 2003, theorem 1.14); Anil et al. 2019 for f.
    Errors: WganError for NaN, unequal widths, fewer than 30 held-out samples (they would bound nothing).
    Not an estimate of W1, nor an upper bound: real W1 may be much larger. Held-out data must be neither fitted to nor used
    to choose a seed, else the confidence is not 95 %.
    """
    return certify(fit_critic(real, fake, steps, seed), real, fake, held_real, held_fake)


def certify(critic: EvaluationCritic, real: Any, fake: Any, held_real: Any, held_fake: Any) -> Certified:
    """Return what a fitted evaluation critic proves about held-out samples; arguments and result as `certified_w1`.

    Errors: WganError as there. The confidence is lost if the critic was fitted to any of held_real or held_fake.
    """
    x, y = pair(held_real, held_fake, least=30, names=("held_real", "held_fake"), single=True)
    if x.shape[1] != len(critic.centre):
        raise WganError(f"held_real has {x.shape[1]} numbers a sample, real has {len(critic.centre)}: they must match")
    slope = critic.lipschitz()
    fitted_f, fitted_g = critic(real) / slope, critic(fake) / slope
    low, high = (float(end([end(fitted_f), end(fitted_g)])) for end in (np.min, np.max))
    f, g = (np.clip(critic(held) / slope, low, high) for held in (x, y))
    gap, error = float(f.mean() - g.mean()), math.sqrt(float(f.var(ddof=1) / len(f) + g.var(ddof=1) / len(g)))
    return Certified(
        bound=max(0.0, gap_bound(f, g, low, high, 0.05)),
        gap=gap,
        low=gap_bound(f, g, low, high, 0.025),
        high=-gap_bound(g, f, low, high, 0.025),
        error=error,
        lipschitz=slope,
        fitted=float(fitted_f.mean() - fitted_g.mean()),
    )


class Bracket(NamedTuple):
    """What `sample_bracket` finds, in data units but `slope` (score units for each data unit): three times W1 from below."""

    slope: float  # the largest observed across the two samples
    cross_slope: float  # gap / slope <= W1 of the two samples
    c_transform: float  # cross_slope <= this <= W1 of the two samples
    exact: float  # W1 of the two samples


def sample_bracket(real: Any, fake: Any, real_scores: Any, fake_scores: Any) -> Bracket:
    """Return what any critic's scores prove about W1 between two finite samples, beside its exact value.

    L× = max_ij (f(x_i) − f(y_j)) / ‖x_i − y_j‖; cross slope: (mean f(x) − mean f(y)) / L×;
    c-transform: mean f(x) / L× + mean_j min_i (‖x_i − y_j‖ − f(x_i) / L×); exact: optimal transport
    real [N, ...], fake [M, ...], N·M <= 10^8; scores [N], [M] of one function f, in any unit and offset.
    Source: Kantorovich duality (Villani 2003, theorem 1.3): φ_i + ψ_j <= ‖x_i − y_j‖ is all that feasibility asks for.
    Errors: WganError for NaN, unequal widths, scores of another length, too many samples. Not about the populations: see
    `certified_w1`. When no score orders the samples (L× <= 0) the cross slope proves nothing and is 0.
    """
    x, y = pair(real, fake, names=("real", "fake"), single=True)
    f, g = (_scores(s, len(v), n) for s, v, n in ((real_scores, x, "real_scores"), (fake_scores, y, "fake_scores")))
    cost = cost_matrix(x, y)
    least = max(1e-9 * float(cost.max()), 1e-300)  # equal points have equal scores; keep 0 / 0 out of the slope
    slope = float(((f[:, None] - g[None, :]) / np.maximum(cost, least)).max())
    phi = f / slope if slope > 0 else 0 * f
    cross = max(0.0, float(f.mean() - g.mean()) / slope) if slope > 0 else 0.0
    transformed = max(0.0, float(phi.mean() + (cost - phi[:, None]).min(0).mean()))
    return Bracket(slope, cross, transformed, exact_w1(x, y))


def _scores(values: Any, n: int, name: str) -> Rows:
    array = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    column: Rows = rows(array.reshape(len(array), -1) if array.ndim else array, name)
    if column.shape != (n, 1):
        raise WganError(f"{name} has shape {list(array.shape)}, it needs one score for each of {n} samples")
    return column[:, 0]
