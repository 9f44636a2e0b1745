"""Step time of 1 and 2 processes on this machine, what averaging costs, and a projection on paper to 8 .. 1024 workers.

    python benchmarks/scaling.py [--only mnist]

Measured: for each recipe, the same steps by one process and by two, one thread each, interleaved in rounds; with the
batch shared (strong) and with the batch grown in proportion (weak). Each figure is a median over steps and rounds.
Projected, never measured: the time of a step on N workers, from the measured seconds for each sample, the measured
bytes and messages of a step, and network rates that are stated in RATES. The same for a GPU from the counted floating
point operations and a stated rate.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from speed import processor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from wgan import files
from wgan.config import Config
from wgan.data import open_source
from wgan.distributed import rendezvous
from wgan.distributed.group import Group, Traffic
from wgan.distributed.signals import Stop
from wgan.engine import make_engine
from wgan.host import thread_count
from wgan.models import parameter_count
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.training.players import make_players
from wgan.training.step import take_step

RECIPES = ("mnist", "small-mlp-gp")
BATCHES = (16, 64, 128)  # of one process, for the line seconds = fixed + batch * each
WORKERS = (1, 2, 8, 16, 64, 256, 1024)
# bytes a second each way, and seconds before the first byte of a message: stated, not measured here
RATES = {
    "10 Gb/s Ethernet": (1.25e9, 50e-6),
    "100 Gb/s InfiniBand": (12.5e9, 5e-6),
}
GPU = (
    10e12,
    3e-3,
)  # floating point operations a second that a GPU reaches on such layers, seconds of launches in a step


def steps_of(config: Config, group: Group, count: int, warm: int) -> dict[str, Any]:
    """Take steps; return the seconds of each after `warm`, and the traffic of one step."""
    source = open_source(config.data, config.split)
    engine = make_engine("cpu", "fp32", 1, group=group)
    with thread_count(1):
        p = make_players(config, engine, source)
        seconds, traffic = [], []
        for step in range(warm + count):
            group.traffic = Traffic()
            if group.world > 1:
                group.all_gather(b"ready")  # so that no process waits for another's last step within its own
            begun = time.perf_counter()
            take_step(p, source, step, Stop(), False)
            seconds.append(time.perf_counter() - begun)
            traffic.append(vars(group.traffic))
    kept = traffic[warm:]
    median = {key: statistics.median(t[key] for t in kept) for key in ("calls", "bytes", "seconds")}
    return {"seconds": seconds[warm:], "traffic": median}


def worker(found: argparse.Namespace) -> None:
    """Run as one process of a group and let rank 0 print what it measured."""
    config = configure(found.worker, {"batch": found.batch, "generator_batch": 0})
    with rendezvous.formed(60.0) as group:
        result = steps_of(config, group, found.count, found.warm)
        if group.is_main:
            print(json.dumps(result))


def group_of(processes: int, recipe: str, batch: int, count: int, warm: int) -> dict[str, Any]:
    """Start `processes` processes with one thread each, each on a core of its own; return what rank 0 measured."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, __file__, "--worker", recipe, "--batch", str(batch)]
    words += ["--count", str(count), "--warm", str(warm)]
    started = []
    for rank in range(processes):
        about = {"RANK": rank, "WORLD_SIZE": processes, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1"}
        names = {k: str(v) for k, v in {**about, "MASTER_PORT": port}.items()}
        core = {rank % (os.cpu_count() or 1)}
        started.append(
            subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **names, "GLOO_SOCKET_IFNAME": "lo"},
                preexec_fn=lambda core=core: os.sched_setaffinity(0, core),  # type: ignore[misc]
            )
        )
    texts = [p.communicate()[0] for p in started]
    assert not any(p.returncode for p in started), texts
    found: dict[str, Any] = json.loads(texts[0])
    return found


def measured(recipe: str, rounds: int, count: int, warm: int) -> dict[str, Any]:
    """Return one recipe's step times: alone, two sharing a batch, two with a batch each; and of other batches alone."""
    batch, about = configure(recipe).batch, size_of(recipe)
    plans = {"one": (1, batch), "two, batch shared": (2, batch), "two, batch doubled": (2, 2 * batch)}
    plans |= {f"one, batch {b}": (1, b) for b in BATCHES if b != batch}
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in plans}
    for _ in range(rounds):
        for name, (processes, size) in plans.items():
            results[name].append(group_of(processes, recipe, size, count, warm))
    found = {}
    for name, rows in results.items():
        seconds = [s for row in rows for s in row["seconds"]]
        traffic = {k: statistics.median(row["traffic"][k] for row in rows) for k in rows[0]["traffic"]}
        found[name] = {"seconds": statistics.median(seconds), "steps": len(seconds), "traffic": traffic}
    one, two, double = (found[name]["seconds"] for name in list(plans)[:3])
    return {
        "batch": batch,
        "times": found,
        "talk_strong": found["two, batch shared"]["traffic"]["seconds"] / two,
        "overlap": "none: all gradients travel after the backward, right before the optimizer's step",
        "efficiency_strong": one / (2 * two),
        "efficiency_weak": one / double,
        **about,
    }


