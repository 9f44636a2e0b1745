"""All cores at work on the files of a folder or an archive, with never more than a few of them in memory."""

from __future__ import annotations

import io
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from wgan.data.own.archives import DAMAGED, LARGEST, Members
from wgan.data.own.decode import Unreadable
from wgan.distributed.cores import cores

WAITING = 1 << 28  # bytes of files of an archive that are read and not yet decoded
TOGETHER = 32  # files in one job of a thread

Result = TypeVar("Result")


def each(members: Members, jobs: Any, function: Callable[[Any], Result]) -> Iterator[tuple[int, Result | str]]:
    """Yield (number, function(open file)) in order, on all cores; never more than a few files, or WAITING bytes, in memory.

    Pillow decodes without Python's lock, so threads are as fast as processes; a job is a few files, because handing over
    costs as much as a small picture. What an archive holds is read here, one after the other, and only decoded in parallel.
    """

    def one(i: int, data: bytes | str | None) -> Result | str:
        if isinstance(data, str):
            return data
        try:
            with members.open(i) if data is None else io.BytesIO(data) as file:
                return function(file)
        except Unreadable as reason:
            return str(reason)
        except OSError as error:
            return f"it cannot be read ({error.strerror or type(error).__name__})"

    def work(part: list[int], data: list[bytes | str | None]) -> list[tuple[int, Result | str]]:
        return [(i, one(i, d)) for i, d in zip(part, data, strict=True)]

    workers = cores()
    waiting: deque[tuple[int, Future[list[tuple[int, Result | str]]]]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:  # once: filters are shared by all threads
        warnings.simplefilter("ignore")
        for part in together(members, jobs):
            coming = sum(members.files[i].size for i in part)
            while waiting and (len(waiting) > 4 * workers or coming + sum(size for size, _ in waiting) > WAITING):
                yield from waiting.popleft()[1].result()
            # no name for what is read: it would live until the next is there
            waiting.append((coming, pool.submit(work, part, [_bytes(members, i) for i in part])))
        while waiting:
            yield from waiting.popleft()[1].result()


def together(members: Members, jobs: Iterable[int]) -> Iterator[list[int]]:
    """Yield the files in their order, up to TOGETHER of them in one job, fewer where they are large."""
    part: list[int] = []
    for i in jobs:
        size = sum(members.files[k].size for k in part)
        if part and (len(part) == TOGETHER or size + members.files[i].size > WAITING // 16):
            yield part
            part = []
        part.append(i)
    if part:
        yield part


def _bytes(members: Members, i: int) -> bytes | str | None:
    """Return what a member of an archive holds, or why it cannot be read; None for a file of a folder, opened later."""
    if members.files[i].size > LARGEST:
        return f"the file is larger than {LARGEST >> 20} MiB"
    if members.parallel:
        return None
    try:
        with members.open(i) as file:
            return file.read()
    except DAMAGED as error:
        return f"it cannot be read ({type(error).__name__})"
