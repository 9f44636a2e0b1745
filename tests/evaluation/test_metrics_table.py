"""What each figure of `wgan evaluate` reads: which fakes, which reals, which labels; and its floor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.report_runs import figures

from wgan.data import Source, open_source
from wgan.data.source import report_indices
from wgan.errors import WganError
from wgan.evaluation import context, sample_metrics
from wgan.evaluation.context import Measured, flat, shrunk
from wgan.evaluation.evaluate import evaluate
from wgan.evaluation.metrics_table import HOME, METRICS, PROMINENT, VALUES
from wgan.evaluation.sample_metrics import alike
from wgan.evaluation.samples import About, Reals, Subject, label_numbers, open_reals
from wgan.metrics.certified import fit_critic
from wgan.metrics.classifier import classification_accuracy
from wgan.metrics.distances import exact_w1, sliced_w1


def test_labels_of_reals_are_right_and_shuffled_at_chance(tmp_path, train_images):
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
    np.savez(tmp_path / "others.npz", images=images[labels != 5][:200])  # digits that this data never shows
    found = figures(evaluate(tmp_path / "others.npz", data="mnist:5", n=200, metrics=["classes"]))
    assert 3 < found["class-kl"].value < 10 and found["rarest-class"].value < 0.05


def test_a_toy_file_of_true_points_reaches_every_mode(tmp_path):
    points = open_source("ring", "train").batch(torch.arange(2500))[0].numpy()
    np.savez(tmp_path / "ring.npz", samples=points)
    found = figures(evaluate(tmp_path / "ring.npz", data="ring", n=2500, metrics=["modes"]))
    assert found["modes-reached"].value == 8 == found["modes-reached"].reference
    assert list(found) == [value.name for value in METRICS["modes"].values]
    assert 0.97 < found["modes-high-quality"].value <= 1  # 1 - exp(-4.5) = 0.9889


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


def test_reported_reals_chose_no_checkpoint():
    """And the reals that a critic learned from are not those of the reference."""
    reals = open_reals("mnist", 300)
    held = reals.test.batch(report_indices(len(reals.test))[:300])[0]
    assert torch.equal(reals.held_out[0], held)
    floor, fitting = ({x.numpy().tobytes() for x in part[0]} for part in (reals.draw(0), reals.fitting))
    assert len(floor) == len(fitting) == 300 and not floor & fitting


def test_the_bound_is_read_on_fakes_its_critic_never_saw(train_images, monkeypatch):
    seen = []

    def fit(real, fake):
        seen.append((real, fake))
        return fit_critic(real, fake, steps=60)

    monkeypatch.setattr(context, "fit_critic", fit)
    x = torch.from_numpy(train_images[0])[:400, None].clone()
    x[:200] = 0  # what the critic learns to tell from digits; the other half are digits
    reals = open_reals("mnist", 400)
    bound, gap = METRICS["certified-w1"].measure(Measured(Subject(x, None, About(n_fake=0)), reals))
    np.testing.assert_array_equal(seen[0][0], flat(reals.fitting[0]))
    np.testing.assert_array_equal(seen[0][1], flat(x[:200]))
    assert (bound.n_fake, bound.n_real) == (200, 400)
    assert bound.value < 0.5 and abs(gap.value) < 1  # black images against digits would be above 5
    assert flat(x)[:].max() == 1 and flat(x).shape == (400, 784)


def test_cas_and_gan_test_stand_next_to_their_real_values(tmp_path, train_images, hasty):
    """The values of the same classifier on real data."""
    images, labels = train_images
    swapped = np.where(labels == 3, 8, np.where(labels == 8, 3, labels))  # right but for two classes
    np.savez(tmp_path / "swapped.npz", images=images, labels=swapped)
    found = figures(evaluate(tmp_path / "swapped.npz", data="mnist", n=600, metrics=["cas", "gan-test"]))
    cas, gan = found["cas"], found["gan-test"]
    assert cas.reference == gan.reference > 0.7 and cas.reference_per_class == gan.reference_per_class
    assert cas.extractor == "trained on fakes" and gan.extractor == "trained on reals"
    for figure in (cas, gan):
        assert figure.per_class.keys() == set("0123456789")
        assert figure.per_class["3"] < 0.3 > figure.per_class["8"] and figure.per_class["0"] > 0.7
        assert min(figure.reference_per_class.values()) > 0.3
        assert figure.value < figure.reference - 0.1


def test_label_accuracy_of_each_class_is_its_fraction(tmp_path, train_images):
    """A class that was never asked for has none."""
    images, labels = train_images
    kept = (labels == 1) | (labels == 4)
    np.savez(tmp_path / "x.npz", images=images[kept], labels=np.where(labels == 4, 9, 1)[kept])  # fours sold as nines
    found = figures(evaluate(tmp_path / "x.npz", data="mnist", n=600, metrics=["label-accuracy"]))["label-accuracy"]
    assert found.per_class.keys() == {"1", "9"}
    assert found.per_class["1"] > 0.95 and found.per_class["9"] < 0.05
    assert found.value == pytest.approx((labels[kept] == 1).mean(), abs=0.03)
    assert min(found.reference_per_class.values()) > 0.9 and len(found.reference_per_class) == 10


def test_cas_is_for_any_labelled_images_and_shrinks_large_ones(hasty):
    x, y = open_source("mnist", "train").batch(torch.arange(1200))
    large = x.repeat_interleave(3, 2).repeat_interleave(3, 3)  # 84 x 84: 32 x 32 for the classifier
    data = Source("own", "train", (1, 84, 84), len(x), lambda i: large[i], y, 10, tuple("0123456789"))
    measured = Measured(Subject(large[:600], y[:600], About(n_fake=600)), Reals(data, data, 600))
    assert shrunk(large[:2]).shape == (2, 1, 32, 32) and shrunk(x) is x
    assert METRICS["label-accuracy"].missing(measured) and not METRICS["gan-test"].missing(measured)
    (found,) = METRICS["gan-test"].measure(measured)
    assert found.value > 0.7 and found.reference > 0.7
    unlabelled = Measured(Subject(large[:600], None, About(n_fake=0)), Reals(data, data, 600))
    assert "labels" in METRICS["cas"].missing(unlabelled)


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
    assert found["exact-w1"].value == pytest.approx(found["exact-w1"].reference, rel=0.1)
    reals = open_reals("mnist", 200)
    between_reals = [exact_w1(flat(reals.draw(k)[0]), flat(reals.held_out[0])) for k in range(4)]
    assert found["exact-w1"].reference == pytest.approx(np.mean(between_reals)) != found["exact-w1"].value
    assert found["exact-w1"].reference_spread == pytest.approx(np.std(between_reals, ddof=1)) and reals.draws == 4


def test_the_bracket_reads_fakes_its_critic_never_saw(train_images, hasty, monkeypatch):
    monkeypatch.setattr(sample_metrics, "SMALL", 60)
    x, reals = torch.from_numpy(train_images[0])[:200, None], open_reals("mnist", 200)
    *_, exact = METRICS["bracket"].measure(Measured(Subject(x, None, About(n_fake=0)), reals))
    real = flat(reals.balanced(60))
    assert exact.n_fake == exact.n_real == 60
    assert exact.value == pytest.approx(exact_w1(flat(x[140:]), real))
    references = [exact_w1(flat(reals.draw(k)[0][140:]), real) for k in range(4)]
    assert exact.reference == pytest.approx(np.mean(references))


def test_neighbour_balls_count_equal_numbers_of_at_most_5000():
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


ELSEWHERE = ("table_metrics.", "signal_metrics.", "condition_metrics.", "volume_metrics.")  # not of images with labels


def test_constant_images_have_every_figure(tmp_path, hasty):
    images = np.full((120, 28, 28), 7, np.uint8)
    np.savez(tmp_path / "flat.npz", images=images, labels=np.arange(120) % 10)
    found = figures(evaluate(tmp_path / "flat.npz", data="mnist", n=120))
    assert all(np.isfinite(f.value) for f in found.values()), found
    others = ("fid-inception", "modes", "stacked-modes", "outside-range")  # no weights, no modes, no table
    others += tuple(name for name, m in METRICS.items() if m.function.startswith(ELSEWHERE))
    assert list(found) == [name for name, metric in HOME.items() if metric not in others]
    assert found["relative-fid"].value > 1 and found["coverage"].value == 0 == found["density"].value
    assert found["rarest-class"].value == 0


def test_every_metric_has_a_reason_or_a_function_for_any_set():
    reals = open_reals("ring", 100)
    points = Subject(torch.zeros(100, 2), None, About(n_fake=0))
    applies = {name for name, m in METRICS.items() if not m.missing(Measured(points, reals))}
    assert applies == {"prdc", "certified-w1", "bracket", "sliced-w1", "memorisation", "modes"}


def test_every_row_has_functions_and_the_values_it_names(tmp_path, train_images, hasty):
    np.savez(tmp_path / "real.npz", images=train_images[0], labels=train_images[1])
    found = evaluate(tmp_path / "real.npz", data="mnist", n=120).results[0].values
    assert [f.better for f in found] == [VALUES[f.name].better for f in found]
    assert list(dict.fromkeys(HOME[f.name] for f in found)) == [
        name for name, m in METRICS.items() if {v.name for v in m.values} <= {f.name for f in found}
    ]
    assert set(PROMINENT) <= set(VALUES) and all(v.title and m.source for m in METRICS.values() for v in m.values)
    assert len(VALUES) == sum(len(m.values) for m in METRICS.values())  # no name twice


def small_reals(count, n, d=3):
    x = torch.randn(count + 200, d, generator=torch.Generator().manual_seed(0))
    train = Source("own", "train", (d,), count, lambda i: x[i])
    return Reals(train, Source("own", "test", (d,), 200, lambda i: x[count + i]), n)


def test_a_reference_never_judges_what_its_critic_learned_from(hasty):
    """Where the training split is smaller than 2n the two halves are smaller than n, and there is none below 60."""
    whole = {count: small_reals(count, 150) for count in (100, 200, 299, 300, 900)}
    for count, reals in whole.items():
        learned, unseen = ({tuple(x.tolist()) for x in part[0]} for part in (reals.fitting, reals.unfitted))
        assert not learned & unseen and len(learned) == len(unseen) == min(150, count // 2)
    for count, known in ((100, False), (200, True), (299, True), (900, True)):
        fakes = torch.randn(150, 3, generator=torch.Generator().manual_seed(1))
        measured = Measured(Subject(fakes, None, About(n_fake=150)), whole[count])
        for value in METRICS["certified-w1"].measure(measured):
            assert (value.reference is not None) == (value.reference_spread is not None) == known
            assert ("no reference" in value.note) == (not known)
            assert ("reference: 100 training samples" in value.note) == (count == 200)
        slope, _, exact = METRICS["bracket"].measure(measured)
        assert (slope.reference is not None) == (count >= 300) and exact.reference is not None


def test_a_reference_is_a_mean_over_disjoint_draws():
    """With its spread."""
    for count, draws in ((100, 1), (299, 1), (300, 2), (599, 3), (5000, 4)):
        reals = small_reals(count, 150)
        assert reals.draws == draws
        seen = [tuple(x.tolist()) for k in range(draws) for x in reals.draw(k)[0]]
        assert len(set(seen)) == len(seen) == min(count, 150 * draws)
        (found,) = METRICS["sliced-w1"].measure(Measured(Subject(torch.zeros(150, 3), None, About(n_fake=150)), reals))
        values = [sliced_w1(reals.draw(k)[0], reals.held_out[0]) for k in range(draws)]
        assert found.reference == pytest.approx(np.mean(values))
        assert found.reference_spread == (pytest.approx(np.std(values, ddof=1)) if draws > 1 else None)
