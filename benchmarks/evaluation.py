"""What each metric costs, and whether it orders known distortions sensibly.

Usage: python benchmarks/evaluation.py cost [--sizes 1000,10000,50000] [--only prdc,kid]
           seconds and peak memory of each metric, a process each; with --only the others keep what was measured before
       python benchmarks/evaluation.py order [-n 8000]    every figure for real halves and distorted reals
       python benchmarks/evaluation.py whole RUN [-n 10000]   seconds and peak memory of each metric of one `wgan evaluate RUN`
       python benchmarks/evaluation.py large [-n 10000]   the same for a file of 64 x 64 colour images with labels
Afterwards: python benchmarks/evaluation_page.py
Results: benchmarks/results/evaluation-{cost,order,whole,large}.json, evaluation-whole-N.json for another n (date, machine,
versions, command).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wgan.data import open_source
from wgan.evaluation.context import Measured, flat
from wgan.evaluation.evaluate import evaluate
from wgan.evaluation.metrics_table import METRICS
from wgan.evaluation.samples import About, Subject, open_reals
from wgan.metrics.classifier import classification_accuracy
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import exact_w1, fid, kid, relative_fid, sliced_w1
from wgan.metrics.features import features
from wgan.metrics.inception import Inception, inception_features
from wgan.metrics.memorisation import memorisation
from wgan.metrics.random_features import random_features

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


def rows(n: int, seed: int, width: int = 128) -> np.ndarray:
    """Return feature-like rows [n, width]: cost depends on shapes only."""
    return np.abs(np.random.default_rng(seed).standard_normal((n, width), np.float32))


def digits(n: int, split: str) -> Tensor:
    """Return n MNIST images, repeated when there are fewer."""
    source = open_source("mnist", split)
    return source.batch(torch.arange(n) % len(source))[0]


def subject(n: int) -> Measured:
    """Return n training digits as if they were fakes."""
    images = digits(n, "train")
    return Measured(Subject(images, None, About(n_fake=len(images))), open_reals("mnist", n))


def labelled(n: int) -> tuple[Tensor, Tensor]:
    """Return n training digits and their labels."""
    x, y = open_source("mnist", "train").batch(torch.arange(n))
    assert y is not None
    return x, y


class Cost(NamedTuple):
    """One row: what runs at n samples a side, and the largest n at which it is run."""

    run: Callable[[int], object]
    most: int = 50_000


COSTS: dict[str, Cost] = {
    "features": Cost(lambda n: features(digits(n, "train"))),
    "random-features": Cost(lambda n: random_features(digits(n, "train"))),
    "relative-fid": Cost(lambda n: relative_fid(rows(n, 0), rows(n, 1))),
    "kid": Cost(lambda n: kid(rows(n, 0), rows(n, 1))),
    "prdc": Cost(lambda n: prdc(rows(n, 0), rows(n, 1))),
    "sliced-w1": Cost(lambda n: sliced_w1(flat(digits(n, "train")), flat(digits(n, "test")))),
    "memorisation": Cost(lambda n: memorisation(*(flat(digits(n, s)) for s in ("test", "test", "train")))),
    "certified-w1 (with its floor)": Cost(lambda n: METRICS["certified-w1"].measure(subject(n))),
    "bracket (with its floor)": Cost(lambda n: METRICS["bracket"].measure(subject(n))),
    "exact-w1": Cost(lambda n: exact_w1(flat(digits(n, "train")), flat(digits(n, "test"))), 5000),
    "cas": Cost(lambda n: classification_accuracy(*labelled(n), *labelled(1000), 10)),
    "fid-inception: features": Cost(lambda n: inception_features(digits(n, "train"), Inception().eval()), 100),
    "fid-inception: distance": Cost(lambda n: fid(rows(n, 0, 2048), rows(n, 1, 2048))),
}


def sizes_of(name: str, sizes: list[int]) -> list[int]:
    """Return the sizes at which a metric is run: those asked for, the larger ones cut to its most."""
    return sorted({min(n, COSTS[name].most) for n in sizes})


def one_cost(name: str, n: int) -> None:
    """Run one metric in this process and print its seconds and the peak memory above what the imports took."""
    import resource

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    before, begun, cpu = peak(), time.perf_counter(), time.process_time()
    COSTS[name].run(n)
    seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"metric": name, "n": n, "seconds": seconds, "cpu": used, "peak": peak(), "before": before}))


def cost(sizes: list[int], names: list[str]) -> list[dict[str, Any]]:
    """Return the cost of each metric at each size, each in a fresh process, beside what was measured before of others."""
    path = RESULTS / "evaluation-cost.json"
    kept = json.loads(path.read_text())["results"] if path.exists() else []
    found = [r for r in kept if r["metric"] in COSTS and r["metric"] not in names]
    for name in names:
        for n in sizes_of(name, sizes):
            command = [sys.executable, __file__, "one", name, str(n)]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            found.append({"date": datetime.date.today().isoformat(), **json.loads(line)})
            print(f"{name:32} n {n:6}  {found[-1]['seconds']:7.1f} s  {found[-1]['peak'] / 2**20:6.0f} MiB", flush=True)
    return sorted(found, key=lambda r: (list(COSTS).index(r["metric"]), r["n"]))


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
        measured = Measured(Subject(images, None, About(n_fake=len(images))), reals)
        figures = [f for m in METRICS.values() if not m.missing(measured) for f in m.measure(measured)]
        found.append(
            {"images": name, **{f.name: f.value for f in figures}, "floors": {f.name: f.reference for f in figures}}
        )
        print(name, {f.name: round(f.value, 4) for f in figures}, flush=True)
    return found


# --- one evaluation ---------------------------------------------------------------------------------------------------


def stages_of(target: Path, n: int, data: str | None = None) -> list[dict[str, Any]]:
    """Return seconds and peak memory of each metric while one evaluation of the last checkpoint or a file goes on (Linux)."""
    stages: list[dict[str, Any]] = []
    at = ["opening", time.perf_counter()]

    def watch(name: str, done: int, total: int) -> None:
        """Note the peak since the last call, and begin anew: Linux forgets a peak when 5 is written there."""
        peak = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("VmHWM"))
        seconds = time.perf_counter() - float(at[1])
        stages.append({"metric": at[0], "n": n, "seconds": seconds, "peak": int(peak.split()[1]) * 1024})
        print(f"{at[0]:32} {seconds:7.1f} s  {stages[-1]['peak'] / 2**20:6.0f} MiB", flush=True)
        Path("/proc/self/clear_refs").write_text("5")
        at[:] = [name, time.perf_counter()]

    evaluate(target, data=data, n=n, checkpoint="last" if data is None else None, watch=watch)
    print(f"{'in all':32} {sum(s['seconds'] for s in stages):7.1f} s", flush=True)
    return stages


def scenes(n: int, seed: int, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [n, side, side, 3] of one to three soft coloured spots on a gradient, and how many less one."""
    rng, line = np.random.default_rng(seed), np.linspace(-1, 1, side, dtype=np.float32)
    found, spots = np.empty((n, side, side, 3), np.uint8), np.arange(n) % 3
    for i in range(n):
        slope, ground = rng.normal(0, 20, (2, 1, 1, 1)), rng.uniform(60, 190, 3)
        image = ground + slope[0] * line[:, None, None] + slope[1] * line[None, :, None]
        for _ in range(spots[i] + 1):
            (y, x), width, colour = rng.uniform(-0.8, 0.8, 2), rng.uniform(0.1, 0.5), rng.uniform(-100, 100, 3)
            spot = np.exp(-((line[:, None] - y) ** 2 + (line[None] - x) ** 2) / (2 * width**2))
            image = image + spot[..., None] * colour
        found[i] = image.clip(0, 255) // 16 * 16  # 16 levels: they pack well
    return found, spots


