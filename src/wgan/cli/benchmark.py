"""`wgan benchmark`: what recipes cost on this machine, and how near that is to what the machine can do."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from wgan.cli.output import print_json, require_place, show
from wgan.data import open_source
from wgan.distributed.signals import Stop
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.host import thread_count
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.training.estimate import peak_memory
from wgan.training.flops import Flops
from wgan.training.loop import numbers
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import take_step
from wgan.ways import Ways

DEFAULT = ("mnist", "conv-clip-five", "mlp-clip", "deep-conv-clip", "small-mlp-clip", "small-mlp-gp")
SIDES = (512, 1024, 2048)  # of the square matrices whose product stands for the machine's peak
COLUMNS = ["recipe", "precision", "threads", "ways", "ms a step", "steps/s", "GFLOP a step", "GFLOP/s", "peak", "of it"]
LOG_EVERY = 10  # as a run logs by default


@dataclass(frozen=True)
class Row:
    """What one recipe cost: the median step with its data, both players' updates, average, checks and the logged numbers."""

    recipe: str
    precision: str
    threads: int
    steps: int  # timed ones
    seconds: float  # of the median step
    flops: int  # of the products of one step, counted where they are computed, derivatives and penalty included
    peak: float  # flops/s of square matrix products in this precision, the best found
    ways: str = ""  # whose linear maps, or plain

    @property
    def fraction(self) -> float:
        """The fraction of the peak that the whole loop reaches, in [0, 1]."""
        return self.flops / self.seconds / self.peak


def benchmark(
    name: str, steps: int = 20, overrides: Mapping[str, Any] | None = None, peaks: Peaks | None = None
) -> Row:
    """Train recipe `name` for a few steps in memory and return what a step costs; nothing is written.

    A schedule that varies over the run (`warm-100`) is measured at its usual n_critic.
    """
    config = configure(name, {"critic_schedule": "constant", **(overrides or {})})
    source = open_source(config.data, config.split, options=config)
    engine = engine_for(config, source)
    with thread_count(engine.threads):
        players = make_players(config, engine, source)
        stop = Stop()

        def step(i: int) -> None:
            numbers(take_step(players, source, i, stop, i % LOG_EVERY == 0))

        for i in range(max(2, steps // 10)):
            step(i)
        with Flops() as counter:
            step(steps)
        seconds = []
        for i in range(steps):
            begun = time.perf_counter()
            step(steps + 1 + i)
            seconds.append(time.perf_counter() - begun)
        peak = (peaks or Peaks()).of(engine)
    return Row(
        name,
        engine.precision,
        engine.threads,
        steps,
        statistics.median(seconds),
        counter.total,
        peak,
        said(config.fast, engine.ways),
    )


def said(fast: bool, ways: Ways) -> str:
    """Return the ways of computing as the table shows them."""
    return str(ways) if fast else "plain"


class Peaks:
    """The best rate of a square matrix product, flops/s, measured once for each precision and number of threads."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, int], float] = {}

    def of(self, engine: Engine) -> float:
        """Return the peak in the engine's precision; its threads are set already."""
        key = (engine.device.type, engine.precision, engine.threads)
        if key not in self.known:
            dtype = torch.bfloat16 if engine.precision == "bf16" else engine.dtype
            self.known[key] = max(rate(engine.device, dtype, side) for side in SIDES)
        return self.known[key]


def rate(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """Return the best of ten products of [side, side] matrices, flops/s, by whichever library is faster."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    ways = [lambda: a @ b]
    if dtype == torch.float32 and device.type == "cpu" and torch.backends.mkldnn.is_available():
        ways.append(lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))
    return 2 * side**3 / min(quickest(way, device) for way in ways)


def quickest(way: Any, device: torch.device) -> float:
    """Return the shortest of ten runs after one that warms up, s."""
    seconds = []
    for _ in range(11):
        begun = time.perf_counter()
        product: Tensor = way()
        if device.type != "cpu":
            float(product[0, 0])  # waits for the device
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def command(found: argparse.Namespace) -> int:
    """`wgan benchmark`: print the table, and write it as JSON when asked."""
    if found.steps < 1:
        raise WganError(f"--steps must be at least 1, not {found.steps}")
    overrides: dict[str, Any] = {"threads": found.threads, "fast": found.fast, "precision": found.precision}
    overrides |= {} if found.batch is None else {"batch": found.batch, "generator_batch": None}
    names = found.names or DEFAULT
    for name in names:
        config = configure(name, overrides)
        open_source(config.data, config.split, options=config)  # a mistake ends before anything is timed
    out = Path(found.out) if found.out else None
    if out:
        require_place(out)
    peaks, rows, console = Peaks(), [], Console(stderr=found.json)
    with console.status("measuring") as status:
        for name in names:
            status.update(f"measuring {name}")
            rows.append(benchmark(name, found.steps, overrides, peaks))
    report = {"versions": versions(), "rows": [{**asdict(r), "fraction": r.fraction} for r in rows]}
    if out:
        write_atomically(out, (json.dumps(report, indent=1) + "\n").encode())
    if found.json:
        print_json(report)
        return 0
    show(COLUMNS, [cells(row) for row in rows], 110)
    console.print(f"peak memory of this process {peak_memory() / 2**20:,.0f} MiB", highlight=False)
    if out:
        print(f"timings in {out}")
    return 0


def cells(r: Row) -> tuple[str, ...]:
    """Return one row of the printed table."""
    return (
        r.recipe,
        r.precision,
        str(r.threads),
        r.ways,
        f"{1e3 * r.seconds:.1f}",
        f"{1 / r.seconds:.1f}",
        f"{r.flops / 1e9:.3g}",
        f"{r.flops / r.seconds / 1e9:.0f}",
        f"{r.peak / 1e9:.0f}",
        f"{r.fraction:.0%}",
    )