class Flops(TorchDispatchMode):
    """Counts floating point operations by PyTorch's own formulas; its FlopCounterMode refuses torch.autograd.grad."""

    total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def size_of(recipe: str) -> dict[str, Any]:
    """Return the parameters of a recipe's networks and the floating point operations of one step for one sample."""
    config = configure(recipe, {"fast": 0})  # PyTorch knows no formula for some of the operations of the fast forms
    source = open_source(config.data, config.split)
    p = make_players(config, make_engine("cpu", "fp32", 1), source)
    sizes = {"generator_parameters": parameter_count(p.generator), "critic_parameters": parameter_count(p.critic)}
    with Flops() as counter:
        take_step(p, source, 0, Stop(), False)
    return {**sizes, "flops_per_sample": counter.total / config.batch}


def line(times: dict[str, Any], batch: int) -> tuple[float, float]:
    """Return (fixed seconds of a step, seconds for each sample): least squares of the times of one process."""
    points = [(int(name.rpartition(" ")[2]), t["seconds"]) for name, t in times.items() if name.startswith("one, ")]
    points.append((batch, times["one"]["seconds"]))
    x = torch.tensor([[1.0, b] for b, _ in points], dtype=torch.float64)
    y = torch.tensor([[s] for _, s in points], dtype=torch.float64)
    fixed, each = torch.linalg.lstsq(x, y).solution.flatten().tolist()
    return max(fixed, 0.0), each


def all_reduce(workers: int, messages: float, size: float, rate: float, latency: float) -> float:
    """Return the seconds of the averages of a step in a ring: 2 (N - 1) / N of the bytes, 2 (N - 1) hops a message."""
    if workers == 1:
        return 0.0
    return messages * 2 * (workers - 1) * latency + 2 * (workers - 1) / workers * size / rate


def projection(recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows of the projection on paper: samples a second by workers, network, kind of worker, and batch rule."""
    fixed, each = line(recipe["times"], recipe["batch"])
    traffic = recipe["times"]["two, batch shared"]["traffic"]
    speed, launches = GPU
    kinds = {"CPU core": (fixed, each), "GPU": (launches, recipe["flops_per_sample"] / speed)}
    rows = []
    for kind, (constant, per_sample) in kinds.items():
        alone = recipe["batch"] / (constant + per_sample * recipe["batch"])
        for network, (rate, latency) in RATES.items():
            for workers in WORKERS:
                talk = all_reduce(workers, traffic["calls"], traffic["bytes"], rate, latency)
                for rule, local in (("strong", recipe["batch"] / workers), ("weak", recipe["batch"])):
                    if local < 1:
                        continue
                    step = constant + per_sample * local + talk
                    speedup = local * workers / step / alone
                    row = {"worker": kind, "network": network, "workers": workers, "rule": rule, "step_seconds": step}
                    rows.append({**row, "speedup": speedup, "efficiency": speedup / workers, "talk": talk / step})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the projection as Markdown: speedup over one worker of the same kind."""
    names = [", ".join(words) for words in product(("CPU core", "GPU"), RATES, ("strong", "weak"))]
    lines = ["| workers | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for workers in WORKERS:
        cells = []
        for name in names:
            kind, network, rule = name.split(", ")
            key = {"worker": kind, "network": network, "rule": rule, "workers": workers}
            hits = [r["speedup"] for r in rows if all(r[k] == v for k, v in key.items())]
            cells.append(f"{hits[0]:.3g}" if hits else "–")
        lines.append(f"| {workers} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, project, write benchmarks/results/scaling.json and print both."""
    parser = argparse.ArgumentParser(description="step time of 1 and 2 processes, and a projection on paper")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--count", type=int, default=12, help="steps that count, in each round")
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--only", default="", choices=("", *RECIPES), help="one recipe; the other's figures are kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scaling.json")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=64, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.worker:
        worker(found)
        return 0
    report: dict[str, Any] = {
        "date": date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/scaling.py", *sys.argv[1:]]),
        "machine": f"{platform.system()}, {processor()}",
        "versions": versions(),
        "on paper": {"rates": RATES, "gpu": GPU},
        "recipes": {},
    }
    with suppress(OSError, ValueError):
        report["recipes"] = json.loads(found.out.read_text())["recipes"] if found.only else {}
    for name in RECIPES:
        if found.only not in ("", name):
            continue
        recipe = {"command": report["command"], "rounds": found.rounds}
        recipe |= measured(name, found.rounds, found.count, found.warm)
        report["recipes"][name] = {**recipe, "on paper": projection(recipe)}
        times, talk = recipe["times"], recipe["times"]["two, batch shared"]["traffic"]
        for plan, t in times.items():
            print(f"{name}: {plan}: {1000 * t['seconds']:.1f} ms a step ({t['steps']} steps)")
        print(f"{name}: efficiency {recipe['efficiency_strong']:.2f} (strong), {recipe['efficiency_weak']:.2f} (weak)")
        print(f"{name}: messages are {100 * recipe['talk_strong']:.0f} % of a step (shared), no part of them overlaps")
        print(
            f"{name}: {talk['calls']:.0f} messages, {talk['bytes']:,.0f} bytes, {1000 * talk['seconds']:.1f} ms a step"
        )
        print(f"\non paper, speedup of {name}:\n{table(report['recipes'][name]['on paper'])}\n", flush=True)
        files.write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
