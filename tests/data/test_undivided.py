"""Equal samples of own data are on one side of the split: a held-out sample that was trained on measures nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.report_runs import figures

from wgan.data import open_source
from wgan.data.split import chosen, contents_of, held_out_count, held_out_mask, undivided
from wgan.evaluation.evaluate import evaluate


def contents(source):
    return {x.numpy().tobytes() for x in source.batch(torch.arange(len(source)))[0]}


def repeated_images(seed=0):
    """600 images 8 x 8 of which 200 are there twice and 40 three times, shuffled."""
    rng = np.random.default_rng(seed)
    once = rng.integers(0, 256, (600, 8, 8), dtype=np.uint8)
    return once, rng.permutation(np.concatenate([once, once[:200], once[:40]]))


@pytest.mark.parametrize("kind", ["images", "vectors"])
def test_equal_samples_are_on_one_side(tmp_path, kind):
    _, images = repeated_images()
    x = images if kind == "images" else images[:, 0, :3].astype(np.float32)
    np.savez(tmp_path / "own.npz", **{"images" if kind == "images" else "samples": x})
    train, test = (open_source(str(tmp_path / "own.npz"), split) for split in ("train", "test"))
    assert not contents(train) & contents(test)
    assert len(train) + len(test) == 840 and len(test) == held_out_count(840)


def test_a_copier_of_data_with_duplicates_is_seen(tmp_path):
    _, images = repeated_images()
    np.savez(tmp_path / "own.npz", images=images)
    train = open_source(str(tmp_path / "own.npz"), "train")
    np.savez(tmp_path / "made.npz", images=train.batch(torch.arange(200))[0][:, 0].numpy())
    found = figures(evaluate(tmp_path / "made.npz", data=str(tmp_path / "own.npz"), metrics=["memorisation"]))
    assert found["copies"].value == 1 and found["copies"].reference == 0


def test_without_equal_samples_the_choice_is_what_it_was():
    assert undivided(contents_of(np.arange(500)[:, None])) is None
    few = np.arange(500) % 4  # a table of two yes-or-no columns: no side may lack one of its rows
    assert undivided(contents_of(few[:, None])) is None


@pytest.mark.parametrize("twice", [1, 30, 200])
def test_samples_that_occur_once_stay_where_they_were(twice):
    """As far as that is possible."""
    values = np.arange(500)
    values[500 - twice :] = values[:twice]
    mask = undivided(contents_of(values[:, None]))
    if mask is None:  # the plain choice happened to part none
        mask = held_out_mask(500, None)
    assert not np.isin(values[mask], values[~mask]).any() and mask.sum() == held_out_count(500)
    assert (mask & held_out_mask(500, None)).sum() > held_out_count(500) * (1 - twice / 250) - 5


def rare_class(copies=1):
    """3,000 numbers; the class 1 is `copies` times each of three contents that the fixed choice holds out."""
    out = np.flatnonzero(held_out_mask(3000, None))
    values, labels = np.arange(3000), np.zeros(3000, np.int64)
    labels[out[: 3 * copies]] = 1
    values[out[: 3 * copies]] = np.repeat(out[:3], copies)
    return contents_of(values[:, None]), labels


@pytest.mark.parametrize("copies", [1, 2])
def test_no_class_is_held_out_whole(copies):
    contents, labels = rare_class(copies)
    mask = chosen(contents, labels)
    assert mask is not None and (labels[~mask] == 1).sum() == copies and (labels[mask] == 1).sum() == 2 * copies
    assert mask.sum() == held_out_count(3000) and not np.isin(contents[mask], contents[~mask]).any()
    assert (mask ^ held_out_mask(3000, None)).sum() == 2 * copies  # all others stay where they were


def test_three_thousand_classes_of_three_are_all_trained_on():
    labels = np.random.default_rng(0).permutation(np.arange(9000) // 3)
    mask = chosen(contents_of(np.arange(9000)[:, None]), labels)
    assert mask is not None and mask.sum() == held_out_count(9000)
    assert set(labels[~mask]) == set(range(3000))


def test_labels_change_no_choice_that_leaves_every_class_trained():
    labels = np.arange(500) % 5
    assert chosen(contents_of(np.arange(500)[:, None]), labels) is None


def test_a_class_is_given_back_among_few_contents():
    """Equal samples are on both sides then: one of them goes back, not all."""
    few, labels = np.arange(500) % 4, np.zeros(500, np.int64)
    labels[np.flatnonzero(held_out_mask(500, None))[[0, 1]]] = 1, 2
    mask = chosen(contents_of(few[:, None]), labels)
    assert set(labels[~mask]) == {0, 1, 2} and mask.sum() == held_out_count(500) - 2
