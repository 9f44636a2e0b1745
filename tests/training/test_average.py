"""The average of the generator follows its recursion exactly, buffers included."""

from __future__ import annotations

import torch
from helpers.problems import exact_players, images, images_config, normal, points, points_config
from torch import nn

from wgan.config import Config
from wgan.config.config import FIELDS
from wgan.training.schedule import ema_decay
from wgan.training.updates import generator_update, update_average


def test_the_average_follows_its_recursion_exactly() -> None:
    """Buffers included."""
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


def test_the_decay_is_reached_at_the_step_its_option_names() -> None:
    default = Config().ema
    assert default is not None
    step = next(s for s in range(10**5) if ema_decay(default, s) == default)
    assert step == 8990 and f"{default} is reached at step {step};" in FIELDS["ema"].help


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
