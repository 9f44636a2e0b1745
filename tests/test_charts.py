"""Test the charts of reports and comparisons: where their points stand, how they are thinned, what their numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from wgan import charts


def test_curves_of_a_million_steps_are_thinned_and_keep_their_spikes():
    steps, values = np.arange(1, 100_001.0), np.zeros(100_000) + np.arange(100_000) % 7
    values[51_234] = 20.0
    (panel,) = charts.panels({"a": {"generator/loss": (steps, values)}}, {})
    (line,) = panel.lines
    assert line.thin.count("L") < 400 and len(line.points) < 200
    assert min(float(p.split()[1]) for p in line.thin[1:].split("L")) < charts.TOP + 20


def test_a_chart_stands_where_its_numbers_say():
    (panel,) = charts.panels({"a": {"critic/slope": (np.array([0.0, 50, 100]), np.array([0.0, 2.0, 1.0]))}}, {})
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
    (panel,) = charts.panels({"a": {"generator/loss": (np.arange(1000.0), values)}}, {})
    assert panel.beyond == "1 of 1000 values beyond the axis" and panel.hover["y"][1] < 10


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (12_000, "12k"), (0.25, "0.25"), (3.14159, "3.142"), (3.1e-5, "3.1e-05"), (5e7, "5e+07")],
)
def test_numbers_are_short(value, text):
    assert charts.short(value) == text
