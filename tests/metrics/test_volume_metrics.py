"""Distances of volumes: 0 for equal sets, known answers for shifted ones, and one sentence for what they cannot compare."""

import itertools

import numpy as np
import pytest
import torch

from wgan.errors import WganError
from wgan.metrics.random_features import extractor_name, random_features
from wgan.metrics.volumes import mean_distance, voxel_distance

REAL = np.random.default_rng(0).standard_normal((50, 2, 4, 5, 6))


def test_equal_sets_have_no_distance_in_any_order():
    for distance in (voxel_distance, mean_distance):
        assert distance(REAL[::-1], REAL) == pytest.approx(0, abs=1e-12)


def test_a_shift_is_its_size_in_deviations():
    assert voxel_distance(REAL + 3, REAL) == pytest.approx(3 / REAL.std())
    assert mean_distance(REAL - 3, REAL) == pytest.approx(3 / REAL.mean((2, 3, 4)).std())


def test_the_mean_does_not_see_what_the_voxels_see():
    """Half of each volume up and half of it down."""
    sign = np.where(np.arange(6) < 3, 1.0, -1.0)
    apart = REAL + 5 * sign
    assert mean_distance(apart, REAL) == pytest.approx(0, abs=1e-12) and voxel_distance(apart, REAL) > 3


def test_equal_means_of_all_reals_set_no_scale():
    level = REAL - REAL.mean((2, 3, 4), keepdims=True)
    assert mean_distance(level + 3, level) == pytest.approx(3 / level.std())


@pytest.mark.parametrize(
    ("fake", "real", "words"),
    [
        (REAL[0], REAL, "must be volumes"),
        (REAL[:, :1], REAL, "must be equal"),
        (REAL * np.nan, REAL, "NaN or infinite"),
        (REAL, 0 * REAL, "are constant"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(fake, real, words):
    with pytest.raises(WganError, match=words):
        voxel_distance(fake, real)


def test_random_features_see_along_every_axis():
    x = torch.zeros(1, 1, 16, 16, 16)
    x[0, 0, :4, :8, 2:14] = 1
    turned = [random_features(x.permute(0, 1, *axes), scaled=True)[0] for axes in ((2, 3, 4), (3, 2, 4), (4, 3, 2))]
    assert turned[0].shape == (128,) and np.isfinite(turned).all()
    assert all(np.abs(a - b).max() > 1e-2 for a, b in itertools.pairwise(turned))
    names = [extractor_name(channels, 16, 16, 16) for channels in (1, 2)]
    assert all(name.startswith("random-conv3d ") for name in names) and names[0] != names[1]
    many = torch.randn(70, 1, 8, 8, 8)
    np.testing.assert_array_equal(random_features(many, True)[65:], random_features(many[65:], True))
