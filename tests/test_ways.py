"""The ways of computing: chosen by what they take here, recorded, kept on resume, and the same numbers whichever is taken."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.problems import SINGLE, images, images_config, points, points_config
from torch import Tensor

import wgan
from wgan import engine, processor
from wgan.engine import fastest_ways, make_engine, threads_that_pay
from wgan.errors import WganError
from wgan.models.fast import fast_kernels, trial
from wgan.models.fast.linear import linear, times
from wgan.rng import stream
from wgan.runs.folder import open_run
from wgan.training import state
from wgan.training import step as phases
from wgan.training.players import make_players
from wgan.ways import LIBRARY, LINEAR, OLD, PRODUCTS, SMALL_MAPS, Ways, ways_of

ALL = [Ways(linear, small) for linear in LINEAR for small in SMALL_MAPS]
SMALL = {"generator_layers": "16", "critic_layers": "16", "batch": 8, "n_critic": 1, "threads": 1}
RING = {**SMALL, "recipe": "gulrajani-ring", "log_every": 2, "evaluate_every": 3, "checkpoint_every": 3}


@pytest.fixture
def gains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """Gains of the test's own in place of measured ones, and a cache without any."""
    found = {"mkl": 1.0, "small maps": 1.0, "threads": 2.0}
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(engine, "busy", lambda most: False)
    monkeypatch.setattr(engine, "mkl_gain", lambda: found["mkl"])
    monkeypatch.setattr(engine, "small_maps_gain", lambda: found["small maps"])
    monkeypatch.setattr(engine, "threads_gain", lambda n: found.get(f"{n} threads", found["threads"]))
    return found


# --- the choice -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mkl", "expected"), [(0.5, "onednn"), (1.09, "onednn"), (1.1, "mkl"), (3.0, "mkl")])
def test_linear_maps_go_to_the_library_that_is_faster(mkl: float, expected: str, gains: dict[str, float]) -> None:
    gains["mkl"] = mkl
    assert fastest_ways() == Ways(expected)


@pytest.mark.parametrize(("gain", "expected"), [(0.5, LIBRARY), (1.19, LIBRARY), (1.2, PRODUCTS)])
def test_small_maps_are_products_where_that_is_faster(gain: float, expected: str, gains: dict[str, float]) -> None:
    gains["small maps"] = gain
    assert make_engine("cpu", "fp32", 1, convolutional=True, choose=True).ways == Ways("onednn", expected)
    assert make_engine("cpu", "fp32", 1, choose=True).ways == OLD  # an MLP has no maps


@pytest.mark.parametrize(
    ("cores", "gained", "expected"),
    [
        (1, {}, 1),
        (2, {"2 threads": 0.8}, 1),
        (2, {"2 threads": 1.2}, 2),
        (2, {"2 threads": 1.0}, 2),  # no clear loss: all
        (6, {"2 threads": 1.5, "4 threads": 3.0, "6 threads": 2.0}, 4),
        (8, {"2 threads": 1.5, "4 threads": 3.0, "8 threads": 2.9}, 8),
    ],
)
def test_threads_are_as_many_as_pay(
    cores: int, gained: dict[str, float], expected: int, gains: dict[str, float]
) -> None:
    gains |= gained
    assert threads_that_pay(cores) == expected


