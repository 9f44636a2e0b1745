"""The picture files of a folder, zip or tar: their names, sizes and time stamps, and how each is opened."""

from __future__ import annotations

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import BinaryIO, NamedTuple

from wgan.data.own.decode import SUFFIXES, looks_like_picture
from wgan.errors import WganError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what moves a terminal's cursor, or worse
HEAD = 32  # bytes that tell what a file holds
LIST = "dataset.json"
METADATA = "metadata.csv"  # what a table of conditions beside pictures is called
# what is not a picture, or another program's copy of one: not even looked into
NEVER = (
    *(".txt", ".json", ".csv", ".tsv", ".xml", ".md", ".yaml", ".yml", ".html", ".py", ".npy", ".npz", ".mat", ".pdf"),
    *(".zip", ".tar", ".gz", ".bak", ".tmp", ".part", ".dng", ".nef", ".cr2", ".arw", ".db"),
)
LARGEST = 1 << 28  # bytes of one picture file: a larger one is not a picture, or a trap
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
    left: Counter[str]  # how many other files there are of each ending
    lists: dict[str, Callable[[], bytes]]  # what reads a file that lists labels or conditions, by its name
    notes: tuple[str, ...] = ()  # links that were not followed

    @property
    def others(self) -> int:
        """How many files are no pictures."""
        return sum(self.left.values())

    def only(self, kept: list[int]) -> Members:
        """Return the files at `kept` alone."""
        return replace(self, files=[self.files[i] for i in kept], open=lambda i: self.open(kept[i]))


def shown(name: str | Path) -> str:
    """Return a file name as text that every terminal and JSON file takes, also where it is not UTF-8 or holds line ends."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def is_picture(name: str, first: Callable[[], bytes]) -> bool:
    """Return whether a file is a picture: by its ending or else its first bytes; not hidden, not a Mac's shadow."""
    if is_hidden(name):
        return False
    ending = ending_of(name)
    return ending in SUFFIXES or (ending not in NEVER and looks_like_picture(first()))


def is_hidden(name: str) -> bool:
    """Return whether a file or a folder that it lies in is hidden."""
    return any(p.startswith(".") or p == "__MACOSX" for p in PurePosixPath(name).parts)


def ending_of(name: str) -> str:
    """Return the ending of a file's name in small letters, with its point."""
    return PurePosixPath(name).suffix.lower()


def left_out(names: Iterable[str]) -> Counter[str]:
    """Count files that are no pictures by their endings."""
    return Counter("hidden" if is_hidden(name) else ending_of(name) or "without ending" for name in names)


@dataclass
class Walk:
    """What lies below a folder: files with their stat, links to folders, and how many links lead nowhere or back."""

    root: Path
    files: list[tuple[str, os.stat_result]]
    links: list[str]
    seen: set[tuple[int, int]]  # device and number of each folder that was entered, and of those around the root
    nowhere: int = 0
    back: int = 0


def walk(root: Path) -> Walk:
    """Find every file below `root`, in the order of the names.

    Links to folders are followed after everything else, each folder once: so no link leads in a circle, and no file is
    there twice.
    """
    around = {(stat.st_dev, stat.st_ino) for stat in (p.stat() for p in root.resolve().parents)}
    found = Walk(root, [], [], around)
    enter(found, "")
    followed = 0
    while followed < len(found.links):
        name = found.links[followed]
        followed += 1
        if not enter(found, name):
            found.back += 1
    found.files.sort()
    return found


def enter(found: Walk, name: str) -> bool:
    """Add what lies below one folder; False when it was entered before."""
    folder = found.root / name
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in found.seen:
            return False
        found.seen.add((stat.st_dev, stat.st_ino))
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        raise WganError(f"cannot read the folder {shown(folder)}: {error.strerror}") from None
    for entry in entries:
        below = f"{name}/{entry.name}" if name else entry.name
        try:
            if not entry.is_dir():
                found.files.append((below, entry.stat()))
            elif entry.is_symlink():
                found.links.append(below)
            else:
                enter(found, below)
        except OSError:  # a link to what is not there
            found.nowhere += 1
    return True


def folder_members(path: Path) -> Members:
    """List the pictures below a folder."""

    def first(name: str) -> bytes:
        with open(path / name, "rb") as file:
            return file.read(HEAD)

    found = walk(path)
    plain = [(name, stat) for name, stat in found.files if S_ISREG(stat.st_mode)]
    pictures = [(name, stat) for name, stat in plain if is_picture(name, partial(first, name))]
    others = {name for name, _ in found.files} - {name for name, _ in pictures}
    called = separated([name for name, _ in pictures])
    files = [Member(called(name), s.st_size, s.st_mtime_ns) for name, s in pictures]
    lists = {called(name): (path / name).read_bytes for name in others if is_list(called(name))}
    notes = link_notes(found)
    return Members(files, lambda i: open(path / pictures[i][0], "rb"), True, left_out(others), lists, notes)


