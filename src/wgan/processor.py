"""What this processor is good at: measured once, then remembered with its name and the versions of what computes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import torch

from wgan.errors import WganError
from wgan.files import cache_home, write_atomically

LIMITS = ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY")


def remembered(what: str, measure: Callable[[], float]) -> float:
    """Return what was measured on this processor, or measure it and keep it in the cache folder.

    what: a name for it after the processor's and the libraries'; "" = how many times as fast bf16 is.
    """
    known, key = _known(), _key(what)
    if key not in known:
        known[key] = round(measure(), 3)
        try:
            _file().parent.mkdir(parents=True, exist_ok=True)
            write_atomically(_file(), (json.dumps(known, indent=1, sort_keys=True) + "\n").encode())
        except (OSError, WganError):
            pass  # a disk without room is no reason not to train
    return known[key]


def bf16_gain_known() -> float | None:
    """Return the gain that was measured on this processor before; None where none was."""
    return _known().get(_key())


def _key(what: str = "") -> str:
    limits = [os.environ[name] for name in LIMITS if name in os.environ]  # a library told to leave instructions alone
    return ", ".join([processor_name(), f"torch {torch.__version__}", *limits, *([what] if what else [])])


def processor_name() -> str:
    """Return the processor's name and its vector extensions, as Linux says them; elsewhere the machine's kind."""
    text = cpuinfo()
    fields = dict(line.split(":", 1) for line in text.partition("\n\n")[0].splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    vectors = sorted(flag for flag in named.get("flags", "").split() if flag.startswith(("avx", "amx")))
    return f"{named.get('model name', os.uname().machine if hasattr(os, 'uname') else 'unknown')} {' '.join(vectors)}"


def cpuinfo() -> str:
    """Return what Linux says of the processor, or nothing."""
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""  # no way to ask without a private call: fp32 is always right


def _file() -> Path:
    return cache_home() / "processor.json"


def _known() -> dict[str, float]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    numbers = found.items() if isinstance(found, dict) else ()
    return {str(k): float(v) for k, v in numbers if isinstance(v, (int, float))}
