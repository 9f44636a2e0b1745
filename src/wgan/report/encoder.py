"""What a report shows of a run's encoder: the curves of its training, and its newest reconstructions of held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wgan.errors import WganError
from wgan.report.charts import Chart, chart_of
from wgan.report.images import Picture, attempt, still
from wgan.report.reader import LeftOut, RunRecord, read_curves
from wgan.visual.images import sample_files
from wgan.visual.panels import Panel

FOLDER = "encoder"
PANELS = (
    Panel(
        "Loss of the encoder",
        {"encoder/loss": "whole", "encoder/residual": "of pixels or values", "encoder/feature_residual": "of features"},
        "in training: how far reconstructions are from their samples",
    ),
    Panel(
        "Error of held-out reconstructions",
        {"evaluate/encoder_residual": "of pixels or values", "evaluate/encoder_feature_residual": "of features"},
        "lower is better; samples that neither network nor encoder learned from",
    ),
)


@dataclass(frozen=True)
class EncoderShown:
    """The encoder of one run on the page."""

    step: int
    charts: Sequence[Chart]
    picture: Picture | None


def encoder_of(run: RunRecord, room: float) -> EncoderShown | None:
    """Return what a page shows of the encoder of a run, its picture within `room` bytes; None where there is nothing."""
    own = RunRecord(run.path / FOLDER, run.name, run.config)
    if not own.path.is_dir():
        return None
    try:
        if not own.path.resolve().is_relative_to(run.path.resolve()):
            raise LeftOut("is left out: it is a link out of the run folder")
        read_curves(own)
    except FileNotFoundError:
        pass  # one that has just begun
    except LeftOut as reason:
        run.notes.append(f"{FOLDER} {reason}")
        return None
    except OSError as error:
        own.notes.append(f"log.jsonl cannot be read: {(error.strerror or 'damaged').lower()}")
    charts = [chart for panel in PANELS if (chart := chart_of(panel, {run.name: own.curves}))]
    picture = newest(own, room)
    run.notes += [f"{FOLDER}/{note}" for note in own.notes]
    return EncoderShown(own.step, charts, picture) if charts or picture else None


def newest(own: RunRecord, room: float) -> Picture | None:
    """Return the newest picture of reconstructions; None where there is none, as of vectors."""
    try:
        files = sample_files(own.path / "samples")
    except (OSError, WganError):
        return None
    return attempt(own, name := f"samples/{files[-1][1].name}", lambda: still(own, name, room)) if files else None
