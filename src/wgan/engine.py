"""Where and how one process computes: device, precision, threads, its shard of the global batch, its random draws."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from wgan.distributed.cores import cores
from wgan.distributed.group import Group
from wgan.distributed.shard import Shard
from wgan.errors import WganError, either, unknown
from wgan.models.fast.trial import bf16_gain, mkl_gain, small_maps_gain, threads_gain
from wgan.processor import cpuinfo, remembered
from wgan.rng import Draws, stream
from wgan.ways import LIBRARY, OLD, PRODUCTS, Ways

CLEARLY = 1.1  # times as fast
WORTH = 1.2  # the same where more hangs on it: bf16 rounds to 8 bits, and small maps stand for other shapes


@dataclass(frozen=True)
class Engine:
    """Where and how one process computes: resolved, so that a run can be continued with the same bits.

    It is frozen, and its `shard` is not: a microbatch, or work of rank 0 alone, narrows or widens it within a `with` block
    (`Shard.within`, `Shard.alone`), for all that computes below.
    """

    device: torch.device
    precision: str  # fp32 | bf16 | fp64
    threads: int
    stream: int = 0  # which noise: a run that goes back because a number was not finite takes the next
    group: Group = field(default_factory=Group)
    shard: Shard = field(default_factory=Shard)
    ways: Ways = OLD

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of parameters, losses and optimizer state."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """bf16 for matrix products and convolutions, or nothing; parameters and losses stay in `dtype`."""
        if self.precision != "bf16":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def require_compiler(self, fast: bool) -> None:
        """Raise WganError where torch.compile cannot work: with the CPU's own fast layers, or without a C++ compiler."""
        if self.device.type == "cpu" and fast:
            raise WganError(
                "compile 1 cannot take the fast layers of a CPU: add --fast 0, or leave it out (docs/lab/speed.md)"
            )
        if not os.environ.get("CXX") and not any(map(shutil.which, ("g++", "clang++", "c++"))):
            raise WganError("compile 1 needs a C++ compiler, and none was found: install g++, or leave it out")

    def draws(self, seed: int, step: int, purpose: str, rows: int) -> Draws:
        """Return the stream of draws for one purpose at one step, `rows` rows for this shard."""
        whole = rows * self.shard.count
        begin = partial(stream, seed, step, self.purpose(purpose))
        return Draws(begin, whole, self.shard, self.device, self.dtype, self.std)

    def rows(self, batch: int) -> int:
        """Return how many of a whole batch's rows this process holds."""
        return batch // self.shard.count

    def std(self, x: Tensor) -> Tensor:
        """Return the standard deviation of all numbers of the world's batch, of which x is this process's part."""
        if self.group.world == 1:
            return x.std()
        count = x.numel() * self.group.world
        total = x.sum()
        self.group.all_reduce(total)
        squares = (x - total / count).square().sum()
        self.group.all_reduce(squares)
        return (squares / (count - 1)).sqrt()

    def purpose(self, text: str) -> str:
        """Return the purpose `text` of this engine's noise stream."""
        return f"{text}, stream {self.stream}" if self.stream else text

    def to_float(self, x: Tensor) -> Tensor:
        """Bytes [0, 255] to (x - 127.5) / 127.5 in [-1, 1] on the device; floats only change their dtype."""
        x = x.pin_memory() if self.device.type == "cuda" and not x.is_pinned() else x  # or non_blocking would block
        moved = x.to(self.device, non_blocking=True)
        if moved.dtype != torch.uint8:
            return moved.to(self.dtype)
        return moved.to(self.dtype).sub_(127.5).div_(127.5)


def make_engine(
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    convolutional: bool = False,
    group: Group | None = None,
    choose: bool = False,
) -> Engine:
    """Resolve 'auto' and return the Engine of this process; WganError for a device that is not there.

    precision auto: bf16 for convolutional networks where the hardware multiplies it natively, else fp32.
    threads None: the cores of this machine, shared by its processes; for networks that are not convolutional fewer where
    more do not pay. choose: the ways of computing that are the fastest on this processor; False = those of OLD.
    """
    group = group or Group()
    where = _device(device)
    if where.type == "cuda" and group.world > 1:  # reviewed, not yet run on a GPU
        there = torch.cuda.device_count()
        if group.beside > there:
            raise WganError(
                f"{group.beside} processes on a machine with {there} GPUs: start {there}, or use device cpu"
            )
        where = torch.device("cuda", group.local)
    choose = choose and where.type == "cpu"
    count = threads or max(1, cores() // group.beside)
    if choose and threads is None and not convolutional:
        count = threads_that_pay(count)
    if precision == "auto":
        precision = "bf16" if convolutional and has_bf16(where) else "fp32"
    if precision == "fp64" and where.type == "mps":
        raise WganError("precision fp64 is not available on mps: use cpu")
    return Engine(
        where,
        precision,
        count,
        group=group,
        shard=Shard(group.rank, group.world),
        ways=fastest_ways(convolutional) if choose else OLD,
    )


def fastest_ways(convolutional: bool = False) -> Ways:
    """Return the ways of computing that are the fastest on this CPU: measured once, then remembered.

    The usual way stays unless the other is CLEARLY faster: a close call would differ from day to day.
    """
    linear = "mkl" if remembered("MKL over oneDNN with gradients", mkl_gain) >= CLEARLY else "onednn"
    if not convolutional:
        return Ways(linear)
    gain = remembered("products over small maps", small_maps_gain)
    return Ways(linear, PRODUCTS if gain >= WORTH else LIBRARY)


def busy(most: int) -> bool:
    """Return whether other programs use the cores at the moment; False where the system does not tell."""
    try:
        return os.getloadavg()[0] > most / 2
    except (AttributeError, OSError):
        return False


def threads_that_pay(most: int) -> int:
    """Return the number of threads, 1, 2, 4 ... or `most`, beyond which linear maps of small MLPs get no faster.

    On a machine that others use at the moment nothing is measured or remembered: it is `most`.
    """
    if busy(most):
        return most
    counts: list[int] = sorted({most, *(1 << i for i in range(most.bit_length()) if 1 << i < most)})
    gains = {1: 1.0} | {n: remembered(f"{n} threads", partial(threads_gain, n)) for n in counts[1:]}
    return max(n for n, gain in gains.items() if gain * CLEARLY >= max(gains.values()))


def _device(name: str) -> torch.device:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if there[d]))
    if name == "gpu":
        name = "mps" if there["mps"] else "cuda"
    if name not in there:
        raise unknown("device", name, ("auto", "gpu", *there))
    if not there[name]:
        usable = either([d for d, ok in there.items() if ok])
        raise WganError(f"device {name} is not available on this machine: use {usable}")
    return torch.device(name)


def has_bf16(device: torch.device) -> bool:
    """Return whether bf16 is the faster way on the device: multiplied in hardware, and on a CPU measured to pay."""
    return multiplies_bf16(device) and (device.type != "cpu" or bf16_pays())


def bf16_pays() -> bool:
    """Return whether convolutions in bf16 are at least WORTH times as fast as in fp32 on this CPU.

    A processor may have the instructions and be slower with them: one with AVX512-BF16 but without AMX took 1.6 times as
    long for a matrix product.
    """
    return remembered("", bf16_gain) >= WORTH


def multiplies_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 in hardware (AMX or AVX512-BF16 on x86, a recent GPU)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    flags = cpuinfo()
    return device.type == "cpu" and ("amx_bf16" in flags or "avx512_bf16" in flags)
