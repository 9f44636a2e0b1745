"""Augmentation keeps every promise: shares, ranges, gradients, and both players see it alike."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wgan.config import Config
from wgan.data import open_source
from wgan.engine import make_engine
from wgan.errors import WganError
from wgan.recipes import configure
from wgan.training.augment import augment, cutout, translation, whole_pixels
from wgan.training.players import make_players
from wgan.training.step import critic_phase, generator_phase

pytestmark = pytest.mark.usefixtures("cache")


def draws(rows, seed=0):
    return make_engine("cpu", "fp32", 1).draws(seed, 3, "augment", rows)


def noise(rows=64, shape=(3, 16, 12)):
    return torch.rand(rows, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_no_share_changes_nothing_and_a_whole_share_everything():
    x = noise()
    assert torch.equal(augment(x, 0.0, draws(64)), x)
    changed = (augment(x, 1.0, draws(64)) != x).flatten(1).any(1)
    assert changed.all()
    part = (augment(noise(2000), 0.2, draws(2000)) != noise(2000)).flatten(1).any(1).float().mean()
    assert abs(part - (1 - 0.8**3)) < 0.05  # three changes, each to a fifth; 5 standard errors are 0.056


def test_augmentation_is_a_function_of_its_draws():
    x = noise()
    assert torch.equal(augment(x, 0.7, draws(64)), augment(x, 0.7, draws(64)))
    assert not torch.equal(augment(x, 0.7, draws(64)), augment(x, 0.7, draws(64, seed=1)))


def test_augmentation_passes_gradients():
    x = noise(4, (2, 4, 4)).double().requires_grad_()
    u = torch.rand(4, 10, generator=torch.Generator().manual_seed(0)).double()
    u[:, 5:7] = 0.0  # a hole in the corner, so that the rest has gradients
    u[:, 7:] = 0.0

    class Fixed:
        def uniform(self, *shape):
            return u

    assert torch.autograd.gradcheck(lambda v: augment(v, 1.0, Fixed()), x)


def test_translation_moves_whole_pixels_and_fills_with_grey():
    x = noise(1, (1, 16, 16)) + 3
    moved = translation(x, torch.tensor([0.99]), torch.tensor([0.0]))  # 2 down, 2 left
    assert torch.equal(moved[0, 0, 2:, :-2], x[0, 0, :-2, 2:])
    assert not moved[0, 0, :2].any() and not moved[0, 0, :, -2:].any()
    assert sorted(set(whole_pixels(torch.linspace(0, 0.999, 100), 16).tolist())) == [-2, -1, 0, 1, 2]


def test_cutout_empties_a_quarter_within_the_image():
    x = torch.ones(1, 2, 16, 16)
    hole = cutout(x, torch.tensor([0.5]), torch.tensor([0.5]))[0]
    assert (hole == 0).sum() == 2 * 8 * 8 and not hole[:, 4:12, 4:12].any()


class Spy(nn.Module):
    """A critic that remembers what it was shown."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, []

    def forward(self, x, y=None):
        self.seen.append(x.detach().clone())
        return self.inner(x, y)


def shown_to_the_critic(photos, **options):
    source = open_source(str(photos))
    config = Config(**{"data": str(photos), "batch": 8, "generator_layers": "auto", "critic_layers": "auto", **options})
    players = make_players(config, make_engine("cpu", "fp32", 1), source)
    players.critic = Spy(players.critic)
    critic_phase(players, source, 0)
    both = players.critic.seen[0]
    players.critic.seen.clear()
    generator_phase(players, source, 0)
    return both[:8], both[8:], players.critic.seen[0]


def test_both_players_see_real_and_fake_changed(photos):
    plain = shown_to_the_critic(photos)
    changed = shown_to_the_critic(photos, augment=1.0)
    for before, after in zip(plain[:2], changed[:2], strict=True):
        assert (before != after).flatten(1).any(1).all()
    assert (plain[2] != changed[2]).flatten(1).any(1).all()
    again = shown_to_the_critic(photos, augment=1.0)
    assert all(torch.equal(a, b) for a, b in zip(changed, again, strict=True))


def test_flips_mirror_about_half_of_the_real_images_only(photos):
    (real, fake, _), (flipped, same, _) = shown_to_the_critic(photos), shown_to_the_critic(photos, flip=1)
    turned = [bool(torch.equal(f, r.flip(2))) for r, f in zip(real, flipped, strict=True)]
    kept = [bool(torch.equal(f, r)) for r, f in zip(real, flipped, strict=True)]
    assert all(a != b for a, b in zip(turned, kept, strict=True)) and 0 < sum(turned) < 8
    assert torch.equal(fake, same)


def test_half_of_the_images_are_mirrored(photos):
    source = open_source(str(photos))
    config = Config(data=str(photos), batch=8, generator_layers="auto", critic_layers="auto", flip=1)
    players = make_players(config, make_engine("cpu", "fp32", 1), source)
    x = torch.zeros(4000, 1, 1, 2)
    x[..., 0] = 1
    share = players.mirror(x, 0)[:, 0, 0, 1].mean()
    assert abs(share - 0.5) < 5 * (0.25 / 4000) ** 0.5  # five standard errors


@pytest.mark.parametrize("option", ["flip", "augment"])
def test_vectors_have_neither(option):
    with pytest.raises(WganError, match="are for images"):
        make_players(configure("vectors", {option: 1}), make_engine("cpu", "fp32", 1), open_source("ring"))
