"""What names say: splits that are no classes, labels in a list, separators of Windows, links, and what is left out."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.errors import WganError

pytestmark = pytest.mark.usefixtures("cache")
RNG = np.random.default_rng(0)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def write(folder: Path, count: int, ending: str = "png") -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.{ending}").write_bytes(png())


SPLITS = [("train2017", "val2017"), ("Train", "validation"), ("training", "test"), ("train", "hold-out")]


@pytest.mark.parametrize(("train", "held"), SPLITS)
def test_a_named_split_is_no_class(tmp_path: Path, train: str, held: str) -> None:
    write(tmp_path / "x" / "images" / train, 60)
    write(tmp_path / "x" / "images" / held, 20)
    source = open_source(str(tmp_path / "x"))
    assert (len(source), source.classes, len(open_source(str(tmp_path / "x"), "test"))) == (60, 0, 20)
    assert any("60" in note and "20" in note for note in source.notes)


def test_a_list_of_labels_goes_before_running_folders(tmp_path: Path) -> None:
    """The zip of StyleGAN's tool: a folder for each thousand files, and the labels in dataset.json."""
    names = [f"{i // 20:05d}/img{i:08d}.png" for i in range(60)]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in names:
            archive.writestr(name, png())
        archive.writestr("dataset.json", json.dumps({"labels": [[name, i % 3] for i, name in enumerate(names)]}))
    source = open_source(str(tmp_path / "x.zip"), "all")
    assert source.class_names == ("0", "1", "2")
    assert source.labels is not None and np.bincount(source.labels.numpy()).tolist() == [20, 20, 20]


def backslashed() -> dict[str, bytes]:
    return {f"pets\\{'cats' if i % 2 else 'dogs'}\\{i}.png": png() for i in range(60)}


@pytest.mark.parametrize("beside", ["", "about/readme.txt"])
@pytest.mark.parametrize("kind", ["zip", "tar", "folder"])
def test_backslashes_separate_folders(tmp_path: Path, kind: str, beside: str) -> None:
    """Old programs of Windows write them into archives, and others unpack those to names with backslashes."""
    files = backslashed() | ({beside: b"pets"} if beside else {})
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name, data in files.items():
                entry = zipfile.ZipInfo("x")
                entry.filename = name
                packed.writestr(entry, data)
    if kind == "tar":
        with tarfile.open(path, "w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    if kind == "folder":
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    assert open_source(str(path)).class_names == ("cats", "dogs")


def test_a_backslash_in_a_name_below_a_folder_is_a_letter(tmp_path: Path) -> None:
    for i in range(60):
        (tmp_path / "x" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / "ab"[i % 2] / f"c\\{i}.png").write_bytes(png())
    assert open_source(str(tmp_path / "x")).class_names == ("a", "b")
    (tmp_path / "y" / "all").mkdir(parents=True)
    for i in range(60):
        (tmp_path / "y" / "all" / f"{'cd'[i % 2]}\\{i}.png").write_bytes(png())
    assert open_source(str(tmp_path / "y")).class_names == ()


def test_class_folders_that_are_links_are_entered_once(tmp_path: Path) -> None:
    write(tmp_path / "store", 30)
    write(tmp_path / "x" / "birds", 30)
    (tmp_path / "x" / "cats").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "x" / "cats" / "round").symlink_to(tmp_path / "x", target_is_directory=True)  # a loop
    source = open_source(str(tmp_path / "x"), "all")
    assert (len(source), source.class_names) == (60, ("birds", "cats"))


def test_pictures_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    write(tmp_path / "x", 40)
    for i in range(20):
        (tmp_path / "x" / f"more{i}{('.jfif', '.picture', '')[i % 3]}").write_bytes(png())
    assert len(open_source(str(tmp_path / "x"), "all")) == 60


@pytest.mark.parametrize(("train", "held"), [("train_", "test_"), ("COCO_train2014_", "COCO_val2014_")])
def test_a_split_in_the_names_of_files_is_one(tmp_path: Path, train: str, held: str) -> None:
    write(tmp_path / "x", 70)
    for i in range(70):
        (tmp_path / "x" / f"{i}.png").rename(tmp_path / "x" / f"{train if i < 60 else held}{i}.png")
    source = open_source(str(tmp_path / "x"))
    assert (len(source), len(open_source(str(tmp_path / "x"), "test"))) == (60, 10)
    assert any("train (60) is trained on" in note for note in source.notes)
    (tmp_path / "x" / f"{train}0.png").rename(tmp_path / "x" / "cat.png")  # now some names say something else
    assert len(open_source(str(tmp_path / "x"))) == 53


@pytest.mark.parametrize("name", ["fold{}", "Part_{}", "batch-{}"])
def test_pieces_of_a_data_set_are_no_classes(tmp_path: Path, name: str) -> None:
    for i in range(3):
        write(tmp_path / "x" / name.format(i + 1), 20 + i)
    source = open_source(str(tmp_path / "x"))
    assert source.classes == 0 and "are numbered parts, no classes" in source.notes[0]


def test_folders_of_running_numbers_are_no_classes(tmp_path: Path) -> None:
    for name, count in (("00000", 30), ("00001", 30), ("00002", 12)):
        write(tmp_path / "x" / name, count)
    source = open_source(str(tmp_path / "x"))
    assert source.classes == 0 and "folders 00000 to 00002 of equal size are numbered parts" in source.notes[0]
    write(tmp_path / "x" / "00004", 12)  # a number is left out
    assert open_source(str(tmp_path / "x")).classes == 4


