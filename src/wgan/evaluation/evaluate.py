"""evaluate(): every metric of a run or of a samples file, each next to its reference, real against real; as JSON too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wgan.config import ReadingOptions
from wgan.data import is_own
from wgan.data.own.in_memory import spec_of
from wgan.distributed.group import Group
from wgan.errors import WganError, unknown
from wgan.evaluation.context import Measured, MetricValue
from wgan.evaluation.metrics_table import HOME, METRICS, Metric
from wgan.evaluation.own_metrics import OwnMetric, Two, own_metrics
from wgan.evaluation.samples import About, Reals, Subject, from_file, from_model, from_pictures, is_pictures, open_reals
from wgan.evaluation.shown import report_html
from wgan.evaluation.table_metrics import require_target
from wgan.evaluation.table_pictures import pictures_of
from wgan.evaluation.tracking import loss_tracks_quality
from wgan.host import thread_count, undisturbed
from wgan.metrics.inception import Extractor, load_inception
from wgan.rng import stream
from wgan.runs import checkpoint
from wgan.runs.exported import local
from wgan.runs.folder import Run, open_run
from wgan.sampling import model as generate

SEED = 1_000_003  # of the evaluation's latents: not the seed of any sample grid
LEAST = 100  # fakes
Watch = Callable[[str, int, int], None]  # what begins, how many metrics are done, of how many


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What was found of one checkpoint or file: where its fakes come from, the values, and the arrays behind them."""

    about: About
    values: list[MetricValue]
    measured: Measured
    pictures: dict[str, Any] | None = None  # of a table, for the report

    def to_json(self) -> dict[str, Any]:
        """Return it as metrics.json has it."""
        found = {**self.about.to_json(), "figures": [value.to_json() for value in self.values]}
        return found if self.pictures is None else {**found, "table": self.pictures}


@dataclass(frozen=True)
class Report:
    """The values of one or two checkpoints (last, best) or of one file, with what they were measured on."""

    data: str
    results: list[Result]
    notes: dict[str, Any]

    def to_json(self) -> str:
        """Return the report as JSON text."""
        results = [result.to_json() for result in self.results]
        return json.dumps({"format": 1, "data": self.data, **self.notes, "results": results}, indent=2) + "\n"

    def _repr_html_(self) -> str:
        return report_html(self)

    def metric(self, name: str, checkpoint: str = "last") -> MetricValue:
        """Return the value called `name`, of the last or best checkpoint (of the file when there is only one)."""
        for result in self.results:
            if result.about.checkpoint in (None, checkpoint):
                for value in result.values:
                    if value.name == name:
                        return value
        raise WganError(f"the report has no metric '{name}' of checkpoint {checkpoint}")

    figure = metric  # its name in older programs


@undisturbed()
def evaluate(
    target: str | Path | Run,
    *,
    data: Any = None,
    n: int = 10_000,
    metrics: Sequence[str | Two | OwnMetric] | None = None,
    checkpoint: str | int | None = None,
    raw: bool = False,
    inception_weights: str | Path | None = None,
    options: ReadingOptions | None = None,
    seed: int = SEED,
    watch: Watch = lambda name, done, total: None,
    group: Group | None = None,
    threads: int | None = None,
    generator: nn.Module | None = None,
    target_column: str = "",
) -> Report:
    """Measure a run folder, or samples in a file, a folder or an archive of images, against held-out reals.

    Args:
        target: a run folder, an exported model, or samples.
        data: a data spec, or what wgan.train takes as data; a run's own by default, needed for samples.
        n: fakes to make or read.
        metrics: names of metrics, functions f(fake, real) -> number of your own, or OwnMetric with a name and a direction; None =
            all of wgan's that apply.
        checkpoint: 'last', 'best' or a step; None = last, and best too when it is another.
        raw: measure the raw generator instead of the averaged one.
        inception_weights: a .safetensors file of Inception-v3, for the metric fid-inception.
        options: how own data are read that samples are compared with; those of a run are read as it read them.
        seed: of the latents.
        watch: f(name, done, total), told each metric as it begins.
        group: processes that share the work, each of which makes the same call and gets the same values.
        threads: of the CPU; None = as many as the run was trained with, or torch's own choice for samples.
        generator: of a run that was trained with your own network: that network.
        target_column: of a table: the column that models trained on the fakes are to tell; '' = the class, the last category of
            few levels, or the last column.

    Raises:
        WganError: anything missing, unknown or not fitting, before anything is computed.
    """
    path = local(target.path if isinstance(target, Run) else target)
    if data is not None:
        data = str(data) if isinstance(data, (str, Path)) else spec_of(data)
    if threads is not None and not 1 <= threads <= 1024:
        raise WganError(f"threads must be between 1 and 1024, not {threads}")
    if threads is None and (path / "config.json").is_file() and (group is None or group.world == 1):
        threads = open_run(path).facts.threads
    with nullcontext() if threads is None else thread_count(threads):
        return _evaluate(
            path,
            data,
            n,
            metrics,
            checkpoint,
            raw,
            inception_weights,
            options,
            seed,
            watch,
            group,
            generator,
            target_column,
        )


