"""MEASURES: metric name -> what it needs, how its figures, each with its floor, come from fakes and reals, and their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from wgan.evaluation.class_metrics import (
    TOY,
    cas_figures,
    class_figures,
    gan_test_figures,
    label_figures,
    mode_figures,
    stacked_figures,
)
from wgan.evaluation.context import SMALL, Figure, Measure, Measured, bootstrap, flat, lenet_name
from wgan.metrics.certified import Bracket, EvaluationCritic, certify, sample_bracket
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import fid, kid, relative_fid, scaled_fid, sliced_w1
from wgan.metrics.random_features import extractor_name

PRDC = 5000  # samples of each side for neighbour balls


def fid_figures(m: Measured) -> Iterator[Figure]:
    """fid-lenet and its share of the reference's total variance."""
    real, floor = m.real_features("held_out"), m.real_features("floor")
    n, r, x = len(m.features), len(real), lenet_name()
    spread = bootstrap(lambda fake: scaled_fid(fake, real), m.features)
    base = m.of_reals("floor fid", lambda: scaled_fid(floor, real))
    yield Figure("fid-lenet", scaled_fid(m.features, real), spread, base, None, n, r, x)
    d = m.features.shape[1]  # fid-lenet is relative-fid times the number of features
    yield Figure("relative-fid", relative_fid(m.features, real), spread / d, base / d, None, n, r, x)


def inception_figures(m: Measured) -> Iterator[Figure]:
    """The Fréchet distance in unscaled Inception features: the published FID, when the weights are those of its network."""
    assert m.inception is not None
    x, real, floor = m.inception_of_fakes, m.inception_of_reals("held_out"), m.inception_of_reals("floor")
    m.say("fid-inception: distances")
    spread = bootstrap(lambda fake: fid(fake, real), x)
    base = m.of_reals("floor fid-inception", lambda: fid(floor, real))
    note = "published figures hold 10,000 fakes against the whole test split"
    yield Figure("fid-inception", fid(x, real), spread, base, None, len(x), len(real), m.inception.name, note=note)


def kid_figures(m: Measured) -> Iterator[Figure]:
    """kid-lenet with the spread over subsets."""
    real, floor = m.real_features("held_out"), m.real_features("floor")
    value, spread = kid(m.features, real)
    f_value, f_spread = m.of_reals("floor kid", lambda: kid(floor, real))
    yield Figure("kid-lenet", value, spread, f_value, f_spread, len(m.features), len(real), lenet_name())


def prdc_figures(m: Measured) -> Iterator[Figure]:
    """Precision, recall, density and coverage, in classifier features for digits and in pixels otherwise."""
    if m.is_digits:
        fake, real, floor = alike(m.features, m.real_features("held_out"), m.real_features("floor"))
    else:
        fake, real, floor = map(flat, alike(m.fakes, m.reals.held_out[0], m.reals.floor[0]))
    yield from prdc_of(m, fake, real, floor, lenet_name() if m.is_digits else m.space)


def alike(*sets: Any) -> list[Any]:
    """Return the sets cut to one number of samples, at most PRDC."""
    n = min(PRDC, *map(len, sets))
    return [x[:n] for x in sets]


def random_fid_figures(m: Measured) -> Iterator[Figure]:
    """The Fréchet distance over the reference's total variance, in the features of a network with random weights."""
    fake, real, floor = m.random_features, m.real_random_features("held_out"), m.real_random_features("floor")
    spread = bootstrap(lambda some: relative_fid(some, real), fake)
    base = m.of_reals("floor fid-random", lambda: relative_fid(floor, real))
    x = extractor_name(*m.fakes.shape[1:])
    yield Figure("random-relative-fid", relative_fid(fake, real), spread, base, None, len(fake), len(real), x)


