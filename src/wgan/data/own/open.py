"""A user's own data: PATH, hf:NAME or what Python gave becomes a Source, prepared once and mapped into memory."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan.config import ReadingOptions
from wgan.config.conditions import condition_categories, condition_names
from wgan.data import depth, signals
from wgan.data import split as splits
from wgan.data.conditions import from_json as conditions_from_json
from wgan.data.own.archives import DAMAGED, ending_of, shown
from wgan.data.own.arrays import Arrays, read_npz, read_safetensors
from wgan.data.own.cache import Prepared, key_of, load, locked
from wgan.data.own.condition_columns import as_categories
from wgan.data.own.convert import prepare_arrays
from wgan.data.own.decode import SUFFIXES, read_pages
from wgan.data.own.hub import open_hub
from wgan.data.own.idx_files import find_idx, looks_like_idx, read_idx_folder, read_idx_pair
from wgan.data.own.image_folder import prepare_pictures, stamp
from wgan.data.own.in_memory import GIVEN, given_path
from wgan.data.own.named_arrays import beside_note, from_mapping, labels_of_npy, read_npy
from wgan.data.own.recordings import holds_recordings, of_arrays, of_table, of_wav, wav_files, whole, windows
from wgan.data.own.series import channelled, prepare_signals
from wgan.data.own.tables import TABLES, NotNumeric
from wgan.data.own.ts_files import TS, of_ts
from wgan.data.own.volume_files import holds_volumes, of_volume_files, volume_files
from wgan.data.own.volumes import are_volumes, prepare_volumes
from wgan.data.source import RECIPES, TOYS, Source
from wgan.data.tabular.cells import read_cells
from wgan.data.tabular.read import prepare_table
from wgan.data.tabular.source import table_source
from wgan.data.units import from_json
from wgan.errors import WganError

HUB = "hf:"
ARRAYS = (".npy", ".npz", ".safetensors")
ADVICE = {
    ".txt .dat .data .tab .asc": "where it is a table of cells between commas, ; or tabs, give it the ending .csv",
    ".xlsx .xls .ods .json .jsonl .feather .orc .dta .sav .rds": "save the table as CSV or Parquet",
    ".h5 .hdf5 .mat .pkl .pickle .pt .pth .tfrecord .dcm": "save the samples as an array, numpy.save",
    ".gz .bz2 .xz .zst .7z .rar": "unpack it first",
}
KINDS = (
    "a folder of images, a zip or tar of one, .npy, .npz, .safetensors, .csv, .parquet, .ts, IDX, WAV or NIfTI files"
)


ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{1,3}(?P<rest>.*)")  # C:/ is a drive, see require_name
QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"


def is_own(spec: str) -> bool:
    """Return whether a data spec is meant as a path, as hf:NAME or as given in Python, and not as a bundled name.

    A bundled name means the bundled data, whatever lies in the current folder: a folder called ring is ./ring.
    """
    from wgan.data import is_bundled  # which knows the openers, this one among them

    if is_bundled(spec):
        return False
    looks = "/" in spec or "\\" in spec or spec.startswith((HUB, GIVEN, ".", "~")) or Path(spec).suffix != ""
    no_name = any(c in QUOTES or c.isspace() for c in spec)  # of bundled data
    return looks or no_name or (spec != "" and Path(spec).exists())


def require_name(spec: str) -> None:
    """Raise WganError for what can be no path and no hf:NAME, saying what it is: an address, a name in quotes or blanks."""
    name = spec if spec.startswith("hf://") else spec.removeprefix(HUB)
    with suppress(OSError):  # a name that no system takes, for its length, is no path either
        if Path(name).expanduser().exists():
            return
    bare = name.strip().strip(QUOTES).strip()
    address = ADDRESS.fullmatch(bare)
    if address and len(bare.partition(":")[0]) > 1:
        raise WganError(f"data cannot be read from an address: {way_from(bare, address['rest'])}")
    if bare != name:
        what = "in quotes" if any(c in QUOTES for c in name) else "with blanks around it"
        raise WganError(f"the name of the data is written {what}, {spec!r}: give {spec.replace(name, bare)!r} without")


def way_from(address: str, rest: str) -> str:
    """Return how the data of an address can be trained on."""
    scheme, site = address.partition(":")[0].lower(), rest.removeprefix("www.")
    if scheme == "file":
        return f"give the path, /{rest.lstrip('/')}"
    hub = {"hf": rest, "http": site, "https": site}.get(scheme, "").removeprefix("huggingface.co/")
    if scheme == "hf" or site.startswith("huggingface.co/"):
        owner = "/".join(hub.removeprefix("datasets/").split("/")[:2])
        return f"give hf:{owner} for a data set of the Hugging Face hub"
    return f"download {address} first, and give the path of the file or folder"


def absolute(spec: str) -> str:
    """Return a path as an absolute one, so that a run finds its data from every folder; other specs as they are."""
    if not is_own(spec) or spec.startswith(GIVEN):
        return spec
    require_name(spec)
    if spec.startswith(HUB):  # a name of the hub, or a local folder
        name = spec[len(HUB) :]
        return (
            HUB + str(Path(name).expanduser().resolve()) if name and os.path.exists(Path(name).expanduser()) else spec
        )
    try:
        spec.encode()
    except UnicodeEncodeError:
        raise WganError(f"the name {shown(spec)} is not UTF-8: rename the file or folder") from None
    return str(Path(spec).expanduser().resolve())


def open_own(spec: str, split: str, options: ReadingOptions) -> Source:
    """Open a user's own data, preparing them first where that was not done before; WganError for all that is wrong."""
    return as_source(prepared(spec, options, split), spec, split)


