"""How samples and a model show themselves in a notebook: a grid of images, a scatter plot of points, a table of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wgan.data.tabular.table import Table
from wgan.runs.shown import picture, table, titled
from wgan.sampling.grids import portray
from wgan.sampling.rows import displayed
from wgan.visual.png import png_bytes

if TYPE_CHECKING:
    from wgan.sampling.model import Model, Samples

MOST = 100  # images of a grid
ROWS = 10  # of a table
POINTS = 1000  # of a scatter plot


def samples_png(samples: Samples) -> bytes | None:
    """Return images or one as a grid, signals as lines, volumes as slices, points [N, 2] as a scatter plot; else None."""
    plain = displayed(samples)
    if samples.signals and plain.numel():
        return png((plain if plain.dim() == 3 else plain[None])[:MOST].float())
    if samples.volumes and plain.numel():
        return png((plain if plain.dim() == 5 else plain[None])[:MOST].float())
    images = plain[None] if plain.dim() == 3 else plain
    points = plain.dim() == 2 and plain.shape[1] == 2 and samples.columns is None
    if not plain.is_floating_point() or not plain.numel() or not (images.dim() == 4 or points):
        return None
    return png(images[:MOST].float() if images.dim() == 4 else plain[:POINTS].float())


def png(samples: Tensor) -> bytes:
    """Return the image of samples as the bytes of a PNG."""
    return png_bytes(portray(samples, None))


def samples_html(samples: Samples) -> str | None:
    """Return rows [N, D] as a table; None for what is an image, or neither."""
    plain = samples.detach().as_subclass(torch.Tensor)
    if samples.signals or samples.volumes:
        return None
    if plain.dim() != 2 or not plain.is_floating_point() or (plain.shape[1] == 2 and samples.columns is None):
        return None
    names = samples.columns or [f"x{i}" for i in range(plain.shape[1])]
    labels = [] if samples.labels is None or len(samples.labels) != len(plain) else samples.labels[:ROWS].tolist()
    rows = [[f"{value:.6g}" for value in row] for row in plain[:ROWS].tolist()]
    if isinstance(samples.source, Table):
        rows = [list(row) for row in zip(*samples.source.cells(plain[:ROWS].numpy()).values(), strict=True)]
    rows = [[*row, str(label)] for row, label in zip(rows, labels, strict=True)] if labels else rows
    more = f"{len(plain)} rows" + (f", the first {ROWS}" if len(plain) > ROWS else "")
    return titled(more, "") + table([*names, *(["label"] if labels else [])], rows)


def model_html(model: Model) -> str:
    """Return what a model is, with samples of it."""
    samples = model.sample(POINTS if len(model.run.facts.shape) == 1 else 64)
    which = "averaged" if model.weights == "average" else "raw"
    about = f"{which} generator at step {model.step}" + (
        f", {len(model.class_names)} classes" if model.class_names else ""
    )
    data = samples_png(samples)
    shown = picture(data, "samples") if data is not None else samples_html(samples) or ""
    return titled(str(model.run.path), about) + shown
