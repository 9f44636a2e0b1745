"""The conv1d family: shapes for any number of steps, the line that `auto` stands for, and its convolutions."""

import pytest
import torch
from torch import nn

from wgan.config import Config
from wgan.errors import WganError
from wgan.losses import clippable
from wgan.models import auto, build
from wgan.models.conv_nd import SameConvNd, UpConvNd
from wgan.models.layers import SameConv, Style
from wgan.models.notation import Layer
from wgan.models.resnet1d import grow, shrink
from wgan.recipes import configure

LINES = {"generator_layers": "/ 8 6k6x4 / k4x2", "critic_layers": "6k8x4 8k3x2 /"}


def players(shape, classes=0, **options):
    torch.manual_seed(0)
    return build(configure("signals", {"latent": 4, **options}), shape, classes)


@pytest.mark.parametrize("steps", [8, 17, 100, 128, 1000])
@pytest.mark.parametrize(
    ("family", "upsample"), [("conv1d", "transpose"), ("conv1d", "nearest"), ("resnet1d", "nearest")]
)
def test_auto_makes_and_judges_signals_of_any_length(steps, family, upsample):
    generator, critic = players((3, steps), upsample=upsample, generator=family, critic=family)
    x = generator(torch.randn(5, 4))
    assert x.shape == (5, 3, steps) and x.dtype == torch.float32
    score, logits = critic(x)
    assert score.shape == (5,) and logits is None


def test_the_last_activation_is_linear():
    generator, _ = players((1, 32), **LINES)
    assert not generator.tanh
    with torch.no_grad():
        generator.body.layers[-2].inner.bias.fill_(40.0)
    assert generator(torch.randn(2, 4)).mean() > 30


def test_the_lines_that_auto_stands_for():
    assert auto.line("generator", "conv1d", (1, 128)) == "/ 128 64k16x4 / k16x4"
    assert auto.line("critic", "conv1d", (1, 128)) == "64k16x4 128k16x4 /"
    assert auto.line("generator", "conv1d", (2, 1024)) == "/ 256 256k16x4 128k16x4 64k16x4 / k16x4"
    assert auto.line("generator", "resnet1d", (1, 128)) == "/ 128 128k9x4 64k9x4 / k9"
    assert auto.line("critic", "resnet1d", (1, 128)) == "64k9x4 128k9x4 /"


@pytest.mark.parametrize(("length", "layers"), [(8, 2), (9, 2), (24, 2), (25, 3), (48, 3), (49, 1)])
def test_auto_gives_short_signals_two_convolutions_or_more(length, layers):
    """A critic of one convolution of 24 steps had 2,241 numbers and learned nothing of a power meter's days."""
    widths = [64 * 2**i for i in range(layers)]
    if length <= 48:
        assert auto.line("critic", "conv1d", (2, length)) == " ".join(f"{w}k8x2" for w in widths) + " /"
        generator = " ".join([str(widths[-1]), *(f"{w}k8x2" for w in widths[-2::-1])])
        assert auto.line("generator", "conv1d", (2, length)) == f"/ {generator} / k8x2"
    else:
        assert auto.line("critic", "conv1d", (2, length)) == "64k16x4 128k16x4 /"
    made = players((2, length), generator_layers="auto", critic_layers="auto")[0](torch.randn(2, 4))
    assert made.shape == (2, 2, length)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2), (5, 2), (16, 4), (2, 3)])
