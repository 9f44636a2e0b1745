"""Train with an objective of your own: the logistic losses with a penalty on the critic's gradient at real samples (R1).

Usage: python examples/own_objective.py
Each function gets scores [B], any real number, and returns one value for each sample; wgan takes the means.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

import wgan


def real(score: Tensor) -> Tensor:
    """-log sigmoid(D(real)) (Goodfellow 2014, equation 1)."""
    return F.softplus(-score)


def fake(score: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(fake)))."""
    return F.softplus(score)


def generator(score: Tensor) -> Tensor:
    """-log sigmoid(D(fake)), the non-saturating loss."""
    return F.softplus(-score)


def penalty(norms: Tensor, weight: float) -> Tensor:
    """weight / 2 * ||grad D(real)||^2 (Mescheder 2018, equation 9)."""
    return weight / 2 * norms.square()


def at_reals(reals: Tensor, fakes: Tensor, draw: object) -> Tensor:
    """Where the penalty looks: at the real samples."""
    return reals


r1 = wgan.Objective(real, fake, generator, penalty, at_reals)
run = wgan.train("ring", objective=r1, penalty_weight=1.0, run="runs/own-objective", steps=2000)
report = wgan.evaluate(run.path, n=1000, metrics=["modes"])
for found in report.results[0].values:
    reference = "unknown" if found.reference is None else f"{found.reference:.3g}"
    print(f"{found.name}: {found.value:.3g}, of real samples {reference}")
