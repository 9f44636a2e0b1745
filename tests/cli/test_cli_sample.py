"""wgan sample and wgan interpolate: what they write and print, and nothing that exists is replaced."""

import errno
import os

import numpy as np
import pytest
from conftest import CONDITIONAL, TINY, Result
from helpers.run_folders import files
from PIL import Image

# --- sample -----------------------------------------------------------------------------------------------------------


def npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("words", [("sample",), ("export", "--to", "hub")])
def test_the_output_of_the_program_is_no_place_for_samples(here, command, digits_run, words):
    """A folder called - would stand there instead."""
    name, *more = words
    assert "nothing is written to the program's output" in command(name, digits_run, *more, "--out", "-").sentence()
    assert files(here) == []


def test_a_sheet_is_a_grey_picture_of_all_samples(here, command, digits_run):
    found = command("sample", digits_run)
    assert found == Result(0, "64 samples in samples.png\n", "")
    with Image.open("samples.png") as default:
        assert default.mode == "L" and default.format == "PNG"
        size = default.size
    assert command("sample", digits_run, "-n", 1000, "--out", "more.png").code == 0
    with Image.open("more.png") as more:  # 40 columns of 25, each at least 28 pixels high and wide
        assert 25 * 28 < more.height < more.width and more.width > 40 * 28
        assert max(size) < 1000
    assert files(here) == ["more.png", "samples.png"]


def test_an_npz_holds_bytes_and_for_a_conditional_model_labels(here, command, conditional_run, digits_run):
    assert (
        command("sample", conditional_run, "-n", 23, "--out", "a.npz").out
        == "23 samples in a.npz, all classes in turn\n"
    )
    arrays = npz("a.npz")
    assert arrays["images"].shape == (23, 28, 28) and arrays["images"].dtype == np.uint8
    assert arrays["labels"].dtype == np.int64 and arrays["labels"].tolist() == [i % 10 for i in range(23)]
    command("sample", digits_run, "-n", 3, "--out", "b.npz")
    assert list(npz("b.npz")) == ["images"]


def test_an_npz_of_points_holds_float32_samples(here, command, ring_run):
    assert command("sample", ring_run, "-n", 5, "--out", "a.npz").code == 0
    arrays = npz("a.npz")
    assert list(arrays) == ["samples"] and arrays["samples"].shape == (5, 2) and arrays["samples"].dtype == np.float32
    assert command("sample", ring_run, "--out", "a.png").code == 0


def test_labels_are_the_names_that_the_data_gave_them(here, command, tmp_path, cheap):
    words = [w if w != "mnist" else "mnist" for w in CONDITIONAL]
    assert command("train", *words, *TINY, "--data", "mnist:3,7", "--run", "run").code == 0
    command("sample", "run", "-n", 4, "--out", "a.npz")
    assert npz("a.npz")["labels"].tolist() == [3, 7, 3, 7]
    command("sample", "run", "-n", 4, "--label", 7, "--out", "b.npz")
    assert npz("b.npz")["labels"].tolist() == [7, 7, 7, 7]
    assert "unknown label '0'" in command("sample", "run", "--label", 0, "--out", "c.npz").sentence()


def test_one_label_holds_and_several_take_turns(here, command, conditional_run):
    command("sample", conditional_run, "-n", 5, "--label", 7, "--out", "a.npz")
    assert npz("a.npz")["labels"].tolist() == [7] * 5
    command("sample", conditional_run, "-n", 5, "--labels", "4,2,0", "--out", "b.npz")
    assert npz("b.npz")["labels"].tolist() == [4, 2, 0, 4, 2]


def test_the_ith_sample_depends_on_the_seed_and_not_on_n(here, command, conditional_run):
    command("sample", conditional_run, "-n", 130, "--seed", 4, "--out", "a.npz")
    command("sample", conditional_run, "-n", 7, "--seed", 4, "--out", "b.npz")
    command("sample", conditional_run, "-n", 7, "--seed", 5, "--out", "c.npz")
    many, few, other = (npz(name)["images"] for name in ("a.npz", "b.npz", "c.npz"))
    assert np.array_equal(many[:7], few) and not np.array_equal(few, other)


