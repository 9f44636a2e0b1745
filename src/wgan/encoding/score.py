"""score(): how unusual each sample of some data is for a run, with a threshold from held-out normal samples."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from wgan.config import ReadingOptions
from wgan.data import Source, is_own, open_source
from wgan.data.depth import PixelUnits
from wgan.data.own.tables import TABLES
from wgan.data.signals import SignalUnits
from wgan.data.source import report_indices, selection_indices
from wgan.data.tabular.known import require_known
from wgan.data.units import Units
from wgan.errors import WganError
from wgan.evaluation.samples import (
    encoded,
    labels_beside,
    name_of_samples,
    read_arrays,
    read_codes,
    read_table,
    standard_samples,
)
from wgan.host import thread_count, undisturbed
from wgan.metrics.anomaly import Interval, Threshold, auc, average_precision, fraction, threshold
from wgan.runs.folder import Run, open_run
from wgan.sampling.inverter import Inverter, Scores, required_facts
from wgan.sampling.model import load
from wgan.visual.images import image_grid, to_uint8

FALSE_ALARMS = 0.01
PART = 1000  # samples that are read at a time
HEADER = ("sample", "label", "score", "anomalous", "residual", "feature_residual", "latent_distance", "critic")


@dataclass(frozen=True)
class Detection:
    """How well the scores tell anomalies from normal samples, where the data say which is which."""

    normal: int  # samples
    anomalous: int
    auc: Interval
    average_precision: Interval
    false_alarms: Interval  # fraction of the normal samples above the threshold
    found: Interval  # fraction of the anomalies above the threshold


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """The scores of a data set: one number of each kind for each sample, the threshold, and what labels say of it."""

    scores: Scores
    labels: list[str] | None  # the data's own
    threshold: Threshold
    detection: Detection | None  # None where the data do not tell anomalies from normal samples
    samples: Source | None  # of images
    inverter: Inverter

    @property
    def anomalous(self) -> NDArray[np.bool_]:
        """Which samples [N] lie above the threshold."""
        return numbers(self.scores.score) > self.threshold.value

    @property
    def highest(self) -> NDArray[np.int64]:
        """The numbers of the samples [N], the most unusual first."""
        return np.argsort(-numbers(self.scores.score), kind="stable")

    def to_csv(self) -> str:
        """Return a table with a row for each sample, in the order of the data."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([name for name in HEADER if name != "label" or self.labels])
        columns = [getattr(self.scores, name).tolist() for name in HEADER[4:]]
        for i, (score, strange) in enumerate(zip(self.scores.score.tolist(), self.anomalous.tolist(), strict=True)):
            own = [self.labels[i]] if self.labels else []
            writer.writerow([i, *own, f"{score:.6g}", int(strange), *(f"{c[i]:.6g}" for c in columns)])
        return text.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Return the threshold and what labels say, without the scores."""
        found = None if self.detection is None else asdict(self.detection)
        return {
            "samples": len(self.scores.score),
            "anomalous": int(self.anomalous.sum()),
            "threshold": asdict(self.threshold),
            "detection": found,
        }

    def maps(self, most: int = 16) -> Image.Image:
        """Return the most unusual images, each in a row: the image, its reconstruction, and where they differ.

        Raises WganError for vectors.
        """
        if self.samples is None:
            raise WganError("only images have residual maps, and these samples are vectors")
        rows = [self.map_of(int(i)) for i in self.highest[:most]]
        return image_grid(np.concatenate(rows), 3 * max(1, round(len(rows) / 8)))

    def map_of(self, i: int) -> NDArray[np.uint8]:
        """Return sample i, its reconstruction, and |difference| / 2, white = black against white: uint8 [3, H, W(, C)]."""
        assert self.samples is not None
        y = None if self.scores.labels is None else self.scores.labels[i : i + 1]
        x = self.inverter.engine.to_float(self.samples.batch(torch.tensor([i]))[0]).cpu()
        made = self.inverter.reconstruct(x, y)
        return to_uint8(torch.cat([x, made, (x - made).abs() - 1]))


def numbers(x: Tensor) -> NDArray[np.float64]:
    """Return scores [N] as an array."""
    found: NDArray[np.float64] = x.double().numpy()
    return found


@undisturbed()
def score(
    run: str | Path | Run,
    data: str,
    false_alarms: float = FALSE_ALARMS,
    normal: Sequence[str] | None = None,
    split: str | None = None,
    options: ReadingOptions | None = None,
    threads: int | None = None,
) -> ScoreReport:
    """Score every sample of `data` by a run and its encoder (Schlegl et al. 2019, equation 5).

    Args:
        run: a run with an encoder.
        data: a data spec, or a table with the columns of the run's.
        false_alarms: the rate of normal samples that may lie above the threshold, set by held-out samples of the run's data.
        normal: the labels in `data` that are normal; None = the classes the run was trained on, where `data` have others too.
        split: train, test or all; None = test for bundled data, all of one's own.
        options: how one's own data are read; None = as the run read its own.
        threads: of the CPU; None = as many as the run trained with.

    Raises:
        WganError: no encoder, data of another size, one class only where `normal` is given, too few held-out samples.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    facts = required_facts(opened)
    model = load(opened, facts.generator_step, facts.raw, threads=threads)
    inverter = model.inverter
    own = open_source(opened.config.data, "test", options=opened.config)
    given = opened_data(opened, own, data, split, options)
    same = given.source is not None and (given.source.name, given.source.fingerprint) == (own.name, own.fingerprint)
    part = selection_indices(len(own)) if same and given.split != "train" else torch.arange(len(own))
    with thread_count(model.engine.threads):
        limit = threshold(numbers(scored(inverter, own, part).score), false_alarms)
        found = joined([inverter.scores(x) for x in given.parts()])
    counted = report_indices(len(own)) if same and given.split == "test" else None
    judged = detection(found, given, normal, opened, limit, counted)
    return ScoreReport(found, given.labels, limit, judged, given.source if own.is_image else None, inverter)


