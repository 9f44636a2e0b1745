"""Figures of what was drawn: classes, labels, modes; each beside the same figure of real data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wgan.evaluation.context import Figure, Measured, lenet_name, shrunk
from wgan.metrics.classifier import fit_classifier, predictions
from wgan.metrics.coverage import LabelAccuracy, class_histogram, label_accuracy, mode_report, stacked_modes
from wgan.metrics.features import stacked_digits

TOY = 2500  # samples of a 2-D mixture, as in the papers


def class_figures(m: Measured) -> Iterator[Figure]:
    """How often each digit is made, as KL from the held-out histogram, and the rarest class."""
    names = [int(name) for name in m.reals.test.class_names]
    reference = np.bincount(m.real_predicted("held_out"), minlength=10)
    expected = reference + 1.0  # a digit the reference never shows is rare, not impossible
    floor = class_histogram(m.real_predicted("floor"), 10, expected)
    found = class_histogram(m.predicted, 10, expected)
    n, r, x = len(m.predicted), len(m.reals.held_out[0]), lenet_name()
    shares = " ".join(f"{name}:{found.shares[name]:.3f}" for name in names)
    yield Figure("class-kl", found.kl, None, floor.kl, None, n, r, x, note=shares)
    rarest = min(float(found.shares[k]) for k in names)
    yield Figure("rarest-class", rarest, None, min(float(floor.shares[k]) for k in names), None, n, r, x, "higher")


def label_figures(m: Measured) -> Iterator[Figure]:
    """The share of conditional fakes in which the shipped classifier sees the asked digit; floor: real images."""
    assert m.subject.labels is not None
    digits = np.array([int(name) for name in m.reals.test.class_names])
    x, y = m.reals.held_out
    assert y is not None
    found = label_accuracy(digits[m.subject.labels.numpy()], m.predicted, 10)
    base = label_accuracy(digits[y.numpy()], m.real_predicted("held_out"), 10)
    names = {str(d): int(d) for d in digits}
    yield accuracy_figure("label-accuracy", found, base, names, (len(m.fakes), len(x)), lenet_name())


def cas_figures(m: Measured) -> Iterator[Figure]:
    """CAS: a small classifier trained on the fakes and their labels, tested on held-out reals."""
    assert m.subject.labels is not None
    x, y = m.reals.held_out
    trained = fit_classifier(shrunk(m.fakes), m.subject.labels, m.reals.test.classes)
    found = label_accuracy(y, predictions(trained, shrunk(x)), m.reals.test.classes)
    yield accuracy_figure("cas", found, real_accuracy(m), class_numbers(m), (len(m.fakes), len(x)), "trained on fakes")


def gan_test_figures(m: Measured) -> Iterator[Figure]:
    """GAN-test: the same small classifier trained on training reals, tested on the fakes and their labels."""
    found = label_accuracy(m.subject.labels, predictions(m.real_classifier, shrunk(m.fakes)), m.reals.test.classes)
    sizes = (len(m.fakes), len(m.reals.held_out[0]))
    yield accuracy_figure("gan-test", found, real_accuracy(m), class_numbers(m), sizes, "trained on reals")


def real_accuracy(m: Measured) -> LabelAccuracy:
    """Return what the small classifier reaches that was trained on training reals, on held-out reals: both floors."""
    x, y = m.reals.held_out
    classes = m.reals.test.classes
    return m.of_reals("accuracy", lambda: label_accuracy(y, predictions(m.real_classifier, shrunk(x)), classes))


def class_numbers(m: Measured) -> dict[str, int]:
    """Return class name -> label number."""
    return {name: i for i, name in enumerate(m.reals.test.class_names)}


def accuracy_figure(
    name: str, found: LabelAccuracy, base: LabelAccuracy, numbers: dict[str, int], sizes: tuple[int, int], by: str
) -> Figure:
    """Return an accuracy with its value for each class that was asked for, beside those of real data."""
    each, floors = ({k: float(a.per_class[i]) for k, i in numbers.items()} for a in (found, base))
    each, floors = ({k: v for k, v in values.items() if not np.isnan(v)} for values in (each, floors))
    note = " ".join(f"{k}:{v:.3f}" for k, v in list(each.items())[:20])
    return Figure(
        name,
        found.accuracy,
        floor=base.accuracy,
        n_fake=sizes[0],
        n_real=sizes[1],
        extractor=by,
        better="higher",
        note=note,
        per_class=each,
        floor_per_class=floors,
    )


def mode_figures(m: Measured) -> Iterator[Figure]:
    """Modes reached, high-quality share and reverse KL of a toy with known modes."""
    centres = m.reals.test.modes
    assert centres is not None
    n = min(TOY, len(m.fakes))
    found = mode_report(m.fakes[:n].numpy(), centres.numpy(), m.reals.test.radius)
    base = mode_report(m.reals.held_out[0][:n].numpy(), centres.numpy(), m.reals.test.radius)
    for name, better in (("reached", "higher"), ("high_quality", "higher"), ("reverse_kl", "lower")):
        value, floor = float(getattr(found, name)), float(getattr(base, name))
        yield Figure(f"modes-{name.replace('_', '-')}", value, None, floor, None, n, n, "within 3 sigma", better)


def stacked_figures(m: Measured) -> Iterator[Figure]:
    """Modes of stacked MNIST, KL from uniform, and KL above a perfect sampler's."""
    found = stacked_modes(stacked_digits(m.fakes))
    base = m.of_reals("floor stacked", lambda: stacked_modes(stacked_digits(m.reals.floor[0])))
    n, x = len(m.fakes), lenet_name()
    yield Figure("stacked-modes", float(found.reached), None, float(base.reached), None, n, n, x, "higher")
    yield Figure(
        "stacked-kl", found.kl, None, base.kl, None, n, n, x, note=f"a perfect sampler: {found.kl_floor_measured:.4f}"
    )
    yield Figure("stacked-kl-above-floor", found.excess, None, base.excess, None, n, n, x)
