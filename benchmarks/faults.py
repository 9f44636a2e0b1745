"""Kill one process of a group with SIGKILL at random moments, and compare every byte with a run that was left alone.

    python benchmarks/faults.py --kills 20

Each time `wgan train --processes 2` is started as a user starts it, one of its two processes is killed once, at a
moment drawn from the whole time that an undisturbed run takes, the start included; torchrun's agent starts both again,
and the run goes on by itself. In the end all of its files are compared. Linux only: processes are found in /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from wgan.files import write_atomically
from wgan.runs.folder import versions

SYSTEMS = {
    "toy, penalty": "gulrajani-ring --generator-layers 16 --critic-layers 16 --batch 16 --n-critic 2",
    "conv, batch norm, classes, average": "mnist --generator-layers '/ 16 8k3x2 / k4x2' "
    "--critic-layers '8k4x2 8k4x2 /' --latent 8 --batch 8",
}
CADENCE = "--threads 1 --log-every 1 --checkpoint-every 10 --sample-every 0 --evaluate-every 0 --processes 2"


def workers_of(launcher: int) -> list[int]:
    """Return the processes that run `wgan` for a launcher, oldest first."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if parent == launcher and b"wgan" in words:
            found.append(int(folder.name))
    return sorted(found)


def start(words: list[str], output: Path) -> subprocess.Popen[bytes]:
    """Start `wgan WORDS`; what it prints goes to the file `output`."""
    with output.open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", "wgan", *words], stdout=file, stderr=subprocess.STDOUT)


def kill_one(launcher: subprocess.Popen[bytes], seconds: float, rng: random.Random) -> bool:
    """Kill one process of the group after some seconds; return whether there was one to kill."""
    end = time.monotonic() + seconds
    while time.monotonic() < end or not workers_of(launcher.pid):
        if launcher.poll() is not None:
            return False
        time.sleep(0.01)
    try:
        os.kill(rng.choice(workers_of(launcher.pid)), signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        return False
    return True


def contents(run: Path) -> dict[str, bytes]:
    """Return every file of a run by name, but for the lock, clock times and TensorBoard's records of them."""
    files = [p for p in run.rglob("*") if p.is_file() and p.parent.name != "events"]
    return {str(p.relative_to(run)): p.read_bytes() for p in files if p.name not in ("times.jsonl", ".lock")}


def faults(words: list[str], kills: int, folder: Path, rng: random.Random) -> dict[str, Any]:
    """Disturb a run `kills` times, each a fresh one; return what they were like in the end."""
    output, run = folder / "output", folder / "run"
    begun = time.monotonic()
    assert start([*words, "--run", str(folder / "whole")], output).wait() == 0, output.read_text()
    seconds, whole = time.monotonic() - begun, contents(folder / "whole")
    killed = identical = again = 0
    different: set[str] = set()
    failures: list[str] = []
    while killed < kills and not failures:
        launcher = start([*words, "--run", str(run)], output)
        hit = kill_one(launcher, rng.uniform(0, seconds), rng)
        code = launcher.wait()
        killed += hit
        text = output.read_text()
        if code or "Traceback" in text:
            failures.append(f"exit code {code}: {text[-500:]}")
        elif hit:
            found = contents(run)
            wrong = {name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name)}
            identical += not wrong
            different |= wrong
            again += "all were started again" in text
        shutil.rmtree(run, ignore_errors=True)
    return {
        "command": "wgan " + shlex.join(words),
        "undisturbed_seconds": round(seconds, 1),
        "kills": killed,
        "said_that_it_started_again": again,
        "identical": identical,
        "files_compared": len(whole),
        "different": sorted(different),
        "failures": failures,
    }


def main() -> int:
    """Disturb each system, write the results, and fail when one byte differs."""
    parser = argparse.ArgumentParser(description="kill one process of a group and compare what the run comes to")
    parser.add_argument("--kills", type=int, default=20, help="for each system")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="systems whose name holds this text")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "faults.json")
    found = parser.parse_args()
    report: dict[str, Any] = {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/faults.py", *sys.argv[1:]]),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        "systems": {},
    }
    for name, text in ((n, t) for n, t in SYSTEMS.items() if found.only in n):
        words = ["train", *shlex.split(text), *shlex.split(CADENCE), "--steps", str(found.steps)]
        with tempfile.TemporaryDirectory() as folder:
            result = faults(words, found.kills, Path(folder), random.Random(found.seed))
        report["systems"][name] = result
        print(f"{name}: {result['kills']} kills, {result['identical']} identical", *result["failures"], flush=True)
        write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    good = all(r["identical"] == r["kills"] == found.kills for r in report["systems"].values())
    print("all identical" if good else "NOT identical")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
