"""Boosted trees: as able as scikit-learn's on numbers, categories and missing cells, where a linear model is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from wgan.metrics.tables import r_squared
from wgan.metrics.trees import BINS, binning, fit_class_trees, fit_number_trees

FLAGS = np.array([False, True, False, False])
OTHERS = {"max_iter": 60, "learning_rate": 0.15, "max_depth": 3, "categorical_features": FLAGS}


def drawn(seed, n=3000):
    """Return rows with a category of 20 levels and missing cells, a class of three and a number that hang on all of them."""
    g = np.random.default_rng(seed)
    rows = np.stack([g.normal(size=n), g.integers(0, 20, n).astype(float), g.exponential(size=n), g.normal(size=n)], 1)
    rows[g.random(n) < 0.2, 2] = np.nan
    odd = np.isin(rows[:, 1], [1, 4, 9, 16])
    y = np.where(odd, rows[:, 0] > 0, np.where(np.isnan(rows[:, 2]), 2, rows[:, 3] > 0.5)).astype(np.int64)
    return rows, y, np.abs(rows[:, 0]) + 2.0 * odd + np.nan_to_num(rows[:, 2], nan=3.0) + 0.1 * g.normal(size=n)


def test_trees_tell_classes_as_well_as_scikit_learn():
    (x, y, _), (held, wanted, _) = drawn(0), drawn(1)
    own = fit_class_trees(x, y, 3, FLAGS, held).argmax(1)
    other = HistGradientBoostingClassifier(**OTHERS).fit(x, y).predict(held)
    assert (own == wanted).mean() > max(0.97, (other == wanted).mean() - 0.015)


def test_trees_tell_a_number_as_well_as_scikit_learn():
    (x, _, y), (held, _, wanted) = drawn(0), drawn(1)
    own = r_squared(fit_number_trees(x, y, FLAGS, held), wanted)
    other = r_squared(HistGradientBoostingRegressor(**OTHERS).fit(x, y).predict(held), wanted)
    assert own > max(0.93, other - 0.02)


def test_bins_hold_missing_cells_alone_and_rare_levels_together():
    x = np.r_[np.repeat(np.arange(40.0), np.arange(40, 0, -1)), np.nan]
    numbers, levels = (binning(x[:, None], np.array([kind])) for kind in (False, True))
    for cut in (numbers, levels):
        found = cut(x[:, None])[:, 0]
        assert found[-1] == 0 and (found[:-1] > 0).all() and 20 < found.max() < BINS
    rare = levels(np.array([[39.0], [35.0], [99.0], [0.0], [-1.0]]))[:, 0]
    assert rare[:3].tolist() == [BINS - 1] * 3 and rare[3] == 1 and rare[4] == BINS - 1
    assert (np.diff(numbers(np.sort(x[:-1])[:, None])[:, 0]) >= 0).all()


def test_class_trees_begin_at_how_frequent_classes_are():
    y, rows = np.repeat(np.arange(4), [70, 15, 10, 5]), np.ones((100, 2))
    found = softmax(fit_class_trees(rows, y, 4, np.array([False, True]), rows), 1)
    assert found == pytest.approx(np.tile([0.7, 0.15, 0.1, 0.05], (100, 1)), abs=1e-4)


def test_fewer_rows_than_a_leaf_needs_are_not_split_off():
    """The last bin holds three rows of 100."""
    x = np.arange(100.0)[:, None]
    found = fit_number_trees(x, 100.0 * (x[:, 0] > 96), np.array([False]), x)
    assert found[-1] == found[-5] > found[0]


@pytest.mark.parametrize("y", [np.zeros(50), np.arange(50.0)])
def test_trees_of_columns_that_say_nothing_give_the_mean(y):
    rows = np.stack([np.full(50, 3.0), np.full(50, np.nan)], 1)
    assert fit_number_trees(rows, y, np.array([False, True]), rows) == pytest.approx(np.full(50, y.mean()))
