"""A user's own tables: columns, labels and units of CSV and Parquet, and samples in the same units."""

from __future__ import annotations

import csv
import json
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.own_data import NAMES, N, refusal, rows, table
from helpers.problems import everything

import wgan
from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.units import Units, fit, from_json
from wgan.errors import WganError
from wgan.evaluation.samples import from_file

pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_standardised_by_its_training_rows(tmp_path, delimiter):
    path = table(tmp_path / "x.csv", rows(), delimiter=delimiter)
    train, test = (open_source(str(path), s, options=ReadingOptions(labels="colour")) for s in ("train", "test"))
    x = everything(train)
    assert train.shape == (3,) and x.dtype == torch.float32 and train.class_names == ("blue", "red")
    assert torch.allclose(x.mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(x.std(0, correction=0), torch.ones(3), atol=1e-5)
    assert not torch.allclose(everything(test).mean(0), torch.zeros(3), atol=1e-3)  # held out: took no part in it
    assert "always" in train.notes[0]


def test_labels_none_of_a_table_is_no_columns_name(tmp_path):
    path = table(tmp_path / "x.csv", [r[:2] for r in rows()], NAMES[:2])
    assert open_source(str(path), options=ReadingOptions(labels="none")).classes == 0


def test_units_bring_every_row_back(tmp_path):
    source = open_source(str(table(tmp_path / "x.csv", rows())), "all", options=ReadingOptions(labels="colour"))
    back = source.units.restore(everything(source).numpy(), beyond_range=True)  # held-out rows may lie outside
    wanted = {tuple(float(v) for v in row[:4]) for row in rows()}
    assert all(any(np.allclose(row, want, rtol=1e-5, atol=1e-6) for want in wanted) for row in back)
    assert [source.units.column(back, i).dtype.kind for i in range(4)] == ["i", "f", "f", "i"]
    assert from_json(json.loads(json.dumps(source.units.to_json()))) == source.units


def test_whole_numbers_stay_within_their_type():
    units = Units(("a",), ("uint8",), (0,), (100.0,), (50.0,))
    assert units.restore(np.array([[9.0], [-9.0], [0.013]])).tolist() == [[255], [0], [101]]


def test_large_whole_numbers_keep_their_last_digit():
    values = 1_700_000_000 + np.arange(50)[:, None]
    units = fit(values, ["t"], ["int64"], [0], "x")
    assert np.array_equal(units.column(units.restore(units.standardise(values)), 0), values[:, 0])


def test_a_table_without_names_and_labels(tmp_path):
    source = open_source(str(table(tmp_path / "x.csv", [r[:2] for r in rows()], names=None)))
    assert source.shape == (2,) and source.classes == 0 and source.units.names == ()


def test_whole_numbers_are_never_guessed_to_be_labels(tmp_path):
    assert (
        open_source(str(table(tmp_path / "x.csv", [[*r[:2], i % 2] for i, r in enumerate(rows())], NAMES[:3]))).classes
        == 0
    )


def test_samples_of_a_table_have_its_columns_types_and_order(tmp_path, command, cheap):
    path = table(tmp_path / "x.csv", [[r[4], *r[:4]] for r in rows()], [NAMES[4], *NAMES[:4]])
    run = tmp_path / "run"
    words = ("--steps", 2, "--batch", 8, "--threads", 1, "--n-critic", 1, "--generator-layers", 8, "--critic-layers", 8)
    said = command("train", "--data", path, "--labels", "colour", "--run", run, *words)
    assert said.code == 0 and f"next: wgan sample {run} -n 100 --out rows.csv" in said.out
    for name in ("s.csv", "s.npz", "s.npy", "s.TSV"):
        assert command("sample", run, "-n", 6, "--labels", "blue,red", "--out", tmp_path / name).code == 0
    lines = list(csv.reader((tmp_path / "s.csv").open()))
    assert lines[0] == [NAMES[4], *NAMES[:4]] and len(lines) == 7
    assert list(csv.reader((tmp_path / "s.TSV").open(), delimiter="\t")) == lines
    assert [line[0] for line in lines[1:]] == ["blue", "red"] * 3
    assert all(
        line[4] == "7" and int(line[1]) is not None and len(line[2].partition(".")[2]) == 2 for line in lines[1:]
    )
    arrays = np.load(tmp_path / "s.npz")
    assert arrays["columns"].tolist() == NAMES[:4] and arrays["labels"].tolist() == ["blue", "red"] * 3
    assert np.array_equal(arrays["samples"], np.load(tmp_path / "s.npy"))
    assert np.allclose(arrays["samples"], [[float(v) for v in line[1:]] for line in lines[1:]])
    model = wgan.load(run)
    assert np.array_equal(model.sample(6, ["blue", "red"]).numpy(), arrays["samples"])
    assert abs(np.median(arrays["samples"][:, 1]) - 100) < 60  # in the user's units


def test_samples_in_own_units_are_measured_in_those_of_training(tmp_path):
    source = open_source(str(table(tmp_path / "x.csv", [r[:4] for r in rows()], NAMES[:4])), "all")
    np.savez(tmp_path / "s.npz", samples=np.array([r[:4] for r in rows()], dtype=np.float64))
    fakes = from_file(tmp_path / "s.npz", 100, source).fakes
    assert torch.allclose(fakes.sort(0).values, everything(source).sort(0).values, atol=1e-5)
    turned = table(tmp_path / "s.csv", [r[3::-1] for r in rows()], NAMES[3::-1])  # its columns in another order
    assert torch.equal(from_file(turned, 100, source).fakes, fakes)
    table(tmp_path / "other.csv", [r[:4] for r in rows()], ["age", "price", "tiny", "never"])
    with pytest.raises(WganError, match=r"other columns: only one of them has always, never$"):
        from_file(tmp_path / "other.csv", 100, source)


def test_a_table_of_samples_is_held_against_data_read_as_asked(tmp_path, command):
    data = table(tmp_path / "x.csv", rows())
    made = table(tmp_path / "made.csv", [*rows(), *rows()])
    words = ("evaluate", made, "--data", data, "-n", 120, "--metrics", "sliced-w1")
    assert command(*words).code == 0  # a column of words is one like others
    assert command(*words, "--labels", "colour").code == 0
    source = open_source(str(data), options=ReadingOptions(labels="colour"))
    found = from_file(made, 120, source)
    assert [source.class_names[i] for i in found.labels[:3]] == ["blue", "red", "blue"] and len(found.fakes) == 120
    bare = table(tmp_path / "bare.csv", [r[:4] for r in rows()], NAMES[:4])  # no class: figures of all
    assert from_file(bare, 100, source).labels is None
    refused = command("evaluate", tmp_path, "--labels", "colour", "-n", 100).sentence()
    assert "are read as it read them" in refused


def test_text_that_is_not_utf8_is_said_to_be_so(tmp_path):
    (tmp_path / "x.csv").write_bytes("größe\n".encode("latin-1") + b"1\n" * 60)
    assert refusal(tmp_path / "x.csv").endswith("is not UTF-8 text: save it as CSV in UTF-8")


@pytest.mark.parametrize("options", [{}, {"columns": "a=category"}])
def test_parquet_needs_its_library(tmp_path, monkeypatch, options):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    assert "pip install 'wgan[parquet]'" in refusal(tmp_path / "x.parquet", **options)


def test_the_hub_without_a_network_is_one_sentence(monkeypatch, caplog):
    def load_dataset(name):
        logging.getLogger("huggingface_hub.utils").warning("Retrying")
        raise ConnectionError(f"no way to {name}\nmore")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(
        WganError, match=r"^hf:a/b cannot be loaded: no such data set, or no connection \(no way to a/b\)$"
    ):
        open_source("hf:a/b")
    assert not caplog.records and logging.getLogger("huggingface_hub").level == logging.NOTSET


def test_the_hub_needs_its_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    assert "pip install 'wgan[hf]'" in refusal("hf:fashion_mnist")


def test_parquet_keeps_types(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(0)
    columns = {
        "a": pa.array(rng.integers(0, 9, N).astype(np.int16)),
        "b": pa.array(rng.normal(size=N).astype(np.float32)),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    source = open_source(str(tmp_path / "x.parquet"))
    assert source.units.kinds == ("int16", "float32") and source.units.names == ("a", "b")


def test_samples_have_the_types_and_order_of_a_parquet_file(tmp_path, command, cheap):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(0)
    columns = {
        "a": pa.array(rng.integers(-9, 9, N).astype(np.int16)),
        "kind": pa.array(["x", "y"] * (N // 2)),
        "b": pa.array(rng.normal(1e-3, 1e-4, size=N).astype(np.float32)),
        "c": pa.array(rng.integers(0, 255, N).astype(np.uint8)),
        "d": pa.array(rng.normal(1e6, 1, size=N)),
        "always": pa.array(np.full(N, 7)),
    }
    real = pa.table(columns)
    pq.write_table(real, tmp_path / "x.parquet")
    words = ("--steps", 2, "--batch", 8, "--threads", 1, "--generator-layers", 8, "--critic-layers", 8)
    run = tmp_path / "run"
    assert command("train", "--data", tmp_path / "x.parquet", "--labels", "kind", "--run", run, *words).code == 0
    assert command("sample", run, "-n", 7, "--labels", "x,y", "--out", tmp_path / "s.parquet").code == 0
    made = pq.read_table(tmp_path / "s.parquet")
    assert made.schema.equals(real.schema) and made.num_rows == 7
    assert made.column("kind").to_pylist() == ["x", "y"] * 3 + ["x"]
    assert all(0 < v < 0.01 for v in made.column("b").to_pylist()) and abs(made.column("d")[0].as_py() - 1e6) < 100
    assert command("sample", run, "-n", 7, "--labels", "x,y", "--out", tmp_path / "s.csv").code == 0  # the same samples
    lines = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert [int(line["a"]) for line in lines] == made.column("a").to_pylist()
    again = command("train", "--data", tmp_path / "s.parquet", "--labels", "kind", "--run", tmp_path / "again", *words)
    assert "has 7 samples: at least 40" in again.sentence()  # it reads what it writes


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([1.0, float("inf")] * 30, "30 NaN or infinite values"),
        (["a word", "inf"] * 3 + ["inf"] * 54, "column q of"),
        ([f"a long sentence about number {i}, unlike every other sentence" for i in range(60)], "column q of"),
    ],
)
def test_a_parquet_column_that_is_no_number_is_refused_by_name(tmp_path, column, said):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"p": list(range(60)), "q": column}), tmp_path / "x.parquet")
    assert said in refusal(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot be read as Parquet" in refusal(tmp_path / "x.parquet")
