"""Which metric sees best, at few samples, that images are worse: the ground for how a run chooses its best step.

Usage: python benchmarks/power.py [--trials 40]
For each n: the fraction of trials in which n training digits score better against n held-out ones than n damaged ones do.
0.5 = chance, below = it prefers the damage. Writes benchmarks/results/power.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from evaluation import RESULTS, about
from torch import Tensor
from torch.nn import functional as F

from wgan.data import open_source
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import mmd2, relative_fid, scale_features, sliced_w1
from wgan.metrics.random_features import random_features

SIZES = (20, 50, 100, 300, 1000)
DISTANCES: dict[str, tuple[str, Callable[[Any, Any], float]]] = {
    "sliced-w1": ("pixels", lambda a, b: sliced_w1(a, b, projections=64)),
    "random-relative-fid": ("features", relative_fid),
    "random-kid": ("features", lambda a, b: mmd2(scale_features(a, b), scale_features(b, b))),
    "random-coverage": ("features", lambda a, b: -prdc(a, b).coverage),
}


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Return images uint8 [N, 1, H, W] under a Gaussian of `sigma` pixels."""
    kernel = torch.exp(-(torch.arange(-4, 5.0) ** 2) / (2 * sigma**2))
    kernel = (kernel[:, None] * kernel / kernel.sum() ** 2)[None, None]
    return F.conv2d(F.pad(x.float(), (4, 4, 4, 4), mode="reflect"), kernel).round().to(torch.uint8)


def damaged(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return training digits as they are, and damaged in five ways."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return {
        "as they are": x,
        "blur, sigma 0.5": blurred(x, 0.5),
        "blur, sigma 1": blurred(x, 1.0),
        "noise, sigma 15": (x + 15 * noise).round().clamp(0, 255).to(torch.uint8),
        "digits below 7": x[y < 7],
        "contrast 0.9": (0.9 * x).round().to(torch.uint8),
    }


def read(x: Tensor) -> dict[str, Any]:
    """Return images in the two spaces that the distances work in."""
    return {"pixels": x.numpy().reshape(len(x), -1) / 255.0, "features": random_features(x)}


def power(trials: int) -> list[dict[str, Any]]:
    """Return a row for each n and distance: how often each damage scores worse than none."""
    rng = np.random.default_rng(0)
    train, test = open_source("mnist", "train"), open_source("mnist", "test")
    x, y = train.batch(torch.from_numpy(rng.choice(len(train), 6000, replace=False)))
    assert y is not None
    spaces = {name: read(images) for name, images in damaged(x, y).items()}
    held = read(test.batch(torch.from_numpy(rng.choice(len(test), 3000, replace=False)))[0])
    rows = []
    for n in SIZES:
        for name, (space, distance) in DISTANCES.items():
            wins = dict.fromkeys(list(spaces)[1:], 0.0)
            for _ in range(trials):
                real = held[space][rng.choice(len(held[space]), n, replace=False)]
                scores = {
                    k: distance(s[space][rng.choice(len(s[space]), n, replace=False)], real) for k, s in spaces.items()
                }
                for k in wins:
                    wins[k] += (scores["as they are"] < scores[k]) + 0.5 * (scores["as they are"] == scores[k])
            rows.append({"n": n, "metric": name, **{k: v / trials for k, v in wins.items()}})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and keep the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    command = "python benchmarks/power.py"
    found = {**about(), "command": command, "trials": (trials := parser.parse_args().trials), "results": power(trials)}
    (RESULTS / "power.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
