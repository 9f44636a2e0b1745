"""What a CUDA machine does with `wgan`, in one command of at most eight minutes, without a network.

    python benchmarks/gpu.py            # on a machine with a CUDA device
    python benchmarks/gpu.py --dry      # the same parts on the CPU, a few tiny steps each: shows that the script works

Each part ends before the time is over or is left out, which the report says. Results: benchmarks/results/gpu.json.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before torch: without it cuBLAS has no deterministic way

import numpy as np
import torch
from torch import Tensor

from wgan.cli.benchmark import Peaks, benchmark
from wgan.config import Config
from wgan.data import Source, open_source
from wgan.distributed.signals import Stop
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.recipes import configure
from wgan.runs.folder import versions
from wgan.training.players import Players, make_players
from wgan.training.state import engine_for
from wgan.training.step import take_step

HERE = Path(__file__).resolve().parent
LIMIT = 480.0  # seconds of the whole command
TINY = {"threads": 1, "batch": 8, "n_critic": 1, "generator_batch": None, "critic_schedule": "constant"}
SMALL_IMAGES = {"generator_layers": "/ 8 8k3 8k4x2 / k4x2", "critic_layers": "8k4x2 8k4x2 8k3x2 /", "latent": 8}
RESNET = {"generator": "resnet", "generator_layers": "/ 64 64x2 64x2 / k3"}
RESNET |= {"critic": "resnet", "critic_layers": "64x2 64x2 /", "critic_norm": "layer"}
SMALL_RESNET = {"generator_layers": "/ 8 8x2 8x2 / k3", "critic_layers": "8x2 8x2 /"}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "conv": ("mnist", {}),
    "mlp": ("small-mlp-gp", {}),
    "resnet": ("mnist", RESNET),
}
SPEED = ("mnist", "conv-clip-five", "mlp-clip", "ac-clip", "deep-conv-clip", "small-mlp-clip")
BATCHES = (64, 256, 1024)


class NoPeaks(Peaks):
    """A peak that is not measured: for a dry run."""

    def of(self, engine: Engine) -> float:
        """Return 1e9 flops/s."""
        return 1e9


@dataclasses.dataclass(frozen=True)
class Plan:
    """Where and how much: a CUDA device, or the CPU with a few tiny steps."""

    device: str
    dry: bool

    @property
    def peaks(self) -> Peaks:
        """What a step is held against: the device's own best product."""
        return NoPeaks() if self.dry else Peaks()

    @property
    def steps(self) -> int:
        """Steps that are compared or timed."""
        return 2 if self.dry else 20

    def config(self, recipe: str, **options: Any) -> Config:
        """Return a recipe's config on the device, tiny in a dry run."""
        small = SMALL_IMAGES if recipe == "mnist" else {}
        small = (SMALL_RESNET if "generator" in options else small) | TINY
        return configure(recipe, {"device": self.device, **options, **(small if self.dry else {})})


def started(config: Config) -> tuple[Players, Source]:
    """Return new players of a config and their data."""
    source = open_source(config.data, config.split, options=config)
    return make_players(config, engine_for(config, source), source), source


def steps(p: Players, source: Source, begin: int, end: int) -> list[float]:
    """Take steps and return the seconds of each, the device's work included."""
    seconds = []
    for i in range(begin, end):
        begun = time.perf_counter()
        for value in take_step(p, source, i, Stop(), False).values():
            float(value)
        wait(p)
        seconds.append(time.perf_counter() - begun)
    return seconds


def wait(p: Players) -> None:
    """Wait for the device's work."""
    if p.engine.device.type == "cuda":
        torch.cuda.synchronize()


def weights(p: Players) -> list[Tensor]:
    """Return copies of both players' weights and buffers on the CPU."""
    return [t.detach().cpu().clone() for n in (p.generator, p.critic) for t in n.state_dict().values()]


def distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return the largest relative distance between tensors of two lists."""
    pairs = [(x.double(), y.double()) for x, y in zip(a, b, strict=True) if x.is_floating_point()]
    return max(float((x - y).norm() / (y.norm() + 1e-12)) for x, y in pairs)


def same(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    """Return whether two lists hold the same bits."""
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Within the block torch takes deterministic algorithms only."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextlib.contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Within the block products and convolutions in fp32 may, or may not, be rounded to 10 bits."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = on
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def families(plan: Plan) -> dict[str, Any]:
    """20 steps of each family against the CPU in fp32: how far apart the weights are after one step and after all."""
    result = {}
    for name, (recipe, options) in FAMILIES.items():
        sides = {}
        for device in ("cpu", plan.device):
            with tf32(False):
                p, source = started(plan.config(recipe, **options).replace(device=device, precision="fp32"))
                steps(p, source, 0, 1)
                first = weights(p)
                steps(p, source, 1, plan.steps)
                sides[device] = first, weights(p)
        there, here = sides[plan.device], sides["cpu"]
        result[name] = {"after 1 step": distance(there[0], here[0]), f"after {plan.steps}": distance(there[1], here[1])}
    return result


def bits(plan: Plan) -> dict[str, Any]:
    """The same bits twice and after a resume with deterministic algorithms, and what they cost."""
    result: dict[str, Any] = {}
    for name, (recipe, options) in FAMILIES.items():
        config, half = plan.config(recipe, **options), plan.steps // 2
        try:
            with deterministic():
                first, source = started(config)
                slow = steps(first, source, 0, plan.steps)
                again, _ = started(config)
                steps(again, source, 0, half)
                resumed, _ = started(config)
                for mine, theirs in zip(parts(resumed), parts(again), strict=True):
                    mine.load_state_dict(copy.deepcopy(theirs.state_dict()))
                steps(again, source, half, plan.steps)
                steps(resumed, source, half, plan.steps)
        except RuntimeError as error:  # an operation that has no deterministic way
            result[name] = {"failed": str(error).splitlines()[0]}
            continue
        free, _ = started(config)
        fast = steps(free, source, 0, plan.steps)
        result[name] = {
            "twice": same(weights(first), weights(again)),
            "resumed": same(weights(first), weights(resumed)),
            "times the time": statistics.median(slow) / statistics.median(fast),
        }
    return result


def parts(p: Players) -> list[Any]:
    """Return all that has a state."""
    return [n for n in (p.generator, p.critic, p.average, p.generator_optimizer, p.critic_optimizer) if n is not None]


def precisions(plan: Plan) -> dict[str, Any]:
    """Seconds of a step in fp32, TF32, bf16 and with a compiled generator."""
    ways: dict[str, tuple[dict[str, Any], bool]] = {"fp32": ({"precision": "fp32"}, False)}
    ways |= {"tf32": ({"precision": "fp32"}, True), "bf16": ({"precision": "bf16"}, False)}
    if not plan.dry:
        ways["bf16, compiled"] = {"precision": "bf16", "compile": True}, False
    result: dict[str, Any] = {}
    for name, (options, rounded) in ways.items():
        with tf32(rounded):
            p, source = started(plan.config("mnist", **options))
            warm = 1 if plan.dry else 5
            first = sum(steps(p, source, 0, warm))
            seconds = statistics.median(steps(p, source, warm, warm + plan.steps))
        result[name] = {"seconds": seconds, f"first {warm} steps": first}
    return result


def speed(plan: Plan) -> dict[str, Any]:
    """Seconds of a step, the fraction of the card's own peak, and peak memory, by recipe and batch."""
    result: dict[str, Any] = {}
    for recipe in SPEED[:1] if plan.dry else SPEED:
        for batch in (8,) if plan.dry else BATCHES:
            if plan.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            options = {"device": plan.device, "batch": batch, "generator_batch": None}
            options |= {"threads": 1, **SMALL_IMAGES} if plan.dry else {}
            try:
                row = benchmark(recipe, plan.steps, options, plan.peaks)
            except torch.cuda.OutOfMemoryError:
                result[f"{recipe}, {batch}"] = {"failed": "out of memory"}
                continue
            peak = torch.cuda.max_memory_allocated() if plan.device == "cuda" else 0
            result[f"{recipe}, {batch}"] = {**dataclasses.asdict(row), "fraction": row.fraction, "peak_bytes": peak}
    return result


