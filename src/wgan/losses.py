"""Losses of both players, gradient penalties, weight clipping and the class loss: one formula, one function, one source.

Scores are real numbers, high = real, for every objective: no function here or in `models` applies a sigmoid to a critic.
Each loss is a quantity to minimise. Reductions are means over the batch and are written out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError, unknown

Scores = Callable[[Tensor], Tensor]  # x [B, *shape] -> score [B]


class Draw(Protocol):
    """Where random numbers come from, for the rows at hand of a batch that may lie on several processes."""

    def __call__(self, kind: str, shape: tuple[int, ...]) -> Tensor:
        """'uniform' or 'normal' draws [B, *shape]."""

    def std(self, x: Tensor) -> Tensor:
        """The standard deviation of all numbers of the whole batch, of which x is at hand."""


# --- critic losses: (real [B], fake [B]) -> scalar -------------------------------------------------------------------


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)], minimised (Arjovsky 2017, Algorithm 1, which maximises the negative)."""
    return fake.mean() - real.mean()


def logistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(-D(real))] + E[softplus(D(fake))]: cross-entropy on logits (Goodfellow 2014, equation 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (Miyato 2018, equation 16)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def relativistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(-(D(real) - D(fake)))] over pairs (Huang 2024, equation 2)."""
    return F.softplus(fake - real).mean()


# --- generator losses: (fake [B], real [B] or None) -> scalar ---------------------------------------------------------


def wasserstein_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """-E[D(fake)] (Arjovsky 2017, Algorithm 1, line 10)."""
    return -fake.mean()


def nonsaturating_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """E[softplus(-D(fake))], the non-saturating loss (Goodfellow 2014, section 3)."""
    return F.softplus(-fake).mean()


def relativistic_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """E[softplus(-(D(fake) - D(real)))] over pairs (Huang 2024, equation 2). Needs the real scores."""
    if real is None:
        raise ValueError("the relativistic generator loss needs the scores of a real batch")
    return F.softplus(real - fake).mean()


# --- penalties: (norms [B], weight) -> per-sample penalty [B] ---------------------------------------------------------


def two_sided(norms: Tensor, weight: float) -> Tensor:
    """weight * (||grad|| - 1)^2 for each sample (Gulrajani 2017, equation 3)."""
    return weight * (norms - 1).square()


def one_sided(norms: Tensor, weight: float) -> Tensor:
    """weight * max(0, ||grad|| - 1)^2 for each sample (Petzka 2018, equation 8)."""
    return weight * F.relu(norms - 1).square()


def sixth_power(norms: Tensor, weight: float) -> Tensor:
    """weight * ||grad||^6 for each sample (WGAN-div, Wu 2018, equation 7; its k is `weight`, its p is 6)."""
    return weight * norms.pow(6)


def zero_centred(norms: Tensor, weight: float) -> Tensor:
    """weight * ||grad||^2 for each of the 2B points, so that the mean over them is (weight / 2) * (R1 + R2) (Huang 2024)."""
    return weight * norms.square()


# --- where a penalty looks: (real, fake, draw) -> points [B or 2B, *shape] --------------------------------------------


def interpolates(real: Tensor, fake: Tensor, draw: Draw) -> Tensor:
    """x^ = eps x + (1 - eps) x~ with one eps ~ U[0, 1] for each sample (Gulrajani 2017, Algorithm 1, line 5)."""
    eps = draw("uniform", (1,) * (real.dim() - 1))  # [B, 1, 1, 1] for images
    return eps * real + (1 - eps) * fake


def around_real(real: Tensor, fake: Tensor, draw: Draw) -> Tensor:
    """x + 0.5 std(x) u, u ~ U[0, 1] for each coordinate (Kodali 2017, and its public code)."""
    return real + 0.5 * draw.std(real) * draw("uniform", tuple(real.shape[1:]))


def real_and_fake(real: Tensor, fake: Tensor, draw: Draw) -> Tensor:
    """Both batches, one after the other [2B, *shape] (R1 and R2, Huang 2024)."""
    return torch.cat([real, fake])


POINTS: dict[str, Callable[[Tensor, Tensor, Draw], Tensor]] = {
    "interpolates": interpolates,
    "around real": around_real,
    "real and fake": real_and_fake,
}


@dataclass(frozen=True)
class Objective:
    """The losses of both players and the constraint on the critic; the numbers (weight, clip) live in Config."""

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor | None], Tensor]
    source: str
    penalty: Callable[[Tensor, float], Tensor] | None = None
    points: str = "interpolates"  # a key of POINTS
    clip: bool = False
    relativistic: bool = False  # the generator's loss needs the scores of a real batch


OBJECTIVES: dict[str, Objective] = {
    "gan": Objective(logistic_critic, nonsaturating_generator, "Goodfellow 2014"),
    "wgan-clip": Objective(wasserstein_critic, wasserstein_generator, "Arjovsky 2017", clip=True),
    "wgan-gp": Objective(wasserstein_critic, wasserstein_generator, "Gulrajani 2017", penalty=two_sided),
    "wgan-lp": Objective(wasserstein_critic, wasserstein_generator, "Petzka 2018", penalty=one_sided),
    "dragan": Objective(
        logistic_critic, nonsaturating_generator, "Kodali 2017", penalty=two_sided, points="around real"
    ),
    "wgan-div": Objective(wasserstein_critic, wasserstein_generator, "Wu 2018", penalty=sixth_power),
    "hinge": Objective(hinge_critic, wasserstein_generator, "Miyato 2018 (with critic_norm spectral)"),
    "r3gan": Objective(
        relativistic_critic,
        relativistic_generator,
        "Huang 2024",
        penalty=zero_centred,
        points="real and fake",
        relativistic=True,
    ),
}


def objective(name: str) -> Objective:
    """Return the entry of OBJECTIVES; an unknown name raises WganError with the nearest ones."""
    if name not in OBJECTIVES:
        raise unknown("objective", name, OBJECTIVES)
    return OBJECTIVES[name]


def gradient_norms(scores: Scores, points: Tensor) -> Tensor:
    """Return ||grad_x D(x)||_2 for each sample, ready for a second backward.

    points: [B, *shape], detached here. The norm runs over all axes but the first and is computed in at least fp32.
    The square root is exact, without an epsilon: at a zero gradient the norm is 0 and its own gradient is taken as 0.
    """
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(scores(points).sum(), points, create_graph=True)
    return safe_norms(gradient)


def safe_norms(gradient: Tensor) -> Tensor:
    """Return the Euclidean norm of each row [B] of gradient [B, ...]; its derivative at 0 is 0, not NaN."""
    wide = gradient if gradient.dtype == torch.float64 else gradient.float()
    squares = wide.flatten(1).square().sum(1)
    zero = squares == 0
    return torch.where(zero, squares, torch.where(zero, torch.ones_like(squares), squares).sqrt())


def class_loss(logits: Tensor, labels: Tensor, clip: float = 0.0) -> Tensor:
    """Mean cross-entropy of class logits [B, K] (no softmax applied before) and labels [B] (Odena 2017).

    With clip c > 0: log(sum_k q_k) - log(q_y) with q = softmax clipped to [c, 1 - c], as Keras computes it. A sample whose
    own class falls below c has a gradient of exactly 0 there, however wrong it is.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    if not clip:
        return F.cross_entropy(wide, labels)
    q = wide.softmax(1).clamp(clip, 1 - clip)
    return F.cross_entropy(q.log(), labels)


