"""Folders, zips and tars of pictures: what they hold, and their one-time preparation on all cores."""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data.own.archives import DAMAGED, LARGEST, Grouping, Member, Members, group, opened, shown
from wgan.data.own.cache import Prepared, Writer, key_of, load, locked
from wgan.data.own.decode import Frame, Header, Unreadable, decode, header
from wgan.data.own.progress import ticking
from wgan.data.split import require_enough
from wgan.distributed.cores import cores
from wgan.errors import WganError

LARGE = 128  # pixels: pictures that are all alike and no larger stay as they are
WAITING = 1 << 28  # bytes of files of an archive that are read and not yet decoded
TOGETHER = 32  # files in one job of a thread
SHARE_BAD = 0.01  # of unreadable files; more are refused

Result = TypeVar("Result")


class TooManyBad(WganError):
    """More files than 1 % cannot be read; `bad`: the name of each, and why."""

    def __init__(self, text: str, bad: list[tuple[str, str]]) -> None:
        super().__init__(text)
        self.bad = bad


@dataclass(frozen=True)
class Survey:
    """What the headers of all pictures say: a Header for each readable one, a reason for each other."""

    found: dict[int, Header]
    bad: dict[int, str]

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many pictures have each (width, height)."""
        return Counter((h.width, h.height) for h in self.found.values())

    @property
    def grey(self) -> int:
        """How many pictures are grey."""
        return sum(h.grey for h in self.found.values())


def prepare_pictures(path: Path, options: ReadingOptions) -> Prepared:
    """Return the pictures of a folder or archive, prepared now or before.

    Raises WganError for nothing to train on, labels that are missing for some, sizes that cannot be made, too many
    unreadable files, or files that change meanwhile.
    """
    where, before = shown(path), stamp(path)
    with opened(path) as members:
        if not members.files:
            others = f", and {members.others} other files" if members.others else ""
            raise WganError(
                f"{where} holds no images (PNG, JPEG, WebP, BMP, TIFF, GIF){others}: give a folder of images"
            )
        require_enough(len(members.files), where)
        key = key_of("pictures", [(os.fsencode(f.name).hex(), f.size, f.stamp) for f in members.files], options.key())
        with locked(key) as folder:
            return load(key) or _prepare(path, before, members, options, folder, where)


def _prepare(
    path: Path, before: tuple[int, int], members: Members, options: ReadingOptions, folder: Path, where: str
) -> Prepared:
    grouping = Grouping((), None, None) if options.labels == "none" else group(members.files, where)
    if options.labels not in ("auto", "none"):
        raise WganError(
            f"labels '{options.labels}' names the column of a table, and {where} holds images: use auto or none"
        )
    survey = survey_of(members)
    require_readable(survey.bad, members.files, where)
    frame, notes = choose_frame(survey, options, where)
    shape = (frame.channels, frame.height, frame.width)
    writer = Writer(folder, len(members.files), shape, "uint8", where)
    jobs = [i for i in writer.todo if i not in survey.bad]
    writer.reasons.update(survey.bad)
    with ticking(len(jobs), f"preparing {where}", "images") as tick:
        writer.fill(decoded(members, jobs, frame), tick)
    bad = {i: reason for i, reason in writer.reasons.items() if writer.state[i] != 1}
    try:
        require_unchanged(path, before, members.files, where)
        require_readable(bad, members.files, where)
    except WganError:
        writer.discard()
        raise
    labels = None if grouping.labels is None else np.array(grouping.labels, np.int64)
    held_out = None if grouping.held_out is None else np.array(grouping.held_out)
    about = {
        "kind": "images",
        "class_names": list(grouping.names),
        "units": None,
        "notes": [*([grouping.note] if grouping.note else []), *notes, *bad_notes(bad, members.files)],
        "bad": [[shown(members.files[i].name), reason] for i, reason in sorted(bad.items())],
        "facts": facts_of(survey, members),
    }
    return writer.finish(labels, held_out, about)


def facts_of(survey: Survey, members: Members) -> dict[str, Any]:
    """Return what `wgan data` says about the files: sizes with their counts, grey ones, files that are no images."""
    sizes = [[w, h, n] for (w, h), n in survey.sizes.most_common(5)]
    every = survey.found.values()
    smallest, largest = min((h.width, h.height) for h in every), max((h.width, h.height) for h in every)
    return {"files": len(members.files), "others": members.others, "grey": survey.grey, "sizes": sizes,
            "different_sizes": len(survey.sizes), "smallest": smallest, "largest": largest}  # fmt: skip


def survey_of(members: Members) -> Survey:
    """Read the headers of all pictures."""
    found: dict[int, Header] = {}
    bad: dict[int, str] = {}
    with ticking(len(members.files), "looking at the files", "images") as tick:
        for done, (i, result) in enumerate(each(members, range(len(members.files)), header), 1):
            if isinstance(result, str):
                bad[i] = result
            else:
                found[i] = result
            tick(done)
    return Survey(found, bad)


def decoded(members: Members, jobs: list[int], frame: Frame) -> Iterator[tuple[int, NDArray[Any] | str]]:
    """Yield (number, uint8 [C, H, W]) of pictures, or why one cannot be read, in their order."""
    return each(members, jobs, lambda file: decode(file, frame))


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


def require_readable(bad: dict[int, str], files: list[Member], where: str) -> None:
    """Raise WganError when more than 1 % of the files cannot be read."""
    if len(bad) > SHARE_BAD * len(files):
        named = [(shown(files[i].name), bad[i]) for i in sorted(bad)]
        raise TooManyBad(
            f"{len(bad)} of {len(files)} images of {where} cannot be read, more than 1 %: the first is {named[0][0]} "
            f"({named[0][1]}); remove or mend them (wgan data lists them)",
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
    return [f"{len(bad)} of {len(files)} files cannot be read and are left out, the first: {shown(files[first].name)} "
            f"({bad[first]})"]  # fmt: skip


def choose_frame(survey: Survey, options: ReadingOptions, where: str) -> tuple[Frame, list[str]]:
    """Return the size and channels that all pictures get, and what to say about that choice."""
    sizes, notes = survey.sizes, []
    width, height = sizes.most_common(1)[0][0]
    alike = len(sizes) == 1
    if not alike and options.crop == "none":
        raise WganError(
            f"{where} holds images of {len(sizes)} sizes, {width}x{height} most often: crop none needs one size; "
            "use --crop center or fit"
        )
    size = options.size
    if not size and not (alike and max(width, height) <= LARGE):
        size = 64 if min(min(w, h) for w, h in sizes) >= 64 else 32
        what = f"all are {width}x{height}" if alike else f"the images have {len(sizes)} sizes"
        notes.append(f"{what}: they are made {size}x{size} (--size, --crop {options.crop})")
    if size and options.crop == "none":
        short = min(width, height)
        width, height = (max(4, round(n * size / short / 4) * 4) for n in (width, height))
    elif size:
        width = height = size
    channels = options.channels or (1 if survey.grey == len(survey.found) else 3)
    if not options.channels and 0 < survey.grey < len(survey.found):
        notes.append(f"{survey.grey} of {len(survey.found)} images are grey: all are read as colour (--channels)")
    return Frame(channels, height, width, options.crop), notes
