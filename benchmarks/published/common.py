"""What the five published programs share here: MNIST from the package's own files, and timing of generator steps.

Each program is written from the description of the published one (networks, batch, updates, optimizer, framework), in the
plain way of its framework, and stands for it in `benchmarks/speed.py`. None of them is part of the package.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "src" / "wgan" / "data" / "mnist"


def mnist(*splits: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [N, 28, 28] and labels [N] of the splits (train, t10k), one after the other."""
    images = [stored(f"{s}-images-idx3-ubyte.gz", 16) for s in splits]
    labels = [stored(f"{s}-labels-idx1-ubyte.gz", 8) for s in splits]
    return np.concatenate(images).reshape(-1, 28, 28), np.concatenate(labels).astype(np.int64)


def stored(name: str, header: int) -> np.ndarray:
    """Return the bytes of one IDX file after its header."""
    with gzip.open(FOLDER / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def scaled(images: np.ndarray) -> np.ndarray:
    """Return float32 [N, 28, 28, 1] in [-1, 1]."""
    return ((images.astype(np.float32) - 127.5) / 127.5)[..., None]


def main(system: str, steps: Callable[[], Iterator[None]], versions: dict[str, str]) -> None:
    """Take --warm untimed and --steps timed generator steps, and print their seconds as one line of JSON."""
    parser = argparse.ArgumentParser(description=f"the published system {system}: seconds for each generator step")
    parser.add_argument("--steps", type=int, default=10, help="timed generator steps")
    parser.add_argument("--warm", type=int, default=3, help="untimed ones before")
    found = parser.parse_args()
    training = steps()
    for _ in range(found.warm):
        next(training)
    seconds = []
    for _ in range(found.steps):
        begun = time.perf_counter()
        next(training)
        seconds.append(time.perf_counter() - begun)
    report: dict[str, Any] = {"system": system, "seconds_per_step": statistics.median(seconds), "each": seconds}
    print(json.dumps({**report, "versions": versions}))
