"""Mahalanobis distances: against NumPy, and where there are few rows, constant columns or fewer numbers than directions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from wgan.metrics.gaussian import fit_gaussian, from_tensors


def rows(n, scales, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(3, 1, (n, len(scales))) * scales)


def test_with_every_direction_it_is_the_mahalanobis_distance():
    x, new = rows(500, [5, 1, 0.1]), rows(20, [5, 1, 0.1], 1)
    centred = new.numpy() - x.numpy().mean(0)
    expected = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(np.cov(x.numpy().T, bias=True)), centred) / 3
    assert fit_gaussian(x).distance(new).numpy() == pytest.approx(expected)
    assert float(fit_gaussian(x).distance(x).mean()) == pytest.approx(1)


@pytest.mark.parametrize("n", [400, 8])
def test_directions_left_out_share_one_variance(n):
    """As scikit-learn's PCA has it, whose variances are those of N - 1; from either of both matrices."""
    x, new = rows(n, [9, 5, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), rows(5, [9, 5, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 1)
    theirs = PCA(2, svd_solver="full").fit(x.numpy())
    variances = theirs.explained_variance_ * (n - 1) / n
    rest = (x.numpy().var(0).sum() - variances.sum()) / 7
    along, centred = theirs.transform(new.numpy()), new.numpy() - theirs.mean_
    across = (centred**2).sum(1) - (along**2).sum(1)
    found = fit_gaussian(x, 2)
    assert found.distance(new).numpy() == pytest.approx(((along**2 / variances).sum(1) + across / rest) / 9)
    assert float(found.distance(x).mean()) == pytest.approx(1)


def test_few_rows_keep_half_of_their_directions():
    """With all of them the rows themselves would be at the distance of no new one."""
    assert fit_gaussian(rows(10, [1] * 30)).directions.shape == (5, 30)
    assert fit_gaussian(rows(1000, [1] * 300)).directions.shape == (128, 300)


def test_constant_numbers_have_finite_distances():
    x = rows(50, [1, 0, 0])
    found = fit_gaussian(x).distance(torch.cat([x[:1], x[:1] + torch.tensor([0, 0, 1.0])]))
    assert torch.isfinite(found).all() and found[1] > 1e3 > 10 > found[0]
    assert torch.isfinite(fit_gaussian(torch.ones(9, 4)).distance(torch.zeros(2, 4))).all()


def test_what_is_stored_comes_back():
    found = fit_gaussian(rows(50, [3, 1, 1, 1]), 2)
    again = from_tensors(found.tensors())
    assert again.distance(rows(9, [3, 1, 1, 1], 2)) == pytest.approx(found.distance(rows(9, [3, 1, 1, 1], 2)), rel=1e-4)
