"""The certified bound against a known truth: 100 seeded funnel pairs in 2 to 128 dimensions (Korotin et al. 2022).

Usage: python benchmarks/funnels.py [--pairs 100] [--steps 500]
Writes benchmarks/results/funnels.json after every pair, and goes on from there when it is started again.
The construction is that of tests/metrics/test_certified.py, whose slow test asks the same of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from evaluation import RESULTS, about

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "metrics"))
from test_certified import bound_on_funnels

FILE = RESULTS / "funnels.json"


def summary(pairs: list[dict[str, float]]) -> dict[str, float]:
    """Return how often the bound is above the truth, and by more than its interval, and how much of it it proves."""
    shares = [p["bound"] / p["truth"] for p in pairs]
    return {
        "pairs": len(pairs),
        "above_truth": sum(p["bound"] > p["truth"] for p in pairs),
        "above_truth_by_more_than_the_interval": sum(p["bound"] > p["truth"] + p["high"] - p["low"] for p in pairs),
        "median_share": float(np.median(shares)),
        "least_share": min(shares),
    }


def main() -> None:
    """Measure the pairs that are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args()
    kept = json.loads(FILE.read_text()) if FILE.exists() else {"pairs": []}
    pairs = kept["pairs"] if kept.get("steps") == args.steps else []
    for i, d in enumerate(np.geomspace(2, 128, args.pairs).round().astype(int)):
        if i < len(pairs):
            continue
        found, truth = bound_on_funnels(1000 + i, int(d), args.steps)
        numbers = {k: getattr(found, k) for k in ("bound", "gap", "low", "high", "lipschitz")}
        pairs.append({"seed": 1000 + i, "dimensions": int(d), "truth": truth, **numbers})
        whole = {**about(), "steps": args.steps, "summary": summary(pairs), "pairs": pairs}
        whole["command"] = f"python benchmarks/funnels.py --steps {args.steps}"
        FILE.write_text(json.dumps(whole, indent=1) + "\n")
        print(f"{i:3} d {d:3} truth {truth:.3f} bound {found.bound:.3f}", flush=True)
    print(summary(pairs))


if __name__ == "__main__":
    main()
