"""MEASURES: metric name -> what it needs and how its figures, each with its floor, come from fakes and reals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgan.measured import SMALL, Figure, Measured, flat
from wgan.metrics.certified import certified_w1, certify, sample_bracket
from wgan.metrics.classifier import classification_accuracy
from wgan.metrics.coverage import class_histogram, label_accuracy, mode_report, prdc, stacked_modes
from wgan.metrics.distances import exact_w1, kid, relative_fid, scaled_fid, sliced_w1
from wgan.metrics.features import classify, lenet_card, stacked_digits
from wgan.metrics.random_features import extractor_name, random_features

Rows = NDArray[np.float32]
PRDC = 5000  # samples of each side for neighbour balls
BOOTSTRAPS = 10


@dataclass(frozen=True)
class Measure:
    """How one metric is applied: why it cannot be ('' = it can), its figures, and whether it is among the defaults."""

    missing: Callable[[Measured], str]
    function: Callable[[Measured], Iterator[Figure]]
    default: bool = True


def lenet_name() -> str:
    """Return the extractor's name with the head of its hash."""
    return f"lenet-mnist {lenet_card()['sha256'][:12]}"


def bootstrap(function: Callable[[Rows], float], x: Rows) -> float:
    """Return the standard deviation of a figure over resampled fakes (BOOTSTRAPS draws, fixed seed)."""
    rng = np.random.default_rng(0)
    return float(np.std([function(x[rng.integers(len(x), size=len(x))]) for _ in range(BOOTSTRAPS)], ddof=1))


def fid_figures(m: Measured) -> Iterator[Figure]:
    """fid-lenet and its share of the reference's total variance."""
    real, floor = m.real_features("held_out"), m.real_features("floor")
    n, r, x = len(m.features), len(real), lenet_name()
    spread = bootstrap(lambda fake: scaled_fid(fake, real), m.features)
    base = m.of_reals("floor fid", lambda: scaled_fid(floor, real))
    yield Figure("fid-lenet", scaled_fid(m.features, real), spread, base, None, n, r, x)
    d = m.features.shape[1]  # fid-lenet is relative-fid times the number of features
    yield Figure("relative-fid", relative_fid(m.features, real), spread / d, base / d, None, n, r, x)


def kid_figures(m: Measured) -> Iterator[Figure]:
    """kid-lenet with the spread over subsets."""
    real, floor = m.real_features("held_out"), m.real_features("floor")
    value, spread = kid(m.features, real)
    f_value, f_spread = m.of_reals("floor kid", lambda: kid(floor, real))
    yield Figure("kid-lenet", value, spread, f_value, f_spread, len(m.features), len(real), lenet_name())


def prdc_figures(m: Measured) -> Iterator[Figure]:
    """Precision, recall, density and coverage, in classifier features for digits and in pixels otherwise."""
    if m.is_digits:
        fake, real, floor = m.features, m.real_features("held_out"), m.real_features("floor")
    else:
        fake, real, floor = flat(m.fakes), flat(m.reals.held_out[0]), flat(m.reals.floor[0])
    space = lenet_name() if m.is_digits else "pixels" if m.is_image else "columns"
    yield from prdc_of(m, fake, real, floor, space)


def random_figures(m: Measured) -> Iterator[Figure]:
    """Precision, recall, density and coverage of images in the features of a network with random weights."""
    real = m.of_reals("random features held_out", lambda: random_features(m.reals.held_out[0][:PRDC]))
    floor = m.of_reals("random features floor", lambda: random_features(m.reals.floor[0][:PRDC]))
    c, h, w = m.fakes.shape[1:]
    yield from prdc_of(m, random_features(m.fakes[:PRDC]), real, floor, extractor_name(c, h, w), "random-")


