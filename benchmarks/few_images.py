"""Three hundred images of clothes: the default recipe from the weights of a run on digits, and from fresh ones.

Usage: python benchmarks/few_images.py RUN [--seeds 0 1 2] [--steps 25 50 100 200] [--folder few-images]
RUN: a finished `wgan train` on all digits. Data: the first 100 training images of each of three kinds of clothes; their 3,000
test images are held out. Both ways have the same options and seeds and are measured at each of the steps. Needs Fashion-MNIST.
Writes benchmarks/results/few_images.json when both ways of a seed are done, and docs/pictures/few-images.png for seed 0.
The folder must be new: a finished run could not be measured at its earlier steps.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evaluation import RESULTS, about
from PIL import Image
from torch import Tensor

import wgan
from wgan.data import open_source

KINDS = {1: "trousers", 8: "bag", 9: "boot"}
EACH = 100
STEPS = (25, 50, 100, 200)
SHOWN = (50, 200)  # steps in the picture
METRICS = ("fid-random", "prdc-random", "sliced-w1")
OPTIONS: dict[str, Any] = {
    **{"threads": 1, "precision": "fp32", "batch": 32, "ema": 0.95, "decay_steps": STEPS[-1]},
    **{"checkpoint_every": 0, "sample_every": 0, "evaluate_every": 0},
}
PICTURE = Path(__file__).parent.parent / "docs/pictures/few-images.png"


def write_data(file: Path) -> None:
    """Write the training images and the held-out ones, with the names of their kinds."""
    (x_train, y_train), (x_test, y_test) = kept("train", EACH), kept("test", None)
    np.savez(file, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def kept(split: str, each: int | None) -> tuple[Any, Any]:
    """Return the first images of each kind of a split, all of them for None, and their kinds."""
    source = open_source("fashion", split)
    x, y = source.batch(torch.arange(len(source)))
    assert y is not None
    found = {name: x[y == k][:each] for k, name in KINDS.items()}
    return torch.cat(list(found.values())).numpy(), np.repeat(list(found), [len(part) for part in found.values()])


def trained(folder: Path, data: Path, seed: int, origin: str | None, steps: int) -> wgan.Run:
    """Train to a step: from `origin`, or fresh with the same recipe."""
    name = f"{'from-digits' if origin else 'fresh'}-{seed}"
    begin = {"from_run": origin} if origin else {"recipe": "mnist"}
    return wgan.train(data=data, run=folder / name, seed=seed, steps=steps, **OPTIONS, **begin)


def measured(run: wgan.Run) -> dict[str, Any]:
    """Return the metrics of the newest checkpoint, with those of the 300 training images in its place."""
    values = wgan.evaluate(run, n=2000, metrics=METRICS, checkpoint="last").results[0].values
    return {v.name: {"value": v.value, "real": v.floor} for v in values}


def row(run: wgan.Run) -> Tensor:
    """Return eight images of each kind, [3 * 8, 1, 28, 28]."""
    model = wgan.load(run)
    return torch.cat([torch.as_tensor(model.sample(8, label=k, seed=0)) for k in KINDS.values()])


def picture(rows: list[Tensor]) -> None:
    """Draw a row of images for each way and step."""
    whole = torch.cat([torch.cat(list(images[:, 0]), dim=1) for images in rows])
    grey = ((whole + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    Image.fromarray(grey).save(PICTURE, optimize=True)


def main() -> None:
    """Train, measure, keep: next to the seeds that were measured before."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--folder", type=Path, default=Path("few-images"))
    asked = parser.parse_args()
    asked.folder.mkdir()
    write_data(data := asked.folder / "clothes.npz")
    for seed in asked.seeds:
        ways, shown = {}, []
        for way, origin in (("fresh", None), ("from digits", asked.run)):
            ways[way] = {}
            for steps in asked.steps:
                run = trained(asked.folder, data, seed, origin, steps)
                ways[way][str(steps)] = measured(run)
                shown += [row(run)] * (steps in SHOWN)
        keep(seed, ways)
        if not seed:
            picture(shown)


def keep(seed: int, ways: dict[str, Any]) -> None:
    """Write the metrics of a seed next to those of the other seeds."""
    file = RESULTS / "few_images.json"
    results = json.loads(file.read_text())["results"] if file.exists() else {}
    for way, steps in ways.items():
        results.setdefault(way, {})[str(seed)] = steps
    command = "python benchmarks/few_images.py runs/mnist --seeds " + " ".join(sorted(results["fresh"]))
    file.write_text(json.dumps({**about(), "command": command, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
