"""Adaptive augmentation: the ratio it follows, how the share moves, that both players see it, and that a resume keeps it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from helpers.problems import EXACT, exact_players, images, images_config, train_on
from torch import nn

import wgan
from wgan.config import Config
from wgan.data import Source
from wgan.errors import WganError
from wgan.runs.checkpoint import load
from wgan.training import adaptive, loop, start
from wgan.training.adaptive import follow, moved_fraction, overfitting, require_held_out
from wgan.training.monitor import Monitor

ADAPTIVE = images_config(augment_target=0.3, batch=8)


def flat_images(brightness, count=150):
    """Images of one brightness each: their mean is their only content."""
    x = torch.full((count, 1, 8, 8), brightness, dtype=torch.uint8)
    return Source("tiny", "train", (1, 8, 8), count, lambda i: x[i], torch.arange(count) % 3, 3, ("0", "1", "2"))


class Brightness(nn.Module):
    """A critic whose score is scale * the mean pixel + shift."""

    def __init__(self, scale=1.0, shift=0.0):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x, y=None):
        return self.scale * x.mean((1, 2, 3)) + self.shift, None


class Dark(nn.Module):
    """A generator of images of one brightness."""

    latent, classes, told = 5, 3, True

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, z, y=None):
        assert y is not None and len(y) == len(z)  # conditional: it gets labels
        return torch.full((len(z), 1, 8, 8), self.value)


def watched(critic, train=250, held_out=150, fake=-1.0, config=ADAPTIVE):
    """Players with this critic, and a monitor whose train and held-out images have these brightnesses."""
    players = exact_players(config, images())
    players = dataclasses.replace(players, critic=critic, average=Dark(fake), augment_fraction=0.0)
    monitor = Monitor(config, flat_images(train))
    monitor.__dict__["held_out"] = flat_images(held_out)
    return players, monitor


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (7.5, -40.0)])
def test_the_ratio_is_karras_equation_1_in_any_unit_of_scores(scale, shift):
    # D(train) = 250, D(held out) = 150, D(fake) = 0 in bytes: (250 - 150) / (250 - 0)
    assert overfitting(*watched(Brightness(scale, shift)), step=4) == pytest.approx(0.4, abs=1e-9)


def test_the_ratio_is_zero_where_nothing_is_known_or_told_apart():
    assert overfitting(*watched(Brightness(), held_out=250), step=4) == 0
    assert overfitting(*watched(Brightness(-1.0)), step=4) == 0  # fakes score higher: a lost critic


def test_images_are_looked_at_as_the_critic_sees_them(monkeypatch):
    shares = []
    monkeypatch.setattr(
        adaptive, "augment", lambda x, share, draws: (shares.append((share, draws.uniform(10).shape)), x)[1]
    )
    players, monitor = watched(Brightness())
    players.augment_fraction = 0.7
    overfitting(players, monitor, 4)
    assert shares == [(0.7, (8, 10))] * 3


def test_looking_changes_nothing_in_the_players():
    config = images_config(augment_target=0.3, critic_norm="spectral", objective="hinge")
    players = exact_players(config, images())
    players.augment_fraction = 0.5
    monitor = Monitor(config, images())
    monitor.__dict__["held_out"] = images(120)
    before = [t.clone() for n in (players.critic, players.generator, players.average) for t in n.state_dict().values()]
    ratios = [overfitting(players, monitor, step) for step in (4, 4, *range(8, 40, 4))]
    after = [t for n in (players.critic, players.generator, players.average) for t in n.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert ratios[0] == ratios[1] and len(set(ratios)) > 2  # a function of the step


def test_the_share_moves_towards_the_target_within_its_bounds():
    change = 4 * 8 / 100_000
    assert moved_fraction(0.5, 0.31, ADAPTIVE) == pytest.approx(0.5 + change)
    assert moved_fraction(0.5, 0.29, ADAPTIVE) == pytest.approx(0.5 - change)
    assert moved_fraction(0.0, 0.1, ADAPTIVE) == 0 and moved_fraction(0.8, 0.9, ADAPTIVE) == 0.8


def test_every_fourth_step_is_looked_at_and_all_say_the_fraction():
    players, monitor = watched(Brightness())
    said = [follow(players, monitor, step, {"critic/loss": 1.0}) for step in range(1, 9)]
    change = 4 * 8 / 100_000
    assert [s["augment/share"] for s in said] == pytest.approx([0, 0, 0, *[change] * 4, 2 * change])
    assert ["augment/overfitting" in s for s in said] == [False] * 3 + [True] + [False] * 3 + [True]
    again = follow(players, monitor, 8, said[-1])  # a step whose evaluation was cut: taken already
    assert again == said[-1] and players.augment_fraction == pytest.approx(2 * change)


def test_without_a_target_nothing_is_looked_at():
    players, _ = watched(Brightness(), config=images_config())
    assert follow(players, None, 4, {"critic/loss": 1.0}) == {"critic/loss": 1.0}


def test_both_players_see_images_changed_by_todays_fraction():
    players = exact_players(ADAPTIVE, images())
    x = torch.rand(200, 1, 8, 8, dtype=torch.float64)
    assert players.augment(x, 0, "augment real 0") is x  # it starts at --augment, here 0
    players.augment_fraction = 0.8
    changed = (players.augment(x, 0, "augment real 0") != x).flatten(1).any(1).double().mean()
    assert changed > 0.9
    assert exact_players(ADAPTIVE.replace(augment=0.4), images()).augment_fraction == 0.4


def test_a_checkpoint_holds_the_share_to_the_last_bit(tmp_path, monkeypatch):
    source = images(120)
    train_on(monkeypatch, source)
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    config = ADAPTIVE.replace(steps=4, augment=0.3)
    run = loop.train(config, tmp_path / "run", tty=False).run
    share = run.log()[-1]["augment/share"]
    assert share != 0.3 and load(run.checkpoints, 4).manifest["share"] == share
    players = start.make_players(config, EXACT, source)
    start.restore(players, wgan.open_run(tmp_path / "run"))
    assert players.augment_fraction == share


def test_too_few_held_out_images_are_refused():
    monitor = Monitor(ADAPTIVE, images())
    monitor.__dict__["held_out"] = images(99)
    with pytest.raises(WganError, match=r"leaves 19 for that, fewer than 20: use a fixed --augment 0\.8"):
        require_held_out(monitor)
    monitor.__dict__["held_out"] = images(100)
    require_held_out(monitor)
    require_held_out(Monitor(images_config(), images()))


def test_a_run_on_its_held_out_images_is_refused():
    with pytest.raises(WganError, match="augment_target needs held-out images, and split all trains on them"):
        Config(augment_target=0.3, split="all")