def _evaluate(
    path: Path,
    data: str | None,
    n: int,
    metrics: Sequence[str | Two | OwnMetric] | None,
    checkpoint: str | int | None,
    raw: bool,
    inception_weights: str | Path | None,
    options: ReadingOptions | None,
    seed: int,
    watch: Watch,
    group: Group | None,
    generator: nn.Module | None,
    target_column: str,
) -> Report:
    if n < LEAST:
        raise WganError(f"n must be at least {LEAST} for metrics that mean something, not {n}")
    names = chosen_names(metrics)
    if inception_weights is not None and names and "fid-inception" not in names:
        raise WganError("Inception weights are read for the metric fid-inception, which was not requested")
    inception = None if inception_weights is None else load_inception(inception_weights)
    work = Work(names, inception, watch, group or Group(), own_metrics(metrics), generator, target_column)
    known = (path / "config.json").is_file()
    is_run = known or (path.is_dir() and data is None) or not (path.exists() or path.suffix)
    if is_run and options is not None:
        raise WganError(f"the data of {path} are read as it read them: size, crop, channels and labels are for a file")
    if path.is_dir() and not known and data is None:
        raise WganError(
            f"{path} is not a run folder: it holds no config.json; if it is a folder of images, give --data, the data they "
            "imitate"
        )
    if is_run:
        return _evaluate_run(open_run(path), data, n, checkpoint, raw, seed, work)
    if not path.exists():
        raise WganError(f"{path} does not exist: give a run folder, or a file of samples with --data")
    if data is None:
        raise WganError(f"{path} needs --data: the data its samples imitate, for example --data mnist")
    if raw or checkpoint is not None:
        raise WganError(f"{path} is a file of samples: --raw and --checkpoint choose a generator of a run folder")
    reals = open_reals(data, n, options=options)
    subject = (from_pictures if is_pictures(path) else from_file)(path, n, reals.test)
    if len(subject.fakes) < LEAST:
        count = f"{len(subject.fakes)} sample{'s' * (len(subject.fakes) != 1)}"
        raise WganError(f"{path} holds {count}: metrics that mean something need at least {LEAST}")
    reals = replace(reals, n=len(subject.fakes))  # the reference is that of as many, also where the file holds fewer
    return Report(data, [work.measure(subject, reals)], notes(reals))


@dataclass
class Work:
    """What is to be measured of each subject, and how far it is."""

    names: list[str] | None  # None = all that apply
    inception: Extractor | None
    watch: Watch
    group: Group
    own: Mapping[str, OwnMetric] = field(default_factory=dict)  # metrics of the caller's
    generator: nn.Module | None = None  # of the caller's, of which a run holds the weights
    target: str = ""  # column of a table
    subjects: int = 1  # checkpoints still to measure
    done: int = 0  # metrics
    total: int = 0

    def say(self, text: str) -> None:
        """Tell the watcher what is being done."""
        self.watch(text, self.done, self.total)

    def measure(self, subject: Subject, reals: Reals) -> Result:
        """Return what is found of one subject."""
        measured = Measured(subject, reals, self.inception, self.say, self.target)
        if self.target:
            require_target(measured)
        names = self.applicable(measured)
        mine = range(self.group.rank, len(names), self.group.world)
        self.total = self.done + len(mine) * self.subjects
        found = self.group.on_all(lambda: {i: self.values(measured, names[i]) for i in mine}, patient=True)
        self.subjects -= 1
        self.say("finished")
        if self.group.world > 1:  # floats pass through JSON unchanged
            text = json.dumps({i: [asdict(v) for v in values] for i, values in found.items()})
            texts = self.group.all_gather(text.encode())
            found = {int(i): [MetricValue(**f) for f in fs] for text in texts for i, fs in json.loads(text).items()}
        values = list(chain.from_iterable(found[i] for i in sorted(found)))
        pictures = pictures_of(measured) if "columns" in names else None
        return Result(about=subject.about, values=values, measured=measured, pictures=pictures)

    def values(self, measured: Measured, name: str) -> list[MetricValue]:
        """Return the values of one metric, each with its space and the sha256 of its extractor."""
        self.say(name)
        found = self.metric(name).measure(measured)
        self.done += 1
        hashes = measured.hashes
        return [replace(f, extractor=f.extractor or measured.space, sha256=hashes.get(f.extractor)) for f in found]

    def metric(self, name: str) -> Metric | OwnMetric:
        """Return a metric by name, of the caller's own or of the table."""
        return self.own[name] if name in self.own else METRICS[name]

    def applicable(self, measured: Measured) -> list[str]:
        """Return the wanted metrics, or all that apply; WganError with the reason when a wanted one does not."""
        reasons = {name: self.metric(name).missing(measured) for name in self.names or METRICS}
        for name, reason in reasons.items():
            if reason and self.names:
                raise WganError(f"metric {name} does not apply: {reason}")
        return [name for name, reason in reasons.items() if not reason]


