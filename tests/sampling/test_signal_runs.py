"""A run on signals: what it writes, and how its samples come back in the user's units, files and records."""

import csv
import json
import wave

import numpy as np
import pytest
import torch

import wgan
from wgan.cli import main as cli
from wgan.config import ReadingOptions
from wgan.errors import WganError
from wgan.evaluation.metrics_table import METRICS
from wgan.export.onnx import Values
from wgan.export.page import export_page
from wgan.sampling.dataset import SampleSet
from wgan.sampling.latents import latents

SMALL = {
    "steps": 2,
    "batch": 8,
    "latent": 4,
    "generator_layers": "/ 8 6k6x4 / k4x2",
    "critic_layers": "6k8x4 8k3x2 /",
    "threads": 1,
    "kind": "signal",
}
MEAN, SCALE = np.array([[100.0], [-5.0]]), np.array([[10.0], [0.5]])


@pytest.fixture(scope="module")
def data():
    made = np.random.default_rng(0).standard_normal((150, 2, 20)) * SCALE + MEAN
    return made.astype(np.float32), np.arange(150) % 3


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A conditional run on two channels."""
    return wgan.train(data=data, run=tmp_path_factory.mktemp("signals") / "run", **SMALL)


@pytest.fixture(scope="module")
def flat(data, tmp_path_factory):
    """A run on whole numbers [N, T]."""
    values = np.rint(data[0][:, 0]).astype(np.int16)
    return wgan.train(data=values, run=tmp_path_factory.mktemp("flat") / "run", **SMALL)


def test_a_run_keeps_the_units_and_shows_itself(run):
    facts = json.loads((run.path / "run.json").read_text())
    assert facts["shape"] == [2, 20] and facts["precision"] == "fp32"
    assert facts["signal"]["mean"] == pytest.approx(MEAN.ravel().tolist(), rel=0.02)
    assert facts["signal"]["scale"] == pytest.approx(SCALE.ravel().tolist(), rel=0.05)
    assert (run.path / "progress.gif").stat().st_size and len([*run.samples.glob("*.png")]) == 2
    assert run.config.recipe == "signals"


def test_samples_are_the_decoded_ones_in_units(run):
    model = wgan.load(run)
    plain = model.decode(*latent_and_labels(model)).as_subclass(torch.Tensor).numpy()
    samples = model.sample(5, label=1)
    mean, scale = (np.array(x)[:, None] for x in (model.signal.mean, model.signal.scale))
    np.testing.assert_allclose(samples.numpy(), plain * scale + mean)
    assert samples.labels.tolist() == [1] * 5 and samples[:2].labels.tolist() == [1, 1]
    for some in (samples, samples[:2], samples[0]):
        assert some._repr_png_()[:4] == b"\x89PNG" and some._repr_html_() is None
    assert torch.equal(
        torch.stack([SampleSet(model, 5, label=1)[i][0] for i in range(5)]), samples.as_subclass(torch.Tensor)
    )
    with pytest.raises(WganError, match="not images"):
        samples.to_images()
    with pytest.raises(WganError, match="signals: use numpy"):
        samples.to_frame()


def latent_and_labels(model):
    return latents(0, 5, model.network.latent), torch.ones(5, dtype=torch.int64)


def sampled(path, out, *more):
    assert cli.main(["sample", str(path), "-n", "6", "--out", str(out), *more]) == 0
    return out


def test_files_hold_samples_in_the_users_type(run, flat, tmp_path):
    found = np.load(sampled(run.path, tmp_path / "a.npz"))
    assert found["samples"].shape == (6, 2, 20) and found["samples"].dtype == np.float32
    assert found["labels"].tolist() == [0, 1, 2] * 2
    whole = np.load(sampled(flat.path, tmp_path / "b.npy"))
    assert whole.shape == (6, 20) and whole.dtype == np.int16
    rows = [*csv.DictReader(sampled(run.path, tmp_path / "c.csv").open())]
    assert len(rows) == 120 and rows[20] | {"x0": "", "x1": ""} == {
        "signal": "1",
        "step": "0",
        "x0": "",
        "x1": "",
        "label": "1",
    }
    assert [float(r["x1"]) for r in rows[:20]] == found["samples"][0, 1].tolist()
    assert sampled(run.path, tmp_path / "d.png").read_bytes()[:4] == b"\x89PNG"


def test_a_folder_of_pictures_is_refused(run, tmp_path, capsys):
    assert cli.main(["sample", str(run.path), "--out", f"{tmp_path}/pictures/"]) == 2
    assert "these signals came from an array: give a .npz" in capsys.readouterr().err


def test_signal_metrics_stand_next_to_their_reference(run, flat, tmp_path):
    """Every one of them."""
    report = wgan.evaluate(run, n=100)
    names = {"spectrum-distance", "autocorrelation-distance", "channel-w1", "worst-channel-w1", "signal-detection"}
    names |= {"random-coverage", "random-relative-fid", "sliced-w1", "certified-w1", "copies", "coverage"}
    values = {v.name: v for v in report.results[0].values}
    assert names <= set(values)
    assert all(np.isfinite(values[n].value) and np.isfinite(values[n].reference) for n in names - {"certified-w1"})
    assert not {"column-shapes", "fid-lenet", "cas", "outside-range"} & set(values)
    with pytest.raises(WganError, match="it is for signals"):
        wgan.evaluate(saved(tmp_path), data="ring", metrics=["spectrum"])
    assert {"spectrum", "autocorrelation", "channels", "signal-detection"} <= set(METRICS)


def saved(tmp_path):
    np.savez(tmp_path / "points.npz", samples=np.random.default_rng(0).normal(size=(200, 2)))
    return tmp_path / "points.npz"


def test_a_file_of_training_signals_measures_like_reals(data, tmp_path):
    np.savez(tmp_path / "data.npz", samples=data[0])
    np.savez(tmp_path / "fakes.npz", samples=data[0])
    np.savez(tmp_path / "wrong.npz", samples=data[0][:, :1])
    options = ReadingOptions(kind="signal")
    report = wgan.evaluate(
        tmp_path / "fakes.npz", data=tmp_path / "data.npz", options=options, n=150, metrics=["spectrum", "channels"]
    )
    for value in report.results[0].values:
        assert value.value < 2 * value.reference + 0.05
    with pytest.raises(WganError, match=r"expected \[N, C, T\], 2 channels of 20 steps"):
        wgan.evaluate(tmp_path / "wrong.npz", data=tmp_path / "data.npz", options=options, n=150)


def test_exports_hold_the_units_or_refuse(run, flat, tmp_path):
    assert cli.main(["export", str(run.path), "--to", "hub", "--out", str(tmp_path / "hub")]) == 0
    assert torch.equal(wgan.load(tmp_path / "hub").sample(3), wgan.load(run).sample(3))
    assert "signals of 2 channels and 20 steps" in (tmp_path / "hub" / "README.md").read_text()
    with pytest.raises(WganError, match="this model makes signals"):
        export_page(wgan.load(run), tmp_path / "page.html")
    for trained in (run, flat):
        model = wgan.load(trained)
        z, y = latent_and_labels(model)
        values, x = Values(model.network, model.signal)(z, y)
        assert torch.equal(values, torch.from_numpy(model.signal.restore(x.numpy())))


def test_the_estimator_takes_signals(data):
    made = wgan.Generator(recipe="signals", options={**SMALL, "steps": 2}).fit(data[0][:, 0])
    assert made.sample(3).shape == (3, 20) and made.score(data[0][:50, 0]) < 0


def test_samples_of_recordings_are_recordings(tmp_path):
    values = np.random.default_rng(0).integers(-900, 900, (60, 1, 24))
    for i, some in enumerate(values):
        recorded(tmp_path / "data" / f"{i}.wav", some)
    made = wgan.train(data=tmp_path / "data", run=tmp_path / "run", **{k: v for k, v in SMALL.items() if k != "kind"})
    sampled(made.path, f"{tmp_path}/out/")
    with wave.open(str(tmp_path / "out" / "000003.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (4000, 1, 2, 24)
        found = np.frombuffer(file.readframes(24), "<i2")
    assert found.tolist() == wgan.load(made).sample(6)[3, 0].tolist()


def recorded(path, values):
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((len(values), 2, 4000, 0, "NONE", ""))
        file.writeframes(values.T.astype("<i2").tobytes())


def test_what_is_for_images_is_refused_before_any_work(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"")
    for words in (["interpolate", str(run.path)], ["score", str(run.path), "x.npz", "--maps", "m.png"]):
        assert cli.main(words) == 2
        assert "makes signals" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npz"]