def prepared(spec: str, options: ReadingOptions, split: str = "train") -> Prepared:
    """Return the prepared data of `spec`, all splits; `split`: what they are for, see split.WHOLE."""
    if spec.startswith(HUB):
        require_name(spec)
        return open_hub(spec, spec[len(HUB) :], options)
    path = given_path(spec) if spec.startswith(GIVEN) else Path(absolute(spec))
    where = called(spec)
    try:
        if not path.exists():
            raise WganError(f"no file or folder {where}: --data takes {KINDS}, or a name such as mnist")
        if path.is_dir():
            arrays = idx_only(path) or holds_recordings(path) or holds_volumes(path)
            if not arrays:
                return prepare_pictures(path, options, split)
            return prepare_arrays_once(path, options, where, split)
        if path.stat().st_size == 0:
            raise WganError(f"{where} is empty")
        if path.suffix.lower() not in ARRAYS and is_archive(path):
            return prepare_pictures(path, options, split)
        return prepare_arrays_once(path, options, where, split)
    except OSError as error:
        raise WganError(f"cannot read {where}: {error.strerror or error}") from None


def is_gone(spec: str) -> bool:
    """Return whether a spec is a path of the user's own data that is no longer there."""
    return is_own(spec) and not spec.startswith((HUB, GIVEN)) and not Path(spec).exists()


def called(spec: str) -> str:
    """Return what a message calls the data of `spec`: their path, or what they are where Python gave them."""
    if spec.startswith(GIVEN):
        return "the array given as data"
    return shown(spec if spec.startswith(HUB) else absolute(spec))


def described(spec: str) -> str:
    """Return what a sentence calls data of any kind: 'the data ring', or 'the array given as data'."""
    if spec.startswith(GIVEN):
        return called(spec)
    return f"the data {called(spec) if is_own(spec) else spec}"


def public_name(spec: str) -> str:
    """Return how data may be called where strangers read it: a user's own path loses its folders."""
    on_the_hub = spec.startswith(HUB) and not spec.startswith((HUB + "/", HUB + "."))
    if on_the_hub or not is_own(spec):
        return spec
    return re.split(r"[/\\]", spec.rstrip("/\\"))[-1] or "own data"


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip or a tar (plain or compressed), by what it holds."""
    if looks_like_idx(path):
        return False
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except DAMAGED:  # what says that it is compressed, and is not
        return False


def idx_only(path: Path) -> bool:
    """Return whether a folder holds IDX image files."""
    return bool(find_idx(path))


def prepare_arrays_once(path: Path, options: ReadingOptions, where: str, split: str = "train") -> Prepared:
    """Prepare an array file, a table or a folder of IDX files, unless that was done before."""
    files = files_of(path)
    before = stamps(files)
    key = key_of("arrays", str(path), before, options.key())
    with locked(key) as folder:
        found = load(key)
        if found is not None:
            return found
        done = prepare(path, options, folder, where, split)
        if stamps(files) != before:
            for name in ("about.json", "rows.npz", "x.bin"):  # this first: without it nothing counts as prepared
                (done.folder / name).unlink()
            raise WganError(f"{where} changed while it was read: run the command again")
        return done


def files_of(path: Path) -> list[Path]:
    """Return the files that data are read from: all of a folder, all recordings below it, or a file and its labels."""
    if not path.is_dir():
        return near_labels(path)
    if holds_recordings(path):
        return [path / member.name for member in wav_files(path)]
    if of_volumes(path):
        return [path / member.name for member in volume_files(path)]
    return [p for p in sorted(path.iterdir()) if p.is_file()]


def stamps(files: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return what changes when one of the files does."""
    return [(shown(p), *stamp(p)) for p in files]


