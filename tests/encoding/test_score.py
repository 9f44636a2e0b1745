"""`wgan score`: scores of samples, the threshold, and what labels say; each refusal is one sentence."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tables import mixed
from PIL import Image
from sklearn.metrics import roc_auc_score

import wgan
from wgan.config import ReadingOptions, part
from wgan.data import open_source
from wgan.data.source import report_indices, selection_indices
from wgan.encoding import score, to_score
from wgan.encoding.own_samples import used_samples
from wgan.encoding.to_score import ToScore
from wgan.encoding.train import EncoderOptions, train_encoder
from wgan.errors import WganError
from wgan.sampling.model import load

SHORT = EncoderOptions(steps=4, batch=8)


@pytest.fixture(scope="module")
def run(conditional_run, tmp_path_factory):
    """A run of digits by class, with an encoder."""
    folder = shutil.copytree(conditional_run, tmp_path_factory.mktemp("scored") / "run")
    train_encoder(folder, SHORT, tty=False)
    return folder


@pytest.fixture
def few(monkeypatch):
    """Hold out the first 300 digits only: the whole test set is much work for a test."""

    def opened(spec, split, options=None):
        whole = open_source(spec, split, options=options)
        if not spec.startswith("mnist"):
            return whole
        return type(whole)(**{**whole.__dict__, "size": 300, "labels": whole.labels[:300]})

    for module in (score, to_score):
        monkeypatch.setattr(module, "open_source", opened)


def test_a_score_does_not_depend_on_its_company(run):
    model = load(run)
    x = open_source("mnist", "test").batch(torch.arange(130))[0]
    many, alone = model.score(x), model.score(x[120:123])
    assert torch.equal(many.score[120:123], alone.score) and torch.equal(many.labels[120:123], alone.labels)


def test_the_nearest_class_has_the_smallest_errors(run):
    model = load(run)
    x = open_source("mnist", "test").batch(torch.arange(20))[0]
    found = model.score(x)
    each = [model.score(x, label=k) for k in range(10)]
    sums = torch.stack([s.residual + s.feature_residual for s in each])
    logits = model.inverter.encoded(model.inverter.engine.to_float(x))[1]
    likely = logits.topk(3).indices
    nearest = sums.T.gather(1, likely).argmin(1)
    assert torch.equal(found.labels, likely[torch.arange(20), nearest])
    assert torch.equal(found.score, torch.stack([s.score for s in each])[found.labels, torch.arange(20)])


def test_scores_measure_by_training_samples(run):
    """Those of the run's own data are at 0, one standard deviation wide; the parts are what the networks say."""
    model = load(run)
    train = open_source("mnist", "train").batch(torch.arange(400))[0]
    usual = model.score(train)
    assert abs(float(usual.score.mean())) < 0.2 and 0.6 < float(usual.score.std()) < 1.3
    x = model.inverter.engine.to_float(train[:64])
    r = model.inverter.rebuilt(x, None)
    expected = model.inverter.usual.judge((x - r.made).flatten(1), r.seen)
    columns = [usual.residual_mahalanobis, usual.feature_mahalanobis, usual.local_distance, usual.score]
    assert torch.stack(columns, 1)[:64].numpy() == pytest.approx(expected.detach().numpy(), rel=1e-4, abs=1e-5)


def test_what_the_generator_makes_is_reconstructed_by_its_latent(run):
    """With the true latent in place of the encoder's every residual is 0."""
    model = load(run)
    z, y = torch.randn(5, model.network.latent), torch.tensor([1, 2, 3, 4, 5])
    made = model.decode(z, y).as_subclass(torch.Tensor)
    _, residual, feature = model.inverter.errors(made, z, y)
    assert residual.max() < 1e-10 and feature.max() < 1e-8


