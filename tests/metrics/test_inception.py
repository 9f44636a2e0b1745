"""Inception-v3 by its published structure: names, shapes, pooling, resizing, and features that another program computed."""

import shutil
import zlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wgan.errors import WganError
from wgan.evaluation import context
from wgan.evaluation import evaluate as evaluating
from wgan.evaluation.evaluate import evaluate
from wgan.metrics.distances import fid
from wgan.metrics.inception import (
    Inception,
    average,
    halved,
    inception_features,
    largest,
    load_inception,
    padded_average,
    prepared,
    resized,
)

# Means of 8 groups of 256 features of `image()` under `tensors(classes)`, computed on 2026-11-25 in float32 by pytorch-fid
# 0.3.0 (1008 classes) and by torchvision 0.29.1's inception_v3 without its input transform (1000), not by this project.
EXPECTED = {
    1008: [1.1051347, 0.3678038, 0.1093239, 0.1023273, 0.0456074, 0.0309966, 0.0432937, 0.8305643],
    1000: [1.5317842, 0.4970391, 0.1347587, 0.1256689, 0.0521911, 0.0310443, 0.0433958, 0.1394721],
}


def wave(name, shape):
    """Numbers that depend on a tensor's name and shape alone, about uniform in -1..1, the same on every machine."""
    count = int(np.prod(shape))
    phase = zlib.crc32(name.encode()) % 1000
    return torch.from_numpy(np.sin(np.arange(count) * 0.7311 + phase).astype(np.float32)).reshape(shape)


def tensors(classes):
    """Weights for which signals neither die nor explode on their way."""
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Inception(classes).state_dict().items()}
    found = {}
    for name, shape in shapes.items():
        v = wave(name, shape)
        if name.endswith("conv.weight"):
            found[name] = v * (3 * 2 / np.prod(shape[1:])) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            found[name] = 1 + 0.3 * v
        elif not name.endswith("num_batches_tracked"):
            found[name] = 0.1 * v
    return found


def image():
    """Return one colour image [1, 3, 80, 75] in [-1, 1]."""
    return wave("image", (1, 3, 80, 75))


@pytest.fixture(scope="module")
def weights():
    return tensors(1008)


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "fid.safetensors"
    save_file(weights, path)
    return path


@pytest.fixture(scope="module")
def extractor(file):
    return load_inception(file)


@pytest.mark.parametrize("classes", [1008, 1000])
def test_features_are_those_of_the_reference_programs(classes):
    network = Inception(classes).eval()
    network.load_state_dict(tensors(classes), strict=False)
    with torch.no_grad():
        found = network(image())
    assert found.shape == (1, 2048)
    assert found.reshape(8, 256).mean(1).tolist() == pytest.approx(EXPECTED[classes], rel=1e-4)


def test_the_network_has_the_published_parameters():
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Inception().state_dict().items()}
    assert len(shapes) == 94 * 6 + 2  # 94 convolutions, each with its batch norm; the last layer
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_5b.branch5x5_2.conv.weight"] == (64, 48, 5, 5)
    assert shapes["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert shapes["Mixed_6a.branch3x3.conv.weight"] == (384, 288, 3, 3)
    assert shapes["Mixed_6c.branch7x7dbl_4.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7a.branch7x7x3_2.conv.weight"] == (192, 192, 1, 7)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert shapes["Mixed_7b.branch1x1.bn.running_var"] == (320,)
    assert shapes["fc.weight"] == (1008, 2048)
    trained = sum(int(np.prod(s)) for n, s in shapes.items() if "running" not in n and "batches" not in n)
    auxiliary = 3_326_696  # of torchvision's 27,161,264 parameters
    assert trained == 27_161_264 - auxiliary + 8 * 2049  # and eight classes more


def test_pools_are_those_of_each_program_at_the_border():
    x = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])
    assert average(x).flatten().tolist() == [0.5] * 4  # all four pixels, of which none is outside
    assert padded_average(x).flatten().tolist() == pytest.approx([2 / 9] * 4)
    assert largest(-x).flatten().tolist() == [4.0] * 4  # what is outside never wins
    assert halved(torch.arange(25.0).reshape(1, 1, 5, 5)).flatten().tolist() == [12, 14, 22, 24]


