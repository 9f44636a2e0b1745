"""What one option of Config is: a default, a group, a help text, what is allowed; and the check of a value against it."""

from __future__ import annotations

import math
from dataclasses import Field
from dataclasses import field as dataclass_field
from typing import Any

from wgan.errors import WganError, nearest


def option(
    default: Any,
    group: str,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    low: float = -math.inf,
    high: float = math.inf,
) -> Any:
    """Declare one option: its default, its group, its help (unit, meaning of 0), and what values are allowed."""
    return dataclass_field(
        default=default, metadata={"group": group, "help": text, "choices": choices, "low": low, "high": high}
    )


def fitted(f: Field[Any], value: Any) -> Any:
    """Return `value` as the type of option `f`, or raise WganError saying what it must be."""
    name: str = f.name
    kind: Any = type(f.default)
    wanted = {int: "a whole number", float: "a number", str: "a text"}[kind]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise WganError(f"{name} must be {wanted}, not {value!r}")
    if isinstance(value, str) and kind is not str:
        try:
            value = kind(value)
        except ValueError:
            raise WganError(f"{name} must be {wanted}, not '{value}'") from None
    if kind is int and isinstance(value, float):
        if not value.is_integer():
            raise WganError(f"{name} must be {wanted}, not {value}")
        value = int(value)
    if kind is str and not isinstance(value, str):
        raise WganError(f"{name} must be {wanted}, not {value!r}")
    return _in_range(f, float(value) if kind is float else value)


def _in_range(f: Field[Any], value: Any) -> Any:
    meta = f.metadata
    if meta["choices"] and value not in meta["choices"]:
        raise WganError(f"{f.name} '{value}' is not known: {nearest(str(value), meta['choices'])}")
    if isinstance(value, (int, float)) and not meta["low"] <= value <= meta["high"]:
        raise WganError(f"{f.name} must be between {meta['low']:g} and {meta['high']:g}, not {value!r}")
    return value
