"""A Source that Python gives: checked, divided, known by its content in this program, and refused elsewhere in a sentence."""

import dataclasses

import pytest
import torch
from helpers.run_folders import without_events

import wgan
from wgan.data import Source, open_source
from wgan.data.own import given_source
from wgan.data.own.in_memory import spec_of
from wgan.errors import WganError

SMALL = {
    "generator_layers": "8",
    "critic_layers": "8",
    "batch": 8,
    "n_critic": 1,
    "threads": 1,
    "latent": 3,
    "log_every": 1,
}


def line(count=80, classes=0, step=1.0):
    """Points (i, -i) * step; labels i mod classes."""
    i = torch.arange(count, dtype=torch.float32) * step
    x = torch.stack([i, -i], 1)
    y = torch.arange(count) % classes if classes else None
    names = tuple("abc"[:classes])
    return Source("mine", "train", (2,), count, lambda k: x[k], y, classes, names)


def test_one_source_is_divided_and_a_pair_is_not():
    spec = spec_of(line(80, 2))
    train, test, both = (open_source(spec, split) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(both)) == (60, 20, 80)
    x, y = both.batch(torch.arange(80))
    assert sorted(x[:, 0].tolist()) == list(range(80)) and torch.equal(x[:, 0].long() % 2, y)
    assert torch.equal(train.batch(torch.tensor([5, 0]))[0], x[[5, 0]]) and torch.equal(
        test.batch(torch.tensor([3]))[0], x[[63]]
    )
    pair = spec_of((line(80), line(50, step=0.5)))
    assert [len(open_source(pair, split)) for split in ("train", "test")] == [80, 50]
    assert spec_of(line(80, 2)) == spec and spec_of(line(80, 2, step=2.0)) != spec
    assert train.recipe == "vectors" and train.fingerprint


def bad(**changes):
    return dataclasses.replace(line(80, 2), **changes)


CASES = [
    (bad(shape=(1, 1, 1, 2, 2)), r"has shape \(1, 1, 1, 2, 2\): give \(C, H, W\) for images, \(C, T\) for signals"),
    (bad(shape=(2, 2)), r"gathers torch.float32 \[5, 2\] of 5 indices: it must be torch.float32 \[5, 2, 2\]"),
    (bad(shape=(3,)), r"gathers torch.float32 \[5, 2\] of 5 indices: it must be torch.float32 \[5, 3\]"),
    (bad(gather=lambda k: torch.zeros(len(k), 2, dtype=torch.float64)), "gathers torch.float64"),
    (bad(gather=lambda k: [0]), "gathers a list"),
    (bad(gather=lambda k: torch.rand(len(k), 2)), "other samples for the same indices"),
    (bad(gather=lambda k: torch.full((len(k), 2), float("nan"))), "holds NaN"),
    (bad(gather=lambda k: 1 / 0), "failed to gather 5 indices: ZeroDivisionError"),
    (bad(labels=None), "has 2 classes and no labels"),
    (bad(labels=torch.zeros(80)), r"labels that are not int64 \[80\]"),
    (bad(labels=torch.full((80,), 2)), r"labels from 2 to 2: they must be in 0..1"),
    (bad(class_names=("a", "a")), "2 classes and 1 names"),
    (bad(size=0), "no samples"),
    (line(30), "30 samples: at least 40 are needed"),
    ((line(80), line(80, 2)), "two sources differ in shape or classes"),
]


@pytest.mark.parametrize(("source", "words"), CASES)
def test_a_source_that_is_not_what_it_says_is_refused(source, words):
    with pytest.raises(WganError, match=words):
        spec_of(source)


def test_a_run_on_a_source_resumes_bit_for_bit(here, cheap, monkeypatch):
    """And needs the source again."""

    def trained(run, on_step=None):
        return wgan.train("vectors", data=line(80), run=run, steps=4, on_step=on_step, **SMALL)

    whole = trained("whole")
    trained("cut", lambda step, numbers: wgan.STOP if step == 2 else None)
    monkeypatch.setattr(given_source, "_HERE", {})  # as in another program
    with pytest.raises(WganError, match="this program has not given it: give it again"):
        wgan.train(run="cut", steps=5)
    with pytest.raises(WganError, match=r"another config"):
        wgan.train("vectors", data=line(80, step=3.0), run="cut", steps=4, **SMALL)
    cut = trained("cut")
    kept = [
        {n: d for n, d in without_events(r.path).items() if n not in ("times.jsonl", ".lock")} for r in (whole, cut)
    ]
    assert kept[0] == kept[1]
    assert len(wgan.open_run("cut").facts.data) == 64


def test_options_of_reading_are_refused(here):
    with pytest.raises(WganError, match="a Source is read already"):
        wgan.train("vectors", data=line(80), labels="none", run="none", steps=1, **SMALL)
