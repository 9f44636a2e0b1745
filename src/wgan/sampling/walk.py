"""walk(): a closed way through latents, for `wgan interpolate`."""

from __future__ import annotations

import torch
from torch import Tensor

from wgan.errors import WganError
from wgan.host import undisturbed
from wgan.sampling.latents import latents, slerp
from wgan.sampling.model import Model, Samples


@undisturbed()
def walk(model: Model, stops: int, frames: int, seed: int, rows: int = 1, label: int | str | None = None) -> Samples:
    """Return a closed walk [stops * frames * rows, *shape] between `stops` latents, `rows` walks side by side.

    A conditional model also walks across its labels (each leg its own) unless `label` holds one fixed.
    """
    if min(stops, frames, rows) < 1 or stops < 2:
        raise WganError("a walk needs at least 2 stops, 1 frame for each leg and 1 row")
    model.require_room(stops * frames * rows)
    anchors = latents(seed, stops * rows, model.network.latent).view(stops, rows, -1)
    t = torch.arange(frames) / frames
    legs = [
        slerp(anchors[s, r], anchors[(s + 1) % stops, r], t) for s in range(stops) for r in range(rows)
    ]  # each [frames, Z]
    z = torch.stack(legs).view(stops, rows, frames, -1).transpose(1, 2).reshape(stops * frames * rows, -1)
    return model.decode(z, _walk_labels(model, stops, frames, rows, label))


def _walk_labels(model: Model, stops: int, frames: int, rows: int, label: int | str | None) -> Tensor | None:
    per_leg = model.usual(stops, 0) if label is None and model.conditions is not None else model.labels(stops, label)
    return None if per_leg is None else per_leg.repeat_interleave(frames * rows)
