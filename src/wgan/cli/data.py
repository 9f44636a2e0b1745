"""`wgan data`: what would be trained on, before anything is: counts, classes, duplicates, unreadable files, advice."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wgan.cli.output import print_json, require_place, say_fact
from wgan.cli.parser import reading
from wgan.config import Config, ReadingOptions
from wgan.data import Source, is_own, open_source
from wgan.data.own.cache import Prepared
from wgan.data.own.image_folder import TooManyBad
from wgan.data.own.open import absolute, prepared
from wgan.errors import WganError
from wgan.host import thread_count
from wgan.progress import clock_text
from wgan.recipes import configure
from wgan.training.estimate import measure
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.visual.images import bytes_last, image_grid, save_png
from wgan.visual.lines import lines
from wgan.visual.plots import scatter
from wgan.visual.slices import slice_grid

FEW, VERY_FEW = 5000, 500  # images
LISTED, UNREADABLE = 10, 100  # of anything; of files that cannot be read
IN_GRID = 100


def command(found: argparse.Namespace) -> int:
    """`wgan data`: print what is found and write the grid of samples."""
    given = reading(found)
    spec = absolute(found.spec)
    options = ReadingOptions(**given)
    if found.out:
        require_place(Path(found.out))
        if Path(found.out).suffix.lower() != ".png":
            raise WganError(f"--out {found.out}: the grid is a .png file")
    said: list[str] = []
    tell = said.append if found.json else say_fact
    try:
        for line in describe(spec, options, found.strict):
            tell(line)
    except TooManyBad as error:
        for line in unreadable(error.bad):
            print(line, file=sys.stderr) if found.json else say_fact(line)
        raise
    source = open_source(spec, "train", options=options)
    for line in advice(spec, source, given, found.measure):
        tell(line)
    if found.out:
        save_png(grid_of_samples(source), Path(found.out))
        tell(f"{'grid':14} {found.out}")
    if found.json:
        print_json(for_program(spec, options, said))
    return 0


def for_program(spec: str, options: ReadingOptions, said: Sequence[str]) -> dict[str, Any]:
    """Return what `wgan data` found as numbers, with the notes, warnings and the suggestion that a person would read."""
    parts = {split: open_source(spec, split, options=options) for split in ("train", "test")}
    train = parts["train"]
    counts = {} if train.labels is None or not train.classes else class_counts(train, parts["test"])
    texts = [(line[:14].strip(), line[15:]) for line in said]
    own = prepared(spec, options) if is_own(spec) else None
    return {
        "data": spec,
        "kind": train.kind,
        "shape": train.shape,
        "train": len(train),
        "held_out": len(parts["test"]),
        "classes": counts,
        "conditions": {} if train.conditions is None else {c.name: c.describe() for c in train.conditions.columns},
        "duplicates": None if own is None else duplicates(own),
        "unreadable": [] if own is None else own.about["bad"],
        "notes": [text for name, text in texts if name == "note"],
        "warnings": [text for name, text in texts if name == "warning"],
        "suggestion": next(text for name, text in texts if name == "suggestion"),
    }


def class_counts(train: Source, test: Source) -> dict[str, int]:
    """Return how many samples each class has, both splits together."""
    labels = [part.labels for part in (train, test) if part.labels is not None]
    counts = np.bincount(torch.cat(labels).numpy(), minlength=train.classes)
    return {name: int(n) for name, n in zip(train.class_names, counts, strict=True)}


def describe(spec: str, options: ReadingOptions, strict: bool) -> Iterator[str]:
    """Yield lines on the data as they are; WganError with `strict` when a file cannot be read."""
    parts = {split: open_source(spec, split, options=options) for split in ("train", "test")}
    train, test = parts["train"], parts["test"]
    yield f"{'data':14} {spec}"
    size = "x".join(map(str, train.shape))
    kinds = {
        "images": f"images, channels x height x width = {size}",
        "signals": f"signals, channels x steps = {size}",
        "volumes": f"volumes, channels x depth x height x width = {size}",
        "vectors": f"vectors of {size} numbers",
    }
    kind = kinds[train.kind]
    if train.table is not None:
        kind = f"rows of {len(train.table.columns)} columns, which become {size} numbers"
    yield f"{'samples':14} {kind}; {len(train)} to train on, {len(test)} held out"
    if train.conditions is None:
        yield f"{'classes':14} {class_text(train, test)}"
    yield from conditions(train)
    yield from columns(train)
    yield from channels(train)
    if is_own(spec):
        yield from describe_own(prepared(spec, options), strict)
    for note in train.notes:
        yield f"{'note':14} {note}"


def conditions(source: Source) -> Iterator[str]:
    """Yield a line on each condition."""
    for i, c in enumerate(() if source.conditions is None else source.conditions.columns):
        yield f"{'' if i else 'conditions':14} {c.name}: {c.describe()}"


def columns(source: Source) -> Iterator[str]:
    """Yield a line on each column of a table with columns of any kind."""
    if source.table is None:
        return
    named = [*source.table.describe()]
    width = min(30, max(len(name) for name, _ in named))
    for i, (name, what) in enumerate(named):
        yield f"{'' if i else 'columns':14} {name:{width}} {what}"


def channels(source: Source) -> Iterator[str]:
    """Yield a line on each channel of signals that were standardised."""
    if source.signal is None:
        return
    told = [*zip(source.signal.channels, source.signal.mean, source.signal.scale, strict=True)]
    for i, (name, mean, scale) in enumerate(told[:LISTED]):
        yield f"{'' if i else 'channels':14} {name}: mean {mean:.4g}, standard deviation {scale:.4g} in the training part"
    if len(told) > LISTED:
        yield f"{'':14} ... and {len(told) - LISTED} more"


def class_text(train: Source, test: Source) -> str:
    """Return how many samples each class has, both splits together."""
    if train.labels is None or test.labels is None or not train.classes:
        return "none: the samples are unlabelled"
    counts = np.bincount(torch.cat([train.labels, test.labels]).numpy(), minlength=train.classes)
    order = np.argsort(-counts, kind="stable")
    shown = ", ".join(f"{train.class_names[i]}: {counts[i]}" for i in order[: 2 * LISTED])
    rest = f" ... {train.class_names[order[-1]]}: {counts[order[-1]]}" if train.classes > 2 * LISTED else ""
    return f"{train.classes} ({shown}{rest})"


def describe_own(data: Prepared, strict: bool) -> Iterator[str]:
    """Yield lines on files, their sizes, duplicates and what cannot be read."""
    facts, bad = data.about["facts"], data.about["bad"]
    if "sizes" in facts:
        sizes = ", ".join(f"{w}x{h}: {n}" for w, h, n in facts["sizes"])
        more = " ..." if facts["different_sizes"] > len(facts["sizes"]) else ""
        others = f"{facts['others']} other file{'s' * (facts['others'] != 1)} left alone"
        yield f"{'files':14} {facts['files']} images, {facts['grey']} of them grey; {others}"
        yield f"{'sizes':14} {facts['different_sizes']} (width x height): {sizes}{more}"
    copies = duplicates(data)
    yield f"{'duplicates':14} {copies} of {len(data)} samples are exact copies of another, as prepared"
    yield from unreadable(bad)
    if bad and strict:
        count = f"{len(bad)} file{'s' * (len(bad) != 1)}"
        raise WganError(f"{count} cannot be read, the first is {bad[0][0]} ({bad[0][1]}): remove or fix them")
    yield f"{'prepared in':14} {data.folder}"


def unreadable(bad: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield how many files cannot be read, and for the first UNREADABLE which and why; bad: (name, reason) of each."""
    yield f"{'unreadable':14} {len(bad)} file{'s' * (len(bad) != 1)}"
    yield from (f"{'':14} {name}: {reason}" for name, reason in bad[:UNREADABLE])
    if len(bad) > UNREADABLE:
        yield f"{'':14} ... and {len(bad) - UNREADABLE} more"


