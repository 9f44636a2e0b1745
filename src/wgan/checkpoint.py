"""Checkpoints that survive a kill: atomic save, verified load, retention. Safetensors and JSON only, never a pickle.

A checkpoint is two files, `step-00000500.safetensors` and its manifest `step-00000500.json`; it exists when the manifest does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from wgan.errors import WganError

FORMAT = 1
_NAME = re.compile(r"step-(\d{8,12})\.json")


@dataclass(frozen=True)
class Checkpoint:
    """One verified checkpoint: the step it was taken after, its tensors by name, and its manifest."""

    step: int
    tensors: dict[str, Tensor]
    manifest: dict[str, Any]


def flatten(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
    """Return {'part/key': tensor} of state dictionaries that hold tensors and nested dictionaries of tensors."""
    flat: dict[str, Tensor] = {}
    for name, part in parts.items():
        for key, value in part.items():
            if isinstance(value, Mapping):
                flat.update(flatten({f"{name}/{key}": value}))
            else:
                flat[f"{name}/{key}"] = value.detach().cpu().contiguous()
    return flat


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors below 'name/', without that prefix."""
    return {key[len(name) + 1 :]: t for key, t in tensors.items() if key.startswith(name + "/")}


def write_atomically(path: Path, data: bytes) -> None:
    """Write a temporary file beside `path`, sync it, rename it over `path`, sync the folder.

    Raises WganError for a full disk or a folder that cannot be written; `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise WganError(f"cannot write {path}: {error.strerror}; what was saved before is whole") from None


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows cannot open a folder; its renames need no sync
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> Path:
    """Write the checkpoint of `step` and return its manifest's path; a kill at any moment leaves the older ones whole."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WganError(f"{name} is not finite at step {step}: not saved, the last checkpoint is kept")
    data = tensor_bytes(dict(tensors))
    stem = folder / f"step-{step:08d}"
    manifest = {"format": FORMAT, "step": step, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), **about}
    write_atomically(stem.with_suffix(".safetensors"), data)
    write_atomically(stem.with_suffix(".json"), (json.dumps(manifest, indent=2) + "\n").encode())
    return stem.with_suffix(".json")


def steps(folder: Path) -> list[int]:
    """Return the steps that have a manifest, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(m[1]) for p in folder.iterdir() if (m := _NAME.fullmatch(p.name)))


def load(folder: Path, step: int) -> Checkpoint:
    """Read and verify one checkpoint; WganError naming the file when anything in it is not as it was written."""
    path = folder / f"step-{step:08d}.json"
    manifest = _manifest(path)
    try:
        data = path.with_suffix(".safetensors").read_bytes()
    except OSError as error:
        raise WganError(f"checkpoint {path.name} has no readable tensors: {error.strerror}") from None
    if len(data) != manifest["bytes"] or hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise WganError(
            f"checkpoint {path.with_suffix('.safetensors').name} is damaged: its sha256 is not the manifest's"
        )
    try:
        return Checkpoint(manifest["step"], parse_tensors(data), manifest)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WganError(f"checkpoint {path.name} holds no valid safetensors: {error}") from None


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise WganError(f"checkpoint manifest {path.name} cannot be read") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise WganError(f"checkpoint manifest {path.name} has no format number")
    if manifest["format"] > FORMAT:
        raise NewerFormat(
            f"checkpoint {path.name} has format {manifest['format']}, this wgan reads up to {FORMAT}: install a newer wgan"
        )
    wanted = {"step": int, "sha256": str, "bytes": int}
    if any(not isinstance(manifest.get(key), kind) for key, kind in wanted.items()):
        raise WganError(f"checkpoint manifest {path.name} lacks one of {', '.join(wanted)}")
    if f"step-{manifest['step']:08d}" != path.stem:
        raise WganError(f"checkpoint manifest {path.name} is of another step, {manifest['step']}")
    return manifest


class NewerFormat(WganError):
    """A checkpoint of a later release: whole, and so never set aside as damaged."""


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest whole checkpoint (None when there is none) and a sentence for each damaged one set aside."""
    notes: list[str] = []
    for step in reversed(steps(folder)):
        try:
            return load(folder, step), notes
        except NewerFormat:
            raise
        except WganError as error:
            notes.append(f"{error}; set aside as *.damaged")
            set_aside(folder, step)
    return None, notes


def set_aside(folder: Path, step: int) -> None:
    """Rename the two files of a damaged checkpoint so that nothing takes them for a whole one."""
    for suffix in (".json", ".safetensors"):
        path = folder / f"step-{step:08d}{suffix}"
        if path.exists():
            os.replace(path, path.with_name(path.name + ".damaged"))


def remove(folder: Path, step: int) -> None:
    """Delete one checkpoint, manifest first, so that a kill in between leaves no manifest without tensors."""
    for suffix in (".json", ".safetensors"):
        (folder / f"step-{step:08d}{suffix}").unlink(missing_ok=True)


def retain(folder: Path, last: int = 3, keep: Iterable[int] = ()) -> None:
    """Delete all but the `last` newest checkpoints and those whose step is in `keep`; sweep what a kill left half written."""
    kept = set(steps(folder)[-last:]) | set(keep)
    for step in steps(folder):
        if step not in kept:
            remove(folder, step)
    whole = {f"step-{step:08d}.safetensors" for step in steps(folder)}
    for orphan in [*folder.glob(".*.tmp"), *(p for p in folder.glob("step-*.safetensors") if p.name not in whole)]:
        orphan.unlink(missing_ok=True)
