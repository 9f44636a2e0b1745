"""`--compile 1`: the generator by torch.compile, the same steps, and one sentence where that cannot be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.problems import EXACT, SINGLE, images, images_config, points, points_config
from torch import nn

from wgan.errors import WganError
from wgan.training import step as phases
from wgan.training.players import make_players

POINTS = points_config(penalty_weight=2, n_critic=3, fast=0)
IMAGES = images_config(penalty_weight=5, class_critic=1.0, class_generator=1.0, fast=0)


def test_the_generator_alone_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a backend that only runs what was traced: the same steps and the same names of the weights."""
    compiled: list[nn.Module] = []

    def trace(network: nn.Module, **options: Any) -> None:
        compiled.append(network)
        plain(network, backend="eager", **options)

    plain = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", trace)
    states = []
    for compile in (0, 1):
        p = make_players(POINTS.replace(compile=compile), EXACT, points())
        phases.critic_phase(p, points(), 0)
        phases.generator_phase(p, points(), 0)
        states.append(p.generator.state_dict())
        assert compiled == [p.generator] * compile
    assert [*states[0]] == [*states[1]]
    for a, b in zip(states[0].values(), states[1].values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_what_cannot_be_compiled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WganError, match="cannot take the fast layers of a CPU: add --fast 0"):
        make_players(points_config(compile=1), EXACT, points())
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WganError, match="needs a C\\+\\+ compiler"):
        make_players(points_config(compile=1, fast=0), EXACT, points())


@pytest.mark.slow
def test_compiled_code_makes_the_plain_steps() -> None:
    states = []
    for compile in (0, 1):
        p = make_players(IMAGES.replace(compile=compile), SINGLE, images())
        for step in range(3):
            phases.critic_phase(p, images(), step)
            phases.generator_phase(p, images(), step)
        states.append(p.generator.state_dict())
    for a, b in zip(states[0].values(), states[1].values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
