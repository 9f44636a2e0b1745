"""Small systems that are stopped within a long step: how they are trained in tests, and what two runs must agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers import systems
from helpers.problems import train_on
from wgan.runs.log import read_log
from wgan.training import loop

N_CRITIC = 5
LONG = {"n_critic": N_CRITIC, "steps": 4, "sample_every": 2, "evaluate_every": 2, "checkpoint_every": 2}
POINTS, CONV = "mlp, Keras's RMSProp in two halves, shared batches", "conv, batch norm, average, momentum"
SYSTEMS = {
    name: (config.replace(**LONG), source)
    for name, (config, source) in systems.SYSTEMS.items()
    if name in (POINTS, CONV, "conv, dropout, auxiliary classes")
}


def train(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path, **changes: Any) -> loop.Outcome:
    config, source = SYSTEMS[name]
    train_on(monkeypatch, source)
    return loop.train(config.replace(**changes), folder, tty=False)


def kept(folder: Path, step: int = 4) -> dict[str, bytes]:
    """What two equal runs have in common to the last byte."""
    files = [*(folder / "samples").iterdir(), *(folder / "checkpoints").glob(f"step-{step:08d}.*")]
    return {p.name: p.read_bytes() for p in [*files, folder / "log.jsonl", folder / "config.json"]}


def logged(folder: Path) -> list[int]:
    return [r["step"] for r in read_log(folder) if "critic/loss" in r]
