"""The prepared form of a user's data: one file of equal rows in the cache folder that training maps into memory.

A preparation that is interrupted resumes where it stopped; `about.json` is written last, and without it nothing is read.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from wgan.data.conditions import Raw, fit
from wgan.data.own.archives import shown
from wgan.data.own.condition_columns import require_sound, taken
from wgan.data.split import chosen, contents_of, held_out_mask
from wgan.errors import WganError
from wgan.files import cache_home, write_whole

FORMAT = 5  # of the prepared files; raised when preparation changes what it makes
COMMIT = 2.0  # seconds between two moments at which what was written counts as done
TODO, DONE, BAD = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Prepared:
    """Prepared data on disk: N rows of `shape`, labels and what is known about them."""

    folder: Path
    shape: tuple[int, ...]
    rows: NDArray[np.int64]  # [N], where each sample lies in the file
    labels: NDArray[np.int64] | None  # [N]
    held_out: NDArray[np.bool_] | None  # [N], where the data name what is for testing, or hold equal samples
    about: dict[str, Any]  # class_names, units, notes, bad, fingerprint, kind, facts
    conditions: NDArray[np.float64] | None = None  # [N, A], codes of what about["conditions"] describes

    def __len__(self) -> int:
        return len(self.rows)

    def values(self) -> NDArray[Any]:
        """Return the file mapped into memory, uint8 or float32 [all rows, *shape], read-only."""
        dtype = np.dtype(self.about["dtype"])
        mapped = np.memmap(self.folder / "x.bin", dtype, "r")
        return mapped.reshape(-1, *self.shape)


def key_of(*what: Any) -> str:
    """Return the name of the folder for data that are described by `what` (anything that JSON can hold)."""
    text = json.dumps([FORMAT, *what], ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def load(key: str) -> Prepared | None:
    """Return the finished data of `key`, or None."""
    folder = cache_home() / "data" / key
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
        shape = tuple(about["shape"])
        wanted = about["count"] * math.prod(shape) * np.dtype(about["dtype"]).itemsize
        if (folder / "x.bin").stat().st_size != wanted:
            return None
        with np.load(folder / "rows.npz", allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile, zlib.error):
        return None  # never finished, or damaged: prepare it again
    return prepared_of(folder, shape, about, found)


def prepared_of(
    folder: Path, shape: tuple[int, ...], about: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> Prepared:
    """Return the data of a folder with the arrays in its rows.npz."""
    labels, held_out, conditions = (arrays.get(name) for name in ("labels", "held_out", "conditions"))
    return Prepared(folder, shape, arrays["rows"], labels, held_out, about, conditions)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one sentence."""
    try:
        yield
    except OSError as error:
        raise WganError(
            f"cannot write the prepared data to {shown(folder)}: {error.strerror or error}; make room, or set WGAN_CACHE to "
            "a folder with more"
        ) from None


@contextmanager
def locked(key: str) -> Iterator[Path]:
    """Hold the folder of `key` for one writer; another process that wants the same data waits."""
    folder = cache_home() / "data" / key
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        if [p.name for p in folder.iterdir()] == [".lock"]:  # the data were refused: nothing stays behind
            with suppress(OSError):
                (folder / ".lock").unlink()
                folder.rmdir()


def require_room(folder: Path, size: int, where: str) -> None:
    """Raise WganError when `size` bytes do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise WganError(
            f"{where} prepared needs {gigabytes(size)} in {shown(folder.parent)}, where {gigabytes(free)} are free: "
            "give a smaller --size, or set WGAN_CACHE to a folder with more room"
        )


def gigabytes(size: int) -> str:
    """Return a number of bytes as text for people."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


