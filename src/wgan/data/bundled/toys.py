"""2-D toys whose truth is known: a ring and a grid of Gaussians, and the swiss roll, in the units of two papers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from wgan.data.source import TOYS, Source, parts, rows, sample_stream
from wgan.errors import unknown

SIZE = 100_000  # points in each split; 8 and 25 modes divide it


class Scaling(NamedTuple):
    """How a paper scaled a toy: the spread of its centres and its noise, both divided by `divisor`."""

    spread: float  # radius of the ring, spacing of the grid; unused by the roll
    sigma: float
    divisor: float


# The first scaling of each toy is the one its bare name means.
PACGAN, GULRAJANI = "pacgan", "gulrajani"  # Lin 2018; Gulrajani 2017, gan_toy.py
RING = {PACGAN: Scaling(1, 0.01, 1), GULRAJANI: Scaling(2, 0.02, 1.414)}
GRID = {PACGAN: Scaling(2, 0.05, 1), GULRAJANI: Scaling(2, 0.05, 2.828)}
ROLL = {GULRAJANI: Scaling(1, 0.25, 7.5)}


def open_ring(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open 8 Gaussians at equal angles on a circle, float32 [2]; WganError for an unknown scaling."""
    angles = 2 * np.pi * np.arange(8) / 8
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # [8, 2]
    return _mixture(spec, "ring", unit, _scaling("ring", argument, RING), split, seed)


def open_grid(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open 25 Gaussians on a 5 x 5 grid about 0, float32 [2]; WganError for an unknown scaling."""
    steps = np.arange(-2.0, 3.0)
    unit = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(25, 2)
    return _mixture(spec, "grid", unit, _scaling("grid", argument, GRID), split, seed)


def open_roll(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open the swiss roll seen from the side, float32 [2]; WganError for an unknown scaling."""
    scaling = _scaling("swissroll", argument, ROLL)
    points = [roll_points(sample_stream(seed, "swissroll", part), scaling) for part in parts(split)]
    sigma = scaling.sigma / scaling.divisor
    return _source(spec, split, "gulrajani-swissroll", TOYS, np.concatenate(points), sigma)


def roll_points(draw: np.random.Generator, scaling: Scaling) -> np.ndarray:
    """(t cos t, t sin t) + σ n with t = 1.5π(1 + 2u), u ~ U(0, 1), n ~ N(0, I), over the divisor: [SIZE, 2]."""
    t = 1.5 * np.pi * (1 + 2 * draw.random(SIZE))
    curve = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
    return (curve + scaling.sigma * draw.standard_normal((SIZE, 2))) / scaling.divisor


def _mixture(spec: str, toy: str, unit: np.ndarray, scaling: Scaling, split: str, seed: int) -> Source:
    """Build equal numbers of Gaussian points about each centre `unit` [K, 2]; point i belongs to mode i mod K."""
    centres = scaling.spread * unit / scaling.divisor
    sigma = scaling.sigma / scaling.divisor
    mode = np.arange(SIZE) % len(centres)
    noise = [sample_stream(seed, toy, part).standard_normal((SIZE, 2)) for part in parts(split)]
    points = np.concatenate([centres[mode] + sigma * n for n in noise])
    alike = tuple(other + spec.removeprefix(toy) for other in TOYS)  # in the same scaling
    return _source(spec, split, toy, alike, points, sigma, centres, np.tile(mode, len(noise)))


def _source(
    spec: str,
    split: str,
    recipe: str,
    mode_tests: tuple[str, ...],
    points: np.ndarray,
    sigma: float,
    centres: np.ndarray | None = None,
    mode: np.ndarray | None = None,
) -> Source:
    return Source(
        name=spec,
        split=split,
        shape=(2,),
        size=len(points),
        gather=rows(torch.from_numpy(points.astype(np.float32))),
        modes=None if centres is None else torch.from_numpy(centres.astype(np.float32)),
        sigma=sigma,
        mode_count=0 if centres is None else len(centres),
        mode_index=None if mode is None else torch.from_numpy(mode),
        recipe=recipe,
        mode_tests=mode_tests,
    )


def _scaling(toy: str, argument: str, known: dict[str, Scaling]) -> Scaling:
    name = argument or next(iter(known))
    if name not in known:
        raise unknown(f"scaling of {toy}", name, known)
    return known[name]
