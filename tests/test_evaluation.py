"""`wgan evaluate`: figures beside floors, files of other programs, and what is refused."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from wgan.data import Source, open_source
from wgan.data.source import report_indices
from wgan.errors import WganError
from wgan.evaluation import SEED, evaluate, label_plan
from wgan.figures import MEASURES, alike
from wgan.generate import latents, load
from wgan.measured import Measured, flat, shrunk
from wgan.metrics.certified import fit_critic
from wgan.metrics.classifier import classification_accuracy, fit_classifier
from wgan.metrics.distances import exact_w1
from wgan.metrics.features import lenet_card
from wgan.pictures import GAP
from wgan.run import SELECTION
from wgan.subjects import Reals, Subject, from_file, label_numbers, open_reals, to_bytes

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


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_a_file_of_few_samples_stands_beside_the_floor_of_as_few(tmp_path, train_images, suffix, recwarn):
    path = tmp_path / f"few{suffix}"
    np.save(path, train_images[0][:200]) if suffix == ".npy" else np.savez(path, images=train_images[0][:200])
    asked = evaluate(path, data="mnist", n=200, metrics=["fid-lenet"])
    whole = evaluate(path, data="mnist", metrics=["fid-lenet"])  # n is 10,000: the file holds 200
    assert whole.to_json() == asked.to_json()
    assert whole.figure("fid-lenet").n_real == 200 == whole.notes["n_real"]
    assert not recwarn.list


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


DIGITS = [str(i) for i in range(10)]


@pytest.mark.parametrize(
    ("spec", "asked", "labels"),
    [
        ("mnist", list(range(10)), list(range(10))),
        ("mnist:3,7", [3, 7], [0, 1]),  # the data's number 0 is the digit 3
        ("mnist:5", [5], None),  # one class is no label
    ],
)
def test_a_conditional_run_is_asked_for_the_classes_of_the_data_it_is_held_against(spec, asked, labels):
    made, told = label_plan(open_reals(spec, 300), DIGITS, 300)
    assert sorted(set(made.tolist())) == asked and len(made) == 300
    assert told is None if labels is None else sorted(set(told.tolist())) == labels
    if told is not None:
        assert all(asked[t] == m for m, t in zip(made.tolist(), told.tolist(), strict=True))


def test_a_run_that_cannot_make_all_classes_makes_the_others_and_is_refused_where_none_is_left():
    made, told = label_plan(open_reals("mnist", 300), ["7", "3"], 300)
    assert set(zip(made.tolist(), told.tolist(), strict=True)) == {(0, 7), (1, 3)}
    assert label_plan(open_reals("mnist", 300), [], 300) == (None, None)
    with pytest.raises(WganError, match=r"mnist:0-4 has 0, 1, 2, 3, 4, and the run makes 7, 8: no class of it"):
        label_plan(open_reals("mnist:0-4", 300), ["7", "8"], 300)


def test_a_run_held_against_two_digits_has_their_labels_in_the_numbers_of_the_data(conditional_run):
    measured = evaluate(conditional_run, data="mnist:3,7", n=100, metrics=["sliced-w1"]).results[0]["measured"]
    made, told = label_plan(measured.reals, DIGITS, 100)
    model = load(conditional_run)
    samples = model.decode(latents(SEED, 100, model.network.latent), made).as_subclass(torch.Tensor)
    assert torch.equal(measured.subject.labels, told) and torch.equal(measured.fakes, to_bytes(samples))


def test_a_run_held_against_one_digit_makes_that_digit(conditional_run):
    report = evaluate(conditional_run, data="mnist:5", n=100, metrics=["sliced-w1"])
    model = load(conditional_run)
    fives = to_bytes(
        model.decode(latents(SEED, 100, model.network.latent), torch.full((100,), 5)).as_subclass(torch.Tensor)
    )
    assert torch.equal(report.results[0]["measured"].fakes, fives)


def test_selected_classes_do_not_count_the_others_as_missing(tmp_path, train_images):
    images, labels = train_images
    np.savez(tmp_path / "fives.npz", images=np.repeat(images[labels == 5], 4, 0)[:200])
    found = figures(evaluate(tmp_path / "fives.npz", data="mnist:5", n=200, metrics=["classes"]))
    assert found["class-kl"].value < 0.2 and found["rarest-class"].value > 0.9
    np.savez(tmp_path / "others.npz", images=images[labels != 5][:200])  # digits that this data never shows
    found = figures(evaluate(tmp_path / "others.npz", data="mnist:5", n=200, metrics=["classes"]))
    assert 3 < found["class-kl"].value < 10 and found["rarest-class"].value < 0.05


def test_a_toy_file_of_true_points_reaches_every_mode(tmp_path):
    points = open_source("ring", "train").batch(torch.arange(2500))[0].numpy()
    np.savez(tmp_path / "ring.npz", samples=points)
    found = figures(evaluate(tmp_path / "ring.npz", data="ring", n=2500, metrics=["modes"]))
    assert found["modes-reached"].value == 8 == found["modes-reached"].floor
    assert tuple(found) == MEASURES["modes"].figures
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
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0, -0.9999, 0.5])).tolist() == [0, 128, 255, 0, 191]


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


def test_reported_reals_chose_no_checkpoint_and_the_critics_reals_are_not_those_of_the_floor():
    reals = open_reals("mnist", 300)
    held = reals.test.batch(report_indices(len(reals.test))[:300])[0]
    assert torch.equal(reals.held_out[0], held)
    floor, fitting = ({x.numpy().tobytes() for x in part[0]} for part in (reals.floor, reals.fitting))
    assert len(floor) == len(fitting) == 300 and not floor & fitting


def test_the_bound_is_read_on_the_half_of_the_fakes_that_its_critic_never_saw(train_images, monkeypatch):
    seen = []

    def fit(real, fake):
        seen.append((real, fake))
        return fit_critic(real, fake, steps=60)

    monkeypatch.setattr("wgan.measured.fit_critic", fit)
    x = torch.from_numpy(train_images[0])[:400, None].clone()
    x[:200] = 0  # what the critic learns to tell from digits; the other half are digits
    reals = open_reals("mnist", 400)
    bound, gap = MEASURES["certified-w1"].function(Measured(Subject(x, None, {}), reals))
    np.testing.assert_array_equal(seen[0][0], flat(reals.fitting[0]))
    np.testing.assert_array_equal(seen[0][1], flat(x[:200]))
    assert (bound.n_fake, bound.n_real) == (200, 400)
    assert bound.value < 0.5 and abs(gap.value) < 1  # black images against digits would be above 5
    assert flat(x)[:].max() == 1 and flat(x).shape == (400, 784)


def test_raw_measures_the_raw_generator(conditional_run):
    average, raw = (evaluate(conditional_run, n=100, metrics=["sliced-w1"], raw=r) for r in (False, True))
    assert [r.results[0]["about"]["generator"] for r in (average, raw)] == ["average", "raw"]
    assert average.figure("sliced-w1").value != raw.figure("sliced-w1").value


def test_the_flag_raw_measures_the_raw_generator(conditional_run, tmp_path, command):
    words = ("evaluate", conditional_run, "-n", 100, "--metrics", "sliced-w1", "--out", tmp_path / "x.json")
    for flags, kind in (((), "average"), (("--raw",), "raw")):
        assert command(*words, *flags).code == 0
        assert json.loads((tmp_path / "x.json").read_text())["results"][0]["generator"] == kind


@pytest.fixture
def hasty(monkeypatch):
    """Classifiers of cas and gan-test, and evaluation critics, that learn for a moment only."""
    short = functools.partial(fit_classifier, updates=50)
    monkeypatch.setattr("wgan.measured.fit_critic", functools.partial(fit_critic, steps=20))
    monkeypatch.setattr("wgan.class_figures.fit_classifier", short)
    monkeypatch.setattr("wgan.measured.fit_classifier", short)


def test_cas_and_gan_test_stand_beside_the_same_classifier_on_real_data(tmp_path, train_images, hasty):
    images, labels = train_images
    swapped = np.where(labels == 3, 8, np.where(labels == 8, 3, labels))  # right but for two classes
    np.savez(tmp_path / "swapped.npz", images=images, labels=swapped)
    found = figures(evaluate(tmp_path / "swapped.npz", data="mnist", n=600, metrics=["cas", "gan-test"]))
    cas, gan = found["cas"], found["gan-test"]
    assert cas.floor == gan.floor > 0.7 and cas.floor_per_class == gan.floor_per_class
    assert cas.extractor == "trained on fakes" and gan.extractor == "trained on reals"
    for figure in (cas, gan):
        assert figure.per_class.keys() == set("0123456789")
        assert figure.per_class["3"] < 0.3 > figure.per_class["8"] and figure.per_class["0"] > 0.7
        assert min(figure.floor_per_class.values()) > 0.3
        assert figure.value < figure.floor - 0.1


def test_label_accuracy_of_each_class_is_its_share_and_a_class_never_asked_for_has_none(tmp_path, train_images):
    images, labels = train_images
    kept = (labels == 1) | (labels == 4)
    np.savez(tmp_path / "x.npz", images=images[kept], labels=np.where(labels == 4, 9, 1)[kept])  # fours sold as nines
    found = figures(evaluate(tmp_path / "x.npz", data="mnist", n=600, metrics=["label-accuracy"]))["label-accuracy"]
    assert found.per_class.keys() == {"1", "9"}
    assert found.per_class["1"] > 0.95 and found.per_class["9"] < 0.05
    assert found.value == pytest.approx((labels[kept] == 1).mean(), abs=0.03)
    assert min(found.floor_per_class.values()) > 0.9 and len(found.floor_per_class) == 10


def test_cas_is_for_labelled_images_of_any_kind_and_shrinks_large_ones(hasty):
    x, y = open_source("mnist", "train").batch(torch.arange(1200))
    large = x.repeat_interleave(3, 2).repeat_interleave(3, 3)  # 84 x 84: 32 x 32 for the classifier
    data = Source("own", "train", (1, 84, 84), len(x), lambda i: large[i], y, 10, tuple("0123456789"))
    measured = Measured(Subject(large[:600], y[:600], {}), Reals(data, data, 600))
    assert shrunk(large[:2]).shape == (2, 1, 32, 32) and shrunk(x) is x
    assert MEASURES["label-accuracy"].missing(measured) and not MEASURES["gan-test"].missing(measured)
    (found,) = MEASURES["gan-test"].function(measured)
    assert found.value > 0.7 and found.floor > 0.7
    unlabelled = Measured(Subject(large[:600], None, {}), Reals(data, data, 600))
    assert "labels" in MEASURES["cas"].missing(unlabelled)


def test_shrinking_is_the_mean_of_the_pixels():
    x = torch.arange(64 * 64, dtype=torch.float32).reshape(1, 1, 64, 64).div(16).to(torch.uint8)
    by_hand = x.float().reshape(1, 1, 32, 2, 32, 2).mean((3, 5)).round().to(torch.uint8)
    assert torch.equal(shrunk(x), by_hand)


def test_the_bracket_has_floors_and_its_bounds_are_in_order(tmp_path, train_images, hasty):
    np.savez(tmp_path / "real.npz", images=train_images[0])
    found = figures(evaluate(tmp_path / "real.npz", data="mnist", n=200, metrics=["bracket"]))
    for figure in ("value", "floor"):
        low, middle, exact = (getattr(found[k], figure) for k in ("w1-cross-slope", "w1-c-transform", "exact-w1"))
        assert 0 <= low <= middle <= exact
    assert found["exact-w1"].value == pytest.approx(found["exact-w1"].floor, rel=0.1)
    reals = open_reals("mnist", 200)
    between_reals = exact_w1(flat(reals.floor[0]), flat(reals.held_out[0]))
    assert found["exact-w1"].floor == pytest.approx(between_reals) != found["exact-w1"].value


def test_the_bracket_reads_the_last_fakes_which_its_critic_never_saw(train_images, hasty, monkeypatch):
    monkeypatch.setattr("wgan.figures.SMALL", 60)
    x, reals = torch.from_numpy(train_images[0])[:200, None], open_reals("mnist", 200)
    *_, exact = MEASURES["bracket"].function(Measured(Subject(x, None, {}), reals))
    real = flat(reals.balanced(60))
    assert exact.n_fake == exact.n_real == 60
    assert exact.value == pytest.approx(exact_w1(flat(x[140:]), real))
    assert exact.floor == pytest.approx(exact_w1(flat(reals.floor[0][140:]), real))


def test_neighbour_balls_are_counted_at_equal_numbers_of_at_most_5000():
    few, some, many = (np.arange(2 * n).reshape(n, 2) for n in (30, 5001, 7000))
    assert [len(x) for x in alike(some, many)] == [5000, 5000]
    assert [x.tolist() for x in alike(many, few, some)] == [few.tolist()] * 3


def test_a_toy_is_held_against_equally_many_points_of_each_mode():
    reals = open_reals("grid", 500)
    source = reals.test
    points = reals.balanced(250)
    nearest = torch.cdist(points, source.modes).argmin(1)
    assert torch.bincount(nearest, minlength=25).tolist() == [10] * 25
    held = source.batch(report_indices(len(source)))[0]
    assert set(map(tuple, points.tolist())) <= set(map(tuple, held.tolist()))  # none that chose a checkpoint
    digits = open_reals("mnist", 100)
    assert torch.equal(digits.balanced(60), digits.held_out[0][:60])


def test_every_figure_carries_the_whole_sha256_of_an_extractor_that_has_weights(tmp_path, train_images):
    np.savez(tmp_path / "real.npz", images=train_images[0], labels=train_images[1])
    report = evaluate(
        tmp_path / "real.npz", data="mnist", n=120, metrics=["kid-lenet", "prdc", "prdc-random", "sliced-w1"]
    )
    found = figures(report)
    assert found["kid-lenet"].sha256 == found["recall"].sha256 == lenet_card()["sha256"]
    assert len(found["random-recall"].sha256) == 64 and found["random-recall"].extractor.endswith(
        found["random-recall"].sha256[:12]
    )
    assert found["sliced-w1"].sha256 is None and found["sliced-w1"].extractor == "pixels"
    assert all(f.floor is not None for f in found.values())
    parsed = json.loads(report.to_json())
    assert {"split", "floor", "n_real", "data"} <= parsed.keys()
    assert parsed["results"][0]["figures"][0]["sha256"] == lenet_card()["sha256"]


def test_both_checkpoints_are_measured_and_the_watcher_is_told_how_far_it_is(ring_run, copy):
    folder = copy(ring_run)
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": 1, SELECTION: -1.0}) + "\n")  # step 1 was the best
    told = []
    report = evaluate(folder, n=100, metrics=["modes", "sliced-w1"], watch=lambda *parts: told.append(parts))
    assert [r["about"]["checkpoint"] for r in report.results] == ["last", "best"]
    assert [r["about"]["step"] for r in report.results] == [2, 1]
    assert report.figure("sliced-w1").value != report.figure("sliced-w1", "best").value
    assert report.figure("sliced-w1").extractor == "columns"  # points have no pixels
    making = ("making 100 samples", 0, 0)
    assert told == [
        making, ("modes", 0, 4), ("sliced-w1", 1, 4), ("finished", 2, 4),
        ("making 100 samples", 2, 4), ("modes", 2, 4), ("sliced-w1", 3, 4), ("finished", 4, 4),
    ]  # fmt: skip


def test_a_terminal_sees_a_bar_and_a_pipe_sees_the_table_alone(ring_run, tmp_path, command, monkeypatch):
    words = ("evaluate", ring_run, "-n", 100, "--metrics", "modes,sliced-w1", "--out", tmp_path / "x.json")
    plain = command(*words)
    assert plain.code == 0 and "2/2" not in plain.out and "modes-reached" in plain.out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "2/2" in command(*words).out


def test_the_closest_pairs_are_a_picture_beside_a_file_and_in_a_run(tmp_path, train_images, digits_run, copy, command):
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    images[41] = train_images[0][5]
    np.savez(tmp_path / "x.npz", images=images)
    assert command("evaluate", tmp_path / "x.npz", "--data", "mnist", "-n", 100, "--metrics", "memorisation").code == 0
    picture = np.asarray(Image.open(tmp_path / "x.neighbours.png").convert("L"))
    scale = round((picture.shape[1] - 9 * GAP) / (8 * 28))  # four pairs a row
    first, second = (
        picture[GAP:, GAP + k * (28 * scale + GAP) :][: 28 * scale : scale, : 28 * scale : scale] for k in (0, 1)
    )
    assert (first == images[41]).all() and (second == images[41]).all()  # the copy, beside what it copies
    folder = copy(digits_run)
    assert command("evaluate", folder, "-n", 100, "--metrics", "sliced-w1").code == 0
    assert not (folder / "neighbours.png").exists()  # not asked for
    assert command("evaluate", folder, "-n", 100, "--metrics", "memorisation").code == 0
    assert (folder / "neighbours.png").exists()


def test_few_own_images_are_measured_by_what_applies(tmp_path, hasty):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", images=rng.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8))
    np.savez(tmp_path / "made.npz", images=rng.integers(0, 256, (120, 12, 12, 3), dtype=np.uint8))
    spec = str(tmp_path / "own.npz")
    found = figures(evaluate(tmp_path / "made.npz", data=spec, n=120))
    assert "exact-w1" in found and "certified-w1" not in found and "fid-lenet" not in found
    assert all(np.isfinite(f.value) for f in found.values())
    with pytest.raises(WganError, match="metric certified-w1 does not apply: it needs at least 100 fakes, 30 held-out"):
        evaluate(tmp_path / "made.npz", data=spec, n=120, metrics=["certified-w1"])
    np.savez(tmp_path / "one.npz", images=rng.integers(0, 256, (1, 12, 12, 3), dtype=np.uint8))
    with pytest.raises(WganError, match="holds 1 samples: figures that mean something need at least 100"):
        evaluate(tmp_path / "one.npz", data=spec)


def test_constant_images_have_every_figure(tmp_path, hasty):
    images = np.full((120, 28, 28), 7, np.uint8)
    np.savez(tmp_path / "flat.npz", images=images, labels=np.arange(120) % 10)
    found = figures(evaluate(tmp_path / "flat.npz", data="mnist", n=120))
    assert all(np.isfinite(f.value) for f in found.values()), found
    others = ("fid-inception", "modes", "stacked-modes")  # neither weights nor modes here
    assert list(found) == [name for metric, m in MEASURES.items() if metric not in others for name in m.figures]
    assert found["relative-fid"].value > 1 and found["coverage"].value == 0 == found["density"].value
    assert found["rarest-class"].value == 0


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
    for options in ({"raw": True}, {"checkpoint": "best"}):
        with pytest.raises(WganError, match=r"x.npz is a file of samples: --raw and --checkpoint choose"):
            evaluate(tmp_path / "x.npz", data="mnist", n=200, **options)
    with pytest.raises(WganError, match="100000000 samples do not fit into memory"):
        evaluate(conditional_run, n=100_000_000)
    with pytest.raises(WganError, match=r"unknown metric 'fid-lente'.*fid-lenet"):
        evaluate(conditional_run, metrics=["fid-lente"])
    with pytest.raises(WganError, match="recall is a figure of the metric prdc: ask for prdc"):
        evaluate(conditional_run, metrics=["sliced-w1", "recall"])
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
