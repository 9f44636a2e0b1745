"""Networks: the published ones count as many weights as by hand, paddings are TensorFlow's, labels matter where they should."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.problems import images_config, points_config
from torch import nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.models import build, parameter_count
from wgan.models.layers import (
    CappedReLU,
    Chain,
    ConditionalNorm,
    activation,
)
from wgan.models.notation import Layer, conv_critic, conv_generator, mlp, parse_layer
from wgan.recipes import RECIPES, configure

IMAGE = (1, 8, 8)

# --- the published networks ------------------------------------------------------------------------------------------

# Each sum is the published description, layer by layer: weights + biases, and gain + bias of each batch norm.
GENERATORS = {
    "conv-clip-five": [
        50 * 6272 + 6272,  # z 50 -> dense 128 * 7 * 7
        *[128 * 128 * 4 * 4 + 128, 2 * 128] * 2,  # two transposed convolutions 128 4x4, each with batch norm
        128 * 1 * 7 * 7 + 1,  # convolution 1 7x7
    ],
    "mlp-clip": [100 * 256 + 256, 256 * 512 + 512, 512 * 1024 + 1024, 1024 * 784 + 784],
    "ac-clip": [
        10 * 100,  # class embedding
        100 * 1024 + 1024,
        1024 * 6272 + 6272,  # dense 128 * 7 * 7
        128 * 256 * 5 * 5 + 256,
        256 * 128 * 5 * 5 + 128,
        128 * 1 * 2 * 2 + 1,
    ],
    "deep-conv-clip": [
        100 * 25088 + 25088,  # z -> dense 512 * 7 * 7
        *[512 * 128 * 3 * 3 + 128, 2 * 128],
        *[128 * 64 * 3 * 3 + 64, 2 * 64],
        64 * 1 * 3 * 3 + 1,
    ],
    "small-mlp-clip": [100 * 128 + 128, 128 * 256 + 256, 256 * 784 + 784],
}
CRITICS = {
    "conv-clip-five": [
        *[1 * 64 * 4 * 4 + 64, 2 * 64],
        *[64 * 64 * 4 * 4 + 64, 2 * 64],
        64 * 7 * 7 + 1,  # 28 -> 14 -> 7
    ],
    "mlp-clip": [784 * 512 + 512, 512 * 256 + 256, 256 + 1],
    "ac-clip": [
        *[1 * 32 * 9 + 32, 32 * 64 * 9 + 64, 64 * 128 * 9 + 128, 128 * 256 * 9 + 256],
        256 * 7 * 7 + 1,  # score; two poolings: 28 -> 14 -> 7
        256 * 7 * 7 * 10 + 10,  # classes
    ],
    "deep-conv-clip": [
        1 * 64 * 9 + 64,  # no batch norm after the first
        *[64 * 128 * 9 + 128, 2 * 128],
        *[128 * 256 * 9 + 256, 2 * 256],
        *[256 * 512 * 9 + 512, 2 * 512],
        512 * 4 * 4 + 1,  # 28 -> 14 -> 7 -> 4, and the last has stride 1
    ],
    "small-mlp-clip": [784 * 256 + 256, 256 * 128 + 128, 128 + 1],
}


@pytest.mark.parametrize("name", GENERATORS)
def test_published_networks_have_the_parameters_counted_by_hand(name: str) -> None:
    classes = 10 if name == "ac-clip" else 0
    generator, critic = build(configure(name), (1, 28, 28), classes)
    assert parameter_count(generator) == sum(GENERATORS[name])
    assert parameter_count(critic) == sum(CRITICS[name])


def kinds(chain: Chain) -> list[str]:
    names = {
        "BatchNorm2d": "norm",
        "CappedReLU": "relu-cap",
        "Dense": "linear",
        "LeakyReLU": "lrelu",
        "MaxPool2d": "pool",
        "FeatureMap": "map",
    }
    return [names.get(type(m).__name__, type(m).__name__.lower()) for m in chain.layers]


def test_published_layers_stand_in_the_published_order() -> None:
    g, d = build(configure("conv-clip-five"), (1, 28, 28), 0)
    assert kinds(g.body) == ["linear", "map", "lrelu", *["upconv", "norm", "lrelu"] * 2, "sameconv"]
    assert kinds(d.trunk) == [*["sameconv", "norm", "lrelu"] * 2, "flatten"]
    g, d = build(configure("deep-conv-clip"), (1, 28, 28), 0)
    # the dense layer has no activation; then stride 2, 1, 2
    up = ["upconv", "norm", "relu-cap", "sameconv", "norm", "relu-cap", "upconv"]
    assert kinds(g.body) == ["linear", "map", *up]
    assert kinds(d.trunk) == ["sameconv", "lrelu", *["sameconv", "norm", "lrelu"] * 3, "flatten"]
    g, d = build(configure("ac-clip"), (1, 28, 28), 10)
    dense = ["linear", "lrelu", "linear", "map", "lrelu"]
    assert kinds(g.body) == [*dense, *["repeatconv", "lrelu"] * 2, "sameconv"]
    pooled, plain = ["sameconv", "lrelu", "pool", "dropout"], ["sameconv", "lrelu", "dropout"]
    assert kinds(d.trunk) == [*pooled, *plain, *pooled, *plain, "flatten"]
    assert [m.negative_slope for m in d.modules() if isinstance(m, nn.LeakyReLU)] == [0.3] * 4


Start = tuple[float, float]  # the deviation of convolutions, and of dense layers
PYTORCH, GLOROT = 0.0, -1.0


@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        ("conv-clip-five", (0.03, 0.03), (0.02, GLOROT)),
        ("ac-clip", (0.02, GLOROT), (0.02, GLOROT)),
        ("deep-conv-clip", (GLOROT, 0.02), (GLOROT, GLOROT)),
        ("mlp-clip", (PYTORCH, PYTORCH), (PYTORCH, PYTORCH)),
    ],
)
def test_kernels_start_with_the_published_deviation(name: str, generator: Start, critic: Start) -> None:
    torch.manual_seed(0)
    networks = build(configure(name), (1, 28, 28), 10 if name == "ac-clip" else 0)
    for network, starts in zip(networks, (generator, critic), strict=True):
        maps = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
        for m in maps:
            start = starts[isinstance(m, nn.Linear)]
            # PyTorch's default is uniform in 1 / sqrt(fan in), Glorot's in sqrt(6 / (fan in + fan out))
            fans = m.weight[0].numel() + m.weight.shape[0] * m.weight[0, 0].numel()
            want = {PYTORCH: 1 / math.sqrt(3 * m.weight[0].numel()), GLOROT: math.sqrt(2 / fans)}.get(start, start)
            # 5 standard errors of a deviation is 5 / sqrt(2 n)
            assert m.weight.std().item() == pytest.approx(want, rel=5 / math.sqrt(2 * m.weight.numel()))
            assert start == PYTORCH or not m.bias.any()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_keeps_the_contracts_of_both_players(name: str) -> None:
    config = configure(name)
    signal, volume = config.data in ("ar2", "sines"), config.generator == "conv3d"
    vector = signal or volume or config.data.partition(":")[0] in ("ring", "grid", "swissroll")
    shape = (1, 64) if signal else (1, 8, 8, 8) if volume else (2,) if vector else (1, 28, 28)
    classes = 0 if vector or config.data == "mnist:5" else 10
    generator, critic = build(config, shape, classes)
    y = torch.tensor([3, 0]) if classes else None
    with torch.no_grad():
        x = generator(50 * torch.randn(2, config.latent), y)
        score, logits = critic(x, y)
    assert x.shape == (2, *shape) and score.shape == (2,)
    assert vector or (x.min() >= -1 and x.max() <= 1)
    assert (logits is not None) == bool(config.class_critic or config.class_generator)
    assert logits is None or logits.shape == (2, classes)


def test_images_end_in_tanh_and_vectors_in_nothing_unless_asked() -> None:
    for options, tanh in (({}, True), ({"output": "linear"}, False), ({"output": "tanh"}, True)):
        x = build(images_config(generator_init="normal:1", **options), IMAGE, 3)[0](
            50 * torch.randn(6, 5), torch.arange(6) % 3
        )
        assert (x.abs().max() <= 1) == tanh and x.min() < -0.5  # from -1, where a sigmoid begins at 0
    for options, tanh in (({}, False), ({"output": "linear"}, False), ({"output": "tanh"}, True)):
        x = build(points_config(generator_init="normal:1", **options), (2,), 0)[0](50 * torch.randn(6, 3))
        assert (x.abs().max() <= 1) == tanh


# --- the notation ----------------------------------------------------------------------------------------------------


def test_a_layer_token_reads_as_documented() -> None:
    assert parse_layer("64") == Layer(64, 3, 1, 1, True, True)
    assert parse_layer("64k4x2p3n0a0") == Layer(64, 4, 2, 3, False, False)
    assert parse_layer("8x2a0") == Layer(8, 3, 2, 1, True, False)
    spec = conv_generator("1024 / 128 256k5x2 128k5x2 / k2")
    assert (spec.dense, spec.base) == ([Layer(1024)], Layer(128))
    assert spec.stages == [Layer(256, 5, 2), Layer(128, 5, 2)]
    assert spec.out == Layer(1, 2, 1)
    assert conv_generator("/ 8 /").out == Layer(1, 3, 1)
    assert conv_generator("/ 8 / k5x2").out == Layer(1, 5, 2)
    assert conv_critic("8k4x2 16 / 32 4") == ([Layer(8, 4, 2), Layer(16)], [Layer(32), Layer(4)])
    assert conv_critic("8") == ([Layer(8)], [])
    assert mlp("8 4n0", "critic_layers") == [Layer(8), Layer(4, norm=False)]
    assert mlp("", "critic_layers") == []


@pytest.mark.parametrize("token", ["", "k4", "0", "64k", "64x2k4", "64 32", "-3", "64q2", "64k0", "8x0", "8p0", "1e3"])
def test_a_token_that_is_no_layer_is_named(token: str) -> None:
    with pytest.raises(WganError, match="layer '"):
        parse_layer(token)


@pytest.mark.parametrize("text", ["", "128", "/ 128", "/ / k3", "/ 8 / k3 / k3", "/ 8 / 3", "/ 8 / 4k3", "/ 8 8q / k3"])
def test_a_line_that_is_no_generator_is_refused(text: str) -> None:
    with pytest.raises(WganError, match="layer"):
        conv_generator(text)


@pytest.mark.parametrize("text", ["", "/ 64", "8 / 8 / 8", "8 16w"])
def test_a_line_that_is_no_critic_is_refused(text: str) -> None:
    with pytest.raises(WganError, match="layer"):
        conv_critic(text)


@pytest.mark.parametrize("line", ["/ 8k4 8 / k3", "/ 8x2 8 / k3", "/ 8 8p2 / k3", "8k4 / 8 / k3"])
def test_a_meaningless_suffix_in_a_generator_is_refused(line: str) -> None:
    with pytest.raises(WganError, match="generator_layers"):
        conv_generator(line)


@pytest.mark.parametrize("text", ["8k4", "8x2", "8p2"])
def test_a_meaningless_suffix_in_a_dense_layer_is_refused(text: str) -> None:
    with pytest.raises(WganError, match="critic_layers"):
        mlp(text, "critic_layers")
    with pytest.raises(WganError, match="critic_layers"):
        conv_critic(f"8 / {text}")


@pytest.mark.parametrize("name", ["gelu", "relu:1", "lrelu:x", "relu-cap", "relu-cap:", "", "RELU"])
def test_an_activation_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(WganError, match="activation"):
        activation(name)


def test_activations_are_the_documented_functions() -> None:
    x = torch.tensor([-2.0, 0.1, 3.0])
    assert activation("relu")(x).tolist() == pytest.approx([0, 0.1, 3])
    assert activation("lrelu:0.3")(x).tolist() == pytest.approx([-0.6, 0.1, 3])
    assert activation("lrelu")(x).tolist() == pytest.approx([-0.4, 0.1, 3])
    assert isinstance(activation("relu-cap:0.2"), CappedReLU)
    assert activation("relu-cap:0.2")(x).tolist() == pytest.approx([0, 0.1, 0.2])  # Keras's ReLU(0.2): a ceiling


# --- sizes that cannot be made ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shape", "said"),
    [
        ({"generator_layers": "/ 8 8k4x2 8k4x2 / k3x2"}, (1, 28, 28), "multiples of 8, for example 32x32"),
        ({"generator_layers": "/ 8 8k4x2 / k3"}, (1, 28, 27), "multiples of 2, for example 28x28"),
        ({"generator_layers": "/ 8 8k3x4 / k3"}, (1, 8, 8), "use kernel 4 or more"),
        ({"critic_layers": "8p4 8p4"}, (1, 8, 8), "too small for pooling by 4"),
        ({}, (2,), "use the mlp family"),
        ({"generator": "mlp", "generator_layers": "8"}, (2,), "use the mlp family"),
        ({"generator_norm": "none"}, (1, 8, 8), "needs a generator_norm"),
        (
            {"generator_norm": "instance", "generator": "mlp", "generator_layers": "8"},
            (1, 8, 8),
            "use layer or batch in an mlp",
        ),
        ({"critic_norm": "instance", "critic": "mlp", "critic_layers": "8"}, (1, 8, 8), "use layer or batch"),
        ({"generator": "mlp", "generator_layers": "8k3"}, (1, 8, 8), "widths only"),
    ],
)
def test_what_a_family_cannot_make_is_said_with_the_way_out(options: dict, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(WganError, match=said):
        build(images_config(**options), shape, 3)


def test_networks_of_conditions_follow_their_formulas() -> None:
    small = {"latent": 4, "output": "linear", "generator_layers": "8", "critic_layers": "8", "conditioning": "concat"}
    generator, critic = build(configure("vectors").replace(**small), (2,), 0, conditions=3)
    z, x, c = torch.randn(5, 4), torch.randn(5, 2), torch.randn(5, 3)
    assert torch.allclose(generator(z, c), generator.body(torch.cat([z, c], 1), None))
    h, inner, outer = critic.trunk(x), critic.projection.hidden, critic.projection.out
    projected = F.linear(F.leaky_relu(inner(c), 0.2), outer.weight, outer.bias)
    assert torch.allclose(critic(x, c)[0], critic.score(h)[:, 0] + (projected * h).sum(1), atol=1e-6)
    assert not torch.allclose(critic(x, c)[0], critic(x, c + 1)[0])


def test_norms_follow_conditions_linearly_and_start_without() -> None:
    norm = ConditionalNorm(nn.BatchNorm1d(4, affine=False), 4, 0, 3)
    x, c, w, v = torch.randn(6, 4), torch.randn(6, 3), torch.randn(4, 3), torch.randn(4, 3)
    plain = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(norm(x, c), plain, atol=1e-5)
    with torch.no_grad():
        norm.gain.weight.copy_(w), norm.bias.weight.copy_(v)
    assert torch.allclose(norm(x, c), plain * (1 + c @ w.T) + c @ v.T, atol=1e-5)
