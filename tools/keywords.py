"""Write src/wgan/config/keywords.py, the options of wgan.train as an editor and a type checker know them, from Config.

Usage: python tools/keywords.py
A test repeats it and compares.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from wgan.config import FIELDS
from wgan.config.option import Option

FILE = Path(__file__).parent.parent / "src/wgan/config/keywords.py"
ELSEWHERE = ("recipe", "data")  # parameters of wgan.train
OBJECTS = {
    "generator": "nn.Module",
    "critic": "nn.Module",
    "objective": "Objective",
    "optimizer": "Optimizing | tuple[Optimizing, Optimizing]",
}
HEAD = '''"""The options of wgan.train as keywords that an editor knows. Written by tools/keywords.py from Config: do not edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    import torch
    from torch import nn

    from wgan.losses import Objective

    Optimizing = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


class Options(TypedDict, total=False):
    """Every option of a Config but recipe and data; what is left out is the recipe's."""
'''


def kind_of(known: Option) -> str:
    """Return the annotation of one option."""
    kind = known.kind.__name__
    kind += " | str" * known.sides
    if known.choices:
        kind = f"Literal[{', '.join(repr(choice) for choice in known.choices)}]".replace("'", '"')
    kind += f" | {OBJECTS[known.name]}" if known.name in OBJECTS else ""
    kind += f' | Literal["{known.none}"]' if known.none and known.none != "0" else ""
    return f"{kind} | None" if known.none or known.name in OBJECTS else kind


def broken(part: str) -> str:
    """Return a Literal of many words with a line for each, as ruff breaks it."""
    words = part.removeprefix("Literal[").removesuffix("]").split(", ")
    return "Literal[\n" + "".join(f"        {word},\n" for word in words) + "    ]"


def entry(known: Option) -> str:
    """Return one option with its help."""
    limits = "" if known.choices or known.low == -float("inf") else f"; {known.low:g} to {known.high:g}"
    text = f"{known.help} (default: {known.word(known.default)}{limits})".replace("to inf)", "or more)")
    body = "\n".join(textwrap.wrap(f'"""{text}"""', 116, break_long_words=False))
    kind = kind_of(known)
    if len(kind) + len(known.name) > 113:  # as ruff breaks it
        parts = [broken(part) if len(part) > 112 else part for part in kind.split(" | ")]
        kind = "(\n    " + "\n    | ".join(parts) + "\n)"
    return textwrap.indent(f"{known.name}: {kind}\n{body}", "    ")


def page() -> str:
    """Return the whole file."""
    return HEAD + "\n" + "\n".join(entry(known) for name, known in FIELDS.items() if name not in ELSEWHERE) + "\n"


if __name__ == "__main__":
    FILE.write_text(page())
