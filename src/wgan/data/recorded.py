"""Reading back what run.json records about the data: units, ranges and conditions as dataclasses, or one sentence on damage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wgan.errors import WganError

Found = TypeVar("Found")


def restored(
    values: Mapping[str, Any] | None,
    make: Callable[[Mapping[str, Any]], Found],
    is_sound: Callable[[Found], bool],
    damage: str,
) -> Found | None:
    """Return make(values) with lists as tuples, or None for None; WganError `damage` for what to_json() cannot have written."""
    if values is None:
        return None
    try:
        found = make({name: tuples(value) for name, value in values.items()})
        sound = is_sound(found)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise WganError(damage)
    return found


def tuples(value: Any) -> Any:
    """Return lists, of lists too, as tuples; anything else as it is."""
    if isinstance(value, dict):
        return {name: tuples(v) for name, v in value.items()}
    return tuple(tuples(v) for v in value) if isinstance(value, list) else value
