"""A toy of volumes whose total is known: ellipsoidal blobs in 8 x 8 x 8 cells."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data.depth import PixelUnits
from wgan.data.source import Source, parts, rows, sample_stream
from wgan.errors import WganError

SIZE = 10_000  # volumes in each split
SIDE = 8
MASS = (60.0, 100.0)  # the total of a blob is uniform between them
WIDTHS = (0.9, 1.4)  # standard deviation of a blob along each axis, in cells
TOP = 9.0  # what networks see as 1: no cell holds more


def open_blobs(spec: str, argument: str, split: str, seed: int) -> Source:
    """Open ellipsoidal blobs, float32 [1, 8, 8, 8]; WganError for an argument."""
    if argument:
        raise WganError(f"data '{spec}': blobs takes no argument, write blobs")
    units = PixelUnits(0.0, TOP, "float32")
    values = np.concatenate([units.standardise(blobs(sample_stream(seed, "blobs", part))) for part in parts(split)])
    seen = torch.from_numpy(values)[:, None]
    return Source(spec, split, (1, SIDE, SIDE, SIDE), len(seen), rows(seen), recipe="volumes", depth=units)


def blobs(draw: np.random.Generator) -> NDArray[np.float64]:
    """Cell ijk holds M w_ijk / Σ w, w = exp(-Σ_a (r_a - c_a)² / 2 s_a²): [SIZE, SIDE, SIDE, SIDE], each with the total M.

    M ~ U(60, 100); along each axis a width s_a ~ U(0.9, 1.4), and a centre c_a that scatters by half a cell about the middle.
    """
    mass = draw.uniform(*MASS, SIZE)
    width = draw.uniform(*WIDTHS, (SIZE, 3, 1))
    centre = (SIDE - 1) / 2 + 0.5 * draw.standard_normal((SIZE, 3, 1))
    along = np.exp(-((np.arange(SIDE) - centre) ** 2) / (2 * width**2))
    along /= along.sum(2, keepdims=True)  # a product of sums is the sum of products
    first = mass[:, None] * along[:, 0]
    return first[:, :, None, None] * along[:, 1, None, :, None] * along[:, 2, None, None, :]