def test_the_fid_network_pools_by_maximum_in_its_last_block_only():
    with torch.device("meta"):
        fid_network, other = Inception(1008), Inception(1000)
    pools = {n: m.pool for n, m in fid_network.named_children() if n.startswith("Mixed")}
    assert pools.pop("Mixed_7c") is largest
    assert {pools.pop("Mixed_6a"), pools.pop("Mixed_7a")} == {halved}
    assert set(pools.values()) == {average} and len(pools) == 8
    assert other.Mixed_7c.pool is padded_average


def test_resizing_looks_where_tensorflow_looked():
    line = torch.arange(28.0).expand(1, 1, 28, 28)
    wanted = (torch.arange(299) * 28 / 299).clamp(
        max=27
    )  # output pixel i looks at i · 28 / 299; beyond the last, the last
    assert torch.allclose(resized(line)[0, 0, 100], wanted, atol=1e-4)
    assert torch.allclose(resized(line.mT)[0, 0, :, 7], wanted, atol=1e-4)
    assert resized(torch.ones(1, 3, 400, 310)).sub(1).abs().max() < 1e-5
    big = torch.arange(598.0).expand(1, 1, 598, 598)
    assert torch.allclose(resized(big)[0, 0, 0], torch.arange(0, 598.0, 2), atol=1e-3)


def test_grey_becomes_three_equal_channels_in_minus_one_to_one():
    x = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 1, 28, 28)
    out = prepared(x)
    assert out.shape == (3, 3, 299, 299)
    assert out[:, 0, 5, 5].tolist() == pytest.approx([-1, 0, 127 / 128])
    assert torch.equal(out[:, 0], out[:, 2])


class Corner(nn.Module):
    """Stands for the network where only what goes into it matters: three pixels of each prepared image."""

    def forward(self, x):
        return torch.stack([x[:, 0, 0, 0], x[:, 1, 150, 20], x[:, 2, 298, 298]], 1)


@pytest.mark.parametrize("cut", [1, 8, 13])
def test_a_feature_does_not_depend_on_its_batch(cut):
    images = np.random.default_rng(0).integers(0, 256, (21, 3, 30, 40), dtype=np.uint8)
    told = []
    whole = inception_features(images, Corner(), lambda done, total: told.append((done, total)))
    parts = [inception_features(part, Corner()) for part in (images[:cut], images[cut:])]
    assert whole.shape == (21, 3) and whole.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert told == [(8, 21), (16, 21), (21, 21)]
    np.testing.assert_allclose(whole[:, 0], (images[:, 0, 0, 0].astype(float) - 128) / 128, atol=1e-6)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 2, 9, 9), np.uint8), np.zeros((2, 1, 9, 9)), np.zeros((0, 1, 9, 9), np.uint8)]
)
def test_what_are_no_images_is_refused(bad):
    with pytest.raises(WganError, match=r"Inception reads images uint8 \[N, 1 or 3, H, W\]"):
        inception_features(bad, Corner())


def test_a_loaded_network_is_the_file_and_is_named_after_it(extractor, weights):
    assert extractor.name == f"inception-fid-2015 {extractor.sha256[:12]}" and len(extractor.sha256) == 64
    state = extractor.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in weights.items())
    assert not extractor.network.training and not any(p.requires_grad for p in extractor.network.parameters())


def test_torchvisions_file_is_read_without_its_classifier(tmp_path):
    """It has another name, and its auxiliary classifier is left out."""
    given = {**tensors(1000), "AuxLogits.fc.weight": torch.zeros(3)}
    given = {n: t.half() if n == "fc.bias" else t for n, t in given.items()}
    save_file(given, tmp_path / "tv.safetensors")
    found = load_inception(tmp_path / "tv.safetensors")
    assert found.name.startswith("inception-torchvision ")
    assert found.network.Mixed_7c.pool is padded_average
    assert found.network.fc.bias.dtype == torch.float32


