"""`wgan export --to onnx`: onnxruntime gives what PyTorch gives, whatever the batch; what differs or is missing is refused."""

import json
import sys

import numpy as np
import pytest
import torch
from helpers.models import KINDS, untrained

import wgan
from wgan.data.tabular.coding import fit_number
from wgan.data.tabular.table import Column
from wgan.data.units import fit
from wgan.errors import WganError
from wgan.export import onnx as exporter
from wgan.export.onnx import Plan, apart, checked, export_onnx
from wgan.export.onnx_rows import Cell, Restore, compared, rows_apart
from wgan.sampling.latents import latents

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def digits(conditional_run, tmp_path_factory):
    """A conditional run's file, and what export_onnx said of it."""
    path = tmp_path_factory.mktemp("onnx") / "digits.onnx"
    return path, export_onnx(wgan.load(conditional_run), path, rgb=True)


def test_the_file_gives_the_samples_of_the_run_for_any_batch(digits, conditional_run):
    path, said = digits
    assert said.difference <= 1e-4 and said.inputs == ["z", "label"] and said.outputs == ["images", "samples"]
    model, found = wgan.load(conditional_run), session(path)
    for n in (1, 2, 7, 64):
        z, y = latents(3, n, 8), model.labels(n, None)
        images, floats = found.run(None, {"z": z.numpy(), "label": y.numpy()})
        wanted = model.decode(z, y)
        assert images.shape == (n, 3, 28, 28) and images.dtype == np.uint8  # as torch-fidelity reads them
        assert np.abs(floats - wanted.as_subclass(torch.Tensor).numpy()).max() < 1e-4
        assert np.abs(images[:, 1].astype(int) - wanted.to_images()).max() <= 1
        assert (images[:, 0] == images[:, 2]).all()


def test_the_file_is_alone_and_says_what_it_is(digits, conditional_run):
    path, _ = digits
    assert [p.name for p in path.parent.iterdir()] == ["digits.onnx"]
    about = session(path).get_modelmeta().custom_metadata_map
    assert json.loads(about["class_names"]) == list("0123456789") and json.loads(about["wgan"])["step"] == 2


@pytest.mark.parametrize("kind", ["transposed-odd", "resnet-class"])
def test_convolutional_generators_are_converted(kind, tmp_path):
    shape, classes, options = KINDS[kind]
    assert export_onnx(untrained(shape, classes, **options), tmp_path / "g.onnx").difference <= 1e-4


def test_the_command_prints_the_difference_and_the_critic_scores(conditional_run, command, tmp_path):
    said = command("export", conditional_run, "--to", "onnx", "--critic", "--out", tmp_path / "d.onnx")
    assert said.code == 0 and "x, label -> score" in said.out and "differs from PyTorch by at most" in said.out, said
    assert said.err == ""
    found = session(tmp_path / "d.onnx")
    x = np.zeros((3, 1, 28, 28), np.float32)
    assert found.run(None, {"x": x, "label": np.array([0, 1, 2])})[0].shape == (3,)


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 50, 400), rng.normal(5, 2, 400).round(2), np.full(400, 3.5), rng.normal(0, 1e4, 400)]
    return fit(
        np.stack(rows, 1),
        ["age", "price", "same", "income"],
        ["int64", "float64", "float64", "float32"],
        [-1, 2, -1, -1],
        "t",
    )


def test_rows_are_restored_as_the_library_restores_them(table):
    x = torch.randn(2000, 3) * 2
    assert np.array_equal(Restore(table)(x.double()).numpy(), table.restore(x.numpy()))
    assert len(np.unique(table.restore(x.numpy())[:, 0])) > 20


def test_a_table_comes_in_its_own_units(table, tmp_path):
    model = untrained((3,), 0, "vectors", table.to_json(), generator_layers="32")
    said = export_onnx(model, tmp_path / "t.onnx")
    assert said.inputs == ["z"] and said.outputs == ["rows", "samples"]
    found = session(tmp_path / "t.onnx")
    rows, floats = found.run(None, {"z": latents(0, 50, 16).numpy()})
    assert rows.dtype == np.float64 and rows.shape == (50, 4)
    assert np.abs(rows - table.restore(floats)).max() <= 1e-9
    assert json.loads(found.get_modelmeta().custom_metadata_map["columns"]) == ["age", "price", "same", "income"]


