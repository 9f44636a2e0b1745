"""How far fakes are from real images, in units of what one draw of real ones differs from another: digits beside clothes.

Usage: python benchmarks/over_noise.py
Distance over noise = (value − mean) / deviation, mean and deviation over the disjoint draws of N training images against the
same held-out ones: what training and test images differ by is in both and cancels, which a quotient of value and reference
does not. Values of the fakes: the committed runs of RUNS. Writes benchmarks/results/over_noise.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from evaluation import RESULTS, about
from torch import Tensor

from wgan.evaluation.context import flat
from wgan.evaluation.sample_metrics import PRDC
from wgan.evaluation.samples import Reals, open_reals
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import relative_fid, sliced_w1
from wgan.metrics.random_features import random_features

N, HELD_OUT, DRAWS = 10_000, 8_000, 6  # as the committed runs were measured; all of 60,000 training images
RUNS = {
    "mnist": ("mnist-seed-2", "mnist-betting-bound"),
    "fashion": ("recipes/fashion", "fashion-seed-1", "fashion-seed-2"),
}
Features = Any
METRICS: dict[str, Callable[[Tensor, Tensor, Features, Features], float]] = {
    "random-relative-fid": lambda x, y, f, g: relative_fid(f, g),
    "random-coverage": lambda x, y, f, g: prdc(f[:PRDC], g[:PRDC]).coverage,
    "sliced-w1": lambda x, y, f, g: sliced_w1(flat(x), flat(y)),
}


def references(reals: Reals) -> dict[str, list[float]]:
    """Return each metric of every draw of training images against the held-out ones."""
    held = reals.held_out[0]
    held_features = random_features(held)
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for k in range(DRAWS):
        x = reals.draw(k)[0]
        f = random_features(x)
        for name, metric in METRICS.items():
            found[name].append(metric(x, held, f, held_features))
    return found


def values(data: str) -> dict[str, list[float]]:
    """Return each metric of the committed runs on the data, at their last step."""
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for name in RUNS[data]:
        kept = json.loads((RESULTS / f"{name}.json").read_text())
        last = kept.get("metrics", kept)["results"][0]
        for figure in last["figures"]:
            if figure["name"] in found:
                require_alike(figure, name)
                found[figure["name"]].append(figure["value"])
    return found


def require_alike(figure: dict[str, Any], name: str) -> None:
    """Raise ValueError for a value of other numbers of samples: these metrics depend on them."""
    numbers = (PRDC, PRDC) if figure["name"] == "random-coverage" else (N, HELD_OUT)
    if (figure["n_fake"], figure["n_real"]) != numbers:
        raise ValueError(f"{figure['name']} of {name} is of {figure['n_fake']} fakes, {figure['n_real']} reals")


def row(fakes: list[float], real: list[float]) -> dict[str, Any]:
    """Return values, mean and deviation of the draws, the quotient, and the distance over noise of the mean value."""
    mean, deviation, value = float(np.mean(real)), float(np.std(real, ddof=1)), float(np.mean(fakes))
    return {
        "values": fakes,
        "draws": real,
        "mean": mean,
        "deviation": deviation,
        "quotient": value / mean,
        "distance_over_noise": (value - mean) / deviation,
    }


def main() -> None:
    """Measure both data sets and keep the result."""
    found: dict[str, Any] = {**about(), "command": "python benchmarks/over_noise.py", "n": N, "held_out": HELD_OUT}
    for data in RUNS:
        real, fakes = references(open_reals(data, N)), values(data)
        found[data] = {name: row(fakes[name], real[name]) for name in METRICS if fakes[name]}
        for name, line in found[data].items():
            print(data, name, {k: v for k, v in line.items() if k != "draws"}, flush=True)
    (RESULTS / "over_noise.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
