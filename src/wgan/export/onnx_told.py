"""Conditions in operations that ONNX has: the file takes them in the user's units and standardises them itself."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.data.conditions import Conditions


class Encoded(nn.Module):
    """condition float64 [B, A], the user's numbers and places of levels -> vectors float32 [B, W]: Conditions.encode."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__()
        self.levels = [len(c.levels) for c in conditions.columns]
        for name in ("mean", "scale"):  # tensors: the exporter would round plain numbers to 32 bits
            values = [getattr(c, name) for c in conditions.columns]
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def forward(self, condition: Tensor) -> Tensor:
        """Return what networks are told."""
        n = dict(self.named_buffers())
        plain = (condition - n["mean"]) / n["scale"]
        parts = [
            F.one_hot(condition[:, i].long(), levels).double() if levels else plain[:, i : i + 1]
            for i, levels in enumerate(self.levels)
        ]
        return torch.cat(parts, 1).float()


class Told(nn.Module):
    """A generator or a critic that is given conditions in the user's units."""

    def __init__(self, network: nn.Module, conditions: Conditions) -> None:
        super().__init__()
        self.network, self.encode = network, Encoded(conditions)

    def forward(self, x: Tensor, condition: Tensor) -> Any:
        """Return what the network makes of latents or samples x, and of the conditions of each."""
        return self.network(x, self.encode(condition))


def spread(conditions: Conditions, n: int) -> Tensor:
    """Return conditions float64 [n, A] all over what was trained: every level, and numbers from the least to the greatest."""
    columns, turn = [], torch.arange(n)
    for i, c in enumerate(conditions.columns):
        if c.levels:  # those of several as the digits of a number
            columns.append((turn % len(c.levels)).double())
            turn = turn // len(c.levels)
        else:  # multiples of the golden ratio lie evenly, and no two columns go in step
            columns.append(c.low + (c.high - c.low) * (torch.arange(n) * (0.6180339887 * (i + 1)) % 1).double())
    return torch.stack(columns, 1)


def described(conditions: Conditions | None) -> str:
    """Return what the columns of the input `condition` are, as JSON: name, and levels by number or the trained range."""
    columns = conditions.columns if conditions is not None else ()
    return json.dumps(
        [{"name": c.name, **({"levels": c.levels} if c.levels else {"low": c.low, "high": c.high})} for c in columns]
    )
