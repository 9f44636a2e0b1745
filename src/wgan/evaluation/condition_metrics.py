"""Whether conditions are kept: what samples show of them against what they were made for, beside held-out reals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from wgan.data.conditions import Condition, Conditions
from wgan.evaluation.context import Measured, MetricValue, of_a_fraction
from wgan.metrics.random_features import random_features
from wgan.metrics.tables import fit_classes, fit_number

BINS = 10  # of a number, equally many samples in each: over which a mean error may not cancel
SIDE = 8  # pixels: images are averaged down to it for the regression
MOST = 5000  # samples that it is fitted to

Numbers = NDArray[np.float64]


class Side(NamedTuple):
    """Samples as stored [N, ...], and the condition vectors [N, W] that they were made for, or came with."""

    x: Tensor
    told: Numbers


def number_values(m: Measured) -> Iterator[MetricValue]:
    """How far numbers that samples show are from those they were made for, in standard deviations of the training samples."""
    c = conditions_of(m)
    names = [k.name for k in c.columns if not k.levels]
    found, base = ({name: errors(m, side, name) for name in names} for side in (fakes_of(m), held_of(m)))
    for value, of in (("condition-error", spread_of), ("condition-bias", bias_of)):
        mine, theirs = ({name: of(*e) for name, e in each.items()} for each in (found, base))
        yield MetricValue(
            name=value,
            value=together(mine),
            reference=together(theirs),
            n_fake=len(m.fakes),
            n_real=len(m.reals.held_out[0]),
            extractor=by(m, names),
            note=" ".join(f"{name}:{v:.3f}" for name, v in [*mine.items()][:20]),
        )


def category_values(m: Measured) -> Iterator[MetricValue]:
    """The fraction of samples that show the category they were made for."""
    names = [k.name for k in conditions_of(m).columns if k.levels]
    mine, theirs = ({name: hits(m, side, name) for name in names} for side in (fakes_of(m), held_of(m)))
    value, reference = (float(np.mean([*each.values()])) for each in (mine, theirs))
    yield MetricValue(
        name="condition-accuracy",
        value=value,
        spread=of_a_fraction(value, len(m.fakes)),
        reference=reference,
        reference_spread=of_a_fraction(reference, len(m.reals.held_out[0])),
        n_fake=len(m.fakes),
        n_real=len(m.reals.held_out[0]),
        extractor=by(m, names),
        note=" ".join(f"{name}:{v:.3f}" for name, v in [*mine.items()][:20]),
    )


def together(each: dict[str, float]) -> float:
    """Return the root of the mean square over several conditions."""
    return float(np.sqrt(np.mean(np.square([*each.values()]))))


def spread_of(shown: Numbers, told: Numbers) -> float:
    """√ mean (shown - told)²: of a right sampler what the data's own noise and the reading leave, not 0."""
    return float(np.sqrt(np.mean((shown - told) ** 2)))


def bias_of(shown: Numbers, told: Numbers) -> float:
    """√ mean over BINS of told of (mean (shown - told))²: 0 where E[shown | told] = told, but for noise of √(BINS / N)."""
    bins = np.array_split(np.argsort(told, kind="stable"), BINS)
    return float(np.sqrt(np.mean([np.mean(shown[b] - told[b]) ** 2 for b in bins])))


def errors(m: Measured, side: Side, name: str) -> tuple[Numbers, Numbers]:
    """Return what samples show of one number and what they were made for, both standardised, [N] each."""
    at, column = place(m, name)
    exact = exactly(m, side, name)
    if exact is not None:
        return (exact.astype(np.float64) - column.mean) / column.scale, side.told[:, at]
    judge = m.of_reals(f"condition {name}", lambda: fit_number(features(m, fitted_to(m)), fitted_to(m).told[:, at]))
    return judge(features(m, side))[:, 0], side.told[:, at]


def hits(m: Measured, side: Side, name: str) -> float:
    """Return the fraction of samples that show the level of one category that they were made for."""
    at, column = place(m, name)
    places = slice(at, at + column.width)
    wanted = side.told[:, places].argmax(1)
    exact = exactly(m, side, name)
    if exact is not None:
        return float((np.array(column.levels)[wanted] == exact).mean())

    def fit() -> Any:
        train = fitted_to(m)
        return fit_classes(features(m, train), train.told[:, places].argmax(1), column.width)

    judge = m.of_reals(f"condition {name}", fit)
    return float((judge(features(m, side)).argmax(1) == wanted).mean())


def exactly(m: Measured, side: Side, name: str) -> NDArray[Any] | None:
    """Return what samples show of a condition where the data know it, [N]; None where it has to be learned."""
    source = m.reals.test
    if source.shown is None:
        return None
    x = side.x.numpy()
    values = x if source.depth is None else source.depth.restore(x)
    return source.shown(values).get(name)


def by(m: Measured, names: list[str]) -> str:
    """Return who reads the conditions: the data's own rule, or a linear model of features fitted to training reals."""
    known = {*m.reals.test.shown(np.zeros((1, *m.reals.test.shape)))} if m.reals.test.shown is not None else set()
    rules = [name for name in names if name in known]
    if len(rules) == len(names):
        return "the data's own rule"
    return f"{'rule, ' if rules else ''}linear model of training reals"


def features(m: Measured, side: Side) -> Numbers:
    """Return the numbers [N, D] that a linear model reads: rows, or small images and signals and random features of them."""
    x = side.x
    if x.dim() == 2:
        return rows_of(x.numpy().astype(np.float64))
    small = shrunk(x.float()).flatten(1).numpy().astype(np.float64)
    return np.concatenate([small, random_features(x, m.keeps_values).astype(np.float64)], 1)


def shrunk(x: Tensor) -> Tensor:
    """Return images, signals or volumes [N, C, ...], averaged down to about SIDE * SIDE numbers in each channel."""
    if x.dim() == 3:
        return F.adaptive_avg_pool1d(x, min(x.shape[2], SIDE * SIDE))
    if x.dim() == 4:
        return F.adaptive_avg_pool2d(x, (min(x.shape[2], SIDE), min(x.shape[3], SIDE)))
    d, h, w = (min(side, SIDE // 2) for side in x.shape[2:])
    return F.adaptive_avg_pool3d(x, (d, h, w))


def rows_of(x: Numbers) -> Numbers:
    """Return numbers [N, D] beside their squares, so that a spread is read, too."""
    return np.concatenate([x, x**2], 1)


def fakes_of(m: Measured) -> Side:
    """Return the fakes."""
    assert m.subject.told is not None
    return Side(m.fakes, m.subject.told.numpy().astype(np.float64))


def held_of(m: Measured) -> Side:
    """Return the held-out reals, which the reference is measured on."""
    return side_of(m.reals.held_out)


def fitted_to(m: Measured) -> Side:
    """Return the training reals that a model learns conditions from."""
    x, told = m.reals.draw(0)
    return side_of((x[:MOST], None if told is None else told[:MOST]))


def side_of(batch: tuple[Tensor, Tensor | None]) -> Side:
    """Return a batch of reals with its conditions."""
    x, told = batch
    assert told is not None
    return Side(x, told.numpy().astype(np.float64))


def conditions_of(m: Measured) -> Conditions:
    """Return the conditions of the data."""
    assert m.reals.test.conditions is not None
    return m.reals.test.conditions


def place(m: Measured, name: str) -> tuple[int, Condition]:
    """Return where a condition begins in the vector, and what it is."""
    at = 0
    for column in conditions_of(m).columns:
        if column.name == name:
            return at, column
        at += column.width
    raise KeyError(name)
