"""The best practices that "WGAN in PyTorch" gives without figures, each as a pair of short runs on MNIST with small MLPs.

Usage: python benchmarks/practices.py [--seeds 2] [--out DIR]    goes on where it was stopped
Writes benchmarks/results/compare-practices.json: the selection figure (fid-lenet) at the end of each run, date, machine, command.
More critic updates: 5 for each generator update against 1, at equal passes through the critic. Do not over-clip: bounds of
0.001, 0.01 and 0.1. A large batch: 16, 64 and 256 at equal steps. The rates are a part of `wgan compare`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch

from wgan.compare.plan import Trial
from wgan.runs.folder import open_run
from wgan.runs.log import SELECTION
from wgan.training.loop import train

STEPS = 500
# practice -> variant -> objective, steps and what differs from the comparison's own settings
VARIANTS: dict[str, dict[str, tuple[str, int, dict[str, Any]]]] = {
    "critic updates": {
        "5 each": ("wgan-gp", STEPS, {}),
        "1 each, equal critic passes": ("wgan-gp", 4 * STEPS, {"n_critic": 1}),  # 16 passes a step against 4
    },
    "batch": {
        "16": ("wgan-gp", STEPS, {"batch": 16}),
        "64": ("wgan-gp", STEPS, {}),
        "256": ("wgan-gp", STEPS, {"batch": 256}),
    },
    "clipping bound": {
        "0.001": ("wgan-clip", STEPS, {"clip": 0.001}),
        "0.01": ("wgan-clip", STEPS, {}),
        "0.1": ("wgan-clip", STEPS, {"clip": 0.1}),
    },
}


def one(objective: str, steps: int, changes: dict[str, Any], seed: int, out: Path) -> dict[str, Any]:
    """Train one run unless it is there, and return its last figure."""
    config = Trial(("quality",), objective, "mnist", "mlp", 1.0, seed, steps, 1).config(True).replace(**changes)
    folder = out / "_".join([objective, str(steps), *(f"{k}-{v}" for k, v in changes.items()), f"s{seed}"])
    begun = time.process_time()
    if not folder.is_dir() or open_run(folder).step < steps:
        outcome = train(config, folder)
        if outcome.code:
            sys.exit(outcome.code)
    figures = [(r["step"], r[SELECTION]) for r in open_run(folder).log() if SELECTION in r]
    return {"seed": seed, "fid-lenet": figures[-1][1], "curve": figures, "cpu_seconds": time.process_time() - begun}


def main() -> None:
    """Train all variants and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("practices"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found = {
        practice: {
            name: [one(*about, seed, args.out) for seed in range(args.seeds)] for name, about in variants.items()
        }
        for practice, variants in VARIANTS.items()
    }
    about = {
        "date": datetime.date.today().isoformat(),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "command": " ".join(["python", "benchmarks/practices.py", *sys.argv[1:]]),
    }
    file = Path(__file__).parent / "results/compare-practices.json"
    file.write_text(json.dumps({**about, "steps": STEPS, "results": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
