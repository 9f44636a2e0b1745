"""evaluate(): every figure of a run or of a samples file, each beside its real-against-real floor, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wgan import checkpoint, generate
from wgan.data import data_options, is_own
from wgan.errors import WganError, unknown
from wgan.figures import MEASURES
from wgan.measured import Figure, Measured
from wgan.monitor import loss_tracks_quality
from wgan.processes import Group
from wgan.run import Run, open_run
from wgan.subjects import Reals, Subject, from_file, from_model, open_reals

SEED = 1_000_003  # of the evaluation's latents: not the seed of any sample sheet


@dataclass(frozen=True)
class Report:
    """The figures of one or two checkpoints (last, best) or of one file, with what they were measured on."""

    data: str
    results: list[dict[str, Any]]  # each: about, figures, measured (the arrays behind them)
    notes: dict[str, Any]

    def to_json(self) -> str:
        """Return the report as JSON text."""
        results = [{**r["about"], "figures": [asdict(f) for f in r["figures"]]} for r in self.results]
        return json.dumps({"format": 1, "data": self.data, **self.notes, "results": results}, indent=2) + "\n"

    def figure(self, name: str, checkpoint: str = "last") -> Figure:
        """Return one figure by name, of the last or best checkpoint (of the file when there is only one)."""
        for result in self.results:
            if result["about"].get("checkpoint", checkpoint) == checkpoint:
                for figure in result["figures"]:
                    if figure.name == name:
                        return figure
        raise WganError(f"the report has no figure '{name}' of checkpoint {checkpoint}")


def evaluate(
    target: str | Path,
    *,
    data: str | None = None,
    n: int = 10_000,
    metrics: Sequence[str] | None = None,
    checkpoint: str | int | None = None,
    raw: bool = False,
    seed: int = SEED,
    watch: Callable[[str], None] = lambda name: None,
    group: Group | None = None,
) -> Report:
    """Measure a run folder or a samples file against held-out reals; `watch` is told each figure as it begins.

    data: a data spec; a run's own by default, needed for a file. n: fakes to make or read. checkpoint: last, best or a
    step; None = last, and best too when it is another. raw: the raw generator instead of the averaged one.
    group: processes that share the work, each of which calls this alike and gets the same figures.
    Raises WganError for anything missing, unknown or not fitting, before anything is computed.
    """
    path = Path(target)
    if n < 100:
        raise WganError(f"n must be at least 100 for figures that mean something, not {n}")
    names = chosen(metrics)
    if path.is_dir() or not path.suffix:
        return _evaluate_run(open_run(path), data, n, names, checkpoint, raw, seed, watch, group or Group())
    if not path.is_file():
        raise WganError(f"{path} does not exist: give a run folder, or an .npz of samples with --data")
    if data is None:
        raise WganError(f"{path} needs --data: the data its samples imitate, for example --data mnist")
    reals = open_reals(data, n)
    subject = from_file(path, n, reals.test)
    return Report(data, [_measure(subject, reals, names, watch, group or Group())], notes(reals))


def chosen(metrics: Sequence[str] | None) -> list[str] | None:
    """Return the wanted names; WganError for an unknown one. None = all that apply."""
    for name in metrics or []:
        if name not in MEASURES:
            raise unknown("metric", name, MEASURES)
    return list(metrics) if metrics else None


def _evaluate_run(
    run: Run,
    data: str | None,
    n: int,
    names: list[str] | None,
    checkpoint: str | int | None,
    raw: bool,
    seed: int,
    watch: Callable[[str], None],
    group: Group,
) -> Report:
    own = data is None or is_own(data)  # bundled data are read in one way only
    reals = open_reals(data or run.config.data, n, options=data_options(run.config) if own else None)
    if tuple(run.facts["shape"]) != reals.test.shape:
        raise WganError(
            f"{run.path} makes samples of shape {run.facts['shape']}, {reals.test.name} has {reals.test.shape}"
        )
    results = []
    for which in [checkpoint] if checkpoint is not None else both(run):
        model = generate.load(run, checkpoint=which, raw=raw, group=group)
        subject = from_model(model, n, seed, raw, label_plan(reals, n))
        result = _measure(subject, reals, names, watch, group)
        result["about"]["checkpoint"] = str(which)
        results.append(result)
    signal = next((r["critic/wasserstein"] for r in reversed(run.log()) if "critic/wasserstein" in r), None)
    extra = {"training_signal_not_a_distance": signal, "loss_tracks_quality_spearman": loss_tracks_quality(run.log())}
    return Report(reals.test.name, results, {**notes(reals), **extra, "trained_on": run.config.split})


def both(run: Run) -> list[str | int]:
    """Return 'last', and 'best' when the best step is another."""
    steps = checkpoint.steps(run.checkpoints)
    best = run.best
    return ["last", "best"] if best is not None and steps and best != steps[-1] and best in steps else ["last"]


def label_plan(reals: Reals, n: int) -> Tensor | None:
    """Return n labels with the training split's frequencies, in a fixed order, or None without labels."""
    if reals.train.labels is None or not reals.train.classes:
        return None
    labels = reals.train.labels
    return labels[torch.arange(n) * len(labels) // n] if n <= len(labels) else labels[torch.arange(n) % len(labels)]


def notes(reals: Reals) -> dict[str, Any]:
    """Return what every figure of a report has in common."""
    return {
        "split": "test, without the selection part",
        "n_real": len(reals.held_out[0]),
        "floor": "train against test",
    }


def _measure(
    subject: Subject, reals: Reals, names: list[str] | None, watch: Callable[[str], None], group: Group
) -> dict[str, Any]:
    measured = Measured(subject, reals)
    wanted = applicable(measured, names)
    mine = group.agree(
        lambda: {i: _figures(measured, n, watch) for i, n in enumerate(wanted) if i % group.world == group.rank},
        patient=True,
    )
    figures = list(chain.from_iterable(mine.values()))
    if group.world > 1:  # floats pass through JSON unchanged
        texts = group.collect(json.dumps({i: [asdict(f) for f in found] for i, found in mine.items()}).encode())
        everyone = {int(i): found for text in texts for i, found in json.loads(text).items()}
        figures = [Figure(**f) for i in sorted(everyone) for f in everyone[i]]
    return {"about": dict(subject.about), "figures": figures, "measured": measured}


def applicable(measured: Measured, names: list[str] | None) -> list[str]:
    """Return the measures to take; WganError for one that was asked for and does not apply."""
    wanted = []
    for name in names or [name for name, measure in MEASURES.items() if measure.default]:
        reason = MEASURES[name].missing(measured)
        if reason and names:
            raise WganError(f"metric {name} does not apply: {reason}")
        if not reason:
            wanted.append(name)
    return wanted


def _figures(measured: Measured, name: str, watch: Callable[[str], None]) -> list[Figure]:
    watch(name)
    return list(MEASURES[name].function(measured))
