"""Data that lie sorted by class, as every image folder does: what stands at the front or the back must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.report_runs import figures
from PIL import Image

from wgan.evaluation.evaluate import evaluate, label_plan
from wgan.evaluation.samples import from_file, open_reals

EACH, CLASSES = 200, 4


def sorted_images(seed):
    """Four classes of noisy bars, one after another: images uint8 [4 * EACH, 8, 8], labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (CLASSES * EACH, 8, 8))
    labels = np.repeat(np.arange(CLASSES), EACH)
    for k in range(CLASSES):
        images[labels == k, 2 * k : 2 * k + 2] += 180
    return images.astype(np.uint8), labels


def write_folder(path, images, labels):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (path / f"class{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / f"class{label}" / f"{i:04}.png")


@pytest.fixture(params=["array", "folder"])
def own(request, tmp_path):
    images, labels = sorted_images(0)
    if request.param == "array":
        np.savez(tmp_path / "own.npz", images=images, labels=labels)
        return str(tmp_path / "own.npz"), [str(k) for k in range(CLASSES)]
    write_folder(tmp_path / "own", images, labels)
    return str(tmp_path / "own"), [f"class{k}" for k in range(CLASSES)]


def test_a_perfect_sampler_of_sorted_classes_scores_as_real_data(own, tmp_path, hasty):
    spec, _ = own
    images, _ = sorted_images(1)
    np.savez(tmp_path / "made.npz", images=images)
    metrics = ["prdc", "certified-w1", "bracket", "memorisation"]
    found = figures(evaluate(tmp_path / "made.npz", data=spec, n=400, metrics=metrics))
    assert found["recall"].value > 0.8 and found["coverage"].value > 0.8, found
    assert found["exact-w1"].value == pytest.approx(found["exact-w1"].reference, rel=0.1)
    assert abs(found["certified-w1-gap"].value) < 0.8  # four standard errors; one class against another: about 1.6
    assert found["nearest-train"].value == pytest.approx(found["nearest-train"].reference, rel=0.1)


def test_labels_that_a_run_is_asked_for_come_in_no_order(own):
    spec, names = own
    reals = open_reals(spec, 300)
    made, told = label_plan(reals, names[::-1], 300)
    assert torch.equal(made, 3 - told)
    for part in (told[:60], told[-60:]):
        assert torch.bincount(part, minlength=4).min() >= 5
    again, _ = label_plan(reals, names[::-1], 300)
    assert torch.equal(made, again)


def test_labels_are_drawn_as_reals_are(own):
    """So their frequencies are not exactly those of the data."""
    spec, names = own
    reals = open_reals(spec, 200)
    whole = torch.bincount(reals.train.labels, minlength=4)
    made, _ = label_plan(reals, names, 200)
    counts = torch.bincount(made, minlength=4)
    expected = whole.double() / whole.sum() * 200
    assert 0.5 < (counts - expected).abs().max() < 30  # five standard deviations
    size = len(reals.train)
    every, _ = label_plan(reals, names, size)
    assert torch.equal(torch.bincount(every, minlength=4), whole)  # all of them: without replacement
    more, _ = label_plan(reals, names, size + 40)
    assert torch.equal(more[:size], every) and torch.equal(more[size:], every[:40])


def test_the_samples_of_a_file_keep_their_labels(tmp_path):
    images, labels = sorted_images(0)
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    reals = open_reals(str(tmp_path / "own.npz"), 300)
    found = from_file(tmp_path / "own.npz", 300, reals.test)
    assert len(found.fakes) == len(found.labels) == found.about.n_fake == 300
    bar = found.fakes[:, 0].float().mean(2).reshape(300, 4, 2).mean(2).argmax(1)
    assert torch.equal(bar, found.labels)
