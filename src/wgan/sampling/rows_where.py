"""Rows of a table that have what `--where` asks for: values are told to the network, and ranges sift what it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from wgan.data.tabular.table import Table
from wgan.errors import WganError
from wgan.sampling.conditioned import required_conditions
from wgan.sampling.given import Given
from wgan.sampling.rows import draw_of_rows
from wgan.sampling.where import Range, fits, read_where

if TYPE_CHECKING:
    from wgan.sampling.model import Model, Samples

LEAST_DRAWN, DRAWN = 20_000, 100  # rows drawn in all, and for each row asked for, before a range is given up


def rows_where(
    model: Model,
    n: int,
    label: int | str | Sequence[int | str] | None,
    seed: int,
    truncation: float,
    where: str,
    given: Given | None,
) -> Samples:
    """Return n rows of a table that have what `where` says, as codes float64 [n, C]: see Model.sample."""
    table = table_for_where(model, label, given)
    wanted, ranges = read_where(where, table)

    def made(start: int, stop: int) -> Samples:
        draw = draw_of_rows(model, table, stop, label, seed, truncation, start, wanted)
        return draw.finish(model.decode(draw.z, draw.told))

    return sifted(made, n, ranges, where) if ranges else made(0, n)


def table_for_where(model: Model, label: object, given: Given | None) -> Table:
    """Return the table whose columns can be asked for by `where`; WganError for a model that is asked in another way."""
    if model.conditions is not None or given is not None:
        names = ", ".join(required_conditions(model, label).names)
        raise WganError(f"where is for tables without conditions: ask for {names} with given")
    if model.table is None:
        raise WganError(f"where is for tables with columns of any kind, and {model.run.path} did not train on one")
    if model.network.classes:
        raise WganError(
            f"where is for a table that is trained without --labels: ask for {model.table.label} with --label"
        )
    return model.table


def sifted(made: Callable[[int, int], Samples], n: int, ranges: Sequence[Range], where: str) -> Samples:
    """Return the first n rows in every range of those that made(start, stop) makes; WganError when they are too rare."""
    parts: list[Samples] = []
    found = drawn = 0
    while found < n and drawn < max(LEAST_DRAWN, DRAWN * n):
        some = made(drawn, drawn + max(n, 1000, drawn))
        drawn += len(some)
        parts.append(some[torch.from_numpy(fits(some.numpy(), ranges))])  # type: ignore[arg-type]
        found += len(parts[-1])
    if found < n:
        raise WganError(
            f"where {where}: {found} of {drawn} rows that were drawn lie there, fewer than the {n} requested; "
            "widen the range, or ask for fewer rows"
        )
    rows = torch.cat([part.as_subclass(torch.Tensor) for part in parts])[:n].as_subclass(type(parts[0]))
    rows.source, rows.columns, rows.kept = parts[0].source, parts[0].columns, found / drawn
    return rows
