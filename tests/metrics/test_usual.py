"""The anomaly score: its parts against formulas, what is usual at 0, and a sample near a dense group that is strange."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wgan.metrics.usual import learn_usual, usual_of
from wgan.runs.checkpoint import flatten, part


def vectors(n, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, width)))


def test_normal_samples_are_at_0_in_standard_deviations():
    usual = learn_usual(vectors(3000, 6), vectors(3000, 4, 1))
    m_r, m_f, local, score = usual.judge(vectors(2000, 6, 2), vectors(2000, 4, 3)).unbind(1)
    assert float(m_r.mean()) == pytest.approx(1, abs=0.05) and float(m_f.mean()) == pytest.approx(1, abs=0.05)
    both = torch.stack([((m_r + m_f) / 2).log(), local.log()])
    assert both.T.mean(0).numpy() == pytest.approx(usual.center.numpy(), abs=0.05)
    assert score.numpy() == pytest.approx(((both.T - usual.center) / usual.scale).mean(1).numpy())
    assert float(score.mean()) == pytest.approx(0, abs=0.1)


def test_the_local_distance_is_that_of_neighbours():
    """Of 12 samples 8 are the base; all four directions of the features are kept, so that distances are those of rows."""
    features, new = vectors(12, 4), vectors(3, 4, 1)
    base = features[:8]
    apart = torch.cdist(base, base).sort().values[:, 1:6].mean(1)
    near, which = torch.cdist(new, base).topk(5, largest=False)
    expected = near.mean(1) / apart[which].mean(1)
    found = learn_usual(vectors(12, 4, 2), features).judge(vectors(3, 4, 3), new)[:, 2]
    assert found.numpy() == pytest.approx(expected.numpy())


def test_a_sample_beside_a_dense_group_is_strange():
    """By its distance alone it is the more usual of both: the other group is ten times as wide."""
    groups = torch.where(torch.arange(3000)[:, None] % 2 == 0, 0.1 * vectors(3000, 2), vectors(3000, 2) + 20)
    usual = learn_usual(vectors(3000, 3, 1), groups)
    new = torch.tensor([[0.8, 0.0], [20.8, 20.0]])
    _, m_f, local, _ = usual.judge(vectors(2, 3, 4), new).unbind(1)
    assert local[0] > 3 > 2 > local[1] and float((m_f[0] - m_f[1]).abs()) < 0.3


@pytest.mark.parametrize("n", [4, 7])
def test_few_or_equal_samples_have_finite_scores(n):
    usual = learn_usual(vectors(n, 9), torch.ones(n, 3))
    assert torch.isfinite(usual.judge(vectors(5, 9, 1), vectors(5, 3, 2))).all()


def test_what_is_stored_comes_back():
    usual = learn_usual(vectors(60, 5), vectors(60, 8, 1))
    again = usual_of(part(flatten({"usual": usual.tensors()}), "usual"))
    new = vectors(7, 5, 2), vectors(7, 8, 3)
    assert again.judge(*new).numpy() == pytest.approx(usual.judge(*new).numpy(), rel=1e-4, abs=1e-4)
