"""Nothing that is read can run: a pickle in place of every file is refused or passed over, and never run."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from helpers.hostile import PICKLE, SPRUNG, hostile_npz

from wgan.data import open_source
from wgan.errors import WganError
from wgan.evaluation.samples import read_arrays
from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.sampling.model import load


def read_model(run: Path) -> None:
    load(run).sample(1)


def read_state(run: Path) -> None:
    checkpoint.load_newest(run / "checkpoints")


def read_lines(run: Path) -> None:
    open_run(run).log()


def test_no_loader_runs_a_pickle(ring: Path, tmp_path: Path) -> None:
    """A pickle in place of every file that is read: refused in one sentence or passed over, and never run."""
    with pytest.raises(SystemExit, match=SPRUNG):
        pickle.loads(PICKLE)  # the trap works
    files = sorted(p.relative_to(ring) for p in ring.rglob("*") if p.is_file() and p.name != ".lock")
    assert {p.suffix for p in files} >= {".json", ".jsonl", ".safetensors"}
    for i, name in enumerate(files):
        run = Path(shutil.copytree(ring, tmp_path / str(i)))
        (run / name).write_bytes(PICKLE)
        for work in (read_model, read_state, read_lines):
            try:
                work(run)
            except WganError as error:
                assert "\n" not in str(error)
    for i, raw in enumerate([PICKLE, *hostile_npz()]):
        for suffix in (".npz", ".npy"):
            path = tmp_path / f"data{i}{suffix}"
            path.write_bytes(raw)
            try:
                assert all(array.dtype != object for array in read_arrays(path).values())
            except WganError as error:
                assert "\n" not in str(error)
    for suffix in (".npz", ".npy", ".safetensors", ".csv", ".png", ".zip", ".tar", ".parquet"):
        path = tmp_path / f"own{suffix}"
        path.write_bytes(PICKLE)
        with pytest.raises(WganError):
            open_source(str(path), "train")
