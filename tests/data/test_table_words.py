"""What a table says beside its numbers: row numbers, names that are numbers, missing labels, other ways of writing."""

import os

import numpy as np
import pytest
from helpers.own_data import refusal

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.own import memory


def write(path, head, count=60, label=None, row="{i},{a:.2f},{b}", start=0):
    """Write `count` rows under the line `head`; the label of row 7 is `label` where one is given."""
    rng = np.random.default_rng(0)
    lines = [row.format(i=start + i, a=rng.normal(), b=rng.integers(9)) for i in range(count)]
    if label is not None:
        lines = [f"{line},{label if i == 7 else 'yes'}" for i, line in enumerate(lines)]
    path.write_text("\n".join([*([head] if head else []), *lines]) + "\n")
    return path


def opened(path, **options):
    source = open_source(str(path), "all", options=ReadingOptions(**options))
    return source, " | ".join(source.notes)


@pytest.mark.parametrize(
    "head, row, start",
    [
        (",a,b", "{i},{a:.2f},{b}", 0),
        ('"",a,b', '"{i}",{a:.2f},{b}', 1),
        ("Unnamed: 0,a,b", "{i},{a:.2f},{b}", 0),
        ("Unnamed: 0.1,a,b", "{i},{a:.2f},{b}", 0),  # of a table that was written twice
        (",a,b", "{i}.0,{a:.2f},{b}", 0),
        ("a,b", "{i},{a:.2f},{b}", 1),
        ("a,b", "row {i},{a:.2f},{b}", 1),
        (",a,b", "name {i},{a:.2f},{b}", 1),
        ("a,b,", "{a:.2f},{b},", 1),
    ],
)
def test_a_column_that_only_numbers_or_names_rows_is_left_out(tmp_path, cache, head, row, start):
    source, notes = opened(write(tmp_path / "t.csv", head, row=row, start=start))
    assert source.units.names == ("a", "b") and "left out" in notes


def test_a_column_without_a_name_that_says_something_is_kept(tmp_path, cache):
    source, notes = opened(write(tmp_path / "t.csv", ",a,b", row="{b},{a:.2f},{b}"))
    assert source.units.names == ("", "a", "b") and not notes


def test_the_class_keeps_its_place_where_row_numbers_go(tmp_path, cache):
    path = write(tmp_path / "t.csv", ",a,b,c", label="no")
    source, _ = opened(path, labels="c")
    assert source.units.names == ("a", "b") and source.units.label_at == 2 and source.class_names == ("no", "yes")


@pytest.mark.parametrize(
    "head, row, count",
    [
        ("0,1,2", "{i},{a:.2f},{b}", 60),
        ("100,200", "{a:.2f},{a:.1f}", 60),
        ("1990,2000,2010", "{i},{b},1", 60),
        ("0,1,2,3,4", "{i},{b},1,{b},2", 60),
        ("0,1", "{a:.2f},{a:.1f}", 60),
        ("0", "{a:.3f}", 60),
    ],
)
def test_a_first_line_of_even_numbers_is_names(tmp_path, cache, head, row, count):
    source, notes = opened(write(tmp_path / "t.csv", head, row=row))
    assert len(source) == count and source.units.names == tuple(head.split(",")) and "is read as the names" in notes


@pytest.mark.parametrize("head", ["3,0.5,4", "1,2,3", "5,1,7", ""])
def test_a_first_line_that_may_be_a_row_is_one(tmp_path, cache, head):
    source, _ = opened(write(tmp_path / "t.csv", head, row="{b},{b},{i}"))
    assert len(source) == 60 + bool(head) and not source.units.names


NAMELESS = [
    "5.{i},3.5,Iris-{b}",
    "{b}, State-{b},77,?",
    "2024-01-1{b},{a:.2f}",
    "id-1{b},{b}",
    "{a:.2f},{b},red",  # a word that stands below again
    "2024-01-31 10:{i:02d},{b}",  # no cell stands below again, and all are written alike
]


@pytest.mark.parametrize("row", NAMELESS)
def test_a_first_line_like_all_others_is_a_row(tmp_path, cache, row):
    """Tables of words and numbers without names, as old collections have them."""
    source, notes = opened(write(tmp_path / "t.csv", "", row=row))
    assert len(source) == 60 and source.table.names == ["x0", "x1", "x2", "x3"][: row.count(",") + 1] and not notes


@pytest.mark.parametrize("head", ["country,1990,2000", "dose,0.5,1.5", "id,2,x2", "w,0,1", "w1,0.5,c"])
def test_a_first_line_with_a_new_word_is_names(tmp_path, cache, head):
    source, notes = opened(write(tmp_path / "t.csv", head, row="w{b},{a:.2f},{b}"))
    assert len(source) == 60 and source.table.names == head.split(",") and "is read as the names" in notes


def test_a_first_line_of_words_alone_is_names(tmp_path, cache):
    """Even of words that stand below again."""
    source, _ = opened(write(tmp_path / "t.csv", "w1,w2", row="w{b},w{b}"))
    assert len(source) == 60 and source.table.names == ["w1", "w2"]


