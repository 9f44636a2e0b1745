"""What a comparison reads off each finished run: its metrics, its curve, and its critic's weights and gradient norms."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wgan.compare.diagnostics import critic_gradient_norms, critic_weights
from wgan.compare.plan import Trial
from wgan.compare.summary import curve_of, tracks
from wgan.data import Source
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
EACH = 10  # and at least so many for each known mode
# what reads the samples -> the metric that says most about them
FIRST = {"lenet-mnist": "fid-lenet", "lenet-mnist by channel": "stacked-modes"}
# of a run that failed
NOTHING: dict[str, Any] = {
    "failed": "",
    "figures": {},
    "curve": [],
    "tracks": None,
    "share_clipped": None,
    "weights": {},
    "slopes": {},
}


def run_reading(trial: Trial, run: Run) -> dict[str, Any]:
    """Return all that a comparison needs of a finished run; the slow parts are done for the questions that need them.

    The work may be left between two of them. Raises WganError for a log without an evaluation, of which a finished run has ten.
    """
    records = run.log()
    curve = curve_of(trial.objective, records)
    if not curve:
        raise WganError(f"{run.path}/log.jsonl holds no evaluation: restore it, or delete {run.path} to train it again")
    long = "quality" in trial.parts
    return {
        "figures": values_of(trial, run, long) if {"quality", "collapse"} & set(trial.parts) else {},
        "curve": curve,
        "tracks": tracks(curve),
        "share_clipped": last(records, "critic/share_clipped"),
        "weights": critic_weights(run) if long and trial.seed == 0 else {},
        "slopes": critic_gradient_norms(run) if long else {},
    }


def last(records: Sequence[Mapping[str, Any]], tag: str) -> float | None:
    """Return the last value of a tag."""
    return next((float(r[tag]) for r in reversed(records) if tag in r), None)


@functools.lru_cache(maxsize=2)
def reals_of(data: str, samples: int) -> Reals:
    """Return the reals of some data, as many as are measured, whose references are computed once for all runs."""
    reals = open_reals(data, samples)
    return dataclasses.replace(reals, n=max(samples, EACH * reals.test.mode_count))


def values_of(trial: Trial, run: Run, long: bool) -> dict[str, Any]:
    """Return metric -> value, reference and direction of the last generator of a run; what does not apply is left out."""
    reals = reals_of(trial.data, SAMPLES)
    subject = from_model(load(run, checkpoint="last"), reals.n, SEED, None)
    measured = Measured(subject, reals)
    found: list[MetricValue] = []
    for name in metrics_of(reals.test, long):
        check()
        if not METRICS[name].missing(measured):
            found += METRICS[name].measure(measured)
    return {f.name: {"value": f.value, "floor": f.reference, "better": f.better} for f in found}


def metrics_of(source: Source, long: bool) -> list[str]:
    """Return the metrics that apply to the data; long: where quality is compared, else the first and a cheap distance."""
    more = ["prdc", "certified-w1", "classes"] if long else []
    return [*dict.fromkeys([first_metric(source), "sliced-w1", *more])]


def first_metric(source: Source) -> str:
    """Return the metric that says most about the data: of their reader, of their modes, or one for any."""
    if source.reader is not None:
        return FIRST[source.reader]
    return "sliced-w1" if source.modes is None else "modes"


def text_of(values: Any) -> bytes:
    """Return JSON text."""
    return (json.dumps(values, indent=1) + "\n").encode()


def remembered(path: Path, make: Callable[[], Any]) -> Any:
    """Return what `path` holds as a JSON object, or make it and write it there; a damaged file is made again."""
    found = json_of(path)
    if found is not None:
        return found
    make_folder(path.parent)
    value = make()
    write_atomically(path, text_of(value))
    return value


def json_of(path: Path) -> dict[str, Any] | None:
    """Return the JSON object that `path` holds; None when there is none, or it is damaged."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
