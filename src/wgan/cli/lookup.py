"""Which run a command means: a folder, the name of one under runs/, or the newest where none is named. No torch here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wgan.cli.output import complain
from wgan.distributed.launch import rank
from wgan.errors import WganError, nearest
from wgan.recipes import RECIPES
from wgan.runs.exported import HUB, WEIGHTS

HOME = Path("runs")  # where `wgan train` puts a run that is given no folder


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run whose start-up was finished, or an exported model."""
    return (folder / "config.json").is_file() and any((folder / n).is_file() for n in ("run.json", WEIGHTS))


def runs_under(folder: Path = HOME) -> list[Path]:
    """Return the runs in `folder`, and in the folders within it, the one that changed last first."""
    found = {p.parent for pattern in ("*/config.json", "*/*/config.json") for p in folder.glob(pattern)}
    return sorted((run for run in found if is_run(run)), key=lambda run: (-last_change(run), str(run)))


def last_change(run: Path) -> float:
    """Return when a run last wrote a line of its log or a checkpoint, in seconds since 1970."""
    files = [run / "config.json", run / "log.jsonl", run / "checkpoints"]
    return max(p.stat().st_mtime for p in files if p.exists())


def named_run(name: str) -> Path:
    """Return the folder of the run that `name` means: that folder, or runs/NAME; WganError with the nearest name."""
    path, home = Path(name), HOME / name
    if name.startswith(HUB):
        return path
    inside = name.strip("/") != "" and not name.startswith(".") and ".." not in path.parts  # ./mnist is a path
    if is_run(path) or (path.exists() and not (inside and is_run(home))):
        return path
    if inside and home.is_dir():
        return home
    raise WganError(f"no run folder {name}{way_on(name)}")


def way_on(name: str) -> str:
    """Return what is right where no run is called `name`: the nearest run, or how it would be trained."""
    if name in RECIPES:
        return f", and none in {HOME}/: train it first, with wgan train {name}"
    known = [run.relative_to(HOME).as_posix() for run in runs_under()]
    if not known:
        return ": give the folder that `wgan train` wrote, for example runs/mnist"
    return f", and none of that name in {HOME}/: {nearest(name, known)}"


def newest_run() -> Path:
    """Return the run under runs/ that changed last; WganError where there is none."""
    found = runs_under()
    if not found:
        raise WganError(f"no run is named, and there is none in {HOME}/: train one with wgan train, or give its folder")
    return found[0]


def find_runs(found: argparse.Namespace) -> None:
    """Put the folders of the runs that a parsed command means in their place, and say it where none was named."""
    try:
        if found.function == "report":
            found.paths = [str(named_run(name)) for name in found.paths] or [newest(found)]
        elif found.function in ("sample", "interpolate", "log", "export", "serve", "encode", "score", "invert"):
            found.path = newest(found) if found.path is None else str(named_run(found.path))
        elif found.function == "evaluate":
            found.target = newest(found) if found.target is None else evaluated(found.target, found.data is not None)
    except OSError as error:  # such as a name that no file can have
        raise WganError(f"cannot look for the run: {error.strerror}") from None


def newest(found: argparse.Namespace) -> str:
    """Return the newest run and say which it is; processes that the command starts get it by name."""
    run = str(newest_run())
    if rank() == 0:
        complain(f"no run is named, taking the newest: {run}")
    found.words = with_name(found.words, run)
    return run


def with_name(words: Sequence[str], run: str) -> list[str]:
    """Return the words of a command with the run after its name."""
    return [words[0], run, *words[1:]]


def evaluated(name: str, has_data: bool) -> str:
    """Return what `wgan evaluate NAME` measures: a run, or samples, which are what is meant where --data is given."""
    path = Path(name)
    samples = path.exists() and not is_run(path)
    misspelt = not path.exists() and path.suffix and not (HOME / name).exists()
    return name if misspelt or (samples and has_data) else str(named_run(name))
