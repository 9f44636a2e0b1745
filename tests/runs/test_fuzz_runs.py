"""Hostile files of a run: damaged, linked elsewhere or far too large, they work or are refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fuzzing import Bench
from helpers.hostile import NAMES, cases, damage, edited, mutations
from hypothesis import strategies as st

from wgan.config import Config, from_json
from wgan.errors import WganError
from wgan.runs.folder import open_run
from wgan.sampling.export import write_folder, write_npz
from wgan.sampling.model import load
from wgan.training import loop

# --- files of a run ---------------------------------------------------------------------------------------------------


@cases(30, 2500)
def test_config_files(data: st.DataObject, bench: Bench, ring: Path) -> None:
    valid = (ring / "config.json").read_text()
    raw = data.draw(edited(valid) | mutations(valid.encode()))
    bench.judge(lambda: from_json(raw.decode("utf-8", "replace"), "config.json"))


@cases(40, 1500)
def test_a_run_folder_with_a_damaged_file_is_sampled_or_refused(data: st.DataObject, bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    damage(data, run)

    def use() -> None:
        opened = open_run(run)
        opened.log(), opened.step, opened.best
        model = load(opened)
        samples = model.sample(3)
        write_npz(samples, run / "samples.npz", model)

    bench.judge(use)


@cases(15, 500)
def test_a_run_with_a_damaged_file_is_resumed_or_refused(data: st.DataObject, bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    config = open_run(ring).config.replace(steps=3)
    damage(data, run)
    bench.judge(lambda: loop.train(config, run, tty=False))


@pytest.mark.parametrize("player", ["generator", "critic"])
@pytest.mark.parametrize("layers", ["40000 40000", "2000000000 2000000000", "9" * 30])
def test_a_config_of_networks_far_larger_than_the_checkpoint(
    player: str, layers: str, bench: Bench, ring: Path
) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, f"{player}_layers": layers}))
    refused = bench.counts["refused"]
    bench.judge(lambda: load(run))
    assert bench.counts["refused"] == refused + 1


@cases(10, 300)
def test_links_out_of_the_folder(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """A link where a run writes is refused or replaced; what it points to stays as it is."""
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    files = ["log.jsonl", "times.jsonl", ".log.jsonl.part", ".config.json.tmp", "config.json", ".lock"]
    files += [
        "checkpoints/.step-00000003.json.tmp",
        "checkpoints/step-00000003.safetensors",
        "checkpoints/step-00000001.json",
    ]
    folder = data.draw(st.sampled_from(["", "checkpoints", "samples", "events"]))
    path = run / (folder or data.draw(st.sampled_from(files)))
    shutil.rmtree(path, ignore_errors=True) if folder else path.unlink(missing_ok=True)
    path.symlink_to(bench.outside if folder else bench.outside / "mine.txt")
    steps = data.draw(st.sampled_from([2, 3]))
    bench.judge(lambda: loop.train(open_run(ring).config.replace(steps=steps), run, tty=False))


@pytest.mark.parametrize("name", ["checkpoints", "samples", "events", ".lock"])
def test_a_link_where_a_run_writes_is_refused_by_name(name: str, bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(bench.outside / ("mine.txt" if name == ".lock" else ""))
    with pytest.raises(WganError, match=f"{name} is a symbolic link"):
        loop.train(open_run(ring).config.replace(steps=3), run, tty=False)
    bench.judge(lambda: None)  # nothing was written outside


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 2, 2, 2, 2]},
        {"shape": [0]},
        {"shape": [65536, 65536, 1]},
        {"class_names": [3]},
        {"classes": -1},
        {"classes": 3, "class_names": ["a"]},
        {"precision": "fp8"},
        {"threads": 0},
        {"processes": "2"},
        {"parameters": {"critic": "many"}},
        {"versions": 3},
    ],
    ids=str,
)
def test_facts_that_no_run_has_are_refused(change: dict[str, Any], bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, **change}))
    with pytest.raises(WganError, match="says what no run can be: the run folder is damaged"):
        open_run(run)


@cases(10, 400)
def test_class_names_that_lead_elsewhere(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """Folders are named after classes: whatever these are called, the pictures stay where they were asked for."""
    names = data.draw(st.lists(st.sampled_from(NAMES) | st.text(max_size=300), min_size=1, max_size=3))
    out = bench.fresh() / "out"

    class Made:
        class_names, depth = names, None

    samples = FakeSamples(np.zeros((3, 4, 4), np.uint8), len(names))
    before = {p for p in bench.folder.rglob("*") if bench.inside not in p.parents}
    bench.judge(lambda: write_folder(samples, out, Made()))  # type: ignore[arg-type]
    assert {p for p in bench.folder.rglob("*") if bench.inside not in p.parents} == before
    assert len([p for p in out.rglob("*.png") if p.is_file()]) == 3


class FakeSamples:
    """Three black images with labels."""

    def __init__(self, pixels: np.ndarray, classes: int) -> None:
        self.pixels, self.labels = pixels, torch.arange(3) % classes

    def dim(self) -> int:
        return 4  # as [N, 1, H, W]

    def to_images(self) -> np.ndarray:
        return self.pixels


# --- nothing that is read can run -------------------------------------------------------------------------------------


def test_the_defaults_of_config_are_known() -> None:
    assert from_json(Config().to_json(), "here") == Config()
