"""Many processes: the theorem that they are one, what they say to each other, and which numbers of them are taken.

The processes are real ones on this machine; nothing here measures time.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import group_exchanges as exchanges
from helpers import group_workers as workers
from helpers.problems import EXACT, EXACTLY, farthest, images, images_config, points_config
from helpers.process_group import Together
from safetensors.torch import load_file
from torch import Tensor

from wgan.distributed.group import Group
from wgan.distributed.shard import Shard
from wgan.distributed.signals import Stop
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.losses import OBJECTIVES
from wgan.runs import checkpoint
from wgan.training import start
from wgan.training import step as phases
from wgan.training.state import require_divides

STEPS = 20


# --- the theorem ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, float]]]:
    """Every system trained by two processes: where their states lie, and the statistics of the last step."""
    folder = tmp_path_factory.mktemp("two")
    first, second = Together(folder, 2, workers.all_systems, str(folder), STEPS).results()
    assert first == second  # each process knows the statistics of the whole batch
    return folder, first


@pytest.mark.parametrize("name", workers.SYSTEMS)
def test_two_processes_are_one_process_after_twenty_steps(name: str, two: Any) -> None:
    folder, statistics = two
    config, source = workers.SYSTEMS[name]
    p, stats = workers.steps(config, source, Group(), STEPS)
    many = load_file(folder / f"{list(workers.SYSTEMS).index(name)}.safetensors")
    one = checkpoint.flatten(workers.state.state(p))
    distance, where = farthest(one, many, config)
    assert distance < EXACTLY, where
    assert stats == pytest.approx(statistics[name], rel=1e-9, abs=1e-11)
    start, _ = workers.steps(config, source, Group(), 1)
    assert farthest(checkpoint.flatten(workers.state.state(start)), many, config)[0] > 1e-4  # it was trained at all


def test_every_objective_is_among_the_systems() -> None:
    assert set(OBJECTIVES) <= set(workers.SYSTEMS) and math.isclose(EXACTLY, 1e-12)


# --- one scalar, one backward -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", workers.SYSTEMS)
def test_each_optimizer_step_follows_one_backward_of_one_scalar(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A penalty or class loss backpropagated on its own would be averaged before it is there, by PyTorch's DDP.

    By autograd: the written-out updates of plain MLPs (training/written.py) take no backward at all.
    """
    config, source = workers.SYSTEMS[name]
    p = dataclasses.replace(start.make_players(config, EXACT, source), written=None)
    calls: list[str] = []
    backward = Tensor.backward

    def counted(loss: Tensor, *arguments: Any, **options: Any) -> None:
        assert loss.dim() == 0
        calls.append("backward")
        backward(loss, *arguments, **options)

    monkeypatch.setattr(Tensor, "backward", counted)
    for optimizer in (p.critic_optimizer, p.generator_optimizer):
        step = optimizer.step
        monkeypatch.setattr(optimizer, "step", lambda step=step: (calls.append("step"), step()))
    phases.take_step(p, source, 0, Stop(), True)
    updates = config.n_critic * (2 if config.critic_update == "separate" else 1) + 1
    assert calls == ["backward", "step"] * updates


# --- what processes say to each other ---------------------------------------------------------------------------------


def test_what_processes_tell_each_other_arrives(tmp_path: Path) -> None:
    results = Together(tmp_path, 3, exchanges.talk).results()
    for rank, said in enumerate(results):
        assert said["broadcast"] == "from 0" and said["empty"] == ""
        assert said["all_gather"] == ["0", "11", "222"]
        assert said["on_main"] == [0, "x"] and said["on_all"] == rank
        assert said["mean"] == [1, 1, 1, 1, 0, 1, 2, 1, 4]
        assert said["map"] and said["batch norm"] < EXACTLY
        kind = "WganError" if rank == 0 else "SaidElsewhere"
        led, number, agreed = said["errors"]
        assert led == f"{kind}: broken"
        assert number == "NotFinite: critic/loss is not finite at step 7"
        assert agreed.startswith(f"{kind}: process 1 on ") and agreed.endswith(": broken")


# --- which numbers of processes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "processes", "words"),
    [
        ({"batch": 10}, 4, "cannot share batch 10 evenly: start 1, 2, 5, 10 processes, or use batch 8 or 12"),
        ({"batch": 8, "generator_batch": 10}, 4, "generator_batch 10"),
        ({"batch": 8, "microbatch": 4}, 4, "in microbatches of 4: start 1, 2 processes, or use batch 16"),
        ({"batch": 2}, 4, "start 1, 2 processes, or use batch 4"),
    ],
)
def test_a_world_that_does_not_divide_the_batch_is_refused(options: dict[str, Any], processes: int, words: str) -> None:
    """The message names the numbers of processes that do."""
    with pytest.raises(WganError, match=words):
        require_divides(points_config(**options), Group(world=processes))


def test_a_number_that_divides_is_taken() -> None:
    for n in (1, 2, 4, 8):
        require_divides(points_config(batch=8, generator_batch=16), Group(world=n))
    require_divides(images_config(batch=8, pack=2, critic_conditioning="none"), Group(world=4))


# --- a group of one, and the parts of one -----------------------------------------------------------------------------


def test_a_group_of_one_leaves_engine_and_networks_as_they_are() -> None:
    p = start.make_players(images_config(dropout=0.2), EXACT, images())
    kinds = {type(m).__name__ for network in (p.generator, p.critic) for m in network.modules()}
    assert "SyncedBatchNorm" not in kinds and "SharedDropout" not in kinds


def test_draws_of_many_processes_are_the_parts_of_one() -> None:
    for count in (2, 4):
        for kind in ("normal", "uniform"):
            one = EXACT.draws(0, 1, "x", 8)(kind, (3,))
            parts = []
            for index in range(count):
                engine = replace(EXACT, shard=Shard(index, count))
                assert isinstance(engine, Engine)
                draws = engine.draws(0, 1, "x", 8 // count)
                parts.append(draws(kind, (3,)))
                assert torch.equal(draws.restart()(kind, (3,)), parts[-1])
            assert torch.equal(torch.cat(parts), one)
