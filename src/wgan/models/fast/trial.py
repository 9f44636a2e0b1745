"""Short trials of the ways of computing on this processor: how many times as fast one is as the other, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

from wgan.models.fast.linear import product

Clock = Callable[[], float]
DENSE = ((64, 128, 256), (64, 256, 784), (128, 784, 256), (128, 256, 256))  # rows, inputs, outputs of small MLPs
ROUNDS = 9  # on one thread in seconds of the CPU: those of other programs do not count


def mkl_gain(clock: Clock = time.process_time) -> float:
    """Return the time of fp32 linear maps of small MLPs by oneDNN over that by MKL."""
    if not torch.backends.mkldnn.is_available():
        return float("inf")
    cases = [(torch.ones(m, k), torch.ones(n, k), torch.ones(n)) for m, k, n in DENSE]
    ways = {way: lambda way=way: [product(a, b, bias, way) for a, b, bias in cases] for way in ("onednn", "mkl")}
    best = quickest(ways, clock)
    return best["onednn"] / best["mkl"]


def threads_gain(count: int, clock: Clock = time.perf_counter) -> float:
    """Return the time of linear maps of small MLPs on one thread over that on `count`."""
    cases = [(torch.ones(m, k), torch.ones(n, k), torch.ones(n)) for m, k, n in DENSE]

    def on(threads: int) -> None:
        torch.set_num_threads(threads)
        for a, b, bias in cases:
            product(a, b, bias, "mkl")

    best = quickest({"one": lambda: on(1), "many": lambda: on(count)}, clock)
    return best["one"] / best["many"]


def quickest(ways: Mapping[str, Callable[[], object]], clock: Clock) -> dict[str, float]:
    """Return the shortest of ROUNDS times of each way, s, measured in turn on one thread after one that prepares kernels."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        best = dict.fromkeys(ways, float("inf"))
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                begun = clock()
                way()
                seconds = clock() - begun
                best[name] = min(best[name], seconds) if number else best[name]
        return best
    finally:
        torch.set_num_threads(threads)
