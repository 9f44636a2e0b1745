"""Keep what a long run of S2 or S3 logged beside what its source published: benchmarks/results/run-RECIPE.json.

Usage: python benchmarks/published_runs.py RUN [--name NAME]   (a run folder of ac-clip or deep-conv-clip, finished or under way;
a run beside the one that is followed: run-RECIPE-NAME.json)
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from evaluation import RESULTS, about

from wgan.runs.folder import open_run

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from recipe_page import command, processor

PASS = 937  # S3: batches in a pass over the data
PUBLISHED = {  # step -> what the source printed there
    "deep-conv-clip": {
        "critic/wasserstein": {1: 0.584, 2: 0.186, 3: 0.038, 4: 0.016, 5: 0.044, 11: 0.024, 21: 0.030},
        "generator/loss": {1: 0.456, 2: 0.364, 3: 0.315, 4: 0.214, 5: 0.124, 11: 0.016, 21: 0.016},
    },
    "ac-clip": {},  # a curve only: chaos to step 6,500, -0.03 to -0.05 from 8,500
}
KEPT = {
    "deep-conv-clip": ("critic/wasserstein", "generator/loss", "generator/gradient_norm", "critic/share_clipped"),
    "ac-clip": (
        "critic/wasserstein",
        "critic/real",
        "critic/fake",
        "generator/loss",
        "generator/gradient_norm",
        "class/real",
        "class/fake",
        "class/accuracy_real",
        "generator/class",
    ),
}


def kept_steps(recipe: str, last: int) -> set[int]:
    """Return which steps are kept: the ends of passes and every 50th (S3); the first 50 and every 10th after (S2)."""
    if recipe == "deep-conv-clip":
        return {*range(50, last + 1, 50), *range(PASS, last + 1, PASS)}
    return {*range(1, 51), *range(60, last + 1, 10)}


def main() -> None:
    """Read the log, write the file, print both sides at the end of each pass."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", default="")
    found = parser.parse_args()
    run = open_run(found.run)
    recipe = run.config.recipe
    records: dict[int, dict[str, Any]] = {r["step"]: r for r in run.log() if "critic/wasserstein" in r}
    wanted = kept_steps(recipe, max(records))
    rows = [{"step": s, **{k: round(r[k], 5) for k in KEPT[recipe]}} for s, r in sorted(records.items()) if s in wanted]
    published = {tag: {p * PASS: v for p, v in passes.items()} for tag, passes in PUBLISHED[recipe].items()}
    for tag, ends in published.items():
        for step, value in ends.items():
            if step in records:
                print(f"{tag} at step {step}: published {value}, here {records[step][tag]:.3f}")
    facts = {**about(), "machine": processor(), "command": command(run), "precision": run.facts.precision}
    whole = {**facts, "published": published, "last_step": max(records), "measured": rows}
    (RESULTS / f"run-{'-'.join(filter(None, (recipe, found.name)))}.json").write_text(
        json.dumps(whole, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
