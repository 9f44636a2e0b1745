"""Signals as line plots: a grid of small curves, and the mean power spectrum of fakes beside that of reals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.visual.plots import COLOURS, FAKE, REAL, figure_of, image_of, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

SHOWN = 24  # signals of each side, where fakes stand beside reals
ROOM = 1.15  # of a cell of the grid: what is left of it separates the curves
DECADES = 6  # of the power that the spectrum shows, at most
Signals = NDArray[np.floating]


def lines(samples: Signals, real: Signals | None = None, spectra: tuple[Signals, Signals] | None = None) -> Image:
    """Return signals [N, C, T] as a grid of curves, its channels over each other; with `real` [M, C, T] SHOWN of both.

    spectra: the mean power of both [C, T // 2 + 1], shown with the reals. Raises WganError for numbers that are not finite.
    """
    if not np.isfinite(samples).all():
        raise WganError("signals hold numbers that are not finite: the generator has diverged")
    if real is None or spectra is None:
        side = 4.2 + 4.2 * min(1.0, len(samples) / 64)
        figure, (axes,) = figure_of(1, 1.4 * side, side)
        draw_grid(axes, samples, reach_of(samples), None)
        return image_of(figure)
    reach = reach_of(real)
    figure, parts = figure_of(3, 9, 7.6, share=False)
    for axes, some, colour, title in zip(parts, (samples, real), (FAKE, REAL), ("fake", "real"), strict=False):
        draw_grid(axes, some[:SHOWN], reach, colour if samples.shape[1] == 1 else None, columns=6)
        axes.set_title(title, loc="left", fontsize=10)
    draw_spectra(parts[2], *(s.sum(0) for s in spectra))
    return image_of(figure)


def reach_of(x: Signals) -> tuple[float, float]:
    """Return the values between which all but a few of signals lie, the height of one curve."""
    low, high = (float(v) for v in np.quantile(x, (0.001, 0.999)))
    return (low, high) if high > low else (low - 1, low + 1)


def draw_grid(
    axes: Axes, x: Signals, reach: tuple[float, float], colour: str | None, columns: int | None = None
) -> None:
    """Draw the signals [N, C, T] row by row, each in a cell of its own, cut to the cell's height."""
    from matplotlib.collections import LineCollection

    count, channels, steps = x.shape
    columns = columns or math.ceil(math.sqrt(count) / 1.5)
    low, high = reach
    height = 0.5 + 0.5 * ROOM
    at = np.arange(steps) / max(steps - 1, 1)
    for channel in range(channels):
        curves = []
        for i in range(count):
            y = ((x[i, channel] - low) / (high - low)).clip(0.5 - height, 0.5 + height - 0.15)
            curves.append(np.stack([at + i % columns * ROOM, y - i // columns * ROOM], 1))
        axes.add_collection(LineCollection(curves, colors=colour or COLOURS[channel % len(COLOURS)], linewidths=0.7))
    axes.set(
        xlim=(-0.05, columns * ROOM - 0.1), ylim=(-(-(-count // columns) - 1) * ROOM - 0.1, 1.1), xticks=[], yticks=[]
    )
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)


def draw_spectra(axes: Axes, ours: Signals, theirs: Signals) -> None:
    """Draw the power of fakes and reals at 0 .. T // 2 periods in a signal, on a logarithmic scale."""
    axes.semilogy(theirs, color=REAL, linewidth=2.4, label="real")
    axes.semilogy(ours, color=FAKE, linewidth=1.1, label="fake")
    top = float(theirs.max())
    axes.set_ylim(max(float(theirs.min()) / 10, top / 10**DECADES), top * 10)
    axes.set_title("mean power spectrum", loc="left", fontsize=10)
    axes.set_xlabel("periods in a signal", fontsize=9)
    legend_above(axes)