def test_a_named_column_that_numbers_the_rows_is_told(tmp_path, cache):
    source, notes = opened(write(tmp_path / "t.csv", "id,a,b", start=1))
    assert source.units.names == ("id", "a", "b")
    assert "column id, 1 to 60, numbers the rows and is learned: --columns id=skip leaves it out" in notes
    assert "numbers the rows" not in opened(write(tmp_path / "t.csv", "id,a,b", start=2))[1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_text_as_excel_writes_it_is_read(tmp_path, cache, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    text = mark + "größe\tb\n" + "".join(f"{i}.5\tä{i % 3}\n" for i in range(60))
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    source, _ = opened(tmp_path / "t.csv")
    assert source.table.names == ["größe", "b"] and source.table.columns[1].levels == ("ä0", "ä1", "ä2")
    (tmp_path / "t.csv").write_bytes(text.encode(encoding)[:-1])
    assert "is not UTF-8 text" in refusal(tmp_path / "t.csv")


def test_a_line_of_blanks_is_no_row(tmp_path, cache):
    write(tmp_path / "t.csv", "i,a,b", row="{b},{a:.2f},{b}")
    with (tmp_path / "t.csv").open("a") as file:
        file.write("\n   \n")
    assert len(opened(tmp_path / "t.csv")[0]) == 60


@pytest.mark.parametrize("code", ["0{b}1{b}", "9{b}07199254740993"])
def test_numbers_that_no_float_keeps_are_not_rounded(tmp_path, cache, code):
    """Codes with a zero in front come back as they are; whole numbers above 2^53 are refused."""
    path = write(tmp_path / "t.csv", "a,code", row="{a:.2f}," + code)
    if code[0] == "9":
        assert "holds whole numbers above 2^53" in refusal(path)
    else:
        assert opened(path)[0].table.columns[1].levels[2] == "0212"


@pytest.mark.parametrize(
    "missing", ["NA", "", "NaN", "null", "None", "N/A", "<NA>", "?", " ?", "-", ".", "#VALUE!", "n.a."]
)
def test_a_missing_label_is_no_class(tmp_path, cache, missing):
    said = refusal(write(tmp_path / "t.csv", "i,a,b,c", label=missing), labels="c")
    assert "has no label in line 9" in said and (not missing or f"'{missing.strip()}'" in said)


@pytest.mark.parametrize("labels", [["+", "-"], ["?", ".", "-", "a"], ["-1", "1"], ["A+", "A-", "B"], ["none", "mild"]])
def test_signs_and_words_that_are_classes_stay_classes(tmp_path, cache, labels):
    lines = [f"{i % 9},{i % 7}.5,{labels[i % len(labels)]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines]))
    source, _ = opened(tmp_path / "t.csv", labels="c")
    assert sorted(source.class_names) == sorted(labels)


def test_a_label_that_is_named_as_missing_is_none(tmp_path, cache):
    said = refusal(write(tmp_path / "t.csv", "i,a,b,c", label="unknown"), labels="c", missing="unknown")
    assert "has no label in line 9 ('unknown')" in said


def test_a_mark_among_the_values_of_a_category_is_told(tmp_path, cache):
    lines = [f"{i % 9}.5,{['blue', 'red', ' ?'][i % 3]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,colour", *lines]))
    _, notes = opened(tmp_path / "t.csv")
    assert "column colour holds '?' in 20 of 60 rows" in notes and '--missing "?"' in notes
    _, notes = opened(tmp_path / "t.csv", missing="?")
    assert "holds" not in notes


@pytest.mark.parametrize("mark", [-999, 99999, -200, 0])
@pytest.mark.parametrize("word", [True, False])
def test_a_number_far_from_all_others_is_told(tmp_path, cache, mark, word):
    lines = [f"{mark if i % 10 == 0 else 20 + i % 9},{'ab'[i % 2] if word else i * 37 % 61}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["age,b", *lines]))
    _, notes = opened(tmp_path / "t.csv")
    assert f"column age holds {mark} in 6 of 60 rows, far from all others" in notes
    _, notes = opened(tmp_path / "t.csv", missing=str(mark))
    assert "far from" not in notes


ONCE = [-999, *range(59)]
FEW = [-999] * 45 + [*range(15)]  # 15 others say little of their range
FRACTION = [-999.5, *range(9)]


@pytest.mark.parametrize(
    "values", [[0, 1], [0, 50, 100], list(range(20)), [1, 2, 4, 8, 16, 32, 64], ONCE, FEW, FRACTION]
)
def test_numbers_that_only_lie_apart_are_not(tmp_path, cache, values):
    lines = [f"{values[i % len(values)]},{i * 37 % 61}.5" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *lines]))
    assert "far from" not in opened(tmp_path / "t.csv")[1]


