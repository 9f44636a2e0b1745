"""`wgan recipes`: what there is to train."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from wgan.cli.output import print_json, show
from wgan.recipes import RECIPES


def recipes(found: argparse.Namespace) -> int:
    """`wgan recipes`: a table of name, source, what it trains, minutes, expected metric; or JSON."""
    if found.json:
        print_json([{"name": name, **asdict(r)} for name, r in RECIPES.items()])
        return 0
    rows = [(name, r.source, r.trains, r.minutes, r.avx2, r.expected) for name, r in RECIPES.items()]
    show(("recipe", "source", "trains", "minutes on 2 cores, bf16", "on one, AVX2", "expected"), rows, 100)
    return 0
