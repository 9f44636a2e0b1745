"""generate(): samples of a network in blocks of fixed size, so that none depends on how many were asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wgan.engine import Engine
from wgan.models import AnyGenerator

BLOCK = 100  # samples are always made in blocks of this size, so that none depends on how many were asked for


@torch.no_grad()
def generate(
    network: AnyGenerator, z: Tensor, y: Tensor | None, engine: Engine, sizes: Sequence[int] = (BLOCK,)
) -> Tensor:
    """Return G(z, y) [N, *shape] as fp32 on the CPU, in evaluation mode, in blocks of BLOCK rows.

    Each is padded to the smallest of `sizes` that holds it; less than BLOCK may change the bits, see wgan.export.together.
    The work may be left before each block (`signals.check`). The processes of a group make a part of the blocks each.
    """

    def block(number: int) -> Tensor:
        rows = slice(number * BLOCK, (number + 1) * BLOCK)
        return _block(network, z[rows], None if y is None else y[rows], engine, sizes)

    training = network.training
    network.eval()
    try:
        return torch.cat(engine.group.map(math.ceil(len(z) / BLOCK), block))
    finally:
        network.train(training)


def _block(network: AnyGenerator, z: Tensor, y: Tensor | None, engine: Engine, sizes: Sequence[int]) -> Tensor:
    rows = len(z)
    missing = min(size for size in sizes if size >= rows) - rows
    z = torch.cat([z, z.new_zeros(missing, *z.shape[1:])])
    y = None if y is None else torch.cat([y, y.new_zeros(missing, *y.shape[1:])]).to(engine.device)
    with engine.autocast():
        x: Tensor = network(z.to(engine.device, engine.dtype), y)
    return x[:rows].float().cpu()
