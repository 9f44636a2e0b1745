"""Samples of a run that is conditioned on numbers and categories: what is asked becomes vectors, and stays beside the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from wgan.data.conditions import Conditions
from wgan.errors import WganError
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
    where: str | None,
    given: Given | None,
) -> Samples:
    """Return n samples with their conditions: see Model.sample, which says what the rest is."""
    conditions = required_conditions(model, label)
    if where is not None:
        raise WganError(f"where is for tables without conditions: ask for {', '.join(conditions.names)} with given")
    asked = [] if given is None else read_given(given, conditions)
    codes = codes_of(asked, conditions, n, seed)
    z = truncated(latents(seed, n, model.network.latent), truncation)
    z = z[places(n, sweeps(asked))] if sweeps(asked) else z
    made = model.decode(z, torch.from_numpy(conditions.encode(codes)))
    samples = model.in_own_units(made, beyond_range) if model.table is None else rows_of_table(made, model.table)
    samples.given, samples.warnings = conditions.values(codes), tuple(warnings(asked, conditions))
    return samples


def required_conditions(model: Model, label: Any) -> Conditions:
    """Return what the model is told; WganError for one that is told none, and for a label beside them."""
    if model.conditions is None:
        way = ", ask for its classes with label" if model.network.classes else ""
        raise WganError(f"given is for a run with conditions, and {model.run.path} was trained without{way}")
    if label is not None:
        named = ", ".join(model.conditions.names)
        raise WganError(f"{model.run.path} has no classes but conditions, {named}: ask for these with given")
    return model.conditions
