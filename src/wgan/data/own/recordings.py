"""Long series and recordings, cut into windows: tables with a row for each step, arrays of long signals, WAV files."""

from __future__ import annotations

import os
import wave
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data.conditions import Raw
from wgan.data.own.archives import Member, ending_of, is_hidden, shown, walk
from wgan.data.own.arrays import Arrays
from wgan.data.own.condition_columns import require_sound
from wgan.data.own.decode import SUFFIXES
from wgan.data.own.grouping import group
from wgan.data.own.tables import as_numbers, label_column, whole_labels
from wgan.data.source import sample_stream
from wgan.data.split import held_out_count
from wgan.data.tabular.cells import Cells, read_cells
from wgan.data.tabular.read import divided
from wgan.errors import WganError

WAV = ".wav"
MANY = 20  # series: of as many, some are held out whole; of fewer, the last part of each if it holds enough windows
Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Series:
    """One series [C, L], what a message calls it, its class at each step [L] or None, and whether the data hold it out."""

    values: Numbers
    name: str
    labels: Numbers | None = None
    held_out: bool | None = None
    told: Raw = field(default_factory=dict)  # the value of each condition at each step [L]


@dataclass(frozen=True, eq=False)
class Recordings:
    """Series with the same channels, and what is known about them."""

    series: list[Series]
    channels: tuple[str, ...] = ()
    rate: int = 0  # steps in a second; 0 = not known
    label: str = ""  # the column that held the class
    notes: tuple[str, ...] = ()


def windows(found: Recordings, window: int, step: int, where: str) -> Arrays:
    """Return all windows [N, C, window] of the series, one every `step`, and which are held out: none overlaps a training one.

    A window over steps of several classes, or several values of a condition, is left out, with a note. Raises WganError for a
    series shorter than a window.
    """
    short = [s for s in found.series if s.values.shape[1] < window]
    if short:
        are = "is" if len(short) == 1 else "are"
        raise WganError(
            f"{len(short)} of {len(found.series)} series of {where} {are} shorter than a window of {window} steps, the first is "
            f"{short[0].name} with {short[0].values.shape[1]}: give a smaller --window, or leave them out"
        )
    places, said = places_of(found.series, window, step)
    mixed = [mixed_over(found.series[i], start, window) for i, start, _ in places]
    kept = [place for place, wrong in zip(places, mixed, strict=True) if not wrong]
    if not kept:
        why = f"every one of them lies over steps of several {mixed[0]}" if any(mixed) else "the series are too short"
        raise WganError(
            f"{where} gives no windows of {window} steps to train and to measure on: {why}; give a smaller --window"
        )
    values = np.stack([found.series[i].values[:, start : start + window] for i, start, _ in kept])
    firsts = [None if (y := found.series[i].labels) is None else y[start] for i, start, _ in kept]
    labels = None if firsts[0] is None else np.array(firsts)
    told = {
        name: np.array([found.series[i].told[name][start] for i, start, _ in kept]) for name in found.series[0].told
    }
    notes = [f"{len(found.series)} series are cut into {len(kept)} windows of {window} steps, one every {step}; {said}"]
    left = Counter(wrong for wrong in mixed if wrong)
    notes += [f"{count} windows over steps of several {what} are left out" for what, count in left.items()]
    held_out = np.array([out for _, _, out in kept])
    notes = [*found.notes, *notes]
    return Arrays(
        values, labels, held_out, found.channels, label=found.label, notes=tuple(notes), conditions=told or None
    )