def prepare(path: Path, options: ReadingOptions, folder: Path, where: str, split: str) -> Prepared:
    """Prepare an array file or a table; a table that is not of numbers alone by the kinds of its columns."""
    require_place_of_conditions(path, options, where)
    asked = options.of_tables()
    if asked and (path.suffix.lower() not in TABLES or options.signals):
        what = "is read as signals" if options.signals else "is none"
        raise WganError(f"columns, missing, keep and together are for tables, and {where} {what}: leave them out")
    if of_volumes(path):
        arrays = of_volume_files(path, options, where)
        prepare_them = prepare_volumes if arrays.values.ndim == 5 else prepare_arrays
        return prepare_them(arrays, options, folder, where, split)
    if options.signals or path.suffix.lower() == TS or holds_recordings(path):
        arrays, rate = signals_of(path, options, where)
        return prepare_signals(arrays, options, folder, where, rate, split)
    if asked or (options.conditions and path.suffix.lower() in TABLES):
        return prepare_table(read_cells(path), options, folder, where)
    try:
        return prepare_images_or_volumes(read(path, options, where), options, folder, where, split)
    except NotNumeric as error:
        read_before = error.table  # the rest not here: until this block ends, the numbers so far are kept
    return prepare_table(read_cells(path, read_before), options, folder, where)


def of_volumes(path: Path) -> bool:
    """Return whether a path is a NIfTI file, or a folder with one file for each volume."""
    return holds_volumes(path) and not (path.is_dir() and idx_only(path))


def prepare_images_or_volumes(
    arrays: Arrays, options: ReadingOptions, folder: Path, where: str, split: str
) -> Prepared:
    """Prepare arrays as volumes where they are such, else as images or vectors."""
    if are_volumes(arrays.values.shape, options.kind):
        return prepare_volumes(arrays, options, folder, where, split)
    return prepare_arrays(arrays, options, folder, where, split)


def require_place_of_conditions(path: Path, options: ReadingOptions, where: str) -> None:
    """Raise WganError for conditions where data of that kind have none."""
    table = path.suffix.lower() in TABLES and (not options.signals or options.window is not None)
    if options.conditions and not (table or path.suffix.lower() in ARRAYS):
        raise WganError(
            "conditions are read from .npz, .safetensors and .npy files, tables and folders of images, and "
            f"{where} is none of these: leave conditions out"
        )


def signals_of(path: Path, options: ReadingOptions, where: str) -> tuple[Arrays, int]:
    """Return signals, cut into windows where `options` say so, and how many steps they have in a second (0 = not known)."""
    table, ts = path.suffix.lower() in TABLES, path.suffix.lower() == TS
    files = ts or holds_recordings(path)
    if options.group and not table:
        raise WganError(f"group is a column of a table, and {where} is none: leave it out")
    if not files and options.window is None:
        return read(path, options, where), 0
    if files:
        found = of_ts(path, options, where) if ts else of_wav(path, options, where)
    elif table:
        found = of_table(path, options)
    else:
        arrays = read(path, options, where)
        found = of_arrays(arrays, channelled(arrays.values, where)[0], where)
    if options.window is None:
        return whole(found, where), found.rate
    return windows(found, options.window, options.step or options.window, where), found.rate


