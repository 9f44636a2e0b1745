"""Numbers that are not finite: named with their step, never saved."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from helpers.problems import points, points_config, train_on
from torch import Tensor

import wgan
from wgan.errors import WganError
from wgan.runs import checkpoint
from wgan.training import step as phases
from wgan.training.players import Players
from wgan.training.watch import require_finite


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["critic/loss", "generator/loss"])
def test_a_loss_that_is_not_finite_is_named_with_its_step(name: str, bad: float) -> None:
    stats = {"critic/loss": torch.tensor(1.0), "generator/loss": torch.tensor(2.0)}
    require_finite(stats, 7)
    with pytest.raises(WganError, match=f"{name} is not finite at step 7"):
        require_finite({**stats, name: torch.tensor(bad)}, 7)


def test_a_run_that_breaks_stops_and_keeps_its_last_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """It stops at that step."""
    train_on(monkeypatch, points())
    update, calls = phases.critic_update, []

    def poisoned(p: Players, real: Tensor, *rest: Any) -> dict[str, Any]:
        calls.append(1)
        return update(p, real * math.nan if len(calls) == 5 else real, *rest)

    monkeypatch.setattr(phases, "critic_update", poisoned)
    config = points_config(n_critic=1, checkpoint_every=2, evaluate_every=0)
    with pytest.raises(WganError, match="critic/loss is not finite at step 5"):
        wgan.train(run=tmp_path / "run", config=config)
    assert checkpoint.saved_steps(tmp_path / "run" / "checkpoints") == [2, 4]
    assert checkpoint.load(tmp_path / "run" / "checkpoints", 4).step == 4


def test_a_weight_that_is_not_finite_is_named_and_not_saved(tmp_path) -> None:
    good = {"critic/w": torch.ones(2)}
    checkpoint.save(tmp_path, 1, good, {})
    with pytest.raises(WganError, match="critic/w is not finite at step 2"):
        checkpoint.save(tmp_path, 2, {"critic/w": torch.tensor([1.0, math.nan])}, {})
    assert checkpoint.saved_steps(tmp_path) == [1]
