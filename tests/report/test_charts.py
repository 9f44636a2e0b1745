"""Test the charts of reports and comparisons: where their points stand, how they are thinned, what their numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from wgan.report import charts
from wgan.visual.panels import Panel


def test_long_curves_are_thinned_and_keep_their_spikes():
    """Curves of a million steps."""
    steps, values = np.arange(1, 100_001.0), np.zeros(100_000) + np.arange(100_000) % 7
    values[51_234] = 20.0
    (panel,) = charts.charts_of({"a": {"generator/loss": (steps, values)}}, {})
    (line,) = panel.lines
    assert line.thin.count("L") < 400 and len(line.points) < 200
    assert min(float(p.split()[1]) for p in line.thin[1:].split("L")) < charts.TOP + 20


def test_a_chart_stands_where_its_numbers_say():
    (panel,) = charts.charts_of({"a": {"critic/slope": (np.array([0.0, 50, 100]), np.array([0.0, 2.0, 1.0]))}}, {})
    (line,) = panel.lines
    (x0, y0), (x1, y1), (x2, y2) = line.dots
    assert (x0, x1, x2) == (charts.LEFT, (charts.LEFT + charts.WIDTH - charts.RIGHT) / 2, charts.WIDTH - charts.RIGHT)
    assert y0 == charts.HEIGHT - charts.BOTTOM and y2 == panel.reference
    assert y1 - y2 == pytest.approx(y2 - y0, abs=0.2) and y1 > charts.TOP
    ticks = {text: y for y, text in panel.y_ticks}
    assert ticks["0"] == y0 and ticks["2"] == y1 and ticks["1"] == y2


def test_values_far_out_do_not_flatten_the_rest():
    values = np.sin(np.arange(1000.0))
    values[3] = 1e6
    (panel,) = charts.charts_of({"a": {"generator/loss": (np.arange(1000.0), values)}}, {})
    assert panel.beyond == "1 of 1000 values beyond the axis" and panel.hover["y"][1] < 10


def curve(*values, start=0.0, apart=10.0):
    return start + apart * np.arange(len(values)), np.array(values, float)


BOTH = {"critic/gradient_norm": curve(1, 2, 3), "generator/gradient_norm": curve(4, 6, 5)}


def test_colours_tell_tags_of_one_run_or_runs_apart():
    (alone,) = charts.charts_of({"a": BOTH}, {})
    assert [(n.name, n.colour, n.dashed, n.last) for n in alone.lines] == [
        ("critic", 0, False, "3"),
        ("generator", 1, False, "5"),
    ]
    assert alone.label == "Weight gradient norms: critic ends at 3; generator ends at 5"
    (two,) = charts.charts_of({"a": BOTH, "b": BOTH}, {})
    assert [(n.name, n.colour, n.dashed) for n in two.lines] == [
        ("a critic", 0, False),
        ("b critic", 1, False),
        ("a generator", 0, True),
        ("b generator", 1, True),
    ]
    (four,) = charts.charts_of(dict.fromkeys("abcd", BOTH), {})
    assert [(n.name, n.colour) for n in four.lines] == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]


def test_hovering_tells_each_line_its_own_points():
    (panel,) = charts.charts_of({"a": BOTH}, {})
    assert panel.hover["lines"] == [
        {"name": "critic", "points": [(0, 1.0), (10, 2.0), (20, 3.0)]},
        {"name": "generator", "points": [(0, 4.0), (10, 6.0), (20, 5.0)]},
    ]


@pytest.mark.parametrize(
    ("across", "points"),
    [([0.0015, 0.0025], [0.0015, 0.0025]), ([-1.5, 0.25], [-1.5, 0.25]), ([119.6, 12_345.678], [120, 12_346])],
)
def test_a_point_is_hovered_over_where_it_stands(across, points):
    panel = charts.chart_of(Panel("x", {"a": ""}), {"": {"a": (np.array(across), np.ones(2))}})
    assert [x for x, _ in panel.lines[0].points] == points


def test_the_ticks_below_are_those_of_the_steps():
    (panel,) = charts.charts_of({"a": {"generator/loss": curve(0.1, 0.2, 0.3, start=0, apart=50)}}, {})
    assert [text for _, text in panel.x_ticks] == ["0", "20", "40", "60", "80", "100"]
    assert panel.x_ticks[0][0] == charts.LEFT and panel.x_ticks[-1][0] == charts.WIDTH - charts.RIGHT


def test_an_axis_begins_at_0_or_left_of_it():
    kind = Panel("x", {"a": ""})
    for start, low in ((50.0, 0.0), (-30.0, -30.0)):
        assert charts.chart_of(kind, {"": {"a": curve(1, 2, 3, start=start)}}).hover["x"] == (low, start + 20)


def test_a_scatter_is_dots_in_the_order_of_what_runs_across():
    found = charts.chart_of(
        Panel("x", {"a": ""}), {"": {"a": (np.array([3.0, 1.0, 2.0]), np.array([5.0, 9.0, 7.0]))}}, joined=False
    )
    (line,) = found.lines
    assert line.points == [(1.0, 9.0), (2.0, 7.0), (3.0, 5.0)] and not line.thin and not line.thick
    assert line.last == "" and found.label == "x: "
    assert [x for x, _ in line.dots] == sorted(x for x, _ in line.dots) and len(line.dots) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (12_000, "12k"), (0.25, "0.25"), (3.14159, "3.142"), (3.1e-5, "3.1e-05"), (5e7, "5e+07")],
)
def test_numbers_are_short(value, text):
    assert charts.short_number(value) == text
