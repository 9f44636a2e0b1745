"""S0, S2 and S3 beside the programs themselves: the same start, the same draws, the same weights after each of 20 steps.

The records were written in Keras under the rules of the programs' dates (benchmarks/published/README.md), in float64: what
is compared is what is computed, not how it is rounded.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch
from helpers.problems import SINGLE
from helpers.published import RECIPE, Record, State, full_width
from helpers.replay import Replay

from wgan.losses import class_loss
from wgan.recipes import configure

NAMES = ["s0", "s2-listed", "s2-frozen", "s3"]
MOMENTS = {  # ours -> the record's
    "S0": {"real": "real", "pair": "fake", "rounds": "rounds", "generator": "generator"},
    "S2": {"begin": "clip", "real": "real", "fake": "fake", "rounds": "rounds", "generator": "generator"},
    "S3": {"real": "real", "fake": "fake", "pair": "clip", "rounds": "rounds", "generator": "generator"},
}
# In lengths of a step. A bias that batch norm takes away again has a gradient of rounding errors alone, and RMSProp divides
# it by as little: it wanders, and the running mean with it, and nothing else notices.
CLOSE, IDLE = 1e-9, 1e-4

record = functools.cache(Record)


def farthest(replay: Replay, have: State, want: State) -> float:
    """Return the largest difference in lengths of a step, that of idle biases divided by what they may have more."""
    distance = {k: (have[k] - v).abs().max().item() / replay.p.config.lr for k, v in want.items() if "squares" not in k}
    return max(d * (CLOSE / IDLE if replay.idle(k) else 1) for k, d in distance.items())


def moments(name: str, replay: Replay) -> dict[str, tuple[State, State]]:
    """Return what was seen and what is on record at each moment of the first step: weights, statistics, running squares."""
    r = record(name)
    return {
        ours: (replay.seen[ours], replay.on_record(f"first/{theirs}/")) for ours, theirs in MOMENTS[r.system].items()
    }


@pytest.mark.parametrize("fast", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_each_part_of_the_first_step_is_the_programs(name: str, fast: int) -> None:
    replay = Replay(record(name), fast=fast)
    replay.step(0)
    for moment, (have, want) in moments(name, replay).items():
        assert want.keys() <= have.keys() and len(want) > 8
        assert farthest(replay, have, want) < CLOSE, moment


@pytest.mark.parametrize("name", NAMES)
def test_each_step_has_the_programs_running_squares(name: str) -> None:
    replay = Replay(record(name))
    replay.step(0)
    for moment, (have, want) in moments(name, replay).items():
        squares = {key: value for key, value in want.items() if "squares" in key}
        assert squares or moment in ("begin", "rounds")
        for key, value in squares.items():  # as small as squared gradients are: each in its own units
            assert (have[key] - value).abs().max() <= 1e-9 * value.abs().max() + 1e-22, (moment, key)


@pytest.mark.parametrize("name, moved", [("s0", 4), ("s2-listed", 12), ("s2-frozen", 0), ("s3", 0)])
def test_the_generator_moves_what_it_moved_in_the_program(name: str, moved: int) -> None:
    replay = Replay(record(name))
    replay.step(0)
    found = [
        {k for k in state if k.startswith("generator's squares/critic")} for state in moments(name, replay)["generator"]
    ]
    assert found[0] == found[1] and len(found[0]) == moved


@pytest.mark.parametrize("name", NAMES)
def test_twenty_steps_go_as_the_programs(name: str) -> None:
    r, replay = record(name), Replay(record(name))
    for it in range(r.facts["steps"]):
        replay.step(it)
        have = replay.now()
        for key, value in replay.on_record("end/", it).items():  # in float32
            torch.testing.assert_close(have[key], value, rtol=1e-6, atol=1e-4 * replay.p.config.lr, msg=f"{it} {key}")
    assert farthest(replay, have, replay.on_record("last/")) < CLOSE
    for key, values in replay.losses.items():  # Keras reports them in float32
        assert values == pytest.approx(r[f"loss/{key}"].tolist(), rel=3e-7, abs=3e-8)


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_takes_the_same_first_step(name: str) -> None:
    replay = Replay(record(name), SINGLE)
    replay.step(0)
    have, want = replay.now(), replay.on_record("first/generator/")
    assert all((have[k] - v).abs().max() < 0.01 * replay.p.config.lr for k, v in want.items() if not replay.idle(k))


@pytest.mark.parametrize(
    "name, option",
    [
        ("s0", {"rmsprop_eps_place": "beside"}),
        ("s0", {"rmsprop_rho": 0.99}),
        ("s0", {"critic_fakes": "batch"}),
        ("s0", {"generator_moves": "none"}),
        ("s0", {"clip_scope": "all"}),
        ("s2-listed", {"generator_moves": "none"}),
        ("s2-listed", {"rmsprop_eps": 1e-7}),
        ("s2-frozen", {"generator_moves": "critic"}),
        ("s2-frozen", {"clip_when": "step"}),
        ("s3", {"critic_statistics": "running"}),
        ("s3", {"critic_fakes": "batch"}),
        ("s3", {"clip_when": "step"}),
        ("s3", {"clip_scope": "all"}),
        ("s3", {"rmsprop_eps": 1e-8}),
        ("s3", {"norm_momentum": 0.1}),
    ],
)
def test_each_legacy_option_left_out_would_be_seen(name: str, option: dict[str, Any]) -> None:
    replay = Replay(record(name), **option)
    for it in range(2):
        replay.step(it)
    want = replay.on_record("end/", 1)
    distance = max((replay.now()[k] - v).abs().max().item() for k, v in want.items() if not replay.idle(k))
    assert distance > 1e-3 * replay.p.config.lr


def test_confidently_wrong_samples_are_judged_as_in_keras() -> None:
    r = record("s2-listed")
    logits, right = r["class/logits"].requires_grad_(), torch.zeros(len(r["class/logits"]), dtype=torch.long)
    each = torch.stack([class_loss(row[None], y[None], 1e-7) for row, y in zip(logits, right, strict=True)])
    (gradient,) = torch.autograd.grad(each.sum(), logits)
    torch.testing.assert_close(each.detach(), r["class/loss"], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient, r["class/gradient"], rtol=1e-6, atol=1e-9)
    wrong = r["class/logits"][:, 1] - r["class/logits"][:, 0] >= 20
    assert wrong.sum() == 2 and not gradient[wrong].any() and gradient[~wrong].any(1).all()


@pytest.mark.parametrize("name", ["s0", "s2-frozen", "s3"])
def test_initial_weights_are_drawn_as_the_program_draws_them(name: str) -> None:
    have, want = full_width(record(name))
    assert have.keys() == want.keys()
    for key, (deviation, largest) in want.items():
        ours, count = have[key], have[key].numel()
        assert ours.std(correction=0).item() == pytest.approx(deviation.item(), rel=5 / math.sqrt(count), abs=1e-12), (
            key
        )
        if deviation > 0:  # a uniform distribution ends at 1.73 standard deviations, a normal one does not
            assert (ours.abs().max() / ours.std() < 1.8) == (largest / deviation < 1.8), key


def test_the_learning_rates_are_the_programs() -> None:
    for name in NAMES:
        r = record(name)
        assert configure(RECIPE[r.system]).lr == pytest.approx(r.facts["lr"], rel=1e-6)
