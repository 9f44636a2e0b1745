"""What preparing a user's own pictures costs beside plain Pillow, its memory, and that a step does not feel their number.

Usage: python benchmarks/own_data.py [--count 20000] [--side 256] [--size 64]
Makes 500 JPEG files of `side` pixels (smooth noise, quality 90) and links them to `count` names in a temporary folder.
Writes benchmarks/results/own_data.json (date, machine, versions, command).

prepare   images/s of opening them as data with an empty cache, against a plain loop on as many threads that opens, decodes,
          converts to RGB and resizes each with Pillow and keeps nothing; alternately, medians of the quotient
memory    peak of anonymous memory (RssAnon, sampled: mapped file pages are the system's to drop) of a child process
          that prepares a tenth, and all
step      seconds of source.batch(64) at random places, a tenth and all of the images
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.distributed.cores import cores

RESULTS = Path(__file__).parent / "results"
UNIQUE = 500


def make(folder: Path, count: int, side: int) -> None:
    """Write UNIQUE pictures and link them until there are `count`."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        path = folder / f"{i:06d}.jpg"
        if i < UNIQUE:
            small = Image.fromarray(rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8))
            small.resize((side, side), Image.Resampling.BICUBIC).save(path, quality=90)
        else:
            os.link(folder / f"{i % UNIQUE:06d}.jpg", path)


def plain(paths: list[Path], size: int) -> None:
    """Decode and resize every file with Pillow alone."""

    def one(path: Path) -> int:
        with Image.open(path) as picture:
            picture.draft("RGB", (2 * size, 2 * size))
            return np.asarray(ImageOps.fit(picture.convert("RGB"), (size, size), Image.Resampling.LANCZOS)).size

    with ThreadPoolExecutor(cores()) as pool:
        sum(pool.map(one, paths))


def prepare(folder: Path, size: int) -> None:
    """Open a folder of pictures with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["WGAN_CACHE"] = cache
        open_source(str(folder), options=ReadingOptions(size=size))


def clock(work) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def anonymous() -> int:
    """Return this process's anonymous memory in bytes: what is not a file's page."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) * 1024


def peak(folder: Path, size: int) -> None:
    """In a child: print MiB of anonymous memory above that before the work, at its peak."""
    before, most, done = anonymous(), [0], threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], anonymous())

    watcher = threading.Thread(target=sample)
    watcher.start()
    prepare(folder, size)
    done.set()
    watcher.join()
    print(json.dumps((most[0] - before) / 2**20))


def step_time(folder: Path, size: int) -> float:
    """Return the median milliseconds of one random batch of 64 from prepared data, after a first pass over them."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["WGAN_CACHE"] = cache
        source = open_source(str(folder), options=ReadingOptions(size=size))
        rng = torch.Generator().manual_seed(0)
        times = []
        for _ in range(500):
            index = torch.randint(len(source), (64,), generator=rng)
            times.append(clock(lambda i=index: source.batch(i))[0])  # type: ignore[misc]
        return 1000 * statistics.median(times[100:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.peak:
        return peak(Path(found.peak), found.size)
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {cores()} cores used",
        "versions": {"python": platform.python_version(), "pillow": PIL.__version__, "numpy": np.__version__},
        "command": " ".join(["python", "benchmarks/own_data.py", *sys.argv[1:]]),
    }
    with tempfile.TemporaryDirectory() as place:
        all_of, tenth = Path(place) / "all", Path(place) / "tenth"
        make(all_of, found.count, found.side)
        make(tenth, max(found.count // 10, UNIQUE), found.side)
        few = sorted(tenth.iterdir())
        rounds = [
            (clock(lambda: plain(few, found.size)), clock(lambda: prepare(tenth, found.size)))
            for _ in range(found.rounds)
        ]
        result["prepare"] = {
            "images": len(few),
            "plain_images_per_s": [round(len(few) / p[0], 1) for p, _ in rounds],
            "wgan_images_per_s": [round(len(few) / o[0], 1) for _, o in rounds],
            "plain_cpu_ms": [round(1000 * p[1] / len(few), 3) for p, _ in rounds],
            "wgan_cpu_ms": [round(1000 * o[1] / len(few), 3) for _, o in rounds],
            "median_quotient_of_speeds": round(statistics.median(p[0] / o[0] for p, o in rounds), 3),
        }
        words = [sys.executable, __file__, "--size", str(found.size), "--peak"]
        result["memory_mib"] = {
            f"{n} images": round(float(subprocess.run([*words, str(p)], check=True, capture_output=True).stdout), 1)
            for n, p in ((len(few), tenth), (found.count, all_of))
        }
        result["batch_of_64_ms"] = {
            f"{n} images": round(step_time(p, found.size), 3) for n, p in ((len(few), tenth), (found.count, all_of))
        }
    text = json.dumps(result, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"own_data_{found.side}_to_{found.size}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
