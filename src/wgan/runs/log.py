"""What a run writes while it trains: log.jsonl (the same bytes for the same run), times.jsonl, TensorBoard events."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wgan.errors import WganError
from wgan.files import Appender, write_error, write_whole
from wgan.runs.tensorboard import Events

SELECTION = "evaluate/selection"  # the tag by which the best step is chosen: lower is better
LINE_LIMIT = 1 << 20  # bytes; a longer line was not written here, and must not fill the memory


def encode(step: int, values: Mapping[str, Any]) -> bytes:
    """Return one line of JSON: keys in the given order, floats by repr, a number that is not finite as null."""
    finite = {k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in values.items()}
    return json.dumps({"step": step, **finite}, allow_nan=False).encode() + b"\n"


def record_of(line: bytes) -> dict[str, Any] | None:
    """Return the record of one line (null back as nan), or None for bytes that are not one whole record."""
    try:
        record = json.loads(line.decode()) if line.endswith(b"\n") else {}
        step = record.pop("step")
        if type(step) is not int or not 0 <= step < 2**63:
            return None
        return {"step": step, **{key: value_of(value) for key, value in record.items()}}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def value_of(value: Any) -> str | float:
    """Return a value of a record: a text (an alarm) or a number; TypeError for anything else."""
    if isinstance(value, str):
        return value
    return math.nan if value is None else float(value)


def raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of `file`; what is longer than LINE_LIMIT comes in pieces, none of which is a record."""
    return iter(lambda: file.readline(LINE_LIMIT), b"")


def unreadable(path: Path, number: int) -> WganError:
    return WganError(f"{path} line {number} is not a record: delete that line, or restore the file")


def open_for_reading(path: Path) -> BinaryIO:
    """Open a log; one that does not exist yet reads as empty."""
    if path.exists() and not path.is_file():  # a pipe would make us wait forever
        raise WganError(f"{path} is not a file")
    try:
        return path.open("rb")
    except FileNotFoundError:
        return io.BytesIO()
    except OSError as error:
        raise WganError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the records of folder/log.jsonl; a torn end is left out.

    Raises WganError with the line number for an unreadable line before the last.
    """
    path = Path(folder) / "log.jsonl"
    records: list[dict[str, Any]] = []
    bad = 0
    with open_for_reading(path) as file:
        for number, line in enumerate(raw_lines(file), 1):
            if bad:  # the unreadable line was not the last
                raise unreadable(path, bad)
            record = record_of(line)
            if record is None:
                bad = number
            else:
                records.append(record)
    return records


def kept(path: Path, step: int) -> Iterator[bytes]:
    """Yield the lines up to `step`; nothing for step 0, because a run from the start writes everything again.

    A line that cannot be read is the torn end of a killed process, unless a line to keep follows it.
    """
    bad = 0
    with open_for_reading(path) as file:
        for number, line in enumerate(raw_lines(file), 1):
            record = record_of(line)
            if record is None:
                bad = bad or number
            elif record["step"] <= step and step > 0:
                if bad:
                    raise unreadable(path, bad)
                yield line


def cut(path: Path, step: int) -> None:
    """Leave in `path` only the lines up to `step`, in one pass, so that no crash can leave half a file.

    The file is always written from the start: then appending to it never follows a link out of the run folder.
    """
    try:
        write_whole(path, lambda file: file.writelines(kept(path, step)))
    except OSError as error:
        raise write_error(path, error) from None


class Log:
    """The three records of a run in `folder`, continued after `resume_step` (0 = from the start).

    Everything of a step must be written before that step's checkpoint, with `flush()` between: on opening, lines
    after `resume_step` are dropped because they will be written again, and those up to it are kept.
    """

    def __init__(self, folder: Path, resume_step: int) -> None:
        folder = Path(folder)
        for name in ("log.jsonl", "times.jsonl"):
            cut(folder / name, resume_step)
        self.log, self.times = Appender(folder / "log.jsonl"), Appender(folder / "times.jsonl")
        self.events = Events(folder / "events", purge_step=resume_step + 1 if resume_step else 0)
        self.opened = self.timed = time.monotonic()
        self.timed_step = resume_step

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line of numbers; the tags are TensorBoard's too."""
        numbers = {tag: float(value) for tag, value in values.items()}
        self.log.write(encode(step, numbers))
        self.events.scalars(step, numbers)
        if step > self.timed_step:
            self._time(step)

    def _time(self, step: int) -> None:
        """Note when `step` was reached, apart from log.jsonl, whose bytes must not depend on the clock."""
        now = time.monotonic()
        rate = (step - self.timed_step) / max(now - self.timed, 1e-9)
        seconds = {"seconds": round(now - self.opened, 3), "steps_per_second": round(rate, 3), "unix": time.time()}
        self.times.write(encode(step, seconds))
        self.timed, self.timed_step = now, step

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """Show an image, uint8 [H, W, 3], in TensorBoard; its file among the samples is the caller's."""
        self.events.image(step, tag, image)

    def event(self, step: int, text: str) -> None:
        """Write an alarm: something a person should know about that step."""
        self.log.write(encode(step, {"alarm": text}))
        self.events.text(step, "alarm", text)

    def flush(self) -> None:
        """Wait until all of it is on the disk; call it before a checkpoint is written."""
        for file in (self.log, self.times, self.events.file):
            file.flush()

    def close(self) -> None:
        for file in (self.log, self.times, self.events.file):
            file.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()
