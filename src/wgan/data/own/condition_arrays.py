"""The arrays that --conditions names beside samples: each by its own name, or as the columns of one called conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.conditions import Raw
from wgan.data.own.naming import split_of
from wgan.errors import WganError, nearest

BLOCK, BLOCK_NAMES = "conditions", "condition_names"  # [N, A], and what its columns are called

Named = Mapping[str, NDArray[Any]]


def conditions_among(arrays: Named, kind: str, names: Sequence[str], where: str) -> Raw:
    """Return the conditions `names` of one part, train, val, test or '' for all, from the arrays of a file.

    WganError for a name that no array has, or a block `conditions` that has other columns.
    """
    mine = of_part(arrays, kind)
    found = {**block_of(mine, arrays, names, where), **{name: flat(mine[name]) for name in names if name in mine}}
    lacking = next((name for name in names if name not in found), "")
    if lacking:
        known = [*dict.fromkeys([*(name for name in mine if name not in (BLOCK, BLOCK_NAMES)), *found])]
        raise WganError(
            f"{where} has no condition {lacking}{f' for {kind}' if kind else ''}: {nearest(lacking, known)}"
        )
    return {name: as_texts(found[name]) for name in names}


def of_part(arrays: Named, kind: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of one part by their names without it: energy for energy_train."""
    if not kind:
        return dict(arrays)
    splits = {name: split_of(name) for name in arrays}
    return {s[1]: arrays[name] for name, s in splits.items() if s and s[0] == kind}


def block_of(mine: Named, arrays: Named, names: Sequence[str], where: str) -> Raw:
    """Return the columns of the array `conditions` by name; without names of their own they are named in their order."""
    if BLOCK not in mine:
        return {}
    block = mine[BLOCK].reshape(len(mine[BLOCK]), -1)
    own = [str(name) for name in arrays[BLOCK_NAMES].ravel().tolist()] if BLOCK_NAMES in arrays else list(names)
    if len(own) != block.shape[1]:
        raise WganError(
            f"{where} has {block.shape[1]} conditions for each sample and {len(own)} names of them: name each, in their order"
        )
    return {name: block[:, i] for i, name in enumerate(own)}


def flat(column: NDArray[Any]) -> NDArray[Any]:
    """Return [N, 1] as [N]."""
    return column[:, 0] if column.ndim == 2 and column.shape[1] == 1 else column


def as_texts(column: NDArray[Any]) -> NDArray[Any]:
    """Return texts in bytes as texts; anything else as it is."""
    return np.char.decode(column, "utf-8", "replace") if column.dtype.kind == "S" else column


def used_names(arrays: Named, names: Sequence[str]) -> set[str]:
    """Return which arrays of a file hold conditions, in any part."""
    words = {*names, BLOCK, BLOCK_NAMES}
    return {name for name in arrays if name in words or ((s := split_of(name)) and s[1] in words)}
