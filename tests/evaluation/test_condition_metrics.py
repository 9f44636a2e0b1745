"""Whether conditions are kept: exact readings of the toys, and models of what other data show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from wgan.data import open_source
from wgan.evaluation.condition_metrics import bias_of, spread_of
from wgan.evaluation.context import Measured
from wgan.evaluation.metrics_table import METRICS
from wgan.evaluation.samples import About, Reals, Subject

N = 2000


@pytest.fixture(scope="module", params=["gaussian", "calorimeter"])
def reals(request):
    return Reals(*(open_source(request.param, split) for split in ("train", "test")), N)


def measured(reals, change=lambda told: told):
    """Held-out samples that stand in for fakes, which were asked for what `change` makes of their conditions."""
    index = torch.arange(len(reals.test) - N, len(reals.test))
    x, told = reals.test.batch(index)
    return Measured(Subject(x, None, About(n_fake=N), told=change(told.clone())), reals)


def values(m, name):
    return {v.name: v for v in METRICS[name].measure(m)}


def test_real_samples_keep_their_conditions(reals):
    found = values(measured(reals), "condition-numbers")
    noise = {"gaussian": 0.5 / reals.test.conditions.columns[0].scale, "calorimeter": 0.0}[reals.test.name]
    for v in (found["condition-error"].value, found["condition-error"].reference):
        assert v == pytest.approx(noise, rel=0.06, abs=1e-5)
    assert found["condition-bias"].value < 2 * noise * (10 / N) ** 0.5 + 1e-5
    assert found["condition-error"].extractor == "the data's own rule"
    (category,) = values(measured(reals), "condition-categories").values()
    assert category.value == pytest.approx(category.reference, abs=0.02) and category.value > 0.95


def test_samples_that_miss_their_conditions_are_told(reals):
    def shifted(told):
        told[:, 0] += 0.4
        return told

    found = values(measured(reals, shifted), "condition-numbers")
    assert found["condition-bias"].value == pytest.approx(0.4, abs=0.03)
    assert found["condition-error"].value > 0.39

    def mixed(told):
        return told[torch.randperm(N, generator=torch.Generator().manual_seed(0))]

    found = values(measured(reals, mixed), "condition-numbers")
    assert found["condition-error"].value == pytest.approx(2**0.5, rel=0.1)
    (category,) = values(measured(reals, mixed), "condition-categories").values()
    assert category.value == pytest.approx(0.5, abs=0.05) and category.reference > 0.95


def test_a_model_reads_what_no_rule_does(reals):
    plain = replace(reals, train=replace(reals.train, shown=None), test=replace(reals.test, shown=None), cache={})
    found = values(measured(plain), "condition-numbers")["condition-error"]
    exact = values(measured(reals), "condition-numbers")["condition-error"].reference
    assert 0.9 * exact < found.reference < exact + 0.15 and found.value == pytest.approx(found.reference, abs=0.05)
    assert found.extractor == "linear model of training reals"


def test_both_errors_are_their_formulas():
    told = np.arange(100.0)
    assert spread_of(told + 3, told) == pytest.approx(3) == bias_of(told + 3, told)
    alternating = told + np.where(np.arange(100) % 2, 1.0, -1.0)
    assert spread_of(alternating, told) == pytest.approx(1) and bias_of(alternating, told) == pytest.approx(0)
    half = told + np.where(told < 50, 1.0, -1.0)  # right on the whole, wrong everywhere
    assert bias_of(half, told) == pytest.approx(1)


def test_the_metrics_say_why_they_do_not_apply(reals):
    x = reals.test.batch(torch.arange(N))[0]
    m = Measured(Subject(x, None, About(n_fake=N)), reals)
    for name in ("condition-numbers", "condition-categories"):
        assert METRICS[name].missing(m) == "the samples have no conditions"
        assert METRICS[name].missing(measured(reals)) == ""
