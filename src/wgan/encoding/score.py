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
from wgan.data import Source, open_source
from wgan.data.source import selection_indices
from wgan.encoding.neighbours import neighbour_distance
from wgan.encoding.own_samples import used_samples
from wgan.encoding.to_score import PART, ToScore, opened_data
from wgan.errors import WganError
from wgan.host import thread_count, undisturbed
from wgan.metrics.anomaly import Interval, Threshold, auc, average_precision, fraction, residual_map, threshold
from wgan.runs.folder import Run, open_run
from wgan.sampling.inverter import Inverter, Scores, required_facts
from wgan.sampling.model import load
from wgan.visual.images import image_grid, to_uint8

FALSE_ALARMS = 0.01
KINDS = (  # columns beside the score
    "residual",
    "feature_residual",
    "residual_mahalanobis",
    "feature_mahalanobis",
    "local_distance",
    "latent_distance",
    "critic",
)
HEADER = ("sample", "file", "label", "score", "anomalous", *KINDS, "neighbour_distance")


@dataclass(frozen=True)
class Detection:
    """How well the scores tell anomalies from normal samples, where the data say which is which."""

    normal: int  # samples
    anomalous: int
    auc: Interval
    neighbour_auc: Interval  # of the distance to the nearest training sample, instead of the score
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
    given: ToScore | None  # images
    inverter: Inverter
    neighbours: NDArray[np.float64]  # how far the nearest training sample is from each [N]
    used: int  # samples that the run learned from, or that set the threshold: the detection does not count them

    @property
    def files(self) -> list[str] | None:
        """The file of each sample, where each has one of its own."""
        return None if self.given is None else self.given.files

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
        beside = {"file": self.files, "label": self.labels}
        writer.writerow([name for name in HEADER if beside.get(name, True)])
        columns = [*(getattr(self.scores, name).tolist() for name in KINDS), self.neighbours.tolist()]
        for i, (score, strange) in enumerate(zip(self.scores.score.tolist(), self.anomalous.tolist(), strict=True)):
            own = [texts[i] for texts in beside.values() if texts]
            writer.writerow([i, *own, f"{score:.6g}", int(strange), *(f"{c[i]:.6g}" for c in columns)])
        return text.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Return the threshold and what labels say, without the scores."""
        found = None if self.detection is None else asdict(self.detection)
        return {
            "samples": len(self.scores.score),
            "used": self.used,
            "anomalous": int(self.anomalous.sum()),
            "threshold": asdict(self.threshold),
            "detection": found,
        }

    def maps(self, most: int = 16) -> Image.Image:
        """Return the most unusual images, each in a row: the image, its reconstruction, and where they differ.

        Raises WganError for vectors.
        """
        if self.given is None:
            raise WganError("only images have residual maps, and these samples are none")
        rows = [self.map_of(int(i)) for i in self.highest[:most]]
        return image_grid(np.concatenate(rows), 3 * max(1, round(len(rows) / 8)))

    def map_of(self, i: int) -> NDArray[np.uint8]:
        """Return sample i, its reconstruction, and |difference| / 2, white = black against white: uint8 [3, H, W(, C)]."""
        assert self.given is not None
        y = None if self.scores.labels is None else self.scores.labels[i : i + 1]
        x = self.inverter.engine.to_float(self.given.batch(torch.tensor([i]))).cpu()
        made = self.inverter.reconstruct(x, y)
        return to_uint8(torch.cat([x, made, residual_map(x, made)]))


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
    """Score every sample of `data` by a run and its encoder: Usual.judge has the formula.

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
    used = used_samples(opened.config, own, given)
    part = torch.arange(len(own)) if used is None else selection_indices(len(own))
    with thread_count(model.engine.threads):
        limit = threshold(numbers(scored(inverter, own, part).score), false_alarms)
        parts = given.parts()
        found = joined([inverter.scores(x) for x in parts])
        near = neighbour_distance(opened, parts, inverter.engine)
    used = np.zeros(len(given), np.bool_) if used is None else used
    judged = detection(found, near, given, normal, opened, limit, used)
    return ScoreReport(
        found, given.labels, limit, judged, given if own.is_image else None, inverter, near, int(used.sum())
    )


def scored(inverter: Inverter, source: Source, index: Tensor) -> Scores:
    """Return the scores of some samples of a source."""
    return joined([inverter.scores(source.batch(some)[0]) for some in index.split(PART)])


def joined(parts: Sequence[Scores]) -> Scores:
    """Return the scores of several parts as one."""
    columns = {name: torch.cat([getattr(p, name) for p in parts]) for name in ("score", *KINDS)}
    labels = None if parts[0].labels is None else torch.cat([p.labels for p in parts if p.labels is not None])
    return Scores(**columns, labels=labels)


def detection(
    found: Scores,
    near: NDArray[np.float64],
    given: ToScore,
    normal: Sequence[str] | None,
    run: Run,
    limit: Threshold,
    used: NDArray[np.bool_],
) -> Detection | None:
    """Return what the labels of the data say of the scores; None where they tell nothing.

    used: samples [N] that do not count, as the run learned from them or they set the threshold.
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
    strange, scores, near = strange[~used], scores[~used], near[~used]
    if strange.all() or not strange.any():
        return None
    ordinary, unusual = scores[~strange], scores[strange]
    return Detection(
        len(ordinary),
        len(unusual),
        auc(ordinary, unusual),
        auc(near[~strange], near[strange]),
        average_precision(ordinary, unusual),
        fraction(int((ordinary > limit.value).sum()), len(ordinary)),
        fraction(int((unusual > limit.value).sum()), len(unusual)),
    )