@contextlib.contextmanager
def cache(folder: str) -> Iterator[None]:
    """Within the block prepared data lie in `folder`."""
    before = os.environ.get("WGAN_CACHE")
    os.environ["WGAN_CACHE"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["WGAN_CACHE"]
        else:
            os.environ["WGAN_CACHE"] = before


def images(plan: Plan) -> dict[str, Any]:
    """The same for the recipe `images` at 64 and 128 pixels, on noise that is made here."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, cache(folder):
        for side in (8,) if plan.dry else (64, 128):
            noise = np.random.default_rng(0).integers(0, 256, (64 if plan.dry else 2048, side, side, 3), np.uint8)
            np.save(f"{folder}/side{side}.npy", noise)
            for batch in (8,) if plan.dry else BATCHES:
                options = {
                    "device": plan.device,
                    "data": f"{folder}/side{side}.npy",
                    "batch": batch,
                    "conditioning": "none",
                }
                options |= (
                    {"threads": 1, "generator_layers": "/ 4 / k4x2", "critic_layers": "4k4x2 /"} if plan.dry else {}
                )
                try:
                    row = benchmark("images", plan.steps, options, plan.peaks)
                except torch.cuda.OutOfMemoryError:
                    result[f"{side} pixels, {batch}"] = {"failed": "out of memory"}
                    continue
                result[f"{side} pixels, {batch}"] = {**dataclasses.asdict(row), "fraction": row.fraction}
    return result


def limits(plan: Plan) -> dict[str, Any]:
    """Whether a step waits for launches or for copies: device time over wall time, copies, and kernels a step."""
    from torch.profiler import ProfilerActivity, profile

    result: dict[str, Any] = {}
    cuda = plan.device == "cuda"
    for recipe in ("mnist",) if plan.dry else ("mnist", "small-mlp-clip", "deep-conv-clip"):
        p, source = started(plan.config(recipe))
        steps(p, source, 0, 3)
        with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as seen:
            wall = sum(steps(p, source, 3, 3 + plan.steps))
        events = seen.key_averages()
        busy = sum(getattr(e, "self_device_time_total" if cuda else "self_cpu_time_total") for e in events) / 1e6
        copies = sum(getattr(e, "self_device_time_total", 0) for e in events if "HtoD" in e.key) / 1e6
        result[recipe] = {
            "seconds a step": wall / plan.steps,
            "device busy": busy / wall,
            "copies to the device": copies / wall,
            "operations a step": sum(e.count for e in events) / plan.steps,
        }
    return result


PARTS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "families": families,
    "bits": bits,
    "precisions": precisions,
    "limits": limits,
    "speed": speed,
    "images": images,
}


def measure(plan: Plan, names: Sequence[str], limit: float = LIMIT) -> dict[str, Any]:
    """Return the report of the parts, in order; one that would begin after the time is over is left out."""
    begun = time.monotonic()
    found: dict[str, Any] = {}
    for name in names:
        if time.monotonic() - begun > limit:
            found[name] = {"left out": f"{limit:g} seconds were over"}
            continue
        try:
            found[name] = PARTS[name](plan)
        except (RuntimeError, WganError) as error:  # the others are worth having
            found[name] = {"failed": str(error).splitlines()[0]}
        print(name, json.dumps(found[name], default=str), flush=True)
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dry", action="store_true", help="a few tiny steps of each part on the CPU")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds (default: 480)")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "gpu.json")
    found = parser.parse_args(words)
    if not found.dry and not torch.cuda.is_available():
        print("no CUDA device: --dry shows on the CPU that the script works", file=sys.stderr)
        return 2
    plan = Plan("cpu" if found.dry else "cuda", found.dry)
    report = {
        "date": date.today().isoformat(),
        "device": platform.machine() if found.dry else torch.cuda.get_device_name(),
        "dry": found.dry,
        "versions": {**versions(), "cuda": torch.version.cuda},
        **measure(plan, found.only, found.limit),
    }
    write_atomically(found.out, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
