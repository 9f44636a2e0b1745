"""Test the one list of panels that losses.png, the report and the comparison read."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.axes import Axes

from wgan.report import charts
from wgan.visual import plots
from wgan.visual.panels import PANELS, panels_of

LOGGED = Path(__file__).parents[2] / "docs" / "reference" / "logged.md"


def test_every_tag_of_a_panel_is_one_that_a_run_logs():
    known = set(re.findall(r"`(\w+/\w+)`", LOGGED.read_text()))
    tags = [tag for panel in PANELS for tag in (*panel.tags, panel.instead) if tag]
    assert set(tags) <= known and len({panel.title for panel in PANELS}) == len(PANELS)


def test_the_picture_and_the_page_call_a_panel_alike(monkeypatch):
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda self, text, **options: titles.append(text))
    records = [{"step": step, **{t: 1.0 + step for p in PANELS for t in p.tags}} for step in range(9)]
    plots.losses_plot(records)
    curves = plots.curves_of(records, {tag: tag for panel in PANELS for tag in panel.tags})
    on_page = [chart.title for chart in charts.charts_of({"run": curves}, {})]
    assert on_page == [panel.title for panel in PANELS]
    pictured = [p.title for p in PANELS if p.pictured and not p.instead]  # critic/slope is logged
    assert [text.partition(" (")[0] for text in titles] == pictured


def test_only_the_score_gap_is_called_otherwise():
    alone, beside = panels_of(["gan"]), panels_of(["gan"], alone=False)
    assert [p for p, q in zip(PANELS, alone, strict=True) if p != q] == [PANELS[0]]
    assert alone[0].title == "Score gap of the critic" and "no estimate" in alone[0].about
    assert beside[0].title == PANELS[0].title and "of gan only the gap" in beside[0].about