@pytest.mark.parametrize("names", [("bullet_train", "steam_train"), ("train", "bus"), ("test_tube", "flask")])
def test_names_that_only_hold_the_word_of_a_split_are_classes(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        write(tmp_path / "x" / name, 40)
    assert open_source(str(tmp_path / "x")).class_names == tuple(sorted(names))


PARTS = [
    ("train", "test", "test_hard"),
    ("TRAIN", "TEST", "TEST_SIMPLE"),
    ("train", "train_more", "val"),
    ("train_a", "test_b"),
]


@pytest.mark.parametrize("parts", PARTS)
def test_what_else_the_name_of_a_split_says_is_no_class(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """The classes below it stay."""
    for part in parts:
        for name in ("cats", "dogs"):
            write(tmp_path / "x" / part / name, 30)
    source = open_source(str(tmp_path / "x"))
    assert source.class_names == ("cats", "dogs") and len(source) == 60 * sum("train" in p.lower() for p in parts)


def test_two_domains_in_the_names_of_splits_are_classes(tmp_path: Path) -> None:
    for part in ("trainA", "trainB", "testA", "testB"):
        write(tmp_path / "x" / part, 30)
    assert open_source(str(tmp_path / "x")).class_names == ("A", "B")


def test_folders_next_to_train_and_test_are_left_out(tmp_path: Path) -> None:
    for name, count in (("train", 50), ("test", 20), ("sheets", 7)):
        write(tmp_path / "x" / name, count)
    source = open_source(str(tmp_path / "x"))
    assert (len(source), source.classes, len(open_source(str(tmp_path / "x"), "test"))) == (50, 0, 20)
    assert "7 images in folders next to train and test are left out" in source.notes


def test_another_part_beside_a_training_file_is_named(tmp_path: Path) -> None:
    for name in ("x_train", "x_test"):
        np.save(tmp_path / f"{name}.npy", RNG.integers(0, 256, (60, 8, 8), dtype=np.uint8))
    np.save(tmp_path / "y_test.npy", np.arange(60) % 3)
    said = "x_test.npy next to it is not read: a part of x_train.npy is held out"
    assert said in open_source(str(tmp_path / "x_train.npy")).notes
    assert open_source(str(tmp_path / "x_test.npy")).notes == ("labels are read from y_test.npy",)


@pytest.mark.parametrize("numeric", [True, False])
def test_another_part_beside_a_training_table_is_named(tmp_path: Path, numeric: bool) -> None:
    cells = "".join(f"{i % 7}.5,{i * i if numeric else 'ab'[i % 2]}\n" for i in range(60))
    for part in ("train", "test"):
        (tmp_path / f"{part}.csv").write_text("a,b\n" + cells)
    assert any("test.csv next to it is not read" in note for note in open_source(str(tmp_path / "train.csv")).notes)


def test_a_column_of_train_and_test_is_the_split(tmp_path: Path) -> None:
    cells = "".join(f"{i * i}.5,{['train', 'Test'][i % 4 == 0]},{i % 7}\n" for i in range(80))
    (tmp_path / "t.csv").write_text("a,set,b\n" + cells)
    source = open_source(str(tmp_path / "t.csv"))
    assert (len(source), len(open_source(str(tmp_path / "t.csv"), "test"))) == (60, 20)
    assert "train (60) is trained on, test (20) is held out, by the column set, which is left out" in source.notes
    assert source.table is not None and [c.name for c in source.table.columns] == ["a", "b"]
    asked = open_source(str(tmp_path / "t.csv"), options=ReadingOptions(columns="set=category"))
    assert asked.table is not None and "set" in [c.name for c in asked.table.columns]


@pytest.mark.parametrize("file", ["train.npz", "a.csv", "b.zip"])
def test_a_folder_of_other_data_names_the_way(tmp_path: Path, file: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / file).write_bytes(b"?")
    with pytest.raises(WganError, match=f"give one of the {Path(file).suffix} files itself"):
        open_source(str(tmp_path / "x"))


def test_labels_in_names_or_lists_that_are_not_read_are_told(tmp_path: Path) -> None:
    write(tmp_path / "x", 60)
    (tmp_path / "x" / "labels.csv").write_text("file,label\n")
    said = "labels come from folders, one for each class, from the column of metadata.csv that --labels names"
    notes = open_source(str(tmp_path / "x")).notes
    assert any(note.startswith(said) and note.endswith("other .csv files are not read") for note in notes)
    for i in range(60):
        (tmp_path / "x" / f"{i}.png").rename(tmp_path / "x" / f"{'cat' if i % 3 else 'dog'}.{i}.png")
    notes = open_source(str(tmp_path / "x")).notes
    assert any("names of files begin with cat (40), dog (20): put each into a folder" in note for note in notes)


def test_names_that_only_number_files_say_nothing(tmp_path: Path) -> None:
    write(tmp_path / "x", 60)
    for i in range(60):
        (tmp_path / "x" / f"{i}.png").rename(tmp_path / "x" / f"img_{i}.png")
    assert not open_source(str(tmp_path / "x")).notes
