"""metadata.csv beside pictures: each picture gets the conditions of its own row, in folders and archives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.own_data import folder_of, pack_zip, refusal

import wgan
from wgan.config import ReadingOptions
from wgan.data import open_source

pytestmark = pytest.mark.usefixtures("cache")
N = 44


def table(folder, rows, head="file_name,energy,kind"):
    (folder / "metadata.csv").write_text("\n".join([head, *rows]) + "\n")


def pictures(folder, rows=None):
    """Grey pictures of brightness 0, 1, 2, ... whose conditions tell it; the rows of the table are in another order."""
    folder_of(folder, N)
    told = [f"{i:03d}.png,{10 * i},{'odd' if i % 2 else 'even'}" for i in range(N)]
    table(folder, told[::-1] if rows is None else rows(told))
    return folder


def told_of(source):
    c = source.conditions.columns
    number, *hot = source.told.numpy().T
    return number * c[0].scale + c[0].mean, np.array(c[1].levels)[np.argmax(hot, 0)]


def require_own(source, names):
    x = source.batch(torch.arange(len(source)))[0][:, 0, 0, 0].numpy()
    energy, kind = told_of(source)
    assert energy == pytest.approx(10.0 * x, abs=1e-3)
    assert [*kind] == [("even", "odd")[i % 2] for i in x] and source.conditions.names == names


@pytest.mark.parametrize("depth", ["byte", "float"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_each_picture_has_the_conditions_of_its_row(split, depth, tmp_path):
    options = ReadingOptions(conditions="energy,kind", depth=depth)
    source = open_source(str(pictures(tmp_path / "p")), split, options=options)
    if depth == "float":
        low, high = source.depth.low, source.depth.high
        x = source.batch(torch.arange(len(source)))[0][:, 0, 0, 0].numpy()
        assert told_of(source)[0] == pytest.approx(10 * ((x + 1) / 2 * (high - low) + low), abs=0.01)
    else:
        require_own(source, ["energy", "kind"])
    assert source.labels is None and not any("other file" in note for note in source.notes)


def test_an_archive_of_split_folders_is_read_likewise(tmp_path):
    for name, start in (("train", 0), ("test", N)):
        folder_of(tmp_path / "p" / name, N, start=start)
        table(
            tmp_path / "p" / name,
            [f"{i:03d}.png;{10 * (start + i)};{'eo'[i % 2]}" for i in range(N)],
            "file_name;energy;kind",
        )
    packed = pack_zip(tmp_path / "p", tmp_path / "p.zip", "*.*")
    for path in (tmp_path / "p", packed):
        test = open_source(str(path), "test", options=ReadingOptions(conditions="energy"))
        x = test.batch(torch.arange(N))[0][:, 0, 0, 0].numpy()
        c = test.conditions.columns[0]
        assert test.told.numpy()[:, 0] * c.scale + c.mean == pytest.approx(10.0 * x, abs=1e-3) and min(x) == N


def test_a_changed_table_is_read_anew(tmp_path):
    folder = pictures(tmp_path / "p")
    options = ReadingOptions(conditions="energy")
    before = open_source(str(folder), options=options)
    text = (folder / "metadata.csv").read_text()
    (folder / "metadata.csv").write_text(text.replace("000.png,0,", "000.png,7,"))
    after = open_source(str(folder), options=options)
    assert before.fingerprint != after.fingerprint


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (lambda told: told[:-2], "has no row for 2 of 44 images, the first is 042.png"),
        (
            lambda told: ["000.png,,even", *told[1:]],
            "no value of condition energy for 1 of 44 samples, the first is sample 0",
        ),
        (lambda told: ["000.png,NaN,even", *told[1:]], "no value of condition energy for 1 of 44"),
        (lambda told: ["000.png,5", *told[1:]], "row 2 has 2 cells, and the first has 3"),
    ],
)
def test_a_table_that_lacks_something_is_refused(rows, said, tmp_path):
    assert said in refusal(pictures(tmp_path / "p", rows), conditions="energy")


def test_unknown_columns_and_tables_are_refused(tmp_path):
    folder = pictures(tmp_path / "p")
    assert "has no column enrgy: did you mean energy?" in refusal(folder, conditions="enrgy")
    table(folder, ["a,1"], "name,energy")
    assert "has no column file_name" in refusal(folder, conditions="energy")
    (folder / "metadata.csv").write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in refusal(folder, conditions="energy")
    (folder / "metadata.csv").unlink()
    assert "has no metadata.csv" in refusal(folder, conditions="energy")


def test_a_folder_of_pictures_trains_and_is_asked(tmp_path):
    small = {
        "steps": 1,
        "batch": 8,
        "latent": 4,
        "generator_layers": "/ 6 4k4x2 / k4x2",
        "critic_layers": "4k4x2 4k4x2 /",
    }
    run = wgan.train(
        data=str(pictures(tmp_path / "p")), run=tmp_path / "run", conditions="energy,kind", threads=1, **small
    )
    model = wgan.load(run)
    made = model.sample(4, given="energy=50,kind=odd")
    assert made.shape == (4, 1, 16, 16) and [*made.given["kind"]] == ["odd"] * 4
    assert model.network.conditioning == "norm" and model.run.facts.classes == 0
    far = model.sample(4, given="energy=400,kind=odd")
    assert torch.equal(made, model.sample(4, given="energy=50,kind=odd"))
    moved = [m for m in model.network.modules() if type(m).__name__ == "Linked"]
    assert len(moved) >= 2 and any(float(m.weight.abs().max()) > 0 for m in moved) and not torch.equal(far, made)


def brightness_and_class(source):
    x, y = source.batch(torch.arange(len(source)))
    return x[:, 0, 0, 0].tolist(), [source.class_names[i] for i in y.tolist()]


@pytest.mark.parametrize("labels", ["auto", "label", "sort"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_classes_may_be_a_column_of_the_table(labels, split, tmp_path):
    folder_of(tmp_path / "p", N)
    rows = [f"{i:03d}.png,{('b', 'a')[i % 2]},{i % 4 * 5}" for i in range(N)]
    table(tmp_path / "p", rows[::-1], "file_name,label,sort")
    source = open_source(str(tmp_path / "p"), split, options=ReadingOptions(labels=labels))
    told = [str(i % 4 * 5) if labels == "sort" else ("b", "a")[i % 2] for i in brightness_and_class(source)[0]]
    assert brightness_and_class(source)[1] == told
    assert [*source.class_names] == (["0", "5", "10", "15"] if labels == "sort" else ["a", "b"])
    assert any("classes are the column label" in n for n in source.notes) == (labels == "auto")


def test_folders_go_before_the_column_of_the_table(tmp_path):
    for name in ("cats", "dogs"):
        folder_of(tmp_path / "p" / name, N)
    rows = [f"{name}/{i:03d}.png,{i % 2}" for name in ("cats", "dogs") for i in range(N)]
    table(tmp_path / "p", rows, "file_name,label")
    for labels, names in (("auto", ["cats", "dogs"]), ("label", ["0", "1"]), ("none", [])):
        source = open_source(str(tmp_path / "p"), options=ReadingOptions(labels=labels))
        assert [*source.class_names] == names


def test_a_changed_list_of_labels_is_read_again(tmp_path):
    folder_of(tmp_path / "p", N)
    for flip in (0, 1):
        table(tmp_path / "p", [f"{i:03d}.png,{i % 2 ^ flip}" for i in range(N)], "file_name,label")
        bright, classes = brightness_and_class(open_source(str(tmp_path / "p")))
        assert classes == [str(i % 2 ^ flip) for i in bright]


@pytest.mark.parametrize(
    ("rows", "labels", "said"),
    [
        (
            lambda i: f"{i:03d}.png,{'NA' if i == 7 else 'x' if i % 2 else 'y'}",
            "auto",
            "has no label in image 007.png ('NA'): fill it in",
        ),
        (
            lambda i: f"{i:03d}.png,{'' if i < 3 else 'x' if i % 2 else 'y'}",
            "label",
            "has no label in image 000.png and 2 more: fill it in",
        ),
        (lambda i: f"{i:03d}.png,{i}", "label", "has 44 classes for 44 samples"),
        (lambda i: f"{i:03d}.png,{i % 2}", "lable", "has no column lable: did you mean label"),
        (lambda i: f"{i + (i == 5) * 900:03d}.png,{i % 2}", "auto", "has no row for 1 of 44 images"),
    ],
)
def test_labels_that_the_table_lacks_are_refused(rows, labels, said, tmp_path):
    folder_of(tmp_path / "p", N)
    table(tmp_path / "p", [rows(i) for i in range(N)], "file_name,label")
    assert said in refusal(str(tmp_path / "p"), labels=labels)


def test_one_class_in_the_table_is_none(tmp_path):
    folder_of(tmp_path / "p", N)
    table(tmp_path / "p", [f"{i:03d}.png,cat" for i in range(N)], "file_name,label")
    source = open_source(str(tmp_path / "p"))
    assert not source.class_names and any("has one value only" in note for note in source.notes)


def test_pictures_beside_the_splits_need_no_row_of_the_table(tmp_path):
    for name in ("train", "test", "unlabeled"):
        folder_of(tmp_path / "p" / name, N)
    rows = [f"{name}/{i:03d}.png,{i % 2}" for name in ("train", "test") for i in range(N)]
    table(tmp_path / "p", rows, "file_name,label")
    source = open_source(str(tmp_path / "p"))
    assert len(source) == N and [*source.class_names] == ["0", "1"]


def test_names_that_begin_alike_say_nothing_beside_the_table(tmp_path):
    folder_of(tmp_path / "p", N)
    for i in range(N):
        (tmp_path / "p" / f"{i:03d}.png").rename(tmp_path / "p" / f"{'cat' if i % 2 else 'dog'}.{i}.png")
    assert any("names of files begin with" in note for note in open_source(str(tmp_path / "p")).notes)
    table(tmp_path / "p", [f"{'cat' if i % 2 else 'dog'}.{i}.png,{i % 2}" for i in range(N)], "file_name,label")
    assert not any("names of files begin with" in note for note in open_source(str(tmp_path / "p")).notes)
