"""Microbatches give the same steps as the whole batch, and less goes through the networks at once."""

from __future__ import annotations

import pytest
import torch
from helpers import group_workers as workers
from helpers.problems import EXACT, EXACTLY, farthest, images_config, points, points_config
from torch import nn

from wgan.config import differences
from wgan.config.rules import cautions
from wgan.distributed.group import Group
from wgan.distributed.shard import Shard
from wgan.distributed.signals import Stop
from wgan.distributed.sync_layers import SharedDropout
from wgan.errors import WganError
from wgan.models import layers
from wgan.models.fast import FAST
from wgan.runs import checkpoint
from wgan.training import start
from wgan.training import step as phases

IN_PARTS = [
    name
    for name, (config, _) in workers.SYSTEMS.items()
    if "batch" not in (config.generator_norm, config.critic_norm) and config.objective != "dragan"
]


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("name", IN_PARTS)
def test_microbatches_give_the_same_steps(name: str, size: int) -> None:
    config, source = workers.SYSTEMS[name]
    (whole, stats), (parts, others) = (
        workers.steps(c, source, Group(), 5) for c in (config, config.replace(microbatch=size))
    )
    distance, where = farthest(*(checkpoint.flatten(workers.state.state(p)) for p in (whole, parts)), config)
    assert distance < EXACTLY, where
    assert stats == pytest.approx(others, rel=1e-9, abs=1e-11)


def test_spectral_norm_takes_the_same_steps_in_microbatches() -> None:
    """Every pass moves the singular vectors: four passes must leave them where one does."""
    config = points_config(objective="hinge", critic_norm="spectral", batch=8, precision="fp64")
    whole, parts = (workers.steps(c, points(), Group(), 8)[0] for c in (config, config.replace(microbatch=2)))
    distance, where = farthest(*(checkpoint.flatten(workers.state.state(p)) for p in (whole, parts)), config)
    assert distance < 1e-9, where


def test_microbatches_may_change_on_resume_without_batch_norm() -> None:
    """Batch norm would see them."""
    for norm, changed in (("layer", []), ("batch", ["microbatch: 0 -> 2"])):
        config = images_config(generator_norm=norm)
        assert differences(config, config.replace(microbatch=2)) == changed


def test_a_microbatch_bounds_what_goes_through_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config, source = points_config(batch=8, microbatch=2), points()
    p = start.make_players(config, EXACT, source)
    seen: list[int] = []
    for network in (p.generator, p.critic):
        network.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    phases.take_step(p, source, 0, Stop(), False)
    assert set(seen) == {2, 4}  # 4: two real and two fake


def test_microbatches_that_change_the_run_are_said_or_refused() -> None:
    assert any("batch norm with microbatch 2" in text for text in cautions(images_config(microbatch=2)))
    assert not cautions(images_config(microbatch=2, generator_norm="layer"))
    for options, words in (
        ({"microbatch": 4, "batch": 6}, "microbatch 4 must divide batch 6"),
        ({"microbatch": 4, "generator_batch": 6, "batch": 8}, "generator_batch 6"),
        ({"microbatch": 3, "pack": 2, "batch": 6, "critic_conditioning": "none"}, "pack 2 must divide microbatch 3"),
        ({"microbatch": 2, "objective": "dragan"}, "depends on the whole batch"),
    ):
        with pytest.raises(WganError, match=words):
            images_config(**options)


def fast_dropout() -> nn.Dropout:
    layer = layers.Dropout(0.4)
    layer.kernels = FAST
    return layer


@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.4), layers.Dropout(0.4), fast_dropout()], ids=["torch", "plain", "fast"]
)
def test_dropout_masks_are_the_parts_of_one(layer: nn.Dropout) -> None:
    x = torch.ones(8, 3, 4, 4)
    for whole in (x, x.to(memory_format=torch.channels_last), x[:, 0, 0]):
        torch.manual_seed(3)
        expected = layer(whole)
        assert 0 < (expected == 0).float().mean() < 0.7
        shard = Shard()
        parts = []
        for index in range(4):
            torch.manual_seed(3)
            with shard.within(index, 4):
                parts.append(SharedDropout(layer, shard)(shard.cut(whole)))
        assert torch.equal(torch.cat(parts), expected)
        torch.manual_seed(3)
        assert torch.equal(SharedDropout(layer, shard)(whole), expected)


def test_places_cut_batches_that_lie_side_by_side() -> None:
    shard, rows = Shard(1, 2), torch.arange(8)
    assert shard.cut(rows).tolist() == [4, 5, 6, 7]
    with shard.within(1, 2):
        assert shard.cut(rows).tolist() == [6, 7]
        with shard.side_by_side(2):
            assert shard.cut(rows).tolist() == [3, 7]
    with shard.alone():
        assert shard.cut(rows).tolist() == rows.tolist()
    assert shard == Shard(1, 2)
