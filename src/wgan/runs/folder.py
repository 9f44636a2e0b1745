"""The run folder: the only thing commands share. Opening one checks it, locks it, and says what is wrong in one sentence."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wgan import files
from wgan.config import Config, differences, from_json
from wgan.errors import WganError
from wgan.runs import checkpoint, exported
from wgan.runs.exported import Exported
from wgan.runs.facts import RunFacts, parse
from wgan.runs.log import SELECTION, read_log
from wgan.runs.shown import run_html


@dataclass(frozen=True)
class Run:
    """A run folder that was read: where it is, what it trains, how far it is, and the facts it began with."""

    path: Path
    config: Config
    facts: RunFacts
    exported: Exported | None = None  # of an exported model, which has no checkpoints and no log

    @property
    def step(self) -> int:
        """Return the step of the newest checkpoint, or of an exported model; 0 before the first."""
        if self.exported is not None:
            return self.exported.step
        return max(checkpoint.moments(self.checkpoints), default=(0, 0))[0]

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder of sample grids."""
        return self.path / "samples"

    @property
    def best(self) -> int | None:
        """Return the step with the lowest selection metric of the log; None before the first evaluation."""
        scored = [(r[SELECTION], r["step"]) for r in self.log() if math.isfinite(r.get(SELECTION, math.nan))]
        return min(scored)[1] if scored else None

    def _repr_html_(self) -> str:
        return run_html(self)

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of log.jsonl: one dictionary for each logged step."""
        return read_log(self.path)


def open_run(path: str | Path) -> Run:
    """Read an existing run folder; WganError when it is none, is half written, or comes from a newer wgan.

    An exported model, in a folder or as hf:user/name, is read as a run that has nothing but its weights.
    """
    folder = exported.local(path)
    if not folder.exists():
        raise WganError(f"no run folder {folder}: give the folder that `wgan train` wrote, for example runs/mnist")
    if not (folder / "config.json").is_file():
        raise WganError(f"{folder} is not a run folder: it holds no config.json")
    text = _text(folder / "config.json")
    if exported.is_exported(text):
        return Run(folder, *exported.read(text, folder / "config.json"))
    config = from_json(text, str(folder / "config.json"))
    facts = _facts(folder / "run.json")
    return Run(folder, config, facts)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WganError(f"cannot read {path}: {error}") from None


def _facts(path: Path) -> RunFacts:
    if not path.is_file():
        raise WganError(f"{path.parent} is half written: it holds no run.json; start again with another --run")
    return parse(_text(path), path)


def start_or_continue(path: Path, config: Config, facts: RunFacts) -> Run:
    """Create the run folder, or open the one that is there when its config differs in nothing that changes a weight.

    Raises WganError naming the fields that differ, or saying why the folder cannot be used.
    """
    check_folder(path)
    if has_run(path):
        return _continue(path, config, facts.data)
    for folder in (path / "checkpoints", path / "samples"):
        make_folder(folder)
    files.write_atomically(path / "run.json", (json.dumps(facts.to_json(), indent=2) + "\n").encode())
    files.write_atomically(path / "config.json", config.to_json().encode())
    return open_run(path)


def has_run(path: Path) -> bool:
    """Return whether the folder holds a run whose start-up was finished."""
    return (path / "config.json").is_file() and (path / "run.json").is_file()


def check_folder(path: Path) -> None:
    """Raise WganError unless the folder is a run, empty, or not there yet; call it before anything is written."""
    if path.exists() and not path.is_dir():
        raise WganError(f"{path} is a file: give a folder with --run")
    refuse_links(path)
    if has_run(path) or not path.exists():
        return
    # a start-up that was killed leaves at most its own empty folders, its lock and run.json, which is written first
    ours = {"run.json", ".lock", "checkpoints", "samples", ".config.json.tmp", ".run.json.tmp"}
    strange = [p.name for p in path.iterdir() if p.name not in ours or (p.is_dir() and any(p.iterdir()))]
    lost = {"config.json", "run.json"} - {p.name for p in path.iterdir()}
    if strange and len(lost) == 1:
        raise WganError(f"{path} is half written: it holds no {lost.pop()}; give another folder with --run")
    if strange:
        raise WganError(f"{path} is not a run folder: it holds {min(strange)}; give another folder with --run")


def refuse_links(path: Path) -> None:
    """Raise WganError for a link where a run writes: it would lead out of the run folder."""
    for name in (".lock", "checkpoints", "samples", "events"):
        if (path / name).is_symlink():
            raise WganError(f"{path / name} is a symbolic link, and a run writes inside its own folder only: remove it")


def make_folder(path: Path) -> None:
    """Create a folder and its parents; WganError when the system refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WganError(f"cannot create {path}: {error.strerror}; give a folder you can write to") from None


def _continue(path: Path, config: Config, content: str) -> Run:
    run = open_run(path)
    known = run.facts.data
    moved = config.data != run.config.data and known and known == content  # the same content is the same data anywhere
    changed = differences(run.config.replace(data=config.data) if moved else run.config, config)
    if changed:
        raise WganError(
            f"{path} holds a run with another config ({'; '.join(changed)}): "
            f"continue it as it is with wgan train --run {path}, or give --run DIR for a new run"
        )
    if known != content:
        raise WganError(
            f"{config.data} is not what {path} was begun with (its content changed): give --run DIR for a new run"
        )
    if config.steps < run.step:
        raise WganError(
            f"{path} is at step {run.step} already, beyond the requested {config.steps}: "
            "give more --steps to train longer, or --run DIR for a new run"
        )
    if run.config != config:
        files.write_atomically(path / "config.json", config.to_json().encode())
    for folder in (run.checkpoints, run.samples):
        make_folder(folder)
    return Run(path, config, run.facts)


def lock(path: Path) -> FileLock:
    """Return the held lock of a run folder; WganError when another process holds it. A killed process leaves none."""
    make_folder(path)
    held = FileLock(path / ".lock", timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise WganError(f"{path} is in use by another process: wait for it, or give --run DIR for a new run") from None
    except OSError as error:
        raise WganError(f"cannot lock {path}: {error.strerror}; give a folder you can write to with --run") from None
    return held


def versions() -> dict[str, str]:
    """Return the versions that decide a run's bits."""
    import numpy
    import torch

    from wgan import __version__

    return {
        "wgan": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
