"""Whether this machine has the memory to read a file of text."""

from __future__ import annotations

import re
from pathlib import Path

from wgan.data.own.archives import shown
from wgan.errors import WganError

LEAST = 5  # times the size of the file: what reading took of 92 MB and of 2 GB was 5.4 and 4.6 times


def require_memory(path: Path) -> None:
    """Raise WganError for a file that this machine has not the memory to read, where the system says how much is free."""
    free, size = free_memory(), path.stat().st_size
    if free is not None and LEAST * size > free:
        raise WganError(
            f"{shown(path)} has {size / 1e9:.1f} GB, and reading it takes at least {LEAST * size / 1e9:.1f} GB of memory, "
            f"of which {free / 1e9:.1f} are free: give fewer rows, or fewer columns"
        )


def free_memory() -> int | None:
    """Return how many bytes of memory programs can still take, None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable: +(\d+) kB$", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else None
