"""`wgan runs`: what there is in a folder of runs, the one that changed last first. No torch here."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wgan.cli.lookup import last_change, runs_under
from wgan.cli.output import bytes_text, print_json, show
from wgan.config import from_json
from wgan.errors import WganError
from wgan.runs.log import SELECTION, read_log

EVALUATED = "evaluate/"
CHECKPOINT = re.compile(r"step-(\d{8,12})(?:-\d{4})?\.json")


@dataclass(frozen=True)
class Best:
    """The lowest value of the metric by which a run's best step is chosen."""

    metric: str
    value: float
    step: int


@dataclass(frozen=True)
class Row:
    """What is told of one run; `problem` says why what is missing cannot be read."""

    name: str
    path: str
    bytes: int
    changed: str  # ISO 8601, local time
    recipe: str = ""
    data: str = ""
    step: int = 0  # of the newest checkpoint
    steps: int = 0
    best: Best | None = None
    problem: str = ""


def command(found: argparse.Namespace) -> int:
    """`wgan runs`: one table, or JSON."""
    folder = Path(found.folder)
    if not folder.is_dir() and found.folder != "runs":
        raise WganError(f"no folder {folder}: give one that holds runs (default: runs)")
    rows = [row(run, folder) for run in runs_under(folder)]
    if found.json:
        print_json([asdict(r) for r in rows])
    elif not rows:
        print(f"no runs in {folder}: wgan train begins one")
    else:
        show(("run", "recipe", "step", "best", "size", "last change"), [cells(r) for r in rows], 70)
    return 0


def row(run: Path, folder: Path) -> Row:
    """Return what a run folder says of itself; what is damaged in it is a sentence, not an error."""
    size = sum(p.lstat().st_size for p in run.rglob("*") if p.is_file())
    changed = datetime.fromtimestamp(last_change(run)).astimezone().isoformat(timespec="seconds")
    told: dict[str, Any] = {
        "name": run.relative_to(folder).as_posix(),
        "path": str(run),
        "bytes": size,
        "changed": changed,
    }
    try:
        config = from_json((run / "config.json").read_text("utf-8"), str(run / "config.json"))
        told |= {"recipe": config.recipe, "data": config.data, "steps": config.steps, "step": newest_step(run)}
        return Row(**told, best=best(read_log(run)))
    except (WganError, OSError, UnicodeDecodeError) as error:
        return Row(**told, problem=str(error))


def newest_step(run: Path) -> int:
    """Return the step of the newest checkpoint, 0 before the first."""
    names = (CHECKPOINT.fullmatch(p.name) for p in (run / "checkpoints").glob("step-*.json"))
    return max((int(name[1]) for name in names if name), default=0)


def best(log: Sequence[dict[str, Any]]) -> Best | None:
    """Return the best evaluation in a log; None before the first."""
    scored = [record for record in log if math.isfinite(record.get(SELECTION, math.nan))]
    if not scored:
        return None
    record = min(scored, key=lambda r: float(r[SELECTION]))
    tags = (t for t in record if t.startswith(EVALUATED) and t != SELECTION and record[t] == record[SELECTION])
    metric = next(tags, SELECTION).removeprefix(EVALUATED).replace("_", "-")
    return Best(metric, float(record[SELECTION]), int(record["step"]))


def cells(r: Row) -> tuple[str, ...]:
    """Return one row of the printed table."""
    when = r.changed[:16].replace("T", " ")
    if r.problem:
        return r.name, r.recipe, "", r.problem, bytes_text(r.bytes), when
    at = f"{r.best.metric} {r.best.value:.3g} at step {r.best.step}" if r.best else ""
    return r.name, r.recipe, f"{r.step}/{r.steps}", at, bytes_text(r.bytes), when
