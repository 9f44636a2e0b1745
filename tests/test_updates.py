"""One update of each player, what the loop feeds it, and how often: behaviour first, then the exact recursions."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from problems import (
    EXACT,
    SINGLE,
    LinearCritic,
    PointGenerator,
    by_hand,
    exact_players,
    images,
    images_config,
    normal,
    options_of,
    points,
    points_config,
    same,
    train_on,
    weights,
)
from torch import Tensor, nn

import wgan
from wgan import checkpoint, loop, state
from wgan.config import FIELDS, Config
from wgan.engine import Draws, order
from wgan.errors import WganError
from wgan.losses import OBJECTIVES, clip_weights
from wgan.optim import OPTIMIZERS, FastAdam, KerasRMSprop, build_optimizers
from wgan.place import Place
from wgan.schedule import CRITIC_SCHEDULES, ema_decay, rate_factor, updates_before
from wgan.updates import (
    Players,
    critic_loss,
    critic_update,
    generator_update,
    judge_both,
    make_fakes,
    make_players,
    require_finite,
    update_average,
    watch,
)


def draws(rows: int) -> Draws:
    return EXACT.draws(0, 0, "test", rows)


def two_clouds(rows: int = 16) -> tuple[Tensor, Tensor]:
    """Real points around (1, 1) and fakes around (-1, -1)."""
    return normal(1, rows, 2) / 4 + 1, normal(2, rows, 2) / 4 - 1


def wasserstein(p: Players, real: Tensor, fake: Tensor) -> float:
    with torch.no_grad():
        r, f, _, _ = judge_both(p, real, fake, None)
    return float(r.mean() - f.mean())


# --- the direction of both players -----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_critic_step_raises_the_wasserstein_estimate(name: str, optimizer: str) -> None:
    p = exact_players(points_config(objective=name, optimizer=optimizer, lr=1e-3, clip=5, penalty_weight=1), points())
    real, fake = two_clouds()
    before = wasserstein(p, real, fake)
    critic_update(p, real, fake, None, draws(16))
    assert wasserstein(p, real, fake) > before


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_generator_step_on_a_frozen_critic_lowers_the_wasserstein_estimate(name: str, optimizer: str) -> None:
    p = exact_players(points_config(objective=name, optimizer=optimizer, lr=1e-3, clip=5), points())
    real, z = two_clouds()[0], normal(3, 16, 3)
    before = wasserstein(p, real, make_fakes(p, z, None))
    generator_update(p, z, None, real if p.objective.relativistic else None, 0)
    assert wasserstein(p, real, make_fakes(p, z, None)) < before


@pytest.mark.parametrize("update", ["joint", "separate"])
def test_both_ways_to_update_raise_the_estimate(update: str) -> None:
    for name in ("wgan-clip", "gan"):
        p = exact_players(points_config(objective=name, critic_update=update, lr=1e-3, clip=5), points())
        real, fake = two_clouds()
        before = wasserstein(p, real, fake)
        critic_update(p, real, fake, None, draws(16))
        assert wasserstein(p, real, fake) > before


def test_a_clipped_linear_critic_reaches_the_exact_distance_times_its_bound() -> None:
    # max of w.(mu - theta) over |w_i| <= c is c ||mu - theta||_1 = 0.01 * (3 + 0.5) for point masses at mu and theta
    p = by_hand(LinearCritic(torch.zeros(2).double()), rate=1e-3, objective="wgan-clip")
    p = replace(p, clipped=[p.critic.w])  # a module made by hand is no layer that clipping knows
    real = torch.tensor([[3.0, -0.5]]).double().expand(4, 2)
    fake = torch.zeros(4, 2).double()
    for _ in range(25):  # the slower weight moves 1e-3 * 0.5 each time: 20 steps to 0.01
        critic_update(p, real, fake, None, draws(4))
    assert wasserstein(p, real, fake) == pytest.approx(0.01 * 3.5, rel=1e-12)
    assert p.critic.w.tolist() == [0.01, -0.01]


def test_two_players_bring_a_point_towards_the_data() -> None:
    # real data at mu, ||mu|| = 1; G = theta starts at 0. The critic's w points to mu with a norm of about 1 + d / 20
    # (d the distance left), and theta moves by 0.05 w: 15 steps cover about 0.75 of the way
    mu = torch.tensor([0.6, -0.8]).double()
    generator = PointGenerator(torch.zeros(2).double())
    p = by_hand(LinearCritic(0.1 * mu), generator, rate=0.05, objective="wgan-gp")
    z = torch.zeros(4, 1).double()
    for step in range(15):
        for _ in range(5):
            critic_update(p, mu.expand(4, 2), make_fakes(p, z, None), None, draws(4))
        generator_update(p, z, None, None, step)
    assert (generator.theta.detach() - mu).norm().item() == pytest.approx(0.25, abs=0.03)


# --- who moves in whose update ---------------------------------------------------------------------------------------

FAMILIES = {
    "mlp": (points_config, points),
    "conv": (lambda **o: images_config(**{"conditioning": "concat", **o}), images),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_fakes_are_made_without_a_graph_and_the_critic_update_leaves_the_generator_alone(family: str) -> None:
    make, source = FAMILIES[family]
    p = exact_players(make(), source())
    n = p.config.batch
    y = torch.arange(n) % 3 if source().classes else None
    fake = make_fakes(p, normal(1, n, p.config.latent), y)
    assert not fake.requires_grad
    before = weights(p.generator)
    critic_update(p, normal(2, *fake.shape), fake, y, draws(n))
    assert all(w.grad is None for w in p.generator.parameters())
    assert same(before, weights(p.generator))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generator_update_leaves_the_critics_weights_and_gradients_alone(family: str) -> None:
    make, source = FAMILIES[family]
    p = exact_players(make(), source())
    n = p.config.batch
    y = torch.arange(n) % 3 if source().classes else None
    z = normal(1, n, p.config.latent)
    fake = make_fakes(p, z, y)
    critic_update(p, normal(2, *fake.shape), fake, y, draws(n))
    before, gradients = weights(p.critic), [w.grad.clone() for w in p.critic.parameters()]
    mine = weights(p.generator)
    generator_update(p, z, y, None, 0)
    assert same(before, weights(p.critic))
    assert same(gradients, [w.grad for w in p.critic.parameters()])
    assert not same(mine, weights(p.generator))


def count_calls(p: Players, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the backwards and both players' optimizer steps."""
    counts = {"backward": 0, "critic": 0, "generator": 0}
    backward = torch.autograd.backward

    def counted(tensors: Any, *rest: Any, **options: Any) -> None:
        counts["backward"] += 1
        assert isinstance(tensors, Tensor) and tensors.dim() == 0  # one scalar
        backward(tensors, *rest, **options)

    def tick(name: str) -> Any:
        return lambda *_: counts.update({name: counts[name] + 1})

    monkeypatch.setattr(torch.autograd, "backward", counted)
    p.critic_optimizer.register_step_post_hook(tick("critic"))
    p.generator_optimizer.register_step_post_hook(tick("generator"))
    return counts


