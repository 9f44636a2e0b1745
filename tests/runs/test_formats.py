"""Formats: a run folder of every format ever released is loaded, sampled and continued; a newer one is refused.

tests/fixtures/format-1 was written by `wgan train gulrajani-ring --generator-layers 4 --critic-layers 4 --batch 4
--n-critic 1 --threads 1 --steps 2 --checkpoint-every 1 --seed 1`; its config.json lacks every option that is younger.
It is never written anew: a change of format adds a folder beside it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.child_processes import make_cheap

from wgan.config import config as config
from wgan.errors import WganError
from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.runs.log import read_log
from wgan.sampling.model import load
from wgan.training import loop

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("format-*"))


def test_there_is_a_fixture_for_each_format() -> None:
    assert [p.name for p in FIXTURES] == [f"format-{n}" for n in range(1, config.FORMAT + 1)]
    assert checkpoint.FORMAT <= config.FORMAT
    assert all(sum(p.stat().st_size for p in f.rglob("*") if p.is_file()) < 60_000 for f in FIXTURES)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda p: p.name)
def test_an_old_run_is_loaded_sampled_and_continued(
    fixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cheap(monkeypatch.setattr)
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    run = Path(shutil.copytree(fixture, tmp_path / "run"))
    assert not (set(json.loads((run / "config.json").read_text())) & {n for n, f in config.FIELDS.items() if f.later})
    opened = open_run(run)
    assert opened.facts.shape == (2,) and opened.facts.versions["wgan"] == "0.1.0" and opened.facts.parameters == {}
    assert opened.step == 2 and opened.config.on_nan == "stop" and [r["step"] for r in opened.log()] == [2]
    samples = load(opened).sample(3)
    assert samples.shape == (3, 2) and torch.isfinite(samples).all()
    outcome = loop.train(opened.config.replace(steps=4), run, tty=False)
    assert outcome.run.step == 4 and [r["step"] for r in read_log(run)] == [2, 4]
    before, after = (checkpoint.load(run / "checkpoints", step).tensors for step in (2, 4))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("name", ["config.json", "run.json", "checkpoints/step-00000002.json"])
def test_a_newer_format_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(FIXTURES[-1], tmp_path / "run"))
    path = run / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(WganError, match="has format 99, this wgan reads up to 1: install a newer wgan"):
        load(run)