def prdc_of(m: Measured, fake: Rows, real: Rows, floor: Rows, space: str, prefix: str = "") -> Iterator[Figure]:
    """The four figures of neighbour balls in one space, at equal numbers, beside those of the floor."""
    n = min(PRDC, len(fake), len(real), len(floor))
    found = prdc(fake[:n], real[:n])
    best = m.of_reals(f"floor {prefix}prdc {n}", lambda: prdc(floor[:n], real[:n]))
    for name in found._fields:
        value, floor_value = getattr(found, name), getattr(best, name)
        yield Figure(prefix + name, value, None, floor_value, None, n, n, space, "higher", "k = 5")


def w1_figures(m: Measured) -> Iterator[Figure]:
    """The certified population bound, and the sample bracket with the same evaluation critic."""
    fake, floor = flat(m.fakes), flat(m.reals.floor[0])
    held, fitting = flat(m.reals.held_out[0]), flat(m.reals.fitting[0])
    half, h = len(fake) // 2, len(floor) // 2
    found = certify(m.evaluation_critic, fitting, fake[:half], held, fake[half:])
    base = m.of_reals("floor certified", lambda: certified_w1(fitting, floor[:h], held, floor[h:]))
    note = f"95 % interval {found.low:.3g} to {found.high:.3g}; L = {found.lipschitz:.6f}"
    yield Figure(
        "certified-w1", found.bound, found.error, base.bound, base.error, len(fake) - half, len(held), note=note
    )
    note = "the held-out gap itself, without the 1.645 standard errors"
    yield Figure(
        "certified-w1-gap", found.gap, found.error, base.gap, base.error, len(fake) - half, len(held), note=note
    )


def bracket_figures(m: Measured) -> Iterator[Figure]:
    """What an evaluation critic's scores prove about two finite samples, and their exact distance."""
    n = min(SMALL, len(m.fakes), len(m.reals.held_out[0]))
    fake, real, floor = flat(m.fakes[-n:]), flat(m.reals.held_out[0][:n]), flat(m.reals.floor[0][:n])
    critic = m.evaluation_critic
    found = sample_bracket(real, fake, critic(real), critic(fake))
    exact = m.of_reals(f"floor exact {n}", lambda: exact_w1(floor, real))
    yield Figure(
        "w1-cross-slope", found.cross_slope, n_fake=n, n_real=n, note="a lower bound on exact-w1", better="none"
    )
    yield Figure("w1-c-transform", found.c_transform, n_fake=n, n_real=n, note="a tighter one", better="none")
    note = "prefers blur to reality: read it beside its floor"
    yield Figure("exact-w1", found.exact, None, exact, None, n, n, note=note)


def sliced_figures(m: Measured) -> Iterator[Figure]:
    """Sliced W1."""
    fake, real, floor = flat(m.fakes), flat(m.reals.held_out[0]), flat(m.reals.floor[0])
    base = m.of_reals("floor sliced", lambda: sliced_w1(floor, real))
    yield Figure("sliced-w1", sliced_w1(fake, real), None, base, None, len(fake), len(real), note="256 directions")


def memorisation_figures(m: Measured) -> Iterator[Figure]:
    """Distance to the nearest training sample; its floor is that of held-out reals."""
    n = min(SMALL, len(m.fakes), len(m.reals.held_out[0]))
    found = m.memorised
    note = "median distance to the nearest training sample; far below the floor = copies"
    yield Figure("nearest-train", found.fake_median, None, found.real_median, None, n, n, better="none", note=note)
    note = "share of fakes nearer to a training sample than 99 % of held-out reals"
    yield Figure("copies", found.copies, None, 0.01, None, n, n, note=note)


