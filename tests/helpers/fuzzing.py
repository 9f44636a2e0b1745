"""The rules that hostile input is held to: it works or is refused in one sentence, in bounded time and memory.

CI runs about 200 cases; `pytest -m slow tests/test_fuzz_*.py -s` runs 10,000 and more and prints how they came out.
"""

from __future__ import annotations

import functools
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wgan.errors import WganError

SECONDS, BYTES = 10.0, 1 << 30


class Bench:
    """Runs cases: each must work or raise one sentence, in time, and write nothing outside its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.counts = folder, Counter[str]()
        self.inside, self.outside = folder / "inside", folder / "outside"
        self.outside.mkdir()
        (self.outside / "mine.txt").write_text("mine")

    def fresh(self) -> Path:
        """Return an empty folder for one case."""
        shutil.rmtree(self.inside, ignore_errors=True)
        self.inside.mkdir()
        return self.inside

    def judge_bombs(self, work: Callable[[], Any]) -> None:
        """Run a case of several large pictures, each of which has its ten seconds."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules[__name__], "SECONDS", 80.0)
            self.judge(work)

    def judge(self, work: Callable[[], Any]) -> None:
        """Run one case and hold it to the rules."""
        begun = time.process_time()  # of all threads: pictures are decoded on several
        try:
            work()
            self.counts["worked"] += 1
        except WganError as error:
            said = str(error)
            assert "\n" not in said and 10 < len(said) < 1000, said
            self.counts["refused"] += 1
        assert time.process_time() - begun < SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < self.baseline + BYTES
        assert {p.name for p in self.folder.iterdir()} <= {"inside", "outside", "run"}
        assert [p.read_text() for p in self.outside.iterdir()] == ["mine"]

    @functools.cached_property
    def baseline(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Quiet:
    """Stands for TensorBoard's file: opening one takes longer than a case."""

    class file:
        flush = close = staticmethod(lambda: None)

    scalars = image = text = staticmethod(lambda *_: None)
