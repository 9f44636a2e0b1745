"""How often a certified bound at 95 % lies above the truth: 1,000 seeded cases each of skewed laws and few samples.

Usage: python benchmarks/certified_coverage.py [--seeds 1000]
Reals follow a law on [0, 1] and fakes are 0, so that W1 is the law's mean. `means`: the critic is the number itself, for each
law and n `certify` in as many draws; beside it the normal interval, gap − 1.645 standard errors. `whole`: `certified_w1` with
a critic that it fits, over laws and n in turn. Writes benchmarks/results/certified_coverage.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evaluation import RESULTS, about

from wgan.metrics.certified import EvaluationCritic, certified_w1, certify

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "metrics"))
from test_certified import LAWS

SIZES = (30, 50, 200, 1000)
FIT = 30  # steps of the critic in `whole`: that its bound holds does not depend on how good it is


def itself() -> EvaluationCritic:
    """Return the critic whose score is the number itself."""
    return EvaluationCritic([torch.ones(1, 1, dtype=torch.float64)], [torch.zeros(1).double()], np.zeros(1), 1.0)


def means(seeds: int) -> list[dict[str, Any]]:
    """Return for each law and n the fraction of bounds above the truth, ours and the normal interval's."""
    critic, ends, rows = itself(), [[0.0], [1.0]], []
    for law, (draw, mean) in LAWS.items():
        for n in SIZES:
            zeros, above, normal, bounds = np.zeros((n, 1)), 0, 0, []
            for seed in range(seeds):
                found = certify(critic, ends, zeros, draw(np.random.default_rng([seed, n]), n)[:, None], zeros)
                above += found.bound > mean
                normal += found.gap - 1.645 * found.error > mean
                bounds.append(found.bound / mean)
            rows.append(
                {
                    "law": law,
                    "n": n,
                    "above": above / seeds,
                    "normal": normal / seeds,
                    "median_fraction_of_truth": float(np.median(bounds)),
                }
            )
            print(rows[-1], flush=True)
    return rows


def whole(seeds: int) -> dict[str, Any]:
    """Return how many of `seeds` bounds lie above the truth, when the critic is fitted: laws and n in turn."""
    above, cases = 0, [(law, n) for law in LAWS for n in SIZES[:3]]
    for seed in range(seeds):
        law, n = cases[seed % len(cases)]
        draw, mean = LAWS[law]
        fit, held = (draw(np.random.default_rng([seed, n, part]), n)[:, None] for part in (0, 1))
        above += certified_w1(fit, np.zeros((n, 1)), held, np.zeros((n, 1)), steps=FIT).bound > mean
    return {"cases": seeds, "above": above / seeds}


def main() -> None:
    """Measure and keep the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    seeds = parser.parse_args().seeds
    found = {
        **about(),
        "command": f"python benchmarks/certified_coverage.py --seeds {seeds}",
        "seeds": seeds,
        "means": means(seeds),
        "whole": whole(seeds),
    }
    print(found["whole"])
    (RESULTS / "certified_coverage.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
