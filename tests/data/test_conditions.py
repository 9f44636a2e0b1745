"""Conditions of arrays: where they are found, their units, and what is refused in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.own_data import refusal

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.conditions import KEPT, Conditions, fit, from_json
from wgan.data.own.condition_columns import read_column
from wgan.data.own.in_memory import spec_of
from wgan.errors import WganError

pytestmark = pytest.mark.usefixtures("cache")
N = 60


def arrays():
    """Samples whose first number tells the conditions of each: energy is ten times it, kind its parity."""
    i = np.arange(N)
    samples = np.stack([i, np.random.default_rng(0).normal(size=N)], 1)
    return {"samples": samples, "energy": 10.0 * i, "kind": np.array(["even", "odd"])[i % 2], "labels": i % 3}


def saved(path, **changes):
    np.savez(path, **{**arrays(), **changes})
    return path


def opened(path, names="energy,kind", split="train"):
    return open_source(str(path), split, options=ReadingOptions(conditions=names))


def first_numbers(source):
    """The first number of each sample, in the user's units."""
    return source.units.restore(source.batch(torch.arange(len(source)))[0].numpy())[:, 0]


def values_of(source):
    """What is told of each sample, brought back: its number, and the name of its category."""
    number, *hot = source.told.numpy().T
    c = source.conditions.columns
    return number * c[0].scale + c[0].mean, np.array(c[1].levels)[np.argmax(hot, 0)]


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_each_sample_keeps_its_own_conditions(split, tmp_path):
    source = opened(saved(tmp_path / "x.npz"), split=split)
    energy, kind = values_of(source)
    first = first_numbers(source)
    assert energy == pytest.approx(10 * first, abs=1e-3)
    assert [*kind] == [["even", "odd"][round(v) % 2] for v in first]
    assert source.labels is None and source.classes == 0
    x, told = source.batch(torch.tensor([3]))
    assert torch.equal(told, source.told[[3]]) and x.shape == (1, 2)


def test_numbers_are_standardised_by_training_samples(tmp_path):
    source = opened(saved(tmp_path / "x.npz"), "energy")
    told = source.told.numpy()[:, 0]
    assert told.mean() == pytest.approx(0, abs=1e-6) and told.std() == pytest.approx(1, abs=1e-6)
    test = opened(tmp_path / "x.npz", "energy", "test")
    assert test.conditions == source.conditions  # whose units the held-out part has, too
    assert abs(float(test.told.mean())) > 1e-6


@pytest.mark.parametrize("name", [None, "energy,kind", "kind,energy"])
def test_a_block_of_conditions_is_named_in_order(name, tmp_path):
    i = np.arange(N)
    block = {"conditions": np.stack([10.0 * i, i % 2], 1)}
    if name is None:
        block["condition_names"] = np.array(["energy", "kind"])
    np.savez(tmp_path / "x.npz", samples=arrays()["samples"], **block)
    source = opened(tmp_path / "x.npz", name or "kind,energy")
    at = source.conditions.names.index("kind" if name == "kind,energy" else "energy")
    c = source.conditions.columns[at]
    assert source.told.numpy()[:, at] * c.scale + c.mean == pytest.approx(10 * first_numbers(source), abs=1e-3)


def test_conditions_lie_beside_an_array_of_their_own(tmp_path):
    np.save(tmp_path / "x.npy", arrays()["samples"])
    np.save(tmp_path / "x.conditions.npy", arrays()["energy"])
    source = opened(tmp_path / "x.npy", "energy")
    assert source.told.numpy()[:, 0] * source.conditions.columns[0].scale == pytest.approx(
        10 * first_numbers(source) - source.conditions.columns[0].mean, abs=1e-3
    )


def test_parts_have_conditions_of_their_own(tmp_path):
    whole = arrays()
    parts = {f"{name}_train": v[:40] for name, v in whole.items()} | {
        f"{name}_test": v[40:] for name, v in whole.items()
    }
    np.savez(tmp_path / "x.npz", **{name.replace("samples", "x"): v for name, v in parts.items()})
    test = opened(tmp_path / "x.npz", split="test")
    assert len(test) == 20 and values_of(test)[0] == pytest.approx(whole["energy"][40:], abs=1e-3)
    del parts["energy_test"]
    np.savez(tmp_path / "y.npz", **{name.replace("samples", "x"): v for name, v in parts.items()})
    assert "has no condition energy for test" in refusal(tmp_path / "y.npz", conditions="energy")