@pytest.mark.parametrize(
    "text, said",
    [
        ("a;b\n" + "1,5;2\n" * 60, "'1,5' in line 2; if the comma is a decimal one, say --columns"),
        ("1,5;2,5\n" * 60, "'1,5' in line 1; if the comma is a decimal one, say --columns"),
        ("a,b\n" + '"1,234",2\n' * 60, "'1,234' in line 2; if the comma is a decimal one, say --columns"),
        ("a,b\n1,2\n2,3\n" * 30, "repeats its names of columns in line 4"),
        ("1.0 2.0 3.0\n" * 60, "blanks between its columns"),
        (
            "a,b\n" + "1,2\n" * 50 + "1\n",
            "1 cell in line 52, and 2 elsewhere; it is the last line: the file may be cut short",
        ),
        ("a,b\n1\n" + "1,2\n" * 50, "has 1 cell in line 2, and 2 elsewhere"),
        ("a,b,c\n" + "1,2\n" * 50, "has 2 cells in line 2, and 3 elsewhere"),
        ("x kind n\n" + "1.5 red 2\n" * 60, "blanks between its columns"),
        ("a,b\n" + "1,x\n" * 50 + "1,y\0\n", "holds a zero byte in line 52"),
        ("a,b\n1,2\n\n1,x\n" + "1,2\n" * 50, "'x' in line 4"),
        ("a,b\n1,2\ninf,3\n" + "1,2\n" * 50, "NaN or infinite values"),
        ("a,b\n1,x\ninf,y\n" + "1,x\n" * 50, "column a of"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    assert said in refusal(tmp_path / "t.csv")


def test_lines_that_end_with_a_delimiter_keep_their_names(tmp_path, cache):
    """They have a cell more than the line of names, and so have those of R, which begin with the names of the rows."""
    for name, line in (("t.csv", "{0},{1},w{2},\n"), ("r.csv", "row{0},{1},w{2},7.5\n")):
        text = "".join(line.format(i, i * 37 % 61, i % 3) for i in range(60))
        (tmp_path / name).write_text(("a,b,c\n" if name == "t.csv" else "b,c,d\n") + text)
    source, notes = opened(tmp_path / "t.csv", columns="a=number")
    assert source.table.names == ["a", "b", "c"] and "without a name" not in notes
    source, notes = opened(tmp_path / "r.csv")
    assert source.table.names == ["b", "c", "d"] and "the column without a name" in notes


def test_a_bar_may_stand_between_cells(tmp_path, cache):
    (tmp_path / "t.csv").write_text("a|b\n" + "".join(f"{i}.5|x,{i % 3}\n" for i in range(60)))
    source, _ = opened(tmp_path / "t.csv")
    assert source.table.names == ["a", "b"] and source.table.columns[1].levels == ("x,0", "x,1", "x,2")


def test_a_class_of_one_value_is_told(tmp_path, cache):
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i * 37 % 61}.5,x\n" for i in range(60)))
    source, notes = opened(tmp_path / "t.csv", labels="c")
    assert source.classes == 0 and "the class c has one value only: the data are read without classes" in notes


@pytest.mark.parametrize("head", ["sep=;\na;b", "# a;b", "# made by hand\n# a;b"])
def test_a_first_line_of_a_program_is_understood(tmp_path, cache, head):
    (tmp_path / "t.csv").write_text(head + "\n" + "".join(f"{i};{i * i}\n" for i in range(60)))
    source, _ = opened(tmp_path / "t.csv")
    assert source.units.names == ("a", "b") and len(source) == 60


@pytest.mark.parametrize("rows", [20, 20_000])  # the latter is longer than a cell may be
def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path, cache, rows):
    lines = ["a,b", *["1,two words"] * 50, '2,"half a cell', *["3,three words"] * rows]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    assert "has a cell that begins with a quote in line 52 and does not end" in refusal(tmp_path / "t.csv")


def test_a_file_cut_within_a_quoted_cell_is_refused(tmp_path, cache):
    whole = "\n".join(["a,b", *[f'{i * i % 50},"x, ""y""\n"' for i in range(60)]])
    (tmp_path / "t.csv").write_text(whole)
    assert len(opened(tmp_path / "t.csv")[0]) == 60
    (tmp_path / "t.csv").write_text(whole[:-1])
    assert "in line 120 and does not end" in refusal(tmp_path / "t.csv")


def test_a_cell_too_long_for_a_table_is_told_with_its_line(tmp_path, cache):
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *["1,x"] * 50, "2," + "x" * 200_000]))
    assert "has a cell of more than 131,072 characters in line 52" in refusal(tmp_path / "t.csv")


def test_columns_without_names_are_counted_where_there_are_two(tmp_path, cache):
    path = write(tmp_path / "t.csv", "a,,", row="{a:.2f},{b},{b}")
    assert "has 2 columns without a name: name them" in refusal(path)


@pytest.mark.parametrize("free, fits", [(2**40, True), (1, False), (None, True)])
def test_a_file_larger_than_the_memory_is_refused_before(tmp_path, cache, monkeypatch, free, fits):
    path = write(tmp_path / "t.csv", "a,b,c")
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    if fits:
        assert len(opened(path)[0]) == 60
    else:
        assert "of memory, of which 0.0 are free: give fewer rows" in refusal(path)


def test_free_memory_is_a_part_of_the_machines():
    found = memory.free_memory()
    assert found is None or 0 < found < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
