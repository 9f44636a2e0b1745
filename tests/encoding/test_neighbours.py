"""The simple score beside the encoder's, and when the command recommends it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import wgan
from wgan.cli.encode import detected
from wgan.data import open_source
from wgan.encoding.neighbours import neighbour_distance
from wgan.encoding.score import Detection
from wgan.engine import make_engine
from wgan.metrics.anomaly import Interval


def test_the_distance_is_that_to_the_nearest_training_sample(here, cheap, cache):
    np.save("rows.npy", np.random.default_rng(0).normal(size=(300, 4)))
    run = wgan.train(data="rows.npy", run="r", steps=1, batch=16, threads=1)
    train, test = (open_source("rows.npy", part, options=run.config) for part in ("train", "test"))
    x, base = (s.batch(torch.arange(len(s)))[0] for s in (test, train))
    found = neighbour_distance(run, [base[:3], x[:20], x[20:]], make_engine("cpu", "fp32", 1))
    expected = (x[:, None] - base[None]).square().mean(2).min(1).values.sqrt()
    assert found[3:] == pytest.approx(expected.numpy(), rel=1e-5) and not found[:3].any()


@pytest.mark.parametrize(("low", "recommended"), [(0.81, True), (0.79, False)])
def test_neighbours_are_recommended_where_clearly_better(capsys, low, recommended):
    """Where the whole interval of their AUC lies above that of the score's."""
    some = Interval(0.5, 0.4, 0.6)
    detected(Detection(9, 9, Interval(0.7, 0.6, 0.8), Interval(0.85, low, 0.9), some, some, some))
    said = capsys.readouterr().out
    assert "AUC of neighbours  0.8500" in said
    assert ("use the column neighbour_distance" in said) is recommended
