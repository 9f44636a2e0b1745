"""Volumes as slices: each is a row of pictures, from its front to its back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wgan.visual.images import image_grid, to_uint8

if TYPE_CHECKING:
    from PIL.Image import Image

SLICES = 8  # of each volume, at most
SHOWN, COLUMNS = 24, 2  # volumes of a grid, at most, and in each of its rows


def slice_grid(volumes: Any) -> Image:
    """Return the first SHOWN of volumes [N, C, D, H, W] in [-1, 1], each as SLICES slices side by side, front to back.

    Raises WganError as to_uint8 does.
    """
    shown = volumes[:SHOWN]
    places = slices_of(shown.shape[2])
    pictures = [to_uint8(shown[:, :, place]) for place in places]  # [N, H, W] or [N, H, W, C] each
    numbers = ", ".join(str(place + 1) for place in places)
    caption = f"each row is a volume: its slices {numbers} of {shown.shape[2]}"
    return image_grid(np.concatenate(pictures, axis=2), COLUMNS, caption=caption)


def slices_of(depth: int) -> list[int]:
    """Return at most SLICES places of a volume of so many slices, evenly spread about its middle."""
    count = min(depth, SLICES)
    return [int((i + 0.5) * depth / count) for i in range(count)]
