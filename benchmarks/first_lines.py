"""The first lines that S0's source printed, beside ours: c1, c2 (means of a step's five rounds) and g of the first steps.

Usage: python benchmarks/first_lines.py [--seeds 3] [--steps 3]
Writes benchmarks/results/first_lines.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from evaluation import RESULTS, about

from wgan.data import open_source
from wgan.distributed.signals import Stop
from wgan.engine import make_engine
from wgan.recipes import configure
from wgan.training import step as phases
from wgan.training.players import make_players
from wgan.training.updates import critic_update

RECIPE, RATES = "conv-clip-five", (1e-3, 5e-5)
PUBLISHED = {"c1": [-13.690, -28.276, -39.209], "c2": [-4.848, 0.991, -34.840], "g": [18.497, 16.891, 22.131]}


def lines(rate: float, seed: int, steps: int) -> dict[str, list[float]]:
    """Return c1, c2 and g of the first steps, as the source prints them."""
    config = configure(RECIPE, {"lr": rate, "seed": seed, "precision": "fp32"})
    source = open_source(config.data, config.split, options=config)
    engine = make_engine(config.device, config.precision, config.threads)
    players = make_players(config, engine, source)
    found: dict[str, list[float]] = {"c1": [], "c2": [], "g": []}
    for step in range(steps):
        rounds: list[Any] = []

        def watched(*given: Any, rounds: list[Any] = rounds) -> Any:
            rounds.append(critic_update(*given))
            return rounds[-1]

        with mock.patch.object(phases, "critic_update", watched):
            stats = phases.take_step(players, source, step, Stop(), True)
        for name, half in (("c1", "real"), ("c2", "fake")):
            found[name].append(float(np.mean([float(r[f"critic/loss_{half}"]) for r in rounds])))
        found["g"].append(float(stats["generator/loss"]))
    return found


def main() -> None:
    """Measure every rate and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = [{"lr": r, "seed": s, **lines(r, s, args.steps)} for r in RATES for s in range(args.seeds)]
    for run in [{"lr": "published", "seed": "", **PUBLISHED}, *runs]:
        print(run["lr"], run["seed"], *(f"{k} " + " ".join(f"{v:.2f}" for v in run[k]) for k in PUBLISHED), flush=True)
    command = " ".join(["python", "benchmarks/first_lines.py", *sys.argv[1:]])
    whole = {**about(), "command": command, "recipe": RECIPE, "published": PUBLISHED, "runs": runs}
    Path(RESULTS / "first_lines.json").write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
