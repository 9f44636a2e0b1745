"""Randomness inside an update is a function of seed, step and purpose alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.problems import EXACT, SINGLE, distinct, draws, images, images_config
from torch import Tensor

from wgan.distributed.shard import Shard
from wgan.rng import Draws
from wgan.training import step as phases
from wgan.training.optim import build_optimizers
from wgan.training.players import Players, make_players
from wgan.training.updates import critic_update


def test_dropout_is_a_function_of_seed_and_step_alone() -> None:
    source = images()
    config = images_config(dropout=0.5, lr=0, objective="gan", n_critic=3)

    def scores(step: int, seed: int, disturb: int) -> tuple[float, float]:
        p = make_players(config.replace(seed=seed), SINGLE, source)
        fixed = make_players(config, SINGLE, source)  # the same weights for each seed: only the draws differ
        p = replace(p, generator=fixed.generator, critic=fixed.critic)
        p.generator_optimizer, p.critic_optimizer = build_optimizers(p.generator, p.critic, config)
        torch.manual_seed(disturb)  # torch's own stream must not matter
        torch.rand(disturb)
        fake = torch.zeros(6, 1, 8, 8)
        with phases.randomness(p, step, "critic dropout 0"):
            first = critic_update(p, fake, fake, torch.zeros(6).long(), draws(6))
        return float(first["critic/real"]), float(phases.generator_phase(p, source, step)["generator/loss"])

    assert scores(4, 0, 1) == scores(4, 0, 77)
    assert all(a != b for a, b in zip(scores(4, 0, 1), scores(5, 0, 1), strict=True))
    assert all(a != b for a, b in zip(scores(4, 0, 1), scores(4, 1, 1), strict=True))


def test_dropout_differs_between_the_critic_updates_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    source, seen = images(), []
    p = make_players(images_config(dropout=0.5, lr=0, objective="gan", n_critic=4), SINGLE, source)
    blank = torch.zeros(6, 1, 8, 8)
    update = phases.critic_update

    def noted(p: Players, real: Tensor, fake: Tensor, y: Tensor, draw: Draws) -> dict[str, Any]:
        stats = update(p, blank, blank, torch.zeros(6).long(), draw)
        seen.append(float(stats["critic/real"]))
        return stats

    monkeypatch.setattr(phases, "critic_update", noted)
    phases.critic_phase(p, source, 0)
    assert len(set(seen)) == 4


def test_draws_of_every_purpose_step_and_seed_are_their_own() -> None:
    keys = [(s, t, purpose) for s in (0, 1) for t in (0, 1) for purpose in ("a", "b")]
    values = [EXACT.draws(s, t, purpose, 4).normal(3) for s, t, purpose in keys]
    assert distinct(values) == 8
    assert torch.equal(values[0], EXACT.draws(0, 0, "a", 4).normal(3))


def test_two_processes_draw_the_halves_of_one() -> None:
    whole = EXACT.draws(0, 0, "a", 8).normal(3)
    halves = [replace(EXACT, shard=Shard(rank, 2)).draws(0, 0, "a", 4).normal(3) for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)
