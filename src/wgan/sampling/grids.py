"""What a run shows of itself: the sample grid of fixed latents at a step, and the images made when training ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wgan.data import Source
from wgan.files import replace_file
from wgan.metrics.signals import power
from wgan.rng import order
from wgan.sampling.histograms import table_histograms
from wgan.visual.columns import column_grid
from wgan.visual.images import image_grid, to_uint8
from wgan.visual.lines import lines
from wgan.visual.plots import limits_of, scatter
from wgan.visual.slices import slice_grid

COLUMNS = 10
SHOWN = 20  # columns of a table


def portray(samples: Tensor, source: Source | None) -> Image.Image:
    """Return images as a grid, volumes as slices, points as a scatter plot; signals and columns of tables next to real ones."""
    if samples.dim() == 4:
        return image_grid(to_uint8(samples), columns_of(len(samples)))
    if samples.dim() == 5:
        return slice_grid(samples)
    if samples.dim() == 3:
        made = samples.numpy()
        if source is None:
            return lines(made)
        beside = some_of(source, 1000).numpy()
        return lines(made, beside, (power(made), power(beside)))
    if source is not None and source.table is not None and source.codes is not None:
        real = source.codes(first(source, 2000)).numpy()
        return column_grid(table_histograms(source.table, source.table.decode(samples.numpy()), real, SHOWN))
    if samples.shape[1] == 1:
        samples = torch.cat([samples, torch.zeros_like(samples)], 1)
    if source is None:
        return scatter(samples[:, :2].numpy())
    real = some_of(source, 2000)[:, :2].numpy()
    real = real if real.shape[1] == 2 else np.concatenate([real, np.zeros_like(real)], 1)
    return scatter(samples[:, :2].numpy(), real, limits_of(real))


def columns_of(n: int) -> int:
    """Return how many columns the grid of n images has, so that it is about square."""
    return COLUMNS * math.ceil(math.sqrt(n) / COLUMNS)


def some_of(source: Source, most: int) -> Tensor:
    """Return up to `most` real samples, shuffled: every 50th point of the grid would be of one and the same mode."""
    return source.batch(first(source, most))[0]


def first(source: Source, most: int) -> Tensor:
    """Return the numbers of up to `most` real samples, shuffled."""
    return order(0, "epoch", len(source), 0, min(len(source), most))


def save_gif(frames: Sequence[Image.Image], path: Path, fps: float = 20) -> None:
    """Write frames of one size as a GIF that loops, whole or not at all."""
    options = {"save_all": True, "append_images": frames[1:], "duration": round(1000 / fps), "loop": 0}
    replace_file(path, lambda file: frames[0].save(file, format="GIF", **options))
