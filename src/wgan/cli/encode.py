"""`wgan encode`, `wgan score`, `wgan invert`: from samples back to latents, and what that says of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from wgan.cli.output import print_json
from wgan.cli.parser import reading
from wgan.cli.sample import output_path
from wgan.config import ReadingOptions
from wgan.data.source import kind_of
from wgan.encoding.invert import invert as inverted
from wgan.encoding.score import Detection, ScoreReport
from wgan.encoding.score import score as scored
from wgan.encoding.train import EncoderOptions, train_encoder
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.metrics.anomaly import Interval
from wgan.runs.folder import open_run
from wgan.sampling.grids import save_gif
from wgan.visual.images import save_png


def encode(found: argparse.Namespace) -> int:
    """`wgan encode`: train the encoder of a run, or resume it."""
    options = EncoderOptions(found.steps, found.batch, found.lr, found.feature_weight, found.seed)
    done = train_encoder(found.path, options, found.checkpoint, True if found.raw else None, found.threads, found.fresh)
    if not done.code:
        print(f"encoder of step {done.step} in {done.folder}: wgan score {found.path} DATA{next_words(found.path)}")
    return done.code


def next_words(path: str) -> str:
    """Return the command that images have besides."""
    return f", wgan invert {path} IMAGE" if len(open_run(path).facts.shape) == 3 else ""


def require_images(path: str) -> None:
    """Raise WganError for maps of a run that makes something else, before anything is scored."""
    shape = open_run(path).facts.shape
    if len(shape) != 3:
        raise WganError(f"only images have residual maps, and {path} makes {kind_of(shape)}: leave --maps out")


def score(found: argparse.Namespace) -> int:
    """`wgan score`: write a score for each sample, and say what the threshold and the labels tell."""
    out = output_path(found.out, found.force)
    if out.suffix.lower() != ".csv":
        raise WganError(f"--out {found.out}: give a .csv file")
    pictures = None if found.maps is None else output_path(found.maps, found.force)
    if pictures is not None and pictures.suffix.lower() != ".png":
        raise WganError(f"--maps {found.maps}: give a .png file")
    if pictures is not None:
        require_images(found.path)
    if found.top < 1:
        raise WganError(f"--top must be at least 1, not {found.top}")
    options = ReadingOptions(**given) if (given := reading(found)) else None
    normal = None if found.normal is None else found.normal.split(",")
    report = scored(found.path, found.data, found.false_alarms, normal, found.split, options, found.threads)
    maps = None if pictures is None else report.maps(found.top)
    write_atomically(out, report.to_csv().encode())
    if pictures is not None and maps is not None:
        save_png(maps, pictures)
    if found.json:
        print_json(report.to_json())
        return 0
    tell(report)
    print(f"scores of {len(report.anomalous)} samples in {out}")
    if pictures is not None:
        shown = min(found.top, len(report.anomalous))
        print(f"the {shown} highest, each next to its reconstruction and the difference, in {pictures}")
    return 0


def tell(report: ScoreReport) -> None:
    """Print the threshold, how many lie above it, and how good the scores are where labels say so."""
    t = report.threshold
    print(
        f"threshold {t.value:.4g} from {t.n} held-out normal samples: at most {t.rate:.3g} of new normal ones lie above it "
        f"(95 % interval {t.low:.3g} to {t.high:.3g})"
    )
    print(f"{int(report.anomalous.sum())} of {len(report.anomalous)} samples lie above it")
    if report.used and report.labels is not None:
        print(f"{report.used} of them set the threshold or were trained on: what follows from labels leaves them out")
    if report.detection is not None:
        detected(report.detection)


def detected(d: Detection) -> None:
    """Print what labels say of the scores."""
    print(f"{d.normal} normal and {d.anomalous} anomalous samples, by their labels:")
    rows = (
        ("AUC", d.auc),
        ("AUC of neighbours", d.neighbour_auc),
        ("average precision", d.average_precision),
        ("false alarms", d.false_alarms),
        ("found", d.found),
    )
    for name, value in rows:
        print(f"  {name:19}{interval(value)}")
    if d.neighbour_auc.low > d.auc.high:
        print("here the distance to the nearest training sample tells them better: use the column neighbour_distance")


def interval(v: Interval) -> str:
    """Return a value with its 95 % interval."""
    return f"{v.value:.4f}  ({v.low:.4f} to {v.high:.4f})"


def invert(found: argparse.Namespace) -> int:
    """`wgan invert`: find the latents of images; a picture of the results, or a walk between them."""
    out = output_path(found.out, found.force)
    kind = out.suffix.lower()
    if kind not in (".gif", ".png"):
        raise WganError(f"--out {found.out}: give a .gif or a .png")
    paths = [Path(name) for name in found.images]
    result = inverted(found.path, paths, found.label, found.steps, found.threads)
    if kind == ".png":
        save_png(result.picture(), out)
    else:
        save_gif(result.walk() if len(paths) > 1 else result.refinement(), out, fps=20 if len(paths) > 1 else 8)
    for i, path in enumerate(paths):
        label = "" if result.labels is None else f", class {result.model.class_names[int(result.labels[i])]}"
        print(f"{path}: PSNR {result.psnr[i]:.1f} dB, distance {result.distance[i]:.3g}{label}")
    moving = "a walk between them" if len(paths) > 1 else "the way to its result"
    print(f"{moving if kind == '.gif' else 'each image next to its result'}, in {out}")
    return 0
