"""SampleSet: the samples of model.sample one by one, made when they are asked for."""

import pytest
import torch
from torch.utils.data import DataLoader

import wgan
from wgan.errors import WganError
from wgan.sampling import dataset


@pytest.fixture(scope="module")
def model(conditional_run):
    return wgan.load(conditional_run)


@pytest.mark.parametrize("label", [None, 7, ["1", "2"]])
def test_the_samples_are_those_of_the_model(model, label):
    found, wanted = wgan.SampleSet(model, 130, label=label, seed=5), model.sample(130, label=label, seed=5)
    assert len(found) == 130
    assert torch.equal(torch.stack([x for x, _ in found]), wanted.as_subclass(torch.Tensor))
    assert [found.class_names[y] for _, y in found] == [str(name) for name in wanted.labels]
    assert type(found[0][0]) is torch.Tensor and torch.equal(found[-1][0], found[129][0])


@pytest.mark.parametrize("run", ["digits_run", "ring_run"])
def test_an_unconditional_model_gives_samples_alone(run, request):
    model = wgan.load(request.getfixturevalue(run))
    assert torch.equal(torch.stack(list(wgan.SampleSet(model, 101))), model.sample(101).as_subclass(torch.Tensor))


def test_rows_of_a_table_come_in_its_units(tmp_path, command, cheap):
    (tmp_path / "t.csv").write_text("age,name\n" + "\n".join(f"{20 + i % 50},{'ab'[i % 2]}" for i in range(200)))
    assert (
        command(
            "train",
            "--data",
            tmp_path / "t.csv",
            "--steps",
            1,
            "--batch",
            8,
            "--threads",
            1,
            "--run",
            tmp_path / "run",
            "--generator-layers",
            8,
            "--critic-layers",
            8,
        ).code
        == 0
    )
    model = wgan.load(tmp_path / "run")
    wanted = model.sample(120, seed=1).as_subclass(torch.Tensor)
    found = wgan.SampleSet(model, 120, seed=1)
    rows = torch.stack([item[0] if isinstance(item, tuple) else item for item in found])
    assert torch.equal(rows.nan_to_num(-1), wanted.nan_to_num(-1)) and rows[:, 0].min() >= 20


def test_a_loader_takes_it_in_any_order(model):
    found = wgan.SampleSet(model, 250)
    batches = list(DataLoader(found, batch_size=50, shuffle=True, generator=torch.Generator().manual_seed(0)))
    assert [tuple(x.shape) for x, _ in batches] == [(50, 1, 28, 28)] * 5
    assert torch.cat([y for _, y in batches]).bincount().tolist() == [25] * 10


def test_only_what_is_asked_for_is_made_and_once(model, monkeypatch):
    made = []
    decode = type(model).decode
    monkeypatch.setattr(type(model), "decode", lambda self, z, y: (made.append(len(z)), decode(self, z, y))[1])
    found = wgan.SampleSet(model, 10**6)
    assert made == []
    for index in (999_999, 999_900, 42, 41, 999_950):
        assert found[index][0].shape == (1, 28, 28)
    assert made == [100, 100]
    assert [len(block) for block in found.blocks.values()] == [100, 100]


def test_more_than_may_be_kept_is_made_again(model, monkeypatch):
    monkeypatch.setattr(dataset, "KEPT", 2 * 100 * 784 * 4)
    found = wgan.SampleSet(model, 400)
    first = found[0][0]
    for index in (100, 200, 300):
        found[index]
    assert list(found.blocks) == [2, 3] and torch.equal(found[0][0], first)


@pytest.mark.parametrize("n", [0, -1, 2**40])
def test_a_number_of_samples_that_is_none_is_refused(model, n):
    with pytest.raises(WganError, match="n must be between 1"):
        wgan.SampleSet(model, n)


def test_an_unknown_label_or_seed_is_refused_at_once(model):
    with pytest.raises(WganError, match="unknown label 'eleven'"):
        wgan.SampleSet(model, 5, label="eleven")
    with pytest.raises(WganError, match="seed must be"):
        wgan.SampleSet(model, 5, seed=-1)
    with pytest.raises(IndexError):
        wgan.SampleSet(model, 5)[5]
