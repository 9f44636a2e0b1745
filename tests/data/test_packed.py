"""Columns of text are packed: as they were written, in about the bytes of the file, and read line by line."""

from __future__ import annotations

import tracemalloc

import pytest

from wgan.data.own import packed
from wgan.data.own.delimited import read_delimited
from wgan.data.own.packed import Packed

CELLS = ["", "a", "", "two\nlines", "ä ö", " blank ", "1.5", ""]


def filled(cells, closed=True):
    """Return cells, packed."""
    column = Packed()
    for cell in cells:
        column.append(cell)
    if closed:
        column.close()
    return column


@pytest.mark.parametrize("part", [1, 2, 3, 100])
@pytest.mark.parametrize("closed", [True, False])
def test_cells_come_back_as_they_were(monkeypatch, part, closed):
    monkeypatch.setattr(packed, "PART", part)
    column = filled(CELLS, closed)
    assert list(column) == CELLS and len(column) == len(CELLS) and list(column) == CELLS
    assert [column[i] for i in range(-8, 8)] == CELLS * 2 and column[2:5] == CELLS[2:5] and column[:99] == CELLS
    assert list(reversed(column)) == CELLS[::-1] and "two\nlines" in column
    for beyond in (8, -9):
        with pytest.raises(IndexError):
            column[beyond]


@pytest.mark.parametrize("cells", [[], [""], CELLS])
def test_a_cell_may_be_put_before_all_others(cells):
    column = filled(cells)
    column.lead("first")
    assert list(column) == ["first", *cells] and column[0] == "first" and column[-1] == ["first", *cells][-1]


@pytest.mark.parametrize("names", [True, False])
def test_a_large_file_is_read_in_about_its_size(tmp_path, names):
    line = "12.345,7.25,2024.5,7\n"
    (tmp_path / "t.csv").write_text("a,b,c,d\n" * names + line * 100_000)
    tracemalloc.start()
    sheet = read_delimited(tmp_path / "t.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sheet.columns[0]) == len(sheet.lines) == 100_000 and set(sheet.columns[1]) == {"7.25"}
    assert peak < 5 * (tmp_path / "t.csv").stat().st_size
