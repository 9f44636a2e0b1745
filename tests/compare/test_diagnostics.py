"""Test what `wgan compare` looks at inside the critics: the gradient they leave, their slopes and weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.comparisons import PLACES, request

from wgan.compare import diagnostics, plan
from wgan.runs.folder import open_run


def config(name, data="ring", **changes):
    (found,) = plan.trials(
        request(objectives=(name,), data=data, seeds=1, parts=("quality",)), data == "mnist", {name: 20}
    )
    small = {"generator_layers": "8", "critic_layers": "16", "batch": 32, "latent": 2}
    return found.config(data == "mnist").replace(**{**small, **changes})


def test_the_generator_stays_as_it_was_while_the_critic_learns(monkeypatch):
    made = []
    monkeypatch.setattr(
        diagnostics, "make_players", lambda *about, real=diagnostics.make_players: made.append(real(*about)) or made[-1]
    )
    found = diagnostics.vanishing(config("wgan-gp"), (0, 3, 6))
    (players,) = made
    fresh = diagnostics.make_players(config("wgan-gp"), players.engine, diagnostics.open_source("ring", "train"))
    for now, before in zip(players.generator.parameters(), fresh.generator.parameters(), strict=True):
        assert torch.equal(now, before)
    assert any(
        not torch.equal(a, b) for a, b in zip(players.critic.parameters(), fresh.critic.parameters(), strict=True)
    )
    ((name, curve),) = found.items()
    assert name == "wgan-gp" and [k for k, _ in curve] == [0, 3, 6] and all(n > 0 for _, n in curve)
    assert players.critic.score.weight.grad is None or players.critic.score.weight.requires_grad is False


def test_the_first_gradient_is_that_of_clipped_weights():
    c = config("wgan-clip", clip=0.01)
    source = diagnostics.open_source("ring", "train")
    p = diagnostics.make_players(c, diagnostics.engine_for(c, source), source)
    raw = diagnostics.generator_gradients(p, source, 0)["wgan-clip"]
    for w in p.critic.parameters():
        w.data.clamp_(-0.01, 0.01)
    clipped = diagnostics.generator_gradients(p, source, 0)["wgan-clip"]
    assert diagnostics.vanishing(c, (0,)) == {"wgan-clip": [(0, pytest.approx(clipped))]} and clipped < 0.1 * raw


def test_the_batches_of_a_probe_are_those_of_its_seed_and_update():
    source = diagnostics.open_source("ring", "train")
    p = diagnostics.make_players(config("gan"), diagnostics.engine_for(config("gan"), source), source)
    other = diagnostics.make_players(config("gan", seed=1), p.engine, source)
    for again, same in (
        (diagnostics.batch(p, source, 3), True),
        (diagnostics.batch(p, source, 4), False),
        (diagnostics.batch(other, source, 3), False),
    ):
        assert [torch.equal(a, b) for a, b in zip(again, diagnostics.batch(p, source, 3), strict=True)] == [same, same]


def test_only_the_minimax_gradient_vanishes_at_a_good_critic():
    """The gradient of the non-saturating loss does not."""
    found = diagnostics.vanishing(config("gan", lr=0.02, critic_layers="64"), (0, 200))
    assert list(found) == ["gan", "gan, minimax"]
    fall = {name: curve[1][1] / curve[0][1] for name, curve in found.items()}
    assert fall["gan, minimax"] < 0.1 * fall["gan"]


def test_the_gradient_is_taken_in_the_generators_weights():
    c = config("gan")
    source = diagnostics.open_source("ring", "train")
    p = diagnostics.make_players(c, diagnostics.engine_for(c, source), source)
    found = diagnostics.generator_gradients(p, source, 0)
    _, z = diagnostics.batch(p, source, 1_000_000)
    scores = p.critic(p.generator(z, None), None)[0]
    for name, loss in (
        ("gan", torch.nn.functional.softplus(-scores)),
        ("gan, minimax", torch.log(1 - scores.sigmoid())),
    ):
        p.generator.zero_grad()
        loss.mean().backward(retain_graph=True)
        norm = math.sqrt(sum(float(w.grad.square().sum()) for w in p.generator.parameters()))
        assert found[name] == pytest.approx(norm, rel=1e-4)


def set_critic(run, make):
    """Write a checkpoint in which the critic's weights are what `make` says of each."""
    found, _ = diagnostics.checkpoint.load_newest(run.checkpoints)
    tensors = {k: make(k, t) if k.startswith("critic/") else t for k, t in found.tensors.items()}
    diagnostics.checkpoint.save(run.checkpoints, found.step, tensors, {})


