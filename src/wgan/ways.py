"""Which of the equal ways of computing a run takes: chosen where it begins, recorded in run.json, kept when it is continued."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LINEAR = ("onednn", "mkl")
CONVOLUTION = ("own", "library")


@dataclass(frozen=True)
class Ways:
    """Ways of computing that give the same numbers up to rounding; the defaults are what runs before 0.2 used."""

    linear: str = "onednn"  # whose fp32 products of fully connected layers: LINEAR
    convolution: str = "own"  # PyTorch's, or ours of models/fast/convolution.py: CONVOLUTION

    def to_json(self) -> dict[str, str]:
        """Return the object that run.json holds."""
        return asdict(self)

    def known(self) -> bool:
        """Return whether these are ways that there are; a file may say anything."""
        return self.linear in LINEAR and self.convolution in CONVOLUTION


OLD = Ways()


def ways_of(value: Any) -> Ways:
    """Return the ways that a file holds; such as there are not (`known`) for anything else."""
    try:
        return Ways(**value)
    except TypeError:
        return Ways("", "")
