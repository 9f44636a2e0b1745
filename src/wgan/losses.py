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
    """Where random numbers come from, for this process's rows of a batch that may lie on several processes."""

    def __call__(self, kind: str, shape: tuple[int, ...]) -> Tensor:
        """'uniform' or 'normal' draws [B, *shape]."""

    def std(self, x: Tensor) -> Tensor:
        """The standard deviation of all numbers of the whole batch, of which x is this process's part."""


# --- terms of the critic's loss: scores [B] -> one number for each sample [B]; a relativistic one takes pairs ---------


def linear_real(score: Tensor) -> Tensor:
    """-D(real): with `linear_fake` E[D(fake)] - E[D(real)], minimised (Arjovsky 2017, Algorithm 1 maximises the negative)."""
    return -score


def linear_fake(score: Tensor) -> Tensor:
    """D(fake) (Arjovsky 2017, Algorithm 1, line 5)."""
    return score


def logistic_real(score: Tensor) -> Tensor:
    """softplus(-D(real)) = -log sigmoid(D(real)) (Goodfellow 2014, equation 1, on logits)."""
    return F.softplus(-score)


def logistic_fake(score: Tensor) -> Tensor:
    """softplus(D(fake)) = -log(1 - sigmoid(D(fake))) (Goodfellow 2014, equation 1, on logits)."""
    return F.softplus(score)


def hinge_real(score: Tensor) -> Tensor:
    """max(0, 1 - D(real)) (Miyato 2018, equation 16)."""
    return F.relu(1 - score)


def hinge_fake(score: Tensor) -> Tensor:
    """max(0, 1 + D(fake)) (Miyato 2018, equation 16)."""
    return F.relu(1 + score)


def squares_real(score: Tensor) -> Tensor:
    """(D(real) - 1)^2 / 2 (Mao 2017, equation 9: b = 1)."""
    return (score - 1).square() / 2


def squares_fake(score: Tensor) -> Tensor:
    """D(fake)^2 / 2 (Mao 2017, equation 9: a = 0)."""
    return score.square() / 2


# --- the generator's loss: D(fake) [B], relativistic D(fake) - D(real), -> [B] -----------------------------------------


def linear_generator(score: Tensor) -> Tensor:
    """-D(fake) (Arjovsky 2017, Algorithm 1, line 10)."""
    return -score


def nonsaturating_generator(score: Tensor) -> Tensor:
    """softplus(-D(fake)), the non-saturating loss (Goodfellow 2014, section 3; of pairs: Huang 2024, equation 2)."""
    return F.softplus(-score)


def squares_generator(score: Tensor) -> Tensor:
    """(D(fake) - 1)^2 / 2 (Mao 2017, equation 9: c = 1)."""
    return (score - 1).square() / 2


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
    """x + a 0.5 std(x) u, u ~ U[0, 1] for each coordinate, a ~ U[0, 1] for each sample (Kodali 2017, its public code)."""
    noise = draw("uniform", tuple(real.shape[1:]))
    alpha = draw("uniform", (1,) * (real.dim() - 1))  # without it no point would lie near the data
    return real + alpha * 0.5 * draw.std(real) * noise


def real_and_fake(real: Tensor, fake: Tensor, draw: Draw) -> Tensor:
    """Both batches, one after the other [2B, *shape] (R1 and R2, Huang 2024)."""
    return torch.cat([real, fake])


Points = Callable[[Tensor, Tensor, Draw], Tensor]
POINTS: dict[str, Points] = {
    "interpolates": interpolates,
    "around real": around_real,
    "real and fake": real_and_fake,
}


Term = Callable[[Tensor], Tensor]  # [B] -> [B]


@dataclass(frozen=True)
class Objective:
    """The losses of both players and where the critic is penalised; facts stand in FACTS, numbers in Config.

    Relativistic: `real` and `generator` take D(real) - D(fake) and D(fake) - D(real) of pairs, and `fake` is None.
    """

    real: Term
    fake: Term | None
    generator: Term
    penalty: Callable[[Tensor, float], Tensor] | None = None
    points: str | Points = "interpolates"  # a key of POINTS, or a function like those
    clips: bool = False  # of an objective of one's own: whether weights are clipped; FACTS says it of those with a name

    @property
    def pairs(self) -> bool:
        """Whether both losses take differences of a real and a fake score."""
        return self.fake is None


OBJECTIVES: dict[str, Objective] = {
    "gan": Objective(logistic_real, logistic_fake, nonsaturating_generator),
    "wgan-clip": Objective(linear_real, linear_fake, linear_generator),
    "wgan-gp": Objective(linear_real, linear_fake, linear_generator, two_sided),
    "wgan-lp": Objective(linear_real, linear_fake, linear_generator, one_sided),
    "dragan": Objective(logistic_real, logistic_fake, nonsaturating_generator, two_sided, "around real"),
    "wgan-div": Objective(linear_real, linear_fake, linear_generator, sixth_power),
    "wgan-sn": Objective(linear_real, linear_fake, linear_generator),  # the bound on the slope is critic_norm spectral
    "gan-gp": Objective(logistic_real, logistic_fake, nonsaturating_generator, two_sided),
    "gan-sn": Objective(logistic_real, logistic_fake, nonsaturating_generator),
    "hinge": Objective(hinge_real, hinge_fake, linear_generator),
    "lsgan": Objective(squares_real, squares_fake, squares_generator),
    "r3gan": Objective(logistic_real, None, nonsaturating_generator, zero_centred, "real and fake"),
}


def critic_term(o: Objective, real: Tensor | None, fake: Tensor | None) -> Tensor:
    """Return the critic's loss on the halves that are given, real and fake scores [B], as a mean over samples.

    The halves of a loss add up to the whole. A relativistic one has no halves: ValueError unless both are given.
    """
    if o.fake is None:
        if real is None or fake is None:
            raise ValueError("a relativistic loss needs the scores of real and fake pairs")
        return o.real(real - fake).mean()
    halves = [term(scores).mean() for term, scores in ((o.real, real), (o.fake, fake)) if scores is not None]
    return halves[0] if len(halves) == 1 else halves[0] + halves[1]


def generator_term(o: Objective, fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Return the generator's loss on fake scores [B]; a relativistic one needs the scores of as many reals, ValueError."""
    if o.fake is None:
        if real is None:
            raise ValueError("a relativistic loss needs the scores of a real batch")
        return o.generator(fake - real).mean()
    return o.generator(fake).mean()


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


def class_loss(logits: Tensor, labels: Tensor, clip: float | None = None) -> Tensor:
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
    layers = [m for m in critic.modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding))]
    if scope == "conv":
        kernels = [m.weight for m in layers if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d))]
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
def fraction_at_bound(parameters: Iterable[Tensor], bound: float) -> float:
    """Return the fraction of weights that sit on the clipping bound, in [0, 1]."""
    sizes, hits = 0, 0
    for p in parameters:
        sizes += p.numel()
        hits += int((p.abs() >= bound * (1 - 1e-6)).sum())
    return hits / max(sizes, 1)
