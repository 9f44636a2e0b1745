"""Folders, zips and tars of pictures: what they hold, and their one-time preparation on all cores."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.config.conditions import condition_categories, condition_names
from wgan.data.conditions import Raw
from wgan.data.own.archives import LIST, METADATA, Member, Members, left_note, opened, shown
from wgan.data.own.arrays import Arrays
from wgan.data.own.cache import Prepared, Writer, key_of, load, locked
from wgan.data.own.condition_columns import as_categories, require_sound
from wgan.data.own.convert import numbered
from wgan.data.own.decode import PLAIN, Frame, Scales, decode
from wgan.data.own.float_images import finished, of_file
from wgan.data.own.grouping import Grouping, group, listed_labels
from wgan.data.own.metadata import LABEL, column_of, names_labels, with_conditions, without_tables
from wgan.data.own.named_arrays import ALONE
from wgan.data.own.survey import choose_frame, choose_scales, facts_of, halved_note, page_note, survey_of
from wgan.data.own.tables import whole_labels
from wgan.data.own.workers import each
from wgan.data.split import require_enough
from wgan.errors import WganError
from wgan.progress import counting

LISTS = (".csv", ".tsv", ".jsonl", ".xml", ".cls", ".mat")  # endings of files that often hold labels
BAD_FRACTION = 0.01  # of unreadable files; more are refused


class TooManyBad(WganError):
    """More files than 1 % cannot be read; `bad`: the name of each, and why."""

    def __init__(self, text: str, bad: list[tuple[str, str]]) -> None:
        super().__init__(text)
        self.bad = bad


def prepare_pictures(path: Path, options: ReadingOptions, split: str = "train") -> Prepared:
    """Return the pictures of a folder or archive, prepared now or before.

    Raises WganError for nothing to train on, labels that are missing for some, sizes that cannot be made, too many
    unreadable files, or files that change meanwhile.
    """
    where, before = shown(path), stamp(path)
    with opened(path) as members:
        if not members.files:
            raise WganError(
                f"{where} holds no images (PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF){no_images(path, members)}"
            )
        require_enough(len(members.files), where, split)
        told = [hashlib.sha256(read()).hexdigest() for _, read in sorted(members.lists.items())]
        key = key_of(
            "pictures", [(os.fsencode(f.name).hex(), f.size, f.stamp) for f in members.files], options.key(), *told
        )
        with locked(key) as folder:
            return load(key) or _prepare(path, before, members, options, folder, where)


def _prepare(
    path: Path, before: tuple[int, int], members: Members, options: ReadingOptions, folder: Path, where: str
) -> Prepared:
    members, grouping = grouped(members, options, where)

    def unchanged() -> None:
        require_unchanged(path, before, members.files, where)

    kept, conditions = members.only(grouping.kept), None
    if options.conditions:
        kept, raw = with_conditions(kept, condition_names(options.conditions), where)
        conditions = as_categories(raw, condition_categories(options.conditions))
    return prepare_members(kept, grouping, options, folder, where, unchanged, conditions)


def require_no_signals(options: ReadingOptions, where: str) -> None:
    """Raise WganError for options that say how signals are read."""
    if options.signals:
        raise WganError(
            f"kind signal and window are for arrays, tables and WAV files, and {where} holds images: leave them out"
        )


def prepare_members(
    members: Members,
    grouping: Grouping,
    options: ReadingOptions,
    folder: Path,
    where: str,
    require_same: Callable[[], None],
    conditions: Raw | None = None,
) -> Prepared:
    """Prepare the pictures `members` with the classes and splits of `grouping`; require_same refuses what changed meanwhile."""
    require_no_signals(options, where)
    if conditions is not None:
        require_sound(conditions, len(members.files), where)  # before the pictures are looked through
    survey = survey_of(members)
    require_readable(survey.bad, members.files, where)
    frame, notes = choose_frame(survey, options, where)
    keeps = options.depth == "float"
    scales, more = (PLAIN, []) if keeps else choose_scales(survey, members, where)
    notes += [*halved_note(survey), *more, *page_note(survey)]
    shape = (frame.channels, frame.height, frame.width)
    writer = Writer(folder, len(members.files), shape, "float32" if keeps else "uint8", where, conditions)
    jobs = [i for i in writer.todo if i not in survey.bad]
    writer.reasons.update(survey.bad)
    with counting(len(jobs), f"preparing {where}", "images") as tick:
        writer.fill(values_of(members, jobs, frame) if keeps else decoded(members, jobs, frame, scales), tick)
    bad = {i: reason for i, reason in writer.reasons.items() if writer.state[i] != 1}
    try:
        require_same()
        require_readable(bad, members.files, where)
    except WganError:
        writer.discard()
        raise
    labels = None if grouping.labels is None else np.array(grouping.labels, np.int64)
    held_out = None if grouping.held_out is None else np.array(grouping.held_out)
    left = [*bad_notes(bad, members.files), *left_note(members.left), *members.notes]
    left += [] if grouping.names or conditions is not None else unread_labels(members)
    about = {
        "kind": "images",
        "class_names": list(grouping.names),
        "units": None,
        "notes": [*grouping.notes, *notes, *left],
        "bad": [[shown(members.files[i].name), reason] for i, reason in sorted(bad.items())],
        "facts": facts_of(survey, members),
    }
    if keeps:
        return finished(
            writer, labels, held_out, about, np.result_type(*{h.kind for h in survey.found.values()}), where
        )
    return writer.finish(labels, held_out, about)


def names_of_pictures(path: Path) -> list[str]:
    """Return the names of the pictures of a folder or archive, in the order in which they are prepared."""
    with opened(path) as members:
        return [shown(members.files[i].name) for i in group(members.files, shown(path), classes=False).kept]


def unread_labels(members: Members) -> list[str]:
    """Return what is said of files that often hold the labels of pictures, where these have none."""
    lists = [suffix for suffix in LISTS if members.left[suffix]]
    if not lists:
        return []
    ways = f"from folders, one for each class, from the column of {METADATA} that --labels names, or from StyleGAN's {LIST}"
    return [f"labels come {ways}: other {' and '.join(lists)} files are not read"]


def no_images(path: Path, members: Members) -> str:
    """Return what a folder without pictures holds instead, and what to do about it."""
    found = left_note(members.left)
    others = f", and {members.others} other files" if members.others else ""
    if members.left[".parquet"] or members.left[".arrow"]:
        return f"{others}: a data set of the hub is read as --data hf:{shown(path)}"
    named = found[0].partition(": ")[2] if found else ""
    links = "".join(f"; {note}" for note in members.notes)
    alone = next((suffix for suffix in ALONE if members.left[suffix]), "")
    way = f"give one of the {alone} files itself" if alone else "give a folder of images"
    return f"{others}{f' ({named})' if named else ''}{links}: {way}"


def grouped(members: Members, options: ReadingOptions, where: str) -> tuple[Members, Grouping]:
    """Return the files, less the tables that were read, with their splits and classes.

    Classes are those of the column that --labels names, else of StyleGAN's list of labels, else of the folders, else of the
    column `label` of a table beside the pictures.
    """
    if options.labels == "none" or options.conditions:
        return members, group(members.files, where, classes=False)
    if options.labels != "auto":
        return labelled(members, options.labels, options, where)
    for name, read in members.lists.items():
        below = name[: -len(PurePosixPath(name).name)]
        if PurePosixPath(name).name == LIST and all(f.name.startswith(below) for f in members.files):
            split = group(members.files, where, classes=False)
            names = [members.files[i].name.removeprefix(below) for i in split.kept]
            found = listed_labels(read(), names, where)
            if found is not None:
                return members, replace(split, names=found[0], labels=found[1] or None)
    by_folder = group(members.files, where)
    if by_folder.names or not names_labels(members):
        return members, by_folder
    members, by_table = labelled(members, LABEL, options, where)
    note = f"classes are the column {LABEL} of {METADATA}: --labels none leaves them out"
    return members, replace(by_table, notes=(*by_table.notes, note)) if by_table.names else by_table


def labelled(members: Members, column: str, options: ReadingOptions, where: str) -> tuple[Members, Grouping]:
    """Return the files, less the tables, with the classes of a column of metadata.csv, as a table's own column of classes."""
    split = group(members.files, where, classes=False)
    kept = members.only(split.kept)
    named = f"column {column} of {METADATA} of {where}"
    names = [shown(f.name) for f in kept.files]
    labels = whole_labels(column_of(kept, column, where), named, names, each="image")
    found, classes, numbers = numbered(Arrays(np.empty((len(names), 0)), labels, label=column), options, named)
    own = None if numbers is None else numbers.tolist()
    return without_tables(members), replace(split, names=classes, labels=own, notes=(*split.notes, *found.notes))


