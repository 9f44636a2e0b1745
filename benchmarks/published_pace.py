"""How fast S3's W estimate falls in the program itself and here, in narrow copies: benchmarks/results/published-pace.json.

Both run in a quarter of their width, where thousands of steps are cheap and chance shows over a few seeds:

    tf/bin/python benchmarks/published/as_run_s3.py --train 1874 --divide 4 --seed 0 --folder s3-program-0
    wgan train deep-conv-clip --generator-layers "/ 128n0a0 32k3x2 16k3 / k3x2" --critic-layers "16k3x2n0 32k3x2 64k3x2 128k3 /"
        --precision fp32 --threads 1 --log-every 1 --evaluate-every 0 --steps 1874 --seed 0 --run s3-here-0
    python benchmarks/published_pace.py --program s3-program-* --here s3-here-*

A value is the mean over an eighth of a pass (117 of 937 steps): of all five critic updates of a step for the program, of the
last one here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean

from evaluation import RESULTS, about

from wgan.runs.folder import open_run

SPAN = 937 // 8


def of_program(folder: Path) -> dict[int, float]:
    """Return step -> W estimate of the published program, from what as_run.py wrote."""
    lines = (folder / "losses.jsonl").read_text().splitlines()
    return {r["step"]: -r["real"] - r["fake"] for r in map(json.loads, lines)}


def of_run(folder: Path) -> dict[int, float]:
    """Return step -> W estimate of a run here."""
    return {r["step"]: r["critic/wasserstein"] for r in open_run(folder).log() if "critic/wasserstein" in r}


def means(found: dict[int, float]) -> list[float]:
    """Return the mean over each whole span of steps."""
    spans = range(max(found) // SPAN)
    return [round(fmean(found[s] for s in range(i * SPAN + 1, (i + 1) * SPAN + 1)), 5) for i in spans]


def main() -> None:
    """Read the folders, print a line for each span, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--program", type=Path, nargs="+", required=True)
    parser.add_argument("--here", type=Path, nargs="+", required=True)
    found = parser.parse_args()
    paces = {f.name: means(of_program(f)) for f in found.program} | {f.name: means(of_run(f)) for f in found.here}
    print("step", *paces)
    for i in range(min(map(len, paces.values()))):
        print((i + 1) * SPAN, *(f"{values[i]:.4f}" for values in paces.values()))
    sides = {"program": found.program, "here": found.here}
    command = " ".join(f"--{side} {' '.join(f.name for f in folders)}" for side, folders in sides.items())
    whole = {
        **about(),
        "command": f"python benchmarks/published_pace.py {command}",
        "span": SPAN,
        "divided by": 4,
        "wasserstein": paces,
    }
    (RESULTS / "published-pace.json").write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
