"""A metric of one's own is a function of two arrays, measured next to its reference; a faulty one is a sentence."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import wgan
from wgan.errors import WganError
from wgan.evaluation.own_metrics import own_metrics


def mean_gap(fake, real):
    """The distance between the means of all numbers."""
    return abs(float(fake.mean()) - float(real.mean()))


def test_a_function_is_measured_next_to_its_reference(ring_run):
    seen = []

    def noted(fake, real):
        seen.append((fake.shape, fake.dtype, real.shape))
        return mean_gap(fake, real)

    report = wgan.evaluate(ring_run, n=200, metrics=["sliced-w1", noted], checkpoint="last")
    value, sliced = report.metric("noted"), report.metric("sliced-w1")
    assert seen[0][0] == (200, 2) and seen[0][1] == np.float32 and value.n_fake == 200 and value.n_real == seen[0][2][0]
    assert len(seen) == 5, "fakes, and four draws of training samples"
    assert 0 <= value.reference < value.value and value.reference_spread > 0 and value.better == "none"
    assert [v.name for v in report.results[0].values] == ["sliced-w1", "noted"] and sliced.value > 0
    written = json.loads(report.to_json())["results"][0]["figures"]
    assert written[1]["value"] == value.value and written[1]["floor"] == value.reference
    assert "<td>noted</td>" in report._repr_html_()


def test_an_own_metric_has_a_name_and_a_direction(digits_run):
    """And images reach it as they are stored."""
    row = wgan.OwnMetric(
        lambda fake, real: np.float32(fake.shape[1:] == (1, 28, 28) and fake.dtype == np.uint8), "shape", "higher"
    )
    value = wgan.evaluate(digits_run, n=100, metrics=[row], checkpoint="last").metric("shape")
    assert (value.value, value.reference, value.better) == (1.0, 1.0, "higher")


def test_a_metric_cannot_change_what_others_see(ring_run):
    def spoil(fake, real):
        fake[:], real[:] = 0, 0
        return 0.0

    plain = wgan.evaluate(ring_run, n=100, metrics=["sliced-w1"], checkpoint="last").metric("sliced-w1")
    after = wgan.evaluate(ring_run, n=100, metrics=[spoil, "sliced-w1"], checkpoint="last").metric("sliced-w1")
    assert after == plain


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda fake, real: 1 / 0, "metric mine failed on fakes: ZeroDivisionError"),
        (lambda fake, real: float("nan"), "metric mine is nan on fakes"),
        (lambda fake, real: fake.mean(0), "metric mine returned a ndarray: it must return one number"),
        (lambda fake, real: None, "metric mine returned a NoneType"),
        (lambda fake: 0.0, "metric mine failed on fakes: TypeError"),
    ],
)
def test_a_faulty_metric_is_one_sentence(ring_run, function, words):
    with pytest.raises(WganError, match=words):
        wgan.evaluate(ring_run, n=100, metrics=[wgan.OwnMetric(function, "mine")], checkpoint="last")


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ([lambda a, b: 0.0], "a metric without a name"),
        ([mean_gap, wgan.OwnMetric(mean_gap, "mean_gap")], "there is a metric mean_gap already"),
        ([wgan.OwnMetric(mean_gap, "coverage")], "there is a metric coverage already"),
        ([wgan.OwnMetric(mean_gap, "prdc")], "there is a metric prdc already"),
        ([3], "a metric is a name, a function of two arrays or an OwnMetric, not 3"),
        ([wgan.OwnMetric(mean_gap, "a", "up")], "better 'up': write lower, higher or none"),
    ],
)
def test_what_is_no_metric_is_refused_before_anything(metrics, words):
    with pytest.raises(WganError, match=words):
        own_metrics(metrics)


class Ring(nn.Module):
    """z [B, 2] -> points [B, 2]."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 2)

    def forward(self, z, y):
        return self.body(z)


def test_a_run_with_own_parts_is_measured_with_them(here, cheap):
    """Its own generator and its own source."""
    points = torch.randn(600, 2, generator=torch.Generator().manual_seed(0))
    source = wgan.Source("mine", "train", (2,), 600, lambda i: points[i])
    options = {"critic_layers": "8", "latent": 2, "batch": 8, "n_critic": 1, "threads": 1, "steps": 1}
    run = wgan.train("vectors", data=source, generator=Ring(), run="mine", **options)
    report = wgan.evaluate(run, n=100, metrics=[mean_gap], generator=Ring(), data=source, checkpoint="last")
    assert report.metric("mean_gap").value >= 0
    with pytest.raises(WganError, match="trained with a generator given in Python"):
        wgan.evaluate(run, n=100, metrics=[mean_gap])
