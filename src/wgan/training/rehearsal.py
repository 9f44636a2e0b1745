"""One step on copies before the first real one, where parts are the caller's own: what fails there would fail in the run."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from wgan.data import Source
from wgan.distributed.group import Group
from wgan.distributed.shard import Shard
from wgan.errors import NotFinite, WganError
from wgan.host import seeding
from wgan.losses import POINTS, Objective
from wgan.rng import Draws
from wgan.runs.checkpoint import flatten, part
from wgan.training.optim import build_optimizers
from wgan.training.own_networks import ROWS, first_line, size, some_samples
from wgan.training.players import Players, clipped_weights
from wgan.training.state import load_optimizer, optimizer_state, state
from wgan.training.updates import critic_update, generator_update
from wgan.training.watch import require_finite, require_finite_weights


def rehearse(p: Players, source: Source) -> None:
    """Take one step on copies of everything; WganError for the first thing that would end the run. Nothing without own parts."""
    if not p.given.parts:
        return
    q = understudies(p)
    x, y = some_samples(source, q.config.batch, q.engine)
    draws = q.engine.draws(0, 0, "rehearsal", q.config.batch // q.config.pack)
    z = q.engine.draws(0, 0, "rehearsal latent", q.config.batch).normal(q.config.latent)
    if p.given.objective is not None:
        look_at_objective(p.given.objective, x, draws, q.config.penalty)
    fakes = x.flip(0).clone()
    stats = failing("critic's", lambda: critic_update(q, x, fakes, y, draws))
    real = (x, y) if q.objective.pairs else None
    stats |= failing("generator's", lambda: generator_update(q, z, y, real, 0))
    try:
        require_finite(stats, 1)
        require_finite_weights(q, 1)
    except NotFinite as error:
        raise WganError(
            f"the first step gives NaN or infinity in {error.what}: look at the losses, or at the learning rates"
        ) from None
    require_saved(q)


def understudies(p: Players) -> Players:
    """Return copies of the players that belong to no group, in batches of a few samples."""
    small = {"batch": ROWS * p.config.pack, "generator_batch": None, "microbatch": None}
    generator, critic = copy.deepcopy(p.generator), copy.deepcopy(p.critic)
    engine = dataclasses.replace(p.engine, group=Group(), shard=Shard())
    q = dataclasses.replace(
        p, config=p.config.replace(**small), engine=engine, generator=generator, critic=critic, written=None
    )
    q.average, q.moved = None, []
    q.frozen = [w for w in critic.parameters() if not w.requires_grad]
    q.clipped = clipped_weights(critic, q.config) if p.clipped else []
    q.generator_optimizer, q.critic_optimizer = build_optimizers(generator, critic, q.config, given=p.given.optimizers)
    return q


def failing(whose: str, update: Callable[[], Any]) -> Any:
    """Return what an update returns; WganError for any exception in it, which comes from the caller's own parts."""
    try:
        with seeding(0):
            return update()
    except WganError:
        raise
    except Exception as error:  # of code that is not ours, of any kind
        raise WganError(f"the {whose} first update failed: {type(error).__name__}: {first_line(error)}") from error


def look_at_objective(o: Objective, x: Tensor, draws: Draws, weight: float) -> None:
    """Raise WganError unless each function of the objective returns what it should for a few scores."""
    scores = torch.linspace(-1, 1, ROWS, dtype=x.dtype, device=x.device).requires_grad_(True)
    named = {"real": o.real, "fake": o.fake, "generator": o.generator}
    for name, term in named.items():
        if term is not None:
            loss = failing(f"objective's {name} term in the", partial(term, scores))
            require_rows(f"objective's {name} term", loss, "scores")
            if not loss.requires_grad:
                raise WganError(
                    f"objective's {name} term does not depend on the scores: no gradient would reach a player"
                )
    if o.penalty is not None:
        norms = scores.abs()
        found = failing("objective's penalty in the", partial(o.penalty, norms, weight))
        require_rows("objective's penalty", found, "gradient norms")
    look_at_points(o, x, draws)


def require_rows(what: str, values: Any, given: str) -> None:
    """Raise WganError unless values are a finite tensor [ROWS]."""
    if not isinstance(values, Tensor) or list(values.shape) != [ROWS]:
        shape = size(values) if isinstance(values, Tensor) else f"a {type(values).__name__}"
        raise WganError(
            f"{what} of {ROWS} {given} is {shape}: it must be [{ROWS}], one value for each sample, not their mean"
        )
    if not torch.isfinite(values).all():
        raise WganError(f"{what} of {given} from -1 to 1 is not finite")


def look_at_points(o: Objective, x: Tensor, draws: Draws) -> None:
    """Raise WganError unless the points of the penalty are one or two batches of samples."""
    if isinstance(o.points, str):
        if o.points not in POINTS:
            raise WganError(
                f"objective's points '{o.points}' are not known: {', '.join(POINTS)}, or f(real, fake, draw)"
            )
        return
    points = failing("objective's points in the", partial(o.points, x, x.flip(0), draws))
    if not isinstance(points, Tensor) or points.shape[1:] != x.shape[1:] or len(points) not in (len(x), 2 * len(x)):
        shape = size(points) if isinstance(points, Tensor) else f"a {type(points).__name__}"
        raise WganError(
            f"objective's points of batches {size(x)} are {shape}: they must be as many samples, or twice as many"
        )


def require_saved(q: Players) -> None:
    """Raise WganError unless a checkpoint can hold the state, and the optimizers take theirs back."""
    try:
        tensor_bytes(flatten(state(q)))
        for optimizer in (q.generator_optimizer, q.critic_optimizer):
            load_optimizer(optimizer, part(flatten({"": optimizer_state(optimizer)}), ""))
    except (RuntimeError, ValueError, KeyError) as error:
        raise WganError(f"a checkpoint cannot hold the state of these parts: {first_line(error)}") from error