def test_a_busy_machine_is_not_judged_by_its_threads(gains: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    gains["threads"] = 0.1
    monkeypatch.setattr(engine, "busy", lambda most: True)
    assert threads_that_pay(2) == 2
    monkeypatch.setattr(engine, "busy", lambda most: False)
    assert threads_that_pay(2) == 1


@pytest.mark.parametrize(("load", "expected"), [(0.9, False), (1.0, False), (1.1, True)])
def test_busy_is_half_of_the_cores(load: float, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.os, "getloadavg", lambda: (load, 0.0, 9.0))
    assert engine.busy(2) is expected


def test_what_is_asked_for_is_not_measured(gains: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "threads_that_pay", lambda most: pytest.fail("measured"))
    assert make_engine("cpu", "fp32", 3, choose=True).threads == 3
    monkeypatch.setattr(engine, "fastest_ways", lambda *_: pytest.fail("measured"))
    assert make_engine("cpu", "fp32", 3).ways == OLD


def test_each_gain_is_measured_once_and_by_its_own_name(gains: dict[str, float]) -> None:
    gains["mkl"] = 2.0
    assert fastest_ways().linear == "mkl"
    gains["mkl"] = 0.5
    assert fastest_ways().linear == "mkl"
    kept = json.loads(processor._file().read_text())
    assert sorted(key.split(", ")[-1] for key in kept) == ["MKL over oneDNN with gradients"]


def test_a_library_held_back_is_another_processor(gains: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastest_ways().linear == "onednn"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    gains["mkl"] = 2.0
    assert fastest_ways().linear == "mkl"


def ticking(*seconds: float) -> Any:
    """A clock on which the works take so many seconds, in turn and over again."""
    times_, now, calls = itertools.cycle(seconds), [0.0], itertools.count()

    def clock() -> float:
        now[0] += next(times_) if next(calls) % 2 else 0.0
        return now[0]

    return clock


@pytest.mark.parametrize(
    "gain",
    [trial.mkl_gain, trial.bf16_gain, trial.small_maps_gain, lambda clock: trial.threads_gain(2, clock)],
    ids=["mkl", "bf16", "small maps", "threads"],
)
def test_a_gain_is_the_quotient_of_the_two_times(gain: Any) -> None:
    threads = torch.get_num_threads()
    assert gain(clock=ticking(3.0, 2.0)) == pytest.approx(1.5)
    assert torch.get_num_threads() == threads


def test_the_first_time_of_each_way_and_slower_ones_do_not_count() -> None:
    # three rounds of two ways: 9 and 9, then 4 and 8, then 5 and 2
    best = trial.quickest({"a": lambda: None, "b": lambda: None}, ticking(1.0, 1.0, *[4.0, 8.0, 5.0, 7.0] * 5))
    assert best == {"a": 4.0, "b": 7.0}


# --- the same numbers -------------------------------------------------------------------------------------------------


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=stream(0, seed, "ways"))


@pytest.mark.parametrize("way", LINEAR)
def test_a_linear_map_is_the_plain_one_with_two_derivatives(way: str) -> None:
    def of(mapped: Any, back: Any) -> list[Tensor]:
        x, w, b = (normal(i, *s).requires_grad_(True) for i, s in enumerate(((5, 7), (3, 7), (3,))))
        y = mapped(x, w, b)
        (g,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        loss = g.square().sum() + y.sum() + back(y, w).square().sum()
        return [y, g, *torch.autograd.grad(loss, (x, w, b))]

    ours = of(lambda x, w, b: linear(x, w, b, way), lambda y, w: times(y, w, way))
    plain = of(torch.nn.functional.linear, lambda y, w: y @ w)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("ways", ALL, ids=str)
@pytest.mark.parametrize("kind", ["points", "images", "nearest"])
def test_a_step_is_the_same_up_to_rounding_in_every_way(kind: str, ways: Ways) -> None:
    config = (
        points_config() if kind == "points" else images_config(upsample="nearest" if kind == "nearest" else "transpose")
    )
    source = points() if kind == "points" else images()

    def gradients(fast: bool) -> list[Tensor]:
        p = make_players(config.replace(fast=fast, optimizer="rmsprop"), replace(SINGLE, ways=ways), source)
        phases.critic_phase(p, source, 0)
        critic = [w.grad.clone() for w in p.critic.parameters()]
        p.critic.load_state_dict(make_players(config, SINGLE, source).critic.state_dict())
        phases.generator_phase(p, source, 0)
        return critic + [w.grad for w in p.generator.parameters()]

    for a, b in zip(gradients(True), gradients(False), strict=True):
        assert (a - b).norm() <= 3e-4 * b.norm() + 1e-6  # float32, with a penalty of weight 10


def test_the_kernels_are_those_of_the_ways() -> None:
    kernels = {ways: fast_kernels(ways) for ways in ALL}
    for name in ("convolve", "transposed", "repeated"):
        assert {getattr(k, name).keywords["small"] for k in kernels.values()} == set(SMALL_MAPS)
    assert {k.linear.keywords["library"] for k in kernels.values()} == set(LINEAR)  # type: ignore[attr-defined]
    assert {k.times.keywords["library"] for k in kernels.values()} == set(LINEAR)  # type: ignore[attr-defined]


# --- a run ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here", "cheap")
@pytest.mark.parametrize("mkl", [0.5, 2.0])
def test_a_run_records_its_ways_and_measures_no_more(
    mkl: float, gains: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gains["mkl"] = mkl
    whole = wgan.train(run="whole", steps=6, **RING)
    wgan.train(run="cut", steps=6, on_step=lambda step, numbers: wgan.STOP if step == 2 else None, **RING)
    monkeypatch.setattr(engine, "fastest_ways", lambda *_: pytest.fail("measured"))
    again = wgan.train(run="cut", steps=6, **RING)
    assert again.facts.ways == Ways("mkl" if mkl > 1 else "onednn")
    files = sorted(p.relative_to(again.path) for p in again.path.glob("checkpoints/**/*.safetensors"))
    assert files and all((again.path / f).read_bytes() == (whole.path / f).read_bytes() for f in files)
    assert "another processor" not in capsys.readouterr().out


@pytest.mark.usefixtures("here", "cheap")
def test_a_run_that_moved_keeps_its_ways_and_says_so(
    gains: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gains["mkl"] = 2.0
    wgan.train(run="moved", steps=2, **RING)
    monkeypatch.setattr(state, "processor_name", lambda: "Another Processor")
    gains["mkl"] = 0.5
    run = wgan.train(run="moved", steps=4, **RING)
    assert run.facts.ways.linear == "mkl" and run.facts.processor == processor.processor_name()
    assert "begun on another processor and keeps the precision, threads and ways" in capsys.readouterr().out


@pytest.mark.usefixtures("here", "cheap")
def test_a_run_of_before_computes_as_it_did(gains: dict[str, float]) -> None:
    gains["mkl"] = 0.5
    run = wgan.train(run="old", steps=2, **RING)
    values = json.loads((run.path / "run.json").read_text())
    assert "ways" not in values  # the usual ones: as before
    gains["mkl"] = 2.0
    (run.path / "run.json").write_text(json.dumps({k: v for k, v in values.items() if k != "processor"}))
    assert wgan.train(run="old", steps=4, **RING).facts.ways == OLD


@pytest.mark.usefixtures("here", "cheap")
@pytest.mark.parametrize("said", [{"linear": "fastest"}, {"speed": 3}, [1], "mkl", 7, {"linear": ["mkl"]}])
def test_ways_that_there_are_not_are_a_damaged_run(said: Any, gains: dict[str, float]) -> None:
    run = wgan.train(run="bad", steps=2, **RING)
    values = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**values, "ways": said}))
    with pytest.raises(WganError, match="the run folder is damaged"):
        open_run(run.path)
    assert not ways_of(said).known()
