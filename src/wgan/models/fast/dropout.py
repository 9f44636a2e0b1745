"""Dropout at 16 random bits a number instead of a call of the generator each."""

from __future__ import annotations

import torch
from torch import Tensor

from wgan.host import DROPOUT


def drop(x: Tensor, p: float) -> Tensor:
    """x of any shape -> the same shape, a fraction p of it 0, to 1 / 65,536, and the rest divided by 1 - p."""
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=DROPOUT.get())
    bits = words.view(torch.int16)[: x.numel()]
    kept = (bits >= round(p * 65536) - 32768).to(x.dtype).mul_(1 / (1 - p))
    return x * torch.as_strided(kept, x.shape, x.stride()) if _dense(x) else x * kept.view(x.shape)


def _dense(x: Tensor) -> bool:
    """Return whether the numbers of x fill a piece of memory, in whatever order."""
    return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)
