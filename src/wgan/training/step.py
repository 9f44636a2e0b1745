"""One step: the critic's updates, then the generator's, on draws that are functions of (seed, step, purpose)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from wgan.data import Source
from wgan.distributed.signals import Interrupted, Stop
from wgan.host import dropping, seeding
from wgan.rng import derived_seed, order, stream
from wgan.training.accumulate import Stats
from wgan.training.asked import asked_of
from wgan.training.optim import set_rate
from wgan.training.players import Players
from wgan.training.schedule import CRITIC_SCHEDULES, rate_factor, updates_before
from wgan.training.updates import critic_update, generator_update, make_fakes
from wgan.training.watch import require_finite, require_finite_weights, watch


class StepCut(Interrupted):
    """A signal cut a long critic phase after `updates` of its updates: a resume continues the step there."""

    def __init__(self, updates: int) -> None:
        super().__init__(f"cut after {updates} critic updates")
        self.updates = updates


def take_step(p: Players, source: Source, step: int, stop: Stop, logging: bool, done: int = 0) -> Stats:
    """Update both players and return the statistics; `done` critic updates of the step were done before.

    Raises StepCut when a signal cuts a long critic phase, NotFinite for a loss or weight that is not a finite number.
    """
    set_rates(p, step)
    group = p.engine.group
    overdue = stop.overdue if group.world == 1 else lambda: group.overdue
    stats = critic_phase(p, source, step, overdue, done)
    stats |= generator_phase(p, source, step)
    require_finite(stats, step + 1)
    require_finite_weights(p, step + 1)
    return stats | watch(p) if logging else stats


def critic_phase(
    p: Players, source: Source, step: int, overdue: Callable[[], bool] = lambda: False, done: int = 0
) -> Stats:
    """Update the critic as often as the schedule says at `step`; return the last update's statistics.

    It begins after the `done` updates that a stopped run had made, and raises StepCut when `overdue` between two updates.
    """
    c, rows = p.config, p.engine.rows(p.config.batch)
    count = CRITIC_SCHEDULES[c.critic_schedule](step, c.n_critic)
    stats: Stats = {}
    together = fakes_together(p, step, count)
    shared = real_batch(p, source, step, 0) if c.real_batches == "shared" else None
    for k in range(done, count):
        real, y = shared or real_batch(p, source, step, k)
        with randomness(p, step, f"critic dropout {k}"):
            fake = together[k] if together else make_fakes(p, critic_latents(p, step, k), y)
            fake = p.augment(fake, step, f"augment fake {k}")
            real = p.augment(real, step, f"augment real {k}")
            draws = p.engine.draws(c.seed, step, f"critic points {k}", rows // c.pack)
            stats = critic_update(p, real, fake, y, draws)
        if k + 1 < count and overdue():
            raise StepCut(k + 1)
    stats["critic/wasserstein"] = stats["critic/real"] - stats["critic/fake"]
    return stats


def critic_latents(p: Players, step: int, k: int) -> Tensor:
    """Return the latents [B, Z] of critic update k at `step`."""
    c = p.config
    return p.engine.draws(c.seed, step, f"critic latent {k}", p.engine.rows(c.batch)).normal(p.generator.latent)


def fakes_together(p: Players, step: int, count: int) -> list[Tensor]:
    """Return the fakes of all critic updates of `step`, made in one pass; none where that gains nothing or changes them.

    A small MLP gains: a pass costs more in calls than in products. Batch norm makes a fake depend on its batch. All are
    made also where a stopped run resumes within the phase: another number of rows might round differently.
    """
    c = p.config
    told = p.generator.told or p.generator.asks
    if not c.fast or c.generator != "mlp" or c.generator_norm == "batch" or told or not 1 < count <= 16:
        return []
    latents = torch.cat([critic_latents(p, step, k) for k in range(count)])
    return [*make_fakes(p, latents, None).split(p.engine.rows(c.batch))]


def generator_phase(p: Players, source: Source, step: int) -> Stats:
    """Update the generator once; labels follow the data's own frequencies."""
    c, rows = p.config, p.engine.rows(p.config.generator_batch or p.config.batch)
    last = CRITIC_SCHEDULES[c.critic_schedule](step, c.n_critic) - 1
    if c.generator_latents == "last":
        z = critic_latents(p, step, last)
        _, y = real_batch(p, source, step, last)
    else:
        z = p.engine.draws(c.seed, step, "generator latent", rows).normal(p.generator.latent)
        y = drawn_labels(p, source, step, rows)
    real = None
    if p.objective.pairs:
        x, labels = real_batch(p, source, step, last)
        real = p.augment(x, step, "augment real"), labels
    with randomness(p, step, "generator dropout"):
        return generator_update(p, z, y, real, step)


def real_batch(p: Players, source: Source, step: int, k: int) -> tuple[Tensor, Tensor | None]:
    """Return the real images [B, *shape] in [-1, 1] and labels [B] of critic update k at `step`."""
    c = p.config
    shared = c.real_batches == "shared"
    position = step if shared else updates_before(c.critic_schedule, step, c.n_critic) + k
    mine = p.engine.shard.cut(order(c.seed, c.sampling, len(source), position * c.batch, c.batch))
    x, y = source.batch(mine)
    if p.generator.asks:
        y = asked_of(p, source, mine, position, "conditions")
    return p.mirror(p.engine.to_float(x), position), None if y is None else y.to(p.engine.device)


def drawn_labels(p: Players, source: Source, step: int, rows: int) -> Tensor | None:
    """Return what is told of randomly drawn real samples [rows]: the fakes' classes are as frequent as the data's."""
    labels = source.labels if source.classes else None
    known = labels if source.told is None else source.told
    if not p.generator.asks and known is None:
        return None
    index = p.engine.draws(p.config.seed, step, "generator label", rows).integers(len(source))
    if p.generator.asks:
        return asked_of(p, source, index, step, "generator conditions")
    assert known is not None
    return known[index].to(p.engine.device)


@contextmanager
def randomness(p: Players, step: int, purpose: str) -> Iterator[None]:
    """Let dropout, and the caller's own parts, draw from a stream of their own; nothing to do without them."""
    with ExitStack() as stack:
        if p.config.dropout:
            source = stream(p.config.seed, step, p.engine.purpose(purpose), p.engine.device)
            stack.enter_context(dropping(source))
        if p.given.parts:  # they may draw in any way; alike in all processes, whose dropout is of the whole batch
            own = p.engine.purpose(f"own parts, {purpose}, process 0")
            stack.enter_context(seeding(derived_seed(p.config.seed, step, own)))
        yield


def set_rates(p: Players, step: int) -> None:
    """Set both learning rates for `step`; each time that the run went back has halved them."""
    factor = rate_factor(p.config.lr_decay, step, p.config.decay_steps or p.config.steps) * 0.5**p.engine.stream
    set_rate(p.generator_optimizer, p.config.lr, factor)
    set_rate(p.critic_optimizer, p.config.critic_lr or p.config.lr, factor)
