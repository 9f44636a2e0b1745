"""Columns of text are packed: as they were written, in about the bytes of the file, and read line by line."""

from __future__ import annotations

import tracemalloc

import pytest

from wgan.data import open_source
from wgan.data.own import delimited
from wgan.data.own.delimited import read_delimited
from wgan.data.own.packed import Packed
from wgan.data.tabular.cells import read_cells
from wgan.errors import WganError

CELLS = ["", "a", "", "two\nlines", "ä ö", " blank ", "1.5", ""]


def filled(cells, part=3):
    """Return cells, packed in parts."""
    column = Packed()
    for first in range(0, len(cells), part):
        column.extend(cells[first : first + part])
    return column


@pytest.mark.parametrize("part", [1, 2, 3, 100])
def test_cells_come_back_as_they_were(part):
    column = filled(CELLS, part)
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


@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
def test_lines_read_in_blocks_keep_their_order(tmp_path, monkeypatch, block):
    monkeypatch.setattr(delimited, "BLOCK", block)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i},w{i}\n\n" for i in range(7)))
    sheet = read_delimited(path)
    assert [list(c) for c in sheet.columns] == [[str(i) for i in range(7)], [f"w{i}" for i in range(7)]]
    assert list(sheet.lines) == list(range(2, 16, 2))
    path.write_text(path.read_text() + "8\n9,w\n10,w,w\n")
    with pytest.raises(WganError, match=r"has 1 cell in line 16, and 2 elsewhere$"):
        read_delimited(path)


@pytest.mark.parametrize("line", [3, 61])
def test_names_that_stand_in_a_table_again_are_seen(tmp_path, line):
    rows = ["a,x", "z,b", "a,y"] * 20  # each column holds its own name often, and no row both
    rows.insert(line - 2, " a , b")
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *rows, ""]))
    with pytest.raises(WganError, match=f"repeats its names of columns in line {line}:"):
        read_cells(tmp_path / "t.csv")


def test_a_table_with_words_is_read_once(tmp_path, monkeypatch, cache):
    read = []
    monkeypatch.setattr(delimited, "whole_lines", lambda file, path: read.append(path) or file)
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i % 9},{'xy'[i % 2]}\n" for i in range(60)))
    assert len(open_source(str(tmp_path / "t.csv"), "all")) == 60 and len(read) == 1


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
