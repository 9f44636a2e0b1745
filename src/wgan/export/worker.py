"""How many requests of `wgan serve` are worked on at once, and for how long: the rest are told to come again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from wgan.export.guard import Refused
from wgan.export.together import UNTIL, Passes
from wgan.sampling.draw import Draw
from wgan.sampling.model import Samples

REQUESTS = 100  # that are worked on at once; more are told to come again
SAMPLES = 16_000  # of all of them together: what they may hold in memory
SECONDS = 60.0  # that one request may wait and be computed
T = TypeVar("T")


class Worker:
    """Works on many requests at once: their latents are computed together, see wgan.export.together.

    Requests for few samples are prepared and written where they come in; longer ones get a thread each.
    """

    def __init__(self, requests: int = REQUESTS, samples: int = SAMPLES, seconds: float = SECONDS) -> None:
        self.requests, self.samples, self.seconds = requests, samples, seconds
        self.running = self.taken = 0  # requests, and their samples
        self.pool = ThreadPoolExecutor(requests, thread_name_prefix="wgan-serve")

    async def do(self, work: Callable[[], T], samples: int = 1) -> T:
        """Return what `work` returns in a thread, which makes that many samples; Refused while too much runs, or for too long."""
        self.begin(samples)
        loop = asyncio.get_running_loop()
        future: Future[T] = self.pool.submit(limited, work, time.monotonic() + self.seconds)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self.count, -1, -samples))
        return await self.waited(future)

    async def pass_of(self, passes: Passes, draw: Draw) -> Samples:
        """Return what the network makes of one draw; Refused as above."""
        samples = len(draw.z)
        self.begin(samples)
        try:
            return await self.waited(passes.submit(draw.z, draw.told))
        finally:
            self.count(-1, -samples)

    async def waited(self, future: Future[T]) -> T:
        """Return the result of `future`; Refused where that takes too long."""
        try:
            async with asyncio.timeout(self.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Refused(503, f"the request took longer than {self.seconds:g} s: ask for fewer samples") from None

    def begin(self, samples: int) -> None:
        """Count a request that begins; Refused while too much runs."""
        if self.running >= self.requests or self.taken + samples > self.samples:
            raise Refused(503, "too many requests are waiting: try again in a second")
        self.count(1, samples)

    def count(self, requests: int, samples: int) -> None:
        """Count requests that begin, or end."""
        self.running += requests
        self.taken += samples


def limited(work: Callable[[], T], until: float) -> T:
    """Return what `work` returns, which computes nothing more after the moment `until`."""
    UNTIL.set(until)
    return work()