def chosen_names(metrics: Sequence[str | Two | OwnMetric] | None) -> list[str] | None:
    """Return the wanted names; WganError for an unknown one. None = all that apply."""
    own = own_metrics(metrics)
    named = [metric for metric in metrics or [] if isinstance(metric, str)]
    for name in named:
        if name not in METRICS:
            if name in HOME:
                raise WganError(f"{name} is a value of the metric {HOME[name]}: ask for {HOME[name]}")
            raise unknown("metric", name, METRICS)
    return [*named, *own] or None


def _evaluate_run(
    run: Run,
    data: str | None,
    n: int,
    checkpoint: str | int | None,
    raw: bool,
    seed: int,
    work: Work,
) -> Report:
    if run.exported is not None and data is None and is_own(run.config.data):
        raise WganError(f"{run.path} does not hold the data it was trained on: give them with --data")
    own = data is None or is_own(data)  # bundled data are read in one way only
    reals = open_reals(data or run.config.data, n, options=run.config if own else None)
    if run.facts.shape != reals.test.shape:
        raise WganError(
            f"{run.path} makes samples of shape {run.facts.shape}, {reals.test.name} has {reals.test.shape}"
        )
    results = []
    moments = [checkpoint] if checkpoint is not None else last_and_best(run)
    work.subjects = len(moments)
    for which in moments:
        work.say(f"making {n} samples")
        model = generate.load(run, checkpoint=which, raw=raw, group=work.group, generator=work.generator)
        model.require_room(n)
        asked, labels = label_plan(reals, model.class_names, n)
        told = told_plan(reals, model, n)
        subject = from_model(model, n, seed, asked if told is None else told)
        subject = replace(subject, told=told if reals.train.conditions == model.conditions else None)
        about = replace(subject.about, checkpoint=str(which))
        results.append(work.measure(replace(subject, labels=labels, about=about), reals))
    signal = next((r["critic/wasserstein"] for r in reversed(run.log()) if "critic/wasserstein" in r), None)
    extra = {"training_signal_not_a_distance": signal, "loss_tracks_quality_spearman": loss_tracks_quality(run.log())}
    return Report(reals.test.name, results, {**notes(reals), **extra, "trained_on": run.config.split})


def last_and_best(run: Run) -> list[str | int]:
    """Return 'last', and 'best' when the best step is another."""
    steps = checkpoint.saved_steps(run.checkpoints)
    best = run.best
    return ["last", "best"] if best is not None and steps and best != steps[-1] and best in steps else ["last"]


def label_plan(reals: Reals, names: Sequence[str], n: int) -> tuple[Tensor | None, Tensor | None]:
    """Return n labels in the numbers of a model with the classes `names`, and the same in the numbers of the data.

    They are drawn without replacement from those training samples whose class the model can make, as the reals of the
    reference are, so that their frequencies are as far from the data's; all of them again where n is larger. All classes in
    turn where the data name none. None for an unconditional model, or for data without labels.
    Raises WganError when data and model have no class in common.
    """
    if not names:
        return None, None
    data = reals.train
    if not data.class_names:
        return torch.arange(n) % len(names), None
    common = torch.tensor([i for i, name in enumerate(data.class_names) if name in names], dtype=torch.int64)
    if not len(common):
        raise WganError(
            f"{data.name} has {', '.join(data.class_names)}, and the run makes {', '.join(names)}: no class of it"
        )
    pool = common if data.labels is None else data.labels[torch.isin(data.labels, common)]
    order = torch.randperm(len(pool), generator=stream(reals.seed, 0, "evaluation labels"))
    labels = pool[order[torch.arange(n) % len(pool)]]
    numbers = torch.tensor([names.index(name) if name in names else -1 for name in data.class_names])
    return numbers[labels], None if data.labels is None else labels


def told_plan(reals: Reals, model: generate.Model, n: int) -> Tensor | None:
    """Return the condition vectors [n, W] of training samples, drawn as labels are; None for a model that is told none."""
    if model.conditions is None:
        return None
    pool = reals.train.told
    if pool is None or reals.train.conditions != model.conditions:  # other data: as in those of the run
        return model.usual(n, reals.seed)
    order = torch.randperm(len(pool), generator=stream(reals.seed, 0, "evaluation labels"))
    told: Tensor = pool[order[torch.arange(n) % len(pool)]]
    return told


def notes(reals: Reals) -> dict[str, Any]:
    """Return what every metric of a report has in common."""
    return {
        "split": "test, without the selection part",
        "n_real": len(reals.held_out[0]),
        "floor": "train against test",
        "floor_draws": reals.draws,
    }
