"""`wgan recipes`: what there is to train."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from wgan.cli.output import print_json
from wgan.recipes import RECIPES


def recipes(found: argparse.Namespace) -> int:
    """`wgan recipes`: a table of name, source, what it trains, minutes, expected metric; or JSON."""
    if found.json:
        print_json([{"name": name, **asdict(r)} for name, r in RECIPES.items()])
        return 0
    table = Table("recipe", "source", "trains", "minutes on 2 cores", "expected", box=None, pad_edge=False)
    for name, r in RECIPES.items():
        table.add_row(name, r.source, r.trains, r.minutes, r.expected)
    console = Console()
    Console(width=max(console.width, 100 if console.is_terminal else 200)).print(table)
    return 0
