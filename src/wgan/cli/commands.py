"""What each command does: from parsed flags to the library and back to a few printed lines."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from wgan.api import plan
from wgan.cli import data as inspection
from wgan.cli.parser import reading
from wgan.config import Config, ReadingOptions
from wgan.data import is_own, open_source
from wgan.distributed.group import Group
from wgan.distributed.launch import launch
from wgan.distributed.rendezvous import formed, world_size
from wgan.errors import WganError
from wgan.evaluation.context import Measured
from wgan.evaluation.evaluate import Report
from wgan.evaluation.tracking import loss_tracks_quality
from wgan.files import write_atomically
from wgan.recipes import RECIPES
from wgan.runs.folder import has_run
from wgan.sampling.export import SHEET, WRITERS, write_folder
from wgan.sampling.model import Model, Samples
from wgan.sampling.sheets import save_gif
from wgan.visual.images import bytes_last, save_png, sheet

AMID = 0.1  # share of samples, near to the training samples though no copies, that is worth a word
TRACKS = "Spearman correlation of W estimate and quality over the run: {:.2f}"


def train(found: argparse.Namespace) -> int:
    """`wgan train`: train or continue, then say where the pictures are and what to type next."""
    if to_launch(found) and not found.dry_run:
        return launch(found.words, found.processes, found.restarts)
    with formed(found.timeout) as group:
        return train_with(found, group)


def to_launch(found: argparse.Namespace) -> bool:
    """Return whether --processes asks for a group that is not here yet; WganError for another than the one that is."""
    here = world_size()
    if here > 1 and found.processes not in (None, here):
        raise WganError(f"--processes {found.processes} in a group of {here}: leave it out")
    if not found.timeout > 0:
        raise WganError(f"timeout must be above 0, not {found.timeout:g}")
    return here == 1 and found.processes not in (None, 1)


def train_with(found: argparse.Namespace, group: Group) -> int:
    """Train as one of the processes of `group`."""
    prefix = "option_"
    given = {k[len(prefix) :]: v for k, v in vars(found).items() if k.startswith(prefix) and v is not None}
    config, folder = group.agree(lambda: plan(found.name, given, found.run), patient=True)
    if found.dry_run:
        return group.lead(lambda: dry_run(config, found.processes or group.world))
    from wgan.training.loop import train as loop

    if group.leads and (again := os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) != "0":
        print(f"a process was lost: all were started again ({again} of at most {found.restarts} times)", flush=True)
    outcome = loop(config, folder, group=group)
    if not group.leads:
        return outcome.code
    again = f"wgan train --run {shlex.quote(str(folder))}"
    again += f" --processes {found.processes}" if found.processes else ""
    if outcome.code:
        print(f"stopped at step {outcome.run.step}, saved in {folder}; the same command goes on from there, or {again}")
        return outcome.code
    print(f"finished step {outcome.run.step} of {config.steps}: pictures in {folder}/samples, {folder}/progress.gif, "
          f"{folder}/losses.png")  # fmt: skip
    if (tracks := loss_tracks_quality(outcome.run.log())) is not None:
        print(TRACKS.format(tracks))
    for line in copying(config, folder):
        print(line)
    made = "rows.csv" if outcome.run.facts.units else "samples.png"  # what a user of a table wants to see
    print(f"next: wgan sample {shlex.quote(str(folder))} -n 100 --out {made}")
    print(f"or train longer: {again} --steps {2 * config.steps}")
    return 0


def copying(config: Config, folder: Path) -> Iterator[str]:
    """Yield what the evaluation says of copies of the training samples, for few samples of the user's own."""
    from wgan.evaluation.evaluate import evaluate as measure

    if not is_own(config.data):
        return
    if len(open_source(config.data, config.split, options=config)) >= inspection.FEW:
        return
    report = measure(folder, n=1000, metrics=["memorisation"], checkpoint="last")
    figure, measured = report.figure("copies"), report.results[0]["measured"]
    found = measured.memorised
    yield (
        f"copies: {100 * found.copies:.1f} % of {figure.n_fake} samples look like a copy of a training sample, "
        f"{100 * found.real_copies:.1f} % of {figure.n_real} held-out ones; median distance to the nearest "
        f"{found.fake_median:.3g}, of held-out ones {found.real_median:.3g}"
    )
    if (amid := found.near - found.copies) > AMID:
        yield (
            f"copies: another {100 * amid:.1f} % are near to several training samples at once: not copies, but blurred, or "
            "less varied than the data"
        )
    if measured.is_image:
        save_png(closest_pairs(measured), folder / "neighbours.png")
        yield f"copies: the closest, each beside its training image, in {folder}/neighbours.png"


