"""The toys with conditions: what they show is what they were made for, on both splits and every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wgan.data import open_source
from wgan.errors import WganError


@pytest.fixture(scope="module", params=["gaussian", "calorimeter"])
def toy(request):
    return {split: open_source(request.param, split) for split in ("train", "test", "all")}


def told_of(source):
    c, told = source.conditions.columns, source.told.numpy().astype(np.float64)
    return told[:, 0] * c[0].scale + c[0].mean, np.array(c[1].levels)[told[:, 1:].argmax(1)]


def shown_by(source):
    x = source.batch(torch.arange(len(source)))[0].numpy()
    return source.shown(x if source.depth is None else source.depth.restore(x)), x


def test_samples_show_what_they_were_made_for(toy):
    for source in toy.values():
        number, level = told_of(source)
        found, x = shown_by(source)
        if source.name.startswith("gaussian"):
            left = found["mean"] - number
            assert left.std() == pytest.approx(0.5, rel=0.02) and abs(np.corrcoef(left, number)[0, 1]) < 0.03
            assert (found["side"] == level).mean() > 0.9995
        else:
            assert found["energy"] == pytest.approx(number, abs=1e-3)
            middle = x[:, 0, 5:7, 5:7].sum((1, 2)) / (x + 1).sum((1, 2, 3))
            assert middle[level == "electron"].mean() > middle[level == "pion"].mean() and x.min() >= -1


def test_both_parts_have_the_units_of_the_training_part(toy):
    assert toy["train"].conditions == toy["test"].conditions == toy["all"].conditions
    assert torch.equal(torch.cat([toy["train"].told, toy["test"].told]), toy["all"].told)
    assert not torch.equal(toy["train"].told, toy["test"].told)
    assert float(toy["train"].told[:, 0].mean()) == pytest.approx(0, abs=1e-5)


def test_a_toy_takes_no_argument(toy):
    with pytest.raises(WganError, match="takes no argument"):
        open_source(f"{toy['train'].name}:7")
