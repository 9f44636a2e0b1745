"""`wgan log`: send the log of a run to an experiment tracker."""

from __future__ import annotations

import argparse

from wgan.runs.mirror import send_log


def command(found: argparse.Namespace) -> int:
    """Send the log, and say how much that was."""
    count = send_log(found.path, found.to)
    print(f"{count} lines of {found.path} are in {found.to}, as a run of the project wgan")
    return 0
