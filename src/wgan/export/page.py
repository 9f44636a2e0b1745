"""`wgan export --to page`: one HTML file that runs the generator in the reader's browser, from disk, without a network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wgan.data.source import kind_of
from wgan.data.tabular.table import Table
from wgan.errors import WganError
from wgan.export.card import Card, card_of, conditions_of, templates
from wgan.export.fold import fold
from wgan.export.weights import Numbers, packed
from wgan.files import replace_file
from wgan.sampling.latents import latents
from wgan.sampling.model import Model

SLIDERS = 8  # directions of the latent space that the page shows
LOOKED_AT = 2000  # samples from which they are found
MOST_ROWS = 10_000  # samples that a page makes at once


def export_page(model: Model, out: Path) -> int:
    """Write the page of `model` to `out` and return its size in bytes; WganError for what it cannot compute or show."""
    text = render(model, card_of(model, model.run.path.resolve().name)).encode("utf-8", "replace")
    replace_file(out, lambda file: file.write(text))
    return len(text)


def render(model: Model, card: Card) -> str:
    """Return the page; WganError for what it cannot show. Its policy forbids all but its own two scripts."""
    kind = kind_of(model.run.facts.shape)
    if kind in ("signals", "volumes") or model.depth is not None:
        kind = "images of values (depth float)" if kind == "images" else kind
        raise WganError(
            f"a page shows images of bytes and rows, and this model makes {kind}: export to hub or onnx, or use wgan serve"
        )
    numbers = Numbers()
    environment = templates()
    names = ("engine.js", "rows.js", "page.js", "page.css")
    forward, rows, script, style = (environment.get_template(name).render() for name in names)
    return environment.get_template("page.html").render(
        card=card,
        model=describe(model, numbers),
        engine=forward + rows,
        script=script,
        style=style,
        weights=numbers.text(),
        many=MOST_ROWS,
        rounding=rounding(model),
    )


def rounding(model: Model) -> str:
    """Return how far the page's samples may be from those of the run itself, whose products keep 8 bits in bf16."""
    bf16 = model.run.facts.precision == "bf16"
    far = "numbers may differ slightly"
    if kind_of(model.run.facts.shape) == "images":
        far = f"pixels may differ by {'a few grey levels' if bf16 else 'one grey level'}"
    said = f"The page computes in 32 bits with weights of 16: {far} from those of wgan sample"
    return f"{said}, which computes this run in bf16" if bf16 else said


def describe(model: Model, numbers: Numbers) -> dict[str, Any]:
    """Return what the page's scripts must know of a model, fit for JSON; its weights are added to `numbers`."""
    units, network = model.units, model.network
    ops = packed(fold(network), numbers)
    return {
        "latent": network.latent,
        "shape": list(model.run.facts.shape),
        "classes": model.class_names,
        "frequencies": [*model.frequencies.values()],
        "ops": ops,
        "directions": directions(model).numpy().round(4).tolist(),
        "units": None
        if units is None
        else {**units.to_json(), "whole": [np.dtype(k).kind in "iu" for k in units.kinds]},
        "table": None if model.table is None else table_json(model.table),
        "asked": model.table.asked if model.table is not None and network.asks else [],
        "conditions": conditions_json(model),
        "floats": numbers.float_count,
    }


def conditions_json(model: Model) -> list[dict[str, Any]]:
    """Return each condition as page.js asks for it; of the training samples only the range, the levels and their frequencies."""
    return [{**asdict(c), "example": c.example} for c in conditions_of(model)]


def table_json(table: Table) -> dict[str, Any]:
    """Return the columns of a table as rows.js decodes and writes them; WganError where columns tell each other."""
    if table.rules or table.groups:
        raise WganError("a page cannot hold a table with --keep or --together: export to hub, or use wgan serve")
    columns = [
        {**asdict(c), "slots": c.coding.slots, "scored": c.coding.scored, "lowest": c.lowest} for c in table.columns
    ]
    return {"columns": columns, "label": table.label, "label_at": table.label_at}


def directions(model: Model) -> Tensor:
    """Return up to SLIDERS latent directions [S, Z] of length 1 along which samples change most, the strongest first.

    The right singular vectors of E[G(z) z^T], which for z ~ N(0, 1) is the mean Jacobian E[dG/dz] (Stein 1981).
    """
    n, latent = LOOKED_AT, model.network.latent
    z = latents(0, n, latent)
    made = model.decode(z, model.usual(n, 0)).as_subclass(Tensor).flatten(1)
    mean_jacobian = (made - made.mean(0)).T @ z / n  # [numbers of a sample, Z]
    vectors: Tensor = torch.linalg.eigh((mean_jacobian.T @ mean_jacobian).double())[1]  # by ascending eigenvalue
    return vectors.flip(1).T[: min(SLIDERS, latent)]
