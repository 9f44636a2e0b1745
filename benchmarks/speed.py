"""How fast `wgan` trains: against the published programs, against this machine's peak, and how its cost grows.

    python benchmarks/speed.py --tensorflow /path/to/a/python/with/tensorflow

Each part runs both sides in turn, A B A B, each in a process of its own, and quotes ratios of medians. Parts can be run one
by one (`--only published`); the results of the others stay in benchmarks/results/speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# system: recipe, timed steps of the published program, of wgan
SYSTEMS = {
    "S0": ("conv-clip-five", 6, 15),
    "S1": ("mlp-clip", 25, 60),
    "S2": ("ac-clip", 2, 4),
    "S3": ("deep-conv-clip", 4, 8),
    "S4": ("small-mlp-clip", 80, 200),
}
KERAS = ("S0", "S2", "S3")
RECIPES = {
    "mnist": 30,
    "conv-clip-five": 12,
    "ac-clip": 4,
    "deep-conv-clip": 8,
    "gulrajani-mnist": 6,
    "mlp-clip": 60,
    "small-mlp-clip": 150,
    "small-mlp-gp": 60,
    "gulrajani-ring": 20,
}


def child(python: str, *words: str) -> dict[str, Any]:
    """Run one side in a process of its own and return the JSON of its last line."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([python, *words], capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(recipe: str, steps: int, **options: Any) -> dict[str, Any]:
    """Return the Row of `wgan benchmark` for a recipe with options, measured in a process of its own."""
    return child(sys.executable, __file__, "--row", recipe, "--steps", str(steps), "--options", json.dumps(options))


def published(found: argparse.Namespace) -> dict[str, Any]:
    """Seconds for each generator step of the published programs and of the recipes."""
    result: dict[str, Any] = {}
    for system, (recipe, theirs, mine) in SYSTEMS.items():
        if found.systems and system not in found.systems:
            continue
        python = found.tensorflow if system in KERAS else sys.executable
        if not python:
            print(f"{system} needs --tensorflow", file=sys.stderr)
            continue
        sides: dict[str, list[float]] = {"published": [], "wgan": []}
        for _ in range(found.rounds):
            words = (str(HERE / "published" / f"{system.lower()}.py"), "--steps", str(theirs), "--warm", "2")
            a = child(python, *words)
            sides["published"].append(a["seconds_per_step"])
            sides["wgan"].append(ours(recipe, mine)["seconds"])
        medians = {side: statistics.median(values) for side, values in sides.items()}
        result[system] = {
            "recipe": recipe,
            "seconds_per_step": medians,
            "ratio": medians["published"] / medians["wgan"],
            "each": sides,
            "published_with": a["versions"],
        }
        print(
            system,
            recipe,
            {k: round(v, 4) for k, v in medians.items()},
            f"{result[system]['ratio']:.2f} times",
            flush=True,
        )
    return result