@dataclass(frozen=True, eq=False)
class Given:
    """The samples to score: a source, or the rows of a table; with their labels as the user wrote them."""

    source: Source | None
    rows: Tensor | None
    labels: list[str] | None
    split: str
    standard: Units | SignalUnits | PixelUnits | None = None  # of the run's own data

    def parts(self) -> list[Tensor]:
        """Return the samples in parts."""
        if self.rows is not None:
            return [*self.rows.split(PART)]
        assert self.source is not None
        return [self.standardised(self.source.batch(index)[0]) for index in torch.arange(len(self.source)).split(PART)]

    def standardised(self, x: Tensor) -> Tensor:
        """Return samples of the source by the run's mean and deviation, where they were standardised by their own."""
        theirs = None if self.source is None else standard_of(self.source)
        if theirs is None or self.standard is None or theirs == self.standard:
            return x
        values = theirs.restore(x.numpy(), True) if isinstance(theirs, Units) else theirs.restore(x.numpy())
        return torch.from_numpy(self.standard.standardise(values))


def opened_data(run: Run, own: Source, data: str, split: str | None, options: ReadingOptions | None) -> Given:
    """Return the samples of `data` as the run's networks take them; WganError where they do not fit."""
    path = Path(data)
    if len(own.shape) == 1 and path.suffix.lower() in (*TABLES, ".npy", ".npz") and path.is_file():
        return table_rows(path, own)
    which = split or ("all" if is_own(data) else "test")
    source = open_source(data, which, options=(options or run.config) if is_own(data) else None)
    if source.shape != run.facts.shape:
        raise WganError(
            f"{run.path} makes samples of shape {run.facts.shape}, and {data} has {source.shape}{reading_text(run, source)}"
        )
    if (standard_of(source) is None) != (standard_of(own) is None):
        raise WganError(f"{data} and {own.name} are not of one kind: only one of them was standardised")
    labels = None if source.labels is None else [source.class_names[i] for i in source.labels.tolist()]
    return Given(source, None, labels, which, standard_of(own))


def reading_text(run: Run, source: Source) -> str:
    """Return how images of another size or other channels become the run's."""
    if not (source.is_image and len(run.facts.shape) == 3 and is_own(source.name)):
        return ""
    channels, height, width = run.facts.shape
    size = f"{height}" if height == width else f"{height}x{width}"
    return f": read them with --size {size} --channels {channels}"


def standard_of(source: Source) -> Units | SignalUnits | PixelUnits | None:
    """Return what standardised the samples of a source, where anything did."""
    return source.units or source.signal or source.depth


def table_rows(path: Path, own: Source) -> Given:
    """Return the rows of a table in the units, or the codes, of the run's own."""
    if own.table is not None:
        rows, names = read_codes(path, own, own.table)
        require_known(own.table, rows, str(path))
        return Given(None, encoded(own.table, rows), texts(names), "all")
    arrays = read_table(path, own) if path.suffix.lower() in TABLES else read_arrays(path)
    name = name_of_samples(arrays, path)
    x = standard_samples(arrays[name], own, f"{path} ({name})")
    return Given(None, x, texts(labels_beside(arrays, len(x), path)), "all")


def texts(labels: NDArray[Any] | None) -> list[str] | None:
    """Return labels as the user wrote them."""
    return None if labels is None else [str(v) for v in labels.tolist()]


def scored(inverter: Inverter, source: Source, index: Tensor) -> Scores:
    """Return the scores of some samples of a source."""
    return joined([inverter.scores(source.batch(some)[0]) for some in index.split(PART)])


def joined(parts: Sequence[Scores]) -> Scores:
    """Return the scores of several parts as one."""
    columns = {name: torch.cat([getattr(p, name) for p in parts]) for name in HEADER[2:] if name != "anomalous"}
    labels = None if parts[0].labels is None else torch.cat([p.labels for p in parts if p.labels is not None])
    return Scores(**columns, labels=labels)


def detection(
    found: Scores, given: Given, normal: Sequence[str] | None, run: Run, limit: Threshold, index: Tensor | None
) -> Detection | None:
    """Return what the labels of the data say of the scores; None where they tell nothing.

    index: the samples that count, where some of the others gave the threshold.
    """
    if given.labels is None:
        if normal is not None:
            raise WganError("the data have no labels that could be normal: leave --normal out")
        return None
    there = set(given.labels)
    usual = set(run.facts.class_names) if normal is None else set(normal)
    if normal is not None and not usual <= there:
        raise WganError(f"no sample has the label {min(usual - there)}: the data have {', '.join(sorted(there)[:10])}")
    if not usual & there or there <= usual:
        if normal is not None:
            raise WganError("every sample has a label that is normal: leave one out of --normal, or all of it")
        return None
    strange = np.array([label not in usual for label in given.labels])
    scores = numbers(found.score)
    if index is not None:
        strange, scores = strange[index.numpy()], scores[index.numpy()]
    ordinary, unusual = scores[~strange], scores[strange]
    return Detection(
        len(ordinary),
        len(unusual),
        auc(ordinary, unusual),
        average_precision(ordinary, unusual),
        fraction(int((ordinary > limit.value).sum()), len(ordinary)),
        fraction(int((unusual > limit.value).sum()), len(unusual)),
    )
