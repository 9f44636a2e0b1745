"""Requests that wait at the same time, computed in one pass of the generator, each with the bits that it has alone.

The command line makes sample i at place i of its block. Where a network gives a row the same bits at every place of a block,
whatever stands beside it, the rows of many requests share blocks; elsewhere each request is computed by itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
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
TRIED = (0, BLOCK // 2, BLOCK - 1)  # rows whose copies are looked at in every place
UNTIL: ContextVar[float] = ContextVar("when the request that a thread works on is given up", default=float("inf"))


@dataclass
class Job:
    """Latents [N, Z] and labels that one thread waits for."""

    z: Tensor
    labels: Tensor | None
    made: Future[Samples] = field(default_factory=Future)


class Passes:
    """Computes the jobs of many threads in one thread: as many in one pass as there are and fit, in their order."""

    def __init__(self, model: Model) -> None:
        self.model, self.shares = model, keeps_bits(model)
        self.waiting: deque[Job] = deque()
        self.changed = threading.Condition()
        threading.Thread(target=self.run, name="wgan-passes", daemon=True).start()

    def decode(self, z: Tensor, labels: Tensor | None) -> Samples:
        """Return model.decode(z, labels); Refused where the request of this thread has run out of time."""
        parts = []
        for start in range(0, len(z), PASS):
            if time.monotonic() > UNTIL.get():
                raise Refused(503, "the request took too long: ask for fewer samples, or for a wider range")
            rows = slice(start, start + PASS)
            job = Job(z[rows], None if labels is None else labels[rows])
            with self.changed:
                self.waiting.append(job)
                self.changed.notify()
            parts.append(job.made.result())
        return parts[0] if len(parts) == 1 else joined(parts)

    def run(self) -> None:
        """Compute until the process ends."""
        while True:
            jobs = self.taken()
            try:
                made = self.model.decode(*batch(jobs))
            except BaseException as error:
                for job in jobs:
                    job.made.set_exception(error)
                continue
            start = 0
            for job in jobs:
                job.made.set_result(made[start : start + len(job.z)])  # type: ignore[arg-type]
                start += len(job.z)

    def taken(self) -> list[Job]:
        """Wait for a job, and return it with those behind it that fit into the same pass."""
        with self.changed:
            while not self.waiting:
                self.changed.wait()
            jobs = [self.waiting.popleft()]
            rows = len(jobs[0].z)
            while self.shares and self.waiting and alike(jobs[0], self.waiting[0]):
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


def keeps_bits(model: Model) -> bool:
    """Return whether a row's sample has the same bits at each place of a block, whatever stands beside it."""
    z, labels = latents(0, BLOCK, model.network.latent), model.labels(BLOCK, None)
    made = model.decode(z, labels).as_subclass(Tensor)
    return all(
        torch.equal(
            model.decode(z[at].expand(BLOCK, -1), None if labels is None else labels[at].expand(BLOCK)).as_subclass(
                Tensor
            ),
            made[at].expand_as(made),
        )
        for at in TRIED
    )


@dataclass(frozen=True)
class SharedModel(Model):
    """A model that many threads sample from at once: their latents share passes."""

    passes: Passes | None = None

    def decode(self, z: Tensor, labels: Tensor | None) -> Samples:
        """Return G(z, labels), bit for bit as the model itself."""
        assert self.passes is not None
        return self.passes.decode(z, labels)


def shared(model: Model) -> SharedModel:
    """Return `model` for many threads."""
    given = {f.name: getattr(model, f.name) for f in fields(model) if f.init}
    return SharedModel(**given, passes=Passes(model))
