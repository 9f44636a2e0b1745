"""`wgan help` and `wgan version`."""

from __future__ import annotations

import argparse

from wgan import __version__
from wgan.cli import main


def show_help(found: argparse.Namespace) -> int:
    """`wgan help [COMMAND]`: what --help of that command shows, or of all."""
    p = main.parser()
    commands = main.commands_of(p)
    if found.name is not None and found.name not in commands:
        raise main.unknown_command(found.name, commands)
    (p if found.name is None else commands[found.name]).print_help()
    return 0


def show_version(found: argparse.Namespace) -> int:
    """`wgan version`: what --version shows."""
    print(f"wgan {__version__}")
    return 0