def places_of(series: Sequence[Series], window: int, step: int) -> tuple[list[tuple[int, int, bool]], str]:
    """Return (number of the series, first step, held out) of every window, and how the held-out ones were chosen.

    The last parts of few series are held out where they hold at least half of the windows wanted: else some series whole.
    """
    lengths = [s.values.shape[1] for s in series]
    counts = [(n - window) // step + 1 for n in lengths]
    wanted = held_out_count(sum(counts))
    given = [bool(s.held_out) for s in series]
    last = last_parts(lengths, window, step, wanted / sum(counts))
    if any(given):
        out, said = given, f"{sum(given)} series are held out, as the data say"
    elif len(series) == 1 or (len(series) < MANY and 2 * sum(held for _, _, held in last) >= wanted):
        return last, f"the last {100 * wanted / sum(counts):.0f} % of each series are held out"
    else:
        out = whole_series(counts, wanted)
        said = f"{sum(out)} whole series are held out"
    return [(i, t, out[i]) for i, n in enumerate(lengths) for t in range(0, n - window + 1, step)], said


def last_parts(lengths: Sequence[int], window: int, step: int, fraction: float) -> list[tuple[int, int, bool]]:
    """Return the windows, as places_of, of which those within the last `fraction` of each series are held out."""
    parts = [(n, round(n * (1 - fraction))) for n in lengths]
    train = [(i, t, False) for i, (_, b) in enumerate(parts) for t in range(0, b - window + 1, step)]
    test = [(i, t, True) for i, (n, b) in enumerate(parts) for t in range(b, n - window + 1, step)]
    return train + test


def whole_series(counts: Sequence[int], wanted: int) -> list[bool]:
    """Return which series are held out: in a fixed random order, until they have `wanted` windows."""
    out, have = [False] * len(counts), 0
    for i in sample_stream(0, "own series", "test").permutation(len(counts)):
        if have < wanted:
            out[i], have = True, have + counts[i]
    return out


def mixed_over(series: Series, start: int, window: int) -> str:
    """Return what a window has several of: classes, or values of a condition; '' for none."""
    each = {f"values of condition {name}": column for name, column in series.told.items()}
    each |= {} if series.labels is None else {"classes": series.labels}
    return next((what for what, x in each.items() if (x[start : start + window] != x[start]).any()), "")


# --- tables and arrays ------------------------------------------------------------------------------------------------


def of_table(path: Path, options: ReadingOptions) -> Recordings:
    """Return the series of a table with a row for each step: one for each value of the column `group`, or one alone.

    Every column that is no class, group or condition is a channel. Raises WganError for a column that is not there, and for
    one that holds no numbers.
    """
    everything, where = read_cells(path), shown(path)
    by = label_column(everything.names, options.group or "none", where)
    cells, told = divided(everything, options, where)
    at = label_column(cells.names, options.labels, where)
    own = cells.names.index(everything.names[by]) if by >= 0 and everything.names[by] in cells.names else -1
    labels = None if at < 0 else whole_labels(cells.columns[at], where, cells.lines)
    channels = [i for i in range(len(cells.names)) if i not in (at, own)]
    if not channels:
        raise WganError(
            f"{where} has no column besides {', '.join(cells.names)}: a series needs at least one of numbers"
        )
    values = columns_of(cells, channels, path)
    keys = [cell.strip() for cell in everything.columns[by]] if by >= 0 else [""] * values.shape[1]
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    named = f"{options.group} " if options.group else "the whole table"
    series = [
        Series(
            values[:, some],
            f"{named}{shown(key)}",
            None if labels is None else labels[some],
            told={name: column[some] for name, column in (told or {}).items()},
        )
        for key, some in rows.items()
    ]
    names = tuple(cells.names[i] for i in channels)
    return Recordings(series, names, label=cells.names[at] if at >= 0 else "", notes=tuple(cells.notes))


def columns_of(cells: Cells, places: Sequence[int], path: Path) -> Numbers:
    """Return columns of numbers as [C, rows], whole numbers where all of them are."""
    return np.stack([as_numbers(cells.columns[i], cells.names[i], path, cells.lines) for i in places])


def of_arrays(arrays: Arrays, values: Numbers, where: str) -> Recordings:
    """Return the signals [N, C, T] of an array as series; WganError where one has no value of a condition."""
    require_sound(arrays.conditions or {}, len(values), where)
    labels = None if arrays.labels is None else arrays.labels.reshape(-1)
    steps = np.zeros(values.shape[2], np.int64)
    series = [
        Series(
            values[i],
            f"number {i + 1}",
            None if labels is None else labels[i : i + 1][steps],
            None if arrays.held_out is None else bool(arrays.held_out[i]),
            {name: column[i : i + 1][steps] for name, column in (arrays.conditions or {}).items()},
        )
        for i in range(len(values))
    ]
    return Recordings(series, notes=arrays.notes)


# --- WAV files --------------------------------------------------------------------------------------------------------


def holds_recordings(path: Path) -> bool:
    """Return whether a path is a WAV file, or a folder whose first file of a known kind is one rather than a picture."""
    if path.is_file():
        return ending_of(path.name) == WAV
    found = (ending_of(name) for _, _, names in os.walk(path) for name in sorted(names) if not is_hidden(name))
    return next((end for end in found if end == WAV or end in SUFFIXES), "") == WAV


def wav_files(path: Path) -> list[Member]:
    """Return the WAV files below a folder, or the one file, in the order of their names."""
    if path.is_file():
        stat = path.stat()
        return [Member(path.name, stat.st_size, stat.st_mtime_ns)]
    files = [(name, s) for name, s in walk(path).files if ending_of(name) == WAV and not is_hidden(name)]
    return [Member(name, s.st_size, s.st_mtime_ns) for name, s in files]


def of_wav(path: Path, options: ReadingOptions, where: str) -> Recordings:
    """Return WAV files as series; classes and splits are read from the folders, as those of pictures.

    Raises WganError for a file that is not a 16-bit WAV, and for files of different rates or numbers of channels.
    """
    if options.labels not in ("auto", "none"):
        raise WganError(
            f"labels '{options.labels}' names the column of a table, and {where} holds WAV files: use auto or none"
        )
    files = wav_files(path)
    found = group(files, where, classes=options.labels != "none", what="recordings")
    read = [read_wav(path if path.is_file() else path / files[i].name) for i in found.kept]
    for what, values in (("sampling rates", [r for _, r in read]), ("numbers of channels", [len(x) for x, _ in read])):
        require_equal("recordings", what, values, [files[i].name for i in found.kept], where)
    classes = None if found.labels is None else [found.names[k] for k in found.labels]
    series = [
        Series(
            x,
            shown(files[i].name),
            None if classes is None else np.full(x.shape[1], classes[k]),
            None if found.held_out is None else found.held_out[k],
        )
        for k, (i, (x, _)) in enumerate(zip(found.kept, read, strict=True))
    ]
    return Recordings(series, rate=read[0][1], notes=found.notes)


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """Return the samples of a WAV file as int16 [C, L], and its rate; WganError for one that is damaged or not 16-bit."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate, count = (
                file.getsampwidth(),
                file.getnchannels(),
                file.getframerate(),
                file.getnframes(),
            )
            data = file.readframes(count)
    except (wave.Error, EOFError, OSError, ValueError) as error:
        raise WganError(f"{shown(path)} cannot be read as WAV: {str(error) or 'it ends too early'}") from None
    if width != 2:
        raise WganError(f"{shown(path)} has {8 * width} bits: WAV files of 16 bits are read, convert it")
    if len(data) != count * channels * 2:
        raise WganError(f"{shown(path)} is cut short: it holds {len(data)} of {2 * count * channels} bytes")
    samples = np.frombuffer(data, "<i2").astype(np.int16).reshape(count, channels)
    return np.ascontiguousarray(samples.T), rate


def require_equal(kind: str, what: str, values: Sequence[Hashable], names: Sequence[str], where: str) -> None:
    """Raise WganError for files of `kind` that differ in a value, naming the first of another than most."""
    (usual, _), *others = Counter(values).most_common()
    if others:
        at = next(i for i, value in enumerate(values) if value != usual)
        raise WganError(
            f"{where} holds {kind} of {len(others) + 1} {what}, {usual} most often, and {shown(names[at])} has "
            f"{values[at]}: make them equal, or leave those out"
        )


def whole(found: Recordings, where: str) -> Arrays:
    """Return recordings of one length as they are; WganError for several lengths."""
    lengths = [s.values.shape[1] for s in found.series]
    if len(set(lengths)) > 1:
        raise WganError(
            f"{where} holds recordings of {len(set(lengths))} lengths, from {min(lengths)} to {max(lengths)} steps: cut "
            "them with --window N"
        )
    labels = None if found.series[0].labels is None else np.array([first(s) for s in found.series])
    given = [s.held_out for s in found.series]
    held_out = None if given[0] is None else np.array(given)
    return Arrays(np.stack([s.values for s in found.series]), labels, held_out, found.channels, notes=found.notes)


def first(series: Series) -> Any:
    """Return the class of a series that has one."""
    assert series.labels is not None
    return series.labels[0]
