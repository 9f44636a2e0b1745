"""Dates and times are found in the ways that people and programs write them, and come back as they were written."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.tabular.dates import FORMATS, LOOKED_AT, formats_of, seconds_of, text_of

START = datetime(2023, 12, 25, 0, 58, 7)
MOMENTS = [START + timedelta(days=3 * i, hours=7 * i, milliseconds=1001 * i) for i in range(60)]


def written(moment, form):
    """A moment as a program would write it, without this package."""
    parts = {
        "%-d": f"{moment.day}",
        "%-m": f"{moment.month}",
        "%-H": f"{moment.hour}",
        "%-I": f"{moment.hour % 12 or 12}",
        "%3f": f"{moment:%f}"[:3],
    }
    for part, text in parts.items():
        form = form.replace(part, text)
    return moment.strftime(form)


@pytest.mark.parametrize(
    "form",
    [
        "%-m/%-d/%Y",
        "%-d.%-m.%Y",
        "%m/%d/%y",
        "%-m/%-d/%y %-I:%M %p",
        "%-d %B %Y",
        "%b %-d, %Y",
        "%Y-%m-%d %H:%M:%S.%3f",
        "%Y-%m-%dT%H:%M:%S.%3fZ",
        "%Y-%m-%d %H:%M:%S+02:00",
        "%Y-%m-%dT%H:%M:%S.%f-0530",
    ],
)
def test_a_column_of_dates_comes_back_as_written(tmp_path, cache, form):
    cells = [written(moment, form) for moment in MOMENTS]
    lines = [f'{i * i % 50},"{cell}"' for i, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["a,when", *lines]) + "\n")
    source = open_source(str(tmp_path / "t.csv"), "all", options=ReadingOptions())
    when = source.table.columns[1]
    assert (when.name, when.kind, when.form) == ("when", "date", form)
    assert [when.text(seconds_of(cell, form)) for cell in cells] == cells


def test_every_known_format_is_read_as_it_is_written():
    for form in FORMATS:
        cells = [written(moment, form) for moment in MOMENTS]
        assert formats_of(cells) and [text_of(seconds_of(cell, form), form) for cell in cells] == cells, form


def test_formats_that_read_alike_are_one():
    assert formats_of(["12/25/2024", "11/13/2024"]) == ["%m/%d/%Y"]
    assert formats_of(["12/11/2024", "10/11/2024"]) == ["%d/%m/%Y", "%m/%d/%Y"]


def test_one_cell_far_below_tells_days_from_months():
    cells = [f"{i % 12 + 1:02}/{i // 12 + 1:02}/{year}" for year in (2023, 2024) for i in range(144)]
    assert len(cells) > LOOKED_AT
    assert formats_of(cells) == ["%d/%m/%Y", "%m/%d/%Y"] and formats_of([*cells, "12/25/2024"]) == ["%m/%d/%Y"]


@pytest.mark.parametrize(
    "cells", [["1.10.3", "1.2.15"], ["a-b-c"], ["12-34", "5-6"], ["3:1", "2:2"], ["10.0.0.1"], ["Q1 2024"]]
)
def test_what_only_looks_like_a_date_is_none(cells):
    assert not formats_of(cells)


def test_dates_written_in_two_ways_are_said(tmp_path, cache):
    cells = ["2021-2-3", *["2021-02-03", "2021-02-04"] * 30]
    (tmp_path / "t.csv").write_text("\n".join(["a,when", *(f"{i * i % 50},{c}" for i, c in enumerate(cells))]) + "\n")
    source = open_source(str(tmp_path / "t.csv"), "all")
    assert source.table.columns[1].form == "%Y-%m-%d"
    assert "column when: not every date is written as %Y-%m-%d" in " | ".join(source.notes)


def test_other_offsets_are_taken_to_the_first_and_said(tmp_path, cache):
    """As a winter and a summer of one place have them."""
    zones = ["2024-01-05 10:00:00+01:00", "2024-07-05 10:00:00+02:00", "2024-07-05 10:00:00-0330"]
    form = "%Y-%m-%d %H:%M:%S+01:00"
    taken = [text_of(seconds_of(zone, form), form) for zone in zones[1:]]
    assert taken == ["2024-07-05 09:00:00+01:00", "2024-07-05 14:30:00+01:00"]
    (tmp_path / "t.csv").write_text("when,b\n" + "".join(f"{zones[i % 3]},{i * i}\n" for i in range(60)))
    source = open_source(str(tmp_path / "t.csv"))
    assert source.table.columns[0].form == form
    assert any("not every date is written as %Y-%m-%d %H:%M:%S+01:00, and all come back so" in n for n in source.notes)
