"""What a name of data that cannot be one really is: an address, a name in quotes, a name with blanks."""

import numpy as np
import pytest

from wgan.data import is_own, open_source
from wgan.data.own.open import absolute
from wgan.errors import WganError


@pytest.mark.parametrize(
    "spec, said",
    [
        ("https://x.org/a.zip", "download https://x.org/a.zip first"),
        ("HTTP://x.org/a", "download HTTP://x.org/a first"),
        ("s3://bucket/pictures", "download s3://bucket/pictures first"),
        ("ftp://x.org/a.csv", "download ftp://x.org/a.csv first"),
        ("https://huggingface.co/datasets/o/n/tree/main", "give hf:o/n"),
        ("hf://datasets/o/n", "give hf:o/n"),
        ("hf:https://huggingface.co/datasets/o/n", "give hf:o/n"),
        ("file:///home/me/a.csv", "give the path, /home/me/a.csv"),
        ("'faces.zip'", "written in quotes"),
        ('"my faces"', "written in quotes"),
        ("\u201cfaces\u201d", "written in quotes"),
        (" faces.zip ", "written with blanks around it"),
        ("mnist ", "give 'mnist' without"),
        ("my faces", "no file or folder /"),
    ],
)
def test_what_a_wrong_name_is_is_said(spec, said, here):
    with pytest.raises(WganError, match=said):
        open_source(spec)
    with pytest.raises(WganError, match=said):
        open_source(absolute(spec))


@pytest.mark.parametrize(
    "name, said",
    [
        ("t.txt", "where it is a table of cells .* the ending .csv"),
        ("iris.data", "where it is a table of cells .* the ending .csv"),
        ("t.XLSX", "save the table as CSV or Parquet"),
        ("t.jsonl", "save the table as CSV or Parquet"),
        ("x.mat", "save the samples as an array, numpy.save"),
        ("t.csv.gz", "unpack it first"),
        ("x.odd", "give a folder of images"),
    ],
)
def test_a_file_of_another_kind_names_the_way(tmp_path, cache, name, said):
    (tmp_path / name).write_text("1 2 3")
    with pytest.raises(WganError, match=f"is of no kind that --data takes: {said}"):
        open_source(str(tmp_path / name))


def test_a_name_with_blanks_or_quotes_that_is_there_is_read(here, cache):
    for name in ("my rows.npy", "'rows'.npy", " rows.npy"):
        np.save(here / name, np.random.default_rng(0).normal(size=(60, 3)))
        assert len(open_source(absolute(name))) > 0


@pytest.mark.parametrize("spec", ["ring", "mnist:0-4"])
def test_a_bundled_name_is_not_a_folder_called_so(here, spec):
    (here / spec).mkdir()
    assert not is_own(spec) and absolute(spec) == spec and open_source(spec).recipe == spec.partition(":")[0]
    assert absolute(f"./{spec}") == str(here / spec)


def test_words_of_one_name_without_quotes_are_told(here, command):
    (here / "my own faces").mkdir()
    assert command("train", "--data", "my", "own", "faces").sentence() == (
        "'my own faces' is one name with blanks: write it in quotes"
    )
    assert "is one name" not in command("train", "--data", "your", "own", "faces").sentence()
