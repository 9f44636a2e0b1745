"""Features of a convolutional network with random weights: for images, signals and volumes, without a trained classifier."""

from __future__ import annotations

import functools
import hashlib
import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from wgan.errors import WganError

SEED = 20_180_522
WIDTHS = (32, 64, 128, 128, 128, 128)  # channels; the map is halved after each
SMALLEST = 8  # pixels: the map is halved while it is larger
GRID = 2  # the last map is averaged over GRID x GRID parts, of a signal over GRID * GRID, of a volume over GRID in each axis
TAPS = 9  # of the kernels of signals
FEATURES = 128
KINDS = {1: "1d", 2: "", 3: "3d"}  # what a report calls the network, by the axes of its maps
SLOPE = 0.2  # of the leaky ReLU
CHUNK = 64  # every forward pass has exactly this many rows, so a feature never depends on how images were batched


def stages(*sides: int) -> int:
    """Return how many convolutions, each followed by a halving, samples of these sides get."""
    count, side = 1, min(sides) // 2
    while side > SMALLEST and count < len(WIDTHS):
        count, side = count + 1, side // 2
    return count


@functools.cache
def weights(channels: int, count: int, axes: int = 2) -> tuple[Tensor, ...]:
    """Return the kernels for samples of `channels` and `axes` sides: N(0, 2 / fan-in) of a fixed seed, the projection last."""
    rng = np.random.default_rng([SEED, channels, count] + [axes] * (axes != 2))
    sizes, kernel = [channels, *WIDTHS[:count]], (TAPS,) if axes == 1 else (3,) * axes
    shapes = [(b, a, *kernel) for a, b in itertools.pairwise(sizes)] + [(FEATURES, sizes[-1] * GRID ** max(axes, 2))]
    return tuple(torch.from_numpy(_kernel(rng, shape)) for shape in shapes)


def _kernel(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    fan_in = int(np.prod(shape[1:]))
    out: NDArray[np.float32] = (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)
    return out


def extractor_hash(channels: int, *sides: int) -> str:
    """Return the sha256 of the weights for images, signals or volumes of this shape."""
    digest = hashlib.sha256()
    for kernel in weights(channels, stages(*sides), len(sides)):
        digest.update(kernel.numpy().tobytes())
    return digest.hexdigest()


def extractor_name(channels: int, *sides: int) -> str:
    """Return what the extractor is called in a report, with the head of its weights' sha256."""
    return f"random-conv{KINDS[len(sides)]} {extractor_hash(channels, *sides)[:12]}"


@torch.no_grad()
def random_features(samples: Any, scaled: bool = False) -> NDArray[np.float32]:
    """Return features of a random network: h ← halve(lrelu(W * h)) while the map is larger than 8 pixels, then a projection.

    samples: images uint8 [N, C, H, W], with `scaled` floats in [-1, 1], any C, sides of at least 4, or standardised signals
    float [N, C, T], T at least 4, or volumes float [N, C, D, H, W]
    -> float32 [N, 128], arbitrary unit.
    Source: random embeddings for precision and recall, Naeem et al. 2020, section 4.2; the network is our own.
    Errors: WganError for another dtype or shape, or no image. Nothing is learned: the features see colours, edges and
    where they lie, not what is shown. The weights depend on C and on the number of stages alone: compare values only
    where the printed hash is the same.
    """
    x = torch.as_tensor(samples)
    known = x.ndim == 4 if x.dtype == torch.uint8 else x.is_floating_point() and x.ndim in (3 + scaled, 5)
    if not known or min(x.shape[2:]) < 4:
        name = str(x.dtype).removeprefix("torch.")
        raise WganError(
            "random features need uint8 images [N, C, H, W] of at least 4 pixels, or float signals [N, C, T] or volumes, not "
            f"{name} {list(x.shape)}"
        )
    if len(x) == 0:
        raise WganError("there is no image to look at: N is 0")
    *kernels, projection = weights(x.shape[1], stages(*x.shape[2:]), x.ndim - 2)
    outputs = []
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK].cpu()
        h = torch.zeros(CHUNK, *x.shape[1:])
        h[: len(part)] = part.float() / 127.5 - 1 if x.dtype == torch.uint8 else part.float()
        h = {3: signal_maps, 4: image_maps, 5: volume_maps}[x.ndim](h, kernels)
        outputs.append((h.flatten(1) @ projection.T)[: len(part)])
    result: NDArray[np.float32] = torch.cat(outputs).numpy()
    return result


def image_maps(h: Tensor, kernels: list[Tensor]) -> Tensor:
    """Return the last map of images [B, C, H, W], averaged: [B, C', GRID, GRID]."""
    h = h.contiguous(memory_format=torch.channels_last)
    for kernel in kernels:
        h = F.avg_pool2d(F.leaky_relu(F.conv2d(h, kernel, padding=1), SLOPE), 2)
    return F.adaptive_avg_pool2d(h, GRID)


def signal_maps(h: Tensor, kernels: list[Tensor]) -> Tensor:
    """Return the last map of signals [B, C, T], averaged: [B, C', GRID * GRID]."""
    for kernel in kernels:
        h = F.avg_pool1d(F.leaky_relu(F.conv1d(h, kernel, padding=TAPS // 2), SLOPE), 2)
    return F.adaptive_avg_pool1d(h, GRID * GRID)


def volume_maps(h: Tensor, kernels: list[Tensor]) -> Tensor:
    """Return the last map of volumes [B, C, D, H, W], averaged: [B, C', GRID, GRID, GRID]."""
    for kernel in kernels:
        h = F.avg_pool3d(F.leaky_relu(F.conv3d(h, kernel, padding=1), SLOPE), 2)
    return F.adaptive_avg_pool3d(h, GRID)