def clippable(critic: nn.Module, scope: str) -> list[Tensor]:
    """Return the parameters that weight clipping bounds: not those of a normalisation, whose gain starts at 1, unless asked.

    scope: 'all' = every weight and bias, 'conv' = convolution kernels only, 'all+norm' = normalisation gains and biases too
    (as some published programs do). Running statistics are buffers and never clipped.
    """
    if scope == "all+norm":
        return list(critic.parameters())
    layers = [m for m in critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.Embedding))]
    if scope == "conv":
        kernels = [m.weight for m in layers if isinstance(m, nn.Conv2d)]
        if not kernels:
            raise WganError("clip_scope conv needs a critic with convolutions: use clip_scope all")
        return kernels
    return [p for m in layers for p in m.parameters(recurse=False)]


@torch.no_grad()
def clip_weights(parameters: Iterable[Tensor], bound: float) -> None:
    """Clamp each weight to [-bound, bound] in place, after the optimizer step (Arjovsky 2017, Algorithm 1, line 7)."""
    for p in parameters:
        p.clamp_(-bound, bound)


@torch.no_grad()
def share_at_bound(parameters: Iterable[Tensor], bound: float) -> float:
    """Return the share of weights that sit on the clipping bound, in [0, 1]."""
    sizes, hits = 0, 0
    for p in parameters:
        sizes += p.numel()
        hits += int((p.abs() >= bound * (1 - 1e-6)).sum())
    return hits / max(sizes, 1)
