"""The cells of a column in a tenth of the memory of a list: parts of the file's text, taken apart where they are read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import overload

SEAM = "\0"  # between cells; no text holds it, see delimited.whole_lines


class Packed(Sequence[str]):
    """Cells that are added once and read in their order."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.ends: list[int] = []  # how many cells there are up to the end of each part

    def extend(self, cells: Sequence[str]) -> None:
        """Add one or more cells at the end; hundreds at once are packed and read fastest."""
        self.ends.append(len(self) + len(cells))
        self.parts.append(SEAM.join(cells))

    def lead(self, cell: str) -> None:
        """Put a cell before all others."""
        self.parts.insert(0, cell)
        self.ends = [1, *(end + 1 for end in self.ends)]

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(part.split(SEAM) for part in self.parts)

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self[i] for i in range(*which.indices(len(self)))]
        at = which + len(self) if which < 0 else which
        if not 0 <= at < len(self):
            raise IndexError(which)
        part = bisect_right(self.ends, at)
        before = self.ends[part - 1] if part else 0
        return self.parts[part].split(SEAM)[at - before]
