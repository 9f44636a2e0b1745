"""`wgan evaluate`: figures beside floors, files of other programs, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from wgan.data import open_source
from wgan.errors import WganError
from wgan.evaluation import evaluate
from wgan.figures import MEASURES
from wgan.measured import Measured
from wgan.metrics.classifier import classification_accuracy
from wgan.subjects import Subject, from_file, label_numbers, open_reals, to_bytes

FAST = ["fid-lenet", "classes", "sliced-w1"]


@pytest.fixture(scope="module")
def train_images():
    x, y = open_source("mnist", "train").batch(torch.arange(600))
    return x[:, 0].numpy(), y.numpy()


def figures(report):
    return {f.name: f for f in report.results[0]["figures"]}


def test_real_images_score_at_the_floor_and_noise_far_above(tmp_path, train_images):
    np.savez(tmp_path / "real.npz", images=train_images[0], labels=train_images[1])
    noisy = np.clip(train_images[0] + np.random.default_rng(0).normal(0, 60, train_images[0].shape), 0, 255)
    np.savez(tmp_path / "noisy.npz", images=noisy.astype(np.uint8))
    real = figures(evaluate(tmp_path / "real.npz", data="mnist", n=600, metrics=FAST))
    noise = figures(evaluate(tmp_path / "noisy.npz", data="mnist", n=600, metrics=FAST))
    assert real["relative-fid"].value < 2 * real["relative-fid"].floor
    assert noise["relative-fid"].value > 5 * noise["relative-fid"].floor
    assert real["sliced-w1"].value < 2 * real["sliced-w1"].floor < noise["sliced-w1"].value
    assert real["fid-lenet"].value == pytest.approx(128 * real["relative-fid"].value)


def test_every_figure_says_how_many_samples_and_what_extractor(tmp_path, train_images):
    np.savez(tmp_path / "real.npz", images=train_images[0])
    found = figures(evaluate(tmp_path / "real.npz", data="mnist", n=400, metrics=FAST))
    assert all(f.n_fake == 400 and f.n_real == 400 for f in found.values())
    assert found["fid-lenet"].extractor.startswith("lenet-mnist ")


def test_labels_of_real_images_are_right_and_shuffled_ones_are_at_chance(tmp_path, train_images):
    images, labels = train_images
    np.savez(tmp_path / "right.npz", images=images, labels=labels)
    np.savez(tmp_path / "wrong.npz", images=images, labels=np.random.default_rng(0).permutation(labels))
    right = figures(evaluate(tmp_path / "right.npz", data="mnist", n=600, metrics=["label-accuracy"]))
    wrong = figures(evaluate(tmp_path / "wrong.npz", data="mnist", n=600, metrics=["label-accuracy"]))
    assert right["label-accuracy"].value > 0.98 > 0.3 > wrong["label-accuracy"].value


def test_labels_are_class_names_also_where_classes_are_selected():
    reals = open_reals("mnist:3,7", 200)
    assert label_numbers(np.array([7, 3, 7]), reals.test, "x").tolist() == [1, 0, 1]
    with pytest.raises(WganError, match=r"x holds the label 5.*3, 7"):
        label_numbers(np.array([5]), reals.test, "x")


def test_selected_classes_do_not_count_the_others_as_missing(tmp_path, train_images):
    images, labels = train_images
    np.savez(tmp_path / "fives.npz", images=np.repeat(images[labels == 5], 4, 0)[:200])
    found = figures(evaluate(tmp_path / "fives.npz", data="mnist:5", n=200, metrics=["classes"]))
    assert found["class-kl"].value < 0.2 and found["rarest-class"].value > 0.9


def test_a_toy_file_of_true_points_reaches_every_mode(tmp_path):
    points = open_source("ring", "train").batch(torch.arange(2500))[0].numpy()
    np.savez(tmp_path / "ring.npz", samples=points)
    found = figures(evaluate(tmp_path / "ring.npz", data="ring", n=2500, metrics=["modes"]))
    assert found["modes-reached"].value == 8 == found["modes-reached"].floor
    assert 0.97 < found["modes-high-quality"].value <= 1  # 1 - exp(-4.5) = 0.9889


def test_the_report_of_a_run_names_step_generator_seed_and_the_training_signal(conditional_run):
    report = evaluate(conditional_run, n=200, metrics=["sliced-w1"])
    about = report.results[0]["about"]
    assert about["checkpoint"] == "last" and about["step"] == 2 and about["generator"] in ("average", "raw")
    assert isinstance(report.notes["training_signal_not_a_distance"], float)
    parsed = json.loads(report.to_json())
    assert parsed["results"][0]["figures"][0]["name"] == "sliced-w1"


def test_a_run_measured_twice_gives_the_same_figures(conditional_run):
    first, second = (evaluate(conditional_run, n=200, metrics=["sliced-w1", "fid-lenet"]).to_json() for _ in range(2))
    assert first == second


def test_bytes_are_what_a_viewer_shows():
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0, -0.9999])).tolist() == [0, 128, 255, 0]


def test_cas_learns_from_true_labels_and_not_from_shuffled_ones():
    x, y = open_source("mnist", "train").batch(torch.arange(2000))
    tx, ty = open_source("mnist", "test").batch(torch.arange(500))
    shuffled = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]
    assert classification_accuracy(x, y, tx, ty, 10, updates=60) > 0.8
    assert classification_accuracy(x, shuffled, tx, ty, 10, updates=60) < 0.3


def test_cas_is_a_function_of_its_arguments_alone():
    x, y = open_source("mnist", "train").batch(torch.arange(300))
    before = torch.get_rng_state()
    first = classification_accuracy(x, y, x, y, 10, updates=5)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    assert classification_accuracy(x, y, x, y, 10, updates=5) == first


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"pictures": np.zeros((200, 28, 28), np.uint8)}, "expected an array named images or samples"),
        ({"images": np.zeros((200, 28, 28), np.float32)}, "expected uint8"),
        ({"images": np.zeros((200, 27, 28), np.uint8)}, r"expected uint8 \[N, 28, 28\]"),
        ({"images": np.zeros((200, 28, 28), np.uint8), "labels": np.zeros(3, int)}, "labels must be 200 whole numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(tmp_path, arrays, sentence):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(WganError, match=sentence):
        evaluate(tmp_path / "x.npz", data="mnist", n=200, metrics=FAST)


def test_a_pickle_in_a_file_is_never_loaded(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(WganError, match="cannot be read as arrays"):
        from_file(tmp_path / "x.npz", 100, open_source("mnist", "test"))


def test_mistakes_are_refused_before_anything_is_computed(tmp_path, conditional_run):
    np.savez(tmp_path / "x.npz", images=np.zeros((200, 28, 28), np.uint8))
    with pytest.raises(WganError, match="needs --data"):
        evaluate(tmp_path / "x.npz")
    with pytest.raises(WganError, match=r"unknown metric 'fid-lente'.*fid-lenet"):
        evaluate(conditional_run, metrics=["fid-lente"])
    with pytest.raises(WganError, match="n must be at least 100"):
        evaluate(conditional_run, n=5)
    with pytest.raises(WganError, match="no checkpoint of step 77"):
        evaluate(conditional_run, n=100, checkpoint=77)
    with pytest.raises(WganError, match="does not exist"):
        evaluate(tmp_path / "nothing.npz", data="mnist")
    with pytest.raises(WganError, match="metric modes does not apply"):
        evaluate(conditional_run, n=100, metrics=["modes"])
    with pytest.raises(WganError, match=r"\(2,\)"):
        evaluate(conditional_run, n=100, data="ring")


def test_every_measure_has_a_reason_or_a_function_for_any_subject():
    reals = open_reals("ring", 100)
    points = Subject(torch.zeros(100, 2), None, {})
    applies = {name for name, m in MEASURES.items() if not m.missing(Measured(points, reals))}
    assert applies == {"prdc", "certified-w1", "bracket", "sliced-w1", "memorisation", "modes"}