def class_figures(m: Measured) -> Iterator[Figure]:
    """How often each digit is made, as KL from the held-out histogram, and the rarest class."""
    names = [int(name) for name in m.reals.test.class_names]
    reference = np.bincount(m.of_reals("predicted held_out", lambda: classify(m.reals.held_out[0])), minlength=10)
    expected = reference + 1.0  # a digit the reference never shows is rare, not impossible
    floor = class_histogram(m.of_reals("predicted floor", lambda: classify(m.reals.floor[0])), 10, expected)
    found = class_histogram(m.predicted, 10, expected)
    n, r, x = len(m.predicted), len(m.reals.held_out[0]), lenet_name()
    shares = " ".join(f"{name}:{found.shares[name]:.3f}" for name in names)
    yield Figure("class-kl", found.kl, None, floor.kl, None, n, r, x, note=shares)
    rarest = min(float(found.shares[k]) for k in names)
    yield Figure("rarest-class", rarest, None, min(float(floor.shares[k]) for k in names), None, n, r, x, "higher")


def label_figures(m: Measured) -> Iterator[Figure]:
    """GAN-test: the share of conditional fakes in which the classifier sees the asked label; floor: real images."""
    assert m.subject.labels is not None
    names = np.array([int(name) for name in m.reals.test.class_names])
    asked = names[m.subject.labels.numpy()]
    found = label_accuracy(asked, m.predicted, 10)
    x, y = m.reals.held_out
    assert y is not None
    base = label_accuracy(names[y.numpy()], m.of_reals("predicted held_out", lambda: classify(x)), 10)
    each = " ".join(f"{k}:{found.per_class[k]:.3f}" for k in names)
    yield Figure(
        "label-accuracy", found.accuracy, None, base.accuracy, None, len(asked), len(x), lenet_name(), "higher", each
    )


def cas_figures(m: Measured) -> Iterator[Figure]:
    """CAS: a classifier trained on the fakes and their labels, tested on held-out reals; floor: trained on as many reals."""
    x, y = m.reals.held_out
    fx, fy = m.reals.floor
    assert m.subject.labels is not None and y is not None and fy is not None
    classes = max(m.reals.test.classes, 2)
    value = classification_accuracy(m.fakes, m.subject.labels, x, y, classes)
    base = m.of_reals("floor cas", lambda: classification_accuracy(fx, fy, x, y, classes))
    note = "a small classifier trained on fakes, tested on reals"
    yield Figure("cas", value, None, base, None, len(m.fakes), len(x), "trained here", "higher", note)


def mode_figures(m: Measured) -> Iterator[Figure]:
    """Modes reached, high-quality share and reverse KL of a toy with known modes."""
    centres = m.reals.test.modes
    assert centres is not None
    n = min(2500, len(m.fakes))
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


def _digits(m: Measured) -> str:
    return "" if m.is_digits else "the digit classifier reads 28x28 grey images of mnist data only"


def _labelled(m: Measured) -> str:
    return _digits(m) or ("" if m.subject.labels is not None and m.reals.test.classes else "the samples have no labels")


def _stacked(m: Measured) -> str:
    return "" if m.reals.test.name.startswith("stacked-mnist") else "it is for stacked-mnist only"


def _modes(m: Measured) -> str:
    return "" if m.reals.test.modes is not None else "the modes of this data are not known"


def _images(m: Measured) -> str:
    return "" if m.is_image else "it is for images"


def _always(m: Measured) -> str:
    return ""


def _few(m: Measured) -> str:
    return "" if len(m.fakes) >= 100 else "it needs at least 100 fakes"


MEASURES: dict[str, Measure] = {
    "fid-lenet": Measure(_digits, fid_figures),
    "kid-lenet": Measure(_digits, kid_figures),
    "prdc": Measure(_always, prdc_figures),
    "prdc-random": Measure(_images, random_figures),
    "certified-w1": Measure(_few, w1_figures),
    "bracket": Measure(_always, bracket_figures),
    "sliced-w1": Measure(_always, sliced_figures),
    "memorisation": Measure(_always, memorisation_figures),
    "classes": Measure(_digits, class_figures),
    "label-accuracy": Measure(_labelled, label_figures),
    "cas": Measure(_labelled, cas_figures),
    "modes": Measure(_modes, mode_figures),
    "stacked-modes": Measure(_stacked, stacked_figures),
}
