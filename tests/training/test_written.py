"""The updates written out give autograd's gradients and statistics, for every objective, penalty and activation they cover."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.problems import EXACT, SINGLE, images, images_config, points, points_config
from torch import Tensor

from wgan.config import Config
from wgan.config.objectives import FACTS, OWN
from wgan.engine import Engine
from wgan.losses import Objective
from wgan.training import step as phases
from wgan.training.players import Players, make_players
from wgan.training.written import critic_layers, generator_layers
from wgan.ways import LINEAR, Ways

NAMED = [name for name in FACTS if name != OWN]


def pair(config: Config, engine: Engine = EXACT, source: Any = None) -> tuple[Players, Players]:
    """Return players whose updates are written out, and the same with those of autograd."""
    ours, plain = (make_players(config, engine, source or points()) for _ in range(2))
    assert ours.written is not None
    plain.written = None
    return ours, plain


def gradients(p: Players, phase: Any, source: Any = None, step: int = 3) -> tuple[list[Tensor], dict[str, float]]:
    stats = phase(p, source or points(), step)
    network = p.critic if phase is phases.critic_phase else p.generator
    return [w.grad.clone() for w in network.parameters()], {k: float(v) for k, v in stats.items()}


def require_alike(config: Config, tolerance: float = 1e-11, engine: Engine = EXACT, source: Any = None) -> None:
    ours, plain = pair(config, engine, source)
    for phase in (phases.critic_phase, phases.generator_phase):
        (found, said), (wanted, told) = (gradients(p, phase, source) for p in (ours, plain))
        assert said == pytest.approx(told, rel=tolerance, abs=tolerance) and [*said] == [*told]
        for a, b in zip(found, wanted, strict=True):
            assert (a - b).norm() <= tolerance * (1 + b.norm())
        assert any(b.norm() > 1e-6 for b in wanted)


@pytest.mark.parametrize("activation", ["relu", "lrelu:0.2"])
@pytest.mark.parametrize("objective", NAMED)
def test_every_objective_has_autograds_gradients(objective: str, activation: str) -> None:
    require_alike(points_config(objective=objective, critic_activation=activation, generator_activation=activation))


@pytest.mark.parametrize(
    "options",
    [
        {"n_critic": 3},
        {"critic_layers": "16", "generator_layers": "16"},
        {"critic_layers": "24 8 16 8", "generator_layers": "8 24 8"},
        {"pack": 2},
        {"penalty_weight": 0},
        {"penalty_weight": 0.3, "objective": "wgan-lp"},
        {"critic_update": "separate", "objective": "wgan-clip", "clip_when": "before-pair"},
        {"real_batches": "shared", "generator_latents": "last", "n_critic": 2},
        {"generator_batch": 24},
        {"output": "tanh"},
        {"ema": 0.9},
    ],
    ids=str,
)
def test_every_option_has_autograds_gradients(options: dict[str, Any]) -> None:
    require_alike(points_config(**options))


@pytest.mark.parametrize("library", LINEAR)
@pytest.mark.parametrize("objective", ["wgan-clip", "wgan-gp", "r3gan"])
def test_in_fp32_they_are_the_same_up_to_rounding(objective: str, library: str) -> None:
    require_alike(points_config(objective=objective), 2e-4, replace(SINGLE, ways=Ways(library)))


def test_images_are_flattened_as_the_critic_does() -> None:
    networks = {"generator": "mlp", "critic": "mlp", "generator_layers": "16 8", "critic_layers": "16 8"}
    none = {"generator_norm": "none", "conditioning": "none", "critic_conditioning": "none"}
    source = images()
    require_alike(images_config(**networks, **none), source=source)


def test_an_objective_of_the_callers_has_autograds_gradients() -> None:
    from wgan.training.given import Given

    own = Objective(
        lambda s: (s - 1).square(), lambda s: (s + 1).square(), lambda s: s.cos(), lambda n, w: w * n.pow(3)
    )
    given = Given(objective=own)
    config = points_config(penalty_weight=0.7)
    ours, plain = (make_players(config, EXACT, points(), given) for _ in range(2))
    plain.written = None
    assert ours.written is not None
    for phase in (phases.critic_phase, phases.generator_phase):
        (found, _), (wanted, _) = (gradients(p, phase) for p in (ours, plain))
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_a_critic_that_is_flat_has_no_gradient_at_norm_0() -> None:
    ours, plain = pair(points_config(objective="wgan-gp"))
    for p in (ours, plain):
        with torch.no_grad():
            for w in p.critic.parameters():
                w.zero_()
    (found, said), (wanted, told) = (gradients(p, phases.critic_phase) for p in (ours, plain))
    assert said == pytest.approx(told) and said["critic/slope"] == 0
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)
        assert torch.isfinite(a).all()


@pytest.mark.parametrize("objective", ["wgan-clip", "wgan-gp", "hinge", "r3gan"])
def test_runs_of_ten_steps_end_at_the_same_weights(objective: str) -> None:
    ours, plain = pair(points_config(objective=objective, n_critic=2, lr=1e-3, optimizer="rmsprop"))
    for step in range(10):
        for p in (ours, plain):
            phases.critic_phase(p, points(), step)
            phases.generator_phase(p, points(), step)
    for mine, theirs in ((ours.critic, plain.critic), (ours.generator, plain.generator)):
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"fast": 0},
        {"microbatch": 4},
        {"generator_norm": "layer"},
        {"critic_norm": "spectral", "objective": "hinge"},
        {"critic_activation": "relu-cap:1"},
        {"dropout": 0.2},
        {"generator_moves": "critic", "objective": "wgan-clip"},
    ],
    ids=str,
)
def test_what_is_not_covered_is_left_to_autograd(options: dict[str, Any]) -> None:
    p = make_players(points_config(**options), EXACT, points())
    assert p.written is None
    phases.critic_phase(p, points(), 0)


def test_other_networks_and_precisions_are_left_to_autograd() -> None:
    p = make_players(images_config(), EXACT, images())
    assert p.written is None and critic_layers(p.critic) is None and generator_layers(p.generator) is None
    half = replace(SINGLE, precision="bf16")
    assert make_players(points_config(), half, points()).written is None
    assert make_players(points_config(), SINGLE, points()).written is not None