def large(n: int) -> list[dict[str, Any]]:
    """Return the stages of evaluating n labelled images of 64 x 64 x 3 against 2 n training images and n held-out ones."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WGAN_CACHE"] = folder
        fakes, reals = Path(folder) / "samples.npz", Path(folder) / "real.npz"
        (x, y), (train, train_y), (test, test_y) = scenes(n, 1), scenes(2 * n, 2), scenes(n + 2000, 3)
        np.savez_compressed(fakes, images=x, labels=y)
        np.savez_compressed(reals, x_train=train, y_train=train_y, x_test=test, y_test=test_y)
        del x, train, test
        return stages_of(fakes, n, str(reals))


def main() -> None:
    """Run one part and write its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("cost", "order", "whole", "large", "one"))
    parser.add_argument("one", nargs="*")
    parser.add_argument("--sizes", default="1000,10000,50000")
    parser.add_argument("--only", default=",".join(COSTS))
    parser.add_argument("-n", type=int, help="samples: 8,000 for order, 10,000 for whole and large")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    if args.part == "one":
        return one_cost(args.one[0], int(args.one[1]))
    sizes, names = [int(n) for n in args.sizes.split(",")], args.only.split(",")
    parts = {
        "cost": lambda: cost(sizes, names),
        "order": lambda: order(args.n or 8000),
        "whole": lambda: stages_of(Path(args.one[0]), args.n or 10_000),
        "large": lambda: large(args.n or 10_000),
    }
    found = parts[args.part]()
    RESULTS.mkdir(exist_ok=True)
    size = f"-{args.n}" if args.part == "whole" and args.n else ""
    (RESULTS / f"evaluation-{args.part}{size}.json").write_text(
        json.dumps({**about(), "results": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
