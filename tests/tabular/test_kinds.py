"""Which kind each column of a table is, by its cells or by what the user says, and what is refused in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.own_data import refusal

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.tabular.read import codes_like
from wgan.data.tabular.table import from_json
from wgan.sampling.where import read_where

pytestmark = pytest.mark.usefixtures("cache")
G = np.random.default_rng(0)
N = 60


def write(path, column, name="c"):
    """A table of whole numbers, words, and one column under test."""
    words = ["red", "blue", "green"]
    lines = [f'{i * i % 50},{words[i % 3]},"{cell}"' for i, cell in enumerate(column)]
    path.write_text("\n".join([f"a,b,{name}", *lines]) + "\n", encoding="utf-8")
    return path


def column_of(path, **options):
    """Return the column under test, None where it is left out, and the notes."""
    source = open_source(str(path), "all", options=ReadingOptions(**options))
    return {c.name: c for c in source.table.columns}.get("c"), " | ".join(source.notes)


@pytest.mark.parametrize(
    "column, kind",
    [
        ([str(v) for v in G.integers(0, 900, N)], "number"),
        ([f"{v:.3f}" for v in G.normal(size=N)], "number"),
        ([f"{v:.2e}" for v in G.normal(size=N)], "number"),
        (["1", "", "3"] * 20, "number"),
        (["1.5", "NA", "nan"] * 20, "number"),
        (["yes", "no"] * 30, "category"),
        (["True", "False", ""] * 20, "category"),
        (["01067", "80331"] * 30, "category"),
        (["1", "2", "x"] * 20, "category"),
        ([f"2021-{i % 12 + 1:02d}-03" for i in range(N)], "date"),
        ([f"{i % 28 + 1:02d}/02/2021 {i % 24:02d}:30" for i in range(N)], "date"),
        ([f"{i % 24:02d}:{i:02d}" for i in range(N)], "date"),
        (["2021-02-30", "2021-02-03", "03/02/2021"] * 20, "category"),
        ([f"1_0{i % 40}" for i in range(N)], "category"),
    ],
)
def test_the_kind_of_a_column_is_found(tmp_path, column, kind):
    assert column_of(write(tmp_path / "t.csv", column))[0].kind == kind


@pytest.mark.parametrize(
    "column, why",
    [
        ([f"name {i}" for i in range(N)], "column c names the rows (60 different texts in 60 cells): left out"),
        ([""] * N, "column c is empty: left out"),
        (["NaN", "NA", ""] * 20, "column c holds nothing but 'NaN': left out"),
    ],
)
def test_a_column_that_teaches_nothing_is_left_out_and_said(tmp_path, column, why):
    found, notes = column_of(write(tmp_path / "t.csv", column))
    assert found is None and why in notes


@pytest.mark.parametrize(
    "column, said",
    [
        ([f"{i} words that somebody wrote about this row of the table" for i in range(N)], "holds free text ('0 words"),
        (["1.5", "2.5"] * 29 + ["oops", "1.5"], "'oops' in line 60; fix it, name it as missing with --missing 'oops'"),
        (["1.5", "2.5"] * 29 + ["inf", "1.5"], "holds inf, which is infinite, in line 60"),
        (["1.5", "2.5"] * 29 + ["1" + "0" * 400], "holds 1" + "0" * 39 + ", which is infinite, in line 60"),
        (["1.5", "2.5"] * 29 + ["1_000"], "'1_000' in line 60; fix it"),
        (["1,234", "2,345"] * 30, "'1,234' in line 2; if the comma is a decimal one, say --columns"),
        ([str(2**60 + i) for i in range(N)], "holds whole numbers above 2^53"),
        ([f"({i})" if i % 3 else str(i) for i in range(N)], "'(1)' in line 3; save the table with plain numbers"),
        (["n, a", *map(str, range(2, N + 1))], "'n, a' in line 2; fix it, or say --columns c=category"),
        (["٣", "٤"] * 30, "'٣' in line 2; save the table with plain numbers"),
        (
            ["2021-02-03", "2021-02-04"] * 29 + ["2021-02-30"],
            "'2021-02-30' in line 60, which is not a date in the format %Y-%m",
        ),
        (
            ["soon"] + ["2021-02-03", "2021-02-04"] * 29,
            "'soon' in line 2, which is not a date in the format %Y-%m-%d: fix it",
        ),
    ],
)
def test_a_column_that_cannot_be_learned_is_refused_by_name(tmp_path, column, said):
    text = refusal(write(tmp_path / "t.csv", column))
    assert "column c of" in text and said in text


def test_the_user_says_what_a_column_is(tmp_path):
    path = write(tmp_path / "t.csv", [str(v) for v in G.integers(1, 5, N)])
    assert column_of(path)[0].kind == "number"
    assert column_of(path, columns="c=category")[0].kind == "category"
    assert column_of(path, columns="a=number, c=skip")[0] is None
    path = write(tmp_path / "d.csv", [f"202101{i % 28 + 1:02d}" for i in range(N)])
    dated, _ = column_of(path, columns="c=date:%Y%m%d")
    assert dated.kind == "date" and dated.text(0.0) == "19700101"


def test_decimal_commas_are_read_when_told_and_come_back(tmp_path):
    cells = [f"{i - 9},{i * 7 % 10}5" for i in range(N - 2)] + ["", "n.a."]
    path = write(tmp_path / "t.csv", cells)
    found, _ = column_of(path, columns="c=number:comma", missing="n.a.")
    source = open_source(str(path), "all", options=ReadingOptions(columns="c=number:comma", missing="n.a."))
    codes = source.codes(torch.arange(N))[:, 2]
    assert (found.kind, found.digits) == ("number", 2) and codes.isnan().sum() == 2
    assert -7.45 in codes and sorted(found.texts(codes.numpy())) == sorted([*cells[:-1], ""])
    assert from_json(json.loads(json.dumps(source.table.to_json()))) == source.table
    table = dict(zip("abc", (["1"], ["red"], ["0,45"]), strict=True))
    assert (
        codes_like(source.table, table, "r.csv")[0, 2]
        == codes_like(source.table, {**table, "c": ["0.45"]}, "r.csv")[0, 2]
    )
    assert [r.limit for r in read_where("c>=1,05,c<3", source.table)[1]] == [1.05, 3.0]


def test_points_among_decimal_commas_are_refused(tmp_path):
    path = write(tmp_path / "t.csv", ["1,5", "2,5"] * 29 + ["1.234", "1,5"])
    said = refusal(path, columns="c=number:comma")
    assert "holds '1.234' in line 60, which has a point" in said
    path = write(tmp_path / "u.csv", ["1,5", "2,5"] * 29 + ["1.234,5", "1,5"])
    assert "it holds '1.234,5' in line 60" in refusal(path, columns="c=number:comma")


@pytest.mark.parametrize(
    "asked, said",
    [
        ("c", "columns 'c': write NAME=KIND, where KIND is number, category, date"),
        ("c=word", "columns 'c=word': write NAME=KIND"),
        ("d=number", "has no column 'd'"),
        ("b=number", "column b of"),
        ("b=date", "is not written in one format of dates"),
        ("c=number:point", "columns 'c=number:point': write NAME=KIND"),
        ("c=category:comma", "columns 'c=category:comma': write NAME=KIND"),
        ("c=date:%Y", "holds 'yes' in line 2, which is not a date in the format %Y"),
        ("a=skip,b=skip,c=skip", "every column is left out"),
        ("a=number,a=category", "columns names a twice"),
        ("a=number,b", "columns 'b': write NAME=KIND"),
    ],
)
def test_a_wrong_kind_is_one_sentence(tmp_path, asked, said):
    assert said in refusal(write(tmp_path / "t.csv", ["yes", "no"] * 30), columns=asked)


def test_commas_in_names_and_formats_begin_no_column(tmp_path):
    path = write(tmp_path / "t.csv", [f"May {i % 28 + 1}, 2021" for i in range(N)], name='"x,y=z"')
    asked = ReadingOptions(columns="a=category,x,y=z=date:%B %-d, %Y,b=category")
    columns = open_source(str(path), "all", options=asked).table.columns
    assert [(c.name, c.kind, c.form) for c in columns][2] == ("x,y=z", "date", "%B %-d, %Y")
    assert columns[0].kind == columns[1].kind == "category"


@pytest.mark.parametrize("option", ["columns", "missing", "keep", "together"])
def test_options_of_tables_are_for_tables(tmp_path, option):
    np.save(tmp_path / "x.npy", np.zeros((60, 3)))
    assert "columns, missing, keep and together are for tables" in refusal(tmp_path / "x.npy", **{option: "a"})


def test_marks_of_missing_cells_come_back_as_they_were(tmp_path):
    path = write(tmp_path / "t.csv", [" ?", "1", "2"] * 20)
    assert column_of(path)[0].kind == "category"
    found, _ = column_of(path, missing="?,-")
    assert found.kind == "number" and found.coding.missing and found.texts(np.array([np.nan, 2.0])) == [" ?", "2"]


def test_a_date_that_may_be_read_in_two_ways_is_said(tmp_path):
    path = write(tmp_path / "t.csv", [f"0{i % 9 + 1}/0{i % 7 + 1}/2021" for i in range(N)])
    found, notes = column_of(path)
    assert found.form == "%d/%m/%Y" and "may be %m/%d/%Y" in notes
    found, notes = column_of(path, columns="c=date:%m/%d/%Y")
    assert found.form == "%m/%d/%Y" and not notes


def test_numbers_alone_are_read_as_before(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(N)))
    assert open_source(str(path)).table is None
    assert open_source(str(path), options=ReadingOptions(columns="a=category")).table is not None


def test_a_parquet_file_keeps_its_kinds(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"q": [1.5, None, 2.5] * 20, "t": [True, False, None] * 20, "w": ["x", "y", "z"] * 20}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = open_source(str(tmp_path / "t.parquet")).table
    assert [c.kind for c in table.columns] == ["number", "category", "category"]
    assert table.columns[1].values(np.array([1.0, 0.0, np.nan])) == [True, False, None]


def test_what_is_done_with_each_column_is_shown(tmp_path, command):
    path = write(tmp_path / "t.csv", [str(v / 8) for v in range(N)])
    said = command("data", path, "--no-measure").out
    assert "rows of 3 columns, which become" in said and "wgan train table" in said
    assert "b whole number" not in said and "b category, 3 levels: one of 3 levels" in said
    assert "c number, 3 digits after the point: quantiles to a normal law" in said


@pytest.mark.parametrize(
    "column, said",
    [
        ([f"{i}%" for i in range(N)], "'0%' in line 2; save the table with plain numbers"),
        ([f"${i}.50" for i in range(N)], "'$0.50' in line 2; save the table with plain numbers"),
        (
            ["?" if i % 2 else str(i * i) for i in range(N)],
            "'?' in line 3; fix it, name it as missing with --missing '?'",
        ),
    ],
)
def test_numbers_with_something_beside_them_are_told_from_words(tmp_path, column, said):
    assert said in refusal(write(tmp_path / "t.csv", column))
    assert column_of(tmp_path / "t.csv", columns="c=category")[0].kind == "category"


@pytest.mark.parametrize("start", [0, 1])
def test_a_named_column_that_counts_the_rows_is_left_out(tmp_path, start):
    found, notes = column_of(write(tmp_path / "t.csv", [str(i + start) for i in range(N)]))
    assert found is None and f"column c, {start} to {N - 1 + start}, numbers the rows: left out" in notes
    found, _ = column_of(tmp_path / "t.csv", columns="c=number")
    assert found.kind == "number"


def test_cells_keep_what_they_hold(tmp_path):
    """Formulas, line ends, and the marks at which Python splits lines come back as they are; a note tells of formulas."""
    column = ["=SUM(A1)", "two\nlines", "a\u2028b"] * 20
    found, notes = column_of(write(tmp_path / "t.csv", column))
    assert set(found.levels) == set(column) and "'=SUM(A1)', which a spreadsheet computes" in notes


def test_a_class_of_one_value_is_a_column_like_others(tmp_path):
    found, notes = column_of(write(tmp_path / "t.csv", ["yes"] * N), labels="c")
    assert found.levels == ("yes",) and "the class c has one value only" in notes


def test_a_first_line_that_holds_numbers_is_said_to_be_names(tmp_path):
    (tmp_path / "t.csv").write_text("place,0\n" + "".join(f"w{i % 3},{i * i}\n" for i in range(N)))
    assert "the first line, place, 0, is read as the names" in " ".join(open_source(str(tmp_path / "t.csv")).notes)


@pytest.mark.parametrize("count", [1, 39])
def test_too_few_rows_are_refused(tmp_path, count):
    assert f"has {count} sample" in refusal(write(tmp_path / "t.csv", ["x"] * count))


def test_forty_rows_and_a_level_seen_once_are_enough(tmp_path):
    found, _ = column_of(write(tmp_path / "t.csv", ["x"] * 39 + ["rare"]))
    assert found.levels == ("rare", "x")


def test_many_levels_share_what_the_rare_ones_need(tmp_path):
    path = tmp_path / "t.csv"
    levels = [f"level {int(2000 * g**4)}" for g in G.random(6000)]
    path.write_text("a,c\n" + "".join(f"{i % 7},{level}\n" for i, level in enumerate(levels)))
    source = open_source(str(path))
    assert len(source.table.columns[1].levels) > 900 and source.table.columns[1].coding.width == 65