def changed(weights, **more):
    return {**weights, **{k.replace("__", "."): v for k, v in more.items()}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda w: {k: v for k, v in w.items() if "Mixed_6b.branch1x1" not in k},
            r"lacks Mixed_6b\.branch1x1.*5 tensors",
        ),
        (lambda w: changed(w, layer9__weight=torch.zeros(2)), r"has layer9\.weight, which Inception-v3 has not"),
        (
            lambda w: changed(w, Conv2d_2a_3x3__bn__bias=torch.zeros(31)),
            r"Conv2d_2a_3x3\.bn\.bias must be floats \[32\]",
        ),
        (lambda w: changed(w, Conv2d_2a_3x3__bn__bias=torch.zeros(32, dtype=torch.int8)), r"must be floats \[32\]"),
        (lambda w: changed(w, Conv2d_2a_3x3__bn__bias=torch.full((32,), torch.nan)), "NaN or infinite"),
        (lambda w: changed(w, fc__weight=torch.zeros(10, 2048)), "is not an Inception-v3: .*not 10"),
        (lambda w: {"w": torch.zeros(1)}, "is not an Inception-v3: .*not 0"),
    ],
)
def test_other_files_are_refused_in_one_sentence(weights, tmp_path, change, sentence):
    save_file(change(weights), tmp_path / "x.safetensors")
    with pytest.raises(WganError, match=sentence) as caught:
        load_inception(tmp_path / "x.safetensors")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path, weights):
    torch.save(dict(weights), tmp_path / "IN.pth")
    with pytest.raises(WganError, match="convert it once with") as caught:
        load_inception(tmp_path / "IN.pth")
    program = str(caught.value).partition('python -c "')[2].rstrip('"')
    exec(program, {})  # what the sentence tells the user to type
    assert load_inception(tmp_path / "IN.safetensors").name.startswith("inception-fid-2015 ")
    shutil.copy(tmp_path / "IN.pth", tmp_path / "renamed.safetensors")
    with pytest.raises(WganError, match="holds no valid safetensors"):
        load_inception(tmp_path / "renamed.safetensors")
    with pytest.raises(WganError, match=r"nothing\.safetensors cannot be read: No such file"):
        load_inception(tmp_path / "nothing.safetensors")


# --- the figure ---


@pytest.fixture
def narrow(monkeypatch):
    """Stand in for the network's features, which cost minutes: the mean of each of 49 squares of the image."""
    monkeypatch.setattr(
        context,
        "inception_features",
        lambda images, network, tick: nn.functional.avg_pool2d(images.float(), 4).flatten(1).numpy() + 3.0,
    )


def test_fid_inception_is_unscaled_under_its_own_name(conditional_run, file, extractor, narrow):
    report = evaluate(conditional_run, n=150, metrics=["fid-inception", "fid-lenet"], inception_weights=file)
    figures = {f.name: f for f in report.results[0].values}
    assert set(figures) == {"fid-inception", "fid-lenet", "relative-fid"}
    found = figures["fid-inception"]
    measured = report.results[0].measured
    squares = [
        nn.functional.avg_pool2d(x.float(), 4).flatten(1).numpy()
        for x in (measured.fakes, measured.reals.held_out[0], measured.reals.draw(0)[0])
    ]
    assert found.value == pytest.approx(fid(squares[0], squares[1])) and found.spread > 0
    assert found.reference == pytest.approx(fid(squares[2], squares[1])) and found.reference < found.value
    assert (found.extractor, found.sha256) == (extractor.name, extractor.sha256)
    assert figures["fid-lenet"].sha256 != found.sha256


def test_weights_add_the_metric_and_without_them_it_is_refused(conditional_run, file, command, narrow, monkeypatch):
    monkeypatch.setattr(evaluating, "METRICS", {k: v for k, v in measures().items() if "fid" in k})
    words = ("evaluate", conditional_run, "-n", 150, "--out", conditional_run / "inception.json")
    assert "fid-inception" in command(*words, "--inception-weights", file).out
    assert "fid-inception" not in command(*words).out
    assert "needs --inception-weights" in command(*words, "--metrics", "fid-inception").sentence()
    asked = command(*words, "--metrics", "fid-lenet", "--inception-weights", file).sentence()
    assert "which was not requested" in asked


def measures():
    from wgan.evaluation.metrics_table import METRICS

    return METRICS


@pytest.mark.slow
def test_fid_inception_through_the_whole_network(conditional_run, file):
    report = evaluate(conditional_run, n=100, metrics=["fid-inception"], inception_weights=file)
    found = report.figure("fid-inception")
    assert np.isfinite(found.value) and 0 < found.reference < found.value