def test_raw_and_truncation_change_what_is_drawn(here, command, conditional_run):
    """`--raw` is another generator, and truncation draws closer to the middle."""
    for name, words in {"a": [], "raw": ["--raw"], "cut": ["--truncation", "1e-6"]}.items():
        assert command("sample", conditional_run, "-n", 20, "--label", 1, "--out", f"{name}.npz", *words).code == 0
    plain, raw, cut = (npz(f"{name}.npz")["images"] for name in ("a", "raw", "cut"))
    assert not np.array_equal(plain, raw)
    assert len(np.unique(plain, axis=0)) == 20
    assert np.ptp(cut.astype(int), axis=0).max() <= 1  # all one image, but where rounding to a byte is a tie


def test_a_folder_holds_one_image_a_sample_by_class(here, command, conditional_run, digits_run):
    """One image for each sample, below one folder for each class."""
    assert command("sample", conditional_run, "-n", 4, "--labels", "7,3", "--out", "byclass/").code == 0
    assert files(here / "byclass") == ["3/000001.png", "3/000003.png", "7/000000.png", "7/000002.png"]
    command("sample", conditional_run, "-n", 4, "--labels", "7,3", "--out", "a.npz")
    for i, (image, label) in enumerate(zip(*npz("a.npz").values(), strict=True)):
        with Image.open(f"byclass/{label}/{i:06d}.png") as picture:
            assert picture.mode == "L" and np.array_equal(np.asarray(picture), image)
    assert command("sample", digits_run, "-n", 2, "--out", "flat").code == 0
    assert files(here / "flat") == ["000000.png", "000001.png"]


@pytest.mark.parametrize("name", ["a.png", "a.npz", "a.gif", "folder"])
def test_nothing_that_exists_is_replaced_without_force(here, command, digits_run, name):
    verb = (
        ["interpolate", digits_run, "--stops", 2, "--frames", 2] if name == "a.gif" else ["sample", digits_run, "-n", 2]
    )
    (here / "folder").mkdir()
    path = here / name if name != "folder" else here / "folder" / "000000.png"
    path.write_bytes(b"mine")
    said = command(*verb, "--out", name).sentence()
    assert f"{name} exists" in said and "--force" in said and path.read_bytes() == b"mine"
    assert command(*verb, "--out", name, "--force").code == 0
    assert path.read_bytes() != b"mine"


def test_an_empty_folder_may_be_filled(here, command, digits_run):
    (here / "out").mkdir()
    assert command("sample", digits_run, "-n", 1, "--out", "out").code == 0


def test_a_write_that_fails_leaves_what_was_there(here, command, digits_run, monkeypatch):
    (here / "a.png").write_bytes(b"mine")
    (here / "a.npz").write_bytes(b"mine")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("a.png", "a.npz"):
        assert "o space left on device" in command("sample", digits_run, "--out", name, "--force").sentence()
        assert (here / name).read_bytes() == b"mine"
    assert files(here) == ["a.npz", "a.png"]


def test_a_damaged_newest_checkpoint_is_said_beside_the_result(here, command, ring_run, copy):
    run = copy(ring_run)
    (run / "checkpoints" / "step-00000002.safetensors").write_bytes(b"")
    found = command("sample", run, "--out", "a.npz")
    assert found.code == 0 and found.err.count("\n") == 1
    assert "step-00000002.safetensors is damaged" in found.err and "the one before" in found.err


# --- interpolate ------------------------------------------------------------------------------------------------------


def test_a_walk_is_a_looping_gif_or_a_still_with_a_row_each(here, command, conditional_run):
    words = ["interpolate", conditional_run, "--stops", 3, "--frames", 4, "--rows", 2]
    assert command(*words, "--out", "walk.gif").out == "a walk through 3 latents in walk.gif\n"
    with Image.open("walk.gif") as film:
        assert film.n_frames == 12 and film.info["loop"] == 0
    assert command(*words, "--out", "walk.png").code == 0
    with Image.open("walk.png") as still:
        assert still.format == "PNG" and still.width > 2 * still.height  # 2 rows of 6


def test_a_walk_follows_its_seed_and_label(here, command, conditional_run):
    """And goes to walk.gif by default."""
    words = ["interpolate", conditional_run, "--stops", 2, "--frames", 2, "--rows", 1]
    assert command(*words).code == 0 and files(here) == ["walk.gif"]
    for name, more in {"b": [], "c": ["--seed", 1], "d": ["--label", 3], "e": ["--raw"]}.items():
        assert command(*words, "--out", f"{name}.gif", *more).code == 0
    walks = [(here / f"{name}.gif").read_bytes() for name in ("walk", "b", "c", "d", "e")]
    assert walks[0] == walks[1] and len(set(walks)) == 4
