"""Short trials of the ways of computing on this processor: how many times as fast one is as the other, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch.nn import functional as F

from wgan.host import thread_count
from wgan.models.fast import convolution
from wgan.models.fast.linear import product
from wgan.models.kernels import Plan
from wgan.ways import LIBRARY, PRODUCTS, SMALL_MAPS

Clock = Callable[[], float]
DENSE = ((64, 128, 256), (64, 256, 784), (128, 784, 256), (128, 256, 256))  # rows, inputs, outputs of small MLPs
FEW_ROUNDS = 3  # of ways that are far apart
ROUNDS = 9  # on one thread in seconds of the CPU: those of other programs do not count


def mkl_gain(clock: Clock = time.process_time) -> float:
    """Return the time of fp32 linear maps of small MLPs and their gradients by oneDNN over that by MKL.

    Maps alone mislead: by them oneDNN was as fast on a Xeon with AMX, where its gradients take 1.4 times as long.
    """
    if not torch.backends.mkldnn.is_available():
        return float("inf")
    cases = [(torch.ones(m, k), torch.ones(n, k), torch.ones(n), torch.ones(m, n)) for m, k, n in DENSE]

    def update(way: str) -> None:
        for a, b, bias, g in cases:
            product(a, b, bias, way)
            product(g, b.t(), None, way)
            product(g.t(), a.t(), None, way)

    best = quickest({way: partial(update, way) for way in ("onednn", "mkl")}, clock)
    return best["onednn"] / best["mkl"]


def threads_gain(count: int, clock: Clock = time.perf_counter) -> float:
    """Return the time of linear maps of small MLPs on one thread over that on `count`."""
    cases = [(torch.ones(m, k), torch.ones(n, k), torch.ones(n)) for m, k, n in DENSE]

    def on(threads: int) -> None:
        with thread_count(threads):
            for a, b, bias in cases:
                product(a, b, bias, "mkl")

    best = quickest({"one": lambda: on(1), "many": lambda: on(count)}, clock)
    return best["one"] / best["many"]


def small_maps_gain(clock: Clock = time.process_time) -> float:
    """Return the time of a 3 x 3 convolution over 4 x 4 maps and its derivatives by the library over that by taps."""
    plan = Plan(3, 1, (1, 1), (4, 4), (4, 4))
    x, g = (torch.ones(32, 256, 4, 4).contiguous(memory_format=torch.channels_last) for _ in range(2))
    w = torch.ones(256, 256, 3, 3).contiguous(memory_format=torch.channels_last)

    def way(small: str) -> Callable[[], object]:
        return lambda: convolution.three_products(x, w, g, plan, small)

    best = quickest({name: way(name) for name in SMALL_MAPS}, clock, FEW_ROUNDS)
    return best[LIBRARY] / best[PRODUCTS]


def bf16_gain(clock: Clock = time.process_time) -> float:
    """Return the time of a convolution in fp32 over that in bf16."""
    x = torch.ones(32, 64, 14, 14).to(memory_format=torch.channels_last)
    w = torch.ones(128, 64, 3, 3).to(memory_format=torch.channels_last)

    def way(dtype: torch.dtype) -> Callable[[], object]:
        image, kernel = x.to(dtype), w.to(dtype)
        return lambda: F.conv2d(image, kernel, padding=1)

    best = quickest({"fp32": way(torch.float32), "bf16": way(torch.bfloat16)}, clock)
    return best["fp32"] / best["bf16"]


def quickest(ways: Mapping[str, Callable[[], object]], clock: Clock, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the shortest of `rounds` times of each way, s, measured in turn on one thread after one that prepares kernels."""
    best = dict.fromkeys(ways, float("inf"))
    with thread_count(1):
        for number in range(rounds + 1):
            for name, way in ways.items():
                begun = clock()
                way()
                seconds = clock() - begun
                best[name] = min(best[name], seconds) if number else best[name]
    return best