def near_labels(path: Path) -> list[Path]:
    """Return the file and those in its folder that may hold its labels or conditions."""
    words = ("label", "conditions")
    near = {p for p in path.parent.iterdir() if any(w in p.name.lower() for w in words) and p.is_file() and p != path}
    labels = labels_of_npy(path) if path.suffix.lower() == ".npy" else None
    return [path, *sorted(near)[:100], *([labels] if labels and labels not in near else [])]


def read(path: Path, options: ReadingOptions, where: str) -> Arrays:
    """Read samples and labels by the kind of file; WganError for a kind that is not known."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return read_idx_folder(path)
    if suffix in TABLES:
        return TABLES[suffix](path, options.labels)
    if suffix in ARRAYS:
        found = read_arrays(path, suffix, condition_names(options.conditions))
        return with_categories(found, condition_categories(options.conditions))
    if looks_like_idx(path):
        return read_idx_pair(path)
    if ending_of(path.name) in SUFFIXES:
        return Arrays(read_pages(path, where), None)
    advice = next((text for endings, text in ADVICE.items() if suffix in endings.split()), f"give {KINDS}")
    raise WganError(f"{where} is of no kind that --data takes: {advice}")


def read_arrays(path: Path, suffix: str, conditions: Sequence[str] = ()) -> Arrays:
    """Read one of ARRAYS; WganError for one that is damaged, pickled or holds no samples, or not its `conditions`."""
    if suffix == ".npy":
        return read_npy(path, conditions)
    return from_mapping(read_npz(path) if suffix == ".npz" else read_safetensors(path), shown(path), conditions)


def with_categories(arrays: Arrays, names: Sequence[str]) -> Arrays:
    """Return arrays with the conditions of `names` as categories."""
    return arrays if arrays.conditions is None else replace(arrays, conditions=as_categories(arrays.conditions, names))


def as_source(data: Prepared, spec: str, split: str) -> Source:
    """Return one split of prepared data as a Source that reads the mapped file."""
    chosen = splits.indices(len(data), data.held_out, split, called(spec))
    if data.about.get("table"):
        source = replace(table_source(data, spec, split, chosen), **told_of(data, chosen))
        return replace(source, notes=(*source.notes, *beside_note(spec)))
    rows = data.rows[chosen]
    values, kept = data.values(), depth.from_json(data.about.get("depth"))

    def gather(indices: Tensor) -> Tensor:
        if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= len(rows)):
            raise IndexError(f"an index is outside of 0..{len(rows) - 1}")
        found = np.take(values, rows[indices.numpy()], axis=0)
        return torch.from_numpy(found if kept is None else kept.standardise(found))

    about: dict[str, Any] = data.about
    untrained = untrained_note(data) if data.labels is not None else []
    recipe = RECIPES[len(data.shape)]
    return Source(
        name=spec,
        split=split,
        shape=data.shape,
        size=len(rows),
        gather=gather,
        labels=None if data.labels is None else torch.from_numpy(data.labels[chosen]),
        classes=len(about["class_names"]),
        class_names=tuple(about["class_names"]),
        recipe=recipe,
        mode_tests=TOYS if recipe == "vectors" else (),
        units=from_json(about["units"]),
        signal=signals.from_json(about.get("signal")),
        depth=kept,
        **told_of(data, chosen),
        fingerprint=about["fingerprint"],
        notes=(*about["notes"], *untrained, *beside_note(spec)),
    )


def told_of(data: Prepared, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """Return the fields of a Source that hold the conditions of the samples `chosen`; none where the data have none."""
    conditions = conditions_from_json(data.about.get("conditions"))
    if conditions is None or data.conditions is None:
        return {}
    return {
        "conditions": conditions,
        "told": torch.from_numpy(conditions.encode(data.conditions[chosen])),
        "asked": None,
    }


def untrained_note(data: Prepared) -> list[str]:
    """Return what is said of classes that no training sample has, because the data hold all of theirs out."""
    names = data.about["class_names"]
    assert data.labels is not None
    train = data.labels[~splits.held_out_mask(len(data), data.held_out)]
    lost = [name for name, count in zip(names, np.bincount(train, minlength=len(names)), strict=True) if not count]
    several = " ..." if len(lost) > 10 else ""
    what = f"{len(lost)} of {len(names)} classes have no training sample and cannot be requested"
    return [f"{what}: {', '.join(lost[:10])}{several}"] if lost else []
