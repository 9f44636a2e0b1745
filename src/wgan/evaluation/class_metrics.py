"""Metrics of what was drawn: classes, labels, modes; each next to the same metric of real data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wgan.evaluation.context import Measured, MetricValue, lenet_name, of_a_fraction, shrunk
from wgan.metrics.classifier import fit_classifier, predictions
from wgan.metrics.coverage import (
    LabelAccuracy,
    StackedModes,
    class_histogram,
    label_accuracy,
    mode_report,
    stacked_modes,
)
from wgan.metrics.features import stacked_digits

TOY = 2500  # samples of a 2-D mixture, as in the papers


def class_values(m: Measured) -> Iterator[MetricValue]:
    """How often each digit is made, as KL from the held-out histogram, and the rarest class."""
    names = [int(name) for name in m.reals.test.class_names]
    expected = np.bincount(m.real_predicted(None), minlength=10) + 1.0  # a digit it never shows is rare, not impossible

    def of(predicted: NDArray[np.int64]) -> tuple[float, float]:
        found = class_histogram(predicted, 10, expected)
        return found.kl, min(float(found.shares[k]) for k in names)

    fractions = class_histogram(m.predicted, 10, expected).shares
    references = m.reference("classes", lambda k: of(m.real_predicted(k)))
    for name, value, (reference, spread) in zip(("class-kl", "rarest-class"), of(m.predicted), references, strict=True):
        yield MetricValue(
            name=name,
            value=value,
            reference=reference,
            reference_spread=spread,
            n_fake=len(m.predicted),
            n_real=len(m.reals.held_out[0]),
            extractor=lenet_name(),
            note=" ".join(f"{k}:{fractions[k]:.3f}" for k in names) if name == "class-kl" else "",
        )


def label_values(m: Measured) -> Iterator[MetricValue]:
    """The fraction of conditional fakes in which the shipped classifier sees the requested digit; reference: real images."""
    assert m.subject.labels is not None
    digits = np.array([int(name) for name in m.reals.test.class_names])
    x, y = m.reals.held_out
    assert y is not None
    found = label_accuracy(digits[m.subject.labels.numpy()], m.predicted, 10)
    base = label_accuracy(digits[y.numpy()], m.real_predicted(None), 10)
    names = {str(d): int(d) for d in digits}
    yield accuracy_value("label-accuracy", found, base, names, (len(m.fakes), len(x)), lenet_name())


def cas_values(m: Measured) -> Iterator[MetricValue]:
    """CAS: a small classifier trained on the fakes and their labels, tested on held-out reals."""
    assert m.subject.labels is not None
    x, y = m.reals.held_out
    trained = fit_classifier(shrunk(m.fakes), m.subject.labels, m.reals.test.classes)
    found = label_accuracy(y, predictions(trained, shrunk(x)), m.reals.test.classes)
    yield accuracy_value("cas", found, real_accuracy(m), class_numbers(m), (len(m.fakes), len(x)), "trained on fakes")


def gan_test_values(m: Measured) -> Iterator[MetricValue]:
    """GAN-test: the same small classifier trained on training reals, tested on the fakes and their labels."""
    found = label_accuracy(m.subject.labels, predictions(m.real_classifier, shrunk(m.fakes)), m.reals.test.classes)
    sizes = (len(m.fakes), len(m.reals.held_out[0]))
    yield accuracy_value("gan-test", found, real_accuracy(m), class_numbers(m), sizes, "trained on reals")


def real_accuracy(m: Measured) -> LabelAccuracy:
    """Return what the small classifier reaches that was trained on training reals, on held-out reals: the reference of both."""
    x, y = m.reals.held_out
    classes = m.reals.test.classes
    return m.of_reals("accuracy", lambda: label_accuracy(y, predictions(m.real_classifier, shrunk(x)), classes))


def class_numbers(m: Measured) -> dict[str, int]:
    """Return class name -> label number."""
    return {name: i for i, name in enumerate(m.reals.test.class_names)}


def accuracy_value(
    name: str, found: LabelAccuracy, base: LabelAccuracy, numbers: dict[str, int], sizes: tuple[int, int], by: str
) -> MetricValue:
    """Return an accuracy with its value for each requested class, next to those of real data."""
    measured_on = sizes[1] if name == "cas" else sizes[0]  # cas: reals, by a classifier of fakes
    each, references = ({k: float(a.per_class[i]) for k, i in numbers.items()} for a in (found, base))
    each, references = ({k: v for k, v in values.items() if not np.isnan(v)} for values in (each, references))
    note = " ".join(f"{k}:{v:.3f}" for k, v in list(each.items())[:20])
    return MetricValue(
        name=name,
        value=found.accuracy,
        spread=of_a_fraction(found.accuracy, measured_on),
        reference=base.accuracy,
        reference_spread=of_a_fraction(base.accuracy, sizes[1]),
        n_fake=sizes[0],
        n_real=sizes[1],
        extractor=by,
        note=note,
        per_class=each,
        reference_per_class=references,
    )


def mode_values(m: Measured) -> Iterator[MetricValue]:
    """Modes reached and covered, high-quality fraction and reverse KL of a toy with known modes."""
    assert m.reals.test.modes is not None
    centres, n = m.reals.test.modes.numpy(), min(TOY, len(m.fakes))

    def of(points: Tensor) -> tuple[float, ...]:
        found = mode_report(points[:n].numpy(), centres, m.reals.test.radius)
        return float(found.reached), float(found.covered), found.high_quality, found.reverse_kl

    names = ("modes-reached", "modes-covered", "modes-high-quality", "modes-reverse-kl")
    references = m.reference("modes", lambda k: of(m.real(k)))
    for name, value, (reference, spread) in zip(names, of(m.fakes), references, strict=True):
        yield MetricValue(
            name=name,
            value=value,
            reference=reference,
            reference_spread=spread,
            n_fake=n,
            n_real=n,
            extractor="within 3 sigma",
        )


def stacked_values(m: Measured) -> Iterator[MetricValue]:
    """Modes of stacked MNIST, KL from uniform, and KL above a perfect sampler's."""

    def of(found: StackedModes) -> tuple[float, ...]:
        return float(found.reached), found.kl, found.excess

    found = stacked_modes(stacked_digits(m.fakes))
    names = ("stacked-modes", "stacked-kl", "stacked-kl-above-floor")
    references = m.reference("stacked", lambda k: of(stacked_modes(stacked_digits(m.real(k)))))
    for name, value, (reference, spread) in zip(names, of(found), references, strict=True):
        yield MetricValue(
            name=name,
            value=value,
            reference=reference,
            reference_spread=spread,
            n_fake=len(m.fakes),
            n_real=len(m.fakes),
            extractor=lenet_name(),
            note=f"a perfect sampler: {found.kl_floor_measured:.4f}" if name == "stacked-kl" else "",
        )
