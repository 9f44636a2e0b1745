"""`--given`: what is asked of a run with conditions, what the rest gets, sweeps, and what is refused or warned of."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
import torch

import wgan
from wgan.cli import main as cli
from wgan.cli.sample import how_told
from wgan.data.conditions import fit
from wgan.encoding.train import train_encoder
from wgan.errors import WganError
from wgan.evaluation.evaluate import told_plan
from wgan.evaluation.samples import open_reals
from wgan.export.hub import export_hub
from wgan.sampling.dataset import SampleSet
from wgan.sampling.given import codes_of, grid_codes, read_given

SMALL = {"steps": 2, "batch": 8, "threads": 1, "conditions": "energy,kind", "sample_every": 1, "evaluate_every": 1}


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(0)
    energy, kind = draw.uniform(10, 90, 150), np.arange(150) % 2
    x = np.stack([energy + draw.normal(size=150), kind + draw.normal(size=150)], 1)
    return {"samples": x, "energy": energy, "kind": np.array(["muon", "pion, charged"])[kind]}


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return wgan.train(data=data, run=tmp_path_factory.mktemp("given") / "run", **SMALL)


@pytest.fixture(scope="module")
def model(run):
    return wgan.load(run)


def test_what_is_asked_is_what_samples_carry(model):
    made = model.sample(7, given="energy=50, kind=pion, charged")
    assert [*made.given["energy"]] == [50.0] * 7 and set(made.given["kind"]) == {"pion, charged"}
    assert made.warnings == () and made.labels is None
    same = model.sample(7, given={"energy": 50, "kind": "pion, charged"})
    assert torch.equal(made, same)
    assert not torch.equal(made, model.sample(7, given={"energy": 51, "kind": "pion, charged"}))
    assert not torch.equal(made, model.sample(7, given={"energy": 50, "kind": "muon"}))


def test_the_rest_is_as_in_training_samples(model, data):
    made = model.sample(120, given="kind=muon")
    assert set(made.given["energy"]) <= set(data["energy"]) and len(set(made.given["energy"])) > 20
    free = model.sample(120)
    known = set(zip(data["energy"], data["kind"], strict=True))
    assert set(zip(free.given["energy"], free.given["kind"], strict=True)) <= known  # both of one sample
    assert set(free.given["kind"]) == {"muon", "pion, charged"}
    few = model.sample(5)
    assert torch.equal(few, free[:5]) and [*few.given["energy"]] == [*free.given["energy"][:5]]
    assert [*free[3:9].given["energy"]] == [*free.given["energy"][3:9]]


def test_a_sweep_goes_along_the_columns_of_the_grid(model):
    made = model.sample(30, given="energy=20..80,kind=muon").given["energy"].reshape(3, 10)
    assert made == pytest.approx(np.tile(np.linspace(20, 80, 10), (3, 1)))
    codes = codes_of(read_given("energy=20..80", model.conditions), model.conditions, 100, 0)
    kinds = codes[:, 1].reshape(10, 10)
    assert (kinds == kinds[:, :1]).all() and len(set(kinds[:, 0])) == 2


def test_nothing_but_the_sweep_changes_along_a_row(model):
    made = model.sample(20, given="energy=50..50.000001,kind=muon").reshape(2, 10, 2)
    assert float((made - made[:, :1]).abs().max()) < 1e-3 < float((made[0] - made[1]).abs().max())


def test_two_sweeps_span_the_grid():
    found, _ = fit({"a": np.arange(50.0), "b": np.arange(50.0) * 2}, np.ones(50, np.bool_), "here")
    codes = codes_of(read_given("b=0..1,a=10..20", found), found, 30, 0).reshape(3, 10, 2)
    assert codes[:, :, 1] == pytest.approx(np.tile(np.linspace(0, 1, 10), (3, 1)))  # the first that is named
    assert codes[:, :, 0] == pytest.approx(np.repeat([[10], [15], [20]], 10, 1))


def test_a_short_row_reaches_the_end_of_a_sweep():
    found, _ = fit({name: np.arange(50.0) for name in ("a", "b", "ab")}, np.ones(50, np.bool_), "here")
    assert codes_of(read_given("a=20..80", found), found, 4, 0)[:, 0].tolist() == [20, 40, 60, 80]
    with pytest.raises(WganError, match="sweeps more than two"):
        read_given("a=0..1,b=0..1,ab=0..1", found)


def test_the_grid_of_a_run_sweeps_its_first_condition():
    raw = {"a": np.linspace(10, 19, 50), "kind": np.array(["x", "y"] * 25)}
    train = np.ones(50, np.bool_)
    codes = grid_codes(fit(raw, train, "here")[0], 30, 0).reshape(3, 10, 2)
    assert codes[:, :, 0] == pytest.approx(np.tile(np.arange(10.0, 20.0), (3, 1))) and {*codes[:, :, 1].flat} == {0, 1}
    levels = {"kind": np.array(["x", "y", "z"] * 16 + ["w", "w"])}
    codes = grid_codes(fit(levels, np.arange(50) < 48, "here")[0], 20, 0)
    assert codes[:, 0].tolist() == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1] * 2  # w was never trained


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("enrgy=5", "unknown condition 'enrgy': did you mean energy?"),
        ("energy=5,knd=muon", "unknown condition 'knd'"),
        ("energy", "'energy' has no value"),
        ("energy=", "'energy' has no value"),
        ("energy=high", "energy is a number, from "),
        ("energy=nan", "energy is a number, from "),
        ("energy=5..high", "energy is a number, from "),
        ("kind=moun", "did you mean muon?"),
        ("energy=5,energy=6", "asks for energy twice"),
        ("", "given is empty"),
        ({"energy": (1, 2, 3)}, "has 3 values"),
        ({"enrgy": 5}, "unknown condition 'enrgy'"),
    ],
)
def test_what_was_never_learned_is_refused(given, said, model):
    with pytest.raises(WganError) as caught:
        model.sample(3, given=given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_level_without_training_samples_is_refused(model):
    from dataclasses import replace

    c = replace(model.conditions.columns[1], trained=(0, 5))
    with pytest.raises(WganError, match="never learned"):
        c.code("muon")


def test_outside_of_the_training_range_is_made_and_said(model, run, tmp_path, capsys):
    made = model.sample(3, given="energy=95..200")
    assert len(made) == 3 and "energy 95 and 200 lie outside of the training range" in made.warnings[0]
    c = model.conditions.columns[0]
    hardly = c.high + 0.005 * (c.high - c.low)
    assert model.sample(1, given={"energy": hardly}).warnings == ()
    assert "energy 95 lies outside" in model.sample(1, given="energy=95").warnings[0]
    assert cli.main(["sample", str(run.path), "--given", "energy=95", "--out", str(tmp_path / "s.npz")]) == 0
    assert "outside of the training range" in capsys.readouterr().err


def test_files_of_samples_hold_their_conditions(run, tmp_path):
    words = ["sample", str(run.path), "-n", "6", "--given", "energy=50", "--out"]
    for name in ("s.npz", "s.csv"):
        assert cli.main([*words, str(tmp_path / name)]) == 0
    with np.load(tmp_path / "s.npz") as found:
        assert (found["energy"] == 50).all() and len(found["kind"]) == 6
    rows = [*csv.DictReader((tmp_path / "s.csv").open())]
    assert {row["energy"] for row in rows} == {"50.0"} and {row["kind"] for row in rows} <= {"muon", "pion, charged"}


def test_a_file_of_samples_trains_again(run, tmp_path):
    assert cli.main(["sample", str(run.path), "-n", "60", "--out", str(tmp_path / "s.npz")]) == 0
    again = wgan.train(data=str(tmp_path / "s.npz"), run=tmp_path / "again", **SMALL)
    assert wgan.load(again).conditions.names == ["energy", "kind"]


def test_labels_and_conditions_are_not_taken_for_each_other(model, run, data, tmp_path):
    with pytest.raises(WganError, match="has no classes but conditions, energy, kind"):
        model.sample(3, label="muon")
    plain = wgan.train(data=data["samples"], run=tmp_path / "plain", steps=1, batch=8, threads=1)
    with pytest.raises(WganError, match="was trained without"):
        wgan.load(plain).sample(3, given="energy=5")
    with pytest.raises(WganError, match="product is for classes"):
        wgan.train(data=data, run=tmp_path / "product", **SMALL, conditioning="product")
    with pytest.raises(WganError, match="let the critic ignore"):
        wgan.train(data=data, run=tmp_path / "none", **SMALL, critic_conditioning="none")
    with pytest.raises(WganError, match="let the critic ignore"):
        wgan.train(
            data=data, run=tmp_path / "none", generator=Made(), **{**SMALL, "latent": 4}, critic_conditioning="none"
        )
    assert not (tmp_path / "none").exists()


def test_a_set_of_samples_holds_their_vectors(model):
    x, told = SampleSet(model, 5, seed=3)[4]
    made = model.sample(5, seed=3)
    assert torch.equal(x, made[4].as_subclass(torch.Tensor))
    assert float(told[0]) * model.conditions.columns[0].scale + model.conditions.columns[0].mean == pytest.approx(
        made.given["energy"][4], rel=1e-5
    )


def test_evaluation_asks_as_training_samples_were(run, model):
    reals = open_reals(run.config.data, 100, options=run.config)
    told = told_plan(reals, model, 100)
    assert {*map(tuple, told.tolist())} < {*map(tuple, reals.train.told.tolist())} and len(
        set(told[:, 0].tolist())
    ) == 100
    other = open_reals("swissroll", 100)
    assert torch.equal(told_plan(other, model, 100), model.usual(100, 0))
    subject = wgan.evaluate(run, n=100, metrics=["sliced-w1"]).results[0].measured.subject
    assert subject.labels is None and torch.equal(subject.told, told)


def test_what_cannot_ask_for_conditions_refuses(run):
    with pytest.raises(WganError, match="an encoder has no place"):
        train_encoder(run)


def test_a_level_may_hold_commas_and_signs_of_equality():
    raw = {"kind": np.array(["a, b=c", "d"] * 20), "low_energy": np.arange(40) % 7, "energy": np.arange(40.0)}
    found, _ = fit(raw, np.ones(40, np.bool_), "here")
    asked = read_given("kind=a, b=c, low_energy=3,energy=2", found)
    assert [(a.at, a.code) for a in asked] == [(0, 0), (1, 3), (2, 2)]
    with pytest.raises(WganError, match="unknown condition 'b'"):
        read_given("kind=d, b=c", found)


def test_an_array_has_its_conditions_next_to_it(data, tmp_path):
    whole = {**data, "energy": np.rint(data["energy"])}
    for name, conditions in (("numbers", "energy"), ("both", "energy,kind")):
        run = wgan.train(data=whole, run=tmp_path / name, **{**SMALL, "conditions": conditions})
        out = tmp_path / f"{name}.npy"
        assert cli.main(["sample", str(run.path), "-n", "4", "--given", "energy=50", "--out", str(out)]) == 0
        beside = out.with_suffix(".conditions.npy")
        assert beside.exists() == (name == "numbers")
    assert np.load(tmp_path / "numbers.conditions.npy").tolist() == [[50]] * 4


def test_an_exported_model_keeps_its_conditions(model, tmp_path):
    export_hub(model, tmp_path / "hub")
    there, asked = wgan.load(tmp_path / "hub"), "energy=50,kind=pion, charged"
    assert there.conditions == model.conditions
    assert torch.equal(there.sample(5, given=asked), model.sample(5, given=asked))
    assert torch.equal(there.sample(5), model.sample(5))
    card = (tmp_path / "hub" / "README.md").read_text()
    (call,) = re.findall(r"model\.(sample\(.*\))  #", card)
    made = eval(f"there.{call}", {"there": there})
    assert set(made.given["kind"]) == {"muon"} and made.warnings == ()
    assert "for given energy, kind" in card and "category of 2: muon, pion, charged" in card
    assert f"the conditions of {len(model.conditions.rows)} training samples" in card


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, ", energy, kind as in the training data"),
        ("kind=muon", ", the rest as in the training data"),
        ("kind=muon, energy = 50", ""),
    ],
)
def test_how_the_rest_was_chosen_is_said(given, said, model):
    assert how_told(model, given).startswith(said) and bool(how_told(model, given)) == bool(said)


def test_rows_of_a_table_are_asked_and_written(tmp_path):
    rows = [f"{i % 40},{'red' if i % 3 else 'blue'},{i // 2},{'mn'[i % 2]}" for i in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["x,colour,age,sex", *rows]))
    small = {"steps": 2, "batch": 10, "threads": 1, "generator_layers": "8", "critic_layers": "8"}
    run = wgan.train(data=str(tmp_path / "t.csv"), run=tmp_path / "run", conditions="age,sex", **small)
    out = tmp_path / "s.csv"
    assert cli.main(["sample", str(run.path), "-n", "8", "--given", "age=30,sex=n", "--out", str(out)]) == 0
    found = [*csv.DictReader(out.open())]
    assert {(row["age"], row["sex"]) for row in found} == {("30", "n")} and {"x", "colour"} < found[0].keys()
    assert {row["colour"] for row in found} <= {"red", "blue"}
    model = wgan.load(run)
    assert not torch.equal(model.sample(50, given="age=0"), model.sample(50, given="age=59"))
    with pytest.raises(WganError, match="ask for age, sex with given"):
        model.sample(3, where="colour=red")
    values = wgan.evaluate(run, n=100, metrics=["sliced-w1"]).results[0].values
    assert all(np.isfinite(v.value) for v in values if v.value is not None)


class Made(torch.nn.Module):
    """A caller's generator of two numbers that looks at the vector of conditions."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4 + 3, 2)

    def forward(self, z, y):
        return self.layer(torch.cat([z, y.to(z.dtype)], 1))


class Judged(torch.nn.Module):
    """A caller's critic of samples beside their conditions."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2 + 3, 1)

    def forward(self, x, y):
        return self.layer(torch.cat([x, y.to(x.dtype)], 1)).squeeze(1), None


@pytest.mark.parametrize("parts", [{"generator": Made}, {"critic": Judged}, {"generator": Made, "critic": Judged}])
def test_a_callers_own_networks_are_told_conditions(parts, data, tmp_path):
    made = {name: part() for name, part in parts.items()}
    run = wgan.train(data=data, run=tmp_path / "run", **{**SMALL, "latent": 4}, **made)
    model = wgan.load(run, **({"generator": Made()} if "generator" in parts else {}))
    assert [*model.sample(3, given="energy=50").given["energy"]] == [50.0] * 3
    assert not torch.equal(model.sample(3, given="energy=50,kind=muon"), model.sample(3, given="energy=90,kind=muon"))
    with pytest.raises(WganError, match="has conditions, no classes"):
        model.labels(3, "muon")
