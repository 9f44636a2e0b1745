"""The process group of a run: averaging, work of rank 0 alone, agreement; torch.distributed without a pickle.

What the processes exchange is JSON and raw tensors. One process alone has a Group too, whose every call does nothing.
"""

from __future__ import annotations

import json
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from wgan.distributed.signals import Interrupted, Stop, check
from wgan.errors import LostContact, NotFinite, SaidElsewhere, WganError

T = TypeVar("T")
PATIENCE = 600.0  # seconds without an answer after which a process counts as stuck
PREPARING = 24 * 3600.0  # seconds that one process may take to prepare the data while the others wait
GRACE = 2.0  # seconds in which those who are not stuck say so


@dataclass
class Traffic:
    """What averaging has cost since it was last looked at: calls, bytes of this process's tensors, seconds in them."""

    calls: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass
class Group:
    """All processes of one training, seen from one of them."""

    rank: int = 0
    world: int = 1
    local: int = 0  # its number on its machine
    beside: int = 1  # processes on its machine
    patience: float = PATIENCE
    store: dist.Store | None = None
    stop: Stop = field(default_factory=Stop)
    traffic: Traffic = field(default_factory=Traffic)
    asked: bool = False  # a signal came on any process
    overdue: bool = False  # and the step had its time since
    told: bool = False
    leading: bool = False  # rank 0 works while the others wait
    parent: int = field(default_factory=os.getppid)
    meetings: int = 0

    def __deepcopy__(self, memory: object) -> Group:
        return self  # a copy of a network still belongs to the same group

    # --- averages ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor], numbers: Sequence[Tensor]) -> list[Tensor]:
        """Replace `tensors` by their means over all processes, in one message; return the means of `numbers` (scalars).

        The message also carries whether a signal came, so that all processes leave at the same step.
        """
        if self.world == 1:
            return list(numbers)
        like = tensors[0]
        signals = [float(bool(self.stop.reason)), float(self.stop.overdue())]
        scalars = [torch.as_tensor(n, dtype=like.dtype, device=like.device).reshape(1) for n in [*numbers, *signals]]
        flat = torch.cat([t.reshape(-1) for t in tensors] + scalars)
        self.all_reduce(flat)
        flat /= self.world
        start = 0
        for t in tensors:
            t.copy_(flat[start : start + t.numel()].view_as(t))
            start += t.numel()
        means = list(flat[start:].unbind())
        asked, overdue = (float(v) for v in means[-2:])
        self.asked, self.overdue = self.asked or asked > 0, self.overdue or overdue > 0
        return [m.to(torch.as_tensor(n).dtype) for m, n in zip(means, numbers, strict=False)]

    def all_reduce(self, t: Tensor) -> None:
        """Replace t by its sum over all processes, with the same bits on each."""
        begun = time.perf_counter()
        with self.contact():
            dist.all_reduce(t)
        self.traffic.calls += 1
        self.traffic.bytes += t.numel() * t.element_size()
        self.traffic.seconds += time.perf_counter() - begun

    # --- work of rank 0, or of all ------------------------------------------------------------------------------------

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, the process that writes and prints."""
        return self.rank == 0

    def on_main(self, work: Callable[[], T], patient: bool = False) -> T:
        """Let rank 0 do `work` while the others wait, and return what it returned (JSON) on every process.

        A WganError there ends every process: rank 0 raises it, the others SaidElsewhere; NotFinite is raised by all.
        """
        if self.world == 1 or self.leading:
            return work()
        answer: dict[str, Any] = {}
        failure: WganError | None = None
        if self.is_main:
            self.leading = True
            try:
                answer = {"value": work()}
            except NotFinite as error:
                failure, answer = error, {"not finite": [error.what, error.step, error.stats]}
            except WganError as error:
                failure, answer = error, {"error": str(error)}
            finally:
                self.leading = False
        if patient:
            self.barrier("led", wait_for=[0])
        answer = json.loads(self.broadcast(json.dumps(answer).encode() if self.is_main else b""))
        if failure is not None:
            raise failure
        if "not finite" in answer:
            raise NotFinite(*answer["not finite"])
        if "error" in answer:
            raise SaidElsewhere(answer["error"])
        value: T = answer["value"]
        return value

    def on_all(self, work: Callable[[], T], patient: bool = False) -> T:
        """Let every process do `work`; when it fails on one, all end, and rank 0 says where and why."""
        if self.world == 1:
            return work()
        sentence, result = "", None
        try:
            result = work()
        except WganError as error:
            sentence = str(error)
        if patient:
            self.barrier("agreed", wait_for=range(self.world))
        said = [json.loads(text) for text in self.all_gather(json.dumps([socket.gethostname(), sentence]).encode())]
        sentences = [s for _, s in said if s]
        if sentences:
            rank = next(r for r, (_, s) in enumerate(said) if s)
            everywhere = len(sentences) == self.world and len(set(sentences)) == 1
            where = "" if everywhere or rank == 0 else f"process {rank} on {said[rank][0]}: "
            raise (WganError if self.is_main else SaidElsewhere)(where + sentences[0])
        return result  # type: ignore[return-value]

    def require_same(self, facts: Mapping[str, Any], remedy: str) -> None:
        """Raise WganError on all processes unless `facts` (JSON) are the same on each; say where and how they differ."""
        if self.world == 1:
            return
        everyone = [json.loads(text) for text in self.all_gather(json.dumps([socket.gethostname(), facts]).encode())]
        first = everyone[0][1]
        for rank, (host, theirs) in enumerate(everyone):
            wrong = [f"{k}: {first.get(k)} -> {theirs.get(k)}" for k in first if first.get(k) != theirs.get(k)]
            if wrong:
                sentence = f"process {rank} on {host} differs from process 0 ({'; '.join(wrong)}): {remedy}"
                raise (WganError if self.is_main else SaidElsewhere)(sentence)

    def require_alike(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Raise WganError when the copies of the weights differ between processes: their averages would mean nothing."""
        if self.world > 1:
            sums = {name: zlib.crc32(t.detach().cpu().contiguous().numpy().tobytes()) for name, t in tensors.items()}
            total = zlib.crc32(json.dumps(sums, sort_keys=True).encode())  # a loaded state has another order
            self.require_same(
                {f"weights at step {step}": total},
                "machines that round differently cannot train together; the last checkpoint is kept",
            )

    def broadcast(self, data: bytes) -> bytes:
        """Return rank 0's `data` on every process."""
        if self.world == 1:
            return data
        size = torch.tensor([len(data)])
        with self.contact():
            dist.broadcast(size, 0)
            text = torch.frombuffer(bytearray(data), dtype=torch.uint8) if self.is_main and data else None
            text = torch.empty(int(size), dtype=torch.uint8) if text is None else text
            if len(text):
                dist.broadcast(text, 0)
        return text.numpy().tobytes()

    def all_gather(self, data: bytes) -> list[bytes]:
        """Return the `data` of all processes, by rank, on every process."""
        if self.world == 1:
            return [data]
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world)]
        with self.contact():
            dist.all_gather(sizes, torch.tensor([len(data)]))
            room = max(1, max(int(n) for n in sizes))
            padded = torch.frombuffer(bytearray(data.ljust(room, b"\0")), dtype=torch.uint8)
            everyone = [torch.empty(room, dtype=torch.uint8) for _ in range(self.world)]
            dist.all_gather(everyone, padded)
        return [t.numpy().tobytes()[: int(n)] for t, n in zip(everyone, sizes, strict=True)]

    def map(self, count: int, work: Callable[[int], Tensor]) -> list[Tensor]:
        """Return [work(0), ..., work(count - 1)] on every process, each made by one of them.

        The work may be left before each when this process works alone (`signals.check`); together, a signal to one raises
        Interrupted in all.
        """
        found: list[Tensor] = []
        if self.world == 1 or self.leading:
            for i in range(count):
                check()
                found.append(work(i))
            return found
        for start in range(0, count, self.world):
            mine = start + self.rank
            found += self.gather({mine: work(mine).cpu().contiguous()} if mine < count else {})
        return found

    def gather(self, mine: Mapping[int, Tensor]) -> list[Tensor]:
        """Return the tensors of all processes in the order of their numbers; Interrupted in all when one was asked."""
        about: dict[str, Any] = {str(i): [list(t.shape), str(t.dtype).removeprefix("torch.")] for i, t in mine.items()}
        about["stop"] = [bool(self.stop.reason)]
        headers = [json.loads(text) for text in self.all_gather(json.dumps(about).encode())]
        bodies = self.all_gather(b"".join(t.numpy().tobytes() for t in mine.values()))
        asked = [header.pop("stop")[0] for header in headers]
        if any(asked):
            self.asked = True
            raise Interrupted
        found: dict[int, Tensor] = {}
        for header, body in zip(headers, bodies, strict=True):
            start = 0
            for key, (shape, dtype) in header.items():
                made = torch.empty(shape, dtype=getattr(torch, dtype))
                size = made.numel() * made.element_size()
                if size:
                    made = torch.frombuffer(bytearray(body[start : start + size]), dtype=made.dtype).view(shape)
                found[int(key)], start = made, start + size
        return [found[i] for i in sorted(found)]

    # --- contact ----------------------------------------------------------------------------------------------------

    def sync_stop(self) -> bool:
        """Return whether a signal came anywhere, and make `stop` the same on every process; call it between two steps."""
        if self.world == 1:
            return bool(self.stop.reason)
        if not self.asked and os.getppid() != self.parent and not self.stop.reason:
            self.stop.request("the launcher is gone", 143)  # killed: nobody else would ever end this process
        if self.asked and not self.told:  # every process knows by the last average, so that every one is here
            self.told = True
            said = [
                json.loads(text) for text in self.all_gather(json.dumps([self.stop.reason, self.stop.code]).encode())
            ]
            reason, code = next(((r, c) for r, c in said if r), ("a signal", 143))
            self.stop.adopt(reason, code)
        return self.asked

    def barrier(self, name: str, wait_for: Sequence[int]) -> None:
        """Wait, for longer than `patience`, until the processes `wait_for` are here; others continue at once."""
        if self.store is None:
            return
        self.meetings += 1
        key = f"wgan/{name}/{self.meetings}/"
        self.store.set(f"{key}{self.rank}", "here")
        end = time.monotonic() + PREPARING
        while not self.store.check([f"{key}{rank}" for rank in wait_for]):
            if time.monotonic() > end:
                raise LostContact(f"the other processes did not finish reading the data within {PREPARING:g} s")
            time.sleep(0.05)  # in Python, so that a signal is heard meanwhile

    @contextmanager
    def contact(self) -> Iterator[None]:
        """Within the block the failure of a message becomes LostContact, in one sentence."""
        begun = time.monotonic()
        try:
            yield
        except RuntimeError as error:  # torch has no narrower class for a peer that went away
            late = time.monotonic() - begun > 0.9 * self.patience or "imed out" in str(error)
            raise self.lost(late) from None

    def lost(self, late: bool) -> LostContact:
        """Return what to say when a message failed: who is missing, as far as can be known."""
        if not late:
            return LostContact("another process ended: training stopped, the last checkpoint is kept", self.is_main)
        there = [self.rank]
        with suppress(RuntimeError):
            there = self.present()
        missing = [str(rank) for rank in range(self.world) if rank not in there] or ["another one"]
        who = f"process{'es' if len(missing) > 1 else ''} {', '.join(missing)}"
        return LostContact(
            f"{who} gave no answer for {self.patience:g} s (stuck, or cut off): training stopped, the last checkpoint is "
            "kept",
            self.rank == min(there),
        )

    def present(self) -> list[int]:
        """Return the ranks that say within GRACE seconds that they wait as well."""
        if self.store is None:
            return [self.rank]
        self.store.set(f"wgan/waiting/{self.rank}", "here")
        time.sleep(GRACE)
        return [rank for rank in range(self.world) if self.store.check([f"wgan/waiting/{rank}"])]