@pytest.mark.parametrize(
    ("update", "name"),
    [
        *(("joint", name) for name in OBJECTIVES),
        ("separate", "gan"),
        ("separate", "wgan-clip"),
    ],  # the others are refused
)
def test_an_update_is_one_backward_of_one_scalar_and_one_step(
    update: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = images_config(objective=name, critic_update=update, class_critic=1.0, class_generator=1.0)
    p = exact_players(config, images())
    counts = count_calls(p, monkeypatch)
    real, y = normal(1, 6, 1, 8, 8), torch.arange(6) % 3
    critic_update(p, real, normal(2, 6, 1, 8, 8), y, draws(6))
    halves = 1 if update == "joint" else 2
    assert counts == {"backward": halves, "critic": halves, "generator": 0}
    generator_update(p, normal(3, 6, 5), y, real if p.objective.relativistic else None, 0)
    assert counts == {"backward": halves + 1, "critic": halves, "generator": 1}


@pytest.mark.parametrize("name", ["gan", "wgan-clip"])
def test_the_two_halves_of_a_separate_update_add_up_to_the_joint_loss(name: str) -> None:
    # with a rate of 0 and a wide clip the critic stands still, so both ways see the same scores
    real, fake = two_clouds()
    losses = {}
    for update in ("joint", "separate"):
        p = exact_players(points_config(objective=name, critic_update=update, lr=0, clip=100), points())
        losses[update] = float(critic_update(p, real, fake, None, draws(16))["critic/loss"])
    assert losses["separate"] == pytest.approx(losses["joint"], rel=1e-12)


def test_a_separate_update_steps_on_reals_first_and_judges_fakes_by_the_new_critic() -> None:
    # w moves by +rate * mean(real), then by -rate * mean(fake)
    p = by_hand(LinearCritic(torch.tensor([1.0, 1.0]).double()), objective="wgan-clip", critic_update="separate")
    real, fake = torch.tensor([[2.0, 0.0]]).double().expand(4, 2), torch.tensor([[0.0, 3.0]]).double().expand(4, 2)
    stats = critic_update(p, real, fake, None, draws(4))
    assert p.critic.w.tolist() == pytest.approx([1.02, 0.97], abs=1e-15)
    assert float(stats["critic/real"]) == 2.0  # by w = (1, 1)
    assert float(stats["critic/fake"]) == pytest.approx(3.0)  # by w = (1.02, 1)
    assert float(stats["critic/loss"]) == pytest.approx(1.0)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_real_scores_never_depend_on_the_fakes_beside_them(norm: str) -> None:
    config = images_config(objective="wgan-clip", critic_norm=norm, critic_conditioning="none", conditioning="none")
    p = exact_players(config, images())
    real, fake = normal(1, 6, 1, 8, 8), normal(2, 6, 1, 8, 8)
    a, f, _, _ = judge_both(p, real, fake, None)
    b, g, _, _ = judge_both(p, real, 10 + 5 * fake, None)
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(f, g)


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_a_generator_update_judges_by_the_statistics_that_were_asked_for(statistics: str) -> None:
    config = images_config(
        objective="wgan-clip", critic_norm="batch", critic_conditioning="none", conditioning="none",
        critic_statistics=statistics,
    )  # fmt: skip
    p = exact_players(config, images())
    n = config.batch
    critic_update(p, 3 + 2 * normal(1, n, 1, 8, 8), normal(2, n, 1, 8, 8), None, draws(n))
    z = normal(3, n, config.latent)
    judge = copy.deepcopy(p.critic).train(statistics == "batch")
    with torch.no_grad():
        expected = -judge(copy.deepcopy(p.generator)(z))[0].mean()
    before = {k: t.clone() for k, t in p.critic.state_dict().items() if "running" in k}
    stats = generator_update(p, z, None, None, 0)
    torch.testing.assert_close(torch.as_tensor(stats["generator/loss"]), expected, rtol=1e-12, atol=0)
    kept = all(torch.equal(t, p.critic.state_dict()[k]) for k, t in before.items())
    assert before and kept == (statistics == "running")
    critic_update(p, normal(4, n, 1, 8, 8), normal(5, n, 1, 8, 8), None, draws(n))
    assert all(m.training for m in p.critic.modules())  # the critic's own update: by its batch, as ever


# --- clipping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["joint", "separate"])
def test_the_generator_meets_a_clipped_critic_at_every_step(update: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = points_config(objective="wgan-clip", clip=0.004, lr=0.1, optimizer="rmsprop", critic_update=update)
    p = make_players(config, SINGLE, points())
    met, after = [], []

    def largest() -> float:
        return max(w.abs().max().item() for w in p.critic.parameters())

    judged, updated = loop.generator_update, loop.critic_update
    monkeypatch.setattr(loop, "generator_update", lambda *a: (met.append(largest()), judged(*a))[1])
    monkeypatch.setattr(loop, "critic_update", lambda *a: (updated(*a), after.append(largest()))[0])
    for step in range(3):
        loop.critic_phase(p, points(), step)
        loop.generator_phase(p, points(), step)
    assert met == pytest.approx([0.004] * 3) and after == pytest.approx([0.004] * 6)  # n_critic is 2
    flat = torch.cat([w.detach().flatten() for w in p.critic.parameters()]).abs()
    share = (flat > 0.004 * (1 - 1e-6)).double().mean().item()
    assert watch(p)["critic/share_clipped"] == pytest.approx(share) and share > 0.1


@pytest.mark.parametrize("name", OBJECTIVES)
def test_separate_halves_are_refused_where_a_term_belongs_to_both(name: str) -> None:
    if name in ("gan", "wgan-clip"):
        points_config(objective=name, critic_update="separate")
    else:
        with pytest.raises(WganError, match="use joint"):
            points_config(objective=name, critic_update="separate")


def test_clipping_bounds_nothing_for_other_objectives() -> None:
    assert all(
        bool(exact_players(points_config(objective=name), points()).clipped) == (name == "wgan-clip")
        for name in OBJECTIVES
    )


# --- what the loop feeds the updates ---------------------------------------------------------------------------------


class Spy:
    """Records what both updates and the fakes were given; the updates themselves are left out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reals: list[Tensor] = []
        self.labels: list[Tensor | None] = []
        self.latents: list[Tensor] = []
        self.fake_labels: list[Tensor | None] = []
        self.generator: list[tuple[Tensor, Tensor | None]] = []
        self.points: list[Tensor] = []
        monkeypatch.setattr(loop, "critic_update", self.critic_update)
        monkeypatch.setattr(loop, "make_fakes", self.make_fakes)
        monkeypatch.setattr(loop, "generator_update", lambda p, z, y, *rest: self.generator.append((z, y)) or {})

    def make_fakes(self, p: Players, z: Tensor, y: Tensor | None) -> Tensor:
        self.latents += z.split(p.config.batch)  # of all critic updates of a step at once, or of each
        self.fake_labels.append(y)
        return z

    def critic_update(self, p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draw: Draws) -> dict[str, Any]:
        self.reals.append(real)
        self.labels.append(y)
        self.points.append(draw.uniform())
        return {"critic/real": 0.0, "critic/fake": 0.0}

    def run(self, config: Config, source: Any, steps: range) -> Spy:
        p = make_players(config, SINGLE, source)
        for step in steps:
            loop.critic_phase(p, source, step)
            loop.generator_phase(p, source, step)
        return self


def distinct(tensors: list[Tensor]) -> int:
    return len({t.numpy().tobytes() for t in tensors})


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


def test_every_critic_update_gets_a_fresh_batch_fresh_latents_and_fresh_mixing_weights(spy: Spy) -> None:
    spy.run(points_config(n_critic=5, batch=4), points(1000), range(3))
    assert len(spy.reals) == distinct(spy.reals) == distinct(spy.latents) == distinct(spy.points) == 15
    assert distinct([z for z, _ in spy.generator] + spy.latents) == 3 + 15  # the generator's latents are its own


def test_shared_real_batches_are_one_for_each_step_with_fresh_latents(spy: Spy) -> None:
    spy.run(points_config(n_critic=5, batch=4, real_batches="shared"), points(1000), range(3))
    assert [distinct(spy.reals[i : i + 5]) for i in (0, 5, 10)] == [1, 1, 1]
    assert distinct(spy.reals) == 3 and distinct(spy.latents) == 15


def test_generator_latents_last_are_those_of_the_last_critic_update_with_its_labels(spy: Spy) -> None:
    spy.run(images_config(n_critic=3, generator_latents="last"), images(), range(4))
    for step, (z, y) in enumerate(spy.generator):
        assert torch.equal(z, spy.latents[3 * step + 2])
        assert torch.equal(y, spy.fake_labels[3 * step + 2])


def test_everything_the_updates_are_given_follows_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    for seed in (0, 1, 1):
        spy = Spy(monkeypatch).run(images_config(seed=seed, n_critic=1), images(), range(6))
        z, y = zip(*spy.generator, strict=True)
        given.append([torch.cat(list(t)) for t in (spy.reals, spy.labels, spy.latents, spy.points, z, y)])
    assert not any(torch.equal(a, b) for a, b in zip(given[0], given[1], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(given[1], given[2], strict=True))


def test_a_generator_batch_of_its_own_size_is_kept(spy: Spy) -> None:
    spy.run(images_config(generator_batch=10), images(), range(2))
    assert [(len(z), len(y)) for z, y in spy.generator] == [(10, 10)] * 2
    assert {len(z) for z in spy.latents} == {6}


def test_fakes_carry_the_labels_of_the_reals_beside_them(spy: Spy) -> None:
    spy.run(images_config(n_critic=4), images(), range(5))
    for real, y, fake_y in zip(spy.reals, spy.labels, spy.fake_labels, strict=True):
        index = (real[:, 0, 0, 0] * 127.5 + 127.5).round().long()  # the first pixel is the index, label i mod 3
        assert torch.equal(y, index % 3)
        assert torch.equal(fake_y, y)


def test_labels_of_generator_updates_are_as_frequent_as_the_datas(spy: Spy) -> None:
    source = images()
    skewed = replace(source, labels=(torch.arange(26) < 20).long())  # 20 of class 1, 6 of class 0
    spy.run(images_config(n_critic=1, batch=60), skewed, range(20))
    share = torch.cat([y for _, y in spy.generator]).double().mean().item()
    assert share == pytest.approx(20 / 26, abs=4 * math.sqrt(20 / 26 * 6 / 26 / 1200))  # 4 standard errors


def test_bytes_become_numbers_between_minus_1_and_1() -> None:
    x = torch.tensor([0, 127, 128, 255], dtype=torch.uint8)
    # (x - 127.5) / 127.5
    assert EXACT.to_float(x).tolist() == pytest.approx([-1, -0.5 / 127.5, 0.5 / 127.5, 1], abs=1e-15)
    assert EXACT.to_float(torch.tensor([3.0, -2.5])).tolist() == [3.0, -2.5]


# --- how often the critic is updated ---------------------------------------------------------------------------------


def test_warm_100_counts_exactly_and_is_not_bounded_by_the_data(spy: Spy) -> None:
    # 26 samples in batches of 4: an epoch is 6.5 batches, far shorter than 100 updates
    config = points_config(critic_schedule="warm-100", n_critic=2, batch=4)
    p, source = make_players(config, SINGLE, points()), points()
    for step, count in {0: 100, 24: 100, 25: 2, 499: 2, 500: 100, 501: 2, 1000: 100, 1024: 100, 1025: 2}.items():
        spy.reals.clear()
        loop.critic_phase(p, source, step)
        assert len(spy.reals) == count, step
        assert all(len(real) == 4 for real in spy.reals)


def test_warm_100_is_the_published_rule() -> None:
    def rule(step: int) -> int:
        return 100 if step % 1000 < 25 or step % 500 == 0 else 5

    assert [CRITIC_SCHEDULES["warm-100"](step, 5) for step in range(3000)] == [rule(step) for step in range(3000)]


def test_the_number_of_critic_updates_does_not_change_where_an_epoch_ends(spy: Spy) -> None:
    # 26 samples, batches of 4, 5 updates a step: epochs end within updates 6, 13, 19 ...
    p, source = make_players(points_config(n_critic=5, batch=4), SINGLE, points()), points()
    counts = []
    for step in range(20):
        spy.reals.clear()
        loop.critic_phase(p, source, step)
        counts.append(len(spy.reals))
    assert counts == [5] * 20


@pytest.mark.parametrize("schedule", CRITIC_SCHEDULES)
@pytest.mark.parametrize("n_critic", [1, 5])
def test_updates_before_a_step_are_the_sum_over_all_steps_before(schedule: str, n_critic: int) -> None:
    total = 0
    for step in range(2600):
        if step % 7 == 0 or step % 500 < 30:
            assert updates_before(schedule, step, n_critic) == total, step
        total += CRITIC_SCHEDULES[schedule](step, n_critic)


# --- the order of the data -------------------------------------------------------------------------------------------


def read(spy: Spy, config: Config, steps: int) -> list[int]:
    """The indices of all real samples in the order in which the critic meets them."""
    spy.run(config, points(), range(steps))
    assert all(len(real) == config.batch for real in spy.reals)  # no short batch
    return torch.cat(spy.reals)[:, 0].long().tolist()


def test_an_epoch_meets_every_sample_exactly_once_and_no_batch_is_short(spy: Spy) -> None:
    # 26 samples, batches of 4, 3 updates a step: 26 steps are 12 whole epochs
    indices = read(spy, points_config(batch=4, n_critic=3), 26)
    epochs = [indices[i : i + 26] for i in range(0, 312, 26)]
    assert all(sorted(epoch) == list(range(26)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 12  # each in an order of its own
    assert tuple(range(26)) not in {tuple(epoch) for epoch in epochs}


def test_an_epoch_is_whole_under_the_warm_schedule_and_with_shared_batches_too(spy: Spy) -> None:
    config = points_config(batch=13, critic_schedule="warm-100", n_critic=2)
    indices = read(spy, config, 2)  # 200 updates = 100 epochs
    assert all(sorted(indices[i : i + 26]) == list(range(26)) for i in range(0, 2600, 26))
    spy.reals.clear()
    config = points_config(batch=13, n_critic=3, real_batches="shared")
    indices = read(spy, config, 4)
    firsts = [i for u in range(0, 12, 3) for i in indices[13 * u : 13 * u + 13]]
    assert sorted(firsts[:26]) == sorted(firsts[26:]) == list(range(26))


def test_sequential_order_is_as_stored_round_and_round(spy: Spy) -> None:
    indices = read(spy, points_config(batch=4, n_critic=3, sampling="sequential"), 5)
    assert indices == [i % 26 for i in range(60)]


def test_iid_order_draws_with_replacement() -> None:
    drawn = torch.cat([order(0, "iid", 10, first, 10) for first in range(0, 5000, 10)])
    assert any(len(drawn[i : i + 10].unique()) < 10 for i in range(0, 5000, 10))
    # each index 500 times, 4 standard deviations of a binomial
    counts = torch.bincount(drawn, minlength=10)
    assert ((counts - 500).abs() < 4 * math.sqrt(5000 * 0.1 * 0.9)).all()


@pytest.mark.parametrize("sampling", ["epoch", "sequential"])
def test_the_order_does_not_depend_on_how_it_is_cut_into_batches(sampling: str) -> None:
    whole = order(3, sampling, 10, 0, 60)
    for size in (1, 4, 7, 15, 60):  # 15 is larger than the data
        cut = torch.cat([order(3, sampling, 10, first, size) for first in range(0, 60, size)])
        assert torch.equal(cut[:60], whole)
    assert torch.equal(order(3, sampling, 10, 47, 5), whole[47:52])  # and from anywhere


def test_another_seed_is_another_order() -> None:
    assert not torch.equal(order(0, "epoch", 100, 0, 100), order(1, "epoch", 100, 0, 100))


# --- the average of the generator ------------------------------------------------------------------------------------


def test_the_average_follows_its_recursion_exactly_buffers_included() -> None:
    p = exact_players(images_config(ema=0.9, conditioning="concat"), images())
    names = dict(p.generator.named_buffers())
    assert any("running_mean" in n for n in names) and any("num_batches" in n for n in names)
    expected = {k: v.clone() for k, v in p.generator.state_dict().items()}  # the average starts as a copy
    moved: dict[str, bool] = {}
    for step in range(12):
        generator_update(p, normal(step, 6, 5), torch.arange(6) % 3, None, step)
        decay = min(0.9, (1 + step) / (10 + step))
        for key, value in p.generator.state_dict().items():
            old = expected[key]
            expected[key] = decay * old + (1 - decay) * value if value.is_floating_point() else value.clone()
            moved[key] = moved.get(key, False) or not torch.equal(old, expected[key])
    for key, value in p.average.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=1e-12, atol=1e-14)
    assert all(moved.values())  # running statistics as well
    assert not any(w.requires_grad for w in p.average.parameters()) and not p.average.training


def test_a_young_average_forgets_its_random_start() -> None:
    # step 0: (1 + 0) / (10 + 0); step 90: 91 / 100; later the decay itself
    assert [ema_decay(0.999, step) for step in (0, 90, 10**6)] == [0.1, 0.91, 0.999]
    assert [ema_decay(0.5, step) for step in (0, 8, 9)] == [0.1, 0.5, 0.5]


def test_the_average_of_a_still_network_is_that_network() -> None:
    a, b = nn.Linear(2, 3), nn.Linear(2, 3)
    for _ in range(200):
        update_average(a, b, 0.8)
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(x, y)


def test_no_average_is_kept_for_ema_0() -> None:
    p = exact_players(points_config(ema=0), points())
    assert p.average is None and p.best_generator is p.generator
    q = exact_players(points_config(ema=0.9), points())
    assert q.best_generator is q.average


# --- optimizers ------------------------------------------------------------------------------------------------------

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


def test_keras_rmsprop_is_what_its_name_builds() -> None:
    w, v = np.zeros(3), np.zeros(3)
    for g in TINY:
        v = 0.9 * v + 0.1 * g**2
        w -= 1e-2 * g / np.sqrt(v + 1e-7)
    np.testing.assert_allclose(first_steps("rmsprop-keras"), w, rtol=1e-12)


def test_the_rmsprop_of_keras_2_has_its_epsilon_beside_the_root() -> None:
    w, v = np.zeros(3), np.zeros(3)
    for g in TINY:
        v = 0.9 * v + 0.1 * g**2
        w -= 1e-2 * g / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(first_steps("rmsprop-keras2"), w, rtol=1e-12)


def test_adam_takes_both_betas_from_the_config() -> None:
    w, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(TINY, 1):
        m, v = 0.5 * m + 0.5 * g, 0.8 * v + 0.2 * g**2
        w -= 1e-2 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.8**t)) + 1e-8)
    np.testing.assert_allclose(first_steps("adam", beta1=0.5, beta2=0.8), w, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_steps_convolution_kernels_by_index_and_not_by_memory(name: str) -> None:
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
        loop.critic_phase(q, source, step)
        loop.generator_phase(q, source, step)
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


# --- learning rates --------------------------------------------------------------------------------------------------


def test_learning_rates_decay_by_the_documented_factors() -> None:
    # of 4 steps: linear 1 - step / steps, cosine (1 + cos(pi step / steps)) / 2
    assert [rate_factor("none", s, 4) for s in range(4)] == [1, 1, 1, 1]
    assert [rate_factor("linear", s, 4) for s in range(4)] == [1, 0.75, 0.5, 0.25]
    half = math.sqrt(0.5) / 2
    assert [rate_factor("cosine", s, 4) for s in range(4)] == pytest.approx([1, 0.5 + half, 0.5, 0.5 - half], abs=1e-15)
    assert rate_factor("linear", 9, 4) == 0  # past the end
    assert set(FIELDS["lr_decay"].metadata["choices"]) == {"none", "linear", "cosine"}


@pytest.mark.parametrize(("critic_lr", "expected"), [(0.0, 0.1), (0.4, 0.4)])
def test_both_players_get_their_own_rate_at_every_step(critic_lr: float, expected: float) -> None:
    p = exact_players(points_config(lr=0.1, critic_lr=critic_lr, lr_decay="linear", steps=4), points())
    for step, factor in enumerate((1, 0.75, 0.5, 0.25)):
        loop.set_rates(p, step)
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
    wgan.train(run=tmp_path / "run", **options_of(config))
    assert rates == pytest.approx([0.01, 0.01, 0.0075, 0.0075, 0.005, 0.005, 0.0025, 0.0025])


# --- randomness inside an update -------------------------------------------------------------------------------------


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
        with loop.randomness(p, step, "critic dropout 0"):
            first = critic_update(p, fake, fake, torch.zeros(6).long(), draws(6))
        return float(first["critic/real"]), float(loop.generator_phase(p, source, step)["generator/loss"])

    assert scores(4, 0, 1) == scores(4, 0, 77)
    assert all(a != b for a, b in zip(scores(4, 0, 1), scores(5, 0, 1), strict=True))
    assert all(a != b for a, b in zip(scores(4, 0, 1), scores(4, 1, 1), strict=True))


def test_dropout_differs_between_the_critic_updates_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    source, seen = images(), []
    p = make_players(images_config(dropout=0.5, lr=0, objective="gan", n_critic=4), SINGLE, source)
    blank = torch.zeros(6, 1, 8, 8)
    update = loop.critic_update

    def noted(p: Players, real: Tensor, fake: Tensor, y: Tensor, draw: Draws) -> dict[str, Any]:
        stats = update(p, blank, blank, torch.zeros(6).long(), draw)
        seen.append(float(stats["critic/real"]))
        return stats

    monkeypatch.setattr(loop, "critic_update", noted)
    loop.critic_phase(p, source, 0)
    assert len(set(seen)) == 4


def test_draws_of_every_purpose_step_and_seed_are_their_own() -> None:
    keys = [(s, t, purpose) for s in (0, 1) for t in (0, 1) for purpose in ("a", "b")]
    values = [EXACT.draws(s, t, purpose, 4).normal(3) for s, t, purpose in keys]
    assert distinct(values) == 8
    assert torch.equal(values[0], EXACT.draws(0, 0, "a", 4).normal(3))


def test_two_processes_draw_the_halves_of_one() -> None:
    whole = EXACT.draws(0, 0, "a", 8).normal(3)
    halves = [replace(EXACT, place=Place(rank, 2)).draws(0, 0, "a", 4).normal(3) for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)


# --- numbers that are not finite -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["critic/loss", "generator/loss"])
def test_a_loss_that_is_not_finite_is_named_with_its_step(name: str, bad: float) -> None:
    stats = {"critic/loss": torch.tensor(1.0), "generator/loss": torch.tensor(2.0)}
    require_finite(stats, 7)
    with pytest.raises(WganError, match=f"{name} is not finite at step 7"):
        require_finite({**stats, name: torch.tensor(bad)}, 7)


def test_a_run_that_breaks_stops_at_that_step_and_keeps_its_last_checkpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    train_on(monkeypatch, points())
    update, calls = loop.critic_update, []

    def poisoned(p: Players, real: Tensor, *rest: Any) -> dict[str, Any]:
        calls.append(1)
        return update(p, real * math.nan if len(calls) == 5 else real, *rest)

    monkeypatch.setattr(loop, "critic_update", poisoned)
    config = points_config(n_critic=1, checkpoint_every=2, evaluate_every=0)
    with pytest.raises(WganError, match="critic/loss is not finite at step 5"):
        wgan.train(run=tmp_path / "run", **options_of(config))
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [2, 4]
    assert checkpoint.load(tmp_path / "run" / "checkpoints", 4).step == 4


def test_a_weight_that_is_not_finite_is_named_and_not_saved(tmp_path) -> None:
    good = {"critic/w": torch.ones(2)}
    checkpoint.save(tmp_path, 1, good, {})
    with pytest.raises(WganError, match="critic/w is not finite at step 2"):
        checkpoint.save(tmp_path, 2, {"critic/w": torch.tensor([1.0, math.nan])}, {})
    assert checkpoint.steps(tmp_path) == [1]


def test_gradients_are_never_mended_in_silence() -> None:
    # a broken loss must break the run: NaN in the critic's gradient reaches its weights
    p = by_hand(LinearCritic(torch.ones(2).double()), objective="wgan-clip", clip=10)
    stats = critic_update(p, torch.full((4, 2), math.nan).double(), torch.zeros(4, 2).double(), None, draws(4))
    assert not torch.isfinite(p.critic.w).any()
    with pytest.raises(WganError):
        require_finite(stats, 1)


def test_a_copy_of_the_players_updates_alike() -> None:
    # the whole state of an update is in the players: nothing hides in a module or a global
    p = make_players(images_config(conditioning="concat"), SINGLE, images())
    q = copy.deepcopy(p)
    q.generator_optimizer, q.critic_optimizer = build_optimizers(q.generator, q.critic, q.config)
    for players in (p, q):
        loop.critic_phase(players, images(), 3)
        loop.generator_phase(players, images(), 3)
    assert same(weights(p.critic) + weights(p.generator), weights(q.critic) + weights(q.generator))
    w = torch.full((2,), 3.0)
    clip_weights([w], 1.0)
    assert w.tolist() == [1.0, 1.0]


def test_the_logged_loss_is_the_one_before_the_step() -> None:
    p = by_hand(LinearCritic(torch.tensor([1.0, 0.0]).double()), objective="wgan-gp", penalty_weight=10)
    real, fake = torch.tensor([[1.0, 0.0]]).double().expand(4, 2), torch.zeros(4, 2).double()
    loss, _ = critic_loss(p, real, fake, None, draws(4))
    stats = critic_update(p, real, fake, None, draws(4))
    # E[D(fake)] - E[D(real)] = -1, and the slope is 1: no penalty
    assert float(stats["critic/loss"]) == pytest.approx(-1.0) == loss.item()
    assert float(stats["critic/slope"]) == pytest.approx(1.0)