def test_a_convolution_is_the_one_of_images_in_a_row(kernel, stride):
    torch.manual_seed(0)
    square = SameConv(nn.Conv2d(2, 3, kernel, stride), (19, 19))
    line = SameConvNd(nn.Conv1d(2, 3, kernel, stride))
    with torch.no_grad():
        square.inner.weight.zero_()
        row = square.plan.before[0]  # the tap that reads the row itself, for the first output row
        square.inner.weight[:, :, row] = line.inner.weight
        square.inner.bias.copy_(line.inner.bias)
        x = torch.randn(4, 2, 19)
        image = torch.zeros(4, 2, 19, 19)
        image[:, :, 0] = x
        assert torch.allclose(line(x), square(image)[:, :, 0], atol=1e-6)
        assert line(x).shape[2] == -(-19 // stride)


@pytest.mark.parametrize(("kernel", "growth"), [(4, 2), (5, 2), (16, 4), (3, 3)])
def test_growth_is_exact(kernel, growth):
    assert UpConvNd(1, 2, 3, kernel, growth)(torch.randn(1, 2, 7)).shape == (1, 3, 7 * growth)


def test_the_label_reaches_every_norm():
    generator, critic = players((2, 18), 3, **LINES)
    z = torch.randn(4, 4)
    made = [generator(z, torch.full((4,), k)) for k in range(3)]
    with torch.no_grad():
        for name, weight in generator.named_parameters():
            if "gain" in name:
                weight[1] *= 2
    assert torch.equal(made[0], generator(z, torch.zeros(4, dtype=torch.int64)))
    assert not torch.allclose(made[1], generator(z, torch.ones(4, dtype=torch.int64)))
    score = critic(made[0], torch.zeros(4, dtype=torch.int64))[0]
    assert not torch.allclose(score, critic(made[0], torch.ones(4, dtype=torch.int64))[0])


@pytest.mark.parametrize(
    ("options", "shape", "words"),
    [
        ({}, (1, 8, 8), "use the conv family, or --kind signal"),
        ({}, (30,), "use the mlp family, or --kind signal"),
        ({"generator": "conv", "critic": "conv"}, (1, 32), "--generator conv1d --critic conv1d"),
        ({"generator": "conv", "generator_layers": "/ 8 / k4x2"}, (1, 32), "use the conv1d family"),
        ({"generator_layers": "/ 8 6k2x4 / k3"}, (1, 32), "cannot grow 4 times"),
        ({"generator": "resnet1d", "generator_layers": "/ 8 6a0 / k3"}, (1, 32), "mean nothing in a resnet block"),
        ({"critic": "resnet1d"}, (1, 8, 8), "use the conv family"),
        ({"critic_layers": "4p9 4p9 /"}, (1, 32), "too short for pooling"),
    ],
)
def test_what_does_not_fit_is_refused(options, shape, words):
    with pytest.raises(WganError) as error:
        players(shape, **options)
    assert words in str(error.value)


def test_kernels_are_drawn_clipped_and_divided_as_for_images():
    torch.manual_seed(0)
    config = Config().replace(
        latent=4, generator="conv1d", critic="conv1d", **LINES, generator_init="normal:0.02", critic_init="normal:0.5"
    )
    generator, critic = build(config, (1, 32), 0)
    assert generator.body.layers[-2].inner.weight.std() < 0.03 and critic.trunk.layers[0].inner.weight.std() > 0.3
    assert len(clippable(critic, "conv")) == 2 and len(clippable(critic, "all")) == 6
    bound = build(config.replace(critic_norm="spectral"), (1, 32), 0)[1]
    x = torch.randn(2, 1, 32)
    for _ in range(50):
        bound(x)
    largest = torch.linalg.matrix_norm(bound.trunk.layers[0].inner.weight.detach().flatten(1), 2)
    assert float(largest) == pytest.approx(1, abs=1e-3)


def test_a_block_is_its_shortcut_and_its_residual():
    torch.manual_seed(0)
    x, style = torch.randn(2, 3, 10), Style("none", "relu", axes=1)
    up, (down,) = grow(3, Layer(3, 5, 2), style), shrink(3, Layer(3, 5, 4), style, False)
    with torch.no_grad():
        for block in (up, down):
            block.residual.layers[-1 if block is up else -2].inner.weight.zero_()
            block.residual.layers[-1 if block is up else -2].inner.bias.fill_(7.0)
        assert torch.allclose(up(x), x.repeat_interleave(2, 2) + 7)
        means = torch.stack([part.mean(2) for part in x.split(4, 2)], 2)
        assert torch.allclose(down(x), means + 7, atol=1e-6)
