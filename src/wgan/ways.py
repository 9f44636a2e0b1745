"""Which of the equal ways of computing a run takes: chosen where it begins, recorded in run.json, kept when it is continued."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LINEAR = ("onednn", "mkl")
LIBRARY, PRODUCTS = SMALL_MAPS = ("library", "products")


@dataclass(frozen=True)
class Ways:
    """Ways of computing that give the same numbers up to rounding; the default is what runs before 0.2 used.

    Other convolutions have no choice: ours took no longer than PyTorch's in any recipe, with AVX2 or AVX-512
    (benchmarks/NOTES.md).
    """

    linear: str = "onednn"  # whose fp32 products of fully connected layers: LINEAR
    small_maps: str = (
        LIBRARY  # in fp32: PRODUCTS = MKL's, for each tap over small maps, over patches for weight gradients
    )

    def to_json(self) -> dict[str, str]:
        """Return the object that run.json holds."""
        return asdict(self)

    def __str__(self) -> str:
        return self.linear if self.small_maps == LIBRARY else f"{self.linear}, {self.small_maps}"

    def known(self) -> bool:
        """Return whether these are ways that there are; a file may say anything."""
        return self.linear in LINEAR and self.small_maps in SMALL_MAPS


OLD = Ways()


def ways_of(value: Any) -> Ways:
    """Return the ways that a file holds; such as there are not (`known`) for anything else."""
    try:
        return Ways(**value)
    except TypeError:
        return Ways("")