def duplicates(data: Prepared) -> int:
    """Return how many samples equal an earlier one byte for byte; the checksums of the preparation say where to look."""
    with np.load(data.folder / "rows.npz", allow_pickle=False) as arrays:
        sums = arrays["sums"]
    values, copies = data.values(), 0
    order = np.argsort(sums, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(sums[order]) != 0])
    ends = np.r_[starts[1:], len(order)]
    for at in np.flatnonzero(ends - starts > 1):
        members = order[starts[at] : ends[at]]
        copies += len(members) - len({values[data.rows[i]].tobytes() for i in members})
    return copies


def grid_of_samples(source: Source):  # type: ignore[no-untyped-def]
    """Return an image of training samples: images by class, signals as lines, volumes as slices, vectors by two columns."""
    many = 2000 if source.kind == "vectors" else IN_GRID
    index = torch.linspace(0, len(source) - 1, min(many, len(source))).long()
    if source.labels is not None and many == IN_GRID:
        index = torch.argsort(source.labels, stable=True)[index]
    x = source.batch(index)[0]
    if source.is_image:
        return image_grid(bytes_last(x))
    if source.is_signal:
        return lines(x.numpy())
    if source.is_volume:
        return slice_grid(x)
    points = x[:, :2].numpy()
    return scatter(points if points.shape[1] == 2 else np.concatenate([points, 0 * points], 1))


