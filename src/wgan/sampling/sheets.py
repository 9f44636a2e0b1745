"""What a run shows of itself: the sheet of fixed latents at a step, and the pictures made when training ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wgan.config.rules import WASSERSTEIN
from wgan.data import Source
from wgan.engine import Engine, generator, order
from wgan.models import Generator
from wgan.runs.folder import Run
from wgan.runs.log import Log
from wgan.training.updates import Players
from wgan.visual.images import animation, replace_file, sample_files, save_png, sheet, to_uint8
from wgan.visual.plots import limits_of, losses_plot, scatter

COLUMNS = 10
BLOCK = 100  # samples are always made in blocks of this size, so that none depends on how many were asked for


Check = Callable[[], None]  # called between two parts of long work: raising ends it


def go_on() -> None:
    """Let long work go on: the check of work that nobody ends."""


@torch.no_grad()
def generate(network: Generator, z: Tensor, y: Tensor | None, engine: Engine, check: Check = go_on) -> Tensor:
    """Return G(z, y) [N, *shape] as fp32 on the CPU, in evaluation mode, in blocks of BLOCK rows (the last one padded).

    `check` is called before each block. The processes of a group make a share of the blocks each.
    """

    def block(number: int) -> Tensor:
        rows = slice(number * BLOCK, (number + 1) * BLOCK)
        return _block(network, z[rows], None if y is None else y[rows], engine)

    training = network.training
    network.eval()
    try:
        return torch.cat(engine.group.spread(math.ceil(len(z) / BLOCK), block, check))
    finally:
        network.train(training)


def _block(network: Generator, z: Tensor, y: Tensor | None, engine: Engine) -> Tensor:
    rows = len(z)
    missing = BLOCK - rows
    z = torch.cat([z, z.new_zeros(missing, *z.shape[1:])])
    y = None if y is None else torch.cat([y, y.new_zeros(missing)]).to(engine.device)
    with engine.autocast():
        x = network(z.to(engine.device, engine.dtype), y)
    return x[:rows].float().cpu()


def fixed_latents(seed: int, latent: int, classes: int) -> tuple[Tensor, Tensor | None]:
    """Return the 100 latents of a run's sheets and their labels, one class for each column."""
    z = torch.randn(BLOCK, latent, generator=generator(seed, 0, "sheet"))
    return z, torch.arange(BLOCK) % COLUMNS % classes if classes else None


def draw_sheet(p: Players, source: Source, run: Run, log: Log, step: int) -> None:
    """Write samples/step-*.png from the fixed latents, and the same picture to TensorBoard."""
    network = p.best_generator
    many = 1000 if not source.is_image else BLOCK
    if source.is_image:
        z, y = fixed_latents(p.config.seed, network.latent, network.classes)
    else:
        z = torch.randn(many, network.latent, generator=generator(p.config.seed, 0, "sheet"))
        y = torch.arange(many) % network.classes if network.classes else None
    picture = portray(generate(network, z, y, p.engine), source)
    save_png(picture, run.samples / f"step-{step:08d}.png")
    log.image(step, "samples", np.asarray(picture.convert("RGB")))


def portray(samples: Tensor, source: Source | None) -> Image.Image:
    """Return images as a grid, points of the plane as a scatter plot over the real ones."""
    if samples.dim() == 4:
        return sheet(to_uint8(samples), COLUMNS * math.ceil(math.sqrt(len(samples)) / COLUMNS))  # about square
    if samples.shape[1] == 1:
        samples = torch.cat([samples, torch.zeros_like(samples)], 1)
    if source is None:
        return scatter(samples[:, :2].numpy())
    # shuffled: every 50th point of the grid would be of one and the same mode
    some = order(0, "epoch", len(source), 0, min(len(source), 2000))
    real = source.batch(some)[0][:, :2].numpy()
    real = real if real.shape[1] == 2 else np.concatenate([real, np.zeros_like(real)], 1)
    return scatter(samples[:, :2].numpy(), real, limits_of(real))


def finish_pictures(run: Run, check: Check = go_on, curves: bool = True) -> None:
    """Write losses.png, with `curves`, and progress.gif from what the run folder holds; `check` is called in between."""
    check()
    records = [r for r in run.log() if "critic/loss" in r] if curves else []
    if records:
        save_png(losses_plot(records, run.config.objective in WASSERSTEIN), run.path / "losses.png")
    check()
    frames = sample_files(run.samples)
    if frames:
        animation(frames, run.path / "progress.gif", check=check)


def save_gif(frames: Sequence[Image.Image], path: Path, fps: float = 20) -> None:
    """Write frames of one size as a GIF that loops, whole or not at all."""
    options = {"save_all": True, "append_images": frames[1:], "duration": round(1000 / fps), "loop": 0}
    replace_file(path, lambda file: frames[0].save(file, format="GIF", **options))
