"""What each metric costs, and whether it orders known distortions sensibly.

Usage: python benchmarks/evaluation.py cost [--sizes 1000,10000,50000]   seconds and peak memory of each metric, a process each
       python benchmarks/evaluation.py order [-n 8000]                   every figure for real halves and distorted reals
Writes benchmarks/results/evaluation-cost.json and evaluation-order.json (date, machine, versions, command).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wgan.data import open_source
from wgan.figures import MEASURES
from wgan.measured import Measured, flat
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import kid, relative_fid, sliced_w1
from wgan.metrics.features import features
from wgan.metrics.memorisation import memorisation
from wgan.subjects import Subject, open_reals

RESULTS = Path(__file__).parent / "results"


def about() -> dict[str, Any]:
    """Return date, machine, versions and command."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "command": " ".join(["python", "benchmarks/evaluation.py", *sys.argv[1:]]),
    }


# --- cost -------------------------------------------------------------------------------------------------------------


def rows(n: int, seed: int) -> np.ndarray:
    """Return feature-like rows [n, 128]: cost depends on shapes only."""
    return np.abs(np.random.default_rng(seed).normal(size=(n, 128))).astype(np.float32)


def digits(n: int, split: str) -> Tensor:
    """Return n MNIST images, repeated when there are fewer."""
    source = open_source("mnist", split)
    return source.batch(torch.arange(n) % len(source))[0]


def subject(n: int) -> Measured:
    """Return n training digits as if they were fakes."""
    images = digits(n, "train")
    return Measured(Subject(images, None, {}), open_reals("mnist", n))


COSTS: dict[str, Callable[[int], object]] = {
    "features": lambda n: features(digits(n, "train")),
    "relative-fid": lambda n: relative_fid(rows(n, 0), rows(n, 1)),
    "kid": lambda n: kid(rows(n, 0), rows(n, 1)),
    "prdc": lambda n: prdc(rows(n, 0), rows(n, 1)),
    "sliced-w1": lambda n: sliced_w1(flat(digits(n, "train")), flat(digits(n, "test"))),
    "memorisation": lambda n: memorisation(
        flat(digits(2000, "test")), flat(digits(2000, "test")), flat(digits(n, "train"))
    ),
    "certified-w1 (with its floor)": lambda n: list(MEASURES["certified-w1"].function(subject(n))),
    "bracket (2,000 a side)": lambda n: list(MEASURES["bracket"].function(subject(n))),
}


def one_cost(name: str, n: int) -> None:
    """Run one metric in this process and print its seconds and the peak memory above what the imports took."""
    import resource

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    before, begun, cpu = peak(), time.perf_counter(), time.process_time()
    COSTS[name](n)
    seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"metric": name, "n": n, "seconds": seconds, "cpu": used, "peak": peak(), "before": before}))


def cost(sizes: list[int]) -> list[dict[str, Any]]:
    """Return the cost of each metric at each size, each in a fresh process."""
    found = []
    for name in COSTS:
        for n in sizes:
            command = [sys.executable, __file__, "one", name, str(n)]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            found.append(json.loads(line))
            print(f"{name:32} n {n:6}  {found[-1]['seconds']:7.1f} s  {found[-1]['peak'] / 2**20:6.0f} MiB", flush=True)
    return found


# --- order ------------------------------------------------------------------------------------------------------------


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Return images convolved with a Gaussian of `sigma` pixels."""
    reach = torch.arange(-4, 5, dtype=torch.float32)
    line = torch.exp(-(reach**2) / (2 * sigma**2))
    kernel = (line[:, None] * line[None, :] / line.sum() ** 2)[None, None]
    return F.conv2d(x.float(), kernel, padding=4).round().clamp(0, 255).to(torch.uint8)


def noisy(x: Tensor, sigma: float) -> Tensor:
    """Return images with Gaussian pixel noise of `sigma` grey levels."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * sigma
    return (x.float() + noise).round().clamp(0, 255).to(torch.uint8)


def distortions(n: int) -> dict[str, Tensor]:
    """Return n images of each kind, made from training digits the floor does not use."""
    source = open_source("mnist", "train")
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(7))
    x, y = source.batch(order[:n])
    assert y is not None
    low, _ = source.batch(order[(source.labels[order] < 5)][:n])  # type: ignore[index]
    mean = x.float().mean(0, keepdim=True).round().to(torch.uint8).repeat(n, 1, 1, 1)
    return {
        "real": x,
        "blur sigma 0.5": blurred(x, 0.5),
        "blur sigma 1": blurred(x, 1.0),
        "noise sigma 25": noisy(x, 25.0),
        "digits below 5": low,
        "one mean image": mean,
    }


def order(n: int) -> list[dict[str, Any]]:
    """Return every applicable figure of each distortion."""
    reals, found = open_reals("mnist", n), []
    for name, images in distortions(n).items():
        measured = Measured(Subject(images, None, {}), reals)
        figures = [f for m in MEASURES.values() if not m.missing(measured) for f in m.function(measured)]
        found.append(
            {"images": name, **{f.name: f.value for f in figures}, "floors": {f.name: f.floor for f in figures}}
        )
        print(name, {f.name: round(f.value, 4) for f in figures}, flush=True)
    return found


def main() -> None:
    """Run one part and write its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("cost", "order", "one"))
    parser.add_argument("one", nargs="*")
    parser.add_argument("--sizes", default="1000,10000,50000")
    parser.add_argument("-n", type=int, default=8000)
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    if args.part == "one":
        return one_cost(args.one[0], int(args.one[1]))
    found = cost([int(n) for n in args.sizes.split(",")]) if args.part == "cost" else order(args.n)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"evaluation-{args.part}.json").write_text(json.dumps({**about(), "results": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
