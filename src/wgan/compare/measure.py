"""What a comparison reads off each finished run: its figures, its curve, and its critic's weights and slopes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wgan.compare.diagnostics import critic_slopes, critic_weights
from wgan.compare.plan import Cell
from wgan.compare.summary import curve_of, tracks
from wgan.distributed.signals import check
from wgan.errors import WganError
from wgan.evaluation.context import Measured, MetricValue
from wgan.evaluation.evaluate import SEED
from wgan.evaluation.metrics_table import METRICS
from wgan.evaluation.samples import Reals, from_model, open_reals
from wgan.files import write_atomically
from wgan.runs.folder import Run, make_folder
from wgan.sampling.model import load

SAMPLES = 2000  # fakes of each run that are measured
STACKED = 10_000  # of stacked MNIST, which has 1000 modes
# data -> the metric that says most about it; sliced-w1 for any other
FIRST = {"mnist": "fid-lenet", "stacked-mnist": "stacked-modes", "ring": "modes", "grid": "modes"}
# of a run that failed
NOTHING: dict[str, Any] = {"failed": "", "figures": {}, "curve": [], "tracks": None, "share_clipped": None, "weights": {},
                           "slopes": {}}  # fmt: skip


def reading(cell: Cell, run: Run, is_image: bool) -> dict[str, Any]:
    """Return all that a comparison needs of a finished run; the slow parts are done for the questions that need them.

    The work may be left between two of them. Raises WganError for a log without an evaluation, of which a finished run has ten.
    """
    records = run.log()
    curve = curve_of(cell.objective, records)
    if not curve:
        raise WganError(f"{run.path}/log.jsonl holds no evaluation: restore it, or delete {run.path} to train it again")
    long = "quality" in cell.parts
    wanted = metrics_of(cell.data, is_image, long) if {"quality", "collapse"} & set(cell.parts) else []
    return {
        "figures": figures_of(cell, run, wanted) if wanted else {},
        "curve": curve,
        "tracks": tracks(curve),
        "share_clipped": last(records, "critic/share_clipped"),
        "weights": critic_weights(run) if long and cell.seed == 0 else {},
        "slopes": critic_slopes(run) if long else {},
    }


def last(records: Sequence[Mapping[str, Any]], tag: str) -> float | None:
    """Return the last value of a tag."""
    return next((float(r[tag]) for r in reversed(records) if tag in r), None)


@functools.lru_cache(maxsize=2)
def reals_of(data: str, n: int) -> Reals:
    """Return the reals of some data, whose floors are computed once for all runs."""
    return open_reals(data, n)


def figures_of(cell: Cell, run: Run, metrics: Sequence[str]) -> dict[str, Any]:
    """Return figure -> value, floor and direction of the last generator of a run; what does not apply is left out."""
    n = STACKED if cell.data.startswith("stacked-mnist") else SAMPLES
    subject = from_model(load(run, checkpoint="last"), n, SEED, False, None)
    measured = Measured(subject, reals_of(cell.data, n))
    found: list[MetricValue] = []
    for name in metrics:
        check()
        if not METRICS[name].missing(measured):
            found += METRICS[name].measure(measured)
    return {f.name: {"value": f.value, "floor": f.floor, "better": f.better} for f in found}


def metrics_of(data: str, is_image: bool, long: bool) -> list[str]:
    """Return the metrics that apply to the data; long: where quality is compared, else the first and a cheap distance."""
    more = ["prdc", "certified-w1", "classes"] if long else []
    return [*dict.fromkeys([FIRST.get(data.partition(":")[0], "sliced-w1"), "sliced-w1", *more])]


def text_of(values: Any) -> bytes:
    """Return JSON text."""
    return (json.dumps(values, indent=1) + "\n").encode()


def remembered(path: Path, make: Callable[[], Any]) -> Any:
    """Return what `path` holds as a JSON object, or make it and write it there; a damaged file is made again."""
    found = kept(path)
    if found is not None:
        return found
    make_folder(path.parent)
    value = make()
    write_atomically(path, text_of(value))
    return value


def kept(path: Path) -> dict[str, Any] | None:
    """Return the JSON object that `path` holds; None when there is none, or it is damaged."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
