"""The metrics of tables: columns, pairs, what a linear model learns, and copies; beside two ways of making rows without one.

Resampled training rows and rows between neighbours (SMOTE) are what any generator has to be compared with: they are good by
every metric but those of copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.data import Source
from wgan.data.source import report_indices
from wgan.errors import WganError, nearest
from wgan.evaluation.context import Measured, MetricValue
from wgan.evaluation.samples import encoded, table_rows
from wgan.metrics import tables as metrics
from wgan.metrics.rows import Rows
from wgan.metrics.trees import fit_class_trees, fit_number_trees

PAIRED = 5000  # rows of each side for pairs of columns
NEAR = 2000  # rows of each side for neighbours
MOST_CLASSES = 30  # of a column that is told by the others
NAMED = ("resampled rows", "rows between neighbours")


@dataclass(frozen=True, eq=False)
class Side:
    """Rows in the user's values [N, C], as networks see them [N, D], and their class [N] or None."""

    rows: Rows
    x: Rows
    y: NDArray[np.int64] | None

    def first(self, n: int) -> Side:
        """Return the first n of them."""
        return Side(self.rows[:n], self.x[:n], None if self.y is None else self.y[:n])


@dataclass(frozen=True)
class Told:
    """One column of a table: its name, whether it holds levels, and its places among the numbers that networks see."""

    name: str
    categorical: bool
    places: range


def columns_of(source: Source) -> list[Told]:
    """Return the columns of a table."""
    if source.table is not None:
        found, start = [], 0
        for c in source.table.columns:
            found.append(Told(c.name, c.kind == "category", range(start, start + c.coding.width)))
            start += c.coding.width
        for group in source.table.groups:  # the first column of a group stands for all of them
            for i in group.at:
                found[i] = replace(found[i], places=found[group.at[0]].places)
        return found
    if source.units is None:
        return []
    kept = source.units.kept
    names = source.units.names or [f"x{i}" for i in range(len(source.units.mean))]
    places = [kept.index(i) if i in kept else 0 for i in range(len(names))]
    return [Told(n, False, range(p, p + (i in kept))) for i, (n, p) in enumerate(zip(names, places, strict=True))]


def categorical(m: Measured) -> metrics.Flags:
    """Return which columns hold levels, bool [C]."""
    return np.array([c.categorical for c in columns_of(m.reals.test)])


def fakes_of(m: Measured) -> Side:
    """Return the rows that are measured."""
    assert m.subject.rows is not None
    labels = m.subject.labels
    return Side(m.subject.rows, m.fakes.numpy().astype(np.float64), None if labels is None else labels.numpy())


def side(source: Source, indices: torch.Tensor) -> Side:
    """Return real rows by their numbers."""
    x, _ = source.batch(indices)
    y = None if source.labels is None else source.labels[indices].numpy()
    return Side(table_rows(source, indices), x.numpy().astype(np.float64), y)


def held_of(m: Measured) -> Side:
    """Return the held-out rows that are reported on."""
    indices = report_indices(len(m.reals.test))[: m.reals.n]
    return m.of_reals("table held out", lambda: side(m.reals.test, indices))


def train_of(m: Measured) -> Side:
    """Return as many training rows as there are fakes, or all where they are fewer: what stands in for fakes."""
    return m.of_reals("table training", lambda: side(m.reals.train, m.reals.order(0, m.reals.n)))


def others_of(m: Measured) -> list[Side]:
    """Return resampled training rows and rows between neighbours, as many as training rows that stand in for fakes."""
    return m.of_reals("table others", lambda: made_of(m, train_of(m)))


