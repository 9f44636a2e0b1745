"""Folders and archives of a user's own pictures: classes, the split for ever, and bad input refused in one sentence."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.own_data import files_in, flat, folder_of, labelled, pack_zip, refusal
from helpers.problems import everything

from wgan.config import ReadingOptions
from wgan.data import is_own, open_source
from wgan.data.own import cache as store
from wgan.data.own import image_folder
from wgan.data.own.open import absolute
from wgan.data.split import held_out_count, held_out_mask
from wgan.errors import WganError

pytestmark = pytest.mark.usefixtures("cache")

# --- folders and archives ---------------------------------------------------------------------------------------------


def test_a_folder_becomes_images_once_each(tmp_path):
    path = folder_of(tmp_path / "x")
    source = open_source(str(path), "all")
    assert (len(source), source.shape, source.classes, source.labels) == (44, (1, 16, 16), 0, None)
    assert sorted(everything(source)[:, 0, 0, 0].tolist()) == list(range(44))
    assert (
        everything(source).dtype == torch.uint8
        and (everything(source)[..., :15] == everything(source)[:, :, :1, :1]).all()
    )


def test_train_and_test_are_fixed_share_nothing_and_make_up_all(tmp_path):
    path = folder_of(tmp_path / "x", 200)
    parts = {s: everything(open_source(str(path), s))[:, 0, 0, 0].tolist() for s in ("train", "test", "all")}
    assert parts["all"] == parts["train"] + parts["test"] and sorted(parts["all"]) == list(range(200))
    assert len(parts["test"]) == 50  # a quarter: 100 would leave too little
    # the permutation of 200 that every version must give: a run's held-out images may never change
    assert parts["test"][:5] == np.flatnonzero(held_out_mask(200, None))[:5].tolist() == FIRST_HELD_OUT


FIRST_HELD_OUT = [1, 4, 7, 8, 10]


@pytest.mark.parametrize(("n", "count"), [(40, 10), (399, 99), (400, 100), (1000, 100), (5000, 500), (10**6, 10_000)])
def test_how_many_are_held_out(n, count):
    assert held_out_count(n) == count


def test_sub_folders_are_classes(tmp_path):
    source = open_source(str(labelled(tmp_path / "x")), "all")
    x, y = source.batch(torch.arange(48))
    assert source.class_names == ("cat", "dog", "eel") and source.classes == 3
    assert (x[:, 0, 0, 0] // 60).tolist() == y.tolist()
    assert open_source(str(tmp_path / "x"), options=ReadingOptions(labels="none")).labels is None


def test_a_folder_for_each_image_is_no_class_and_that_is_said(tmp_path):
    for i in range(42):
        folder_of(tmp_path / f"{i // 2}" / "x", 1 + i % 2, start=i)  # 21 folders
    assert open_source(str(tmp_path)).classes == 21
    for i in range(40):
        folder_of(tmp_path / f"a{i}", 1, start=i)
    source = open_source(str(tmp_path))
    assert source.classes == 0 and source.notes[0] == "61 folders for 82 images are too many to be classes"


def test_train_and_test_folders_are_the_split(tmp_path):
    labelled(tmp_path / "x" / "train")
    labelled(tmp_path / "x" / "test")
    source = open_source(str(tmp_path / "x"), "test")
    assert (len(source), source.classes) == (48, 3)


def test_one_folder_around_everything_is_no_class(tmp_path):
    folder_of(tmp_path / "x" / "inner")
    assert open_source(str(tmp_path / "x")).classes == 0


def pack_tar(folder, path):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as packed:
        packed.add(folder, folder.name)
    return path


@pytest.mark.parametrize(("name", "pack"), [("x.zip", pack_zip), ("x.tar", pack_tar), ("x.tar.gz", pack_tar)])
def test_an_archive_is_its_folder(tmp_path, name, pack):
    folder = labelled(tmp_path / "x")
    a, b = open_source(str(folder), "all"), open_source(str(pack(folder, tmp_path / name)), "all")
    assert a.class_names == b.class_names
    order = [torch.argsort(everything(s)[:, 0, 0, 0].long()) for s in (a, b)]
    for one, other in zip(a.batch(order[0]), b.batch(order[1]), strict=True):
        assert torch.equal(one, other)
    assert not (tmp_path / "cat").exists()


def test_images_of_several_sizes_become_one_and_that_is_said(tmp_path):
    path = folder_of(tmp_path / "x", 20, (20, 30))
    folder_of(path / "more", 30, (70, 90), start=50)
    for p in (path / "more").iterdir():
        p.rename(path / f"m{p.name}")
    source = open_source(str(path))
    assert source.shape == (1, 32, 32) and "2 sizes" in source.notes[0] and "32x32" in source.notes[0]
    assert open_source(str(path), options=ReadingOptions(size=8, channels=3)).shape == (3, 8, 8)
    assert "crop none needs one size" in refusal(path, crop="none")


def test_rectangles_stay_and_scale(tmp_path):
    path = folder_of(tmp_path / "x", size=(24, 16))
    assert open_source(str(path)).shape == (1, 16, 24)
    assert open_source(str(path), options=ReadingOptions(size=8, crop="none")).shape == (1, 8, 12)
    assert open_source(str(path), options=ReadingOptions(size=8)).shape == (1, 8, 8)


def test_grey_among_colour_is_said(tmp_path):
    path = folder_of(tmp_path / "x")
    flat((1, 2, 3)).save(path / "red.png")
    source = open_source(str(path))
    assert source.shape[0] == 3 and "44 of 45 images are grey" in source.notes[0]


def test_other_files_and_hidden_ones_are_left_alone(tmp_path):
    path = folder_of(tmp_path / "x")
    for name in ("notes.txt", ".hidden.png", "._mac.png"):
        (path / name).write_text("no picture")
    assert len(open_source(str(path), "all")) == 44


def test_a_name_that_is_not_utf8_is_read_and_shown(tmp_path):
    path = labelled(tmp_path / "x")
    os.rename(path / "cat", os.fsencode(path) + b"/caf\xe9")
    source = open_source(str(path))
    assert source.class_names[0] == "caf\\xe9"
    with pytest.raises(WganError, match="not UTF-8"):
        absolute(os.fsdecode(os.fsencode(path) + b"/caf\xe9"))


# --- bad input: one sentence, nothing left behind ---------------------------------------------------------------------


def damaged(path):
    folder_of(path)
    (path / "001.png").write_bytes(b"zzz")


def beside_classes(path):
    labelled(path)
    flat(3).save(path / "stray.png")


def one_image(path):
    folder_of(path, 1)


BAD = [
    (lambda p: p.mkdir(), "holds no images", {}),
    (lambda p: (p.mkdir(), (p / "a.txt").write_text("x")), "1 other files", {}),
    (one_image, "has 1 sample: at least 40", {}),
    (damaged, "001.png (it is not an image, or it is damaged)", {}),
    (beside_classes, "1 of 49 images", {}),
    (
        lambda p: folder_of(p),
        "is read: a column file_name, and colour",
        {"labels": "colour"},
    ),
    (lambda p: p.write_bytes(b""), "is empty", {}),
    (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(99)), "of no kind that --data takes", {}),
    (lambda p: None, "no file or folder", {}),
]


@pytest.mark.parametrize(("make", "said", "options"), BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, cache, make, said, options):
    path = tmp_path / "bad"
    make(path)
    assert said in refusal(path, **options)
    assert files_in(cache) == []


def test_a_damaged_zip_is_one_sentence(tmp_path):
    path = pack_zip(folder_of(tmp_path / "x"), tmp_path / "x.zip")
    data = path.read_bytes()
    path.write_bytes(data[:400] + bytes(200) + data[600:])
    assert "x.zip" in refusal(path) or "cannot be read" in refusal(path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, cache, monkeypatch):
    path = folder_of(tmp_path / "x")
    original = image_folder.decode

    def change(file, frame, scales):
        flat((1, 2, 3), (99, 99)).save(path / "009.png")
        return original(file, frame, scales)

    monkeypatch.setattr(image_folder, "decode", change)
    assert "changed while it was read (009.png)" in refusal(path)
    assert files_in(cache) == []


def test_data_larger_than_the_disk_are_refused_at_once(tmp_path, cache, monkeypatch):
    """Before anything is written."""
    path = folder_of(tmp_path / "x")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100})())
    assert "give a smaller --size, or set WGAN_CACHE" in refusal(path)
    assert files_in(cache) == []


def test_a_cache_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "file"))
    assert "WGAN_CACHE" in refusal(folder_of(tmp_path / "x"))


def test_bundled_data_take_no_such_options():
    assert "bundled" in refusal("mnist", size=32)


@pytest.mark.parametrize("spec", ["./x", "a/b", "~/x", "x.csv", "hf:name", "given:12"])
def test_what_is_a_path(spec):
    assert is_own(spec)


@pytest.mark.parametrize("spec", ["mnist", "mnits", "ring:pacgan", "", "mnist:0-4"])
def test_what_is_a_name(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_own(spec) and absolute(spec) == spec


def test_a_local_hub_folder_becomes_absolute_and_a_name_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert absolute("hf:there") == f"hf:{tmp_path}/there"
    assert [absolute(spec) for spec in ("hf:a/b", "hf:", "hf:" + "x" * 5000)] == ["hf:a/b", "hf:", "hf:" + "x" * 5000]


def test_a_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("./x/../y.csv") == str(Path(tmp_path).resolve() / "y.csv")


def test_options_come_from_the_config():
    from wgan.config import Config, part

    config = Config(size=32, crop="fit", channels=3, labels="none")
    assert part(ReadingOptions, config) == ReadingOptions(32, "fit", channels=3, labels="none")
