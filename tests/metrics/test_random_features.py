"""Features of a random network: fixed for ever, of images of any kind, and they see what pixels forgive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wgan.data import open_source
from wgan.errors import WganError
from wgan.evaluation.context import Measured
from wgan.evaluation.metrics_table import METRICS
from wgan.evaluation.samples import About, Subject, open_reals
from wgan.metrics.random_features import extractor_name, random_features, stages, weights


def noise(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 28, 28), (3, 64, 48), (5, 8, 40), (3, 128, 128)])
def test_any_channels_and_sides_give_finite_features_that_differ(shape):
    f = random_features(noise((65, *shape)))
    assert f.shape == (65, 128) and f.dtype == np.float32 and np.isfinite(f).all()
    assert len(np.unique(f, axis=0)) == 65


@pytest.mark.parametrize(("side", "count"), [(4, 1), (16, 1), (18, 2), (28, 2), (64, 3), (128, 4), (256, 5), (9999, 6)])
def test_how_often_a_map_is_halved(side, count):
    assert stages(side, side) == stages(side, 2 * side) == stages(3 * side, side) == count


def test_the_weights_never_change():
    # figures of different days are compared under these names: a change of the weights must change them
    assert extractor_name(1, 28, 28) == "random-conv 73a9a8b59d32"
    assert len({extractor_name(1, 28, 28), extractor_name(3, 28, 28), extractor_name(1, 64, 64)}) == 3


def test_features_are_the_network_that_the_docstring_describes():
    x = noise((3, 2, 20, 20))
    first, second, projection = weights(2, 2)
    h = x.double() / 127.5 - 1
    for kernel in (first, second):
        h = F.avg_pool2d(F.leaky_relu(F.conv2d(h, kernel.double(), padding=1), 0.2), 2)
    h = F.adaptive_avg_pool2d(h, 2).flatten(1) @ projection.double().T
    np.testing.assert_allclose(random_features(x), h.numpy(), atol=1e-4)
    assert first.std() == pytest.approx((2 / 18) ** 0.5, rel=0.05)


def test_features_depend_on_the_image_alone():
    x = noise((100, 1, 28, 28))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    whole = random_features(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(random_features(x[66:67]), whole[66:67]) and np.array_equal(random_features(x), whole)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.zeros(3, 1, 8, 8), "uint8 images"),
        (noise((3, 8, 8)), "uint8 images"),
        (noise((3, 1, 3, 9)), "at least 4 pixels"),
        (noise((0, 1, 8, 8)), "N is 0"),
    ],
)
def test_other_things_are_refused(images, said):
    with pytest.raises(WganError, match=said):
        random_features(images)


def test_a_report_names_its_extractor_and_sees_blur():
    """Blur that a distance of pixels would prefer."""
    reals = open_reals("mnist", 600)
    x = reals.draw(0)[0]
    blurred = F.avg_pool2d(x.float(), 3, 1, 1).round().to(torch.uint8)
    figures = {}
    for name, fakes in (("real", x), ("blurred", blurred)):
        measured = Measured(Subject(fakes, None, About(n_fake=0)), reals)
        figures[name] = {f.name: f for f in METRICS["prdc-random"].measure(measured)}
    assert list(figures["real"]) == ["random-precision", "random-recall", "random-density", "random-coverage"]
    assert all(f.extractor == "random-conv 73a9a8b59d32" and f.better == "higher" for f in figures["real"].values())
    coverage = figures["real"]["random-coverage"]  # of the first of the four draws that the reference is the mean of
    assert coverage.reference > 0.8 and abs(coverage.value - coverage.reference) < 1.5 * coverage.reference_spread
    assert figures["blurred"]["random-precision"].value < 0.1 < figures["blurred"]["random-precision"].reference


def test_the_frechet_distance_in_random_features_grows_with_blur():
    reals = open_reals("mnist", 600)
    x = reals.draw(0)[0]
    found = {}
    for kernel in (1, 3, 5):
        blurred = F.avg_pool2d(x.float(), kernel, 1, kernel // 2).round().to(torch.uint8)
        (found[kernel],) = METRICS["fid-random"].measure(Measured(Subject(blurred, None, About(n_fake=0)), reals))
    assert found[1].name == "random-relative-fid" and found[1].better == "lower"
    assert abs(found[1].value - found[1].reference) < 1.5 * found[1].reference_spread  # one of its four draws
    assert found[1].value < found[3].value / 2 < found[5].value / 3
    assert found[3].reference == found[1].reference and found[1].extractor == "random-conv 73a9a8b59d32"
    assert (found[1].n_fake, found[1].n_real) == (len(x), len(reals.held_out[0]))


def test_vectors_have_no_such_figure():
    reals = open_reals("ring", 100)
    points = Measured(Subject(open_source("ring").batch(torch.arange(100))[0], None, About(n_fake=0)), reals)
    for name in ("prdc-random", "fid-random"):
        assert METRICS[name].missing(points) == "it is for images, signals and volumes"