def test_the_table_has_a_row_for_each_sample(run, few, command, tmp_path):
    out, maps = tmp_path / "s.csv", tmp_path / "s.png"
    said = command("score", run, "mnist", "--out", out, "--maps", maps, "--top", 4, "--false-alarms", 0.1).out
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 300 and [r["label"] for r in rows[:3]] == ["7", "2", "1"]
    values = np.array([float(r["score"]) for r in rows])
    parts = [
        (float(r["residual_mahalanobis"]) + float(r["feature_mahalanobis"])) * float(r["local_distance"]) for r in rows
    ]
    assert np.corrcoef(values, np.log(parts))[0, 1] > 0.9
    above = [r["anomalous"] == "1" for r in rows]
    assert sum(above) == int((values > values[~np.array(above)].max()).sum())
    assert f"{sum(above)} of 300 samples lie above it" in said and "from 60 held-out normal samples" in said
    assert Image.open(maps).width > 28 * 3
    assert "AUC" not in said  # every class is one that the run was trained on


def test_labels_say_how_good_the_scores_are(run, few, command, tmp_path):
    said = command(
        "score", run, "mnist", "--out", tmp_path / "s.csv", "--false-alarms", 0.1, "--normal", "0,1,2", "--json"
    )
    found = json.loads(said.out)["detection"]
    labels = open_source("mnist", "test").labels[:300]
    counted = labels[[i for i in range(300) if i not in selection_indices(300).tolist()]]
    assert found["normal"] == int((counted < 3).sum()) and found["anomalous"] == int((counted >= 3).sum())
    assert found["auc"]["low"] <= found["auc"]["value"] <= found["auc"]["high"]
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text("utf-8").splitlines()))
    near = np.array([float(row["neighbour_distance"]) for row in rows])
    used = np.setdiff1d(np.arange(300), selection_indices(300).numpy())
    expected = roc_auc_score(labels[used] >= 3, near[used])
    assert found["neighbour_auc"]["value"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("data", "split"), [("mnist", "test"), ("mnist:0-4", "test"), ("mnist:3", "all")])
def test_digits_of_some_classes_are_own_samples(run, data, split):
    """Other classes than the run's cannot have been seen; the order of the held-out ones is that of the run's."""
    config, own = wgan.open_run(run).config, open_source("mnist:1-5", "test")
    source = open_source(data, split)
    used = used_samples(config, own, ToScore(source, None, None, split))
    labels = open_source("mnist", "test").labels
    setting = torch.zeros(len(labels), dtype=torch.bool)
    setting[torch.nonzero((labels >= 1) & (labels <= 5))[:, 0][selection_indices(len(own))]] = True
    wanted = torch.isin(labels, torch.tensor([int(name) for name in source.class_names]))
    expected = setting[wanted].numpy()
    assert used[-len(expected) :].tolist() == expected.tolist()
    assert used[: -len(expected)].all() and expected.any() and not expected.all()


def test_a_run_s_own_images_are_known_again(run, photos):
    """Scored whole, in their order, only held-out ones that set no threshold count; other images all count."""
    config = wgan.open_run(run).config
    config = replace(config, data=str(photos), size=28, channels=1)
    own = open_source(config.data, "test", options=config)
    whole = to_score.opened_source(str(photos), "whole", part(ReadingOptions, config))
    used = used_samples(config, own, ToScore(whole, None, None, "whole"))
    free = whole.batch(torch.from_numpy(np.flatnonzero(~used)))[0]
    assert torch.equal(free, own.batch(report_indices(len(own)).sort().values)[0])
    assert used_samples(config, own, ToScore(open_source("mnist", "test"), None, None, "test")) is None
    train = open_source(str(photos), "train", options=config)
    assert used_samples(config, own, ToScore(train, None, None, "train")).all()


