"""How a label reaches both networks, packed samples, and what each normalisation does."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.problems import EXACT, images, images_config, normal, points_config
from torch import nn

from wgan.config import FIELDS
from wgan.errors import WganError
from wgan.models import build
from wgan.models.fast import FAST
from wgan.models.layers import (
    ConditionalNorm,
    RepeatConv,
    Style,
    normalisation,
)
from wgan.recipes import configure
from wgan.training.players import make_players
from wgan.training.updates import generator_loss, pack

IMAGE = (1, 8, 8)


# --- labels ----------------------------------------------------------------------------------------------------------


def conditional(conditioning: str, **options: str) -> nn.Module:
    torch.manual_seed(1)
    network = build(images_config(conditioning=conditioning, **options), IMAGE, 3)[0].double().eval()
    if conditioning == "norm":  # its gains start at 1 and its biases at 0, alike for all labels, as published
        for m in network.modules():
            if isinstance(m, nn.Embedding):
                nn.init.normal_(m.weight)
    return network


@pytest.mark.parametrize("conditioning", ["product", "concat", "norm"])
def test_a_conditional_generator_depends_on_its_label_row_by_row(conditioning: str) -> None:
    network, z = conditional(conditioning), normal(1, 4, 5)
    with torch.no_grad():
        a, b = network(z, torch.tensor([0, 1, 2, 0])), network(z, torch.tensor([0, 2, 2, 1]))
    changed = (a - b).flatten(1).abs().max(1).values
    assert (changed[[0, 2]] == 0).all() and (changed[[1, 3]] > 1e-4).all()


def test_an_unconditional_generator_ignores_the_label() -> None:
    network, z = conditional("none"), normal(1, 2, 5)
    assert network.classes == 0
    assert torch.equal(network(z, torch.tensor([0, 1])), network(z, None))


def test_data_without_labels_turn_every_conditioning_off() -> None:
    for conditioning in FIELDS["conditioning"].choices:
        generator, critic = build(images_config(conditioning=conditioning, class_critic=1.0), IMAGE, 0)
        x = generator(torch.randn(2, 5))
        assert generator.classes == 0
        assert critic(x)[1] is None


def test_product_conditioning_multiplies_z_by_the_embedding() -> None:
    network, z = conditional("product"), normal(1, 3, 5)
    y = torch.tensor([2, 0, 1])
    with torch.no_grad():
        torch.testing.assert_close(network(z, y), torch.tanh(network.body(z * network.embedding.weight[y])))
    # Glorot uniform: within sqrt(6 / (rows + columns)), and filling it
    w = build(images_config(conditioning="product", latent=100), IMAGE, 10)[0].embedding.weight
    bound = math.sqrt(6 / 110)
    assert 0.98 * bound < w.abs().max() <= bound


def test_concatenation_puts_the_one_hot_label_beside_z() -> None:
    network, z = conditional("concat"), normal(1, 2, 5)
    first = network.body.layers[0]
    assert first.in_features == 5 + 3
    with torch.no_grad():
        wide = torch.cat([z, torch.eye(3).double()[[2, 0]]], 1)
        torch.testing.assert_close(network(z, torch.tensor([2, 0])), torch.tanh(network.body(wide)))


@pytest.mark.parametrize("norm", ["batch", "layer", "instance"])
def test_a_conditional_norm_at_gain_1_bias_0_is_the_plain_one(norm: str) -> None:
    x, y = normal(1, 4, 6, 3, 3) * 3 + 1, torch.tensor([0, 1, 2, 0])
    plain = normalisation(Style(norm, "relu"), 6, True).double()
    labelled = normalisation(Style(norm, "relu", classes=3), 6, True).double()
    assert isinstance(labelled, ConditionalNorm)
    torch.testing.assert_close(labelled(x, y), plain(x), rtol=1e-13, atol=1e-14)
    # and with a gain and bias for each class it is that affine map of the plain one
    nn.init.normal_(labelled.gain.weight), nn.init.normal_(labelled.bias.weight)
    gain, bias = labelled.gain.weight[y][:, :, None, None], labelled.bias.weight[y][:, :, None, None]
    torch.testing.assert_close(labelled(x, y), plain(x) * gain + bias)


@pytest.mark.parametrize("family", ["conv", "mlp"])
def test_only_a_projection_critic_depends_on_its_label(family: str) -> None:
    line = "4k4x2 / 6" if family == "conv" else "6"
    x, y, other = normal(1, 3, *IMAGE), torch.tensor([0, 1, 2]), torch.tensor([0, 2, 2])
    critic = build(images_config(critic=family, critic_layers=line), IMAGE, 3)[1].double()
    h = critic.trunk(x)
    # Miyato & Koyama 2018: the score of the features plus the label's embedding times the features
    expected = critic.score(h)[:, 0] + (critic.projection.weight[y] * h).sum(1)
    torch.testing.assert_close(critic(x, y)[0], expected)
    changed = (critic(x, y)[0] - critic(x, other)[0]).abs() > 1e-6
    assert changed.tolist() == [False, True, False]
    plain = build(images_config(critic=family, critic_layers=line, critic_conditioning="none"), IMAGE, 3)[1].double()
    assert torch.equal(plain(x, y)[0], plain(x, None)[0])


@pytest.mark.parametrize("player", ["class_critic", "class_generator"])
def test_a_class_weight_gives_the_critic_a_head_of_logits(player: str) -> None:
    """A class weight of either player; the logits are raw."""
    critic = build(images_config(**{player: 0.1}), IMAGE, 3)[1].double()
    x, y = normal(1, 4, *IMAGE), torch.tensor([0, 1, 2, 0])
    logits = critic(x, y)[1]
    torch.testing.assert_close(logits, critic.head(critic.trunk(x)))
    assert not torch.allclose(logits.sum(1), torch.ones(4).double())  # no softmax in the network


# --- packing ---------------------------------------------------------------------------------------------------------


def test_packing_puts_neighbours_on_the_channel_axis() -> None:
    x = torch.arange(4 * 2 * 3 * 3).view(4, 2, 3, 3)
    packed = pack(x, 2)
    assert packed.shape == (2, 4, 3, 3)
    assert torch.equal(packed[1], torch.cat([x[2], x[3]]))
    assert pack(x, 1) is x
    channels_last = x.float().to(memory_format=torch.channels_last)
    assert torch.equal(pack(channels_last, 2), packed.float())
    v = torch.arange(12).view(6, 2)
    assert pack(v, 3).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize(("make", "shape"), [(images_config, IMAGE), (points_config, (2,))])
def test_a_packed_critic_judges_that_many_samples_at_once(make, shape: tuple[int, ...]) -> None:
    config = make(batch=6, pack=3, critic_conditioning="none")
    critic = build(config, shape, 0)[1]
    assert critic(pack(torch.randn(6, *shape), 3))[0].shape == (2,)


# --- normalisations --------------------------------------------------------------------------------------------------

NORMS = [
    (player, family, norm)
    for player in ("generator", "critic")
    for family in ("conv", "mlp")
    for norm in FIELDS[f"{player}_norm"].choices
    if (family, norm) != ("mlp", "instance")
]


@pytest.mark.parametrize(("player", "family", "norm"), NORMS)
def test_every_normalisation_builds_and_has_finite_gradients(player: str, family: str, norm: str) -> None:
    line = {"generator": "/ 8 6k4x2 / k3x2", "critic": "6k4x2 8k3x2 / 7"}[player] if family == "conv" else "9 8"
    line = "6k4x2 8k3x2 /" if norm == "instance" and player == "critic" else line  # its dense layer has no map
    options = {player: family, f"{player}_layers": line, f"{player}_norm": norm}
    config = images_config(objective="gan", conditioning="none" if norm == "none" else "norm", **options)
    generator, critic = build(config, IMAGE, 3)
    y = torch.tensor([0, 1, 2, 0])
    critic(generator(torch.randn(4, 5), y), y)[0].sum().backward()
    network = generator if player == "generator" else critic
    found = {
        type(m).__name__ for m in network.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm))
    }
    batch = {"conv": "BatchNorm2d", "mlp": "BatchNorm1d"}[family]
    if norm == "batch" and family == "conv" and player == "critic":
        assert found == {"BatchNorm2d", "BatchNorm1d"}  # maps, then a dense layer
    else:
        assert found == {"batch": {batch}, "layer": {"GroupNorm"}, "instance": {"GroupNorm"}}.get(norm, set())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize(("norm", "axes"), [("batch", (0, 2, 3)), ("layer", (1, 2, 3)), ("instance", (2, 3))])
def test_normalisations_run_over_their_own_axes(norm: str, axes: tuple[int, ...]) -> None:
    x = normal(1, 4, 6, 3, 3) * 3 + 1
    expected = (x - x.mean(axes, keepdim=True)) / (x.var(axes, unbiased=False, keepdim=True) + 0.01).sqrt()
    layer = normalisation(Style(norm, "relu", eps=0.01), 6, True).double()
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("norm", ["none", "layer", "instance", "spectral"])
def test_only_batch_norm_makes_a_score_depend_on_its_batch_mates(norm: str) -> None:
    critic = build(images_config(critic_norm=norm, critic_conditioning="none"), IMAGE, 0)[1].double().train()
    x = normal(1, 4, *IMAGE)
    other = torch.cat([x[:1], normal(2, 3, *IMAGE)])
    critic.eval()  # spectral norm's power iteration moves in training
    torch.testing.assert_close(critic(x)[0][0], critic(other)[0][0], rtol=1e-12, atol=1e-14)


def test_norm_momentum_and_eps_land_where_they_belong() -> None:
    c = images_config(norm_momentum=0.2, norm_eps=1e-3, critic_norm="batch", objective="gan", conditioning="none")
    for network in build(c, IMAGE, 0):
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms and all((m.momentum, m.eps) == (0.2, 1e-3) for m in norms)
    # PyTorch's momentum is the weight of the new batch: after one batch, 0.2 of its mean (Keras's would be 0.8)
    layer = normalisation(Style("batch", "relu", momentum=0.2, eps=1e-3), 6, True).double()
    x = normal(1, 4, 6, 3, 3) + 2
    layer(x)
    torch.testing.assert_close(layer.running_mean, 0.2 * x.mean((0, 2, 3)))


def test_keras_momentum_m_is_written_as_1_minus_m_in_the_recipes() -> None:
    # deep-conv-clip: Keras momentum 0.8; conv-clip-five: Keras's default 0.99; both Keras's eps 1e-3
    for name, keras in (("deep-conv-clip", 0.8), ("conv-clip-five", 0.99)):
        config = configure(name)
        assert config.norm_momentum == pytest.approx(1 - keras) and config.norm_eps == 1e-3


@pytest.mark.parametrize("family", ["conv", "mlp"])
def test_spectral_norm_makes_the_largest_singular_value_1(family: str) -> None:
    line = "6k4x2 8k3x2 / 7" if family == "conv" else "9 8"
    critic = build(images_config(critic=family, critic_layers=line, critic_norm="spectral"), IMAGE, 3)[1].train()
    for _ in range(60):
        critic(torch.randn(2, *IMAGE), torch.tensor([0, 1]))
    critic.eval()
    kernels = [m.weight.flatten(1) for m in critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert len(kernels) == {"conv": 4, "mlp": 3}[family]
    for kernel in kernels:
        assert torch.linalg.matrix_norm(kernel.detach(), 2).item() == pytest.approx(1, abs=2e-2)


@pytest.mark.parametrize("objective", ["wgan-gp", "wgan-lp", "dragan", "wgan-div", "r3gan"])
def test_batch_norm_in_a_penalised_critic_is_refused(objective: str) -> None:
    """With the reason and the way out."""
    with pytest.raises(WganError, match=r"defined for each sample.*use critic_norm layer or none"):
        points_config(objective=objective, critic_norm="batch")
    points_config(objective=objective, critic_norm="layer")
    points_config(objective=objective, critic_norm="batch", penalty_weight=0)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_folded_upsampling_convolution_is_the_plain_one(kernel):
    """Against nearest upsampling and a 'same' convolution in float64: values, gradients of input, kernel and bias."""
    conv = torch.nn.Conv2d(3, 4, kernel).double()
    folded = RepeatConv(conv, FAST).double()
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    up = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    plain = torch.nn.functional.conv2d(up, conv.weight, conv.bias, padding=kernel // 2)
    assert torch.allclose(folded(x), plain, atol=1e-12)
    seed = torch.randn_like(plain)
    wanted = torch.autograd.grad(plain, (x, conv.weight, conv.bias), seed)
    found = torch.autograd.grad(folded(x), (x, conv.weight, conv.bias), seed)
    assert all(torch.allclose(a, b, atol=1e-11) for a, b in zip(wanted, found, strict=True))


def test_a_generator_that_is_told_no_label_is_not_asked_for_one() -> None:
    """The auxiliary classifier's term would pull it at random: labels of real samples, images of none."""
    found = {}
    for conditioning in ("none", "concat"):
        config = images_config(conditioning=conditioning, class_critic=1.0, class_generator=1.0)
        p = make_players(config, EXACT, images())
        y = torch.arange(4) % 3
        loss, stats = generator_loss(p, normal(1, 4, config.latent), y, None, 0)
        found[conditioning] = "generator/class" in stats
        assert math.isclose(float(loss.detach()), float(-stats["generator/score"] + stats.get("generator/class", 0.0)))
    assert found == {"none": False, "concat": True}


def test_spectral_norm_bounds_a_projection_critics_embedding():
    projection = {"critic_conditioning": "projection", "conditioning": "none", "class_critic": 0, "class_generator": 0}
    config = points_config(objective="hinge", critic_norm="spectral", **projection)
    critic = build(config, (2,), 5)[1]
    for _ in range(50):  # power iterations
        weight = critic.projection.weight
    assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(1, rel=1e-3)
