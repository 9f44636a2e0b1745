"""The residual family: blocks as their formula says, weights counted by hand, every size made or refused, runs that resume."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wgan.config import Config
from wgan.errors import WganError
from wgan.losses import gradient_norms
from wgan.models import auto, build, parameter_count
from wgan.models.fast import FAST
from wgan.models.kernels import PLAIN
from wgan.models.layers import Dense, Dropout, Style
from wgan.models.resnet import Average, Block, critic_trunk
from wgan.recipes import configure


def networks(shape=(1, 8, 8), classes=0, **options):
    plain = {
        "generator": "resnet",
        "critic": "resnet",
        "latent": 5,
        "conditioning": "norm",
        "critic_conditioning": "none",
    }
    lines = {"generator_layers": "/ 8 6x2 / k3", "critic_layers": "6x2 8 / 5"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(
            Config(**{**plain, **lines, "class_critic": 0.0, "class_generator": 0.0, **options}), shape, classes
        )


def test_weights_counted_by_hand():
    generator, critic = networks()
    # z [5] -> 8 maps of 4 x 4: 5 * 128 + 128 = 768
    # block 8 -> 6: norm 16, conv 8*6*9+6 = 438, norm 12, conv 6*6*9+6 = 330, shortcut 8*6+6 = 54; norm 12; out 6*9+1 = 55
    assert parameter_count(generator) == 768 + (16 + 438 + 12 + 330 + 54) + 12 + 55
    # block 1 -> 6: 1*6*9+6 = 60, 330, shortcut 12; block 6 -> 8: 440, 584, 56; dense 8*4*4*5+5 = 645; score 6
    assert parameter_count(critic) == (60 + 330 + 12) + (440 + 584 + 56) + 645 + 6


def test_weights_of_conditional_norms_and_plain_blocks():
    generator, critic = networks(
        classes=3, critic_conditioning="projection", critic_norm="layer", critic_layers="8 8n0 /"
    )
    # the three norms of the generator have a gain and a bias for each of 3 classes: 2 * 3 * (8 + 6 + 6)
    assert parameter_count(generator) == 768 + 438 + 330 + 54 + 55 + 120
    # block 1 -> 8 of the image itself: 80, norm 16, 584, shortcut 16; block 8 -> 8 without norm or change: 584 twice
    # no norm at the end either, as the last block; score 8*8*8 + 1, projection 3 * 512
    assert parameter_count(critic) == (80 + 16 + 584 + 16) + 2 * 584 + 513 + 1536


@pytest.mark.parametrize("fast", [0, 1])
def test_every_layer_computes_in_the_style_asked_for(fast):
    """The family takes its dense and dropout layers from the one place that knows the style, as the others do."""
    generator, critic = networks(fast=fast, dropout=0.5)
    modules = [*generator.body.modules(), *critic.trunk.modules()]
    dense = [m for m in modules if isinstance(m, nn.Linear)]
    assert len(dense) == 2 and all(isinstance(m, Dense) and m.kernels is (FAST if fast else PLAIN) for m in dense)
    dropouts = {(type(m), getattr(m, "kernels", None)) for m in modules if isinstance(m, nn.Dropout)}
    assert dropouts == {(Dropout, FAST if fast else PLAIN)}


def test_a_growing_block_is_its_formula():
    generator, _ = networks(upsample="transpose")  # blocks repeat pixels whatever `upsample` says
    generator.double().eval()
    block = next(m for m in generator.body.layers if isinstance(m, Block))
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    convs = [m for m in block.residual.modules() if isinstance(m, nn.Conv2d)]
    (change,) = [m for m in block.shortcut.modules() if isinstance(m, nn.Conv2d)]
    x = torch.randn(2, 8, 4, 4, dtype=torch.float64)

    def conv(module, h):
        return F.conv2d(h, module.weight, module.bias, padding=module.kernel_size[0] // 2)

    def double(h):
        return h.repeat_interleave(2, 2).repeat_interleave(2, 3)

    h = conv(convs[1], norms[1](conv(convs[0], double(norms[0](x).relu()))).relu())
    assert torch.allclose(block(x), h + conv(change, double(x)), atol=1e-10)


def test_a_shrinking_block_is_its_formula():
    _, critic = networks()
    critic.double()
    first, second = (m for m in critic.trunk.layers if isinstance(m, Block))
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    act = nn.LeakyReLU(0.2)
    for block, begin, average in ((first, lambda h: h, 2), (second, act, 1)):
        a, b = (m for m in block.residual.modules() if isinstance(m, nn.Conv2d))
        (change,) = [m for m in block.shortcut.modules() if isinstance(m, nn.Conv2d)]
        h = F.conv2d(act(F.conv2d(begin(x), a.weight, a.bias, padding=1)), b.weight, b.bias, padding=1)
        wanted = F.avg_pool2d(h, average) + F.avg_pool2d(F.conv2d(x, change.weight, change.bias), average)
        assert torch.allclose(block(x), wanted, atol=1e-10)
        x = block(x)
    assert isinstance(critic.trunk.layers[2], nn.LeakyReLU)  # the features are activated


def test_an_odd_side_is_averaged_over_the_pixels_that_are_there():
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert Average(2)(x)[0, 0].tolist() == [[2.0, 3.5], [6.5, 8.0]]


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 4, 4),
        (1, 8, 8),
        (1, 28, 28),
        (3, 32, 32),
        (5, 40, 24),
        (3, 64, 64),
        (2, 12, 16),
        (3, 128, 96),
        (3, 100, 100),
    ],
)
def test_automatic_lines_fit_every_shape(shape, classes):
    config = configure("images", {"latent": 4, "generator": "resnet", "critic": "resnet"})
    generator, critic = build(config, shape, classes)
    y = torch.tensor([0, 1]) if classes else None
    with torch.no_grad():
        x = generator(torch.randn(2, 4), y)
        assert x.shape == (2, *shape) and critic(x, y)[0].shape == (2,) and x.abs().max() <= 1


def test_the_width_rule():
    assert auto.line("generator", "resnet", (1, 28, 28)) == "/ 128 128x2 64x2 / k3"
    assert auto.line("generator", "resnet", (3, 64, 64)) == "/ 256 256x2 128x2 64x2 32x2 / k3"
    assert auto.line("generator", "resnet", (3, 128, 128)) == "/ 256 256x2 256x2 128x2 64x2 32x2 / k3"
    assert auto.line("generator", "resnet", (1, 4, 4)) == "/ 128 / k3"
    assert auto.line("critic", "resnet", (3, 64, 64)) == "32x2 64x2 128x2 256x2 /"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"shape": (1, 30, 27)},
            "grows 4 times cannot make 30x27 images: the sides must be multiples of 4, for example 32x28",
        ),
        ({"shape": (7,), "generator": "mlp", "generator_layers": "8"}, "critic resnet needs images"),
        ({"shape": (7,)}, "generator resnet needs images"),
        ({"generator_layers": "/ 8 6x2a0 / k3"}, "a0 mean nothing in a resnet block"),
        ({"critic_layers": "8p2 /"}, "pN and a0 mean nothing in a resnet block"),
        ({"generator_layers": "8 8"}, "is not 'dense / base stages / out'"),
    ],
)
def test_what_it_cannot_make_is_refused(options, said):
    lines = {"generator_layers": "/ 8 6x4 / k3"} if "generator_layers" not in options else {}
    with pytest.raises(WganError) as caught:
        networks(**{**lines, **options})
    assert said in str(caught.value)


def test_automatic_lines_refuse_sides_with_the_nearest():
    with pytest.raises(
        WganError, match="30x27 images: the sides must be multiples of 4, for example 32x28; give --size 28"
    ):
        build(configure("images", {"generator": "resnet", "critic": "resnet"}), (1, 30, 27), 0)


def test_batch_norm_under_a_penalty_is_refused_not_layer_norm():
    with pytest.raises(WganError, match="critic_norm batch with objective wgan-gp"):
        networks(critic_norm="batch")
    _, critic = networks(critic_norm="layer")
    assert any(isinstance(m, nn.GroupNorm) for m in critic.modules())


def test_the_penalty_has_a_gradient_through_blocks():
    trunk, _ = critic_trunk("4x2 6x2 /", (2, 7, 6), Style("layer", "lrelu:0.2"))
    trunk.double()
    x = torch.randn(3, 2, 7, 6, dtype=torch.float64)
    norms = gradient_norms(lambda v: trunk(v).sum(1), x)
    norms.sum().backward()
    assert all(p.grad is not None for name, p in trunk.named_parameters() if name.endswith("weight"))


def test_spectral_norm_and_initial_deviation_reach_the_blocks():
    _, critic = networks(critic_norm="spectral", objective="hinge")
    convs = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 6 and all(hasattr(m, "parametrizations") for m in convs)
    generator, _ = networks(generator_init="normal:0.001")
    assert all(p.abs().max() < 0.01 for name, p in generator.named_parameters() if "inner.weight" in name)
