"""Plots of a run, as images: a scatter of 2-D samples, the loss curves. Files are written by images.save_png."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wgan.visual.panels import GAP, panels_of

if TYPE_CHECKING:  # matplotlib is imported where it is used: importing this file costs nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

REAL, FAKE = "#9aa1a9", "#d9480f"
COLOURS = ("#1c6fb8", FAKE, "#2b8a3e")  # of the curves of one panel
POINTS = 2000  # at most, in one curve
# figures between two searches for those that are no longer used: their parts refer to each other, and Python would let
# fifty of them wait, 35 MB, before it looks by itself; a search takes as long as drawing two
COLLECTED = 8
_drawn = itertools.count(1)
Curve = tuple[np.ndarray, np.ndarray]  # steps, values


def fonts_are_listed() -> bool:
    """Return whether the first plot will not have to wait for matplotlib's list of fonts, made once on each machine."""
    import matplotlib

    return any(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))


def limits_of(points: np.ndarray) -> tuple[float, float]:
    """Return the (low, high) of both axes that show `points` [N, 2] with a margin; take them once for all frames."""
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return -1.0, 1.0
    low, high = float(points.min()), float(points.max())
    margin = 0.12 * (high - low) or 1.0
    return low - margin, high + margin


def scatter(
    samples: np.ndarray,
    real: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    caption: str = "",
) -> Image:
    """Return a 512 x 512 image of 2-D samples [N, 2] over real points [M, 2]; says how many lie outside."""
    low, high = limits or limits_of(samples if real is None else real)
    figure, (axes,) = figure_of(1, 5.12, 5.12)
    axes.set_position((0.09, 0.07, 0.88, 0.87))  # the same frame whatever is written around it
    if real is not None:
        axes.scatter(real[:, 0], real[:, 1], s=7, color=REAL, linewidths=0, label="real")
    axes.scatter(samples[:, 0], samples[:, 1], s=7, color=FAKE, alpha=0.55, linewidths=0, label="fake")
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_title(caption, loc="left", fontsize=10)
    legend_above(axes)
    outside = len(samples) - int(((samples >= low) & (samples <= high)).all(axis=1).sum())
    if outside:
        note = f"{outside} of {len(samples)} fakes outside"
        axes.text(0.99, 0.01, note, transform=axes.transAxes, ha="right", color=FAKE, fontsize=9)
    return image_of(figure)


def figure_of(panels: int, width: float, height: float, share: bool = True) -> tuple[Figure, list[Axes]]:
    """Return a figure of `panels` above each other, on one axis with `share`; no pyplot: its state is the user's own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    all_axes = list(figure.subplots(panels, 1, sharex=share, squeeze=False)[:, 0])
    for axes in all_axes:
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8, length=2)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, all_axes


def image_of(figure: Figure) -> Image:
    """Return the drawn figure; pixels only, so that no version or date of matplotlib's gets into a file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    if next(_drawn) % COLLECTED == 0:
        gc.collect()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def legend_above(axes: Axes) -> None:
    """Put the legend next to the title, where it hides nothing."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.99),
        ncols=4,
        fontsize=8,
        frameon=False,
        borderpad=0.2,
        markerscale=1.7,
    )


def losses_plot(records: Sequence[Mapping[str, Any]], wasserstein: bool = True) -> Image:
    """Return the curves of a log, as read_log returns it, against the step; wasserstein: whether the score gap estimates W."""
    panels = [panel for panel in panels_of(() if wasserstein else ("it",)) if panel.pictured]
    chosen = [panel for panel in panels if not curves_of(records, {panel.instead: ""})]
    found = [(panel, curves) for panel in chosen if (curves := curves_of(records, panel.tags))]
    figure, parts = figure_of(max(1, len(found)), 9, 2.4 * max(1, len(found)) + 0.3)
    for axes, (panel, curves) in zip(parts, found, strict=False):
        axes.set_title(panel.title, loc="left", fontsize=10)
        if GAP in panel.tags:  # what it is not must stand in the picture; beside the title the legend needs the room
            axes.text(0.01, 0.97, panel.about, transform=axes.transAxes, va="top", fontsize=8, color="#666666")
        for (label, curve), colour in zip(curves.items(), COLOURS, strict=False):
            draw_curve(axes, label, *curve, colour)
        focus(axes, np.concatenate([values for _, values in curves.values()]))
        legend_above(axes)
    if not found:
        parts[0].set_title("nothing logged yet", loc="left", fontsize=10)
    parts[-1].set_xlabel("step (generator updates); thin: as logged, thick: smoothed", fontsize=9)
    return image_of(figure)


def curves_of(records: Sequence[Mapping[str, Any]], tags: Mapping[str, str]) -> dict[str, Curve]:
    """Return label -> (steps, values) for each of `tags` that was logged with a finite number."""
    curves = {}
    for tag, label in tags.items():
        numbers = [(r["step"], r[tag]) for r in records if isinstance(r.get(tag), (int, float))]
        pairs = np.array(numbers, np.float64).reshape(-1, 2)
        pairs = pairs[np.isfinite(pairs[:, 1])]
        if len(pairs):
            curves[label] = (pairs[:, 0], pairs[:, 1])
    return curves


def draw_curve(axes: Axes, label: str, steps: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Draw the values thin and their moving average thick; few values as points, for which a line says nothing."""
    if len(values) < 3:
        axes.plot(steps, values, "o", color=colour, markersize=5, label=label)
        return
    axes.plot(*extremes(steps, values), color=colour, alpha=0.35, linewidth=0.7)
    axes.plot(*smooth(steps, values), color=colour, linewidth=1.9, label=label)


def stretches_of(count: int, most: int = POINTS) -> list[np.ndarray]:
    """Return the indices 0 to count - 1 in at most `most` / 2 stretches of equal length."""
    return np.array_split(np.arange(count), min(count, most // 2))


def extremes(steps: np.ndarray, values: np.ndarray, most: int = POINTS) -> Curve:
    """Return the least and the greatest value of each stretch, so that no spike is thinned away."""
    ends = [(s[values[s].argmin()], s[values[s].argmax()]) for s in stretches_of(len(values), most)]
    pick = np.unique(ends)
    return steps[pick], values[pick]


def smooth(steps: np.ndarray, values: np.ndarray, most: int = POINTS) -> Curve:
    """Return the means of the stretches, averaged over a bell about 1/15 of the run wide."""
    stretches = stretches_of(len(values), most)
    means = np.array([values[s].mean() for s in stretches])
    width = 2 * (len(means) // 30) + 3  # odd, and no longer than a curve of three
    bell = np.hanning(width + 2)[1:-1]
    # not by differences of a running sum: after one huge value those have no digits left
    averaged = np.convolve(means, bell, "same") / np.convolve(np.ones(len(means)), bell, "same")
    return np.array([steps[s].mean() for s in stretches]), averaged


def focus(axes: Axes, values: np.ndarray) -> None:
    """Look at the bulk of the values where a few are so far out that they would flatten it, and say so."""
    low, high = np.quantile(values, (0.01, 0.99))
    low, high = low - 0.5 * (high - low), high + 0.5 * (high - low)
    if low == high or np.ptp(values) < 2 * (high - low):
        return
    beyond = int(((values < low) | (values > high)).sum())
    axes.set_ylim(low, high)
    note = f"{beyond} of {len(values)} values beyond the axis"
    axes.text(0.995, 0.03, note, transform=axes.transAxes, ha="right", fontsize=8, color="#555555")
