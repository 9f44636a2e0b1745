"""Train a very small toy network for very long: memory, open files and the cost of a line of the log must stay flat.

    python benchmarks/long_run.py --steps 100000

The run is `wgan train` in this process, with its log, sample grids, evaluations and checkpoints; at every line of the log
the resident memory, the open files and the seconds that writing the line took are noted. The first fifth warms up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from wgan import files
from wgan.cli import main as cli
from wgan.runs.folder import versions
from wgan.runs.log import Log

WORDS = shlex.split(
    "train gulrajani-ring --generator-layers 4 --critic-layers 4 --batch 8 --n-critic 1 --threads 1 --log-every 100"
)


def resident() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watched(rows: list[tuple[float, ...]]) -> None:
    """Make every line of the log note (step, resident bytes, open files, seconds the line took)."""
    write = Log.scalars

    def scalars(self: Log, step: int, values: Any) -> None:
        begun = time.perf_counter()
        write(self, step, values)
        rows.append((step, resident(), len(os.listdir("/proc/self/fd")), time.perf_counter() - begun))

    Log.scalars = scalars  # type: ignore[method-assign]


def summary(rows: list[tuple[float, ...]]) -> dict[str, Any]:
    """Return what the last fifth of the run needs beside what the second fifth needed."""
    table = np.array(rows)
    fifth = len(table) // 5
    early, late = table[fifth : 2 * fifth], table[-fifth:]
    growth = late[:, 1].mean() / early[:, 1].mean() - 1
    return {
        "steps": int(table[-1, 0]),
        "resident_mb": {
            "second_fifth": round(early[:, 1].mean() / 1e6, 1),
            "last_fifth": round(late[:, 1].mean() / 1e6, 1),
        },
        "resident_growth_percent": round(100 * growth, 2),
        "open_files": {"second_fifth": int(early[:, 2].max()), "last_fifth": int(late[:, 2].max())},
        "line_microseconds_median": {
            "second_fifth": round(1e6 * float(np.median(early[:, 3]))),
            "last_fifth": round(1e6 * float(np.median(late[:, 3]))),
        },
    }


def main() -> int:
    """Run, write the results, and fail when memory or open files grew."""
    parser = argparse.ArgumentParser(description="a very long run: does anything grow?")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "long_run.json")
    found = parser.parse_args()
    rows: list[tuple[float, ...]] = []
    watched(rows)
    every = str(found.steps // 20)
    cadence = [
        "--steps",
        str(found.steps),
        "--sample-every",
        every,
        "--evaluate-every",
        every,
        "--checkpoint-every",
        every,
    ]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        code = cli.main([*WORDS, *cadence, "--run", f"{folder}/run"])
    result = summary(rows)
    report = {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/long_run.py", *sys.argv[1:]]),
        "run": shlex.join(["wgan", *WORDS, *cadence]),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, shared with other work",
        "versions": versions(),
        "seconds": round(time.monotonic() - begun),
        **result,
    }
    files.write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    print(json.dumps(report, indent=1))
    flat = result["resident_growth_percent"] < 2 and len(set(result["open_files"].values())) == 1
    return code or (0 if flat else 1)


if __name__ == "__main__":
    sys.exit(main())
