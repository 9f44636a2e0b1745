"""Data sets of the hub: splits, hidden labels and pixels. A small stand-in for the library, which few have installed."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.own_data import refusal
from helpers.problems import everything
from PIL import Image

from wgan.config import ReadingOptions
from wgan.data import open_source

pytestmark = pytest.mark.usefixtures("cache")
RNG = np.random.default_rng(0)


class ImageFeature:
    def __init__(self, decode=True):
        self.decode = decode


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Rows:
    """What `datasets.Dataset` offers: columns by name, rows by number, a fingerprint, and files where it is asked for them."""

    def __init__(self, columns, features):
        self.columns, self.features = columns, features
        self._fingerprint = str(hash(str([len(c) for c in columns.values()])))

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        return self.columns[key] if isinstance(key, str) else {name: c[key] for name, c in self.columns.items()}

    def cast_column(self, name, feature):
        assert name in self.columns and not feature.decode
        return self


def png(values):
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def noise(n, most=256, dtype=np.uint8):
    return [png(RNG.integers(0, most, (16, 16)).astype(dtype)) for _ in range(n)]


def rows(n, labels=None, names=("ant", "zebra"), pictures=None):
    columns = {"image": pictures or noise(n)}
    features = {"image": ImageFeature()}
    if labels is not None:
        columns["label"], features["label"] = labels, ClassLabel(list(names)) if names else "int64"
    return Rows(columns, features)


@pytest.fixture
def hub(monkeypatch):
    """A function that makes the library find these splits under any name."""

    def offer(**splits):
        found = splits if len(splits) > 1 else splits["train"]
        library = SimpleNamespace(
            Image=ImageFeature, ClassLabel=ClassLabel, load_dataset=lambda *name, **options: found
        )
        monkeypatch.setitem(sys.modules, "datasets", library)
        return "hf:some/where"

    return offer


def counts(spec, split):
    source = open_source(spec, split)
    return dict(zip(source.class_names, np.bincount(source.labels, minlength=source.classes).tolist(), strict=True))


def test_12_bits_of_the_hub_are_one_range(hub):
    scan = RNG.integers(0, 4096, (60, 16, 16)).astype(np.uint16)
    scan[0, 0, :2] = 0, 4095
    source = open_source(hub(train=rows(60, pictures=[png(x) for x in scan])), "all")
    assert source.shape == (1, 16, 16) and any("0 to 4095 are stretched" in note for note in source.notes)
    assert sorted(everything(source).flatten().tolist()) == sorted(np.rint(scan.reshape(-1) / 4095 * 255).tolist())


def test_hidden_labels_are_no_class(hub):
    spec = hub(train=rows(100, [0, 1] * 50), test=rows(40, [-1] * 40))
    source = open_source(spec)
    assert counts(spec, "all") == {"ant": 50, "zebra": 50} and len(open_source(spec, "test")) == 25
    assert any("40 of 40 samples of test have no label: left out" in note for note in source.notes)


def test_hidden_labels_leave_the_validation_part_held_out(hub):
    spec = hub(train=rows(60, [0, 1] * 30), validation=rows(20, [0, 1] * 10), test=rows(30, [-1] * 30))
    assert counts(spec, "test") == {"ant": 10, "zebra": 10} and len(open_source(spec)) == 60


@pytest.mark.parametrize("hidden", [-1, None, 2])
def test_single_samples_without_a_label_are_left_out(hub, hidden):
    spec = hub(train=rows(100, [hidden] * 10 + [0, 1] * 45))
    assert counts(spec, "all") == {"ant": 45, "zebra": 45}
    assert any("10 of 100 samples of train have no label" in note for note in open_source(spec).notes)


def test_a_minus_one_that_training_knows_is_a_class(hub):
    spec = hub(train=rows(60, [-1, 1] * 30, names=None), test=rows(20, [-1, 1] * 10, names=None))
    assert counts(spec, "test") == {"-1": 10, "1": 10}
    spec = hub(train=rows(62, [3, 1] * 31, names=None), test=rows(22, [-1] * 22, names=None))
    assert counts(spec, "all") == {"1": 31, "3": 31}


@pytest.mark.parametrize("label", [None, -1])
def test_labels_that_are_all_missing_are_none(hub, label):
    """A folder of flat train/ and test/ comes with a column of None."""
    spec = hub(train=rows(60, [label] * 60), test=rows(20, [label] * 20))
    source = open_source(spec)
    assert (source.classes, len(source), len(open_source(spec, "test"))) == (0, 60, 20)


def test_samples_with_several_labels_are_refused(hub):
    spec = hub(train=rows(60, [[0, 1]] * 60, names=None))
    assert "column label has several labels for each sample" in refusal(spec)
    assert len(open_source(spec, "all", options=ReadingOptions(labels="none"))) == 60


def test_every_split_of_the_hub_is_trained_on_held_out_or_said(hub):
    spec = hub(train=rows(60), validation=rows(21), test=rows(22), unsupervised=rows(50))
    assert (len(open_source(spec)), len(open_source(spec, "test"))) == (60, 43)
    notes = " ".join(open_source(spec).notes)
    assert "val (21) and test (22) are held out" in notes and "splits not read: unsupervised (50)" in notes


def test_columns_that_are_not_read_are_named(hub):
    data = rows(60, [0, 1] * 30)
    data.columns["coarse"], data.features["coarse"] = [0, 1, 2] * 20, ClassLabel(["x", "y", "z"])
    spec = hub(train=data)
    assert "columns not read: coarse" in open_source(spec).notes
    other = open_source(spec, "all", options=ReadingOptions(labels="coarse"))
    assert other.class_names == ("x", "y", "z")
    assert "no column 'coarsest': did you mean coarse?" in refusal(spec, labels="coarsest")


def test_a_picture_of_the_hub_that_is_damaged_is_named(hub):
    pictures = [{"bytes": b"no picture", "path": None}, *noise(199)]
    source = open_source(hub(train=rows(200, pictures=pictures)), "all")
    assert len(source) == 199 and any("the first: train/0" in note for note in source.notes)


def test_images_stored_as_numbers_are_read(hub):
    values = RNG.integers(0, 256, (60, 16, 16)).tolist()
    data = Rows(
        {"pixel_values": values, "label": [0, 1] * 30}, {"pixel_values": "list", "label": ClassLabel(["a", "b"])}
    )
    source = open_source(hub(train=data), "all")
    assert source.shape == (1, 16, 16) and source.class_names == ("a", "b")


def test_a_parquet_file_of_pictures_names_the_way(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"image": noise(60), "label": [0, 1] * 30}), tmp_path / "x.parquet")
    assert refusal(tmp_path / "x.parquet").endswith(f"give hf:{tmp_path / 'x.parquet'}")
    assert f"read as --data hf:{tmp_path}" in refusal(tmp_path)
