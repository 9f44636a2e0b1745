"""The shipped digit classifier: the file its card describes, the accuracy it claims, features that depend on nothing else."""

import json
import shutil

import numpy as np
import pytest
import torch

from wgan.data.idx import read_idx
from wgan.errors import WganError
from wgan.metrics import features as module
from wgan.metrics.distances import exact_w1, relative_fid
from wgan.metrics.features import WEIGHTS, classify, digits_of, features, lenet_card, load_lenet, logits, stacked_digits

MNIST = WEIGHTS.parents[1] / "data" / "mnist"


@pytest.fixture(scope="module")
def digits():
    """Return 3000 test digits in a fixed random order (the file's first half is easier than its second) and labels."""
    images, names = read_idx(MNIST / "t10k-images-idx3-ubyte.gz"), read_idx(MNIST / "t10k-labels-idx1-ubyte.gz")
    pick = np.random.default_rng(0).permutation(10_000)[:3000]
    return images[pick][:, None].copy(), names[pick].astype(np.int64)


def test_the_shipped_classifier_is_as_good_as_its_card_says(digits):
    images, names = digits
    card = lenet_card()
    assert card["test_accuracy"] >= 0.994
    accuracy = (classify(images) == names).mean()
    assert accuracy == pytest.approx(card["test_accuracy"], abs=0.004)


@pytest.mark.slow
def test_the_accuracy_on_the_test_split_is_that_of_the_card():
    images, names = read_idx(MNIST / "t10k-images-idx3-ubyte.gz"), read_idx(MNIST / "t10k-labels-idx1-ubyte.gz")
    assert (classify(images[:, None]) == names).mean() == pytest.approx(lenet_card()["test_accuracy"], abs=2e-4)


def test_the_weights_are_small_safe_and_complete():
    card = lenet_card()
    assert (WEIGHTS / "lenet-mnist.safetensors").stat().st_size < 2_000_000
    assert {"name", "sha256", "test_accuracy", "trained_on", "command", "seed", "versions"} <= card.keys()
    model = load_lenet()
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_features_have_their_shape_and_are_no_constant(digits):
    f = features(digits[0][:100])
    assert f.shape == (100, 128) and f.dtype == np.float32
    assert (f >= 0).all() and np.isfinite(f).all() and f.std(0).max() > 0


def test_the_digits_of_features_are_those_of_their_images(digits):
    noise = np.random.default_rng(0).integers(0, 256, (300, 1, 28, 28), dtype=np.uint8)
    for images in (digits[0], noise):
        assert (digits_of(features(images)) == classify(images)).all()
    assert len(set(digits_of(features(digits[0])))) == 10


def test_features_are_those_of_pixels_between_0_and_1(digits):
    images = digits[0][:20]
    expected = load_lenet().features(torch.from_numpy(images).float() / 255)
    np.testing.assert_allclose(features(images), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("cut", [1, 100, 255, 256, 257])
def test_a_feature_does_not_depend_on_its_batch(digits, cut):
    images = digits[0][:300]
    whole = features(images)
    np.testing.assert_array_equal(np.concatenate([features(images[:cut]), features(images[cut:])]), whole)
    np.testing.assert_array_equal(features(images[::-1].copy())[::-1], whole)


def test_calling_it_again_or_while_training_changes_nothing(digits):
    images = digits[0][:50]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = features(images)
    with torch.enable_grad():
        np.testing.assert_array_equal(features(torch.from_numpy(images)), first)
    assert torch.equal(before, torch.get_rng_state())  # dropout is off


def test_classify_names_the_largest_logit(digits):
    """And `stacked_digits` does so for each channel."""
    images, names = digits
    assert (classify(images[:60]) == logits(images[:60]).argmax(1)).all()
    stacked = images[:60].reshape(20, 3, 28, 28)
    assert (stacked_digits(stacked) == classify(images[:60]).reshape(20, 3)).all()
    assert (stacked_digits(stacked) == names[:60].reshape(20, 3)).mean() > 0.95


def test_feature_distance_sees_blur_that_pixels_prefer(digits):
    from scipy import ndimage

    images = digits[0]
    first, second, third = images[:600], images[600:1200], images[1200:1800]
    blurred = np.rint(ndimage.gaussian_filter(third.astype(float), (0, 0, 1, 1))).astype(np.uint8)
    assert exact_w1(first / 255, blurred / 255) < exact_w1(first / 255, second / 255)
    real = features(first)
    assert relative_fid(features(blurred), real) > 2 * relative_fid(features(second), real)


def test_fid_orders_damage_by_its_strength(digits):
    images = digits[0][:2000]
    real, fresh = features(images[:1000]), images[1000:]
    rng = np.random.default_rng(0)

    def noisy(sigma):
        return np.rint(np.clip(fresh + sigma * rng.normal(size=fresh.shape), 0, 255)).astype(np.uint8)

    figures = [relative_fid(features(noisy(sigma)), real) for sigma in (0, 10, 25, 50)]
    assert figures == sorted(figures) and figures[0] < 0.05 < figures[-1]


def test_what_are_no_digits_is_refused():
    for bad, message in [
        (np.zeros((4, 1, 28, 28)), "must be uint8"),
        (np.zeros((4, 3, 28, 28), np.uint8), r"\[N, 1, 28, 28\], not \[4, 3, 28, 28\]"),
        (np.zeros((4, 784), np.uint8), r"\[N, 1, 28, 28\]"),
        (np.zeros((0, 1, 28, 28), np.uint8), "N is 0"),
    ]:
        with pytest.raises(WganError, match=message):
            features(bad)
    with pytest.raises(WganError, match=r"\[N, 3, 28, 28\]"):
        stacked_digits(np.zeros((4, 1, 28, 28), np.uint8))


def test_one_image_and_a_constant_image_have_features():
    assert features(np.zeros((1, 1, 28, 28), np.uint8)).shape == (1, 128)
    flat = features(np.full((3, 1, 28, 28), 255, np.uint8))
    assert (flat == flat[0]).all()


def test_weights_that_are_not_the_cards_are_refused(tmp_path):
    with pytest.raises(WganError, match="is missing"):
        load_lenet(tmp_path)
    for name in ("lenet-mnist.safetensors", "lenet-mnist.json"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    assert load_lenet(tmp_path) is not None
    card = json.loads((tmp_path / "lenet-mnist.json").read_text())
    (tmp_path / "lenet-mnist.json").write_text(json.dumps({**card, "sha256": "0" * 64}))
    module.load_lenet.cache_clear()
    with pytest.raises(WganError, match="sha256 differs"):
        load_lenet(tmp_path)
