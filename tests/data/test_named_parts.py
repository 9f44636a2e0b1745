"""What names say: splits that are no classes, labels in a list, separators of Windows, links, and what is left out."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wgan.data import open_source

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


@pytest.mark.parametrize(("train", "held"), [("train2017", "val2017"), ("Train", "validation"), ("training", "test")])
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


def test_backslashes_separate_folders_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(60):
            entry = zipfile.ZipInfo("x")
            entry.filename = f"pets\\{'cats' if i % 2 else 'dogs'}\\{i}.png"
            archive.writestr(entry, png())
    assert open_source(str(tmp_path / "x.zip")).class_names == ("cats", "dogs")


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
        (tmp_path / "x" / f"more{i}.jfif").write_bytes(png())
    assert len(open_source(str(tmp_path / "x"), "all")) == 60
