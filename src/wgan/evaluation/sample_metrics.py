"""Metrics of samples alone: distances, neighbours, bounds and copies; each next to the same metric of real data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from wgan.evaluation.class_metrics import TOY
from wgan.evaluation.context import SMALL, Measured, MetricValue, bootstrap, flat, halves, lenet_name, of_a_fraction
from wgan.metrics.certified import Bracket, EvaluationCritic, certify, sample_bracket
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import exact_w1, fid, kid, relative_fid, scaled_fid, sliced_w1
from wgan.metrics.random_features import extractor_name

PRDC = 5000  # samples of each side for neighbour balls
ALONE = "no reference: the training samples have no two halves of 60"
LEAST_HALF = 60  # training samples that stand in for fakes before an evaluation critic: 30 are held out


def fid_values(m: Measured) -> Iterator[MetricValue]:
    """fid-lenet and its fraction of the reference's total variance."""
    real = m.real_features(None)
    spread = bootstrap(lambda fake: scaled_fid(fake, real), m.features)
    ((reference, reference_spread),) = m.reference("fid", lambda k: scaled_fid(m.real_features(k), real))
    d = m.features.shape[1]  # fid-lenet is relative-fid times the number of features
    for name, unit in (("fid-lenet", 1), ("relative-fid", d)):
        yield MetricValue(
            name=name,
            value=scaled_fid(m.features, real) if unit == 1 else relative_fid(m.features, real),
            spread=spread / unit,
            reference=reference / unit,
            reference_spread=None if reference_spread is None else reference_spread / unit,
            n_fake=len(m.features),
            n_real=len(real),
            extractor=lenet_name(),
        )


def inception_values(m: Measured) -> Iterator[MetricValue]:
    """The Fréchet distance in unscaled Inception features: the published FID, when the weights are those of its network."""
    assert m.inception is not None
    x, real, reference = m.inception_of_fakes, m.inception_of_reals(None), m.inception_of_reals(0)
    m.say("fid-inception: distances")
    yield MetricValue(
        name="fid-inception",
        value=fid(x, real),
        spread=bootstrap(lambda some: fid(some, real), x),
        reference=m.of_reals("reference fid-inception", lambda: fid(reference, real)),
        reference_spread=m.of_reals("reference spread", lambda: bootstrap(lambda some: fid(some, real), reference)),
        n_fake=len(x),
        n_real=len(real),
        extractor=m.inception.name,
        note="published values hold 10,000 fakes against the whole test split",
    )


def kid_values(m: Measured) -> Iterator[MetricValue]:
    """kid-lenet with its standard error."""
    real = m.real_features(None)
    value, error = kid(m.features, real)
    reference, reference_error = m.of_reals("reference kid", lambda: kid(m.real_features(0), real))
    yield MetricValue(
        name="kid-lenet",
        value=value,
        spread=error,
        reference=reference,
        reference_spread=reference_error,
        n_fake=len(m.features),
        n_real=len(real),
        extractor=lenet_name(),
    )


def prdc_values(m: Measured) -> Iterator[MetricValue]:
    """Precision, recall, density and coverage, in classifier features for digits and in pixels otherwise."""
    if m.is_digits:
        yield from prdc_of(m, m.features, m.real_features, lenet_name())
    else:
        yield from prdc_of(m, m.fakes, m.real, m.space)


def random_values(m: Measured) -> Iterator[MetricValue]:
    """Precision, recall, density and coverage of images in the features of a network with random weights."""
    yield from prdc_of(
        m, m.random_features, m.real_random_features, extractor_name(*m.fakes.shape[1:]), prefix="random-"
    )


def alike(*sets: Any) -> list[Any]:
    """Return the sets cut to one number of samples, at most PRDC."""
    n = min(PRDC, *map(len, sets))
    return [x[:n] for x in sets]


def prdc_of(
    m: Measured, fakes: Any, real_of: Callable[[int | None], Any], space: str, prefix: str = ""
) -> Iterator[MetricValue]:
    """The four values of neighbour balls in one space, at equal numbers, with those of the reference."""
    some, reals, training = alike(fakes, real_of(None), real_of(0))
    n, real = len(some), rows_of(reals)
    found = prdc(rows_of(some), real)
    references = m.reference(
        f"{prefix}prdc {n}", lambda k: prdc(rows_of((training if k == 0 else real_of(k))[:n]), real)
    )
    for name, (reference, reference_spread) in zip(found._fields, references, strict=True):
        yield MetricValue(
            name=prefix + name,
            value=getattr(found, name),
            reference=reference,
            reference_spread=reference_spread,
            n_fake=n,
            n_real=n,
            extractor=space,
            note="k = 5",
        )


def rows_of(x: Any) -> Any:
    """Return samples as rows; features are rows already."""
    return flat(x) if isinstance(x, Tensor) else x


def random_fid_values(m: Measured) -> Iterator[MetricValue]:
    """The Fréchet distance over the reference's total variance, in the features of a network with random weights."""
    fake, real = m.random_features, m.real_random_features(None)
    ((reference, reference_spread),) = m.reference(
        "fid-random", lambda k: relative_fid(m.real_random_features(k), real)
    )
    yield MetricValue(
        name="random-relative-fid",
        value=relative_fid(fake, real),
        spread=bootstrap(lambda some: relative_fid(some, real), fake),
        reference=reference,
        reference_spread=reference_spread,
        n_fake=len(fake),
        n_real=len(real),
        extractor=extractor_name(*m.fakes.shape[1:]),
    )


