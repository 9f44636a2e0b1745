"""Toys whose samples show their conditions exactly: a Gaussian whose mean is one, and showers whose energy is their sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data.conditions import Raw, fit
from wgan.data.depth import PixelUnits
from wgan.data.source import Shown, Source, parts, rows, sample_stream
from wgan.errors import WganError

SIZE = 20_000  # samples in each split
SIGMA = 0.5  # of the drawn Gaussian, about its mean
SIDES = {"down": -1.0, "up": 1.0}  # mean of its second coordinate
SIDE_SIGMA = 0.25
CELLS = 12  # of a shower along each axis
WIDTHS = {"electron": 1.0, "pion": 1.8}  # standard deviation of a shower, in cells
TOP = 40.0  # GeV: what networks see as 1; hardly any cell holds more

Drawn = tuple[Raw, NDArray[np.float64]]
Make = Callable[[np.random.Generator], Drawn]


class Toy(NamedTuple):
    """What the samples of one toy are, and what they show."""

    shape: tuple[int, ...]
    recipe: str
    shown: Shown
    units: PixelUnits | None = None  # of images; points are as they are


def open_gaussian(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open points (N(mean, 0.5²), N(±1, 0.25²)) with their conditions mean and side; WganError for an argument."""
    return opened("gaussian", Toy((2,), "vectors", read_gaussian), gaussian, spec, argument, split, seed)


def gaussian(draw: np.random.Generator) -> Drawn:
    """mean ~ U(-3, 3), side up or down; x = (mean + 0.5 n, ±1 + 0.25 n'), n, n' ~ N(0, 1): [SIZE, 2]."""
    mean = draw.uniform(-3, 3, SIZE)
    side = np.array([*SIDES])[draw.integers(2, size=SIZE)]
    noise = draw.standard_normal((SIZE, 2)) * [SIGMA, SIDE_SIGMA]
    middle = np.stack([mean, [SIDES[s] for s in side]], 1)
    return {"mean": mean, "side": side}, middle + noise


def read_gaussian(points: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """points [N, 2] -> what each shows: E[first] is the mean exactly, and the sign of the second is the side for 99.997 %."""
    return {"mean": points[:, 0], "side": np.where(points[:, 1] > 0, "up", "down")}


def open_calorimeter(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open showers in 12 x 12 cells, in GeV, with their conditions energy and particle; WganError for an argument."""
    toy = Toy((1, CELLS, CELLS), "images", read_calorimeter, PixelUnits(0.0, TOP, "float32"))
    return opened("calorimeter", toy, calorimeter, spec, argument, split, seed)


def calorimeter(draw: np.random.Generator) -> Drawn:
    """energy E ~ U(10, 100) GeV, electron or pion; cell ij holds E w_ij / Σ w: [SIZE, 1, CELLS, CELLS].

    w = exp(-|r - c|² / 2 s²) g with the particle's width s, a centre c that scatters by half a cell, g ~ Gamma(4) in each cell.
    """
    energy = draw.uniform(10, 100, SIZE)
    particle = np.array([*WIDTHS])[draw.integers(2, size=SIZE)]
    width = np.array([WIDTHS[p] for p in particle])[:, None, None]
    centre = (CELLS - 1) / 2 + 0.5 * draw.standard_normal((SIZE, 2))
    at = np.arange(CELLS)
    down, across = (at[None, :] - centre[:, [i]] for i in (0, 1))
    weights = np.exp(-(down[:, :, None] ** 2 + across[:, None, :] ** 2) / (2 * width**2))
    weights *= draw.gamma(4.0, 0.25, weights.shape)
    cells = energy[:, None, None] * weights / weights.sum((1, 2), keepdims=True)
    return {"energy": energy, "particle": particle}, cells[:, None]


def read_calorimeter(cells: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """cells [N, 1, H, W] in GeV -> their sum, which is the energy exactly."""
    return {"energy": cells.reshape(len(cells), -1).sum(1)}


def opened(name: str, toy: Toy, make: Make, spec: str, argument: str, split: str, seed: int) -> Source:
    """Open one split of a toy, with conditions in the units of its training part; WganError for an argument."""
    if argument:
        raise WganError(f"data '{spec}': {name} takes no argument, write {name}")
    return built(spec, split, toy, lambda part: make(sample_stream(seed, name, part)))


def built(spec: str, split: str, toy: Toy, make: Callable[[str], Drawn]) -> Source:
    """Return one split of a toy; make(part) draws the samples of a part."""
    train, seen = made = make("train")
    drawn = [made if part == "train" else make(part) for part in parts(split)]
    raw = {key: np.concatenate([train[key], *(told[key] for told, _ in drawn)]) for key in train}
    values = np.concatenate([x for _, x in drawn])
    conditions, codes = fit(raw, np.arange(len(seen) + len(values)) < len(seen), spec)
    samples = values.astype(np.float32) if toy.units is None else toy.units.standardise(values)
    return Source(
        name=spec,
        split=split,
        shape=toy.shape,
        size=len(samples),
        gather=rows(torch.from_numpy(samples)),
        recipe=toy.recipe,
        depth=toy.units,
        conditions=conditions,
        told=torch.from_numpy(conditions.encode(codes[len(seen) :])),
        shown=toy.shown,
    )
