"""How a command shares its work among processes, which --processes starts."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from wgan.distributed.group import Group
from wgan.distributed.launch import launch
from wgan.distributed.rendezvous import formed, world_size
from wgan.errors import WganError


def to_launch(found: argparse.Namespace) -> bool:
    """Return whether --processes asks for a group that is not here yet; WganError for another than the one that is."""
    here = world_size()
    if here > 1 and found.processes not in (None, here):
        raise WganError(f"--processes {found.processes} in a group of {here}: leave it out")
    if not found.timeout > 0:
        raise WganError(f"timeout must be above 0, not {found.timeout:g}")
    return here == 1 and found.processes not in (None, 1)


def shared(found: argparse.Namespace, work: Callable[[argparse.Namespace, Group], int]) -> int:
    """Do the work of a command, alone or as one process of a group, which --processes starts."""
    if to_launch(found) and not getattr(found, "dry_run", False):  # a dry run only says what they would do
        return launch(found.words, found.processes, found.restarts)
    with formed(found.timeout) as group:
        return work(found, group)
