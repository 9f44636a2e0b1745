"""The cells of a column in a tenth of the memory of a list: parts of the file's text, taken apart where they are read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import overload

PART = 1 << 15  # cells
SEAM = "\0"  # between cells; no text holds it, see delimited.whole_lines


class Packed(Sequence[str]):
    """Cells that are appended once and read in their order."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.ends: list[int] = []  # how many cells there are up to the end of each part
        self.open: list[str] = []

    def append(self, cell: str) -> None:
        """Add a cell at the end."""
        self.open.append(cell)
        if len(self.open) == PART:
            self.close()

    def lead(self, cell: str) -> None:
        """Put a cell before all others."""
        self.parts.insert(0, cell)
        self.ends = [1, *(end + 1 for end in self.ends)]

    def close(self) -> None:
        """Pack the cells that were added last."""
        if self.open:
            self.ends.append(len(self))
            self.parts.append(SEAM.join(self.open))
            self.open = []

    def __len__(self) -> int:
        return (self.ends[-1] if self.ends else 0) + len(self.open)

    def __iter__(self) -> Iterator[str]:
        return chain(chain.from_iterable(part.split(SEAM) for part in self.parts), self.open)

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
        return self.open[at - before] if part == len(self.parts) else self.parts[part].split(SEAM)[at - before]
