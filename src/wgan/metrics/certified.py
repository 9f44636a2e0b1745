"""Wasserstein-1 from below, with a proof: an evaluation critic that cannot cheat on its slope, judged on held-out data."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wgan.metrics.rows import Rows, pair, rows

WIDTH, HIDDEN, STEPS, BATCH, RATE = 128, 2, 500, 512, 1e-2  # fixed: figures compare only under one architecture


class EvaluationCritic(NamedTuple):
    """f(x) = scale · W_L MaxMin(... MaxMin(W_1 (x − centre) / scale + b_1) ...): 1-Lipschitz when every ‖W‖₂ is 1."""

    weights: list[Tensor]  # float64 [out, in]
    biases: list[Tensor]  # float64 [out]
    centre: Rows  # [D], data units
    scale: float  # data units

    def __call__(self, samples: Any) -> Rows:
        """Return the critic's scores [N], in data units, of samples [N, ...] (computed in float64)."""
        x = torch.from_numpy((rows(samples) - self.centre) / self.scale)
        return score(self.weights, self.biases, x).numpy() * self.scale

    def lipschitz(self) -> float:
        """Return a bound on the slope, Π ‖W‖₂, by singular values in float64 (MaxMin sorts: it has slope 1)."""
        return math.prod(float(torch.linalg.matrix_norm(w, ord=2)) for w in self.weights)


def maxmin(x: Tensor) -> Tensor:
    """Return pairs of features sorted: [B, 2K] -> [B, 2K]; gradient norms pass unchanged. Source: Anil et al. 2019, §4.1."""
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
    space, so one iteration makes gradient descent Riemannian. Source: Björck & Bowie 1971; Anil et al. 2019, equation 5.
    """
    wide = w.shape[0] <= w.shape[1]
    gram = w @ w.T if wide else w.T @ w
    eye = torch.eye(len(gram), dtype=w.dtype)
    total = eye
    for _ in range(iterations):
        step = (3 * eye - gram) / 2
        total, gram = step @ total, step @ gram @ step
    return total @ w if wide else w @ total


def polar(w: Tensor) -> Tensor:
    """Return the nearest matrix to w with orthonormal rows or columns, exactly, by SVD."""
    u, _, vh = torch.linalg.svd(w, full_matrices=False)
    return u @ vh


def fit_critic(real: Any, fake: Any, steps: int = STEPS, seed: int = 0) -> EvaluationCritic:
    """Fit the evaluation critic: maximise mean f(real) − mean f(fake) over 1-Lipschitz f of one fixed architecture.

    real [N, ...], fake [M, ...] -> critic with orthonormal weights, so f has slope <= 1 everywhere. Batches of 512 of each
    with replacement, Adam with a cosine rate, a Björck iteration in each forward pass and another after each step.
    Source: Anil et al. 2019. Errors: WganError for NaN or unequal widths. Deterministic for one seed and thread count.
    Not the supremum over all 1-Lipschitz functions: a finite network after finitely many steps.
    """
    x, y = pair(real, fake, names=("real", "fake"))
    centre = (x.mean(0) + y.mean(0)) / 2
    scale = math.sqrt(float(((x - centre) ** 2).sum(1).mean() + ((y - centre) ** 2).sum(1).mean()) / 2) or 1.0
    a, b = (torch.from_numpy((s - centre) / scale).float() for s in (x, y))
    rng = torch.Generator().manual_seed(seed)
    sizes = [x.shape[1], *[WIDTH] * HIDDEN, 1]
    weights = [polar(torch.randn(o, i, generator=rng)).requires_grad_() for i, o in zip(sizes, sizes[1:], strict=False)]
    biases = [(0.5 * torch.randn(o, generator=rng)).requires_grad_() for o in sizes[1:]]
    optimizer = torch.optim.Adam([*weights, *biases], lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        picks = [s[torch.randint(len(s), (BATCH,), generator=rng)] for s in (a, b)]
        scores = score([orthonormal(w, 1) for w in weights], biases, torch.cat(picks))
        optimizer.zero_grad()
        (scores[BATCH:].mean() - scores[:BATCH].mean()).backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for w in weights:
                w.copy_(orthonormal(w, 2))
    exact = [polar(w.detach().double()) for w in weights]
    return EvaluationCritic(exact, [v.detach().double() for v in biases], centre, scale)
