"""The columns of a table as small histograms: real rows as grey areas, generated ones as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wgan.visual.plots import FAKE, REAL, figure_of, image_of

if TYPE_CHECKING:
    from PIL.Image import Image

ACROSS = 4  # histograms in a row
WIDE, HIGH = 1.12, 1.45  # of a cell, whose histogram is 1 wide and 1 high
NAME = 18  # characters


def column_grid(histograms: Sequence[Mapping[str, Any]]) -> Image:
    """Return histograms with `name`, `real` and `fake`, the fractions of each bar, as one image."""
    from matplotlib.collections import LineCollection, PolyCollection

    rows = -(-len(histograms) // ACROSS)
    figure, (axes,) = figure_of(1, 8, 0.4 + 1.3 * rows)
    areas, lines = [], []
    for k, it in enumerate(histograms):
        x, y = k % ACROSS * WIDE, -(k // ACROSS) * HIGH
        most = max([*it["real"], *it["fake"]], default=0.0) or 1.0
        areas.append(outline(it["real"], most, x, y))
        lines.append(outline(it["fake"], most, x, y))
        axes.text(x, y + 1.1, it["name"][:NAME], fontsize=9)
    axes.add_collection(PolyCollection(areas, facecolors=REAL, alpha=0.55, linewidths=0))
    axes.add_collection(LineCollection(lines, colors=FAKE, linewidths=1.3))
    axes.set(xlim=(-0.05, ACROSS * WIDE), ylim=(-(rows - 1) * HIGH - 0.1, HIGH), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return image_of(figure)


def outline(heights: Sequence[float], most: float, x: float, y: float) -> np.ndarray:
    """Return the corners [P, 2] of a histogram of height 1 and width 1 at (x, y)."""
    edges = np.repeat(np.linspace(0, 1, len(heights) + 1), 2)
    tops = np.r_[0.0, np.repeat(np.asarray(heights, np.float64) / most, 2), 0.0]
    return np.stack([x + edges, y + tops], 1)
