"""`wgan sample` and `wgan interpolate`: samples of a run, and walks between latents."""

from __future__ import annotations

import argparse
from pathlib import Path

from wgan.cli.output import complain
from wgan.cli.processes import shared
from wgan.data.source import kind_of
from wgan.distributed.group import Group
from wgan.errors import WganError
from wgan.sampling.export import GRID, WRITERS, write_folder
from wgan.sampling.given import read_given
from wgan.sampling.grids import save_gif
from wgan.sampling.model import Model, Samples
from wgan.visual.images import image_grid, save_png


def sample(found: argparse.Namespace) -> int:
    """`wgan sample`: write a sample grid, an npz file or a folder of images."""
    return shared(found, sample_with)


def sample_with(found: argparse.Namespace, group: Group) -> int:
    """Make this process's part of the samples; rank 0 writes them all."""
    from wgan.sampling.model import load

    if found.label is not None and found.labels is not None:
        raise WganError("give --label or --labels, not both")
    labels = found.labels.split(",") if found.labels is not None else found.label
    path = Path(found.out)
    kind = path.suffix.lower()
    folder = found.out.endswith("/") or path.is_dir() or not kind
    if not folder and kind not in WRITERS:
        raise WganError(f"--out {found.out}: give a .png, a .npz or a folder/ (a table: .csv, .tsv, .npy, .parquet)")
    if not folder and kind == ".png" and found.n > GRID:
        raise WganError(f"a sample grid shows at most {GRID} samples, not {found.n}: give a .npz or a folder/ to --out")
    group.on_main(lambda: str(output_path(found.out, found.force)))
    model = group.on_all(lambda: load(found.path, found.checkpoint, found.raw, group=group, threads=found.threads))
    samples = group.on_all(
        lambda: model.sample(
            found.n, labels, found.seed, found.truncation, found.beyond_range, found.where, found.given
        )
    )

    def write() -> None:
        say(model.notes)
        (write_folder if folder else WRITERS[kind])(samples, path, model)
        say([*samples.warnings])
        say(outside_range(samples, found.beyond_range))
        if samples.kept < 1:
            say([f"{100 * samples.kept:.2g} % of the rows drawn lie in the requested range; the others were left out"])
        print(f"{found.n} samples in {path}{'' if labels else how_told(model, found.given)}")

    group.on_main(write)
    return 0


def how_told(model: Model, given: str | None) -> str:
    """Return how the classes or conditions of samples were chosen where nobody asked for one."""
    if model.conditions is not None:
        rest = "the rest" if given else ", ".join(model.conditions.names)
        whole = given is not None and len(read_given(given, model.conditions)) == len(model.conditions.names)
        return "" if whole else f", {rest} as in the training data; ask with --given NAME=VALUE"
    if model.frequencies:
        some = ", ".join(f"{name} {100 * part:.3g} %" for name, part in [*model.frequencies.items()][:5])
        more = " ..." if len(model.frequencies) > 5 else ""
        return f", classes as frequent as in the training data ({some}{more}); with --labels A,B they take turns"
    but = f" but {', '.join(model.untrained[:5])}" if model.untrained else ""
    return f", all classes{but} in turn" if model.class_names else ""


def outside_range(samples: Samples, kept: bool) -> list[str]:
    """Return a sentence on the columns of a table that left the range of the training rows; nothing where none did."""
    if not samples.outside:
        return []
    worst = sorted(samples.outside.items(), key=lambda pair: -pair[1])
    some = ", ".join(f"{name} {100 * share:.2g} %" for name, share in worst[:5])
    what = "kept as they are" if kept else "clipped to it (--beyond-range keeps them)"
    return [f"outside of the range of the training rows, {what}: {some}{' ...' * (len(worst) > 5)}"]


def output_path(text: str, force: bool) -> Path:
    """Return the path to write to; WganError when something is there and `force` is off, its folder is missing, or for -."""
    require_no_stream(text)
    path = Path(text)
    empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not empty and not force:
        raise WganError(f"{path} exists: give another --out, or --force to replace it")
    if not path.parent.is_dir():
        raise WganError(f"the folder {path.parent} does not exist: create it or give another --out")
    return path


def require_no_stream(text: str) -> None:
    """Raise WganError for -, which elsewhere means the output of the program, and would be a folder of that name."""
    if text == "-":
        raise WganError("--out -: nothing is written to the program's output: give a file or a folder (./- is one)")


def say(notes: list[str]) -> None:
    """Print what the user should know besides the result, on standard error."""
    for note in notes:
        complain(note)


def interpolate(found: argparse.Namespace) -> int:
    """`wgan interpolate`: write a walk between latents as GIF (moving) or PNG (one row for each walk)."""
    from wgan.sampling.model import load
    from wgan.sampling.walk import walk

    kind = Path(found.out).suffix.lower()
    if kind not in (".gif", ".png") or Path(found.out).is_dir():
        raise WganError(f"--out {found.out}: give a .gif or a .png")
    out = output_path(found.out, found.force)
    model = load(found.path, found.checkpoint, found.raw, threads=found.threads)
    say(model.notes)
    if len(model.run.facts.shape) != 3:
        what = kind_of(model.run.facts.shape)
        raise WganError(f"{model.run.path} makes {what}, which are not images: a walk is drawn of images only")
    moving = kind == ".gif"
    samples = walk(model, found.stops, found.frames, found.seed, found.rows, found.label)
    images = samples.to_images().reshape(-1, found.rows, *samples.to_images().shape[1:])  # [T, rows, H, W(, 3)]
    if moving:
        save_gif([image_grid(frame, found.rows) for frame in images], out)
    else:
        stills = images[:: max(1, found.frames // 2)].swapaxes(0, 1)  # [rows, T', H, W(, 3)]
        save_png(image_grid(stills.reshape(-1, *stills.shape[2:]), stills.shape[1]), out)
    print(f"a walk through {found.stops} latents in {out}")
    return 0