class Writer:
    """Rows of one shape and type, written in any order; what was committed survives a kill.

    conditions: columns [N] beside the rows, which finish() brings into units. WganError where a row has none.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        shape: tuple[int, ...],
        dtype: str,
        where: str,
        conditions: Raw | None = None,
    ) -> None:
        if conditions is not None:
            require_sound(conditions, count, where)
        self.where, self.conditions = where, conditions
        self.folder, self.count, self.shape, self.dtype = folder, count, shape, dtype
        self.row_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        self.state = np.zeros(count, np.uint8)
        self.sums = np.zeros(count, np.uint32)  # of each row: what the fingerprint and the search for duplicates read
        self.reasons: dict[int, str] = {}
        self.plan = folder / "plan.npz"
        self.next = -1  # the row at which the file stands
        self._resume()
        require_room(folder, self.row_bytes * int((self.state != DONE).sum()), where)
        with disk_errors(folder):
            mode = "r+b" if (folder / "x.bin").exists() else "w+b"
            self.file = open(folder / "x.bin", mode)  # noqa: SIM115, closed by finish() or discard()

    def _resume(self) -> None:
        """Take over what an interrupted preparation of the same data had committed."""
        try:
            with np.load(self.plan, allow_pickle=False) as saved:
                if saved["state"].shape == (self.count,) and tuple(saved["shape"]) == self.shape:
                    self.state, self.sums = saved["state"], saved["sums"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
            (self.folder / "x.bin").unlink(missing_ok=True)
        self.state[self.state == BAD] = TODO

    @property
    def todo(self) -> list[int]:
        """The rows that are not written yet."""
        return np.flatnonzero(self.state != DONE).tolist()

    def fill(self, results: Iterable[tuple[int, NDArray[Any] | str]], progress: Callable[[int], None]) -> None:
        """Write (row number, row) pairs; a text instead of a row says why it cannot be read."""
        with disk_errors(self.folder):
            committed = time.monotonic()
            for done, (i, row) in enumerate(results, 1):
                if isinstance(row, str):
                    self.state[i], self.reasons[i] = BAD, row
                else:
                    self._write(i, row)
                if time.monotonic() - committed >= COMMIT:
                    self.commit()
                    committed = time.monotonic()
                progress(done)
            self.file.truncate(self.count * self.row_bytes)
            self.commit()

    def fill_whole(self, rows: NDArray[Any]) -> None:
        """Write all rows [N, ...], which are in memory."""
        data = np.ascontiguousarray(rows, self.dtype)
        assert data.shape == (self.count, *self.shape), (data.shape, self.shape)
        with disk_errors(self.folder):
            self.file.seek(0)
            self.file.write(data.data)
            self.file.truncate(data.nbytes)
            self.state[:], self.sums = DONE, contents_of(data)
            self.commit()

    def _write(self, i: int, row: NDArray[Any]) -> None:
        data = np.ascontiguousarray(row, dtype=self.dtype).data.cast("B")
        assert len(data) == self.row_bytes, (row.shape, self.shape)
        if i != self.next:
            self.file.seek(i * self.row_bytes)
        self.file.write(data)
        self.next = i + 1
        self.state[i], self.sums[i] = DONE, zlib.crc32(data)

    def commit(self) -> None:
        """Make everything written so far durable, then note it."""
        self.file.flush()
        os.fsync(self.file.fileno())
        write_whole(self.plan, lambda f: np.savez(f, state=self.state, sums=self.sums, shape=np.array(self.shape)))

    def finish(
        self, labels: NDArray[np.int64] | None, held_out: NDArray[np.bool_] | None, about: dict[str, Any]
    ) -> Prepared:
        """Close the file and write what it holds; only now it counts as prepared."""
        self.file.close()
        rows = np.flatnonzero(self.state == DONE)
        arrays: dict[str, NDArray[Any]] = {"rows": rows, "sums": self.sums[rows]}
        arrays |= {} if labels is None else {"labels": labels[rows]}
        held_out = chosen(self.sums[rows], arrays.get("labels")) if held_out is None else held_out[rows]
        arrays |= {} if held_out is None else {"held_out": held_out}
        if self.conditions is not None:
            train = ~held_out_mask(len(rows), held_out)
            found, arrays["conditions"] = fit(taken(self.conditions, rows), train, self.where)
            about = {**about, "conditions": found.to_json()}
        whole = {"format": FORMAT, "shape": list(self.shape), "dtype": self.dtype, "count": self.count, **about}
        whole["fingerprint"] = fingerprint(arrays, whole)
        with disk_errors(self.folder):
            write_whole(self.folder / "rows.npz", lambda f: np.savez(f, **arrays))  # type: ignore[arg-type]
            text = json.dumps(whole, indent=1).encode()
            write_whole(self.folder / "about.json", lambda f: f.write(text))
            self.plan.unlink(missing_ok=True)
        return prepared_of(self.folder, self.shape, whole, arrays)

    def discard(self) -> None:
        """Drop everything: the data turned out to be unusable."""
        self.file.close()
        for name in ("x.bin", "plan.npz"):
            (self.folder / name).unlink(missing_ok=True)


def fingerprint(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> str:
    """Return a hash of what would be trained on: rows, labels, split, shape, units; not of names or dates."""
    digest = hashlib.sha256()
    for name in ("sums", "labels", "held_out"):
        digest.update(arrays[name].tobytes() if name in arrays else b"-")
    if "conditions" in arrays:
        digest.update(arrays["conditions"].tobytes())
    units = about["units"] and {
        k: v for k, v in about["units"].items() if k not in ("low", "high", "step", "values", "below")
    }  # of the rows
    more = [about[name] for name in ("table", "signal", "depth", "conditions") if about.get(name)]
    digest.update(json.dumps([about["shape"], about["dtype"], about["class_names"], units, *more]).encode())
    return digest.hexdigest()[:32]
