"""Checkpoints that survive a kill: atomic save, verified load, retention. Safetensors and JSON only, never a pickle.

A checkpoint is two files, `step-00000500.safetensors` and its manifest `step-00000500.json`; it exists when the manifest does.
One taken within a step, after 37 critic updates of the one that follows step 500, is called `step-00000500-0037`: only a
run that is resumed uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from wgan.errors import NotFinite, WganError
from wgan.files import write_atomically

FORMAT = 1
_NAME = re.compile(r"step-(\d{8,12})(?:-(\d{4}))?\.json")


@dataclass(frozen=True)
class Checkpoint:
    """One verified checkpoint: the step it was taken after, its tensors by name, and its manifest."""

    step: int
    tensors: dict[str, Tensor]
    manifest: dict[str, Any]

    @property
    def updates(self) -> int:
        """Critic updates of the next step that are done."""
        return int(self.manifest.get("updates", 0))


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


def stem(step: int, updates: int = 0) -> str:
    """Return the name, without suffix, of the checkpoint of `step`."""
    return f"step-{step:08d}" + (f"-{updates:04d}" if updates else "")


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], about: Mapping[str, Any], updates: int = 0) -> Path:
    """Write the checkpoint of `step` and return its manifest's path; a kill at any moment leaves the older ones whole.

    Raises NotFinite, and writes nothing, for tensors that hold NaN or infinity.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise NotFinite(name, step)
    data = tensor_bytes(dict(tensors))
    path = folder / f"{stem(step, updates)}.json"
    sha256 = hashlib.sha256(data).hexdigest()
    manifest = {"format": FORMAT, "step": step, "updates": updates, "sha256": sha256, "bytes": len(data), **about}
    write_atomically(path.with_suffix(".safetensors"), data)
    write_atomically(path, manifest_bytes(manifest))
    return path


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the text of a manifest."""
    return (json.dumps(manifest, indent=2) + "\n").encode()


def annotate(folder: Path, found: Checkpoint, **changes: Any) -> None:
    """Rewrite the manifest of a checkpoint with `changes`, whole or not at all; its tensors stay."""
    path = folder / f"{stem(found.step, found.updates)}.json"
    write_atomically(path, manifest_bytes({**found.manifest, **changes}))


def moments(folder: Path) -> list[tuple[int, int]]:
    """Return (step, critic updates of the next one) of everything that has a manifest, ascending."""
    if not folder.is_dir():
        return []
    return sorted((int(m[1]), int(m[2] or 0)) for p in folder.iterdir() if (m := _NAME.fullmatch(p.name)))


def saved_steps(folder: Path) -> list[int]:
    """Return the whole steps that have a manifest, ascending."""
    return [step for step, updates in moments(folder) if not updates]


def load(folder: Path, step: int, updates: int = 0) -> Checkpoint:
    """Read and verify one checkpoint; WganError naming the file when anything in it is not as it was written."""
    path = folder / f"{stem(step, updates)}.json"
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
    if not _is_resumable(manifest):
        raise WganError(f"checkpoint manifest {path.name} is damaged: what it says of a stopped run makes no sense")
    if stem(manifest["step"], manifest.get("updates", 0)) != path.stem:
        raise WganError(f"checkpoint manifest {path.name} is of another step, {manifest['step']}")
    return manifest


def _is_resumable(manifest: Mapping[str, Any]) -> bool:
    """Return whether the fields that only a stopped or failed run has are of their kinds."""
    numbers = [manifest.get(key, 0) for key in ("updates", "retries")]
    measured, share = manifest.get("measured", {}), manifest.get("share", 0.0)
    return (
        all(type(n) is int and 0 <= n < 10_000 for n in numbers)
        and isinstance(manifest.get("event", ""), str)
        and (type(share) in (int, float) and 0 <= share <= 1)
        and isinstance(measured, dict)
        and all(isinstance(value, float) for value in measured.values())
    )


class NewerFormat(WganError):
    """A checkpoint of a later release: whole, and so never set aside as damaged."""


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest whole checkpoint (None when there is none) and a sentence for each damaged one set aside."""
    notes: list[str] = []
    for moment in reversed(moments(folder)):
        try:
            return load(folder, *moment), notes
        except NewerFormat:
            raise
        except WganError as error:
            notes.append(f"{error}; set aside as *.damaged")
            set_aside(folder, *moment)
    return None, notes


def set_aside(folder: Path, step: int, updates: int = 0) -> None:
    """Rename the two files of a damaged checkpoint so that nothing takes them for a whole one."""
    for suffix in (".json", ".safetensors"):
        path = folder / f"{stem(step, updates)}{suffix}"
        if path.exists():
            os.replace(path, path.with_name(path.name + ".damaged"))


def remove(folder: Path, step: int, updates: int = 0) -> None:
    """Delete one checkpoint, manifest first, so that a kill in between leaves no manifest without tensors."""
    for suffix in (".json", ".safetensors"):
        (folder / f"{stem(step, updates)}{suffix}").unlink(missing_ok=True)


def retain(
    folder: Path, last: int = 3, keep: Iterable[int] = (), planned: Callable[[int], bool] = lambda step: True
) -> None:
    """Delete all but the `last` newest checkpoints and those whose step is in `keep`; sweep what a kill left half written.

    One that was not `planned`, because a signal ended the run there, is kept only while it is the newest of all: what is
    there in the end does not tell where a run was stopped.
    """
    usual = [step for step in saved_steps(folder) if planned(step)]
    kept = {(step, 0) for step in [*usual[-last:], *keep]} | set(moments(folder)[-1:])
    for moment in moments(folder):
        if moment not in kept:
            remove(folder, *moment)
    whole = {f"{stem(*moment)}.safetensors" for moment in moments(folder)}
    for orphan in [*folder.glob(".*.tmp"), *(p for p in folder.glob("step-*.safetensors") if p.name not in whole)]:
        orphan.unlink(missing_ok=True)
