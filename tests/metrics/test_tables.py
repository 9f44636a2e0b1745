"""Metrics of tables on rows whose answer is known by hand, by the drawing law, or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from wgan.metrics import tables as t

G = np.random.default_rng(0)


def levels(*frequencies, n=1000):
    """A column whose level i has its frequency exactly."""
    return np.repeat(np.arange(len(frequencies)), (np.array(frequencies) * n).astype(int)).astype(float)[:, None]


def test_the_shape_of_a_category_is_one_minus_total_variation():
    fake, real = levels(0.5, 0.3, 0.2), levels(0.2, 0.3, 0.5)
    assert t.column_shapes(fake, real, np.array([True])) == pytest.approx([0.7])
    assert t.column_shapes(fake + 7, real, np.array([True])) == pytest.approx([0.0])


def test_the_shape_of_a_number_is_one_minus_kolmogorov_smirnov():
    fake, real = np.linspace(0, 1, 1001)[:, None], np.linspace(0.25, 1.25, 1001)[:, None]
    assert t.column_shapes(fake, real, np.array([False])) == pytest.approx([0.75], abs=2e-3)


def test_missing_cells_are_a_level_of_a_category_only():
    """In a number they do not count."""
    real = np.arange(100.0)[:, None]
    fake = np.where(np.arange(100)[:, None] % 2, real, np.nan)
    number, category = (t.column_shapes(fake, real, np.array([c]))[0] for c in (False, True))
    assert number > 0.98 and category == pytest.approx(0.5)
    assert t.missing_gap(fake, real) == pytest.approx([0.5]) == t.missing_gap(real, fake)
    assert (
        t.shape(np.full(5, np.nan), real[:, 0], False) == 0
        and t.shape(np.full(5, np.nan), np.full(3, np.nan), False) == 1
    )


def test_the_relation_of_two_numbers_is_their_correlation():
    x = G.normal(size=(20_000, 2))
    fake, real = np.stack([x[:, 0], x[:, 1]], 1), np.stack([x[:, 0], 0.6 * x[:, 0] + 0.8 * x[:, 1]], 1)
    found = t.pair_trends(fake, real, np.array([False, False]))
    assert found[0, 1] == found[1, 0] == pytest.approx(0.7, abs=0.01) and found[0, 0] == 1


@pytest.mark.parametrize("second", [True, False])
def test_the_relation_to_a_category_is_the_joint_frequency(second):
    a, b = np.repeat([0.0, 1.0], 500), np.tile([0.0, 1.0], 500)
    real, fake = np.stack([a, a], 1), np.stack([a, b], 1)  # equal columns, and independent ones
    assert t.pair_trends(fake, real, np.array([True, second]))[0, 1] == pytest.approx(0.5)
    assert t.pair_trends(real, real, np.array([True, second]))[0, 1] == 1


def test_the_same_rows_are_alike_by_every_metric_but_copies():
    rows = np.column_stack([G.normal(size=400), G.integers(4, size=400), np.where(G.random(400) < 0.2, np.nan, 1.0)])
    kinds = np.array([False, True, False])
    assert (t.column_shapes(rows, rows, kinds) == 1).all() and (t.pair_trends(rows, rows, kinds) == 1).all()
    assert t.exact_copies(rows, rows) == 1 and t.detection(np.nan_to_num(rows), np.nan_to_num(rows)) <= 0.55


def test_logistic_regression_is_scikit_learns():
    x = G.normal(size=(600, 5)) * [1, 10, 0.1, 1, 3] + 2
    y = (x @ [1, 0.1, 5, 0, -0.5] + G.gumbel(size=600) > 11).astype(np.int64) + (x[:, 3] > 3)
    ours = t.fit_classes(x, y, 3)
    theirs = LogisticRegression(C=1.0, max_iter=2000, tol=1e-10).fit(StandardScaler().fit_transform(x), y)
    scores, other = ours(x), theirs.decision_function(StandardScaler().fit_transform(x))
    assert np.allclose(scores - scores.mean(1, keepdims=True), other - other.mean(1, keepdims=True), atol=0.02)
    predicted = scores.argmax(1)
    assert t.macro_f1(predicted, y) == pytest.approx(f1_score(y, predicted, average="macro"))


def test_ridge_regression_is_scikit_learns():
    x = G.normal(size=(300, 4)) + 5
    y = x @ [1.0, -2, 0, 3] + G.normal(size=300)
    z = StandardScaler().fit_transform(x)
    theirs = Ridge(alpha=1.0).fit(z, y).predict(z)
    found = t.fit_number(x, y)(x)[:, 0]
    assert np.allclose(found, theirs) and t.r_squared(found, y) == pytest.approx(r2_score(y, theirs))
    assert t.r_squared(y + 100, y) == -1


def test_auc_is_scikit_learns_with_ties():
    scores, y = G.integers(6, size=500).astype(float), G.random(500) < 0.3
    assert t.auc(scores, y) == pytest.approx(roc_auc_score(y, scores))


@pytest.mark.parametrize("shift, low, high", [(0.0, 0.5, 0.56), (1.0, 0.7, 0.82), (9.0, 0.999, 1.0)])
def test_detection_is_the_auc_of_what_differs(shift, low, high):
    fake, real = G.normal([shift, 0, 0], 1, size=(2000, 3)), G.normal(size=(2000, 3))
    assert low <= t.detection(fake, real) <= high  # Φ(1 / √2) = 0.76


def test_rows_near_to_training_rows_are_found():
    train, held, fresh = (G.normal(size=(800, 4)) for _ in range(3))
    assert t.nearer_to_training(fresh, train, held) == pytest.approx(0.5, abs=0.06)
    assert t.nearer_to_training(train + 1e-3, train, held) > 0.99 and t.nearer_to_training(held, train, held) < 0.01


def test_copies_are_rows_equal_in_every_cell():
    train = np.array([[1, np.nan], [2, 3], [2, 4]])
    fake = np.array([[1, np.nan], [1, 3], [2, 3], [np.nan, 1]])
    assert t.exact_copies(fake, train) == 0.5


def test_rows_between_neighbours_lie_between_them():
    rows = np.column_stack([np.arange(100.0), np.repeat([0.0, 1.0], 50)])
    made = t.interpolated(rows, rows, np.array([False, True]), 500)
    assert set(made[:, 1]) == {0.0, 1.0} and (made[:, 0] % 1 != 0).mean() > 0.9
    assert made[:, 0].min() >= 0 and made[:, 0].max() <= 99
    assert (
        np.abs(made[:, 1] - (made[:, 0] > 49.5)).mean() < 0.1
    )  # a neighbour is near: hardly any row is of the other half