@pytest.fixture
def ring(copy, ring_run):
    """A run whose critic is a known linear function: layers of 16, every weight 0 but those that carry x to the score."""
    run = open_run(copy(ring_run))

    def carry(key, tensor):
        new = torch.zeros_like(tensor)
        if key.endswith("weight"):
            new[0, 0] = 3.0 if "score" in key else 1.0
        elif "score" not in key and tensor.dim():
            new[:] = 50.0  # far from the kink of the relu
        return new

    set_critic(run, carry)
    return run


def test_gradient_norms_are_those_of_the_last_critic(ring):
    """At reals, at fakes and between them."""
    found = diagnostics.critic_gradient_norms(ring)
    assert set(found["quantiles"]) == set(PLACES)
    for values in found["quantiles"].values():
        assert values == pytest.approx([3.0] * len(diagnostics.QUANTILES))
    assert found["near_one"] == 0.0 and sum(found["shares"]) == pytest.approx(1.0)
    edges, shares = np.array(found["edges"]), np.array(found["shares"])
    (bin_,) = np.flatnonzero(shares)
    assert edges[bin_] <= math.log10(3.0) <= edges[bin_ + 1]


def test_slopes_near_one_are_counted(ring):
    set_critic(ring, lambda key, t: t * 0.4 if "score.weight" in key else t)
    assert diagnostics.critic_gradient_norms(ring)["near_one"] == 1.0  # 1.2
    set_critic(ring, lambda key, t: t * 0.3 if "score.weight" in key else t)
    assert diagnostics.critic_gradient_norms(ring)["near_one"] == 0.0  # 0.36


def test_places_are_held_out_reals_last_fakes_and_mixes(ring_run):
    run = open_run(ring_run)
    source = diagnostics.open_source(run.config.data, "test")
    p = diagnostics.make_players(run.config, diagnostics.resume_engine(run.config, run.path, source), source)
    diagnostics.restore(p, run)
    found = diagnostics.places_of(p, source)
    assert all(len(x) == diagnostics.POINTS for x in found.values())
    radius = source.modes.norm(dim=1).mean()
    assert found["real"].norm(dim=1).sub(radius).abs().max() < 0.2 * radius
    low, high = torch.minimum(found["real"], found["fake"]), torch.maximum(found["real"], found["fake"])
    assert ((found["between"] >= low - 1e-6) & (found["between"] <= high + 1e-6)).all()
    share = (found["between"] - found["fake"]).norm(dim=1) / (found["real"] - found["fake"]).norm(dim=1)
    assert share.std() > 0.2 and 0.4 < share.mean() < 0.6  # a mixing weight for each point


def test_the_histogram_of_weights_counts_each_once(ring):
    set_critic(ring, lambda key, t: torch.full_like(t, -0.5 if "score" in key else 0.25))
    found = diagnostics.critic_weights(ring)
    assert sum(found["shares"]) == pytest.approx(1.0) and found["largest"] == 0.5
    score = sum(
        t.numel()
        for k, t in diagnostics.checkpoint.load_newest(ring.checkpoints)[0].tensors.items()
        if "critic/score" in k
    )
    total = sum(
        t.numel()
        for k, t in diagnostics.checkpoint.load_newest(ring.checkpoints)[0].tensors.items()
        if k.startswith("critic/")
    )
    below = sum(s for s, e in zip(found["shares"], found["edges"][1:], strict=True) if e < 0)
    assert below == pytest.approx(score / total)
    assert found["rms"] == pytest.approx(math.sqrt((score * 0.25 + (total - score) * 0.0625) / total))


def test_slopes_are_taken_at_samples_that_were_held_out(ring, monkeypatch):
    held = []
    real = diagnostics.places_of
    monkeypatch.setattr(diagnostics, "places_of", lambda p, source: held.append(source) or real(p, source))
    diagnostics.critic_gradient_norms(ring)
    index = torch.arange(20)
    test, train = (diagnostics.open_source(ring.config.data, split).batch(index)[0] for split in ("test", "train"))
    assert torch.equal(held[0].batch(index)[0], test) and not torch.equal(test, train)
