"""Networks: the published ones count as many weights as by hand, paddings are TensorFlow's, labels matter where they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from problems import images_config, normal, points_config
from torch import Tensor, nn

from wgan.config import FIELDS
from wgan.errors import WganError
from wgan.models import build, parameter_count
from wgan.models.layers import (
    CappedReLU,
    Chain,
    ConditionalNorm,
    Repeat,
    RepeatConv,
    SameConv,
    Style,
    UpConv,
    activation,
    normalisation,
    same_padding,
)
from wgan.models.spec import Layer, conv_critic, conv_generator, mlp, parse_layer
from wgan.recipes import RECIPES, configure
from wgan.updates import pack

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


@pytest.mark.parametrize(
    ("name", "generator", "critic"), [("conv-clip-five", 0.03, 0.02), ("ac-clip", 0.02, 0.02), ("mlp-clip", 0, 0)]
)
def test_kernels_start_with_the_published_deviation(name: str, generator: float, critic: float) -> None:
    torch.manual_seed(0)
    networks = build(configure(name), (1, 28, 28), 10 if name == "ac-clip" else 0)
    for network, deviation in zip(networks, (generator, critic), strict=True):
        maps = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
        for m in maps:
            # PyTorch's default is uniform in 1 / sqrt(fan in); 5 standard errors of a deviation is 5 / sqrt(2 n)
            want = deviation or 1 / math.sqrt(3 * m.weight[0].numel())
            assert m.weight.std().item() == pytest.approx(want, rel=5 / math.sqrt(2 * m.weight.numel()))
            assert not deviation or not m.bias.any()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_keeps_the_contracts_of_generator_and_critic(name: str) -> None:
    config = configure(name)
    vector = config.data.partition(":")[0] in ("ring", "grid", "swissroll")
    shape = (2,) if vector else (1, 28, 28)
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
        x = build(images_config(generator_init=1.0, **options), IMAGE, 3)[0](
            50 * torch.randn(6, 5), torch.arange(6) % 3
        )
        assert (x.abs().max() <= 1) == tanh and x.min() < -0.5  # from -1, where a sigmoid begins at 0
    for options, tanh in (({}, False), ({"output": "linear"}, False), ({"output": "tanh"}, True)):
        x = build(points_config(generator_init=1.0, **options), (2,), 0)[0](50 * torch.randn(6, 3))
        assert (x.abs().max() <= 1) == tanh


# --- paddings --------------------------------------------------------------------------------------------------------


def by_hand(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """The definition of TensorFlow's 'same': ceil(n / s) outputs, total = max((out - 1) s + k - n, 0), the odd one at the end."""
    n, k = len(x), len(kernel)
    out = math.ceil(n / stride)
    total = max((out - 1) * stride + k - n, 0)
    padded = np.concatenate([np.zeros(total // 2), x, np.zeros(total - total // 2)])
    return np.array([padded[i * stride : i * stride + k] @ kernel for i in range(out)])


def same_conv(kernel: Tensor, stride: int, side: tuple[int, int]) -> SameConv:
    inner = nn.Conv2d(1, 1, kernel.shape[0], stride, bias=False).double()
    with torch.no_grad():
        inner.weight.copy_(kernel[None, None])
    return SameConv(inner, side)


def test_uneven_padding_goes_to_the_end() -> None:
    # 1 2 3 4 with three ones, stride 2: TensorFlow pads one zero at the end, 1+2+3 and 3+4. PyTorch's padding 1: 3 and 9.
    conv = same_conv(torch.ones(1, 1).double().expand(3, 3) * torch.tensor([[0], [1.0], [0]]), 2, (1, 4))
    x = torch.tensor([1.0, 2, 3, 4]).double().view(1, 1, 1, 4)
    assert conv(x).flatten().tolist() == [6.0, 7.0]
    # an even kernel, stride 1: again at the end; 1 + 10*2, 2 + 10*3, 3 + 10*0
    conv = same_conv(torch.tensor([[1.0, 10.0], [0.0, 0.0]]).double(), 1, (1, 3))
    assert conv(torch.tensor([1.0, 2, 3]).double().view(1, 1, 1, 3)).flatten().tolist() == [21.0, 32.0, 3.0]


@pytest.mark.parametrize("side", [4, 5, 6, 7, 28])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_convolution_is_tensorflows_for_every_remainder(side: int, k: int, stride: int) -> None:
    # a kernel that is an outer product acts on rows and columns one after the other
    row, column = normal(1, k), normal(2, k)
    image = normal(3, side, side + 1)
    conv = same_conv(column[:, None] * row[None, :], stride, (side, side + 1))
    rows = np.stack([by_hand(line, row.numpy(), stride) for line in image.numpy()])
    both = np.stack([by_hand(line, column.numpy(), stride) for line in rows.T]).T
    got = conv(image[None, None])[0, 0]
    assert got.shape == (math.ceil(side / stride), math.ceil((side + 1) / stride))
    np.testing.assert_allclose(got.detach().numpy(), both, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 2), (4, 2), (5, 2), (7, 2), (3, 3), (4, 3), (5, 3), (6, 3)])
@pytest.mark.parametrize("side", [(4, 4), (3, 5)])
def test_transposed_convolution_is_the_gradient_of_the_same_convolution(k: int, s: int, side: tuple[int, int]) -> None:
    # Keras's Conv2DTranspose 'same' is by definition the gradient of its Conv2D 'same' with that kernel
    big = (side[0] * s, side[1] * s)
    down = SameConv(nn.Conv2d(3, 2, k, s, bias=False), big).double()
    up = UpConv(2, 3, k, s).double()
    with torch.no_grad():
        up.inner.weight.copy_(down.inner.weight)
        up.inner.bias.zero_()
    x, y = normal(1, 2, 3, *big).requires_grad_(True), normal(2, 2, 2, *side)
    (gradient,) = torch.autograd.grad(down(x), x, y)
    assert up(y).shape == x.shape
    torch.testing.assert_close(up(y), gradient, rtol=1e-12, atol=1e-12)


def test_padding_is_computed_from_side_kernel_and_stride() -> None:
    # worked out: (ceil(n/s) - 1) s + k - n, split with the larger half behind
    assert same_padding(28, 3, 2) == (0, 1)  # 26 + 3 - 28 = 1
    assert same_padding(7, 3, 2) == (1, 1)  # 6 + 3 - 7 = 2
    assert same_padding(28, 4, 2) == (1, 1)  # 26 + 4 - 28 = 2
    assert same_padding(28, 5, 2) == (1, 2)  # 26 + 5 - 28 = 3
    assert same_padding(7, 1, 3) == (0, 0)  # 6 + 1 - 7 = 0
    assert same_padding(9, 1, 2) == (0, 0)
    assert same_padding(9, 2, 5) == (0, 0)  # 5 + 2 - 9 < 0


def test_repeat_doubles_every_pixel() -> None:
    x = torch.tensor([[1.0, 2], [3, 4]])[None, None]
    assert Repeat(2)(x)[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


@pytest.mark.parametrize("upsample", ["transpose", "nearest"])
@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("side", [(8, 8), (12, 20)])
def test_generators_make_exactly_the_asked_size_with_every_kernel(upsample: str, k: int, side: tuple[int, int]) -> None:
    config = images_config(upsample=upsample, generator_layers=f"/ 4 4k{k}x2 / k{k}x2")
    assert build(config, (3, *side), 3)[0](torch.randn(2, 5), torch.tensor([0, 1])).shape == (2, 3, *side)


@pytest.mark.parametrize("side", [(5, 7), (8, 8), (28, 28), (1, 3)])
def test_critics_take_every_size(side: tuple[int, int]) -> None:
    config = images_config(generator="mlp", generator_layers="4", critic_layers="4k4x2 4k3x2 4k5x3 / 6")
    critic = build(config, (2, *side), 3)[1]
    assert critic(torch.randn(3, 2, *side), torch.tensor([0, 1, 2]))[0].shape == (3,)


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
def test_a_suffix_that_means_nothing_in_a_generator_is_not_left_out_in_silence(line: str) -> None:
    with pytest.raises(WganError, match="generator_layers"):
        conv_generator(line)


@pytest.mark.parametrize("text", ["8k4", "8x2", "8p2"])
def test_a_suffix_that_means_nothing_in_a_dense_layer_is_not_left_out_in_silence(text: str) -> None:
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
    for conditioning in FIELDS["conditioning"].metadata["choices"]:
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
def test_a_conditional_norm_equals_the_plain_one_at_gain_1_and_bias_0(norm: str) -> None:
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
def test_a_projection_critic_depends_on_its_label_and_a_plain_one_does_not(family: str) -> None:
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
def test_a_class_weight_of_either_player_gives_the_critic_a_head_of_raw_logits(player: str) -> None:
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
    for norm in FIELDS[f"{player}_norm"].metadata["choices"]
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
def test_batch_norm_in_a_penalised_critic_is_refused_with_the_reason_and_the_way_out(objective: str) -> None:
    with pytest.raises(WganError, match=r"defined for each sample.*use critic_norm layer or none"):
        points_config(objective=objective, critic_norm="batch")
    points_config(objective=objective, critic_norm="layer")
    points_config(objective=objective, critic_norm="batch", penalty_weight=0)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_folded_upsampling_convolution_is_the_plain_one_with_its_gradients(kernel):
    """Against nearest upsampling and a 'same' convolution in float64: values, gradients of input, kernel and bias."""
    conv = torch.nn.Conv2d(3, 4, kernel).double()
    folded = RepeatConv(conv).double()
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    up = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    plain = torch.nn.functional.conv2d(up, conv.weight, conv.bias, padding=kernel // 2)
    assert torch.allclose(folded(x), plain, atol=1e-12)
    seed = torch.randn_like(plain)
    wanted = torch.autograd.grad(plain, (x, conv.weight, conv.bias), seed)
    found = torch.autograd.grad(folded(x), (x, conv.weight, conv.bias), seed)
    assert all(torch.allclose(a, b, atol=1e-11) for a, b in zip(wanted, found, strict=True))
