"""Samples of a run that is conditioned on numbers and categories: what is asked becomes vectors, and stays beside the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from wgan.data.conditions import Conditions
from wgan.errors import WganError
from wgan.sampling.draw import Draw
from wgan.sampling.given import Given, codes_of, places, read_given, sweeps, warnings
from wgan.sampling.latents import latents, truncated
from wgan.sampling.rows import rows_of_table

if TYPE_CHECKING:
    from wgan.sampling.model import Model, Samples


def conditioned(
    model: Model,
    n: int,
    label: Any,
    seed: int,
    truncation: float,
    beyond_range: bool,
    given: Given | None,
) -> Draw:
    """Return what makes n samples with their conditions: see Model.sample, which says what the rest is."""
    conditions = required_conditions(model, label)
    asked = [] if given is None else read_given(given, conditions)
    codes = codes_of(asked, conditions, n, seed)
    z = truncated(latents(seed, n, model.network.latent), truncation)
    z = z[places(n, sweeps(asked))] if sweeps(asked) else z

    def finish(made: Samples) -> Samples:
        samples = model.in_own_units(made, beyond_range) if model.table is None else rows_of_table(made, model.table)
        samples.given, samples.warnings = conditions.values(codes), tuple(warnings(asked, conditions))
        return samples

    return Draw(z, torch.from_numpy(conditions.encode(codes)), finish)


def required_conditions(model: Model, label: Any) -> Conditions:
    """Return what the model is told; WganError for one that is told none, and for a label beside them."""
    if model.conditions is None:
        way = ", ask for its classes with label" if model.network.classes else ""
        raise WganError(f"given is for a run with conditions, and {model.run.path} was trained without{way}")
    if label is not None:
        named = ", ".join(model.conditions.names)
        raise WganError(f"{model.run.path} has no classes but conditions, {named}: ask for these with given")
    return model.conditions


def require_no_conditions(model: Model, what: str) -> None:
    """Raise WganError for a model with conditions, where `what` has no place to ask for them."""
    if model.network.conditions:
        raise WganError(
            f"{what} has no place for conditions, and {model.run.path} was trained on some: use wgan sample --given"
        )
