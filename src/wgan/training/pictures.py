"""The pictures of a run while it trains: the sample grid of a step, and what is drawn when training ends."""

from __future__ import annotations

import numpy as np
import torch

from wgan.config.objectives import facts_about
from wgan.data import Source
from wgan.distributed.signals import check
from wgan.rng import stream
from wgan.runs.folder import Run
from wgan.runs.log import Log
from wgan.sampling.generate import BLOCK, generate
from wgan.sampling.grids import portray
from wgan.sampling.latents import fixed_latents, told_in_grid
from wgan.training.players import Players
from wgan.visual.images import animation, sample_files, save_png
from wgan.visual.plots import losses_plot


def draw_grid(p: Players, source: Source, run: Run, log: Log, step: int) -> None:
    """Write samples/step-*.png from the fixed latents, and the same picture to TensorBoard."""
    network = p.best_generator
    many = BLOCK if source.is_image else 1000
    if source.is_image:
        z, y = fixed_latents(p.config.seed, network.latent, network.classes, source.conditions)
    else:
        z = torch.randn(many, network.latent, generator=stream(p.config.seed, 0, "sheet"))
        y = told_in_grid(p.config.seed, many, network.classes, source.conditions)
    picture = portray(generate(network, z, y, p.engine), source)
    save_png(picture, run.samples / f"step-{step:08d}.png")
    log.image(step, "samples", np.asarray(picture.convert("RGB")))


def finish_pictures(run: Run, curves: bool = True) -> None:
    """Write losses.png, with `curves`, and progress.gif from what the run folder holds; the work may be left in between."""
    check()
    records = [r for r in run.log() if "critic/loss" in r] if curves else []
    if records:
        save_png(
            losses_plot(records, facts_about(run.config.objective).estimates == "Wasserstein"), run.path / "losses.png"
        )
    check()
    frames = sample_files(run.samples)
    if frames:
        animation(frames, run.path / "progress.gif")
