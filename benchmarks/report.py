"""How large the report of a 10,000-step run is, how long it takes to make, and how fast a browser opens it.

Usage: python benchmarks/report.py [--steps 10000] [--opens 7] [RUN]
Without RUN it writes the folder that such a run leaves behind with the default cadence: a log line every 10 steps, a sample
grid every 200 (real digits, which compress worse than generated ones), animation, latent walk, nearest neighbours, metrics.
Each opening is a new headless Chromium with a new profile; seconds from the navigation to the second frame after `load`.
Writes benchmarks/results/report.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wgan.config import Config
from wgan.data import open_source
from wgan.recipes import configure
from wgan.report.page import write_report
from wgan.visual.images import animation, image_grid, sample_files, save_png

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
TAGS = (
    "critic/loss",
    "critic/wasserstein",
    "critic/real",
    "critic/fake",
    "critic/penalty",
    "critic/slope",
    "generator/loss",
    "generator/score",
    "critic/gradient_norm",
    "generator/gradient_norm",
    "class/real",
    "class/fake",
    "class/accuracy_real",
    "class/accuracy_fake",
    "generator/class",
    "generator/class_accuracy",
)
EVALUATED = (
    "fid_lenet",
    "selection",
    "wasserstein_held_out",
    "wasserstein_train",
    "overfit",
    "slope_mean",
    "slope_max",
    "gap_per_slope",
    *(f"share_{k}" for k in range(10)),
)


def write_run(folder: Path, config: Config) -> None:
    """Write what a finished run leaves behind, without training it."""
    from helpers.report_runs import FACTS, figure, write_metrics

    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(config.to_json())
    (folder / "run.json").write_text(json.dumps(FACTS))
    rng = np.random.default_rng(0)
    with open(folder / "log.jsonl", "w") as log, open(folder / "times.jsonl", "w") as times:
        for step in range(config.log_every, config.steps + 1, config.log_every):
            values = {tag: float(rng.normal()) for tag in TAGS}
            if step % config.evaluate_every == 0:
                values |= {f"evaluate/{tag}": float(rng.random()) for tag in EVALUATED}
            log.write(json.dumps({"step": step, **values}) + "\n")
            times.write(json.dumps({"step": step, "seconds": step * 0.12}) + "\n")
    source = open_source("mnist", "train")
    digits = [source.batch(torch.arange(100) + 100 * i)[0][:, 0].numpy() for i in range(60)]
    for number, step in enumerate(range(0, config.steps + 1, config.sample_every)):
        save_png(image_grid(digits[number % 60]), folder / "samples" / f"step-{step:08d}.png")
    animation(sample_files(folder / "samples"), folder / "progress.gif")
    frames = [image_grid(d[:20]) for d in digits]
    frames[0].save(folder / "walk.gif", save_all=True, append_images=frames[1:], duration=50, loop=0)
    save_png(image_grid(digits[0][:32], 8), folder / "neighbours.png")
    names = ("fid-lenet", "certified-w1", "precision", "recall", "coverage", "copies")
    write_metrics(folder, *(figure(name, 0.5) for name in names))


def opened(page: Path) -> float:
    """Return the seconds until a new browser shows the page."""
    from helpers.browser import Browser

    with Browser() as browser:
        seconds = browser.open(page)
        assert browser.complaints() == []
        return float(seconds)


def chromium() -> str:
    """Return the browser's version."""
    from helpers.browser import PROGRAM

    return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Make the page, open it, write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--opens", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = args.run or Path(folder) / "mnist"
        if args.run is None:
            write_run(run, configure("mnist", {"steps": args.steps}))
        page = Path(folder) / "report.html"
        begun = time.perf_counter()
        notes = write_report([run], page)
        made = time.perf_counter() - begun
        times = [opened(page) for _ in range(args.opens)]
        found: dict[str, Any] = {
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "browser": chromium(),
            "command": " ".join(["python", "benchmarks/report.py", *sys.argv[1:]]),
            "megabytes": round(page.stat().st_size / 1e6, 2),
            "seconds_to_make": round(made, 2),
            "seconds_to_open": [round(t, 3) for t in times],
            "median_seconds_to_open": round(statistics.median(times), 3),
            "left_out": notes,
        }
    print(json.dumps(found, indent=1))
    (ROOT / "benchmarks/results/report.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
