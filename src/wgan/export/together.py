"""Requests that wait at the same time, computed in one pass of the generator, each with the bits that it has alone.

The command line makes sample i at place i of a block of BLOCK. Where a network gives a row the same bits at every place of a
block, whatever stands beside it, the rows of many requests share blocks; where it does so in smaller blocks too, few rows are
computed in one of these. Both are tried when the server starts; elsewhere each request is computed as the command does it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

from wgan.export.guard import Refused
from wgan.sampling.generate import BLOCK
from wgan.sampling.latents import latents
from wgan.sampling.model import Model, Samples

PASS = 10 * BLOCK  # rows of one pass: a long request lets others in between
SIZES = (8, 16, 24, 32, 48, 64)  # of smaller blocks
TRIED = 3  # rows whose copies are looked at in every place, and more of them where a row has few numbers
NUMBERS = 500  # that are looked at in every place
UNTIL: ContextVar[float] = ContextVar("when the request that a thread works on is given up", default=float("inf"))


@dataclass
class Job:
    """Latents [N, Z] and labels that one thread waits for."""

    z: Tensor
    labels: Tensor | None
    made: Future[Samples] = field(default_factory=Future)


class Passes:
    """Computes the jobs of many threads in one thread: as many in one pass as there are and fit, in their order.

    A pass begins once at least half of the `open` requests wait for it: a lone one at once, and of many one half is computed
    while the answers to the other half are written and those who got them ask again.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.sizes = model, sizes_that_keep_bits(model)
        self.waiting: deque[Job] = deque()
        self.open = 0  # requests that wait here, are prepared, or are written by the thread of the connections
        self.changed = threading.Condition()
        threading.Thread(target=self.run, name="wgan-passes", daemon=True).start()

    def decode(self, z: Tensor, labels: Tensor | None) -> Samples:
        """Return model.decode(z, labels); Refused where the request of this thread has run out of time."""
        parts = []
        for start in range(0, len(z), PASS):
            if time.monotonic() > UNTIL.get():
                raise Refused(503, "the request took too long: ask for fewer samples, or for a wider range")
            rows = slice(start, start + PASS)
            parts.append(self.submit(z[rows], None if labels is None else labels[rows]).result())
        return parts[0] if len(parts) == 1 else joined(parts)

    def submit(self, z: Tensor, labels: Tensor | None) -> Future[Samples]:
        """Return what will be model.decode(z, labels) of at most PASS latents; it may be cancelled until it is begun."""
        job = Job(z, labels)
        with self.changed:
            self.waiting.append(job)
            self.wake()
        return job.made

    def count(self, change: int) -> None:
        """Count a request that begins or ends in the thread of the connections."""
        with self.changed:
            self.open += change
            self.wake()

    def ready(self) -> bool:
        """Return whether a pass should begin."""
        return bool(self.waiting) and 2 * len(self.waiting) >= self.open

    def wake(self) -> None:
        """Let a pass begin, where one should."""
        if self.ready():
            self.changed.notify()

    def run(self) -> None:
        """Compute until the process ends."""
        while True:
            jobs = [job for job in self.taken() if job.made.set_running_or_notify_cancel()]
            if not jobs:
                continue
            try:
                made = self.model.decode(*batch(jobs), self.sizes or (BLOCK,))
            except BaseException as error:
                for job in jobs:
                    job.made.set_exception(error)
                continue
            ends = np.cumsum([len(job.z) for job in jobs]).tolist()
            for job, end in zip(jobs, ends, strict=True):
                job.made.set_result(made[end - len(job.z) : end])  # type: ignore[arg-type]

    def taken(self) -> list[Job]:
        """Wait for a job, and return it with those behind it that fit into the same pass."""
        with self.changed:
            while not self.ready():
                self.changed.wait()
            jobs = [self.waiting.popleft()]
            rows = len(jobs[0].z)
            while self.sizes and self.waiting and alike(jobs[0], self.waiting[0]):
                rows += len(self.waiting[0].z)
                if rows > PASS:
                    break
                jobs.append(self.waiting.popleft())
            return jobs


def alike(a: Job, b: Job) -> bool:
    """Return whether two jobs can share a pass: both have labels, or neither."""
    return (a.labels is None) == (b.labels is None)


def batch(jobs: list[Job]) -> tuple[Tensor, Tensor | None]:
    """Return the latents and the labels of all jobs, one after the other."""
    labels = [job.labels for job in jobs if job.labels is not None]
    return torch.cat([job.z for job in jobs]), torch.cat(labels) if labels else None


def joined(parts: list[Samples]) -> Samples:
    """Return samples, as decode() gives them, one after the other."""
    samples = torch.cat([part.as_subclass(Tensor) for part in parts]).as_subclass(Samples)
    labels = [part.labels for part in parts if part.labels is not None]
    samples.labels = np.concatenate(labels) if labels else None
    return samples


def sizes_that_keep_bits(model: Model) -> tuple[int, ...]:
    """Return the sizes of blocks that give a row the bits of one of BLOCK, at each place, whatever stands beside it.

    () where even those of BLOCK depend on the place.
    """
    z, told = latents(0, BLOCK, model.network.latent), model.usual(BLOCK, 0)
    made = model.decode(z, told).as_subclass(Tensor)
    if not alike_everywhere(model, z, told, made, BLOCK):
        return ()
    return (*(size for size in SIZES if alike_everywhere(model, z, told, made, size)), BLOCK)


def alike_everywhere(model: Model, z: Tensor, told: Tensor | None, made: Tensor, size: int) -> bool:
    """Return whether blocks of `size` give rows of z [BLOCK, Z] the bits `made`: the first side by side, some in every place.

    Which bits come out depends on how a processor computes a block of that size, not on the numbers: a few rows tell.
    """
    for start in range(0, max(size, 2 * SIZES[0]), size):
        rows = slice(start, start + size)
        if not torch.equal(decoded(model, z[rows], told if told is None else told[rows], size), made[rows]):
            return False
    tried = min(BLOCK, max(TRIED, NUMBERS // made[0].numel()))
    for at in torch.linspace(0, BLOCK - 1, tried).long().tolist():
        row = slice(at, at + 1)
        same = decoded(model, copies(z[row], size), told if told is None else copies(told[row], size), size)
        if not torch.equal(same, copies(made[row], size)):
            return False
    return True


def copies(row: Tensor, count: int) -> Tensor:
    """Return a row [1, ...] that many times."""
    return row.expand(count, *row.shape[1:])


def decoded(model: Model, z: Tensor, told: Tensor | None, size: int) -> Tensor:
    """Return what the model makes in one block of `size`."""
    return model.decode(z, told, (size,)).as_subclass(Tensor)


@dataclass(frozen=True)
class SharedModel(Model):
    """A model that many threads sample from at once: their latents share passes."""

    passes: Passes | None = None

    def decode(self, z: Tensor, labels: Tensor | None, sizes: Sequence[int] = (BLOCK,)) -> Samples:
        """Return G(z, labels), bit for bit as the model itself."""
        return self.shared_passes.decode(z, labels)

    @property
    def shared_passes(self) -> Passes:
        """What computes the latents of all threads."""
        assert self.passes is not None
        return self.passes


def shared(model: Model) -> SharedModel:
    """Return `model` for many threads."""
    given = {f.name: getattr(model, f.name) for f in fields(model) if f.init}
    return SharedModel(**given, passes=Passes(model))