def made_of(m: Measured, train: Side) -> list[Side]:
    """Return resampled rows and rows between neighbours of the rows `train`."""
    n = min(len(train.rows), PAIRED)
    pick = np.random.default_rng(0).integers(len(train.rows), size=n)
    again = Side(train.rows[pick], train.x[pick], None if train.y is None else train.y[pick])
    if train.y is not None:  # the class is a column among the others
        rows, levels = np.column_stack([train.rows, train.y]), np.r_[categorical(m), True]
    else:
        rows, levels = train.rows, categorical(m)
    between = metrics.interpolated(rows, train.x, levels, n)
    made, y = (between[:, :-1], between[:, -1].astype(np.int64)) if train.y is not None else (between, None)
    test = m.reals.test
    if test.table is not None:
        made = np.stack([c.round(made[:, i]) for i, c in enumerate(test.table.columns)], 1)
        return [again, Side(made, encoded(test.table, made).numpy().astype(np.float64), y)]
    assert test.units is not None
    return [again, Side(made, test.units.standardise(made).astype(np.float64), y)]


def value(
    m: Measured,
    name: str,
    of: Callable[[Side], float],
    n_real: int,
    note: str = "",
    real: Callable[[], float] | None = None,
) -> MetricValue:
    """Return one metric of the fakes, its reference, and that of rows made without a generator (a note).

    real: the reference, where it is not the metric of training rows.
    """
    reference = m.of_reals(f"table {name}", real or (lambda: of(train_of(m))))
    made = m.of_reals(f"table others {name}", lambda: [of(some) for some in others_of(m)])
    beside = ", ".join(f"{what} {v:.3g}" for what, v in zip(NAMED, made, strict=True))
    return MetricValue(
        name=name,
        value=of(fakes_of(m)),
        reference=reference,
        n_fake=len(m.fakes),
        n_real=n_real,
        note=f"{note}; {beside}" if note else beside,
    )


def column_values(m: Measured) -> Iterator[MetricValue]:
    """Shapes of single columns, the worst of them, and missing cells."""
    held, levels, names = held_of(m), categorical(m), [c.name for c in columns_of(m.reals.test)]

    def shapes(some: Side) -> Rows:
        return metrics.column_shapes(some.rows, held.rows, levels)

    def gap(some: Side) -> float:
        return float(metrics.missing_gap(some.rows, held.rows).max())

    found, count = shapes(fakes_of(m)), len(held.rows)
    yield value(m, "column-shapes", lambda some: float(shapes(some).mean()), count)
    yield value(
        m, "worst-column", lambda some: float(shapes(some).min()), count, f"column {names[int(found.argmin())]}"
    )
    worst = int(metrics.missing_gap(fakes_of(m).rows, held.rows).argmax())
    yield value(m, "missing-gap", gap, count, f"column {names[worst]}")


def pair_values(m: Measured) -> Iterator[MetricValue]:
    """Relations of all pairs of columns."""
    held, levels = held_of(m).first(PAIRED), categorical(m)

    def mean(some: Side) -> float:
        found = metrics.pair_trends(some.first(PAIRED).rows, held.rows, levels)
        return float(found[np.triu_indices(len(found), 1)].mean()) if len(found) > 1 else 1.0

    yield value(m, "pair-trends", mean, len(held.rows))


def require_target(m: Measured) -> None:
    """Raise WganError where the column that is to be told is none of the data."""
    test = m.reals.test
    names = [c.name for c in columns_of(test)]
    if not names:
        raise WganError(f"target is a column of a table, and {test.name} is not a table: leave it out")
    if m.target not in names:
        raise WganError(f"target {m.target}: {test.name} has no such column: {nearest(m.target, names)}")


def target_of(m: Measured) -> tuple[int, bool]:
    """Return the column that the others tell, -1 for the class, and whether it holds levels.

    It is the one that was asked for, else the class, else the last category of few levels, else the last column.
    """
    told = columns_of(m.reals.test)
    if m.target:
        at = [c.name for c in told].index(m.target)
        return at, told[at].categorical
    if m.reals.test.classes and m.subject.labels is not None:
        return -1, True
    held = held_of(m)
    few = [i for i, c in enumerate(told) if c.categorical and 1 < len(np.unique(held.rows[:, i])) <= MOST_CLASSES]
    return (few[-1], True) if few else (len(told) - 1, False)


