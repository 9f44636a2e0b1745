"""The conv3d family: shapes for any sides, the line that `auto` stands for, and its convolutions."""

import pytest
import torch
from torch import nn

from wgan.errors import WganError
from wgan.losses import clippable
from wgan.models import auto, build
from wgan.models.conv_nd import SameConvNd, UpConvNd
from wgan.models.layers import SameConv
from wgan.recipes import configure

LINES = {"generator_layers": "/ 6 4k4x2 / k3", "critic_layers": "4k4x2 6k3x2 /"}


def players(shape, classes=0, **options):
    torch.manual_seed(0)
    return build(configure("volumes", {"latent": 4, **options}), shape, classes)


@pytest.mark.parametrize("sides", [(4, 4, 4), (16, 16, 16), (5, 12, 9), (32, 4, 8)])
@pytest.mark.parametrize("upsample", ["transpose", "nearest"])
def test_auto_makes_and_judges_volumes_of_any_sides(sides, upsample):
    generator, critic = players((2, *sides), upsample=upsample)
    x = generator(torch.randn(3, 4))
    assert x.shape == (3, 2, *sides) and x.dtype == torch.float32 and not generator.tanh
    score, logits = critic(x)
    assert score.shape == (3,) and logits is None


def test_the_lines_that_auto_stands_for():
    assert auto.line("generator", "conv3d", (1, 8, 8, 8)) == "/ 32 16k4x2 / k4x2"
    assert auto.line("critic", "conv3d", (1, 8, 8, 8)) == "16k4x2 32k4x2 /"
    assert auto.line("generator", "conv3d", (1, 10, 16, 5)) == "/ 64 32k4x2 16k4x2 / k4x2"
    assert auto.line("critic", "conv3d", (1, 10, 16, 5)) == "16k4x2 32k4x2 64k4x2 /"
    assert auto.line("generator", "conv3d", (3, 4, 4, 4)) == "/ 32 / k4x2"


@pytest.mark.parametrize("axis", [2, 3, 4])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2), (5, 2), (2, 3), (4, 1)])
def test_a_convolution_is_the_one_of_images_in_a_plane(kernel, stride, axis):
    """A volume whose only filled plane is the first along one axis."""
    torch.manual_seed(0)
    plane = SameConv(nn.Conv2d(2, 3, kernel, stride), (11, 8))
    solid = SameConvNd(nn.Conv3d(2, 3, kernel, stride))
    sides = [11, 8]
    sides.insert(axis - 2, 9)
    with torch.no_grad():
        image = torch.randn(4, 2, 11, 8)
        x = torch.zeros(4, 2, *sides)
        x.select(axis, 0).copy_(image)
        tap = (
            max((-(-9 // stride) - 1) * stride + kernel - 9, 0) // 2
        )  # that reads the plane, for the first output plane
        plane.inner.weight.copy_(solid.inner.weight.select(axis, tap))
        plane.inner.bias.copy_(solid.inner.bias)
        assert torch.allclose(solid(x).select(axis, 0), plane(image), atol=1e-6)
        assert solid(x).shape[axis] == -(-9 // stride)


@pytest.mark.parametrize(("kernel", "growth"), [(4, 2), (5, 2), (3, 3)])
def test_growth_is_exact(kernel, growth):
    made = UpConvNd(3, 2, 3, kernel, growth)(torch.randn(1, 2, 4, 5, 3))
    assert made.shape == (1, 3, 4 * growth, 5 * growth, 3 * growth)


@pytest.mark.parametrize(
    ("options", "shape", "words"),
    [
        ({}, (1, 8, 8), "use the conv family, or --kind volume"),
        ({}, (30,), "use the mlp family, or --kind volume"),
        ({}, (2, 30), "use the conv1d family, or --kind volume"),
        ({"generator": "conv", "critic": "conv"}, (1, 8, 8, 8), "--generator conv3d --critic conv3d"),
        ({"generator": "conv", "generator_layers": "/ 8 / k4x2"}, (1, 8, 8, 8), "use the conv3d family"),
        ({"generator": "conv1d", "generator_layers": "/ 8 / k4x2"}, (1, 8, 8, 8), "use the conv3d family"),
        ({"generator_layers": "/ 8 6k2x4 / k3"}, (1, 8, 8, 8), "cannot grow 4 times"),
        ({"critic_layers": "4p9 /"}, (1, 8, 8, 8), "8x8x8 feature map is too small for pooling"),
    ],
)
def test_what_does_not_fit_is_refused(options, shape, words):
    with pytest.raises(WganError) as error:
        players(shape, **options)
    assert words in str(error.value)


def test_kernels_are_drawn_clipped_and_divided_as_for_images():
    shape, drawn = (1, 8, 8, 8), {"generator_init": "normal:0.02", "critic_init": "normal:0.5"}
    generator, critic = players(shape, **LINES, **drawn)
    assert generator.body.layers[-2].inner.weight.std() < 0.03 and critic.trunk.layers[0].inner.weight.std() > 0.3
    assert len(clippable(critic, "conv")) == 2 and len(clippable(critic, "all")) == 6
    bound = players(shape, **LINES, **drawn, critic_norm="spectral")[1]
    for _ in range(50):
        bound(torch.randn(2, *shape))
    largest = torch.linalg.matrix_norm(bound.trunk.layers[0].inner.weight.detach().flatten(1), 2)
    assert float(largest) == pytest.approx(1, abs=1e-3)