def test_a_dict_in_python_is_read_as_its_file(tmp_path):
    given, saved_ones = opened(spec_of(arrays())), opened(saved(tmp_path / "x.npz"))
    assert torch.equal(given.told, saved_ones.told) and given.fingerprint == saved_ones.fingerprint
    for wrong in ({}, {1: arrays()["samples"]}):
        with pytest.raises(WganError, match="names of arrays"):
            spec_of(wrong)


def test_the_fingerprint_follows_the_conditions(tmp_path):
    one = opened(saved(tmp_path / "x.npz"), "energy").fingerprint
    other = opened(saved(tmp_path / "y.npz", energy=arrays()["energy"][::-1]), "energy").fingerprint
    assert one != other != opened(tmp_path / "x.npz", "energy,kind").fingerprint


@pytest.mark.parametrize(
    ("names", "changes", "said"),
    [
        ("enrgy", {}, "has no condition enrgy: did you mean energy?"),
        ("energy", {"energy": np.where(np.arange(N) == 7, np.nan, 1.0)}, "for 1 of 60 samples, the first is sample 7"),
        ("energy", {"energy": np.full(N, 5.0)}, "is 5 for every training sample"),
        ("kind", {"kind": np.full(N, "odd")}, "is odd for every training sample"),
        ("kind", {"kind": np.where(np.arange(N) == 9, "NA", "odd")}, "the first is sample 9"),
        ("energy", {"energy": np.arange(N - 1.0)}, "60 samples and condition energy of shape [59]"),
        ("energy", {"energy": np.ones((N, 2))}, "60 samples and condition energy of shape [60, 2]"),
        ("energy", {"energy": np.ones(N, np.complex64)}, "must be numbers or texts, not complex64"),
        ("energy,", {}, "each name once"),
        ("energy,energy", {}, "each name once"),
        ("a,b", {"conditions": np.ones((N, 3))}, "has 3 conditions for each sample and 2 names"),
    ],
)
def test_what_cannot_be_told_is_refused(names, changes, said, tmp_path):
    assert said in refusal(saved(tmp_path / "x.npz", **changes), conditions=names)


def test_identifiers_are_no_category():
    names = np.array([f"n{i}" for i in range(300)])
    with pytest.raises(WganError, match="300 different texts"):
        fit({"name": names}, np.ones(300, np.bool_), "here")


def test_a_level_of_held_out_samples_alone_is_never_asked():
    kind = np.array([*"ab" * 10, "c"])
    found, codes = fit({"kind": kind}, np.arange(21) < 20, "here")
    assert found.columns[0].levels == ("a", "b", "c") and found.columns[0].trained == (10, 10, 0) and codes[20] == 2
    assert found.columns[0].code("b") == 1
    with pytest.raises(WganError, match="never learned"):
        found.columns[0].code("c")


def test_data_without_a_place_for_conditions_refuse_them(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i}" for i in range(50)))
    assert "none of these: leave conditions out" in refusal(tmp_path / "t.csv", conditions="a", kind="signal")
    with pytest.raises(WganError, match="ring is bundled"):
        opened("ring")


def fitted(n=N):
    return fit({name: arrays()[name][:n] for name in ("energy", "kind")}, np.ones(n, np.bool_), "here")


