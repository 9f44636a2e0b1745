"""One optimizer step on the global batch: accumulation over microbatches, all-reduce over processes, then the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from wgan.config import Config
from wgan.engine import Engine
from wgan.host import repeated

Stats = dict[str, Tensor | float]
Rows = TypeVar("Rows", Tensor, Tensor | None)


class Cut:
    """Takes the i-th of `many` equal parts of each tensor of a batch: one microbatch."""

    def __init__(self, i: int, many: int) -> None:
        self.i, self.many = i, many

    def __call__(self, x: Rows) -> Rows:
        """x [B, ...] -> [B / many, ...]; None stays None."""
        return x if x is None or self.many == 1 else x.unflatten(0, (self.many, -1))[self.i]


def cuts(rows: int, microbatch: int | None) -> list[Cut]:
    """Return one Cut for each microbatch of `rows` samples; None = all at once."""
    many = max(rows // microbatch, 1) if microbatch else 1
    return [Cut(i, many) for i in range(many)]


def descend(
    engine: Engine,
    config: Config,
    optimizer: torch.optim.Optimizer,
    rows: int,
    loss_of: Callable[[Cut], tuple[Tensor, Stats]],
    moving: Sequence[Tensor] = (),
) -> Stats:
    """Take one optimizer step down the mean of `loss_of` over the world's batch, of which `rows` samples are here.

    `loss_of` returns the whole loss as one scalar, and statistics, of what its argument cuts out of the rows here: all
    of them, or one microbatch after the other. Gradients and statistics are averaged over microbatches and processes.
    `moving`: buffers that every pass moves (singular vectors of spectral norm): each microbatch finds them where the first
    did, so that a step is the same for every microbatch.
    The average comes after every backward and right before the step: whatever put a gradient there, it is averaged.
    """
    optimizer.zero_grad(set_to_none=True)
    found: list[Stats] = []
    begun = [x.clone() for x in moving] if config.microbatch else []
    for cut in cuts(rows, config.microbatch):
        for x, start in zip(moving, begun, strict=False):
            x.copy_(start)
        with at_hand(engine, cut, config.dropout > 0):
            loss, stats = loss_of(cut)
            (loss if cut.many == 1 else loss / cut.many).backward()
        found.append(stats)
    stats = found[0] if len(found) == 1 else {name: mean([s[name] for s in found]) for name in found[0]}
    return stepped(engine, optimizer, stats)


def stepped(engine: Engine, optimizer: torch.optim.Optimizer, stats: Stats) -> Stats:
    """Average gradients and statistics over the processes, take the optimizer's step, return the statistics."""
    if engine.group.world > 1:
        gradients = [w.grad for group in optimizer.param_groups for w in group["params"] if w.grad is not None]
        means = engine.group.average(gradients, [torch.as_tensor(s) for s in stats.values()])
        stats = dict(zip(stats, means, strict=True))
    optimizer.step()
    return stats


@contextmanager
def at_hand(engine: Engine, cut: Cut, dropout: bool) -> Iterator[None]:
    """Within the block the rows of `cut` are present; each microbatch finds the stream of dropout where the first did."""
    with ExitStack() as stack:
        if cut.many > 1:
            stack.enter_context(engine.shard.within(cut.i, cut.many))
        if dropout and cut.i < cut.many - 1:
            stack.enter_context(repeated())
        yield


def mean(values: list[Tensor | float]) -> Tensor:
    """Return the mean of scalars."""
    return torch.stack([torch.as_tensor(v) for v in values]).mean()
