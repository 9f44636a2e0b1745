"""Folders of volumes: one NIfTI or .npy file for each; NIfTI of larger volumes as their slices."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data.own.archives import Member, is_hidden, shown, walk
from wgan.data.own.arrays import Arrays, load_npy
from wgan.data.own.convert import MOST_CHANNELS
from wgan.data.own.decode import SUFFIXES
from wgan.data.own.grouping import group
from wgan.data.own.recordings import WAV, require_equal, whole_series
from wgan.data.own.volumes import MOST_SIDE
from wgan.data.split import held_out_count
from wgan.errors import WganError

NIFTI = (".nii", ".nii.gz")
ROOM = 1 << 29  # numbers that all files together may hold: they are read into memory


@dataclass(frozen=True, eq=False)
class Read:
    """The volumes of some files [C, D, H, W], the classes and splits that folders say, and what was noted."""

    volumes: list[NDArray[Any]]
    labels: list[str] | None
    held_out: list[bool] | None
    notes: tuple[str, ...]


def kind_of_file(name: str) -> str:
    """Return the ending of a file's name in small letters; .nii.gz is one."""
    lower = name.lower()
    return next((ending for ending in reversed(NIFTI) if lower.endswith(ending)), Path(lower).suffix)


def holds_volumes(path: Path) -> bool:
    """Return whether a path is a NIfTI file, or a folder with files of volumes and no pictures or recordings."""
    if path.is_file():
        return kind_of_file(path.name) in NIFTI
    found = False
    for _, _, names in os.walk(path):
        endings = {kind_of_file(name) for name in names if not is_hidden(name)}
        if WAV in endings or not endings.isdisjoint(SUFFIXES):
            return False
        found = found or not endings.isdisjoint((*NIFTI, ".npy"))
    return found


def volume_files(path: Path) -> list[Member]:
    """Return the files of volumes below a folder, or the one file, in the order of their names."""
    if path.is_file():
        stat = path.stat()
        return [Member(path.name, stat.st_size, stat.st_mtime_ns)]
    endings = (*NIFTI, ".npy")
    files = [(name, s) for name, s in walk(path).files if kind_of_file(name) in endings and not is_hidden(name)]
    return [Member(name, s.st_size, s.st_mtime_ns) for name, s in files]


def of_volume_files(path: Path, options: ReadingOptions, where: str) -> Arrays:
    """Return files of volumes as volumes [N, C, D, H, W], or as their slices [N, C, H, W].

    Slices are read where `kind` says image, or where it says nothing and a side is longer than volumes may have. Raises
    WganError for files that cannot be read, and for volumes of different shapes.
    """
    if options.signals:
        raise WganError(f"kind signal and window are for signals, and {where} holds volumes: leave them out")
    read = read_files(path, options, where)
    if in_slices(read.volumes, options.kind):
        return as_slices(read, options.kind)
    labels = None if read.labels is None else np.array(read.labels)
    held_out = None if read.held_out is None else np.array(read.held_out)
    return Arrays(np.stack(read.volumes), labels, held_out, notes=read.notes)


def in_slices(volumes: Sequence[NDArray[Any]], kind: str) -> bool:
    """Return whether volumes are read as their slices."""
    return kind == "image" or (kind == "auto" and longest_of(volumes) > MOST_SIDE)


def longest_of(volumes: Sequence[NDArray[Any]]) -> int:
    """Return the longest side of volumes [C, D, H, W]."""
    return int(max(max(volume.shape[1:]) for volume in volumes))


def read_files(path: Path, options: ReadingOptions, where: str) -> Read:
    """Read every file; classes and splits are read from the folders, as those of pictures."""
    if options.labels not in ("auto", "none"):
        raise WganError(
            f"labels '{options.labels}' names the column of a table, and {where} holds volumes: use auto or none"
        )
    files = volume_files(path)
    found = group(files, where, classes=options.labels != "none", what="volumes")
    places = [path if path.is_file() else path / files[i].name for i in found.kept]
    volumes, room = [], ROOM
    for place in places:
        volumes.append(read_volume(place, room))
        room -= volumes[-1].size
    slices = in_slices(volumes, options.kind)
    shapes = [text((v.shape[0], *v.shape[2:]) if slices else v.shape) for v in volumes]
    require_equal("volumes", "shapes", shapes, [files[i].name for i in found.kept], where)
    labels = None if found.labels is None else [found.names[k] for k in found.labels]
    return Read(volumes, labels, found.held_out, found.notes)


