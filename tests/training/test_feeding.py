"""What the loop feeds the updates: fresh or shared batches and latents, how often, and in which order of the data."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.problems import EXACT, SINGLE, distinct, images, images_config, points, points_config
from torch import Tensor

from wgan.config import Config
from wgan.rng import Draws, order
from wgan.training import step as phases
from wgan.training import updates
from wgan.training.players import Players, make_players
from wgan.training.schedule import CRITIC_SCHEDULES, updates_before

# --- what the loop feeds the updates ----------------------------------------------------------------------------------


class Spy:
    """Records what both updates and the fakes were given; the updates themselves are left out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reals: list[Tensor] = []
        self.labels: list[Tensor | None] = []
        self.latents: list[Tensor] = []
        self.fake_labels: list[Tensor | None] = []
        self.generator: list[tuple[Tensor, Tensor | None]] = []
        self.points: list[Tensor] = []
        monkeypatch.setattr(phases, "critic_update", self.critic_update)
        monkeypatch.setattr(phases, "make_fakes", self.make_fakes)
        self.paired: list[tuple[Tensor, Tensor | None] | None] = []
        monkeypatch.setattr(phases, "generator_update", self.generator_update)

    def make_fakes(self, p: Players, z: Tensor, y: Tensor | None) -> Tensor:
        self.latents += z.split(p.config.batch)  # of all critic updates of a step at once, or of each
        self.fake_labels.append(y)
        return z

    def generator_update(self, p: Players, z: Tensor, y: Tensor | None, real: Any, step: int) -> dict[str, Any]:
        self.generator.append((z, y))
        self.paired.append(real)
        return {}

    def critic_update(self, p: Players, real: Tensor, fake: Tensor, y: Tensor | None, draw: Draws) -> dict[str, Any]:
        self.reals.append(real)
        self.labels.append(y)
        self.points.append(draw.uniform())
        return {"critic/real": 0.0, "critic/fake": 0.0}

    def run(self, config: Config, source: Any, steps: range) -> Spy:
        p = make_players(config, SINGLE, source)
        for step in steps:
            phases.critic_phase(p, source, step)
            phases.generator_phase(p, source, step)
        return self


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


def test_every_critic_update_gets_fresh_draws(spy: Spy) -> None:
    """A fresh batch, fresh latents and fresh mixing weights."""
    spy.run(points_config(n_critic=5, batch=4), points(1000), range(3))
    assert len(spy.reals) == distinct(spy.reals) == distinct(spy.latents) == distinct(spy.points) == 15
    assert distinct([z for z, _ in spy.generator] + spy.latents) == 3 + 15  # the generator's latents are its own


def test_a_shared_real_batch_has_fresh_latents(spy: Spy) -> None:
    """One real batch for each step."""
    spy.run(points_config(n_critic=5, batch=4, real_batches="shared"), points(1000), range(3))
    assert [distinct(spy.reals[i : i + 5]) for i in (0, 5, 10)] == [1, 1, 1]
    assert distinct(spy.reals) == 3 and distinct(spy.latents) == 15


def test_generator_latents_last_are_those_of_the_last_update(spy: Spy) -> None:
    """The last critic update, with its labels."""
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


def test_labels_of_the_generator_are_as_frequent_as_the_datas(spy: Spy) -> None:
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


# --- how often the critic is updated ----------------------------------------------------------------------------------


def test_warm_100_counts_exactly_and_is_not_bounded_by_the_data(spy: Spy) -> None:
    # 26 samples in batches of 4: an epoch is 6.5 batches, far shorter than 100 updates
    config = points_config(critic_schedule="warm-100", n_critic=2, batch=4)
    p, source = make_players(config, SINGLE, points()), points()
    for step, count in {0: 100, 24: 100, 25: 2, 499: 2, 500: 100, 501: 2, 1000: 100, 1024: 100, 1025: 2}.items():
        spy.reals.clear()
        phases.critic_phase(p, source, step)
        assert len(spy.reals) == count, step
        assert all(len(real) == 4 for real in spy.reals)


def test_warm_100_is_the_published_rule() -> None:
    def rule(step: int) -> int:
        return 100 if step % 1000 < 25 or step % 500 == 0 else 5

    assert [CRITIC_SCHEDULES["warm-100"](step, 5) for step in range(3000)] == [rule(step) for step in range(3000)]


def test_n_critic_does_not_change_where_an_epoch_ends(spy: Spy) -> None:
    # 26 samples, batches of 4, 5 updates a step: epochs end within updates 6, 13, 19 ...
    p, source = make_players(points_config(n_critic=5, batch=4), SINGLE, points()), points()
    counts = []
    for step in range(20):
        spy.reals.clear()
        phases.critic_phase(p, source, step)
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


# --- the order of the data --------------------------------------------------------------------------------------------


def read(spy: Spy, config: Config, steps: int) -> list[int]:
    """The indices of all real samples in the order in which the critic meets them."""
    spy.run(config, points(), range(steps))
    assert all(len(real) == config.batch for real in spy.reals)  # no short batch
    return torch.cat(spy.reals)[:, 0].long().tolist()


def test_an_epoch_meets_every_sample_once_and_no_batch_is_short(spy: Spy) -> None:
    # 26 samples, batches of 4, 3 updates a step: 26 steps are 12 whole epochs
    indices = read(spy, points_config(batch=4, n_critic=3), 26)
    epochs = [indices[i : i + 26] for i in range(0, 312, 26)]
    assert all(sorted(epoch) == list(range(26)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 12  # each in an order of its own
    assert tuple(range(26)) not in {tuple(epoch) for epoch in epochs}


def test_an_epoch_is_whole_in_published_schedules_too(spy: Spy) -> None:
    """Under the warm schedule, and with shared batches."""
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


def test_reals_compared_with_fakes_keep_their_own_labels(spy: Spy) -> None:
    """Sample i of these images has the label i mod 3 and the brightness i in its first pixel."""
    spy.run(images_config(objective="r3gan"), images(), range(4))
    for found, (_, asked) in zip(spy.paired, spy.generator, strict=True):
        assert found is not None and asked is not None
        real, labels = found
        numbers = ((real[:, 0, 0, 0] + 1) * 127.5).round().long()
        assert torch.equal(numbers % 3, labels)
    assert any(not torch.equal(found[1], asked) for found, (_, asked) in zip(spy.paired, spy.generator, strict=True))


def test_reals_and_fakes_are_judged_under_their_own_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    p, seen = make_players(images_config(objective="r3gan"), SINGLE, images()), []
    judge = updates.judge
    monkeypatch.setattr(updates, "judge", lambda p, x, y, *rest: seen.append(y) or judge(p, x, y, *rest))
    x, asked, own = torch.zeros(6, 1, 8, 8), torch.zeros(6, dtype=torch.int64), torch.arange(6) % 3
    updates.generator_loss(p, torch.zeros(6, 5), asked, (x, own), 0)
    assert [y.tolist() for y in seen] == [asked.tolist(), own.tolist()]