def dry_run(config: Config, processes: int) -> int:
    """Print the resolved config, parameter counts, memory and a measured time estimate; write nothing."""
    from wgan.training.estimate import estimate
    from wgan.training.state import require_divides

    require_divides(config, Group(world=processes))
    if processes > 1:
        print(
            f"{'processes':20} {processes}, {config.batch // processes} samples of a batch each; the time is of one alone"
        )
    for line in estimate(config):
        print(line)
    return 0


def sample(found: argparse.Namespace) -> int:
    """`wgan sample`: write a sheet, an npz file or a folder of images."""
    return shared(found, sample_with)


def shared(found: argparse.Namespace, work: Callable[[argparse.Namespace, Group], int]) -> int:
    """Do the work of a command, alone or as one process of a group, which --processes starts."""
    if to_launch(found):
        return launch(found.words, found.processes, found.restarts)
    with formed(found.timeout) as group:
        return work(found, group)


def sample_with(found: argparse.Namespace, group: Group) -> int:
    """Make a share of the samples; rank 0 writes them all."""
    from wgan.sampling.model import load

    if found.label is not None and found.labels is not None:
        raise WganError("give --label or --labels, not both")
    labels = found.labels.split(",") if found.labels is not None else found.label
    path = Path(found.out)
    kind = path.suffix.lower()
    folder = found.out.endswith("/") or path.is_dir() or not kind
    if not folder and kind not in WRITERS:
        raise WganError(f"--out {found.out}: give a .png, a .npz or a folder/ (a table: .csv, .tsv, .npy, .parquet)")
    if not folder and kind == ".png" and found.n > SHEET:
        raise WganError(f"a sheet shows at most {SHEET} samples, not {found.n}: give a .npz or a folder/ to --out")
    group.lead(lambda: str(output_path(found.out, found.force)))
    model = group.agree(lambda: load(found.path, found.checkpoint, found.raw, group=group, threads=found.threads))
    samples = group.agree(lambda: model.sample(found.n, labels, found.seed, found.truncation, found.beyond_range))

    def write() -> None:
        say(model.notes)
        (write_folder if folder else WRITERS[kind])(samples, path, model)
        say(outside_range(samples, found.beyond_range))
        print(f"{found.n} samples in {path}{'' if labels else how_classes(model)}")

    group.lead(write)
    return 0


def how_classes(model: Model) -> str:
    """Return how the classes of samples were chosen where nobody asked for one."""
    if model.frequencies:
        some = ", ".join(f"{name} {100 * part:.3g} %" for name, part in [*model.frequencies.items()][:5])
        more = " ..." if len(model.frequencies) > 5 else ""
        return f", classes as frequent as in the training data ({some}{more}); with --labels A,B they take turns"
    return ", all classes in turn" if model.class_names else ""


def outside_range(samples: Samples, kept: bool) -> list[str]:
    """Return a sentence on the columns of a table that left the range of the training rows; nothing where none did."""
    if not samples.outside:
        return []
    worst = sorted(samples.outside.items(), key=lambda pair: -pair[1])
    some = ", ".join(f"{name} {100 * share:.2g} %" for name, share in worst[:5])
    what = "kept as they are" if kept else "clipped to it (--beyond-range keeps them)"
    return [f"outside of the range of the training rows, {what}: {some}{' ...' * (len(worst) > 5)}"]


def output_path(text: str, force: bool) -> Path:
    """Return the path to write to; WganError when something is there and `force` is off, or its folder is missing."""
    path = Path(text)
    empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not empty and not force:
        raise WganError(f"{path} exists: give another --out, or --force to replace it")
    if not path.parent.is_dir():
        raise WganError(f"the folder {path.parent} does not exist: create it or give another --out")
    return path


def say(notes: list[str]) -> None:
    """Print what the user should know beside the result, on standard error."""
    for note in notes:
        print(f"wgan: {note}", file=sys.stderr)