def read_volume(path: Path, room: int) -> NDArray[Any]:
    """Return the volume in a file as [C, D, H, W]; WganError for more than `room` numbers, and for what is no volume."""
    if kind_of_file(path.name) in NIFTI:
        return read_nifti(path, room)
    array = load_npy(path)
    if array.ndim not in (3, 4) or not array.size or array.dtype.kind not in "fiub":
        raise WganError(
            f"{shown(path)} is {array.dtype} {list(array.shape)}: every .npy of a folder is one volume, numbers [D, H, W] or "
            "[C, D, H, W]; give a file of many samples by its own path"
        )
    require_room(array.size, room, path)
    return array[None] if array.ndim == 3 else array


def read_nifti(path: Path, room: int) -> NDArray[Any]:
    """Return the values of a NIfTI file [x, y, z] or [x, y, z, C] as [C, z, y, x], scaled as its header says."""
    try:
        nibabel: Any = importlib.import_module("nibabel")
    except ImportError:
        raise WganError(
            f"{shown(path)}: reading NIfTI needs nibabel, install it with pip install 'wgan[nifti]'"
        ) from None
    try:
        image = nibabel.load(path)
        shape = tuple(int(side) for side in image.shape)
    except Exception as error:  # of a damaged file, of any kind
        raise WganError(f"{shown(path)} cannot be read as NIfTI: {first_line(error)}") from None
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (3, 4) or min(shape) < 1 or math.prod(shape[3:]) > MOST_CHANNELS:
        raise WganError(
            f"{shown(path)} has the shape {list(shape)}: NIfTI files hold one volume [x, y, z], or [x, y, z, C] with at most "
            f"{MOST_CHANNELS} channels"
        )
    require_room(math.prod(shape), room, path)
    try:
        values = np.asarray(image.dataobj).reshape(*shape[:3], -1)
    except Exception as error:  # cut short, or not what it says
        raise WganError(f"{shown(path)} cannot be read as NIfTI: {first_line(error)}") from None
    if values.dtype.kind not in "fiu":
        raise WganError(f"{shown(path)} holds {values.dtype}: expected numbers")
    return np.ascontiguousarray(values.T, values.dtype.newbyteorder("="))


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its kind."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def require_room(size: int, room: int, path: Path) -> None:
    """Raise WganError for a volume of more numbers than there is room for."""
    if size > room:
        raise WganError(
            f"{shown(path)} holds {size:,} numbers, and all files together may hold {ROOM:,}: give fewer, or smaller ones"
        )


def text(shape: tuple[int, ...]) -> str:
    """Return a shape in words: 16x16x12."""
    return "x".join(map(str, shape))


def as_slices(read: Read, kind: str) -> Arrays:
    """Return the slices [N, C, H, W] of volumes along their depth; those of one volume are all held out or none is."""
    counts = [volume.shape[1] for volume in read.volumes]
    which = np.repeat(np.arange(len(counts)), counts)
    wanted = held_out_count(len(which))
    if read.held_out is not None:
        held_out = np.array(read.held_out)[which]
    elif len(counts) > 1:
        held_out = np.array(whole_series(counts, wanted))[which]
    else:
        held_out = np.arange(len(which)) >= len(which) - wanted
    why = (
        "" if kind == "image" else f", for a side of {longest_of(read.volumes)} is more than the {MOST_SIDE} of volumes"
    )
    apart = f"of {held_out[np.cumsum(counts) - 1].sum()} whole volumes" if len(counts) > 1 else "the last ones"
    note = f"{len(counts)} volume{'s' * (len(counts) > 1)} read as {len(which)} slices along the depth (z){why}"
    note += f"; {held_out.sum()} slices are held out, {apart}"
    values = np.concatenate([np.moveaxis(volume, 1, 0) for volume in read.volumes])
    labels = None if read.labels is None else np.array(read.labels)[which]
    return Arrays(values, labels, held_out, notes=(*read.notes, note))