def fraction(found: argparse.Namespace) -> dict[str, Any]:
    """The share of the matrix-product peak that each recipe's whole loop reaches, and the plain way beside it."""
    result = {}
    for recipe, steps in RECIPES.items():
        if found.recipes and recipe not in found.recipes:
            continue
        fast, plain = ours(recipe, steps), ours(recipe, max(2, steps // 2), fast=0)
        result[recipe] = {
            **fast,
            "plain_seconds": plain["seconds"],
            "times_the_plain_way": plain["seconds"] / fast["seconds"],
        }
        print(
            recipe,
            f"{1e3 * fast['seconds']:.1f} ms, {fast['fraction']:.0%} of {fast['peak'] / 1e9:.0f} GFLOP/s;",
            f"{result[recipe]['times_the_plain_way']:.2f} times the plain way",
            flush=True,
        )
    return result


def penalty(found: argparse.Namespace) -> dict[str, Any]:
    """A step with the gradient penalty over the same step without it."""
    result = {}
    for recipe, steps in (("mnist", 30), ("gulrajani-mnist", 6), ("small-mlp-gp", 60)):
        pairs = [
            (ours(recipe, steps)["seconds"], ours(recipe, steps, penalty_weight=0)["seconds"])
            for _ in range(found.rounds)
        ]
        medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
        result[recipe] = {"seconds_with": medians[0], "seconds_without": medians[1], "ratio": medians[0] / medians[1]}
        print("penalty", recipe, f"{result[recipe]['ratio']:.2f} times the plain step", flush=True)
    return result


def run(words: list[str]) -> dict[str, float]:
    """Run `wgan` in a process of its own: seconds, seconds to the first line of its log, peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        begun, first = time.perf_counter(), 0.0
        process = subprocess.Popen(
            [sys.executable, "-m", "wgan", *words, "--run", f"{folder}/run"], stdout=subprocess.DEVNULL
        )
        log = Path(folder) / "run" / "log.jsonl"
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not first and log.exists() and log.stat().st_size:
                first = time.perf_counter() - begun
            if pid:
                break
            time.sleep(0.005)
        if status:
            raise SystemExit(f"wgan {shlex.join(words)} failed")
        seconds = time.perf_counter() - begun
    return {"seconds": seconds, "first": first, "peak_mib": usage.ru_maxrss / 1024}


def duties(found: argparse.Namespace) -> dict[str, Any]:
    """The default run with its log, sample grids, evaluations and checkpoints, and with all of them only at the end."""
    steps = "600"
    off = [word for name in ("log", "sample", "evaluate", "checkpoint") for word in (f"--{name}-every", "0")]
    sides: dict[str, list[float]] = {"on": [], "off": []}
    for _ in range(found.rounds):
        sides["on"].append(run(["train", "mnist", "--steps", steps])["seconds"])
        sides["off"].append(run(["train", "mnist", "--steps", steps, *off])["seconds"])
    medians = {side: statistics.median(values) for side, values in sides.items()}
    share = medians["on"] / medians["off"] - 1
    print("duties", medians, f"{share:.1%}", flush=True)
    return {"steps": int(steps), "seconds": medians, "each": sides, "share": share}


def start(found: argparse.Namespace) -> dict[str, Any]:
    """Seconds of `wgan --help`, and from typing `wgan train` to the first logged step; peak memory of the default run."""
    helps = []
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "wgan", "--help"], stdout=subprocess.DEVNULL, check=True)
        helps.append(time.perf_counter() - begun)
    runs = [run(["train", "mnist", "--steps", "20", "--log-every", "1"]) for _ in range(found.rounds)]
    result = {
        "help_seconds": statistics.median(helps),
        "first_step_seconds": statistics.median(r["first"] for r in runs),
        "peak_mib": max(r["peak_mib"] for r in runs),
        "note": "20 steps of the default run, with its evaluation, sheet, checkpoint and pictures at the end",
    }
    print("start", result, flush=True)
    return result


def growth(found: argparse.Namespace) -> dict[str, Any]:
    """Seconds for each step against batch, channels, side and number of images."""
    import numpy as np

    result: dict[str, Any] = {"batch": {}, "channels": {}, "side": {}, "images": {}}
    for batch in (16, 32, 64, 128, 256, 512, 1024):
        result["batch"][batch] = ours("mnist", 6, batch=batch)["seconds"]
    for times in (0.5, 1, 2, 4):
        wide = [round(times * n) for n in (256, 128, 64, 32, 64, 128)]
        layers = {
            "generator_layers": f"/ {wide[0]} {wide[1]}k3 {wide[2]}k4x2 / k4x2",
            "critic_layers": f"{wide[3]}k4x2 {wide[4]}k4x2 {wide[5]}k3x2 /",
        }
        row = ours("mnist", 6, **layers)
        result["channels"][times] = {"seconds": row["seconds"], "gflop": row["flops"] / 1e9}
    noise = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "WGAN_CACHE": f"{folder}/cache"}
        os.environ.update(environment)
        for side in (28, 32, 64, 96, 128):
            np.save(f"{folder}/side{side}.npy", noise.integers(0, 256, (256, side, side), np.uint8))
            row = ours("images", 4, data=f"{folder}/side{side}.npy", conditioning="none")
            result["side"][side] = {"seconds": row["seconds"], "gflop": row["flops"] / 1e9}
        for count in found.images:
            np.save(f"{folder}/images.npy", noise.integers(0, 256, (count, 28, 28), np.uint8))
            result["images"][count] = ours("images", 12, data=f"{folder}/images.npy", conditioning="none")["seconds"]
    print(json.dumps(result), flush=True)
    return result


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "published": published,
    "fraction": fraction,
    "penalty": penalty,
    "start": start,
    "duties": duties,
    "growth": growth,
}


def row(found: argparse.Namespace) -> None:
    """Measure one recipe in this process and print its Row."""
    from dataclasses import asdict

    from wgan.cli.benchmark import benchmark

    made = benchmark(found.row, found.steps, json.loads(found.options))
    print(json.dumps({**asdict(made), "fraction": made.fraction}))


def processor() -> str:
    """Return the processor's name, its cores and its bf16 instructions, or the instructions that it is held to."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    flags = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in text]
    held = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return f"{name}, {os.cpu_count()} cores, {f'held to {held}' if held else ' '.join(flags) or 'no bf16'}"


def main() -> int:
    """Run the parts asked for and write their results beside the others'."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS)
    parser.add_argument("--recipes", nargs="*", choices=RECIPES, help="those of `fraction`")
    parser.add_argument("--images", nargs="*", type=int, default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--tensorflow", metavar="PYTHON", help="a Python that has TensorFlow, for S0, S2 and S3")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "speed.json")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=10, help=argparse.SUPPRESS)
    parser.add_argument("--options", default="{}", help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.row:
        row(found)
        return 0
    for name in found.only:
        keep(found.out, name, PARTS[name](found))
    return 0


def keep(out: Path, name: str, result: dict[str, Any]) -> None:
    """Write one part's results, with what they were measured on, beside the others'."""
    from wgan.files import write_atomically
    from wgan.runs.folder import versions

    report = json.loads(out.read_text()) if out.exists() else {}
    words = [Path(w).name if w.endswith("python") else w for w in sys.argv[1:]]
    report[name] = {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/speed.py", *words]),
        "machine": processor(),
        "versions": versions(),
        "result": {**report.get(name, {}).get("result", {}), **result},
    }
    write_atomically(out, (json.dumps(report, indent=1) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
