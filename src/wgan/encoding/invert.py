"""invert(): the latent from which a run makes a given image, by its encoder and then by gradient steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from wgan.data.own.decode import Frame, Unreadable, decode
from wgan.data.source import kind_of
from wgan.errors import WganError
from wgan.host import thread_count, undisturbed
from wgan.runs.folder import Run, open_run
from wgan.sampling.generate import generate
from wgan.sampling.inverter import Inverter, required_facts
from wgan.sampling.latents import slerp
from wgan.sampling.model import Model, load
from wgan.visual.images import image_grid, to_uint8

STEPS, RATE = 100, 0.05  # of Adam on the latent
PRIOR = 0.01  # weight of what keeps a latent plausible
Watch = Callable[[int, int], None]  # steps done, of how many


@dataclass(frozen=True, eq=False)
class Inversion:
    """Images and what the generator makes that is the nearest to each."""

    model: Model
    images: Tensor  # [N, C, H, W] in [-1, 1], as the run sees them
    z: Tensor  # [N, Z]
    labels: Tensor | None  # int64 [N]
    made: Tensor  # [N, C, H, W]
    passed: Tensor  # [T, N, C, H, W]: what was made on the way, from the encoder's latent to the last

    @property
    def psnr(self) -> list[float]:
        """10 log10(2² / mean squared difference) of each image, in dB: 2 is the range of the pixels."""
        errors = (self.images - self.made).square().flatten(1).mean(1)
        return [10 * math.log10(4 / max(float(e), 1e-12)) for e in errors]

    @property
    def distance(self) -> list[float]:
        """‖x − G(z)‖ of each image, pixels in [-1, 1]."""
        found: list[float] = (self.images - self.made).flatten(1).norm(dim=1).tolist()
        return found

    def picture(self) -> Image.Image:
        """Return each image at the left of its result, a pair a row."""
        both = torch.stack([self.images, self.made], 1).flatten(0, 1)
        return image_grid(to_uint8(both), 2)

    def refinement(self) -> list[Image.Image]:
        """Return frames: each image next to what was made on the way to its result."""
        frames = [torch.stack([self.images, step], 1).flatten(0, 1) for step in self.passed]
        return [image_grid(to_uint8(frame), 2) for frame in frames]

    def walk(self, frames: int = 24) -> list[Image.Image]:
        """Return frames of a closed walk from image to image through the latents, in the class of the leg's first image."""
        n, t = len(self.z), torch.arange(frames) / frames
        legs = [slerp(self.z[i], self.z[(i + 1) % n], t) for i in range(n)]
        y = None if self.labels is None else self.labels.repeat_interleave(frames)
        with thread_count(self.model.engine.threads):
            made = generate(self.model.network, torch.cat(legs), y, self.model.engine).clamp_(-1, 1)
        return [image_grid(image[None], 1, scale=8) for image in to_uint8(made)]


@undisturbed()
def invert(
    run: str | Path | Run,
    images: Tensor | list[Path],
    label: str | int | None = None,
    steps: int = STEPS,
    threads: int | None = None,
    watch: Watch = lambda done, steps: None,
) -> Inversion:
    """Find the latents from which a run makes images the most like the given ones.

    From E(x) on, Adam lowers ‖x − G(z)‖² / n + κ ‖f(x) − f(G(z))‖² / n_f + 0.01 (‖z‖² / Z − 1)² for each image by itself:
    pixels, the critic's features, and a latent as long as the prior's are.

    Args:
        run: a run of images with an encoder.
        images: files, or a tensor [N, C, H, W] in [-1, 1] of the run's size, or bytes as Model.score takes them.
        label: the class of all of them; None = the nearest of each.
        steps: of Adam; 0 = the encoder's latents as they are.
        threads: of the CPU; None = as many as the run trained with.
        watch: f(done, steps), told each step.

    Raises:
        WganError: no encoder, a run of vectors, signals or values, an unreadable image or one of another size, an unknown label.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    facts = required_facts(opened)
    require_images(opened)
    if not 0 <= steps <= 100_000:
        raise WganError(f"steps must be between 0 and 100000, not {steps}")
    model = load(opened, facts.generator_step, facts.raw, threads=threads)
    x = model.as_network_sees(images if isinstance(images, Tensor) else read_images(images, opened))
    inverter = model.inverter
    y = model.labels(len(x), label) if label is not None else None
    with thread_count(model.engine.threads):
        return refined(model, inverter, model.engine.to_float(x).cpu(), y, steps, watch)


def require_images(run: Run) -> None:
    """Raise WganError for a run of anything but images of bytes."""
    shape = run.facts.shape
    if len(shape) != 3:
        raise WganError(f"{run.path} makes {kind_of(shape)}: only images are inverted; wgan score takes any data")
    if run.facts.depth is not None:
        raise WganError(
            f"{run.path} makes images of values: only images of bytes are inverted; wgan score takes any data"
        )


def read_images(paths: list[Path], run: Run) -> Tensor:
    """Return image files in the run's size, cut to it as its data were, [N, C, H, W] in [-1, 1]."""
    channels, height, width = run.facts.shape
    frame = Frame(channels, height, width, run.config.crop)
    return torch.stack([read_image(path, frame) for path in paths])


def read_image(path: Path, frame: Frame) -> Tensor:
    """Return one image file [C, H, W] in [-1, 1]."""
    try:
        with path.open("rb") as file:
            pixels = decode(file, frame)
    except (OSError, Unreadable) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        raise WganError(f"cannot read {path} as an image: {reason}") from None
    return (torch.from_numpy(pixels.copy()).float() - 127.5) / 127.5


def refined(model: Model, inverter: Inverter, x: Tensor, y: Tensor | None, steps: int, watch: Watch) -> Inversion:
    """Return the latents after `steps` of Adam, the best of each image on the way."""
    engine = model.engine
    target = engine.to_float(x)
    with torch.no_grad():
        start, seen, labels, *_ = inverter.rebuilt(target, None if y is None else y.to(engine.device))
    z = start.clone().requires_grad_()
    best, lowest = start.clone(), torch.full((len(x),), torch.inf, device=engine.device)
    passed: list[Tensor] = []
    optimizer = torch.optim.Adam([z], lr=RATE)
    shown = {round(i * steps / 20) for i in range(20)}
    for step in range(steps + 1):
        made, residual, feature = inverter.errors(target, z, labels, seen)
        loss = inverter.total(residual, feature) + PRIOR * (z.square().mean(1) - 1).square()
        with torch.no_grad():
            better = loss < lowest
            lowest, best = torch.where(better, loss, lowest), torch.where(better[:, None], z, best)
            if step in shown or step == steps:
                passed.append(made.detach().float().cpu().clamp(-1, 1))
        if step == steps:
            break
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        watch(step + 1, steps)
    labels = None if labels is None else labels.cpu()
    made = generate(model.network, best.detach().cpu(), labels, engine).clamp_(-1, 1)
    return Inversion(model, x, best.detach().cpu(), labels, made, torch.stack(passed))
