"""What changes over a run: critic updates for each step, duties, learning rate, decay of the averaged generator."""

from __future__ import annotations

import math

from wgan.training.legacy import warm_100


def constant(step: int, n_critic: int) -> int:
    """n_critic updates at every step (Arjovsky 2017, Algorithm 1)."""
    return n_critic


CRITIC_SCHEDULES = {"constant": constant, "warm-100": warm_100}


def updates_before(schedule: str, step: int, n_critic: int) -> int:
    """Return the critic updates of all steps before `step`, so that the data order is a function of the step alone."""
    if schedule == "constant":
        return step * n_critic
    thousands, rest = divmod(step, 1000)
    count = CRITIC_SCHEDULES[schedule]
    whole = sum(count(s, n_critic) for s in range(1000)) if thousands else 0
    return thousands * whole + sum(count(s, n_critic) for s in range(rest))


def due(every: int | None, done: int, last: bool = False) -> bool:
    """Return whether a duty with cadence `every` (None = only at the end) falls on step `done`."""
    return last or (every is not None and done % every == 0)


def rate_factor(decay: str, step: int, steps: int) -> float:
    """Return the factor in (0, 1] on the learning rate at `step` of `steps`; from the last step on it is the smallest."""
    done = min(step, steps - 1) / max(steps, 1)
    factors = {"none": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
    return factors[decay]


def ema_decay(decay: float, step: int) -> float:
    """Return min(decay, (1 + step) / (10 + step)): a young average forgets the random start quickly."""
    return min(decay, (1 + step) / (10 + step))