def separated(pictures: Iterable[str]) -> Callable[[str], str]:
    """Return what makes slashes of the backslashes in names, where no picture's name has a slash; else leaves them.

    Old programs of Windows write them between folders into archives, and others unpack those to names with backslashes.
    """
    if any("/" in name for name in pictures):
        return str
    return lambda name: name.replace("\\", "/")


def link_notes(found: Walk) -> tuple[str, ...]:
    """Return what is said of links that were not followed."""
    notes = {"nowhere": found.nowhere, "to folders that are read already, or around the data": found.back}
    return tuple(f"{n} link{'s' * (n != 1)} lead{'s' * (n == 1)} {what}: left out" for what, n in notes.items() if n)


def is_list(name: str) -> bool:
    """Return whether a file may list labels as StyleGAN's tools write them, or conditions of pictures."""
    return PurePosixPath(name).name in (LIST, METADATA)


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

    def first(entry: zipfile.ZipInfo) -> bytes:
        try:
            with packed.open(entry) as file:
                return file.read(HEAD)
        except DAMAGED:
            return b""

    entries = [entry for entry in packed.infolist() if not entry.filename.endswith(("/", "\\"))]
    pictures = [entry for entry in entries if is_picture(entry.filename, partial(first, entry))]
    called = separated(entry.filename for entry in pictures)
    every = {entry: called(entry.filename) for entry in entries}
    chosen = sorted(pictures, key=lambda entry: every[entry])
    files = [Member(every[e], e.file_size, e.CRC) for e in chosen]
    left = left_out(every[e] for e in set(every) - set(chosen))
    lists = {n: partial(packed.read, e) for e, n in every.items() if is_list(n) and e.file_size < LARGEST}
    return Members(files, lambda i: packed.open(chosen[i]), False, left, lists)  # type: ignore[arg-type, return-value]


def tar_members(packed: tarfile.TarFile) -> Members:
    """List the pictures of a tar in their stored order: a compressed one can only be read forwards."""
    every: list[tarfile.TarInfo] = []
    chosen: list[tarfile.TarInfo] = []
    sizes: dict[str, int] = {}
    nowhere = 0
    for entry in packed:
        if entry.isdir():
            continue
        target = target_of(entry)
        size = entry.size if entry.isfile() else sizes.get(target, -1)
        if size < 0:  # a link whose file has not come yet, or a device
            nowhere += 1
            continue
        sizes[os.path.normpath(entry.name)] = size
        every.append(entry)
        if is_picture(entry.name, partial(read_member, packed, entry, HEAD)):
            chosen.append(entry)
    called = separated(e.name.removeprefix("./") for e in chosen)
    files = [Member(called(e.name.removeprefix("./")), sizes[os.path.normpath(e.name)], int(e.mtime)) for e in chosen]
    left = left_out(e.name for e in every if e not in chosen)
    names = {called(e.name.removeprefix("./")): e for e in every}
    lists = {name: partial(read_member, packed, e, LARGEST) for name, e in names.items() if is_list(name)}
    notes = (f"{nowhere} links of the archive cannot be followed: left out",) if nowhere else ()
    return Members(files, lambda i: packed.extractfile(chosen[i]), False, left, lists, notes)  # type: ignore[arg-type, return-value]


def target_of(entry: tarfile.TarInfo) -> str:
    """Return the name of the file that a link in a tar stands for."""
    return os.path.normpath(
        os.path.join(os.path.dirname(entry.name), entry.linkname) if entry.issym() else entry.linkname
    )


def read_member(packed: tarfile.TarFile, entry: tarfile.TarInfo, most: int) -> bytes:
    """Return the first bytes of a member of a tar; none where it is damaged."""
    try:
        file = packed.extractfile(entry)
        return file.read(most) if file else b""
    except (KeyError, *DAMAGED):
        return b""


def left_note(left: Counter[str]) -> list[str]:
    """Return how many files are no pictures, by their endings."""
    count = sum(left.values())
    named = ", ".join(f"{n} {shown(ending)}" for ending, n in left.most_common(5))
    more = " and others" if len(left) > 5 else ""
    return [f"{count} other file{'s' * (count != 1)} left out: {named}{more}"] if count else []
