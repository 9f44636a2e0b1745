"""What every command's flags are made of: a parser that answers a mistake with one sentence, and how a flag is spelt."""

from __future__ import annotations

import argparse
from dataclasses import Field
from typing import Any, NoReturn

from wgan.config import FIELDS
from wgan.errors import WganError

READING = ("size", "crop", "channels", "labels")  # options of Config that say how a user's own data are read


class Parser(argparse.ArgumentParser):
    """argparse with one sentence and the nearest flag for a mistake, instead of the whole usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise WganError(message)

    def flags(self) -> list[str]:
        """Return every long flag."""
        return [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]


def dashed(word: str) -> str:
    """Return --n-critic=a_b for --n_critic=a_b: a flag may be written either way; what is no flag stays."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value


def whole(text: str) -> int:
    """Return `text` as a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not a whole number") from None


def number(text: str) -> float:
    """Return `text` as a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not a number") from None


def metavar(f: Field[Any]) -> str:
    """Return what stands for the value in the help."""
    return {int: "N", float: "X", str: "TEXT"}[type(f.default)] if not f.metadata["choices"] else "NAME"


def flag_help(f: Field[Any]) -> str:
    """Return the help line of a field with its choices and its default."""
    choices = f" [{', '.join(f.metadata['choices'])}]" if f.metadata["choices"] else ""
    return f"{f.metadata['help']}{choices} (default: {f.default})".replace("%", "%%")


def add_reading(p: Any, why: str = "") -> None:
    """Declare the flags that say how a user's own data are read."""
    for name in READING:
        p.add_argument(f"--{name}", metavar=metavar(FIELDS[name]), help=why + flag_help(FIELDS[name]))


def reading(found: argparse.Namespace) -> dict[str, str]:
    """Return which of these flags were given, by name."""
    return {name: value for name in READING if (value := getattr(found, name)) is not None}
