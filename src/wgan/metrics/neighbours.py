"""Nearest neighbours by brute force, in chunks: exact, and never more than about 300 MB of distances at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.metrics.rows import Rows

CELLS = 2**24  # distances held at once


def chunks(n: int, width: int) -> Iterator[slice]:
    """Yield slices that cover 0..n, each of at most CELLS / width rows."""
    step = max(1, CELLS // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))


def mean_of(x: Any) -> Rows:
    """Return the mean [D] of rows [N, D] in float64, read in chunks."""
    total: Rows = np.zeros(x.shape[1])
    for part in chunks(*x.shape):
        total += x[part].sum(0, dtype=np.float64)
    return total / len(x)


class Centred:
    """Rows minus a mean, in float64: distances stay, rounding errors shrink. A large set is centred again whenever it is read."""

    def __init__(self, x: Any, mean: Rows) -> None:
        self.x, self.mean = x, mean
        self.whole = x[:] - mean if math.prod(x.shape) <= CELLS else None
        self.norms = torch.cat([self[part].square().sum(1) for part in chunks(*x.shape)])

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, part: slice) -> Tensor:
        return torch.from_numpy(self.x[part] - self.mean if self.whole is None else self.whole[part])


def squared_distances(a: Tensor, b: Tensor | Centred, norms: Tensor | None = None) -> Tensor:
    """Return ‖a_i − b_j‖² [N, M] by matrix products; what rounding may have left of a zero is 0.

    a [N, D], b [M, D] of one floating type; b is read in chunks; norms [M]: ‖b_j‖², where they are known.
    The expansion ‖a‖² + ‖b‖² − 2 a·b has an absolute error of some ulps of the norms, so equal rows would come out as small
    positive noise, and ties as a lottery.
    """
    if norms is None:
        norms = b.norms if isinstance(b, Centred) else (b * b).sum(1)
    na, nb = (a * a).sum(1), norms
    d2 = a.new_empty(len(a), len(b))
    for part in chunks(len(b), a.shape[1]):
        torch.addmm(nb[None, part].expand(len(a), -1), a, b[part].T, alpha=-2, out=d2[:, part])
    d2.add_(na[:, None])
    noise = 16 * torch.finfo(a.dtype).eps * float(na.max() + nb.max())
    return torch.threshold_(d2, noise, 0.0)


def nearest(queries: Any, base: Any, k: int = 1, exclude_self: bool = False) -> tuple[Rows, NDArray[np.int64]]:
    """Return for each query the distances to its k nearest rows of `base`, nearest first, and those rows' indices.

    queries [N, D], base [M, D], float32 or float64 -> float64 [N, k], int64 [N, k]; k <= M. In many dimensions the search
    runs in float32 and the distances of the rows it finds are computed again in float64, so an exact copy has distance
    exactly 0. `exclude_self`: queries is base, and a row is not its own neighbour. Memory: one centred copy of base, and chunks.
    """
    mean = mean_of(base)
    kind = np.float32 if base.shape[1] > 64 else np.float64
    b = torch.from_numpy(np.empty(base.shape, kind))
    norms = b.new_empty(len(b))
    for part in chunks(len(base), base.shape[1]):
        b[part] = torch.from_numpy(base[part] - mean)
        norms[part] = b[part].square().sum(1)
    index = np.empty((len(queries), k), dtype=np.int64)
    distance = np.empty((len(queries), k))
    for part in chunks(len(queries), max(len(base), 4 * base.shape[1])):  # four: float64 copies of the rows besides
        d2 = squared_distances(torch.from_numpy((queries[part] - mean).astype(kind)), b, norms)
        if exclude_self:
            d2[torch.arange(len(d2)), torch.arange(part.start, part.stop)] = torch.inf
        index[part] = d2.argmin(1, keepdim=True) if k == 1 else d2.topk(k, largest=False).indices
        for j in range(k):
            found = base[index[part, j]].astype(np.float64)
            distance[part, j] = np.linalg.norm(queries[part] - found, axis=1)
    order = np.lexsort((index, distance))  # rounding may have swapped them; the lower index first among equals
    return np.take_along_axis(distance, order, 1), np.take_along_axis(index, order, 1)
