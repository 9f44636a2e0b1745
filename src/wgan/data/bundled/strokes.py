"""Digits drawn anew, turned by a known angle with a pen of known thickness: the two conditions of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.bundled.conditioned import Drawn, Toy, built
from wgan.data.bundled.mnist import DIGITS, load_mnist, select_digits
from wgan.data.depth import PixelUnits
from wgan.data.source import Source, sample_stream
from wgan.errors import WganError

Bools = NDArray[np.bool_]
Numbers = NDArray[Any]

LOOKED_AT = {"train": 4_000, "test": 2_000}  # digits of MNIST, from the first on
TIMES = 3  # each of them is drawn, with other angles and pens
SIDE = 16  # pixels
REACH = 5.5  # from the middle of a drawn digit to its farthest point, in pixels
ANGLES = (-60.0, 60.0)  # degrees, clockwise positive
PENS = (1.5, 3.0)  # thickness of a stroke, in pixels
LONG = 2.0  # least ratio of the variances along and across a digit: a round one has no angle
CHUNK = 500  # digits drawn together


def open_strokes(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open turned digits, float32 [1, 16, 16] of ink in [0, 1], with their conditions angle and thickness.

    argument: which digits, as of mnist. Raises WganError for a wrong selection, and for digits that are all too round.
    """
    chosen = select_digits(argument, "strokes") if argument else DIGITS
    toy = Toy((1, SIDE, SIDE), "images", read_strokes, PixelUnits(0.0, 1.0, "float32"))

    def make(part: str) -> Drawn:
        images, labels = (x.numpy()[: LOOKED_AT[part]] for x in load_mnist(part))
        lines = [p for p in map(centred, thinned(images[np.isin(labels, chosen), 0] > 127)) if p is not None]
        if len(lines) < 100:
            raise WganError(
                f"data '{spec}': {len(lines)} of these digits are long enough to have an angle: choose others"
            )
        return strokes(sample_stream(seed, "strokes", part), TIMES * lines)

    return built(spec, split, toy, make)


def strokes(draw: np.random.Generator, lines: list[Numbers]) -> Drawn:
    """a ~ U(-60, 60)°, t ~ U(1.5, 3); ink of a pixel = t / 2 + 1/2 - its distance to the line turned by a, within [0, 1].

    lines: the points (down, right) of each digit about its middle, its long axis upright -> [N, 1, SIDE, SIDE].
    """
    angle, pen = draw.uniform(*ANGLES, len(lines)), draw.uniform(*PENS, len(lines))
    most = max(map(len, lines))
    points = np.stack([np.concatenate([p, np.repeat(p[:1], most - len(p), 0)]) for p in lines])  # [N, P, 2]
    points = turned(points, angle).astype(np.float32)
    at = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    ink = np.empty((len(lines), 1, SIDE, SIDE))
    for i in range(0, len(lines), CHUNK):
        some = points[i : i + CHUNK]
        down, right = ((at[None, :, None] - some[:, None, :, k]) ** 2 for k in (0, 1))  # [B, SIDE, P]
        near = np.sqrt((down[:, :, None] + right[:, None]).min(3))
        ink[i : i + CHUNK, 0] = np.clip(pen[i : i + CHUNK, None, None] / 2 + 0.5 - near, 0, 1)
    return {"angle": angle, "thickness": pen}, ink


def turned(points: Numbers, degrees: Numbers) -> Numbers:
    """Return points (down, right) [N, P, 2] turned clockwise by an angle each [N]."""
    c, s = (f(np.deg2rad(degrees))[:, None] for f in (np.cos, np.sin))
    down, right = points[..., 0], points[..., 1]
    return np.stack([c * down + s * right, c * right - s * down], -1)


def centred(line: Bools) -> Numbers | None:
    """Return the points of a line [H, W] about their middle, long axis upright, REACH to the farthest; None for a round one."""
    points = np.argwhere(line).astype(np.float64)
    if len(points) < 5:
        return None
    points -= points.mean(0)
    values, axes = np.linalg.eigh(points.T @ points)
    if values[1] < LONG * max(values[0], 1e-9):
        return None
    long = axes[:, 1] * (1 if axes[0, 1] >= 0 else -1)
    points = points @ np.stack([long, [-long[1], long[0]]], 1)  # (along, across)
    scaled: Numbers = points * REACH / np.sqrt((points**2).sum(1).max())
    return scaled


def read_strokes(ink: Numbers) -> dict[str, Numbers]:
    """ink [N, 1, H, W] -> angle of the long axis of what is drawn, atan2(-2 M_dr, M_dd - M_rr) / 2 with its second moments M."""
    x = np.clip(ink[:, 0], 0, None) + 1e-12
    at = np.arange(x.shape[1]) - (x.shape[1] - 1) / 2
    total = x.sum((1, 2))
    d, r = (x.sum(2) @ at) / total, (x.sum(1) @ at) / total
    dd, rr = (x.sum(2) @ at**2) / total - d**2, (x.sum(1) @ at**2) / total - r**2
    dr = np.einsum("nij,i,j->n", x, at, at) / total - d * r
    return {"angle": np.rad2deg(np.arctan2(-2 * dr, dd - rr)) / 2}


def thinned(shapes: Bools) -> Bools:
    """Return shapes [N, H, W] thinned to lines of one pixel (Zhang & Suen 1984)."""
    found = np.pad(shapes, ((0, 0), (1, 1), (1, 1)))
    going = np.arange(len(found))  # which shapes the last pass made thinner
    while len(going):
        some = found[going]
        for second in (False, True):
            some &= ~removable(some, second)
        changed = (some != found[going]).any((1, 2))
        found[going], going = some, going[changed]
    return found[:, 1:-1, 1:-1]


def removable(x: Bools, second: bool) -> Bools:
    """Return which pixels of x [N, H, W] one half of a pass takes away: conditions (a) to (d), or (c') and (d'), of the paper."""
    moves = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]  # p2 to p9, clockwise from above
    p = [np.roll(x, (-down, -right), (1, 2)) for down, right in moves]
    around = np.sum(p, 0, dtype=np.int8)
    rises = np.sum([~a & b for a, b in zip(p, [*p[1:], p[0]], strict=True)], 0, dtype=np.int8)
    up, right, down, left = p[0], p[2], p[4], p[6]
    sides = (up & right & left) | (up & down & left) if second else (up & right & down) | (right & down & left)
    found: Bools = x & (around >= 2) & (around <= 6) & (rises == 1) & ~sides
    return found
