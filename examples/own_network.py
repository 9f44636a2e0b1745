"""Train with a generator, a critic and an optimizer of your own.

Usage: python examples/own_network.py
The critic returns scores and no class logits, so that the auxiliary classifier of the recipe is off.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import wgan

LATENT = 32


class Painter(nn.Module):
    """G(z [B, 32], y [B]) -> digits [B, 1, 28, 28] in [-1, 1]; the label is an embedding added to z."""

    def __init__(self) -> None:
        super().__init__()
        self.label = nn.Embedding(10, LATENT)
        self.start = nn.Linear(LATENT, 64 * 7 * 7)
        self.body = nn.Sequential(
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        x: Tensor = self.body(self.start(z + self.label(y)).unflatten(1, (64, 7, 7)))
        return x


class Judge(nn.Module):
    """D(x [B, 1, 28, 28], y [B]) -> (score [B], None); no batch norm, which a gradient penalty excludes, and no sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2)
        )
        self.label = nn.Embedding(10, 64 * 7 * 7)
        self.score = nn.Linear(64 * 7 * 7, 1)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, None]:
        h = self.body(x).flatten(1)
        return self.score(h).flatten() + (self.label(y) * h).mean(1), None


def adam(weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    """What moves both players."""
    return torch.optim.Adam(weights, lr=5e-4, betas=(0.0, 0.9))


run = wgan.train(
    "mnist",
    generator=Painter(),
    critic=Judge(),
    optimizer=adam,
    latent=LATENT,
    class_critic=0.0,
    class_generator=0.0,
    run="runs/own-network",
    steps=2000,
)  # the same call continues the run: fresh modules will do, their weights come from its checkpoint
sevens = wgan.load(run, generator=Painter()).sample(64, label=7)
Path("own-network.png").write_bytes(sevens._repr_png_() or b"")
print("64 sevens: own-network.png")
