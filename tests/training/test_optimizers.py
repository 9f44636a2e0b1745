"""Optimizers and learning rates: the exact recursions, the decay of the rates, and state that is loaded again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.problems import (
    SINGLE,
    exact_players,
    images,
    images_config,
    normal,
    points,
    points_config,
    same,
    train_on,
    weights,
)
from torch import Tensor, nn

import wgan
from wgan.config import FIELDS
from wgan.runs import checkpoint
from wgan.training import loop, state
from wgan.training import step as phases
from wgan.training.fused import FastAdam
from wgan.training.legacy import KerasRMSprop
from wgan.training.optim import OPTIMIZERS, build_optimizers
from wgan.training.players import Players, make_players
from wgan.training.schedule import rate_factor

# --- optimizers -------------------------------------------------------------------------------------------------------


TINY = [np.array([3e-4, -2e-5, 0.0]), np.array([-1e-4, 5e-5, 1e-6]), np.array([2e-3, 1e-5, -1e-7])]  # as under clipping


def steps_of(optimizer: Any, w: nn.Parameter, gradients: list[np.ndarray]) -> np.ndarray:
    for g in gradients:
        w.grad = torch.from_numpy(g)
        optimizer.step()
    return w.detach().numpy()


def test_keras_rmsprop_is_kerass_recursion_and_not_torchs() -> None:
    start = np.array([0.5, -0.2, 0.1])
    w, v = start.copy(), np.zeros(3)
    for g in TINY:
        v = 0.9 * v + 0.1 * g**2
        w -= 5e-5 * g / np.sqrt(v + 1e-7)  # epsilon under the root
    mine = nn.Parameter(torch.from_numpy(start.copy()))
    np.testing.assert_allclose(steps_of(KerasRMSprop([mine], lr=5e-5), mine, TINY), w, rtol=0, atol=1e-17)
    theirs = nn.Parameter(torch.from_numpy(start.copy()))
    other = steps_of(torch.optim.RMSprop([theirs], lr=5e-5, alpha=0.9, eps=1e-7), theirs, TINY)
    assert np.abs(other - w)[:2].min() > 1e-6  # the place of epsilon decides the size of such steps


def first_steps(name: str, **options: Any) -> np.ndarray:
    w = nn.Linear(3, 1, bias=False).double()
    with torch.no_grad():
        w.weight.zero_()
    optimizer, _ = build_optimizers(w, nn.Linear(1, 1), points_config(optimizer=name, lr=1e-2, **options))
    return steps_of(optimizer, w.weight, [g[None] for g in TINY])[0]


def test_rmsprop_has_pytorchs_numbers() -> None:
    w, v = np.zeros(3), np.zeros(3)
    for g in TINY:
        v = 0.99 * v + 0.01 * g**2
        w -= 1e-2 * g / (np.sqrt(v) + 1e-8)  # epsilon beside the root
    np.testing.assert_allclose(first_steps("rmsprop"), w, rtol=1e-12)


@pytest.mark.parametrize("place", ["under", "beside"])
def test_rho_epsilon_and_its_place_are_options(place: str) -> None:
    w, v = np.zeros(3), np.zeros(3)
    for g in TINY:
        v = 0.9 * v + 0.1 * g**2
        w -= 1e-2 * g / (np.sqrt(v + 1e-7) if place == "under" else np.sqrt(v) + 1e-7)
    numbers = {"rmsprop_rho": 0.9, "rmsprop_eps": 1e-7, "rmsprop_eps_place": place}
    np.testing.assert_allclose(first_steps("rmsprop", **numbers), w, rtol=1e-12)


def test_adam_takes_both_betas_from_the_config() -> None:
    w, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(TINY, 1):
        m, v = 0.5 * m + 0.5 * g, 0.8 * v + 0.2 * g**2
        w -= 1e-2 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.8**t)) + 1e-8)
    np.testing.assert_allclose(first_steps("adam", beta1=0.5, beta2=0.8), w, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_kernels_are_stepped_by_index_and_not_by_memory(name: str) -> None:
    """Convolution kernels may lie in memory in another order than their indices."""
    # a kernel whose memory runs channels-last, and a gradient whose memory does not: the same numbers
    kernel, g = normal(1, 4, 3, 2, 2), normal(2, 4, 3, 2, 2)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        holder = nn.Conv2d(3, 4, 2, bias=False).double().to(memory_format=layout)
        with torch.no_grad():
            holder.weight.copy_(kernel)
        optimizer, _ = build_optimizers(holder, nn.Linear(1, 1), points_config(optimizer=name, lr=0.1, beta1=0.5))
        for k in range(3):
            (holder.weight * (g + k)).sum().backward()
            optimizer.step()
        results.append(holder.weight.detach().clone())
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_reloaded_optimizer_goes_on_as_if_never_stopped(name: str) -> None:
    """Also for channels-last kernels, whose state is saved in another layout than it had."""
    source = images()
    config = images_config(optimizer=name, beta1=0.5, conditioning="concat")
    p = make_players(config, SINGLE, source)

    def step_on(q: Players, step: int) -> list[Tensor]:
        phases.critic_phase(q, source, step)
        phases.generator_phase(q, source, step)
        return weights(q.critic) + weights(q.generator)

    step_on(p, 0)
    q = make_players(config, SINGLE, source)
    saved = {
        key: tensor.clone() for key, tensor in checkpoint.flatten(state.state(p)).items()
    }  # as if read from a file
    for network, part in ((q.generator, "generator"), (q.critic, "critic"), (q.average, "average")):
        network.load_state_dict(checkpoint.part(saved, part))
    state.load_optimizer(q.generator_optimizer, checkpoint.part(saved, "generator_optimizer"))
    state.load_optimizer(q.critic_optimizer, checkpoint.part(saved, "critic_optimizer"))
    assert same(step_on(p, 1), step_on(q, 1))


# --- learning rates ---------------------------------------------------------------------------------------------------


def test_learning_rates_decay_by_the_documented_factors() -> None:
    # of 4 steps: linear 1 - step / steps, cosine (1 + cos(pi step / steps)) / 2
    assert [rate_factor("none", s, 4) for s in range(4)] == [1, 1, 1, 1]
    assert [rate_factor("linear", s, 4) for s in range(4)] == [1, 0.75, 0.5, 0.25]
    half = math.sqrt(0.5) / 2
    assert [rate_factor("cosine", s, 4) for s in range(4)] == pytest.approx([1, 0.5 + half, 0.5, 0.5 - half], abs=1e-15)
    assert rate_factor("linear", 9, 4) == 0.25  # past the end of the plan: as at its last step
    assert set(FIELDS["lr_decay"].choices) == {"none", "linear", "cosine"}


@pytest.mark.parametrize(("critic_lr", "expected"), [(0.0, 0.1), (0.4, 0.4)])
def test_both_players_get_their_own_rate_at_every_step(critic_lr: float, expected: float) -> None:
    p = exact_players(points_config(lr=0.1, critic_lr=critic_lr, lr_decay="linear", steps=4), points())
    for step, factor in enumerate((1, 0.75, 0.5, 0.25)):
        phases.set_rates(p, step)
        assert [g["lr"] for g in p.generator_optimizer.param_groups] == pytest.approx([0.1 * factor])
        assert [g["lr"] for g in p.critic_optimizer.param_groups] == pytest.approx([expected * factor])


def test_a_run_trains_at_the_decayed_rates(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    train_on(monkeypatch, points())
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    rates: list[float] = []
    step = FastAdam.step

    def noted(self: FastAdam, *rest: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *rest)

    monkeypatch.setattr(FastAdam, "step", noted)
    config = points_config(lr=0.01, lr_decay="linear", steps=4, n_critic=1)
    wgan.train(run=tmp_path / "run", config=config)
    assert rates == pytest.approx([0.01, 0.01, 0.0075, 0.0075, 0.005, 0.005, 0.0025, 0.0025])
