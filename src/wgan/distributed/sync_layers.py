"""Layers that see the whole world's batch, though each process holds a part: batch norm and dropout.

PyTorch's own SyncBatchNorm does not run on CPUs; its dropout draws other masks for other batch sizes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from wgan.distributed.group import Group
from wgan.distributed.shard import Shard


class Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        total = x.clone()
        group.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone()
        ctx.group.all_reduce(total)
        return total, None


class SyncedBatchNorm(nn.Module):
    """Batch norm whose statistics are the whole world's; it has the parameters and buffers of the layer it replaces.

    One message of 2 C numbers each way: sum and sum of squares of x - c, where c is the running mean, so that little
    is lost to rounding. A process that computes something for itself (Shard.alone) sees its own batch only.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, plain: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, group: Group, shard: Shard) -> None:
        super().__init__()
        self.group, self.shard = group, shard
        self.eps, self.momentum = plain.eps, plain.momentum or 0.0
        self.weight, self.bias = plain.weight, plain.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(plain, name))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, ...] -> [B, C, ...]."""
        if not self.training or self.shard.count == 1:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
            )
        mean, variance, count = self.statistics(x)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * count / max(count - 1, 1)).to(self.running_var.dtype), self.momentum)
        scale = torch.rsqrt(variance + self.eps)
        shift = -mean * scale
        if self.weight is not None:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        shape = (1, -1, *(1,) * (x.dim() - 2))
        return torch.addcmul(shift.view(shape), x, scale.view(shape)).to(x.dtype)

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor, int]:
        """Return mean [C], biased variance [C] and how many numbers each is of, over the world's batch."""
        wide = x if x.dtype == torch.float64 else x.float()
        axes = [0, *range(2, x.dim())]
        centre = self.running_mean.to(wide.dtype).clone()
        away = wide - centre.view(1, -1, *(1,) * (x.dim() - 2))
        sums = Sum.apply(torch.cat([away.sum(axes), away.square().sum(axes)]), self.group)  # type: ignore[no-untyped-call]
        count = x.numel() // x.shape[1] * self.group.world
        first, second = (sums / count).chunk(2)
        return first + centre, (second - first.square()).clamp(min=0), count


class SharedDropout(nn.Module):
    """Dropout whose mask is drawn, by the layer it wraps, for the whole world's batch and cut to the rows of this process."""

    def __init__(self, layer: nn.Dropout, shard: Shard) -> None:
        super().__init__()
        self.layer, self.shard = layer, shard

    def forward(self, x: Tensor) -> Tensor:
        """x [B, ...] -> [B, ...], in training a fraction p of it 0 and the rest divided by 1 - p."""
        if not self.training or self.layer.p == 0 or self.shard.count == 1:
            out: Tensor = self.layer(x)
            return out
        likes = x.detach()[:1].expand(len(x) * self.shard.count, *x.shape[1:])
        layout = torch.channels_last if is_channels_last(x) else torch.contiguous_format
        return x * self.shard.cut(self.layer(torch.ones_like(likes, memory_format=layout)))


def is_channels_last(x: Tensor) -> bool:
    """Return whether images lie in memory as PyTorch's dropout would draw their mask: channel by channel of each pixel."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def share_batch(network: nn.Module, group: Group, shard: Shard) -> None:
    """Replace batch norm and dropout of a network by their forms for many processes, in place."""
    for module in [m for m in network.modules() if not isinstance(m, SharedDropout)]:
        for name, child in module.named_children():
            if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)) and group.world > 1:
                setattr(module, name, SyncedBatchNorm(child, group, shard))
            elif isinstance(child, nn.Dropout):
                setattr(module, name, SharedDropout(child, shard))
