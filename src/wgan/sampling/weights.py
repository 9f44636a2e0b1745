"""The weights of an exported model, as the checkpoint that load() takes them from."""

from __future__ import annotations

import hashlib

from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors

from wgan.errors import WganError
from wgan.runs.checkpoint import Checkpoint
from wgan.runs.exported import WEIGHTS, Exported
from wgan.runs.folder import Run

MOST = 16 << 30  # bytes; the largest network that the layer notation allows has fewer


def exported_checkpoint(run: Run, which: str | int, raw: bool) -> Checkpoint:
    """Return the weights of the exported model `run` as its one checkpoint, of the player generator.

    Raises WganError for another checkpoint than the one it holds, and for weights that are missing or damaged.
    """
    exported = run.exported
    assert exported is not None
    if str(which) not in ("last", str(exported.step)) or (raw and exported.weights != "raw"):
        raise WganError(
            f"{run.path} is an exported model: it holds one generator, the {exported.weights} one of step {exported.step}; "
            "leave out checkpoint and raw"
        )
    try:
        tensors = parse_tensors(_bytes(run, exported))
    except (SafetensorError, ValueError, KeyError) as error:
        raise WganError(f"{run.path / WEIGHTS} holds no valid safetensors: {error}") from None
    return Checkpoint(exported.step, {f"generator/{name}": t for name, t in tensors.items()}, {})


def _bytes(run: Run, exported: Exported) -> bytes:
    path = run.path / WEIGHTS
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST else b""
    except OSError as error:
        raise WganError(f"{run.path} has no readable {WEIGHTS}: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != exported.sha256:
        raise WganError(f"{path} is damaged: its sha256 is not the one in config.json")
    return data
