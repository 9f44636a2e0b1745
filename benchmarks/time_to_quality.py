"""Seconds of training until the relative Fréchet distance of a recipe for digits has fallen to 0.1, and to 0.05.

    python benchmarks/time_to_quality.py mnist --seeds 0 1 2
    python benchmarks/time_to_quality.py gulrajani-mnist --seeds 0 --every 50 --seconds 200 --plain

Trains in memory with the recipe's own length and rates, and looks at 2,000 fakes beside the selection part of the test
split every few steps. Seconds are steps times the median step (data, both updates, average, log figures), without the looks
and without what a shared machine adds now and then. --plain: fp32 and PyTorch's own ways of computing, as a program written
from the paper would. Results: benchmarks/results/time_to_quality.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from speed import processor

from wgan.data import open_source
from wgan.distributed.signals import Stop
from wgan.host import thread_count
from wgan.metrics.features import features
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.runs.log import SELECTION
from wgan.training.loop import numbers
from wgan.training.monitor import Monitor
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import take_step

RESULT = Path(__file__).resolve().parent / "results" / "time_to_quality.json"
LEVELS = (0.1, 0.05)  # of the relative Fréchet distance; two sets of 2,000 real digits have about 0.005


def follow(recipe: str, seed: int, every: int, most: float, plain: bool) -> dict[str, Any]:
    """Return the figures over time, and when each level was reached (None: not within `most` seconds of training)."""
    config = configure(recipe, {"seed": seed, **({"fast": 0, "precision": "fp32"} if plain else {})})
    source = open_source(config.data, config.split, options=config)
    engine, stop = engine_for(config, source), Stop()
    monitor = Monitor(config, source)
    width = features(monitor.reals[0][:2]).shape[
        1
    ]  # the scaled distance is the relative one times the number of features
    seen: list[dict[str, float]] = []
    took: list[float] = []
    with thread_count(engine.threads):
        players = make_players(config, engine, source)
        while sum(took) < most and len(took) < config.steps and not (seen and seen[-1]["relative_fid"] <= min(LEVELS)):
            begun = time.perf_counter()
            numbers(take_step(players, source, len(took), stop, len(took) % 10 == 0))
            took.append(time.perf_counter() - begun)
            step = len(took)
            if step % every == 0:
                fakes = monitor.fakes(players, len(monitor.reals[0]), monitor.reals[1])
                found = monitor.quality(fakes)[SELECTION] / width
                seen.append({"step": step, "relative_fid": found})
                print(f"{recipe} seed {seed}: step {step}, {sum(took):.1f} s, relative-fid {found:.4f}", flush=True)
    median = statistics.median(took)
    for s in seen:
        s["seconds"] = s["step"] * median
    reached = {str(level): next((s["seconds"] for s in seen if s["relative_fid"] <= level), None) for level in LEVELS}
    return {
        "seed": seed,
        "precision": engine.precision,
        "threads": engine.threads,
        "median_step": median,
        "reached": reached,
        "seen": seen,
    }


def main() -> None:
    """Follow each seed in turn and write the results beside those of other recipes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=25, help="steps between two looks (default: 25)")
    parser.add_argument("--seconds", type=float, default=120.0, help="the most training of one seed (default: 120)")
    parser.add_argument("--plain", action="store_true")
    found = parser.parse_args()
    runs = [follow(found.recipe, seed, found.every, found.seconds, found.plain) for seed in found.seeds]
    report = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    report[found.recipe] = {
        "date": date.today().isoformat(),
        "machine": processor(),
        "versions": versions(),
        "command": " ".join(["python benchmarks/time_to_quality.py", *sys.argv[1:]]),
        "runs": runs,
    }
    RESULT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