def test_a_table_is_scored_in_the_units_of_the_run(here, cheap, cache, command):
    """The rows of another file are not standardised by their own mean."""
    random = np.random.default_rng(0)
    rows = random.normal(50, 10, (300, 3))
    np.savetxt("train.csv", rows, delimiter=",", header="a,b,c", comments="", fmt="%.3f")
    np.savetxt("far.csv", rows[:40] + 200, delimiter=",", header="a,b,c", comments="", fmt="%.3f")
    assert command("train", "train.csv", "--run", "t", "--steps", 2, "--batch", 16, "--threads", 1).code == 0
    assert command("encode", "t", "--steps", 4, "--batch", 16).code == 0
    said = command("score", "t", "far.csv", "--out", "s.csv", "--false-alarms", 0.1).out
    assert "40 of 40 samples lie above it" in said


def test_signals_are_scored_in_the_units_of_the_run(here, cheap, cache, command):
    random = np.random.default_rng(0)
    np.save("train.npy", random.normal(5, 2, (300, 32)).cumsum(1))
    np.save("far.npy", random.normal(5, 2, (40, 32)).cumsum(1) + 900)
    words = ("--kind", "signal", "--run", "s", "--steps", 2, "--batch", 16, "--threads", 1)
    assert command("train", "train.npy", *words).code == 0
    assert command("encode", "s", "--steps", 4, "--batch", 16).code == 0
    said = command("score", "s", "far.npy", "--out", "s.csv", "--false-alarms", 0.1).out
    assert "40 of 40 samples lie above it" in said


def test_each_refusal_is_one_sentence(run, conditional_run, few, command, tmp_path):
    out = tmp_path / "s.csv"
    bare = command("score", conditional_run, "mnist", "--out", out).sentence()
    assert bare.endswith(f"has no encoder: train one with wgan encode {conditional_run}")
    assert (
        "cannot show a false-alarm rate of 0.001"
        in command(*("score", run, "mnist", "--out", out, "--false-alarms", 0.001)).sentence()
    )
    assert (
        "makes samples of shape (1, 28, 28), and ring has (2,)"
        in command("score", run, "ring", "--out", out).sentence()
    )
    assert (
        "no sample has the label x"
        in command(*("score", run, "mnist", "--out", out, "--normal", "x", "--false-alarms", 0.1)).sentence()
    )
    assert "give a .csv file" in command("score", run, "mnist", "--out", tmp_path / "s.txt").sentence()
    assert not list(tmp_path.iterdir())