def random_figures(m: Measured) -> Iterator[Figure]:
    """Precision, recall, density and coverage of images in the features of a network with random weights."""
    reals = (m.real_random_features(part) for part in ("held_out", "floor"))
    fake, real, floor = alike(m.random_features, *reals)
    yield from prdc_of(m, fake, real, floor, extractor_name(*m.fakes.shape[1:]), "random-")


def prdc_of(m: Measured, fake: Any, real: Any, floor: Any, space: str, prefix: str = "") -> Iterator[Figure]:
    """The four figures of neighbour balls in one space, at equal numbers, beside those of the floor."""
    n, found = len(fake), prdc(fake, real)
    best = m.of_reals(f"floor {prefix}prdc {n}", lambda: prdc(floor, real))
    for name in found._fields:
        value, floor_value = getattr(found, name), getattr(best, name)
        yield Figure(prefix + name, value, None, floor_value, None, n, n, space, "higher", "k = 5")


def w1_figures(m: Measured) -> Iterator[Figure]:
    """The certified population bound, and the sample bracket with the same evaluation critic."""
    held, fitting = flat(m.reals.held_out[0]), flat(m.reals.fitting[0])
    fitted, fake = halves(m.fakes)
    found = certify(m.evaluation_critic, fitting, fitted, held, fake)
    f_fitted, floor = halves(m.reals.floor[0])
    base = m.of_reals("floor certified", lambda: certify(m.real_critic, fitting, f_fitted, held, floor))
    note = f"95 % interval {found.low:.3g} to {found.high:.3g}; L = {found.lipschitz:.6f}"
    yield Figure("certified-w1", found.bound, found.error, base.bound, base.error, len(fake), len(held), note=note)
    note = "the held-out gap itself, without the 1.645 standard errors"
    yield Figure("certified-w1-gap", found.gap, found.error, base.gap, base.error, len(fake), len(held), note=note)