def test_conditions_survive_json():
    found, codes = fitted()
    assert from_json(json.loads(json.dumps(found.to_json()))) == found and len(found.rows) == N
    assert sorted(found.rows) == sorted(map(tuple, codes.tolist()))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": [], "rows": [[], []]},
        {"rows": []},
        {"rows": [[1.0]]},
        {"rows": [[1.0, 2.0]]},
        {"rows": [[1.0, -1.0]]},
        {"rows": [[1.0, 0.5]]},
        {"rows": [[float("nan"), 0.0]]},
        {"columns": [{"name": "energy"}]},
        {"columns": 5},
    ],
)
def test_damaged_conditions_are_told(change):
    whole = fitted()[0].to_json()
    with pytest.raises(WganError, match=r"in run\.json, are damaged"):
        from_json({**whole, **change})


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (0, {"scale": 0.0}),
        (0, {"scale": -1.0}),
        (0, {"mean": float("inf")}),
        (0, {"low": 1e9}),
        (0, {"name": 5}),
        (0, {"colour": 5}),
        (1, {"name": 5}),
        (1, {"levels": ["even", 5]}),
        (1, {"trained": [30]}),
        (1, {"trained": [30, -1]}),
        (1, {"trained": [30, 1.5]}),
        (1, {"trained": [0, 0]}),
    ],
)
def test_a_damaged_condition_is_told(at, field):
    columns = [*fitted()[0].to_json()["columns"]]
    columns[at] = {**columns[at], **field}
    with pytest.raises(WganError, match=r"in run\.json, are damaged"):
        from_json({**fitted()[0].to_json(), "columns": columns})


def test_a_run_keeps_so_many_rows_and_no_more():
    found, _ = fit({"energy": np.arange(KEPT + 500.0)}, np.ones(KEPT + 500, np.bool_), "here")
    kept = np.array(found.rows)[:, 0]
    assert len(kept) == len(set(kept)) == KEPT
    assert kept.mean() == pytest.approx(found.columns[0].mean, abs=40)  # a fair part of them, not the first


def test_drawn_rows_are_rows_of_the_data():
    found, codes = fitted()
    drawn = found.drawn(np.linspace(0, 0.999, 500))
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in codes.tolist()}
    assert isinstance(found, Conditions) and found.width == 3 and found.names == ["energy", "kind"]


def test_numbers_can_be_names_of_classes(tmp_path):
    source = opened(saved(tmp_path / "x.npz"), "labels:category,energy")
    c = source.conditions.columns
    assert c[0].levels == ("0", "1", "2") and not c[1].levels and source.conditions.width == 4
    assert opened(tmp_path / "x.npz", "labels,energy").conditions.width == 2


@pytest.mark.parametrize(
    ("cells", "kind"),
    [(["1", " 2.5", "-3e2"], "f"), (["01", "2", "3"], "U"), (["1", "x", "3"], "U"), (["0", "0.5", "1"], "f")],
)
def test_cells_are_numbers_where_all_of_them_are(cells, kind):
    assert read_column(cells).dtype.kind == kind


def table_of(path, change=lambda rows: rows):
    numbers = [7 * i % 61 for i in range(N)]  # of no order that would look like row numbers
    rows = [f"{x},{'red' if x % 3 else 'blue'},{2 * x + 0.5},{'mn'[x % 2]}" for x in numbers]
    path.write_text("\n".join(["x,colour,energy,sex", *change(rows)]) + "\n")
    return path


def test_columns_of_a_table_become_its_conditions(tmp_path):
    source = opened(table_of(tmp_path / "t.csv"), "energy,sex")
    assert [c.name for c in source.table.columns] == ["x", "colour"] and source.asked is None
    x = source.codes(torch.arange(len(source))).numpy()[:, 0]
    energy, sex = values_of(source)
    assert energy == pytest.approx(2 * x + 0.5, abs=1e-3) and [*sex] == ["mn"[int(v) % 2] for v in x]


@pytest.mark.parametrize(
    ("names", "change", "said"),
    [
        ("enrgy", lambda rows: rows, "no column 'enrgy' for a condition: did you mean energy?"),
        ("x,colour,energy,sex", lambda rows: rows, "every column is a condition"),
        ("energy", lambda rows: ["0,red,,m", *rows[1:]], "no value of condition energy for 1 of 60"),
        ("energy", lambda rows: ["0,red,-9,m", *rows[1:]], "no value of condition energy for 1 of 60"),
    ],
)
def test_a_table_without_its_conditions_is_refused(names, change, said, tmp_path):
    assert said in refusal(table_of(tmp_path / "t.csv", change), conditions=names, missing="-9")
