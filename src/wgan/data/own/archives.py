"""The picture files of a folder, zip or tar: their names, sizes and time stamps, and how each is opened."""

from __future__ import annotations

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from wgan.data.own.decode import SUFFIXES
from wgan.errors import WganError

SPLIT_NAMES = {"train": False, "training": False, "val": False, "valid": False, "validation": False,
               "test": True, "testing": True}  # fmt: skip
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what moves a terminal's cursor, or worse
LARGEST = 1 << 28  # bytes of one picture file: a larger one is no picture, or a trap
# what a damaged or locked member of an archive raises when it is read
DAMAGED = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)


class Member(NamedTuple):
    """One picture file: its name below the data's folder, its size in bytes and a stamp that changes with its content."""

    name: str
    size: int
    stamp: int


@dataclass(frozen=True)
class Members:
    """Picture files in a fixed order; `open(i)` gives the bytes of the i-th; `parallel`: several may be open at a time."""

    files: list[Member]
    open: Callable[[int], BinaryIO]
    parallel: bool
    others: int  # files that are no pictures by their names


def shown(name: str | Path) -> str:
    """Return a file name as text that every terminal and JSON file takes, also where it is not UTF-8 or holds line ends."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def is_picture(name: str) -> bool:
    """Return whether a name is that of a picture: by its ending, not hidden, not a Mac's shadow."""
    parts = PurePosixPath(name).parts
    return name.lower().endswith(SUFFIXES) and not any(p.startswith(".") or p == "__MACOSX" for p in parts)


def walk(folder: Path, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield (name, stat) of every file in `folder`, in the order of the names; linked folders are not entered."""
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        raise WganError(f"cannot read the folder {shown(folder)}: {error.strerror}") from None
    for entry in entries:
        name = below + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), name + "/")
        elif entry.is_file():
            yield name, entry.stat()


def folder_members(path: Path) -> Members:
    """List the pictures below a folder."""
    every = list(walk(path))
    files = [Member(name, stat.st_size, stat.st_mtime_ns) for name, stat in every if is_picture(name)]
    return Members(files, lambda i: open(path / files[i].name, "rb"), True, len(every) - len(files))


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """Within the block the pictures of a folder or archive can be read; WganError for an archive that is damaged."""
    try:
        if path.is_dir():
            yield folder_members(path)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield zip_members(packed)
        else:
            with tarfile.open(path) as packed:
                yield tar_members(packed)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, zlib.error, lzma.LZMAError) as error:
        raise WganError(f"{shown(path)} is a damaged archive: {error}") from None


def zip_members(packed: zipfile.ZipFile) -> Members:
    """List the pictures of a zip; a stamp is the checksum it stores."""
    every = [entry for entry in packed.infolist() if not entry.is_dir()]
    chosen = sorted((e for e in every if is_picture(e.filename)), key=lambda e: e.filename)
    files = [Member(e.filename, e.file_size, e.CRC) for e in chosen]
    return Members(files, lambda i: packed.open(chosen[i]), False, len(every) - len(files))  # type: ignore[arg-type, return-value]


def tar_members(packed: tarfile.TarFile) -> Members:
    """List the pictures of a tar in their stored order: a compressed one can only be read forwards."""
    every = [entry for entry in packed if entry.isfile()]
    chosen = [e for e in every if is_picture(e.name)]
    files = [Member(e.name.removeprefix("./"), e.size, int(e.mtime)) for e in chosen]
    return Members(files, lambda i: packed.extractfile(chosen[i]), False, len(every) - len(files))  # type: ignore[arg-type, return-value]


class Grouping(NamedTuple):
    """Class names in order, the class number of each file (None = unlabelled), and whether each is for testing (or None)."""

    names: tuple[str, ...]
    labels: list[int] | None
    held_out: list[bool] | None
    note: str = ""  # why folders are no classes


def group(files: list[Member], where: str) -> Grouping:
    """Read classes (and train/test, where there are such folders) from the sub-folders the files lie in.

    Raises WganError when some files lie in class folders and some do not: their labels would be missing.
    """
    parts = [PurePosixPath(f.name).parts[:-1] for f in files]
    while parts and all(p and p[0] == parts[0][0] for p in parts):
        parts = [p[1:] for p in parts]  # one folder around everything is no class
    held_out = None
    if all(p and p[0].lower() in SPLIT_NAMES for p in parts):
        held_out = [SPLIT_NAMES[p[0].lower()] for p in parts]
        parts = [p[1:] for p in parts]
        held_out = held_out if 0 < sum(held_out) < len(held_out) else None
    outside = [f for f, p in zip(files, parts, strict=True) if not p]
    if len(outside) == len(files):
        return Grouping((), None, held_out)
    if outside:
        raise WganError(
            f"{len(outside)} of {len(files)} images of {where} lie beside the class folders, the first is "
            f"{shown(outside[0].name)}: move them into a folder, or give --labels none"
        )
    names = sorted({p[0] for p in parts})
    if len(names) == 1:
        return Grouping((), None, held_out)
    if 2 * len(names) > len(files):
        return Grouping((), None, held_out, f"{len(names)} folders for {len(files)} images are too many to be classes")
    number = {name: i for i, name in enumerate(names)}
    return Grouping(tuple(shown(n) for n in names), [number[p[0]] for p in parts], held_out)
