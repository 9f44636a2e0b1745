"""How many cores this process may use: the one count, for arithmetic and for the reading of files (no torch)."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the cores that the system lets this process use, all of the machine's where it does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