def decoded(
    members: Members, jobs: list[int], frame: Frame, scales: Scales
) -> Iterator[tuple[int, NDArray[Any] | str]]:
    """Yield (number, uint8 [C, H, W]) of pictures, or why one cannot be read, in their order."""
    return each(members, jobs, lambda file: decode(file, frame, scales))


def values_of(members: Members, jobs: list[int], frame: Frame) -> Iterator[tuple[int, NDArray[Any] | str]]:
    """Yield (number, float32 [C, H, W]) of pictures in their own units, or why one cannot be read."""
    return each(members, jobs, lambda file: of_file(file, frame))


def require_readable(bad: dict[int, str], files: list[Member], where: str) -> None:
    """Raise WganError when more than 1 % of the files cannot be read."""
    if len(bad) > BAD_FRACTION * len(files):
        named = [(shown(files[i].name), bad[i]) for i in sorted(bad)]
        raise TooManyBad(
            f"{len(bad)} of {len(files)} images of {where} cannot be read, more than 1 %: the first is {named[0][0]} "
            f"({named[0][1]}); remove or fix them (wgan data lists them)",
            named,
        )


def stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written to: its size and time."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def require_unchanged(path: Path, before: tuple[int, int], files: list[Member], where: str) -> None:
    """Raise WganError when a file came, went or changed since `files` were listed, or the archive did."""
    changed = ""
    if path.is_dir():
        with opened(path) as now:
            changed = min((f.name for f in set(now.files) ^ set(files)), default="")
    elif stamp(path) != before:
        changed = path.name
    if changed:
        raise WganError(f"{where} changed while it was read ({shown(changed)}): run the command again")


def bad_notes(bad: dict[int, str], files: list[Member]) -> list[str]:
    """Return a note on files that were left out."""
    if not bad:
        return []
    first = min(bad)
    return [
        f"{len(bad)} of {len(files)} files cannot be read and are left out, the first: {shown(files[first].name)} "
        f"({bad[first]})"
    ]
