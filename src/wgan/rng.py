"""Every random draw as a function of (seed, step, purpose), never of history.

Draws are made for the whole global batch and cut to the rows of one process, so that no result depends on how many processes
there are.
"""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from wgan.distributed.shard import Shard
from wgan.host import drawing


class Draws:
    """Random numbers of one (seed, step, purpose), drawn on the CPU for the whole world and cut to the rows of this process."""

    def __init__(
        self,
        begin: Callable[[], torch.Generator],
        whole: int,
        shard: Shard,
        device: torch.device,
        dtype: torch.dtype,
        std: Callable[[Tensor], Tensor] = Tensor.std,  # over the global batch, of which its argument is one part
    ) -> None:
        self.begin, self.whole, self.shard, self.device, self.dtype, self.std = begin, whole, shard, device, dtype, std
        self.begun: torch.Generator | None = None  # made when the first number is drawn: most objectives draw none

    @property
    def source(self) -> torch.Generator:
        """The stream, where it was left."""
        self.begun = self.begun or self.begin()
        return self.begun

    def restart(self) -> Draws:
        """Return this stream, set back to its start: for the next part of the same batch."""
        self.begun = None
        return self

    def __call__(self, kind: str, shape: tuple[int, ...]) -> Tensor:
        """Return 'normal' or 'uniform' draws [rows, *shape] on the device."""
        return self.normal(*shape) if kind == "normal" else self.uniform(*shape)

    def normal(self, *shape: int) -> Tensor:
        """N(0, 1) draws [rows, *shape]."""
        return self._mine(torch.randn(self.whole, *shape, generator=self.source, dtype=self.dtype))

    def uniform(self, *shape: int) -> Tensor:
        """U[0, 1) draws [rows, *shape]."""
        return self._mine(torch.rand(self.whole, *shape, generator=self.source, dtype=self.dtype))

    def integers(self, high: int) -> Tensor:
        """Whole numbers in [0, high), int64 [rows], left on the CPU: they index data."""
        return self.shard.cut(torch.randint(high, (self.whole,), generator=self.source))

    def _mine(self, whole: Tensor) -> Tensor:
        return self.shard.cut(whole).to(self.device, non_blocking=True)


def derived_seed(seed: int, step: int, purpose: str) -> int:
    """Return 63 bits that depend on (seed, step, purpose) alone, the same on every machine."""
    words = np.random.SeedSequence([seed, step, zlib.crc32(purpose.encode())]).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def stream(seed: int, step: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator seeded by (seed, step, purpose); of the CPU, unless what it draws must be on another device."""
    return torch.Generator(device).manual_seed(derived_seed(seed, step, purpose))


@contextlib.contextmanager
def seeded(seed: int, step: int, purpose: str) -> Iterator[None]:
    """Within the block initial weights are drawn from the stream of (seed, step, purpose), and from no other of the process."""
    with drawing(stream(seed, step, purpose)):
        yield


def order(seed: int, sampling: str, size: int, first: int, count: int) -> Tensor:
    """Return the data indices [count] of positions first .. first + count - 1 of an endless reading of the data.

    epoch: each pass over the data is a fresh permutation; sequential: each pass in stored order. A batch that
    crosses the end of a pass continues in the next, so no batch is ever short.
    """
    if sampling == "iid":
        return torch.randint(size, (count,), generator=stream(seed, first, "iid order"))
    positions = torch.arange(first, first + count)
    if sampling == "sequential":
        return positions % size
    return torch.cat(
        [_epoch(seed, int(e), size)[positions[positions // size == e] % size] for e in _epochs(first, count, size)]
    )


def _epochs(first: int, count: int, size: int) -> range:
    return range(first // size, (first + count - 1) // size + 1)


@functools.lru_cache(maxsize=4)  # a pure function's results; safe in threads
def _epoch(seed: int, epoch: int, size: int) -> Tensor:
    return torch.randperm(size, generator=stream(seed, epoch, "epoch"))
