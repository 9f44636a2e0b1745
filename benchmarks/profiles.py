"""Where the time of a step goes: PyTorch's profiler over whole training steps, the plain ways (`--fast 0`) beside the fast ones.

    python benchmarks/profiles.py [RECIPE...]

One thread, so that the times of all operations add up to the step's. What the step takes beyond them, without the profiler, is
Python and the way from one operation to the next. Results: benchmarks/results/profiles.json, shown in benchmarks/SPEED.md.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from speed import processor
from torch.profiler import ProfilerActivity, profile

from wgan.data import open_source
from wgan.distributed.signals import Stop
from wgan.host import thread_count
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.training.loop import numbers
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import take_step

RESULT = Path(__file__).resolve().parent / "results" / "profiles.json"
# recipe: steps under the profiler; twice as many are timed without it
STEPS = {
    "conv-clip-five": 4,
    "mlp-clip": 20,
    "ac-clip": 1,
    "deep-conv-clip": 2,
    "small-mlp-clip": 40,
    "small-mlp-gp": 20,
    "gulrajani-mnist": 2,
    "mnist": 10,
}
# the first that matches an operation's name has its time
KINDS = {
    "products": r"mm$|matmul|convolution|linear",
    "normalisation": r"norm",
    "activations and dropout": r"relu|tanh|sigmoid|dropout|softplus|random_|bernoulli",
    "optimizer and clip": r"_fused|_foreach|clamp_$",
    "copies, casts, patches": r"copy|cat$|clone|contiguous|empty|zero|fill|index|im2col|col2im|pad|stack|select|slice",
}
OTHER, PYTHON = "other operations", "Python and dispatch"


def kind(operation: str) -> str:
    """Return the kind of work of an operation `aten::...`."""
    return next((name for name, pattern in KINDS.items() if re.search(pattern, operation)), OTHER)


def measure(recipe: str, fast: int) -> dict[str, Any]:
    """Return ms a step, ms by kind of work, and the eight dearest operations, of `recipe` on one thread."""
    config = configure(recipe, {"critic_schedule": "constant", "threads": 1, "fast": fast})
    source = open_source(config.data, config.split, options=config)
    engine, stop, steps = engine_for(config, source), Stop(), STEPS[recipe]
    with thread_count(1):
        players = make_players(config, engine, source)
        done = 0

        def step() -> float:
            nonlocal done
            begun = time.perf_counter()
            numbers(take_step(players, source, done, stop, done % 10 == 0))
            done += 1
            return time.perf_counter() - begun

        step()
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for _ in range(steps):
                step()
        seconds = statistics.median(step() for _ in range(2 * steps))
    found = [e for e in profiler.key_averages() if e.key.split("::")[0] in ("aten", "mkldnn")]
    ms = {name: 0.0 for name in (*KINDS, OTHER)}
    for event in found:
        ms[kind(event.key)] += event.self_cpu_time_total / 1e3 / steps
    ms[PYTHON] = max(0.0, 1e3 * seconds - sum(ms.values()))
    dearest = sorted(found, key=lambda e: -e.self_cpu_time_total)[:8]
    return {
        "precision": engine.precision,
        "ms": 1e3 * seconds,
        "ms_by_kind": ms,
        "operations": sum(e.count for e in found) / steps,
        "dearest": [
            {"operation": e.key, "ms": e.self_cpu_time_total / 1e3 / steps, "calls": e.count / steps} for e in dearest
        ],
    }


def main() -> None:
    """Profile each recipe both ways, one after the other, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", help="of " + ", ".join(STEPS))
    names = parser.parse_args().recipes or [*STEPS]
    if unknown := set(names) - STEPS.keys():
        parser.error(f"no such recipe here: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    report = json.loads(RESULT.read_text()) if RESULT.exists() else {"recipes": {}}
    for name in names:
        report["recipes"][name] = {"plain": measure(name, 0), "fast": measure(name, 1)}
        for way, r in report["recipes"][name].items():
            print(name, way, f"{r['ms']:.1f} ms", {k: round(v, 2) for k, v in r["ms_by_kind"].items()}, flush=True)
        report |= {
            "date": date.today().isoformat(),
            "machine": f"{processor()}, one thread",
            "versions": versions(),
            "command": " ".join(["python benchmarks/profiles.py", *sys.argv[1:]]),
        }
        RESULT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
