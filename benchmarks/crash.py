"""Kill runs with SIGKILL at chosen and random moments, start them again, and compare every byte with a run left alone.

    python benchmarks/crash.py --runs 20

For each family of small systems: one run that nobody disturbs; then so many runs of the same words, each killed one to
five times before it may end: in turn inside a chosen place (a checkpoint half written, a line of the log half written,
an evaluation, a sample sheet, the start-up ...) and at a random moment from outside, sometimes stopped by SIGTERM
besides. Each is then compared with the undisturbed one, file by file.

Each process is forked from this one, which has torch loaded and has computed nothing yet: a start costs little.
What a kill cannot show is a power cut; for that, every file is synced before it is renamed (docs/lab/reliability.md).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib.backends.backend_agg
import matplotlib.figure
import numpy
import scipy.linalg
import scipy.stats
import tensorboard.compat.proto.event_pb2
import tensorboard.summary.writer.record_writer
import torch
import torch._dynamo

from wgan.cli import main as cli
from wgan.cli import train as command
from wgan.files import Appender, write_atomically
from wgan.runs.folder import versions
from wgan.training import monitor
from wgan.training import step as phases
from wgan.training.monitor import Monitor
from wgan.visual import images, plots

_LOADED = (command, images, plots, torch._dynamo, tensorboard, matplotlib, scipy)  # every start would import them
CADENCE = "--steps 24 --batch 8 --threads 1 --log-every 1 --checkpoint-every 5 --sample-every 6 --evaluate-every 8"
CONV = "--generator-layers '/ 16 8k3x2 / k4x2' --critic-layers '8k4x2 8k4x2 /' --latent 8"
FAMILIES = {
    "default recipe: conditional conv, penalty, average, classes": f"mnist {CONV}",
    "mlp, clipping": "small-mlp-clip --generator-layers 16 --critic-layers 16 --latent 8",
    "auxiliary classes, dropout": "ac-clip --generator-layers '8 / 8 8k3x2 8k3x2 / k2' --critic-layers '8k3p2 8k3p2 /' "
    "--latent 8 --critic-schedule constant --n-critic 2",
    "batch norm in both": f"arjovsky-mnist {CONV} --critic-schedule constant --n-critic 2",
    "adaptive augmentation": f"mnist {CONV} --augment-target 0.3",
    "residual networks": "mnist --generator resnet --generator-layers '/ 8 6x2 6x2 / k3' --critic resnet "
    "--critic-layers '6x2 8x2 /' --latent 8",
    "toy, penalty": "gulrajani-ring --generator-layers 16 --critic-layers 16 --n-critic 2",
}
PLACES = [
    "log cut",
    "log line",
    "checkpoint tensors",
    "checkpoint manifest",
    "retention",
    "evaluation",
    "sample sheet",
    "final pictures",
    "critic update",
]


def place_of(path: Path) -> str:
    """Return which place of a run writes the file `path` (or the temporary one beside it)."""
    name = path.name.removeprefix(".").removesuffix(".part").removesuffix(".tmp")
    if path.parent.name == "checkpoints":
        return "checkpoint manifest" if name.endswith(".json") else "checkpoint tensors"
    if path.parent.name == "samples":
        return "sample sheet"
    places = {
        "log.jsonl": "log cut",
        "times.jsonl": "log cut",
        "losses.png": "final pictures",
        "progress.gif": "final pictures",
    }
    return places.get(name, "start-up")


class Kill:
    """Dies at the n-th visit of a place; the file under way is torn, or whole and not yet renamed, or just renamed."""

    def __init__(self, place: str, count: int, torn: bool, before: bool) -> None:
        self.place, self.left, self.torn, self.before = place, count, torn, before

    def due(self, place: str) -> bool:
        self.left -= place == self.place
        return place == self.place and self.left == 0

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Put the kill into the functions of this process."""
        fsync, replace, unlink, write = os.fsync, os.replace, Path.unlink, Appender.write
        quality, update = Monitor.quality, phases.critic_update

        def torn_file(handle: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{handle}"))
            if self.torn and path.name.startswith(".") and self.due(place_of(path)):
                os.ftruncate(handle, os.fstat(handle).st_size // 2)
                self.die()
            fsync(handle)

        def renamed(source: Any, target: Any) -> None:
            now = not self.torn and self.due(place_of(Path(target)))
            if now and self.before:
                self.die()
            replace(source, target)
            if now:
                self.die()

        def removed(path: Path, missing_ok: bool = False) -> None:
            unlink(path, missing_ok)
            if path.parent.name == "checkpoints" and self.due("retention"):
                self.die()

        def half_line(file: Any, data: bytes) -> None:
            if self.due("log line"):
                write(file, data[: len(data) // 2])
                self.die()
            write(file, data)

        def dying(place: str, works: Any) -> Any:
            def call(*arguments: Any) -> Any:
                if self.due(place):
                    self.die()
                return works(*arguments)

            return call

        os.fsync, os.replace, Path.unlink = torn_file, renamed, removed  # type: ignore[assignment]
        Appender.write = half_line  # type: ignore[method-assign]
        Monitor.quality = dying("evaluation", quality)  # type: ignore[method-assign]
        phases.critic_update = dying("critic update", update)


def start(words: list[str], kill: Kill | None, output: Path) -> int:
    """Fork a process that runs `wgan WORDS`; return its id."""
    child = os.fork()
    if child:
        return child
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    monitor.SAMPLES = 100  # of each side of an evaluation: what is tested is where it falls, not its figures
    if kill is not None:
        kill.install()
    code = 1
    try:
        code = cli.main(words)
        sys.stdout.flush()
    finally:
        os._exit(code)


def wait(child: int, kill_after: float | None = None, number: int = signal.SIGKILL) -> int:
    """Wait for a process, sending it a signal after some seconds; return its exit code, -9 for a kill."""
    end = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if end is not None and time.monotonic() > end:
            os.kill(child, number)
            end = None
        time.sleep(0.002)


def contents(run: Path) -> dict[str, bytes]:
    """Return every file of a run by name, but for the lock, clock times and TensorBoard's records of them."""
    files = [p for p in run.rglob("*") if p.is_file() and p.parent.name != "events"]
    return {str(p.relative_to(run)): p.read_bytes() for p in files if p.name not in ("times.jsonl", ".lock")}


def place_for(rng: random.Random, place: str) -> Kill:
    """Return a kill at one of the visits of a place that a run makes."""
    many = {"log line": 24, "critic update": 24, "final pictures": 2, "start-up": 2}.get(place, 4)
    return Kill(place, rng.randint(1, many), rng.random() < 0.5, rng.random() < 0.5)


def crash(words: list[str], runs: int, folder: Path, seed: int) -> dict[str, Any]:
    """Kill each of `runs` runs of one family one to five times; return where, and what they were like in the end."""
    rng, output, run = random.Random(seed), folder / "output", folder / "run"
    begun = time.monotonic()
    assert wait(start([*words, "--run", str(folder / "whole")], None, output)) == 0, output.read_text()
    seconds, whole = time.monotonic() - begun, contents(folder / "whole")
    kills: Counter[str] = Counter()
    identical, finished, failures = 0, 0, []
    different: set[str] = set()
    inside = itertools.cycle(rng.sample(PLACES, len(PLACES)))
    while finished < runs and not failures:
        hits = 0
        for k in range(rng.randint(1, 5)):
            if k == 0 and finished % 4 == 0:  # only a run that is not there yet starts up
                kill, after, number = place_for(rng, "start-up"), None, signal.SIGKILL
            elif rng.random() < 0.5:
                kill, after, number = place_for(rng, next(inside)), None, signal.SIGKILL
            else:
                number = signal.SIGTERM if rng.random() < 0.2 else signal.SIGKILL
                kill, after = None, rng.uniform(0, seconds)
            code = wait(start([*words, "--run", str(run)], kill, output), after, number)
            if code == -signal.SIGKILL:
                kills[kill.place if kill else "anywhere"] += 1
                hits += 1
            elif code in (-signal.SIGTERM, 128 + signal.SIGTERM):
                kills["SIGTERM"] += 1
            elif code:
                failures.append(output.read_text()[-500:])
        if not hits and not failures:  # it came to its end every time
            shutil.rmtree(run, ignore_errors=True)
            continue
        if wait(start([*words, "--run", str(run)], None, output)):
            failures.append(output.read_text()[-500:])
        found = contents(run)
        wrong = {name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name)}
        finished, identical, different = finished + 1, identical + (not wrong), different | wrong
        shutil.rmtree(run)
    return {
        "command": "wgan " + shlex.join(words),
        "runs": finished,
        "identical": identical,
        "kills": sum(kills.values()) - kills["SIGTERM"],
        "by_place": dict(kills.most_common()),
        "files_compared": len(whole),
        "different": sorted(different),
        "failures": failures,
    }


def main() -> int:
    """Kill every family, write the results, and fail when one byte differs."""
    parser = argparse.ArgumentParser(description="kill runs and compare what they come to")
    parser.add_argument("--runs", type=int, default=20, help="runs of each family, each killed one to five times")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="families whose name holds this text")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "crash.json")
    found = parser.parse_args()
    report: dict[str, Any] = {
        "date": date.today().isoformat(),
        "command": f"python benchmarks/crash.py --runs {found.runs} --seed {found.seed}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, shared with other work",
        "versions": {**versions(), "numpy": numpy.__version__},
        "families": {},
    }
    with suppress(OSError, ValueError):  # with --only the other families are kept
        report["families"] = json.loads(found.out.read_text())["families"] if found.only else {}
    for name, text in ((n, t) for n, t in FAMILIES.items() if found.only in n):
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            result = crash(["train", *shlex.split(text), *shlex.split(CADENCE)], found.runs, Path(folder), found.seed)
        report["families"][name] = {**result, "seconds": round(time.monotonic() - begun)}
        counted = (f"{result[k]} {k.replace('_', ' ')}" for k in ("kills", "runs", "identical"))
        print(f"{name}: {', '.join(counted)}", *result["different"], *result["failures"], flush=True)
        write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    families = list(report["families"].values())
    good = all(not f["different"] and not f["failures"] for f in families)
    runs, identical, kills = (sum(f[k] for f in families) for k in ("runs", "identical", "kills"))
    print(f"{identical} of {runs} runs identical after {kills} kills")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
