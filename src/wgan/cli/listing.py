"""`wgan recipes`: what there is to train."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from wgan.recipes import RECIPES


def recipes(found: argparse.Namespace) -> int:
    """`wgan recipes`: a table of name, source, what it trains, minutes, expected figure."""
    table = Table("recipe", "source", "trains", "minutes on 2 cores", "expected", box=None, pad_edge=False)
    for name, r in RECIPES.items():
        table.add_row(name, r.source, r.trains, r.minutes, r.expected)
    console = Console()
    Console(width=max(console.width, 100 if console.is_terminal else 200)).print(table)
    return 0