def test_what_rows_cannot_have_leaves_nothing_behind(ring_run, here, command):
    run = shutil.copytree(ring_run, "ring")
    train_encoder(run, SHORT, tty=False)
    np.savez("rows.npz", samples=np.zeros((40, 2)), labels=np.arange(30))
    words = ("score", run, "rows.npz", "--false-alarms", 0.1)
    assert "labels must be 40 whole numbers or texts, not int64 [30]" in command(*words).sentence()
    np.savez("rows.npz", samples=np.zeros((0, 2)))
    assert "rows.npz holds no samples" in command(*words).sentence()
    np.savez("rows.npz", samples=np.full((40, 2), np.nan))
    assert "rows.npz (samples) holds NaN or infinite values" in command(*words).sentence()
    np.savez("rows.npz", samples=np.zeros((40, 3)))
    assert "rows.npz (samples) is float64 [40, 3]: expected numbers [N, 2]" in command(*words).sentence()
    np.savez("rows.npz", samples=np.zeros((40, 2)))
    assert "the data have no labels that could be normal" in command(*words, "--normal", "a").sentence()
    np.savez("rows.npz", samples=np.zeros((40, 2)), labels=np.zeros(40, int))
    assert "every sample has a label that is normal" in command(*words, "--normal", "0").sentence()
    np.savez("rows.npz", samples=np.zeros((40, 2)), labels=np.arange(40) > 30)
    assert "only images have residual maps" in command(*words, "--maps", "maps.png").sentence()
    assert "--top must be at least 1, not 0" in command(*words, "--top", 0).sentence()
    assert not list(Path().glob("*.csv")) and not list(Path().glob("*.png"))
    assert "31 normal and 9 anomalous samples" in command(*words, "--normal", "False").out


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table of every kind of column, with an encoder, and a file of other rows beside it."""
    folder = tmp_path_factory.mktemp("table")
    mixed(folder / "t.csv")
    mixed(folder / "new.csv", 50, 1)
    run = wgan.train(
        data=folder / "t.csv", run=folder / "t", steps=2, batch=16, threads=1, evaluate_every=0, sample_every=0
    )
    train_encoder(run, SHORT, tty=False)
    return folder


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            '"True"',
            '"perhaps"',
            "column smoker of changed.csv, row 1, holds a category that no training row of the run",
        ),
        (
            '"True"',
            '""',
            "column smoker of changed.csv, row 1, is empty, and no training row of the run is empty there",
        ),
        (
            '"x"',
            '"y"',
            "column always of changed.csv, row 1, holds a category that no training row of the run has (known: x)",
        ),
        (".2020", ".20xx", "which is not a date in the format %d.%m.%Y"),
    ],
)
def test_cells_that_no_training_row_has_are_refused(table, here, command, before, after, said):
    names, *lines = (table / "new.csv").read_text("utf-8").splitlines()
    lines.sort(key=lambda line: before not in line)
    Path("changed.csv").write_text("\n".join([names, *lines]).replace(before, after) + "\n", "utf-8")
    words = ("score", table / "t", "changed.csv", "--false-alarms", 0.1)
    assert said in command(*words).sentence() and not Path("scores.csv").exists()


def test_rows_with_missing_cells_and_dates_are_scored(table, here, command):
    said = command("score", table / "t", table / "new.csv", "--false-alarms", 0.1).out
    assert "scores of 50 samples in scores.csv" in said
    values = [float(row["score"]) for row in csv.DictReader(Path("scores.csv").read_text("utf-8").splitlines())]
    assert len(values) == 50 and np.isfinite(values).all()


def test_rows_of_python_come_back_as_rows(table):
    model = load(table / "t")
    rows = model.sample(5)
    again = model.reconstruct(rows)
    assert again.shape == rows.shape and list(again.columns) == model.table.names
    known = np.array([model.table.cells(np.asarray(again))["smoker"]])
    assert np.isin(known, ["True", "False"]).all()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.zeros((3, 2)), r"makes samples \[N, 9\], and these are \[3, 2\]"),
        (np.zeros((0, 9)), r"and these are \[0, 9\]"),
        (np.full((2, 9), np.inf), "the rows hold infinite values"),
        (np.full((2, 9), np.nan), "column gain of the samples, row 1, is empty"),
        ([["a"] * 9], "samples are numbers, as sample"),
    ],
)
def test_rows_that_the_run_cannot_have_are_refused(table, rows, said):
    with pytest.raises(WganError, match=said):
        load(table / "t").score(rows)


def test_pixels_out_of_range_are_refused(run):
    model = load(run)
    x = open_source("mnist", "test").batch(torch.arange(2))[0]
    assert torch.equal(model.score(x).score, model.score((x.float() - 127.5) / 127.5).score)
    with pytest.raises(WganError, match=r"pixels must be bytes \(uint8\) or lie in \[-1, 1\], and one of these is 255"):
        model.score(x.float())


@pytest.mark.parametrize("kind", ["folder", "array"])
def test_few_images_are_scored_in_their_order(run, here, cache, command, kind):
    """Fewer than could be trained on; each row stands at the place of its image, and a folder's has its name."""
    x = open_source("mnist", "test").batch(torch.arange(7))[0]
    if kind == "folder":
        for i, image in enumerate(x):
            Path("photos").mkdir(exist_ok=True)
            Image.fromarray(image[0].numpy()).save(f"photos/n{6 - i}.png")
    else:
        np.save("photos.npy", x.flip(0)[:, 0].numpy())
    data = "photos" if kind == "folder" else "photos.npy"
    command("score", run, data, "--false-alarms", 0.1, "--maps", "maps.png")
    rows = list(csv.DictReader(Path("scores.csv").read_text("utf-8").splitlines()))
    expected = load(run).score(x.flip(0)).score
    assert [float(row["score"]) for row in rows] == pytest.approx(expected.tolist(), rel=1e-4)
    assert [row.get("file") for row in rows] == ([f"n{i}.png" for i in range(7)] if kind == "folder" else [None] * 7)


