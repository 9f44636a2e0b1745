"""What one option of Config is: a default, a help text, what is allowed; and the check of a value against it.

An option is declared by a field of a group: its annotation says the type and what is allowed (`Literal`, `bool`,
`Annotated[float, Range(0, 1)]`, `int | None`), `option()` the default and the help.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from inspect import get_annotations
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from wgan.config.objectives import OWN
from wgan.errors import WganError, nearest

WANTED = {int: "a whole number", float: "a number", str: "a text", bool: "1 or 0 (on or off)"}
SWITCH = {"1": True, "true": True, "0": False, "false": False}


class Range(NamedTuple):
    """The numbers from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf


class Sides(NamedTuple):
    """A whole number from `low` to `high`, or two of them as the text HEIGHTxWIDTH."""

    low: float = -math.inf
    high: float = math.inf


class OneOf(NamedTuple):
    """The keys of a table that grows elsewhere; choices that the code branches on are a `Literal`."""

    names: tuple[str, ...]


def option(
    default: Any,
    text: str,
    *,
    none: str = "",
    later: bool = False,
    free: bool = False,
    labels: bool = False,
    own: bool = False,
) -> Any:
    """Declare one option: its default and its help (unit, meaning of 0).

    none: how a command or an old config.json says None: "0", or "auto" where 0 is a value of its own.
    later: younger than format 1: a config.json without it means the default, which is what was done before.
    free: may differ when a run is resumed. labels: does nothing on data without labels. own: Python may give an object
    instead of a name; a config then says "own".
    """
    facts = {"help": text, "none": none, "later": later, "free": free, "labels": labels, "own": own}
    return dataclass_field(default=default, metadata=facts)


@dataclass(frozen=True)
class Option:
    """One option as its field declares it."""

    name: str
    group: str
    default: Any
    help: str
    kind: type
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    none: str = ""
    later: bool = False
    free: bool = False
    labels: bool = False
    own: bool = False
    sides: bool = False  # two numbers, HEIGHTxWIDTH, are taken too

    def word(self, value: Any) -> str:
        """Return `value` as a command takes it."""
        if value is None:
            return self.none
        return str(int(value)) if self.kind is bool else str(value)

    def fitted(self, value: Any) -> Any:
        """Return `value` as the option's type, or raise WganError saying what it must be."""
        if self.none and (value is None or (isinstance(value, str) and value == self.none)):
            return None
        wanted = f"{self.name} must be {WANTED[self.kind]}"
        if self.kind is bool:
            return self._switch(value, wanted)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise WganError(f"{wanted}, not {value!r}")
        if self.kind is str:
            return self._text(value, wanted)
        if self.sides and isinstance(value, str) and "x" in value.lower():
            return self._two(value, f"{wanted}, or two of them as HEIGHTxWIDTH such as 48x96")
        number = self._number(value, wanted)
        return None if self.none == "0" and number == 0 else self._in_range(number)

    def _switch(self, value: Any, wanted: str) -> bool:
        known = isinstance(value, (bool, int, float)) and value in (0, 1)
        if not known and not (isinstance(value, str) and value.lower() in SWITCH):
            raise WganError(f"{wanted}, not {value!r}")
        return SWITCH[value.lower()] if isinstance(value, str) else bool(value)

    def _text(self, value: Any, wanted: str) -> str:
        if self.choices and value not in self.choices and not (self.own and value == OWN):
            raise WganError(f"{self.name} '{value}' is not known: {nearest(str(value), self.choices)}")
        if not isinstance(value, str):
            raise WganError(f"{wanted}, not {value!r}")
        return value

    def _number(self, value: float | str, wanted: str) -> float:
        try:
            number = self.kind(value)
        except (ValueError, OverflowError):
            said = f"'{value}'" if isinstance(value, str) else value
            raise WganError(f"{wanted}, not {said}") from None
        if isinstance(value, float) and number != value and value == value:
            raise WganError(f"{wanted}, not {value}")
        return number  # type: ignore[no-any-return]

    def _two(self, value: str, wanted: str) -> int | str:
        parts = value.lower().split("x")
        if len(parts) != 2:
            raise WganError(f"{wanted}, not '{value}'")
        height, width = (int(self._in_range(self._number(part, wanted))) for part in parts)
        return height if height == width else f"{height}x{width}"

    def _in_range(self, number: float) -> float:
        if not self.low <= number <= self.high:
            other = f" (or {self.none})" if self.none else ""
            limits = (
                f"between {self.low:g} and {self.high:.12g}" if math.isfinite(self.high) else f"at least {self.low:g}"
            )
            raise WganError(f"{self.name} must be {limits}{other}, not {number!r}")
        return number


class OptionGroup:
    """The base of every group of options: a frozen dataclass that checks each of its values."""

    title: ClassVar[str]

    def __post_init__(self) -> None:
        for name, known in options_of(type(self)).items():
            object.__setattr__(self, name, known.fitted(getattr(self, name)))


_KNOWN: dict[type[OptionGroup], dict[str, Option]] = {}


def options_of(group: type[OptionGroup]) -> dict[str, Option]:
    """Return name -> Option of a group and of the groups it inherits, in their order."""
    if group not in _KNOWN:
        _KNOWN[group] = _declared(group)
    return _KNOWN[group]


def _declared(group: type[OptionGroup]) -> dict[str, Option]:
    hints = get_type_hints(group, include_extras=True)
    fields: dict[str, Any] = getattr(group, "__dataclass_fields__", {})
    found = {}
    for name, f in fields.items():
        if f.metadata:  # a class variable has none
            owner = next(c for c in group.__mro__ if issubclass(c, OptionGroup) and name in get_annotations(c))
            found[name] = Option(name, owner.title, f.default, **_allowed(hints[name]), **f.metadata)
    return found


def _allowed(hint: Any) -> dict[str, Any]:
    """Return the type and the limits that an annotation states."""
    limits: Iterable[Any] = ()
    if get_origin(hint) is Annotated:
        hint, *limits = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        hint, *_ = (a for a in get_args(hint) if a is not type(None))
    found: dict[str, Any] = {"kind": str, "choices": get_args(hint)} if get_origin(hint) is Literal else {"kind": hint}
    for limit in limits:
        found |= {"choices": limit.names} if isinstance(limit, OneOf) else limit._asdict()
        found |= {"sides": True} if isinstance(limit, Sides) else {}
    return found
