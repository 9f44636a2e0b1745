"""What the processes of a group say to each other in tests: each tries everything and returns what came of it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from wgan.distributed import rendezvous
from wgan.distributed.shard import Shard
from wgan.distributed.sync_layers import SyncedBatchNorm
from wgan.errors import NotFinite, WganError


def talk():
    """Try everything that processes say to each other; return what came of it."""
    with rendezvous.formed() as group:
        said = {
            "broadcast": group.broadcast(b"from 0" if group.is_main else b"").decode(),
            "empty": group.broadcast(b"").decode(),
            "all_gather": [t.decode() for t in group.all_gather(f"{group.rank}".encode() * (group.rank + 1))],
            "on_main": group.on_main(lambda: [group.rank, "x"]),
            "on_all": group.on_all(lambda: group.rank),
            "mean": [float(v) for v in mean_of(group)],
        }
        whole = [torch.full((i, 2), i) for i in range(5)]
        said["map"] = all(torch.equal(a, b) for a, b in zip(group.map(5, lambda i: whole[i]), whole, strict=True))
        said["errors"] = [outcome(lambda: group.on_main(fail)), outcome(lambda: group.on_main(not_finite))]
        said["errors"] += [outcome(lambda: group.on_all(fail if group.rank == 1 else int))]
        said["batch norm"] = batch_norm(group)
    return said


def mean_of(group):
    tensors = [torch.full((2, 2), float(group.rank)), torch.arange(3.0) * group.rank]
    numbers = group.average(tensors, [torch.tensor(float(group.rank)), torch.tensor(4.0)])
    return [*tensors[0].flatten(), *tensors[1], *numbers]


def fail():
    raise WganError("broken")


def not_finite():
    raise NotFinite("critic/loss", 7, {"a": 1.0})


def outcome(work):
    try:
        return str(work())
    except WganError as error:
        return f"{type(error).__name__}: {error}"


def batch_norm(group):
    """Return the largest difference between the synced layer on parts and the plain one on the whole, gradients included."""
    torch.manual_seed(0)
    whole = torch.randn(12, 3, 4, 4, dtype=torch.float64) * 3 + 5
    target = torch.randn_like(whole)
    plain = nn.BatchNorm2d(3, momentum=0.3).double()
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    twin = nn.BatchNorm2d(3, momentum=0.3).double()
    twin.load_state_dict(plain.state_dict())
    shard = Shard(group.rank, group.world)
    synced = SyncedBatchNorm(twin, group, shard)
    worst = 0.0
    for turn in range(3):
        x, mine = (whole + turn).requires_grad_(), shard.cut(whole + turn).requires_grad_()
        a, b = plain(x), synced(mine)
        ((a - target) ** 2).mean().backward()
        ((b - shard.cut(target)) ** 2).mean().backward()
        weights = [synced.weight.grad, synced.bias.grad]
        group.average(weights, [])
        pairs = [(shard.cut(a), b), (shard.cut(x.grad), mine.grad / group.world)]
        pairs += zip((plain.weight.grad, plain.bias.grad), weights, strict=True)
        pairs += zip(plain.buffers(), synced.buffers(), strict=True)
        worst = max([worst, *(float((s.double() - t.double()).abs().max()) for s, t in pairs)])
        for layer in (plain, synced):
            layer.zero_grad()
    assert set(plain.state_dict()) == set(synced.state_dict())
    with shard.alone():
        expected = F.batch_norm(whole, None, None, synced.weight, synced.bias, training=True)
        worst = max(worst, float((synced(whole) - expected).abs().max()))
    return worst
