"""Fit the digit classifier behind fid-lenet: python tools/fit_features.py (about 6 minutes on one core).

It learns from MNIST's train split with random shifts, rotations, scales and shears, from one seed, for a fixed number of
epochs; what ships is the running average of the weights at the end. The test split is looked at once, after that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from wgan.data import open_source
from wgan.metrics.features import WEIGHTS, LeNet

BATCH = 256


def mnist(split: str) -> tuple[Tensor, Tensor]:
    """Return all images uint8 [N, 28, 28] and labels int64 [N] of a split."""
    source = open_source("mnist", split)
    x, y = source.batch(torch.arange(len(source)))
    assert y is not None
    return x[:, 0], y


def augment(x: Tensor, rng: torch.Generator) -> Tensor:
    """Move each image a little: rotation ±12°, scale ±12 %, shear ±0.15, shift ±2.5 pixels. [B, 1, 28, 28] in [0, 1]."""

    def uniform(bound: float) -> Tensor:
        return (2 * torch.rand(len(x), generator=rng) - 1) * bound

    angle, shear = uniform(math.radians(12)), uniform(0.15)
    wide, tall = 1 + uniform(0.12), 1 + uniform(0.12)
    cos, sin = angle.cos(), angle.sin()
    shift = 2 * 2.5 / 28  # grid_sample's unit is half an image
    first = torch.stack([cos * wide, -sin * wide + shear, uniform(shift)], 1)
    second = torch.stack([sin * tall, cos * tall, uniform(shift)], 1)
    grid = F.affine_grid(torch.stack([first, second], 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def fit(x: Tensor, y: Tensor, epochs: int, seed: int) -> LeNet:
    """Train by Adam with a one-cycle rate and label smoothing; return the averaged weights with fresh batch-norm statistics."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    model = LeNet().to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    steps = len(x) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=epochs * steps, pct_start=0.15)
    began = time.perf_counter()
    for epoch in range(epochs):
        order, total = torch.randperm(len(x), generator=rng), 0.0
        for step in range(steps):
            pick = order[step * BATCH : (step + 1) * BATCH]
            batch = augment(x[pick].float()[:, None] / 255, rng).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(batch).float(), y[pick], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}  loss {total / steps:.4f}  {time.perf_counter() - began:.0f} s", flush=True)
    averaged = average.module
    assert isinstance(averaged, LeNet)
    return averaged.eval()


@torch.no_grad()
def accuracy(model: LeNet, x: Tensor, y: Tensor) -> float:
    """Return the share of images the model names rightly, in eval mode and float32."""
    right = [
        (model(a.float()[:, None] / 255).argmax(1) == b).sum() for a, b in zip(x.split(500), y.split(500), strict=True)
    ]
    return float(sum(right)) / len(y)


def main() -> None:
    """Fit, measure once on the test split, write weights and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; the weights depend on it in the last bits")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y = mnist("train")
    began = time.perf_counter()
    model = fit(x, y, args.epochs, args.seed)
    seconds = time.perf_counter() - began
    score = accuracy(model, *mnist("test"))
    data = save({name: value.contiguous() for name, value in model.state_dict().items()})
    card = {
        "name": "lenet-mnist",
        "sha256": hashlib.sha256(data).hexdigest(),
        "test_accuracy": score,
        "features": 128,
        "trained_on": "MNIST train split, 60000 images, random shifts, rotations, scales and shears",
        "command": f"python tools/fit_features.py --epochs {args.epochs} --seed {args.seed} --threads {args.threads}",
        "seed": args.seed,
        "seconds": round(seconds),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "lenet-mnist.safetensors").write_bytes(data)
    (args.out / "lenet-mnist.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"test accuracy {score:.4f}, {len(data) / 1e6:.2f} MB, sha256 {card['sha256']}")


if __name__ == "__main__":
    main()