def interpolate(found: argparse.Namespace) -> int:
    """`wgan interpolate`: write a walk between latents as GIF (moving) or PNG (one row for each walk)."""
    from wgan.sampling.model import load, walk

    kind = Path(found.out).suffix.lower()
    if kind not in (".gif", ".png") or Path(found.out).is_dir():
        raise WganError(f"--out {found.out}: give a .gif or a .png")
    out = output_path(found.out, found.force)
    model = load(found.path, found.checkpoint, found.raw, threads=found.threads)
    say(model.notes)
    moving = kind == ".gif"
    samples = walk(model, found.stops, found.frames, found.seed, found.rows, found.label)
    images = samples.to_images().reshape(-1, found.rows, *samples.to_images().shape[1:])  # [T, rows, H, W(, 3)]
    if moving:
        save_gif([sheet(frame, found.rows) for frame in images], out)
    else:
        stills = images[:: max(1, found.frames // 2)].swapaxes(0, 1)  # [rows, T', H, W(, 3)]
        save_png(sheet(stills.reshape(-1, *stills.shape[2:]), stills.shape[1]), out)
    print(f"a walk through {found.stops} latents in {out}")
    return 0


def evaluate(found: argparse.Namespace) -> int:
    """`wgan evaluate`: measure, print one table, write JSON (and the closest training neighbours of a run)."""
    return shared(found, evaluate_with)


def evaluate_with(found: argparse.Namespace, group: Group) -> int:
    """Measure a share of the figures; rank 0 tells and writes them all."""
    from wgan.evaluation.evaluate import evaluate as measure

    target = Path(found.target)
    out = Path(found.out) if found.out else default_report(target)
    if not out.parent.is_dir():
        raise WganError(f"the folder {out.parent} does not exist: create it or give another --out")
    names = found.metrics.split(",") if found.metrics else None
    console = Console(quiet=not group.leads)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    shown = console.is_terminal and group.leads
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("opening", total=None)
        said = [""]

        def watch(name: str, done: int, total: int) -> None:
            """Show what begins: on the bar, or as a line of its own where the output is no terminal."""
            bar.update(task, description=name, completed=done, total=total or None)
            if group.leads and not shown and said[-1] != name.partition(":")[0]:
                said.append(name.partition(":")[0])
                print(f"{done + 1} of {total}: {name}" if total and name != "finished" else name, flush=True)

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
        )

    def tell() -> None:
        print_report(report, console)
        write_atomically(out, report.to_json().encode())
        print(f"figures in {out}")
        measured = report.results[0]["measured"]
        if measured.is_image and any(f.name == "nearest-train" for f in report.results[0]["figures"]):
            picture = default_report(target).with_name(
                default_report(target).name.replace("metrics.json", "neighbours.png")
            )
            save_png(closest_pairs(measured), picture)
            print(f"the fakes closest to a training image, each beside it, in {picture}")

    group.lead(tell)
    return 0


def closest_pairs(measured: Measured) -> Image.Image:
    """Return the 16 fakes closest to a training image, each with that image at its right, four pairs a row."""
    pairs = measured.memorised.pairs
    fakes = measured.fakes[pairs[:, 0]]
    train = measured.reals.train.batch(torch.from_numpy(pairs[:, 1]))[0]
    both = torch.stack([fakes, train], 1).flatten(0, 1)  # [2P, C, H, W]
    return sheet(bytes_last(both), 8)


def default_report(target: Path) -> Path:
    """Return metrics.json in a run folder, NAME.metrics.json beside samples in a file or a folder."""
    if target.is_dir() and not has_run(target):
        return target.resolve().with_name(f"{target.resolve().name}.metrics.json")
    return target / "metrics.json" if target.is_dir() else target.with_suffix(".metrics.json")


def print_report(report: Report, console: Console) -> None:
    """Print one table for each checkpoint: figure, spread, floor, sample sizes, extractor."""
    wide = Console(width=max(console.width, 80 if console.is_terminal else 170))
    wide.print(f"{report.data}, {report.notes['split']}; floor: {report.notes['floor']}, same n", highlight=False)
    for result in report.results:
        about = ", ".join(f"{k} {v}" for k, v in result["about"].items())
        table = Table(
            "figure", "value", "spread", "floor", "n fake", "n real", "extractor", "note", box=None, title=about
        )
        for f in result["figures"]:
            spread = "" if f.spread is None else f"{f.spread:.3g}"
            floor = "" if f.floor is None else f"{f.floor:.4g}"
            if f.floor is not None and f.floor_spread is not None:
                floor += f" ± {f.floor_spread:.2g}"
            table.add_row(f.name, f"{f.value:.4g}", spread, floor, str(f.n_fake), str(f.n_real), f.extractor, f.note)
        wide.print(table)
    signal, tracks = (report.notes.get(k) for k in ("training_signal_not_a_distance", "loss_tracks_quality_spearman"))
    if signal is not None:
        wide.print(f"critic's last W estimate {signal:.4g}: a training signal, not a distance", highlight=False)
    if tracks is not None:
        wide.print(TRACKS.format(tracks), highlight=False)


def recipes(found: argparse.Namespace) -> int:
    """`wgan recipes`: a table of name, source, what it trains, minutes, expected figure."""
    table = Table("recipe", "source", "trains", "minutes on 2 cores", "expected", box=None, pad_edge=False)
    for name, r in RECIPES.items():
        table.add_row(name, r.source, r.trains, r.minutes, r.expected)
    console = Console()
    Console(width=max(console.width, 100 if console.is_terminal else 200)).print(table)
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "data": inspection.command,
    "train": train,
    "sample": sample,
    "interpolate": interpolate,
    "evaluate": evaluate,
    "recipes": recipes,
}
