"""Signals of your own: what [N, T] and [N, C, T] become, what is kept of their channels, and what is refused."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.bundled import series
from wgan.data.signals import SignalUnits, from_json
from wgan.errors import WganError

SIGNAL = ReadingOptions(kind="signal")


def recordings(count=60, channels=2, steps=20, seed=0):
    """Channel c is N(10 c + 5, (c + 1)^2)."""
    c = np.arange(channels)[:, None]
    return np.random.default_rng(seed).standard_normal((count, channels, steps)) * (c + 1) + 10 * c + 5


def opened(tmp_path, values, split="train", **arrays):
    np.savez(tmp_path / "x.npz", samples=values, **arrays)
    return open_source(str(tmp_path / "x.npz"), split, options=SIGNAL)


def everything(source):
    return source.batch(torch.arange(len(source)))[0]


def test_channels_are_standardised_by_training_statistics(tmp_path):
    values = recordings()
    train, test = opened(tmp_path, values), opened(tmp_path, values, "test")
    assert (train.shape, train.is_signal, train.is_image, train.recipe) == ((2, 20), True, False, "signals")
    x = everything(train)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x.double().mean((0, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(x.double().std((0, 2), correction=0), 1, atol=1e-6)
    both = np.concatenate([train.signal.restore(everything(s).numpy()) for s in (train, test)])
    np.testing.assert_allclose(np.sort(both, axis=None), np.sort(values, axis=None), rtol=1e-5)
    np.testing.assert_allclose(train.signal.mean, [5, 15], atol=0.3)
    np.testing.assert_allclose(train.signal.scale, [1, 2], atol=0.1)


def test_signals_without_an_axis_of_channels_come_back_so(tmp_path):
    values = np.random.default_rng(0).integers(-3000, 3000, (50, 16)).astype(np.int16)
    source = opened(tmp_path, values, "all")
    assert source.shape == (1, 16) and source.signal.flat
    own = source.signal.stored(source.signal.restore(everything(source).numpy()))
    assert own.dtype == np.int16 and own.shape == (50, 16)
    assert np.array_equal(np.sort(own, axis=None), np.sort(values, axis=None))


def test_whole_numbers_stay_within_their_type():
    units = SignalUnits((0.0,), (1000.0,), "int16")
    assert units.stored(units.restore(np.array([[[40.0, -40.0, 0.0004]]]))).tolist() == [[[32767, -32768, 0]]]
    large = SignalUnits((0.0,), (1e18,), "int64")
    assert large.stored(large.restore(np.array([[[40.0, -40.0]]]))).tolist() == [[[2**63 - 1, -(2**63)]]]


def test_the_data_keep_their_split_and_labels(tmp_path):
    values = recordings(80)
    np.savez(
        tmp_path / "x.npz", x_train=values[:60], y_train=["a", "b"] * 30, x_test=values[60:], y_test=["a", "b"] * 10
    )
    source = open_source(str(tmp_path / "x.npz"), "test", options=SIGNAL)
    assert len(source) == 20 and source.class_names == ("a", "b") and source.labels.tolist() == [0, 1] * 10


def spoiled(what):
    values = recordings()
    values[3, 1, 4] = what
    return values


def constant():
    values = recordings()
    values[:, 1] = 7
    return values


REFUSED = {
    "NaN": (
        spoiled(np.nan),
        "NaN or infinite values in 1 of 60 signals, the first in signal 3, channel 1, step 4 (counted",
    ),
    "infinity": (spoiled(np.inf), "the first in signal 3, channel 1, step 4 (counted"),
    "a constant channel": (constant(), "channel x1 is constant (7) in the training part"),
    "too short": (recordings(steps=7), "signals of 7 steps are too short"),
    "too few": (recordings(10), "10 samples"),
    "steps first": (recordings(channels=300).astype(np.float32), "swap the last two axes"),
    "pictures": (np.zeros((50, 3, 8, 8)), "signals are [N, T], or [N, C, T]"),
    "texts": (np.array([["a"] * 20] * 50), "expected numbers"),
    "complex numbers": (recordings() + 1j, "expected numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_signal_is_refused(tmp_path, name):
    values, words = REFUSED[name]
    with pytest.raises(WganError) as error:
        opened(tmp_path, values)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("options", [{"size": 16}, {"crop": "fit"}, {"channels": 1}, {"depth": "float"}])
def test_options_of_images_are_refused_for_signals(tmp_path, options):
    np.save(tmp_path / "x.npy", recordings())
    with pytest.raises(WganError, match="size, crop, channels and depth are for images"):
        open_source(str(tmp_path / "x.npy"), options=ReadingOptions(kind="signal", **options))


def test_depth_is_refused_for_vectors_and_signals_for_images(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 4)))
    with pytest.raises(WganError, match="size, crop, channels and depth are for images"):
        open_source(str(tmp_path / "x.npy"), options=ReadingOptions(depth="float"))
    (tmp_path / "pictures").mkdir()
    for i in range(50):
        Image.new("L", (8, 8), i).save(tmp_path / "pictures" / f"{i}.png")
    for options in ({"kind": "signal"}, {"window": 8}):
        with pytest.raises(WganError, match="holds images: leave them out"):
            open_source(str(tmp_path / "pictures"), options=ReadingOptions(**options))


def test_the_same_numbers_in_another_unit_are_other_data(tmp_path):
    values = recordings()
    prints = {opened(tmp_path, values * factor).fingerprint for factor in (1.0, 2.0)}
    assert len(prints) == 2


def test_units_survive_json_and_damage_is_named():
    units = SignalUnits((1.0, 2.0), (3.0, 4.0), "float32", ("left", "right"))
    assert from_json(json.loads(json.dumps(units.to_json()))) == units
    for key, value in {
        "scale": [1.0, 0.0],
        "mean": [1.0],
        "dtype": "O",
        "names": ["left"],
        "flat": 1,
        "new": 2,
    }.items():
        with pytest.raises(WganError, match="damaged"):
            from_json({**json.loads(json.dumps(units.to_json())), key: value})


# --- toys whose autocovariance and spectrum are known -----------------------------------------------------------------


def test_ar2_has_the_autocorrelation_of_its_equation():
    x = everything(open_source("ar2", "all"))[:, 0].double().numpy()
    rho = series.ar2_autocorrelation(12)
    np.testing.assert_allclose(rho[1:3], [1.5 / 1.8, 1.5 * 1.5 / 1.8 - 0.8], rtol=1e-12)
    for lag in (0, 1, 2, 5, 12):  # at the first and at the last step alike: stationary from the start
        for t in (0, series.STEPS - 13):
            assert (x[:, t] * x[:, t + lag]).mean() == pytest.approx(rho[lag], abs=4 / np.sqrt(len(x)))


def test_sines_have_two_lines_of_known_power():
    x = everything(open_source("sines"))[:100, 0].double().numpy()
    power = 2 * np.abs(np.fft.rfft(x, axis=1)) ** 2 / series.STEPS**2
    np.testing.assert_allclose(power[:, 5], 0.8, rtol=1e-5)
    np.testing.assert_allclose(power[:, 12], 0.2, rtol=1e-5)
    np.testing.assert_allclose(power.sum(1), 1, rtol=1e-5)


def test_toy_signals_take_no_argument():
    with pytest.raises(WganError, match="ar2 takes no argument"):
        open_source("ar2:3")
