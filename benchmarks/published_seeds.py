"""Runs of S0 at several rates and seeds: relative-fid along each, and their samples in one picture.

Usage: python benchmarks/published_seeds.py RUN...   (folders of conv-clip-five, run with --keep-every 84 --sample-every 84)
Writes benchmarks/results/published-s0-seeds.json and docs/pictures/conv-clip-five-steps.png.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from evaluation import RESULTS, about
from PIL import Image, ImageDraw, ImageFont

import wgan
from wgan.runs.folder import Run, open_run

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from recipe_page import command, processor

ROOT = Path(__file__).parents[1]
STEPS = (84, 336, 840)  # 1, 4 and 10 epochs; its author sees digits from about 300 on
SIDE, CELLS = 58, 5  # of a cell of a sample grid with its line; cells of each grid that the picture shows


def measured(run: Run) -> dict[str, Any]:
    """Return rate, seed, command, and relative-fid and losses at each of STEPS."""
    records = {r["step"]: r for r in run.log() if "critic/wasserstein" in r}
    rows = []
    for step in STEPS:
        report = wgan.evaluate(run.path, checkpoint=step, metrics=["fid-lenet"])
        figures = {f.name: f.value for f in report.results[0].values}
        losses = {tag: round(records[step][tag], 4) for tag in ("critic/wasserstein", "generator/loss")}
        rows.append({"step": step, "relative-fid": round(figures["relative-fid"], 4), **losses})
        print(run.path.name, rows[-1], flush=True)
    return {"lr": run.config.lr, "seed": run.config.seed, "command": command(run), "measured": rows}


def draw(runs: list[Run]) -> None:
    """Draw a row for each run and a column for each step: the first CELLS rows and columns of its sample grid."""
    side, head, edge = CELLS * SIDE + 2, 24, 120
    whole = Image.new("L", (edge + len(STEPS) * (side + 8), head + len(runs) * (side + 8)), 255)
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(15)
    for column, step in enumerate(STEPS):
        pen.text((edge + column * (side + 8), 3), f"step {step}", fill=0, font=font)
    for row, run in enumerate(runs):
        pen.text((2, head + row * (side + 8)), f"rate {run.config.lr:g}\nseed {run.config.seed}", fill=0, font=font)
        for column, step in enumerate(STEPS):
            with Image.open(run.samples / f"step-{step:08d}.png") as grid:
                part = grid.convert("L").crop((0, 0, side, side))
            whole.paste(part, (edge + column * (side + 8), head + row * (side + 8)))
    whole.resize((whole.width * 2 // 3, whole.height * 2 // 3), Image.Resampling.LANCZOS).save(
        ROOT / "docs/pictures/conv-clip-five-steps.png", optimize=True
    )


def main() -> None:
    """Measure each run, write the file, draw the picture, print mean and deviation of each rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    runs = sorted((open_run(p) for p in parser.parse_args().runs), key=lambda r: (-r.config.lr, r.config.seed))
    found = [measured(run) for run in runs]
    for rate in dict.fromkeys(f["lr"] for f in found):
        for i, step in enumerate(STEPS):
            values = [f["measured"][i]["relative-fid"] for f in found if f["lr"] == rate]
            print(f"rate {rate:g}, step {step}: {statistics.mean(values):.3f}", *(f"{v:.3f}" for v in values))
    facts = {
        **about(),
        "machine": processor(),
        "command": "python benchmarks/published_seeds.py RUN...",
        "precision": "fp32",
    }
    (RESULTS / "published-s0-seeds.json").write_text(json.dumps({**facts, "runs": found}, indent=1) + "\n")
    draw(runs)


if __name__ == "__main__":
    main()
