"""Digits drawn anew: the angle and the pen of each are those it was made for, and what thinning leaves is a line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wgan.data import open_source
from wgan.data.bundled import strokes
from wgan.errors import WganError


@pytest.fixture(scope="module")
def test_part():
    return open_source("strokes", "test")


def test_digits_show_the_angle_they_were_made_for(test_part):
    x = test_part.depth.restore(test_part.batch(torch.arange(len(test_part)))[0].numpy())
    column = test_part.conditions.columns[0]
    wanted = test_part.told[:, 0].numpy() * column.scale + column.mean
    assert test_part.conditions.names == ["angle", "thickness"] and x.shape[1:] == (1, 16, 16)
    assert wanted.min() > -60 and wanted.max() < 60 and x.min() >= 0 and x.max() <= 1
    found = test_part.shown(x)["angle"]
    assert np.abs(found - wanted).mean() < 3 and np.corrcoef(found, wanted)[0, 1] > 0.99
    assert list(test_part.shown(x)) == ["angle"]


def test_a_pen_draws_as_thick_as_it_is():
    """A straight line: ink over its length, away from its round ends."""
    line = np.stack([np.linspace(-5.5, 5.5, 200), np.zeros(200)], 1)
    told, ink = strokes.strokes(np.random.default_rng(0), [line] * 50)
    level = np.abs(told["angle"]) < 10
    across = ink[level, 0, 6:10].sum(2).mean(1) * np.cos(np.deg2rad(told["angle"][level]))
    assert level.sum() > 3 and across == pytest.approx(told["thickness"][level], abs=0.12)


def test_positive_angles_turn_clockwise():
    line = np.array([[-5.0, 0.0], [5.0, 0.0]])
    down, right = strokes.turned(line[None], np.array([30.0]))[0, 0]
    assert down < 0 < right  # the top goes to the right


def test_thinning_leaves_lines_and_keeps_what_is_apart():
    shape = np.zeros((1, 12, 12), np.bool_)
    shape[0, 1:11, 2:5] = True
    shape[0, 4:8, 7:11] = True
    left = strokes.thinned(shape)[0]
    assert (left <= shape[0]).all() and left[2:9, :6].sum(1).max() == 1 and left[3:8, :6].sum() == 5
    assert left[:, 7:].any() and left[:, 7:].sum() <= 3


def test_round_digits_and_wrong_selections_are_refused(test_part):
    ones = open_source("strokes:1", "test")
    assert 0 < len(ones) < len(test_part)
    with pytest.raises(WganError, match="strokes:x"):
        open_source("strokes:x")
    square = np.ones((9, 9), np.bool_)
    assert strokes.centred(square) is None and strokes.centred(square[:, :1]) is not None
