"""Data frames of pandas or polars, neither of which is imported: kept in the cache as a CSV file under a hash of its content."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from wgan.data.own.cache import disk_errors
from wgan.data.own.delimited import is_number, require_distinct
from wgan.files import cache_home, write_whole


@runtime_checkable
class Frame(Protocol):
    """What a DataFrame of pandas and one of polars have in common."""

    columns: Any

    def __getitem__(self, name: Any) -> Any: ...
    def __len__(self) -> int: ...


def is_frame(data: Any) -> bool:
    """Return whether data are a DataFrame in memory."""
    return type(data).__name__ == "DataFrame" and isinstance(data, Frame)


def keep_frame(frame: Frame) -> str:
    """Keep a DataFrame in the cache folder; return the hash of its content that stands for it. Its index is left out.

    Columns that are called by numbers get an x in front. Raises WganError for two columns of one name.
    """
    names = [str(name) for name in frame.columns]
    require_distinct(names, "data")
    columns = [cells_of(frame[name].to_list()) for name in frame.columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"x{name}" if is_number(name) else name for name in names])
    writer.writerows(zip(*columns, strict=True))
    content = text.getvalue().encode()
    path = cache_home() / "given" / f"{hashlib.sha256(content).hexdigest()[:24]}.csv"
    if not path.is_file():
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda f: f.write(content))
    return path.stem


def cells_of(values: Iterable[Any]) -> list[str]:
    """Return the values of a column as cells: nothing for None, NaN, NaT and NA; moments all in one format."""
    some: list[Any] = ["" if v is None or str(v) in ("nan", "NaT", "<NA>") else v for v in values]
    moments = [v for v in some if isinstance(v, datetime)]
    if moments and all(isinstance(v, datetime) or v == "" for v in some):
        fraction = fraction_of(moments)
        return [v and v.isoformat(" ", fraction) for v in some]
    return [str(v) for v in some]


def fraction_of(moments: Iterable[datetime]) -> str:
    """Return how fine moments are, as datetime.isoformat names it."""
    fractions = {v.microsecond for v in moments}
    if fractions == {0}:
        return "seconds"
    return "microseconds" if any(f % 1000 for f in fractions) else "milliseconds"
