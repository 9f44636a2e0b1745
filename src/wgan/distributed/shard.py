"""The slice of the global batch that this process, or this microbatch, holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor


@dataclass
class Shard:
    """The slice of the global batch held here: the index-th of `count` equal parts, or of each of `blocks` blocks.

    A process has one; a microbatch narrows it for a while. Two blocks: real and fake side by side in one batch.
    """

    index: int = 0
    count: int = 1
    blocks: int = 1

    def cut(self, whole: Tensor) -> Tensor:
        """Return the rows of `whole` [N, ...] that are held here."""
        if self.count == 1:
            return whole
        parts = whole.unflatten(0, (self.blocks, self.count, -1))[:, self.index]
        out: Tensor = parts.flatten(0, 1)
        return out

    @contextmanager
    def within(self, index: int, count: int) -> Iterator[None]:
        """Within the block only the index-th of `count` parts of these rows is held."""
        before = self.index, self.count
        self.index, self.count = self.index * count + index, self.count * count
        try:
            yield
        finally:
            self.index, self.count = before

    @contextmanager
    def side_by_side(self, blocks: int) -> Iterator[None]:
        """Within the block a batch consists of `blocks` batches, one after the other."""
        self.blocks = blocks
        try:
            yield
        finally:
            self.blocks = 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block this process computes for itself what has nothing to do with the global batch."""
        before = self.index, self.count
        self.index, self.count = 0, 1
        try:
            yield
        finally:
            self.index, self.count = before
