"""`wgan evaluate`: measure a run or samples, print one table, write JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from PIL import Image

from wgan.cli.output import print_json, require_place, say, show
from wgan.cli.parser import reading
from wgan.cli.processes import shared
from wgan.config import ReadingOptions
from wgan.distributed.group import Group
from wgan.evaluation.context import Measured, MetricValue
from wgan.evaluation.evaluate import Report
from wgan.evaluation.shown import beside
from wgan.evaluation.tracking import TRACKS
from wgan.files import write_atomically
from wgan.progress import naming
from wgan.runs.exported import local
from wgan.visual.images import bytes_last, image_grid, save_png


def evaluate(found: argparse.Namespace) -> int:
    """`wgan evaluate`: measure, print one table, write JSON (and the closest training neighbours of a run)."""
    return shared(found, evaluate_with)


def evaluate_with(found: argparse.Namespace, group: Group) -> int:
    """Measure a part of the metrics; rank 0 tells and writes them all."""
    from wgan.evaluation.evaluate import evaluate as measure

    target = local(found.target)
    out = Path(found.out) if found.out else default_report(target)
    require_place(out)
    names = found.metrics.split(",") if found.metrics else None
    with naming(silent=found.json or not group.is_main) as watch:
        report = measure(
            target,
            data=found.data,
            n=found.n,
            metrics=names,
            options=ReadingOptions(**given) if (given := reading(found)) else None,
            checkpoint=found.checkpoint,
            raw=found.raw,
            inception_weights=found.inception_weights,
            watch=watch,
            group=group,
            threads=found.threads,
            target_column=found.target_column or "",
        )

    def tell() -> None:
        write_atomically(out, report.to_json().encode())  # before it is printed: the reader may have gone away
        if found.json:
            print_json(json.loads(report.to_json()))
        else:
            print_report(report)
            print(f"metrics in {out}")
        measured = report.results[0].measured
        if measured.is_image and any(f.name == "nearest-train" for f in report.results[0].values):
            picture = default_report(target).with_name(
                default_report(target).name.replace("metrics.json", "neighbours.png")
            )
            save_png(closest_pairs(measured), picture)
            if not found.json:
                print(f"the fakes closest to a training image, each next to it, in {picture}")

    group.on_main(tell)
    return 0


def closest_pairs(measured: Measured) -> Image.Image:
    """Return the 16 fakes closest to a training image, each with that image at its right, four pairs a row."""
    pairs = measured.memorised.pairs
    fakes = measured.fakes[pairs[:, 0]]
    train = measured.reals.train.batch(torch.from_numpy(pairs[:, 1]))[0]
    both = torch.stack([fakes, train], 1).flatten(0, 1)  # [2P, C, H, W]
    return image_grid(bytes_last(both), 8)


def default_report(target: Path) -> Path:
    """Return metrics.json in a run folder, NAME.metrics.json next to samples in a file or a folder."""
    if target.is_dir() and not (target / "config.json").is_file():
        return target.resolve().with_name(f"{target.resolve().name}.metrics.json")
    return target / "metrics.json" if target.is_dir() else target.with_suffix(".metrics.json")


def print_report(report: Report) -> None:
    """Print one table for each checkpoint: metric, value, spread, reference, sample sizes, extractor."""
    say(f"{report.data}, {report.notes['split']}; reference: {report.notes['floor']}, same n")
    columns = ("metric", "value", "spread", "reference", "n fake", "n real", "extractor", "note")
    for result in report.results:
        about = ", ".join(f"{k} {v}" for k, v in result.about.to_json().items())
        show(columns, [cells(f) for f in result.values], 110, about, spare=2)  # extractor and note
    signal, tracks = (report.notes.get(k) for k in ("training_signal_not_a_distance", "loss_tracks_quality_spearman"))
    if signal is not None:
        say(f"critic's last W estimate {signal:.4g}: a training signal, not a distance")
    if tracks is not None:
        say(TRACKS.format(tracks))


def cells(f: MetricValue) -> tuple[str, ...]:
    """Return one row of the printed table."""
    spread = "" if f.spread is None else f"{f.spread:.3g}"
    reference = beside(f.reference, f.reference_spread)
    return f.name, beside(f.value), spread, reference, str(f.n_fake), str(f.n_real), f.extractor, f.note
