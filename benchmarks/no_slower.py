"""Every recipe's step with and without `--no-fast`, in turn, and its fraction of the peak; exit code 1 if one is slower.

    python benchmarks/no_slower.py
    ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/no_slower.py

One thread, in seconds of that thread's own CPU time: what other programs do meanwhile does not count, though they empty its
caches. The peak is the rate of a square product between the steps, by whichever of MKL and oneDNN is faster.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import torch
from speed import processor

from wgan.cli.benchmark import Flops
from wgan.data import open_source
from wgan.distributed.signals import Stop
from wgan.files import write_atomically
from wgan.processor import LIMITS
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import take_step

OUT = Path(__file__).resolve().parent / "results" / "no_slower.json"
NOISE = 0.97  # times as fast: what two equal programs differ by here
SIDE = 1024  # of the square product that stands for the peak
# recipe: rounds, options; a step of ac-clip at its own batch of 100 takes ten seconds
RECIPES: dict[str, tuple[int, dict[str, Any]]] = {
    "mnist": (12, {}),
    "conv-clip-five": (10, {}),
    "deep-conv-clip": (6, {}),
    "ac-clip": (5, {"batch": 20}),
    "gulrajani-mnist": (5, {}),
    "mlp-clip": (20, {}),
    "small-mlp-clip": (30, {}),
    "small-mlp-gp": (25, {}),
    "gulrajani-ring": (10, {}),
}


class Side(NamedTuple):
    """One way of computing a recipe: what takes its next step, the flops of one, and how it computes."""

    step: Callable[[], object]
    flops: int
    ways: str


def side(recipe: str, options: dict[str, Any], fast: bool) -> Side:
    """Return the recipe in fp32 on one thread, after a step that warms up."""
    given = {"threads": 1, "precision": "fp32", "critic_schedule": "constant", "fast": fast, **options}
    config = configure(recipe, given)
    source = open_source(config.data, config.split, options=config)
    p = make_players(config, engine_for(config, source), source)
    count, stop = itertools.count(), Stop()

    def step() -> list[float]:
        return [float(v) for v in take_step(p, source, next(count), stop, False).values()]

    step()
    with Flops() as counter:
        step()
    return Side(step, counter.total, str(p.engine.ways) if fast else "plain")


def square() -> Callable[[], float]:
    """Return what measures the rate of a square product once, flops/s."""
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    ways = (lambda: a @ b, lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))
    return lambda: 2 * SIDE**3 / min(seconds(way) for way in ways)


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of `work` on this thread, s."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def measured(recipe: str, rounds: int, options: dict[str, Any]) -> dict[str, Any]:
    """Return medians of both sides in turn; the ratio is the median of those of each round."""
    fast, plain, peak = side(recipe, options, True), side(recipe, options, False), square()
    rows = [(seconds(fast.step), seconds(plain.step), peak()) for _ in range(rounds)]
    ours, theirs, rates = (statistics.median(column) for column in zip(*rows, strict=True))
    return {
        "options": options,
        "ways": fast.ways,
        "rounds": rounds,
        "seconds": ours,
        "plain_seconds": theirs,
        "times_the_plain_way": statistics.median(b / a for a, b, _ in rows),
        "flops": fast.flops,
        "peak": rates,
        "fraction": fast.flops / ours / rates,
    }


def main() -> int:
    """Measure, add to the results and print a line for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipes", nargs="*", default=[*RECIPES])
    parser.add_argument("--rounds", type=int, default=100, help="of a recipe at most")
    parser.add_argument("--out", type=Path, default=OUT)
    found = parser.parse_args()
    torch.set_num_threads(1)
    limits = {name: os.environ[name] for name in LIMITS if name in os.environ}
    report: dict[str, Any] = json.loads(found.out.read_text()) if found.out.exists() else {}
    entry = report.setdefault("AVX2" if limits else "all instructions", {"result": {}})
    entry |= {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/no_slower.py", *sys.argv[1:]]),
        "machine": processor(),
        "load": os.getloadavg()[0],
        "limits": limits,
        "versions": versions(),
    }
    for recipe in found.recipes:
        rounds, options = RECIPES[recipe]
        row = entry["result"][recipe] = measured(recipe, min(rounds, found.rounds), options)
        print(
            recipe,
            f"{1e3 * row['seconds']:.4g} ms, {row['times_the_plain_way']:.2f} times --no-fast, {row['fraction']:.0%} of the peak",
            flush=True,
        )
        write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    slower = [name for name, row in entry["result"].items() if row["times_the_plain_way"] < NOISE]
    print("slower than --no-fast:", ", ".join(slower) or "none")
    return bool(slower)


if __name__ == "__main__":
    sys.exit(main())