def test_rows_are_compared_before_they_are_rounded(table):
    """On one processor 3e-7 of a column of 10,000 was 1.4e-4 of a row near 0, and the file was refused."""
    restore, x = Restore(table), np.float32(np.random.default_rng(1).normal(size=(500, 3)))
    rows, near = restore(torch.from_numpy(x).double()).numpy(), x + np.float32(3e-7)
    other = restore(torch.from_numpy(near).double()).numpy()
    assert apart(other, rows) > 1e-4 > 1e-6 > rows_apart([other, near], [rows, x], restore) > 0
    assert rows_apart([rows + 1e-3, x], [rows, x], restore) == rows_apart([rows[1:], x], [rows, x], restore) == np.inf
    assert rows_apart([rows, x + np.float32(0.5)], [rows, x], restore) > 0.05
    assert rows_apart([rows, x[1:]], [rows, x], restore) == np.inf


def asked_of(model, n):
    """Return what n rows are asked for, and the input of the file that says so."""
    if model.network.classes:
        y = torch.arange(n) % model.network.classes
        return y, {"label": y.numpy()}
    counts = torch.tensor([model.table.columns[i].coding.slots + 1 for i in model.table.asked])
    y = torch.arange(n)[:, None] % counts
    return y, {"asked": y.numpy()}


def test_a_table_of_any_kind_comes_as_codes_of_its_values(shop, tmp_path):
    said = export_onnx(shop, tmp_path / "t.onnx")
    assert said.difference <= 1e-4 and said.outputs == ["rows", "samples"]
    found, z = session(tmp_path / "t.onnx"), latents(5, 400, shop.network.latent)
    y, given = asked_of(shop, 400)
    rows, numbers = found.run(None, {"z": z.numpy(), **given})
    made = shop.decode(z, y).as_subclass(torch.Tensor).numpy()
    alike = np.abs(numbers - made).max(1) < 1e-4
    assert alike.mean() > 0.99 and np.allclose(rows, shop.table.decode(numbers), rtol=1e-9, equal_nan=True)
    about = json.loads(found.get_modelmeta().custom_metadata_map["columns"])
    assert [c["name"] for c in about] == shop.table.names
    colour = shop.table.names.index("colour")
    assert {about[colour]["levels"][int(code)] for code in rows[:, colour]} == {"red", "blue, dark", 'a "b"'}


@pytest.mark.parametrize("decimals", [0, 12])  # values that are listed, and quantiles of many
def test_a_score_is_decoded_as_the_library_decodes_it(decimals):
    draw = np.random.default_rng(0)
    codes = np.where(draw.random(3000) < 0.2, np.nan, draw.normal(30, 9, 3000).round(decimals))
    column = Column("c", "number", fit_number(codes), digits=decimals)
    assert column.coding.lattice == (decimals == 0) and column.coding.missing
    slot, score = draw.integers(0, column.coding.slots, 2000), draw.normal(0, 1.7, 2000).astype(np.float32)
    x = np.concatenate([np.eye(column.coding.slots)[slot], score[:, None]], 1)
    made = Cell(column)(torch.from_numpy(slot), torch.from_numpy(score)).numpy()
    assert np.allclose(made, column.round(column.coding.decode(x)), rtol=1e-12, equal_nan=True)


def test_the_file_gives_the_value_that_is_asked_for(shop, tmp_path):
    if shop.network.classes:
        pytest.skip("its rows are asked for by class")
    export_onnx(shop, tmp_path / "t.onnx")
    found = session(tmp_path / "t.onnx")
    about = json.loads(found.get_modelmeta().custom_metadata_map["columns"])
    asked = [c for c in about if "asked" in c]
    at, column = [c["name"] for c in asked].index("colour"), shop.table.names.index("colour")
    for number, level in enumerate(asked[at]["asked"], 1):
        y = np.zeros((30, len(asked)), np.int64)
        y[:, at] = number
        rows, _ = found.run(None, {"z": latents(1, 30, shop.network.latent).numpy(), "asked": y})
        assert {about[column]["levels"][int(code)] for code in rows[:, column]} == {level}


