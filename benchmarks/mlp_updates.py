"""A step of small MLPs by every way of computing and by the published program, in turn, in seconds of wall and of CPU time.

    python benchmarks/mlp_updates.py --threads 1
    ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/mlp_updates.py --threads 1

CPU time does not count what other programs do meanwhile; on a busy machine wall time does. Medians of many short repetitions.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from speed import processor

from wgan.config import Config
from wgan.data import open_source
from wgan.distributed.signals import Stop
from wgan.files import write_atomically
from wgan.processor import LIMITS
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import take_step
from wgan.ways import Ways

HERE = Path(__file__).resolve().parent
RECIPES = {"small-mlp-clip": "s4", "mlp-clip": "s1", "small-mlp-gp": ""}
KINDS = {
    "plain": (False, "onednn", True),
    "autograd, oneDNN": (True, "onednn", False),
    "autograd, MKL": (True, "mkl", False),
    "written, oneDNN": (True, "onednn", True),
    "written, MKL": (True, "mkl", True),
}  # fast layers, library of linear maps, updates written out


def stepper(config: Config, library: str, written: bool) -> Callable[[], object]:
    """Return what takes the next step of new players."""
    source = open_source(config.data, config.split, options=config)
    p = make_players(config, replace(engine_for(config.replace(fast=False), source), ways=Ways(library)), source)
    p.written = p.written if written else None
    count = itertools.count()
    return lambda: [float(v) for v in take_step(p, source, next(count), Stop(), False).values()]


def sides(recipe: str, program: str, threads: int) -> dict[str, Callable[[], object]]:
    """Return what takes a step, by name."""
    config = configure(recipe, {"threads": threads, "critic_schedule": "constant"})
    found = {name: stepper(config.replace(fast=fast), *how) for name, (fast, *how) in KINDS.items()}
    if program:
        steps = importlib.import_module(program).steps()
        found["published"] = lambda: next(steps)
    return found


def measured(found: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Return the median and the shortest milliseconds of each side, wall and CPU, after two rounds that warm up."""
    wall: dict[str, list[float]] = {name: [] for name in found}
    cpu: dict[str, list[float]] = {name: [] for name in found}
    for number in range(rounds + 2):
        for name, step in found.items():
            begun, spent = time.perf_counter(), time.process_time()
            step()
            if number > 1:
                wall[name].append(1e3 * (time.perf_counter() - begun))
                cpu[name].append(1e3 * (time.process_time() - spent))
    return {
        name: {
            "wall_ms": statistics.median(wall[name]),
            "wall_ms_least": min(wall[name]),
            "cpu_ms": statistics.median(cpu[name]),
            "cpu_ms_least": min(cpu[name]),
        }
        for name in found
    }


def main() -> int:
    """Measure and add to the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "mlp_updates.json")
    found = parser.parse_args()
    sys.path.insert(0, str(HERE / "published"))
    torch.set_num_threads(found.threads)
    limits = {name: os.environ[name] for name in LIMITS if name in os.environ}
    result: dict[str, Any] = {r: measured(sides(r, s, found.threads), found.rounds) for r, s in RECIPES.items()}
    report: dict[str, Any] = json.loads(found.out.read_text()) if found.out.exists() else {}
    report[f"{found.threads} threads, {'AVX2' if limits else 'all instructions'}"] = {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/mlp_updates.py", *sys.argv[1:]]),
        "machine": processor(),
        "load": os.getloadavg()[0],
        "limits": limits,
        "versions": versions(),
        "result": result,
    }
    write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    for recipe, ways in result.items():
        print(recipe, {name: f"{v['cpu_ms']:.1f} ({v['wall_ms']:.1f} wall)" for name, v in ways.items()}, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
