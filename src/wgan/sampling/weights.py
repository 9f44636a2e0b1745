"""The weights of an exported model, as the checkpoint that load() takes them from."""

from __future__ import annotations

import hashlib

from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors

from wgan.errors import WganError
from wgan.runs import checkpoint
from wgan.runs.checkpoint import Checkpoint
from wgan.runs.exported import WEIGHTS, Exported
from wgan.runs.folder import Run

MOST = 16 << 30  # bytes; the largest network that the layer notation allows has fewer


def newest_whole(run: Run) -> Checkpoint:
    """Return the newest whole checkpoint of a run, or the weights of an exported model; WganError where there is none."""
    return whole_checkpoint(run, None)[0] if run.exported is None else exported_checkpoint(run, "last", False)


def whole_checkpoint(run: Run, step: int | None) -> tuple[Checkpoint, list[str]]:
    """Return the checkpoint of `step` (None: the newest whole one), and a sentence for each damaged one passed over."""
    there = checkpoint.saved_steps(run.checkpoints)
    if not there:
        raise WganError(f"{run.path} has no checkpoint yet: train it further first")
    if step is not None and step not in there:
        raise WganError(f"{run.path} has no checkpoint of step {step}: it has {', '.join(map(str, there))}")
    if step is not None:
        return checkpoint.load(run.checkpoints, step), []
    notes: list[str] = []
    for newest in reversed(there):
        try:
            return checkpoint.load(run.checkpoints, newest), notes
        except checkpoint.NewerFormat:
            raise
        except WganError as error:
            notes.append(f"{error}; using the one before")
    raise WganError(f"{run.path} has no whole checkpoint: {notes[-1].partition(';')[0]}")


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