def test_rows_of_other_values_are_seen(shop):
    numbers = (
        shop.decode(latents(0, 200, shop.network.latent), asked_of(shop, 200)[0]).as_subclass(torch.Tensor).numpy()
    )
    rows, hot = shop.table.decode(numbers), shop.table.names.index("colour")
    assert compared([rows, numbers], [rows, numbers], shop.table) == 0
    other = rows.copy()
    other[:, hot] = (other[:, hot] + 1) % 3
    assert compared([other, numbers], [rows, numbers], shop.table) == float("inf")
    start = sum(c.coding.width for c in shop.table.columns[:hot])
    turned = numbers.copy()
    turned[:, start : start + 3] = np.roll(numbers[:, start : start + 3], 1, 1)
    assert compared([shop.table.decode(turned), turned], [rows, numbers], shop.table) == float("inf")
    shifted = numbers.astype(np.float64)
    score = shop.table.columns[0].coding.slots
    shifted[:, score] += 0.25 * (numbers[:, score] != 0)
    assert compared([shop.table.decode(shifted), shifted], [rows, numbers], shop.table) > 0.05


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_difference_is_seen(digits):
    """The same file against a network that gives a little more."""

    class More(torch.nn.Module):
        def forward(self, z, label):
            images, floats = session(digits[0]).run(None, {"z": z.numpy(), "label": label.numpy()})
            return torch.from_numpy(images), torch.from_numpy(floats) + 0.01

    given = {"z": latents(0, 1000, 8), "label": torch.arange(1000) % 10}
    assert checked(digits[0].read_bytes(), Plan(More(), given, [])) == pytest.approx(0.01, rel=1e-3)


def test_two_arrays_are_as_far_apart_as_their_worst_number():
    a = np.array([0.5, 100.0])
    assert apart(a, a + np.array([0, 1])) == pytest.approx(1 / 101) and apart(
        a, a + np.array([0.1, 0])
    ) == pytest.approx(0.1)
    assert apart(a, a[:1]) == apart(a, a.astype(np.float32)) == float("inf")
    images = np.array([3, 250], np.uint8)
    assert apart(images, images + np.uint8(1)) == 0 and apart(images, images + np.uint8(2)) == float("inf")


def test_a_file_that_differs_is_not_written(conditional_run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "converted", lambda *_: b"")
    monkeypatch.setattr(exporter, "checked", lambda *_: 0.5)
    with pytest.raises(WganError, match=r"differs from PyTorch by 0.5, more than 0.0001: it is not written"):
        export_onnx(wgan.load(conditional_run), tmp_path / "g.onnx")
    assert list(tmp_path.iterdir()) == []


class Strange(torch.nn.Module):
    """A layer whose operator ONNX lacks."""

    def forward(self, z):
        return torch.special.zeta(z.abs() + 2, z.abs() + 1)


def test_an_operator_that_onnx_lacks_is_named():
    with pytest.raises(WganError, match=r"ONNX cannot hold this network: .*zeta"):
        exporter.converted(Plan(Strange().eval(), {"z": latents(0, 1000, 16)}, ["x"]), {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rgb",), "--rgb is for grey images"),
        (("--out", "x.txt"), "give a .onnx file"),
        (("--push", "a/b"), "for --to hub"),
    ],
)
def test_what_means_nothing_to_the_target_is_refused(ring_run, words, said, command, here):
    assert said in command("export", ring_run, "--to", "onnx", *words).sentence()
    assert list(here.iterdir()) == []


def test_an_exported_model_holds_no_critic(conditional_run, command, here):
    assert command("export", conditional_run, "--to", "hub", "--out", "m").code == 0
    assert "holds no critic" in command("export", "m", "--to", "onnx", "--critic").sentence()


def test_without_the_extra_a_sentence_says_how_to_get_it(conditional_run, command, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "pip install 'wgan[onnx]'" in command("export", conditional_run, "--to", "onnx").sentence()
    assert list(here.iterdir()) == []
