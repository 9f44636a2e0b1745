"""What this processor is good at: measured once, then remembered with its name and the versions of what computes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.files import cache_home, write_atomically

WORTH = 1.2  # how many times faster bf16 must be: it rounds to 8 bits, and a close call would differ from day to day
ROUNDS = 5
LIMITS = ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY")


def bf16_pays() -> bool:
    """Return whether convolutions in bf16 are at least WORTH times as fast as in fp32 on this CPU.

    A processor may have the instructions and be slower with them: one with AVX512-BF16 but without AMX took 1.6 times as
    long for a matrix product. What was measured is kept in the cache folder; one that cannot be written is measured again.
    """
    return remembered("", bf16_gain) >= WORTH


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


def bf16_gain() -> float:
    """Return the time of a convolution in fp32 over that in bf16, the fastest of ROUNDS each, one thread, in turn."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            x = torch.ones(32, 64, 14, 14).to(memory_format=torch.channels_last)
            w = torch.ones(128, 64, 3, 3).to(memory_format=torch.channels_last)
            pairs = {dtype: (x.to(dtype), w.to(dtype)) for dtype in (torch.float32, torch.bfloat16)}
            best = dict.fromkeys(pairs, float("inf"))
            for _ in range(ROUNDS + 1):  # the first of each also prepares the library's kernel
                for dtype, operands in pairs.items():
                    begun = time.perf_counter()
                    F.conv2d(*operands, padding=1)
                    best[dtype] = min(best[dtype], time.perf_counter() - begun)
    finally:
        torch.set_num_threads(threads)
    return best[torch.float32] / best[torch.bfloat16]


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
