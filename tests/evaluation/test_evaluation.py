"""`wgan evaluate`: figures beside floors, files of other programs, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.report_runs import figures
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.errors import WganError
from wgan.evaluation.evaluate import SEED, evaluate, label_plan
from wgan.evaluation.samples import from_file, open_reals, to_bytes
from wgan.metrics.features import lenet_card
from wgan.runs.log import SELECTION
from wgan.sampling.latents import latents
from wgan.sampling.model import load
from wgan.visual.images import GAP

FAST = ["fid-lenet", "classes", "sliced-w1"]


def test_real_images_score_at_the_floor_and_noise_far_above(tmp_path, train_images):
    np.savez(tmp_path / "real.npz", images=train_images[0], labels=train_images[1])
    noisy = np.clip(train_images[0] + np.random.default_rng(0).normal(0, 60, train_images[0].shape), 0, 255)
    np.savez(tmp_path / "noisy.npz", images=noisy.astype(np.uint8))
    real = figures(evaluate(tmp_path / "real.npz", data="mnist", n=600, metrics=FAST))
    noise = figures(evaluate(tmp_path / "noisy.npz", data="mnist", n=600, metrics=FAST))
    assert real["relative-fid"].value < 2 * real["relative-fid"].reference
    assert noise["relative-fid"].value > 5 * noise["relative-fid"].reference
    assert real["sliced-w1"].value < 2 * real["sliced-w1"].reference < noise["sliced-w1"].value
    assert real["fid-lenet"].value == pytest.approx(128 * real["relative-fid"].value)


def test_every_figure_says_how_many_samples_and_what_extractor(tmp_path, train_images):
    np.savez(tmp_path / "real.npz", images=train_images[0])
    found = figures(evaluate(tmp_path / "real.npz", data="mnist", n=400, metrics=FAST))
    assert all(f.n_fake == 400 and f.n_real == 400 for f in found.values())
    assert found["fid-lenet"].extractor.startswith("lenet-mnist ")


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_a_file_of_few_samples_stands_beside_the_floor_of_as_few(tmp_path, train_images, suffix, recwarn):
    path = tmp_path / f"few{suffix}"
    np.save(path, train_images[0][:200]) if suffix == ".npy" else np.savez(path, images=train_images[0][:200])
    asked = evaluate(path, data="mnist", n=200, metrics=["fid-lenet"])
    whole = evaluate(path, data="mnist", metrics=["fid-lenet"])  # n is 10,000: the file holds 200
    assert whole.to_json() == asked.to_json()
    assert whole.figure("fid-lenet").n_real == 200 == whole.notes["n_real"]
    assert not recwarn.list


DIGITS = [str(i) for i in range(10)]


@pytest.mark.parametrize(
    ("spec", "asked", "labels"),
    [
        ("mnist", list(range(10)), list(range(10))),
        ("mnist:3,7", [3, 7], [0, 1]),  # the data's number 0 is the digit 3
        ("mnist:5", [5], None),  # one class is not a label
    ],
)
def test_a_run_is_asked_for_the_classes_of_the_reals(spec, asked, labels):
    """A conditional run makes the classes of the data it is compared with."""
    made, told = label_plan(open_reals(spec, 300), DIGITS, 300)
    assert sorted(set(made.tolist())) == asked and len(made) == 300
    assert told is None if labels is None else sorted(set(told.tolist())) == labels
    if told is not None:
        assert all(asked[t] == m for m, t in zip(made.tolist(), told.tolist(), strict=True))


def test_a_run_makes_the_classes_it_can():
    """Where it can make none of those asked for, it is refused."""
    made, told = label_plan(open_reals("mnist", 300), ["7", "3"], 300)
    assert set(zip(made.tolist(), told.tolist(), strict=True)) == {(0, 7), (1, 3)}
    assert label_plan(open_reals("mnist", 300), [], 300) == (None, None)
    with pytest.raises(WganError, match=r"mnist:0-4 has 0, 1, 2, 3, 4, and the run makes 7, 8: no class of it"):
        label_plan(open_reals("mnist:0-4", 300), ["7", "8"], 300)


def test_a_run_against_two_digits_has_the_labels_of_the_data(conditional_run):
    measured = evaluate(conditional_run, data="mnist:3,7", n=100, metrics=["sliced-w1"]).results[0].measured
    made, told = label_plan(measured.reals, DIGITS, 100)
    model = load(conditional_run)
    samples = model.decode(latents(SEED, 100, model.network.latent), made).as_subclass(torch.Tensor)
    assert torch.equal(measured.subject.labels, told) and torch.equal(measured.fakes, to_bytes(samples))


def test_a_run_held_against_one_digit_makes_that_digit(conditional_run):
    report = evaluate(conditional_run, data="mnist:5", n=100, metrics=["sliced-w1"])
    model = load(conditional_run)
    fives = to_bytes(
        model.decode(latents(SEED, 100, model.network.latent), torch.full((100,), 5)).as_subclass(torch.Tensor)
    )
    assert torch.equal(report.results[0].measured.fakes, fives)


def test_a_report_names_step_generator_seed_and_signal(conditional_run):
    """The signal is what the training was steered by."""
    report = evaluate(conditional_run, n=200, metrics=["sliced-w1"])
    about = report.results[0].about.to_json()
    assert about["checkpoint"] == "last" and about["step"] == 2 and about["generator"] in ("average", "raw")
    assert isinstance(report.notes["training_signal_not_a_distance"], float)
    parsed = json.loads(report.to_json())
    assert parsed["results"][0]["figures"][0]["name"] == "sliced-w1"


def test_a_run_measured_twice_gives_the_same_figures(conditional_run):
    first, second = (evaluate(conditional_run, n=200, metrics=["sliced-w1", "fid-lenet"]).to_json() for _ in range(2))
    assert first == second


def test_bytes_are_what_a_viewer_shows():
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0, -0.9999, 0.5])).tolist() == [0, 128, 255, 0, 191]


def test_raw_measures_the_raw_generator(conditional_run):
    average, raw = (evaluate(conditional_run, n=100, metrics=["sliced-w1"], raw=r) for r in (False, True))
    assert [r.results[0].about.generator for r in (average, raw)] == ["average", "raw"]
    assert average.figure("sliced-w1").value != raw.figure("sliced-w1").value


def test_the_flag_raw_measures_the_raw_generator(conditional_run, tmp_path, command):
    words = ("evaluate", conditional_run, "-n", 100, "--metrics", "sliced-w1", "--out", tmp_path / "x.json")
    for flags, kind in (((), "average"), (("--raw",), "raw")):
        assert command(*words, *flags).code == 0
        assert json.loads((tmp_path / "x.json").read_text())["results"][0]["generator"] == kind


def test_every_metric_carries_the_sha256_of_its_extractor(tmp_path, train_images):
    """All of it, where the extractor has weights."""
    np.savez(tmp_path / "real.npz", images=train_images[0], labels=train_images[1])
    report = evaluate(
        tmp_path / "real.npz", data="mnist", n=120, metrics=["kid-lenet", "prdc", "prdc-random", "sliced-w1"]
    )
    found = figures(report)
    assert found["kid-lenet"].sha256 == found["recall"].sha256 == lenet_card()["sha256"]
    assert len(found["random-recall"].sha256) == 64 and found["random-recall"].extractor.endswith(
        found["random-recall"].sha256[:12]
    )
    assert found["sliced-w1"].sha256 is None and found["sliced-w1"].extractor == "pixels"
    assert all(f.reference is not None for f in found.values())
    parsed = json.loads(report.to_json())
    assert {"split", "floor", "n_real", "data"} <= parsed.keys()
    assert parsed["results"][0]["figures"][0]["sha256"] == lenet_card()["sha256"]


def test_both_checkpoints_are_measured_and_progress_is_told(ring_run, copy):
    folder = copy(ring_run)
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": 1, SELECTION: -1.0}) + "\n")  # step 1 was the best
    told = []
    report = evaluate(folder, n=100, metrics=["modes", "sliced-w1"], watch=lambda *parts: told.append(parts))
    assert [r.about.checkpoint for r in report.results] == ["last", "best"]
    assert [r.about.step for r in report.results] == [2, 1]
    assert report.figure("sliced-w1").value != report.figure("sliced-w1", "best").value
    assert report.figure("sliced-w1").extractor == "columns"  # points have no pixels
    making = ("making 100 samples", 0, 0)
    assert told == [
        making,
        ("modes", 0, 4),
        ("sliced-w1", 1, 4),
        ("finished", 2, 4),
        ("making 100 samples", 2, 4),
        ("modes", 2, 4),
        ("sliced-w1", 3, 4),
        ("finished", 4, 4),
    ]


def test_a_reference_is_a_floor_in_json_and_to_older_programs(tmp_path, train_images):
    np.savez(tmp_path / "real.npz", images=train_images[0])
    report = evaluate(tmp_path / "real.npz", data="mnist", n=120, metrics=["sliced-w1"])
    found, (written,) = report.metric("sliced-w1"), json.loads(report.to_json())["results"][0]["figures"]
    assert report.figure("sliced-w1") is found and found.floor == found.reference > 0
    assert (written["floor"], written["floor_spread"]) == (found.reference, found.reference_spread)
    assert "floor_per_class" in written and not any("reference" in key for key in written)


def test_a_terminal_sees_a_bar_and_a_pipe_sees_the_table_alone(ring_run, tmp_path, command, monkeypatch):
    words = ("evaluate", ring_run, "-n", 100, "--metrics", "modes,sliced-w1", "--out", tmp_path / "x.json")
    plain = command(*words)
    assert plain.code == 0 and "2/2" not in plain.out and "modes-reached" in plain.out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "2/2" in command(*words).out


def test_the_closest_pairs_are_drawn_in_a_run_or_by_a_file(tmp_path, train_images, digits_run, copy, command):
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    images[41] = train_images[0][5]
    np.savez(tmp_path / "x.npz", images=images)
    assert command("evaluate", tmp_path / "x.npz", "--data", "mnist", "-n", 100, "--metrics", "memorisation").code == 0
    copies = json.loads((tmp_path / "x.metrics.json").read_text())["results"][0]["figures"][1]
    assert (copies["name"], copies["value"], copies["floor"]) == ("copies", 0.01, 0)
    picture = np.asarray(Image.open(tmp_path / "x.neighbours.png").convert("L"))
    scale = round((picture.shape[1] - 9 * GAP) / (8 * 28))  # four pairs a row
    first, second = (
        picture[GAP:, GAP + k * (28 * scale + GAP) :][: 28 * scale : scale, : 28 * scale : scale] for k in (0, 1)
    )
    assert (first == images[41]).all() and (second == images[41]).all()  # the copy, beside what it copies
    folder = copy(digits_run)
    assert command("evaluate", folder, "-n", 100, "--metrics", "sliced-w1").code == 0
    assert not (folder / "neighbours.png").exists()  # not asked for
    assert command("evaluate", folder, "-n", 100, "--metrics", "memorisation").code == 0
    assert (folder / "neighbours.png").exists()


def test_few_own_images_are_measured_by_what_applies(tmp_path, hasty):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", images=rng.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8))
    np.savez(tmp_path / "made.npz", images=rng.integers(0, 256, (120, 12, 12, 3), dtype=np.uint8))
    spec = str(tmp_path / "own.npz")
    found = figures(evaluate(tmp_path / "made.npz", data=spec, n=120))
    assert "exact-w1" in found and "certified-w1" not in found and "fid-lenet" not in found
    assert all(np.isfinite(f.value) for f in found.values())
    np.savez(tmp_path / "small.npz", images=rng.integers(0, 256, (120, 8, 8), dtype=np.uint8))
    with pytest.raises(WganError, match="expected uint8"):
        evaluate(tmp_path / "small.npz", data=spec, n=120, metrics=["sliced-w1"])
    evaluate(
        tmp_path / "small.npz", data=spec, n=120, metrics=["sliced-w1"], options=ReadingOptions(size=8, channels=1)
    )
    with pytest.raises(WganError, match="metric certified-w1 does not apply: it needs at least 100 fakes, 30 held-out"):
        evaluate(tmp_path / "made.npz", data=spec, n=120, metrics=["certified-w1"])
    np.savez(tmp_path / "one.npz", images=rng.integers(0, 256, (1, 12, 12, 3), dtype=np.uint8))
    with pytest.raises(WganError, match="holds 1 sample: metrics that mean something need at least 100"):
        evaluate(tmp_path / "one.npz", data=spec)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"pictures": np.zeros((200, 28, 28), np.uint8)}, "expected an array named images or samples"),
        ({"images": np.zeros((200, 28, 28), np.float32)}, "expected uint8"),
        ({"images": np.zeros((200, 27, 28), np.uint8)}, r"expected uint8 \[N, 28, 28\]"),
        ({"images": np.zeros((200, 28, 28), np.uint8), "labels": np.zeros(3, int)}, "labels must be 200 whole numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(tmp_path, arrays, sentence):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(WganError, match=sentence):
        evaluate(tmp_path / "x.npz", data="mnist", n=200, metrics=FAST)


def test_a_pickle_in_a_file_is_never_loaded(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(WganError, match="cannot be read as arrays"):
        from_file(tmp_path / "x.npz", 100, open_source("mnist", "test"))


def test_mistakes_are_refused_before_anything_is_computed(tmp_path, conditional_run):
    np.savez(tmp_path / "x.npz", images=np.zeros((200, 28, 28), np.uint8))
    with pytest.raises(WganError, match="needs --data"):
        evaluate(tmp_path / "x.npz")
    for options in ({"raw": True}, {"checkpoint": "best"}):
        with pytest.raises(WganError, match=r"x.npz is a file of samples: --raw and --checkpoint choose"):
            evaluate(tmp_path / "x.npz", data="mnist", n=200, **options)
    with pytest.raises(WganError, match="100000000 samples do not fit into memory"):
        evaluate(conditional_run, n=100_000_000)
    with pytest.raises(WganError, match=r"unknown metric 'fid-lente'.*fid-lenet"):
        evaluate(conditional_run, metrics=["fid-lente"])
    with pytest.raises(WganError, match="recall is a value of the metric prdc: ask for prdc"):
        evaluate(conditional_run, metrics=["sliced-w1", "recall"])
    with pytest.raises(WganError, match="n must be at least 100"):
        evaluate(conditional_run, n=5)
    with pytest.raises(WganError, match="no checkpoint of step 77"):
        evaluate(conditional_run, n=100, checkpoint=77)
    with pytest.raises(WganError, match="does not exist"):
        evaluate(tmp_path / "nothing.npz", data="mnist")
    with pytest.raises(WganError, match="metric modes does not apply"):
        evaluate(conditional_run, n=100, metrics=["modes"])
    with pytest.raises(WganError, match=r"\(2,\)"):
        evaluate(conditional_run, n=100, data="ring")
