"""What the names of arrays say: parts for training and testing, labels, hidden ones, and what is not read."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.own_data import refusal

from wgan.data import open_source

pytestmark = pytest.mark.usefixtures("cache")
RNG = np.random.default_rng(0)


def pictures(n):
    return RNG.integers(0, 256, (n, 8, 8), dtype=np.uint8)


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def sizes(spec):
    return len(open_source(spec)), len(open_source(spec, "test"))


@pytest.mark.parametrize(
    "names",
    [
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),  # MedMNIST
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"),
        ("xtrain", "ytrain", "xval", "yval", "xtest", "ytest"),
        ("trainX", "trainY", "validX", "validY", "testX", "testY"),
        ("train", "train_target", "validation", "validation_target", "test", "test_target"),
        ("images_training", "labels_training", "images_dev", "labels_dev", "images_testing", "labels_testing"),
    ],
)
def test_parts_that_names_say_are_trained_on_or_held_out(tmp_path, names):
    counts = (60, 60, 21, 21, 22, 22)
    arrays = {
        name: np.arange(n) % 3 if i % 2 else pictures(n) for i, (name, n) in enumerate(zip(names, counts, strict=True))
    }
    spec = save(tmp_path / "x.npz", **arrays)
    assert sizes(spec) == (60, 43) and open_source(spec).classes == 3
    assert open_source(spec).notes == ("train (60) is trained on, val (21) and test (22) are held out",)
    del arrays[names[4]], arrays[names[5]]
    assert sizes(save(tmp_path / "two.npz", **arrays)) == (60, 21)


def test_an_array_in_no_part_is_named_with_its_shape(tmp_path):
    spec = save(
        tmp_path / "x.npz", x_train=pictures(60), x_test=pictures(20), extra_images=pictures(9), ids=np.arange(80)
    )
    assert sizes(spec) == (60, 20)
    assert "not read: extra_images [9, 8, 8], ids [80]" in open_source(spec).notes
    plain = save(tmp_path / "plain.npz", images=pictures(60), ids=np.arange(60))
    assert "not read: ids [60]" in open_source(plain).notes


@pytest.mark.parametrize("labels", ["labels", "y", "classes", "Y", "target", "class", "arr_1"])
def test_labels_beside_samples_by_any_usual_name(tmp_path, labels):
    assert open_source(save(tmp_path / "x.npz", **{"images": pictures(60), labels: np.arange(60) % 3})).classes == 3


def test_a_held_out_part_with_hidden_labels_is_left_out(tmp_path):
    y, hidden = np.arange(60) % 2, np.full(30, -1)
    spec = save(tmp_path / "x.npz", x_train=pictures(60), y_train=y, x_test=pictures(30), y_test=hidden)
    source = open_source(spec, "all")
    assert (len(source), source.class_names) == (60, ("0", "1"))
    assert source.notes == ("the 30 samples of test have the label -1, which is none: left out",)
    own = save(tmp_path / "own.npz", x_train=pictures(60), y_train=2 * y - 1, x_test=pictures(30), y_test=hidden)
    assert sizes(own) == (60, 30)  # here -1 is a class


def test_parts_that_do_not_fit_are_refused(tmp_path):
    wide = save(tmp_path / "a.npz", x_train=pictures(60), x_val=pictures(20)[:, :4])
    assert "train samples are [60, 8, 8], val samples [20, 4, 8]" in refusal(wide)
    bare = save(tmp_path / "b.npz", x_train=pictures(60), y_train=np.arange(60) % 2, x_val=pictures(20))
    assert "labels are missing for one of train and val" in refusal(bare)


def test_several_labels_of_one_sample_are_called_that(tmp_path):
    """ChestMNIST has 14 yes-or-no labels."""
    spec = save(tmp_path / "x.npz", images=pictures(60), labels=RNG.integers(0, 2, (60, 14)))
    assert "has 14 labels for each sample: give one class" in refusal(spec)


@pytest.mark.parametrize(
    ("samples", "labels"),
    [("x_train", "y_train"), ("train_images", "train_labels"), ("X", "y"), ("images", "images_labels")],
)
def test_labels_in_a_file_beside_the_samples(tmp_path, samples, labels):
    np.save(tmp_path / f"{samples}.npy", pictures(60))
    np.save(tmp_path / f"{labels}.npy", np.arange(60) % 3)
    np.save(tmp_path / "y_test.npy", np.arange(20) % 5)  # of another part
    source = open_source(str(tmp_path / f"{samples}.npy"))
    assert source.classes == 3 and source.notes == (f"labels are read from {labels}.npy",)
    np.save(tmp_path / f"{labels}.npy", np.arange(60) % 4)
    assert open_source(str(tmp_path / f"{samples}.npy")).classes == 4  # and a change of them is seen


@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_parts_in_two_units_are_refused(tmp_path, part):
    parts = {"x_train": pictures(60), "x_test": pictures(20)}
    parts[part] = parts[part] / np.float32(255)
    assert "bring them to one range" in refusal(save(tmp_path / "x.npz", **parts))
