"""A disk that is full at any moment: one sentence, exit code 2, the last checkpoint whole, and the same bytes in the end."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.child_processes import make_cheap

from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.runs.log import read_log
from wgan.training import loop

RING = shlex.split("train gulrajani-ring --generator-layers 4 --critic-layers 4 --batch 4 --n-critic 1 --threads 1")
SHORT = shlex.split("--steps 4 --log-every 1 --sample-every 2 --checkpoint-every 2 --evaluate-every 0")
PLACES = ("fsync", "replace", "open", "write", "mkdir")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out evaluation and plots, and draw sheets of ten points."""
    make_cheap(monkeypatch.setattr)
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    for name in ("sampling.generate", "sampling.latents", "training.pictures"):
        monkeypatch.setattr(f"wgan.{name}.BLOCK", 10)


def kept(run: Path) -> dict[str, bytes]:
    """Everything but clock times and TensorBoard's files."""
    files = [p for p in run.rglob("*") if p.is_file() and p.parent.name != "events"]
    return {str(p.relative_to(run)): p.read_bytes() for p in files if p.name not in ("times.jsonl", ".lock")}


class Full:
    """From call `count` on every call of a kind is refused for want of room."""

    def __init__(self, count: int) -> None:
        self.left = count

    def wrap(self, works: Any, only: Any = lambda *_: True) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if only(*arguments):
                self.left -= 1
                if self.left < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return works(*arguments, **options)

        return call


class FullFile(io.FileIO):
    """A file that takes a part of what is written, and then no more."""

    full: Full

    def write(self, data: Any) -> int:
        self.full.left -= 1
        if self.full.left == 0:
            return super().write(bytes(data)[: len(data) // 2])
        if self.full.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@contextmanager
def full_disk(place: str, count: int) -> Iterator[Full]:
    """Within the block the disk is full from call `count` on, as seen by one kind of call."""
    full = Full(count)
    with pytest.MonkeyPatch.context() as patch:
        if place in ("fsync", "replace"):
            patch.setattr(os, place, full.wrap(getattr(os, place)))
        elif place == "mkdir":
            patch.setattr(Path, "mkdir", full.wrap(Path.mkdir))
        elif place == "open":
            patch.setattr(builtins, "open", full.wrap(open, lambda path, mode="r", *_: "b" in mode and "r" not in mode))
            patch.setattr(Path, "open", full.wrap(Path.open, lambda path, mode="r", *_: "x" in mode))
        else:
            FullFile.full = full
            patch.setattr(io, "FileIO", FullFile)
        yield full


@pytest.mark.parametrize("stride", [25, pytest.param(1, marks=pytest.mark.slow)])  # every call in the slow set
def test_a_disk_full_at_any_call_stops_and_resumes(tmp_path: Path, command: Any, stride: int) -> None:
    """It stops in one sentence, and the run resumes when there is room."""
    assert command(*RING, *SHORT, "--run", tmp_path / "whole").code == 0
    whole = kept(tmp_path / "whole")
    for place in PLACES:
        with full_disk(place, 1000) as unused:
            assert command(*RING, *SHORT, "--run", tmp_path / place).code == 0
        calls = 1000 - unused.left
        assert calls > 1, place
        for count in range(0, calls, stride):
            run = tmp_path / f"{place}-{count}"
            with full_disk(place, count):
                said = command(*RING, *SHORT, "--run", run).sentence()
            assert "o space left on device" in said, (place, count, said)
            if run.exists():
                found, notes = checkpoint.load_newest(run / "checkpoints")
                assert notes == [] and (found is None or found.step in (2, 4)), (place, count)
            assert command(*RING, *SHORT, "--run", run).code == 0
            assert kept(run) == whole, (place, count)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with a little room; only root can have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.mark.slow
def test_a_small_disk_fills_up_and_is_enlarged(tmp_path: Path, small_disk: Path, command: Any) -> None:
    words = [*RING, "--generator-layers", "100 100", "--steps", "400", "--log-every", "1", "--checkpoint-every", "20"]
    words += ["--sample-every", "0", "--evaluate-every", "0"]
    run, stops = small_disk / "run", []
    for size in ("200k", "260k", "320k"):
        remount(small_disk, f"size={size}")
        said = command(*words, "--run", run).sentence()
        assert "o space left on device" in said
        found, notes = checkpoint.load_newest(run / "checkpoints")
        assert notes == []
        stops.append(0 if found is None else found.step)
    assert stops == sorted(stops) and stops[-1] > 0
    remount(small_disk, "size=20m")
    assert command(*words, "--run", run).code == 0
    assert command(*words, "--run", tmp_path / "whole").code == 0
    assert kept(run) == kept(tmp_path / "whole")
    assert [r["step"] for r in read_log(run)] == list(range(1, 401))
    print(f"\nstopped for want of room at the checkpoints of steps {stops}, then finished with the same bytes")


@pytest.mark.slow
def test_a_disk_that_becomes_read_only_stops_in_one_sentence(small_disk: Path, command: Any) -> None:
    remount(small_disk, "size=20m")
    run = small_disk / "run"
    assert command(*RING, *SHORT, "--run", run).code == 0
    before = kept(run)
    remount(small_disk, "ro")
    said = command(*RING, *SHORT, "--steps", "8", "--run", run).sentence()
    assert "ead-only file system" in said and str(small_disk) in said
    assert kept(run) == before
    assert "ead-only file system" in command(*RING, *SHORT, "--run", small_disk / "other").sentence()
    remount(small_disk, "rw")
    assert command(*RING, *SHORT, "--steps", "8", "--run", run).code == 0
    assert open_run(run).step == 8
