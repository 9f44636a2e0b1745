"""Files written whole or not at all: the one atomic writer; and the file that only grows."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from wgan.errors import WganError

FULL = "no space left on device: free some and run the same command again, the last checkpoint is whole"


def cache_home() -> Path:
    """Return the folder of what can be made again: $WGAN_CACHE, else $XDG_CACHE_HOME/wgan, else ~/.cache/wgan.

    Prepared data lie there, and what was measured of a processor.
    """
    if os.environ.get("WGAN_CACHE"):
        return Path(os.environ["WGAN_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wgan"


def write_whole(path: Path, write: Callable[[Any], object], suffix: str = ".part") -> None:
    """Let `write` fill a new file next to `path`, sync it, rename it over `path`, sync the folder.

    A reader never sees half a file, and a crash leaves the old one. OSError is the caller's to explain; the unfinished
    file, `.NAME` with `suffix`, is then removed.
    """
    part = path.with_name(f".{path.name}{suffix}")
    try:
        part.unlink(missing_ok=True)  # a new file: writing never follows a link out of the folder
        with open(part, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`; WganError for a full disk or a folder that cannot be written, `path` is then as it was."""
    try:
        write_whole(path, lambda file: file.write(data), ".tmp")
    except OSError as error:
        raise WganError(f"cannot write {path}: {error.strerror}; what was saved before is whole") from None


def replace_file(path: Path, write: Callable[[Any], object]) -> None:
    """Let `write` fill `path`; WganError where it cannot be written, `path` is then as it was."""
    try:
        write_whole(Path(path), write)
    except OSError as error:
        raise WganError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a power cut, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows cannot open a folder; its renames need no sync
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_error(path: Path, error: OSError) -> WganError:
    """Say in one sentence which file of a run could not be written, and why."""
    reason = FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else (error.strerror or str(error)).lower()
    return WganError(f"cannot write {path}: {reason}")


class Appender:
    """A file that only grows: each write goes to the system at once, and a failure names the file."""

    def __init__(self, path: Path, mode: str = "ab") -> None:
        self.path = path
        try:
            self.file = io.FileIO(path, mode)  # no buffer of ours: after a kill the last line is there
        except OSError as error:
            raise write_error(path, error) from None

    def write(self, data: bytes) -> None:
        """Append `data`; WganError when the disk is full, or the file cannot be written."""
        try:
            while data:  # a nearly full disk takes a part first and refuses the rest
                data = data[self.file.write(data) or 0 :]
        except OSError as error:
            raise write_error(self.path, error) from None

    def flush(self) -> None:
        """Wait until the bytes are on the disk; WganError if the file was deleted meanwhile."""
        try:
            os.fsync(self.file.fileno())
            gone = os.fstat(self.file.fileno()).st_nlink == 0
        except OSError as error:
            raise write_error(self.path, error) from None
        if gone:
            raise WganError(f"cannot write {self.path}: it was deleted while the run was writing to it")

    def close(self) -> None:
        """Close the file."""
        self.file.close()