def advice(spec: str, source: Source, given: dict[str, Any], measured: bool) -> Iterator[str]:
    """Yield warnings, then a command that fits the data and this machine."""
    changes: dict[str, Any] = {**given, "data": spec}
    yield from warnings(source)
    if not is_own(spec):  # bundled data have a recipe of their own
        config = configure(source.recipe, changes)
        other = "" if configure(source.recipe).data == spec else f" --data {spec}"
        yield f"{'suggestion':14} wgan train {source.recipe}{other}"
        yield f"{'':14} {config_summary(config)}{time_text(config, source, measured)}"
        return
    if source.is_image:
        if any(side % 4 for side in source.shape[1:]):  # no family makes such sides
            changes["size"] = max(8, min(source.shape[1:]) // 4 * 4)
            source = open_source(spec, "train", options=ReadingOptions(**{**given, "size": changes["size"]}))
        changes["steps"] = steps_for(max(source.shape[1:]))
        if len(source) < FEW:
            few = len(source) < VERY_FEW  # too few to hold any out, by which the probability could adapt
            changes |= {"augment": 1.0} if few else {"augment_target": 0.3}
    recipe = source.recipe
    config = configure(recipe, changes)
    if len(source) < config.batch:  # each batch would hold some samples twice
        changes["batch"] = 1 << (len(source).bit_length() - 1)
        config = configure(recipe, changes)
    words = " ".join(f"--{k.replace('_', '-')} {shlex.quote(str(v))}" for k, v in changes.items())
    yield f"{'suggestion':14} wgan train {recipe} {words}"
    yield f"{'':14} {config_summary(config)}{time_text(config, source, measured)}"


def config_summary(config: Config) -> str:
    """Return families, batch and steps in a few words."""
    return f"{config.generator} generator, {config.critic} critic, batch {config.batch}, {config.steps} steps"


def time_text(config: Config, source: Source, measured: bool) -> str:
    """Return what the whole run would take, where it is to be measured."""
    return (
        f", about {clock_text(seconds(config, source))} on this machine as it is now, without evaluations"
        if measured
        else ""
    )


def warnings(source: Source) -> Iterator[str]:
    """Yield what is to be feared of few samples."""
    n = len(source)
    if not source.is_image:
        if n < VERY_FEW:
            what = "rows" if source.kind == "vectors" else source.kind
            yield f"{'warning':14} {n} training {what} are very few: expect near copies of them; more of them help"
    elif n < VERY_FEW:
        yield (
            f"{'warning':14} {n} training images are very few: expect near copies of them; --augment 1 helps, "
            "more images help more"
        )
    elif n < FEW:
        yield (
            f"{'warning':14} {n} training images are few: the critic may learn them by heart; --augment-target 0.3 and "
            "--flip 1 help"
        )
    if source.labels is not None and source.classes and source.is_image:
        least = int(torch.bincount(source.labels, minlength=source.classes).min())
        if least < 50:
            yield f"{'warning':14} the smallest class has {least} training images: --labels none learns them as one"


def steps_for(side: int) -> int:
    """Return a number of steps for images of `side` pixels: larger ones are learned more slowly."""
    if side <= 32:
        return 5000
    return 10_000 if side <= 64 else 20_000


def seconds(config: Config, source: Source) -> float:
    """Return the measured seconds of a whole run."""
    engine = engine_for(config, source)
    with thread_count(engine.threads):
        return measure(make_players(config, engine, source), source)