def test_images_of_another_size_are_refused_with_a_way(run, photos, here, cache, command):
    said = command("score", run, "photos", "--false-alarms", 0.1).sentence()
    assert said.endswith("and photos has (3, 12, 16): read them with --size 28 --channels 1")
    assert not Path("scores.csv").exists()
    assert "60 samples" in command(*("score", run, "photos", "--false-alarms", 0.1, "--size", 28, "--channels", 1)).out


def test_few_signals_are_scored_and_none_is_refused(here, cheap, cache, command):
    random = np.random.default_rng(0)
    signals = random.normal(5, 2, (300, 32)).cumsum(1)
    np.save("train.npy", signals)
    np.save("few.npy", signals[:3])
    np.save("none.npy", signals[:0])
    np.save("broken.npy", np.where(np.arange(32) == 9, np.nan, signals[:3]))
    words = ("--kind", "signal", "--run", "s", "--steps", 2, "--batch", 16, "--threads", 1)
    assert command("train", "train.npy", *words).code == 0
    assert command("encode", "s", "--steps", 2, "--batch", 16).out.strip().endswith("wgan score s DATA")
    for name in ("none", "broken"):
        assert f"{name}.npy" in command("score", "s", f"{name}.npy", "--false-alarms", 0.1).sentence()
    assert not Path("scores.csv").exists()
    assert "of 3 samples lie above it" in command("score", "s", "few.npy", "--false-alarms", 0.1).out
    rows = list(csv.DictReader(Path("scores.csv").read_text("utf-8").splitlines()))
    expected = load("s").score(signals[:3, None]).score
    assert [float(row["score"]) for row in rows] == pytest.approx(expected.tolist(), rel=1e-3)


def test_what_rows_are_not_read_by_is_refused(table, here, command):
    """Nothing that is asked for is passed over."""
    words = ("score", table / "t", table / "new.csv", "--false-alarms", 0.1)
    assert "scored whole: leave --split out" in command(*words, "--split", "test").sentence()
    assert "leave out how data are read" in command(*words, "--missing", "?").sentence()
    assert not Path("scores.csv").exists()
    own = ("score", table / "t", table / "t.csv", "--false-alarms", 0.1, "--split")
    assert "of 100 samples lie above it" in command(*own, "test", "--out", "test.csv").out
    assert "of 300 samples lie above it" in command(*own, "train", "--out", "train.csv").out


def test_a_class_of_a_table_may_be_the_anomaly(here, cheap, cache, command):
    mixed(Path("t.csv"))
    words = ("--labels", "smoker", "--run", "t", "--steps", 2, "--batch", 16, "--threads", 1)
    assert command("train", "t.csv", *words).code == 0
    assert command("encode", "t", "--steps", 2, "--batch", 16).code == 0
    said = command("score", "t", "t.csv", "--normal", "False", "--false-alarms", 0.1).out
    truth = sum(row["smoker"] == "True" for row in csv.DictReader(Path("t.csv").read_text("utf-8").splitlines()))
    held = open_source("t.csv", "test", options=ReadingOptions(labels="smoker"))
    strange = int(held.labels[report_indices(100)].sum())
    assert f"{80 - strange} normal and {strange} anomalous samples" in said
    assert "320 of them set the threshold or were trained on" in said
    rows = list(csv.DictReader(Path("scores.csv").read_text("utf-8").splitlines()))
    assert sum(row["label"] == "True" for row in rows) == truth
