"""Differentiable augmentation for small data: colour, translation and cutout, the same for real and fake (Zhao et al. 2020).

Each change reaches a fraction of the images only, so that a generator cannot profit from making changed ones (Karras 2020).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

SHIFT = 1 / 8  # of a side: the farthest translation
HOLE = 1 / 2  # of a side: the square that cutout empties


class Draws(Protocol):
    """Where the random numbers come from: a function of (seed, step, purpose)."""

    def uniform(self, *shape: int) -> Tensor:
        """U[0, 1) draws [B, *shape]."""


def augment(x: Tensor, fraction: float, draws: Draws) -> Tensor:
    """Return images x [B, C, H, W] with each of the three changes made to a `fraction` of them, differentiably."""
    u = draws.uniform(10).to(x.dtype)  # [B, 10]
    chosen = u[:, 7:] < fraction  # [B, 3]
    x = where_chosen(chosen[:, 0], colour(x, u[:, 0], u[:, 1], u[:, 2]), x)
    x = where_chosen(chosen[:, 1], translation(x, u[:, 3], u[:, 4]), x)
    return where_chosen(chosen[:, 2], cutout(x, u[:, 5], u[:, 6]), x)


def where_chosen(chosen: Tensor, changed: Tensor, x: Tensor) -> Tensor:
    """Return `changed` where chosen [B], else x [B, C, H, W]."""
    return torch.where(chosen[:, None, None, None], changed, x)


def colour(x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Brightness x + (a - 1/2), saturation about the grey of each pixel by 2b, contrast about the mean by c + 1/2."""
    a, b, c = (v[:, None, None, None] for v in (a, b, c))  # each [B, 1, 1, 1] in [0, 1)
    x = x + (a - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * b) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (c + 0.5) + mean


def translation(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Shift each image by whole pixels, up to SHIFT of its side either way; what comes in is 0, which is mid grey."""
    height, width = x.shape[2:]
    rows = (
        torch.arange(height, device=x.device) - whole_pixels(down, height)[:, None]
    )  # [B, H], where each row comes from
    columns = torch.arange(width, device=x.device) - whole_pixels(right, width)[:, None]  # [B, W]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]  # [B, H, W]
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[batch, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]]
    return (moved * inside[..., None]).permute(0, 3, 1, 2)  # [B, C, H, W]


def whole_pixels(u: Tensor, side: int) -> Tensor:
    """Return whole pixels in -s .. s, s = SHIFT of the side (rounded), evenly, for u [B] in [0, 1)."""
    most = round(side * SHIFT)
    return (u * (2 * most + 1)).long() - most


def cutout(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Set a rectangle of HOLE of each side to 0; its centre lies anywhere in the image."""
    masks = []
    for u, side in ((down, x.shape[2]), (right, x.shape[3])):
        centre, size = (u * side).long()[:, None], round(side * HOLE)
        place = torch.arange(side, device=x.device)
        masks.append((place >= centre - size // 2) & (place < centre - size // 2 + size))  # [B, side]
    hole = masks[0][:, :, None] & masks[1][:, None]  # [B, H, W]
    return x * ~hole[:, None]
