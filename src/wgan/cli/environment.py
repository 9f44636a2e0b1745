"""`wgan env`: versions, processor, devices, settings and cache: what a bug report needs."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from wgan import __version__
from wgan.cli.output import bytes_text, print_json, say_fact
from wgan.distributed.cores import cores
from wgan.files import cache_home
from wgan.processor import bf16_gain_known, processor_name

NEEDED = (
    "torch",
    "numpy",
    "scipy",
    "pillow",
    "matplotlib",
    "rich",
    "safetensors",
    "filelock",
    "tensorboard",
    "POT",
    "jinja2",
)
EXTRAS = ("pyarrow", "datasets", "huggingface-hub", "shtab")
SETTINGS = ("WGAN_", "OMP_", "MKL_", "CUDA_VISIBLE", "PYTORCH_", "WORLD_SIZE", "XDG_CACHE_HOME", "NO_COLOR", "COLUMNS")


def command(found: argparse.Namespace) -> int:
    """`wgan env`: a line for each fact, or JSON."""
    facts = environment()
    if found.json:
        print_json(facts)
        return 0
    for line in lines(facts):
        say_fact(line)
    return 0


def environment() -> dict[str, Any]:
    """Return what decides how wgan runs here."""
    cache = cache_home()
    return {
        "wgan": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "encoding": sys.stdout.encoding,
        "processor": processor_name(),
        "cores": cores(),
        "memory": memory(),
        "devices": devices(),
        "bf16_gain": bf16_gain_known(),
        "versions": {name: installed(name) for name in (*NEEDED, *EXTRAS)},
        "settings": {k: v for k, v in sorted(os.environ.items()) if k.startswith(SETTINGS)},
        "cache": {"folder": str(cache), "bytes": size(cache)},
    }


def installed(name: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def devices() -> list[str]:
    """Return what torch can compute on here."""
    cards = [f"cuda: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return ["cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else [])]


def memory() -> int | None:
    """Return the bytes of memory of this machine, None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder; 0 where there is none."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file())


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each fact."""
    gain = facts["bf16_gain"]
    told = {
        **facts,
        "memory": bytes_text(facts["memory"]) if facts["memory"] else "unknown",
        "devices": ", ".join(facts["devices"]),
        "bf16_gain": f"{gain:g} times fp32" if gain else "not measured yet: the first run does it",
        "cache": f"{facts['cache']['folder']}, {bytes_text(facts['cache']['bytes'])}",
    }
    for name, value in told.items():
        if not isinstance(value, dict):
            yield f"{name.replace('_', ' '):16} {value}"
            continue
        for inner, text in value.items():
            yield f"{inner:16} {'not installed' if text is None else text}"