def halves(x: Tensor) -> tuple[Any, Any]:
    """Return the rows of the first half, which an evaluation critic may learn from, and of the rest."""
    return flat(x[: len(x) // 2]), flat(x[len(x) // 2 :])


def bracket_figures(m: Measured) -> Iterator[Figure]:
    """What an evaluation critic's scores prove about two finite samples, and their exact distance.

    A toy with known modes is held against equally many points of each mode.
    """
    most = SMALL if m.reals.test.modes is None else TOY
    n = min(most, len(m.fakes), len(m.reals.held_out[0]), len(m.reals.floor[0]))
    fake, real, floor = flat(m.fakes[-n:]), flat(m.reals.balanced(n)), flat(m.reals.floor[0][-n:])
    found = bracket_of(m.evaluation_critic, real, fake)
    base = m.of_reals(f"floor bracket {n}", lambda: bracket_of(m.real_critic, real, floor))
    notes = {
        "cross_slope": ("w1-cross-slope", "a lower bound on exact-w1 by the slope of an evaluation critic"),
        "c_transform": ("w1-c-transform", "a tighter lower bound on exact-w1 by the same critic"),
        "exact": ("exact-w1", "prefers blur to reality: read it beside its floor" if m.is_image else ""),
    }
    for field, (name, note) in notes.items():
        better = "lower" if field == "exact" else "none"
        yield Figure(name, getattr(found, field), None, getattr(base, field), None, n, n, better=better, note=note)


def bracket_of(critic: EvaluationCritic, real: Any, fake: Any) -> Bracket:
    """Return the sample bracket by an evaluation critic's own scores."""
    return sample_bracket(real, fake, critic(real), critic(fake))


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
    note = "share of fakes nearer to one training sample than 99 % of held-out reals are, and than to the next ones"
    yield Figure("copies", found.copies, None, found.real_copies, None, n, n, note=note)


def outside_figures(m: Measured) -> Iterator[Figure]:
    """The fraction of rows of a table with a number outside the range of the training rows, before samples are clipped."""
    found, units = m.subject.outside, m.reals.test.units
    assert found is not None and units is not None
    held = m.reals.held_out[0]
    real = float(units.outside(held.numpy()).any(1).mean())
    worst = int(found.mean(0).argmax())
    name = units.names[worst] if units.names else str(worst)
    note = f"before clipping; most often column {name}, {100 * found[:, worst].mean():.2g} %"
    yield Figure("outside-range", float(found.any(1).mean()), None, real, None, len(found), len(held), note=note)


def _rows(m: Measured) -> str:
    return "" if m.subject.outside is not None else "it is for tables"


def _digits(m: Measured) -> str:
    return "" if m.is_digits else "the digit classifier reads 28x28 grey images of mnist data only"


def _asked(m: Measured) -> str:
    return _digits(m) or ("" if m.subject.labels is not None and m.reals.test.classes else "the samples have no labels")


def _classified(m: Measured) -> str:
    if m.subject.labels is None or m.reals.test.classes < 2:
        return "it needs labels of at least two classes"
    return "" if m.is_image and min(m.fakes.shape[2:]) >= 8 else "its classifier reads images with sides from 8"


def _inception(m: Measured) -> str:
    if m.inception is None:
        return "it needs --inception-weights FILE.safetensors"
    return "" if m.is_image and m.fakes.shape[1] in (1, 3) else "Inception reads grey and colour images"


def _stacked(m: Measured) -> str:
    return "" if m.reals.test.name.startswith("stacked-mnist") else "it is for stacked-mnist only"


def _modes(m: Measured) -> str:
    return "" if m.reals.test.modes is not None else "the modes of this data are not known"


def _always(m: Measured) -> str:
    return ""


def _many(m: Measured) -> str:
    enough = len(m.fakes) >= 100 and len(m.reals.held_out[0]) >= 30 and len(m.reals.floor[0]) >= 60
    return "" if enough else "it needs at least 100 fakes, 30 held-out reals and 60 training reals"


def _images(m: Measured) -> str:
    return _neighbours(m) if m.is_image else "it is for images"


def _neighbours(m: Measured) -> str:
    return "" if len(m.reals.held_out[0]) > 5 else "it needs more than 5 held-out reals"


# fmt: off
MEASURES: dict[str, Measure] = {
    "fid-lenet": Measure(_digits, fid_figures, ("fid-lenet", "relative-fid")),
    "kid-lenet": Measure(_digits, kid_figures, ("kid-lenet",)),
    "fid-inception": Measure(_inception, inception_figures, ("fid-inception",)),
    "prdc": Measure(_neighbours, prdc_figures, ("precision", "recall", "density", "coverage")),
    "fid-random": Measure(_images, random_fid_figures, ("random-relative-fid",)),
    "prdc-random": Measure(_images, random_figures, ("random-precision", "random-recall", "random-density", "random-coverage")),
    "certified-w1": Measure(_many, w1_figures, ("certified-w1", "certified-w1-gap")),
    "bracket": Measure(_always, bracket_figures, ("w1-cross-slope", "w1-c-transform", "exact-w1")),
    "sliced-w1": Measure(_always, sliced_figures, ("sliced-w1",)),
    "outside-range": Measure(_rows, outside_figures, ("outside-range",)),
    "memorisation": Measure(_always, memorisation_figures, ("nearest-train", "copies")),
    "classes": Measure(_digits, class_figures, ("class-kl", "rarest-class")),
    "label-accuracy": Measure(_asked, label_figures, ("label-accuracy",)),
    "cas": Measure(_classified, cas_figures, ("cas",)),
    "gan-test": Measure(_classified, gan_test_figures, ("gan-test",)),
    "modes": Measure(_modes, mode_figures, ("modes-reached", "modes-high-quality", "modes-reverse-kl")),
    "stacked-modes": Measure(_stacked, stacked_figures, ("stacked-modes", "stacked-kl", "stacked-kl-above-floor")),
}
# fmt: on
