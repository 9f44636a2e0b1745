"""Charts of a report: where each line, tick and point of an inline SVG stands. The template draws them; no colour is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wgan.config.objectives import facts_about
from wgan.report.reader import Curve
from wgan.visual.panels import Panel, panels_of
from wgan.visual.plots import extremes, smooth

WIDTH, HEIGHT = 400, 232  # units of the viewBox, about the pixels of a card: text keeps its size
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 26  # margins
POINTS = 360  # of the thin curve; a card is as many pixels wide
AXES = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
FEW = 40  # values that are drawn one by one, with a dot each


@dataclass(frozen=True)
class Line:
    """One curve: its name, its colour's number, whether it is dashed, its paths, its dots, and the points for hovering."""

    name: str
    colour: int
    dashed: bool
    thin: str
    thick: str
    dots: Sequence[tuple[float, float]]
    points: Sequence[tuple[float, float]]  # step, value
    last: str  # value, where the line has an end that says something


@dataclass(frozen=True)
class Chart:
    """A panel as it is drawn: lines within axes."""

    title: str
    about: str
    lines: Sequence[Line]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    reference: float | None
    beyond: str
    hover: Mapping[str, Any]
    label: str
    bands: Sequence[tuple[int, str]] = ()  # a colour's number and the path of an area, drawn below the lines


@dataclass(frozen=True)
class Scale:
    """The map from steps and values to the viewBox."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, step: float, value: float) -> tuple[float, float]:
        """Return where a point stands, to a tenth of a unit."""
        across = LEFT + (step - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - (value - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - TOP - BOTTOM)
        far = 10 * HEIGHT  # beyond what any browser clips well
        return round(across, 1), round(min(max(down, -far), far), 1)

    def path(self, curve: Curve) -> str:
        """Return the curve as the d of an SVG path."""
        places = [self.at(*point) for point in zip(*curve, strict=True)]
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)


def charts_of(runs: Mapping[str, Mapping[str, Curve]], objectives: Mapping[str, str]) -> list[Chart]:
    """Return the charts of several runs' curves (run -> tag -> curve); a panel that no run logged is left out.

    One run: a colour for each tag. Several: a colour for each run, dashes for the second tag (left out of many runs).
    objectives: run -> objective; where one is not a Wasserstein objective, its gap of scores is not called an estimate.
    """
    others = [run for run, objective in objectives.items() if facts_about(objective).estimates != "Wasserstein"]
    panels = panels_of(others, alone=len(others) == len(objectives))
    return [chart for panel in panels if (chart := chart_of(panel, runs))]


def chart_of(panel: Panel, runs: Mapping[str, Mapping[str, Curve]], joined: bool = True) -> Chart | None:
    """Return one chart, None when there is nothing to draw; not joined: a scatter of dots."""
    several = len(runs) > 1
    tags = [tag for tag in panel.tags if any(tag in curves for curves in runs.values())]
    tags = tags[:1] if len(runs) > 3 else tags
    chosen = [
        (named(run, panel.tags[tag], several, len(tags)), r if several else t, several and t > 0, curves[tag])
        for t, tag in enumerate(tags)
        for r, (run, curves) in enumerate(runs.items())
        if tag in curves
    ]
    if not chosen or all(not curve[1].any() for *_, curve in chosen):
        return None
    scale, beyond = scale_of([curve for *_, curve in chosen], panel.reference)
    draw = line_of if joined else dots_of
    lines = [draw(name, colour, dashed, curve, scale) for name, colour, dashed, curve in chosen]
    hover = {
        "across": panel.across,
        "x": scale.x,
        "y": scale.y,
        "lines": [{"name": n.name, "points": n.points} for n in lines],
    }
    label = f"{panel.title}: " + "; ".join(f"{n.name} ends at {n.last}" if n.last else n.name for n in lines)
    mark = panel.reference
    reference = scale.at(0, mark)[1] if mark is not None and scale.y[0] <= mark <= scale.y[1] else None
    x_ticks = [(scale.at(v, 0)[0], short_number(v)) for v in ticks(*scale.x, 5)]
    y_ticks = [(scale.at(0, v)[1], short_number(v)) for v in ticks(*scale.y, 5)]
    return Chart(panel.title, panel.about, lines, x_ticks, y_ticks, reference, beyond, hover, label)


def named(run: str, tag: str, several: bool, tags: int) -> str:
    """Return what a line is called: its tag among one run's, its run among several, both among both."""
    if not several:
        return tag
    return f"{run} {tag}" if tags > 1 else run


def scale_of(curves: Sequence[Curve], reference: float | None) -> tuple[Scale, str]:
    """Return axes around the bulk of the values, and a sentence about those beyond."""
    steps = np.concatenate([steps for steps, _ in curves])
    values = np.concatenate([values for _, values in curves])
    low, high = float(values.min()), float(values.max())
    inner = np.quantile(values, (0.01, 0.99))
    margin = 0.5 * float(inner[1] - inner[0])
    beyond = ""
    if margin > 0 and high - low > 2 * (float(inner[1] - inner[0]) + 2 * margin):
        low, high = float(inner[0]) - margin, float(inner[1]) + margin
        count = int(((values < low) | (values > high)).sum())
        beyond = f"{count} of {len(values)} values beyond the axis"
    if reference is not None and low - 2 * (high - low) < reference < high + 2 * (high - low):
        low, high = min(low, reference), max(high, reference)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = (low - room if low < 0 or low > 4 * room else min(0.0, low)), high + room
    first, last = float(min(steps.min(), 0)), float(steps.max())  # a scatter may lie left of 0 altogether
    return Scale((first, last if last > first else first + 1), (low, high)), beyond


def line_of(name: str, colour: int, dashed: bool, curve: Curve, scale: Scale) -> Line:
    """Return a curve of few values with a dot for each, of many as a thin one and its thick average."""
    steps, values = curve
    last = short_number(float(values[-1]))
    if len(values) <= FEW:
        dots = [scale.at(s, v) for s, v in zip(steps, values, strict=True)]
        return Line(name, colour, dashed, "", scale.path(curve), dots, rounded(curve), last)
    average = smooth(steps, values, POINTS)
    thin, thick = scale.path(extremes(steps, values, POINTS)), scale.path(average)
    return Line(name, colour, dashed, thin, thick, (), rounded(average), last)


def dots_of(name: str, colour: int, dashed: bool, curve: Curve, scale: Scale) -> Line:
    """Return a curve as dots alone, in the order of its first numbers."""
    order = np.argsort(curve[0], kind="stable")
    across, up = curve[0][order], curve[1][order]
    dots = [scale.at(a, u) for a, u in zip(across, up, strict=True)]
    points = [(float(f"{a:.4g}"), float(f"{u:.4g}")) for a, u in zip(across, up, strict=True)]
    return Line(name, colour, dashed, "", "", dots, points, "")


def rounded(curve: Curve) -> list[tuple[float, float]]:
    """Return the points with as many digits as a tooltip shows; whole steps, but the fractions of a short axis."""
    return [
        (round(float(s)) if abs(s) >= 100 else float(f"{s:.4g}"), float(f"{v:.4g}"))
        for s, v in zip(*curve, strict=True)
    ]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return round numbers between low and high."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(v) for v in found if low <= v <= high]


def short_number(value: float) -> str:
    """Return a number in a few characters: 12k, 0.25, 3.1e-05."""
    if value != 0 and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:.2g}"
    if abs(value) >= 10_000:
        return f"{value / 1000:.4g}k"
    return f"{value:.4g}"
