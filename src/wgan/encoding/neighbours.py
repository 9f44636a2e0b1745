"""neighbour_distance(): the simple score that stands beside the encoder's, how far the nearest training sample is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wgan.data import open_source
from wgan.engine import Engine
from wgan.metrics.neighbours import nearest
from wgan.rng import order
from wgan.runs.folder import Run

BASE = 5000  # training samples at most
NUMBERS = 2**25  # in all of them (128 MiB)


def neighbour_distance(run: Run, parts: Sequence[Tensor], engine: Engine) -> NDArray[np.float64]:
    """Return ‖x − x'‖ / √n to the nearest x' of some training samples of the run, for all samples x [N, *shape] of the parts.

    n: the numbers of one sample. The training samples are the same on every call, at most BASE.
    """
    train = open_source(run.config.data, run.config.split, options=run.config)
    width = math.prod(train.shape)
    count = min(len(train), BASE, max(1, NUMBERS // width))
    base = flat(train.batch(order(0, "neighbours", len(train), 0, count))[0], engine)
    found = [nearest(flat(part, engine), base)[0][:, 0] for part in parts]
    return np.concatenate(found) / math.sqrt(width)


def flat(x: Tensor, engine: Engine) -> NDArray[np.float32]:
    """Return samples in the range of the networks as rows [N, n]."""
    rows: NDArray[np.float32] = engine.to_float(x).float().cpu().flatten(1).numpy()
    return rows
