"""Gradient-boosted trees on the rows of a table: what an able model learns from them, beside the linear ones of tables.py.

Friedman 2001 with the second-order gain of Chen & Guestrin 2016, equation 7, on histograms; the levels of a category are
ordered at each node by their gradient (Fisher 1958), so that any set of them may be split off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from wgan.metrics.rows import Rows

BINS = 33  # of each column: missing cells, and 32 of equally many training rows or the most frequent levels
DEPTH = 3
ROUNDS, FEW_ROUNDS = 60, 20  # trees of each class, for up to three classes and for more
RATE = 0.15
PENALTY = 3.0  # of the squared leaves
LEAST = 5.0  # sum of second derivatives on either side of a split
Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Binning:
    """Which bin each value of each column falls into: edges of numbers, or the levels that have a bin of their own."""

    marks: list[Rows]
    categorical: Flags

    def __call__(self, rows: Rows) -> Whole:
        """Return the bins [N, C] of rows [N, C]; 0 is missing, the last of a category all other levels."""
        return np.stack([self.column(rows[:, i], i) for i in range(rows.shape[1])], 1)

    def column(self, x: Rows, i: int) -> Whole:
        """Return the bins of one column [N]."""
        marks = self.marks[i]
        found = np.searchsorted(marks, x, side="left" if self.categorical[i] else "right") + 1
        if self.categorical[i]:
            known = found <= len(marks)
            known[known] = marks[found[known] - 1] == x[known]
            found = np.where(known, found, BINS - 1)
        return np.where(np.isnan(x), 0, found)


def binning(rows: Rows, categorical: Flags) -> Binning:
    """Return the bins of training rows [N, C]."""
    return Binning([marks_of(rows[:, i], bool(categorical[i])) for i in range(rows.shape[1])], categorical)


def marks_of(x: Rows, categorical: bool) -> Rows:
    """Return the levels [at most BINS - 2] that have a bin of their own, or the edges [at most BINS - 2] of numbers."""
    values, counts = np.unique(x[~np.isnan(x)], return_counts=True)
    if categorical:
        own: Rows = np.sort(values[np.argsort(-counts, kind="stable")[: BINS - 2]])
        return own
    if len(values) < 2:
        return np.zeros(0)
    edges: Rows = np.unique(np.quantile(x[~np.isnan(x)], np.linspace(0, 1, BINS)[1:-1]))
    return edges


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of DEPTH levels: of each inner node a column and the bins that go left; the value of each leaf."""

    columns: list[Whole]  # of each level, [nodes]
    left: list[Flags]  # of each level, [nodes, BINS]
    leaves: Rows  # [2 ** DEPTH]

    def __call__(self, bins: Whole) -> Rows:
        """Return the value [N] of rows in bins [N, C]."""
        node, every = np.zeros(len(bins), np.int64), np.arange(len(bins))
        for columns, left in zip(self.columns, self.left, strict=True):
            node = 2 * node + ~left[node, bins[every, columns[node]]]
        found: Rows = self.leaves[node]
        return found


def sums(weights: Rows, at: Whole, size: int) -> Rows:
    """Return the sums of weights [N] over each of `size` places, at [N, C]."""
    found: Rows = np.bincount(at.ravel(), np.repeat(weights, at.shape[1]), size).astype(np.float64)
    return found


def grow(bins: Whole, gradient: Rows, curvature: Rows, categorical: Flags) -> Tree:
    """Return the tree that best lowers a loss with these first and second derivatives [N]."""
    count = bins.shape[1]
    node, every = np.zeros(len(bins), np.int64), np.arange(len(bins))
    columns, left = [], []
    for level in range(DEPTH):
        at = (node[:, None] * count + np.arange(count)) * BINS + bins
        shape = (2**level, count, BINS)
        g, h = (sums(w, at, 2**level * count * BINS).reshape(shape) for w in (gradient, curvature))
        column, mask = best_splits(g, h, categorical)
        columns.append(column)
        left.append(mask)
        node = 2 * node + ~mask[node, bins[every, column[node]]]
    g, h = (np.bincount(node, w, 2**DEPTH) for w in (gradient, curvature))
    return Tree(columns, left, -RATE * g / (h + PENALTY))


def best_splits(g: Rows, h: Rows, categorical: Flags) -> tuple[Whole, Flags]:
    """Return the column [nodes] and the bins that go left [nodes, BINS] of the best split of each node.

    g, h: derivatives summed over the rows of each node, column and bin, [nodes, C, BINS].
    """
    slope = np.where(categorical[:, None], g / (h + PENALTY), np.arange(BINS, dtype=np.float64))
    order = np.argsort(slope, 2, kind="stable")
    low_g, low_h = (np.take_along_axis(v, order, 2).cumsum(2)[..., :-1] for v in (g, h))
    all_g, all_h = g.sum(2, keepdims=True), h.sum(2, keepdims=True)
    gain = low_g**2 / (low_h + PENALTY) + (all_g - low_g) ** 2 / (all_h - low_h + PENALTY)
    gain = np.where((low_h >= LEAST) & (all_h - low_h >= LEAST), gain, -1.0)
    nodes = np.arange(len(g))
    column, cut = np.divmod(gain.reshape(len(g), -1).argmax(1), BINS - 1)
    rank = np.argsort(order[nodes, column], 1)  # the place of each bin in the order
    left = rank <= cut[:, None]
    left |= (gain[nodes, column, cut] < 0)[:, None]  # no split: all go left
    return column, left


def fit_class_trees(rows: Rows, y: Whole, classes: int, categorical: Flags, judged: Rows) -> Rows:
    """Return scores [M, classes] of the rows `judged` by trees for y in 0..classes-1 on rows [N, C]."""
    cut = binning(rows, categorical)
    bins, others = cut(rows), cut(judged)
    target = np.eye(classes)[y]
    start = np.log(target.mean(0) + 1e-6)
    scores, found = (np.tile(start, (len(b), 1)) for b in (bins, others))
    for _ in range(ROUNDS if classes <= 3 else FEW_ROUNDS):
        p = softmax(scores, 1)
        for k in range(classes):
            tree = grow(bins, p[:, k] - target[:, k], p[:, k] * (1 - p[:, k]), categorical)
            scores[:, k] += tree(bins)
            found[:, k] += tree(others)
    return found


def fit_number_trees(rows: Rows, y: Rows, categorical: Flags, judged: Rows) -> Rows:
    """Return what trees for the number y [N] on rows [N, C] say of the rows `judged`, [M]."""
    cut = binning(rows, categorical)
    bins, others = cut(rows), cut(judged)
    now, found = np.full(len(bins), y.mean()), np.full(len(others), y.mean())
    for _ in range(ROUNDS):
        tree = grow(bins, now - y, np.ones(len(y)), categorical)
        now += tree(bins)
        found += tree(others)
    return found
