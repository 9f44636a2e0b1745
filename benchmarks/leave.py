"""How long a run takes to leave after SIGTERM: in the long critic phases of S2, in evaluations, at any moment.

    python benchmarks/leave.py --stops 6

Each recipe is a real process with an evaluation every few steps; it is stopped at random moments after its first step
and started again with the same words. The promise is 5 seconds (docs/lab/reliability.md); a busy machine makes it harder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from wgan import files
from wgan.runs import checkpoint
from wgan.runs.folder import open_run, versions

RUNS = {
    "default recipe": "mnist --threads 1 --log-every 1 --evaluate-every 4 --sample-every 3 --checkpoint-every 5",
    "S2, 100 critic updates a step": "ac-clip --threads 1 --log-every 1 --evaluate-every 2 --sample-every 3 --checkpoint-every 5",
}


def stop_once(words: list[str], run: Path, after: float) -> tuple[int, float]:
    """Start the run, send SIGTERM so many seconds after it is training, and return its code and how long it took to leave."""
    events = len(list((run / "events").glob("*"))) if run.exists() else 0
    process = subprocess.Popen([sys.executable, "-m", "wgan", *words, "--run", str(run)], stdout=subprocess.DEVNULL)
    while process.poll() is None and (not run.exists() or len(list((run / "events").glob("*"))) == events):
        time.sleep(0.01)
    time.sleep(after)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    return process.wait(), time.monotonic() - begun


def main() -> int:
    """Stop each recipe a few times, write the results, and fail when one stop took longer than 5 seconds."""
    parser = argparse.ArgumentParser(description="how long a stop takes")
    parser.add_argument("--stops", type=int, default=6, help="of each recipe")
    parser.add_argument("--seconds", type=float, default=20, help="within which a stop comes")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "leave.json")
    found = parser.parse_args()
    rng, runs = random.Random(0), {}
    for name, text in RUNS.items():
        rows: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(found.stops):
                after = rng.uniform(0, found.seconds)
                code, seconds = stop_once(["train", *shlex.split(text)], Path(folder) / "run", after)
                newest = max(checkpoint.moments(Path(folder) / "run" / "checkpoints"))
                manifest = checkpoint.load(open_run(Path(folder) / "run").checkpoints, *newest).manifest
                where = "evaluation" if "measured" in manifest else "critic phase" if newest[1] else "between steps"
                rows.append(
                    {
                        "after": round(after, 1),
                        "code": code,
                        "seconds": round(seconds, 2),
                        "where": where,
                        "step": newest[0],
                        "updates": newest[1],
                    }
                )
        runs[name] = {"command": f"wgan train {text}", "slowest": max(r["seconds"] for r in rows), "stops": rows}
        print(f"{name}: slowest of {len(rows)} stops {runs[name]['slowest']} s", flush=True)
    report = {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/leave.py", *sys.argv[1:]]),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": versions(),
        "runs": runs,
    }
    files.write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    stops = [row for run in runs.values() for row in run["stops"]]
    return 0 if all(row["code"] == 143 and row["seconds"] < 5 for row in stops) else 1


if __name__ == "__main__":
    sys.exit(main())