def trained_values(m: Measured) -> Iterator[MetricValue]:
    """What a linear model and trees that learned from the fakes tell of held-out rows: macro F1 of a class, or R² of a number."""
    held, told = held_of(m), columns_of(m.reals.test)
    at, levels = target_of(m)
    own = set() if at < 0 else set(told[at].places)
    seen = [i for i in range(held.x.shape[1]) if i not in own]
    others = [i for i in range(len(told)) if i != at]
    flags = categorical(m)[others]

    def answers(some: Side) -> Rows:
        return np.asarray(some.y if at < 0 else some.rows[:, at], np.float64)

    def linear(some: Side) -> float:
        return told_by(some.x[:, seen], answers(some), held.x[:, seen], answers(held), LINEAR[levels], levels)

    def trees(some: Side) -> float:
        grown = TREES[levels](flags)
        return told_by(some.rows[:, others], answers(some), held.rows[:, others], answers(held), grown, levels)

    note = f"{'macro F1' if levels else 'R²'} of {'the class' if at < 0 else told[at].name}"
    yield value(m, "trained-on-fakes", linear, len(held.rows), note)
    yield value(m, "trees-on-fakes", trees, len(held.rows), note)


# rows, answers, classes (0 = a number), other rows -> scores or numbers of these
Fit = Callable[[Rows, Any, int, Rows], Rows]
LINEAR: dict[bool, Fit] = {
    True: lambda x, y, classes, held: metrics.fit_classes(x, y, classes)(held),
    False: lambda x, y, classes, held: metrics.fit_number(x, y)(held)[:, 0],
}
TREES: dict[bool, Callable[[metrics.Flags], Fit]] = {
    True: lambda flags: lambda x, y, classes, held: fit_class_trees(x, y, classes, flags, held),
    False: lambda flags: lambda x, y, classes, held: fit_number_trees(x, y, flags, held),
}


def told_by(x: Rows, y: Rows, held: Rows, wanted: Rows, fit: Fit, levels: bool) -> float:
    """Return the macro F1, or R², with which a model of y on x tells `wanted` on `held`; missing answers are a class."""
    if not levels:
        kept = [~np.isnan(v) for v in (y, wanted)]
        if not kept[0].any() or not kept[1].any():
            return 0.0
        return metrics.r_squared(fit(x[kept[0]], y[kept[0]], 0, held[kept[1]]), wanted[kept[1]])
    names, numbers = np.unique(np.nan_to_num(y, nan=-1.0), return_inverse=True)
    predicted = names[fit(x, numbers.astype(np.int64), len(names), held).argmax(1)]
    return metrics.macro_f1(predicted.astype(np.int64), np.nan_to_num(wanted, nan=-1.0).astype(np.int64))


def detection_values(m: Measured) -> Iterator[MetricValue]:
    """How well a linear model tells the rows from held-out ones."""
    held = held_of(m)
    yield value(m, "detection", lambda some: metrics.detection(some.x, held.x), len(held.rows))


def copy_values(m: Measured) -> Iterator[MetricValue]:
    """How near rows are to training rows, and how many are one."""
    held, everything = held_of(m), m.of_reals("table whole training", lambda: side(m.reals.train, order_of(m)))
    half = min(NEAR, len(held.rows))

    def nearer_of(x: Rows) -> float:
        return metrics.nearer_to_training(x, everything.x[:half], held.x[:half])

    def copies(some: Side) -> float:
        return metrics.exact_copies(some.rows, everything.rows)

    # training rows would be their own neighbours, and copies of themselves: others stand for the reference, or held-out rows
    others = everything.x[half : half + NEAR]
    yield value(m, "nearer-to-training", lambda some: nearer_of(some.x[:NEAR]), half, real=lambda: nearer_of(others))
    yield value(m, "exact-copies", copies, half, real=lambda: copies(held))


def order_of(m: Measured) -> torch.Tensor:
    """Return the numbers of all training rows, those that stand in for fakes last."""
    order = m.reals.order(0, len(m.reals.train))
    return order.roll(-min(m.reals.n, len(order) // 2))