def w1_values(m: Measured) -> Iterator[MetricValue]:
    """The certified population bound and the gap it comes from.

    Reference: training samples in the role of fakes, before a critic that learned from other training samples only. Where
    the training split holds no two such halves there is none.
    """
    held, fitting = flat(m.reals.held_out[0]), flat(m.reals.fitting[0])
    fitted, fake = halves(m.fakes)
    found = certify(m.evaluation_critic, fitting, fitted, held, fake)
    half, base = m.reals.half, None
    if half >= LEAST_HALF:
        f_fitted, unseen = halves(m.reals.unfitted[0])
        base = m.of_reals("reference certified", lambda: certify(m.real_critic, fitting, f_fitted, held, unseen))
    smaller = f"; reference: {half} training samples a side" if base else f"; {ALONE}"
    few = "" if half == m.reals.n else smaller
    notes = {
        "bound": ("certified-w1", f"95 % interval {found.low:.3g} to {found.high:.3g}; L = {found.lipschitz:.6f}{few}"),
        "gap": ("certified-w1-gap", f"the held-out gap itself, which the bound is proved from{few}"),
    }
    for field, (name, note) in notes.items():
        yield MetricValue(
            name=name,
            value=getattr(found, field),
            spread=found.error,
            reference=None if base is None else getattr(base, field),
            reference_spread=None if base is None else base.error,
            n_fake=len(fake),
            n_real=len(held),
            note=note,
        )


def bracket_values(m: Measured) -> Iterator[MetricValue]:
    """What an evaluation critic's scores prove about two finite samples, and their exact distance.

    A toy with known modes is compared with equally many points of each mode.
    """
    most = SMALL if m.reals.test.modes is None else TOY
    n = min(most, len(m.fakes), len(m.reals.held_out[0]), len(m.reals.draw(0)[0]))
    fake, real = flat(m.fakes[-n:]), flat(m.reals.balanced(n))
    found = bracket_of(m.evaluation_critic, real, fake)
    ((exact, spread),) = m.reference(f"exact {n}", lambda k: exact_w1(flat(m.reals.draw(k)[0][-n:]), real))
    references: dict[str, float | None] = {"exact": exact, "cross_slope": None, "c_transform": None}
    if m.reals.half == m.reals.n:  # else the critic of the reference knows the samples that it would judge
        base = m.of_reals(
            f"reference bracket {n}", lambda: bracket_of(m.real_critic, real, flat(m.reals.draw(0)[0][-n:]))
        )
        references |= {"cross_slope": base.cross_slope, "c_transform": base.c_transform}
    notes = {
        "cross_slope": ("w1-cross-slope", "a lower bound on exact-w1 by the gradient norm of an evaluation critic"),
        "c_transform": ("w1-c-transform", "a tighter lower bound on exact-w1 by the same critic"),
        "exact": ("exact-w1", "prefers blur to reality: read it with its reference" if m.is_image else ""),
    }
    for field, (name, note) in notes.items():
        yield MetricValue(
            name=name,
            value=getattr(found, field),
            reference=references[field],
            reference_spread=spread if field == "exact" else None,
            n_fake=n,
            n_real=n,
            note=note,
        )


def bracket_of(critic: EvaluationCritic, real: Any, fake: Any) -> Bracket:
    """Return the sample bracket by an evaluation critic's own scores."""
    return sample_bracket(real, fake, critic(real), critic(fake))


def sliced_values(m: Measured) -> Iterator[MetricValue]:
    """Sliced W1."""
    fake, real = flat(m.fakes), flat(m.reals.held_out[0])
    ((reference, reference_spread),) = m.reference("sliced", lambda k: sliced_w1(flat(m.reals.draw(k)[0]), real))
    yield MetricValue(
        name="sliced-w1",
        value=sliced_w1(fake, real),
        reference=reference,
        reference_spread=reference_spread,
        n_fake=len(fake),
        n_real=len(real),
        note="256 directions",
    )


def outside_values(m: Measured) -> Iterator[MetricValue]:
    """The fraction of rows with a number outside the training range, before samples are clipped to it."""
    found, units = m.subject.outside, m.reals.test.units
    assert found is not None and units is not None
    held = m.reals.held_out[0]
    value, real = float(found.any(1).mean()), float(units.outside(held.numpy()).any(1).mean())
    worst = int(found.mean(0).argmax())
    name = units.names[worst] if units.names else str(worst)
    yield MetricValue(
        name="outside-range",
        value=value,
        spread=of_a_fraction(value, len(found)),
        reference=real,
        reference_spread=of_a_fraction(real, len(held)),
        n_fake=len(found),
        n_real=len(held),
        note=f"before clipping; most often column {name}, {100 * found[:, worst].mean():.2g} %",
    )


def memorisation_values(m: Measured) -> Iterator[MetricValue]:
    """Distance to the nearest training sample, and copies; the reference is that of held-out reals."""
    n = min(SMALL, len(m.fakes), len(m.reals.held_out[0]))
    found = m.memorised
    yield MetricValue(
        name="nearest-train",
        value=found.fake_median,
        spread=found.fake_error,
        reference=found.real_median,
        reference_spread=found.real_error,
        n_fake=n,
        n_real=n,
        note="median distance to the nearest training sample; far below the reference = copies",
    )
    yield MetricValue(
        name="copies",
        value=found.copies,
        spread=of_a_fraction(found.copies, n),
        reference=found.real_copies,
        reference_spread=of_a_fraction(found.real_copies, n),
        n_fake=n,
        n_real=n,
        note="fraction of fakes that equal a training sample, or are nearer to one than 99 % of held-out reals are and than "
        "to the next ones",
    )
