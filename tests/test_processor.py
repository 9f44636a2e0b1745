"""What a processor is good at: measured once, remembered by its name, and never taken from its flags alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from wgan import engine, processor
from wgan.models.fast import trial

CPU = torch.device("cpu")
NAMES = "model name : A Processor\nflags : fpu avx2 avx512_bf16 amx_tile\n\nmodel name : the second core\n"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(processor, "cpuinfo", lambda: NAMES)
    monkeypatch.setattr(engine, "cpuinfo", lambda: NAMES)
    return tmp_path / "cache" / "processor.json"


@pytest.mark.parametrize(("gain", "pays"), [(0.6, False), (1.0, False), (1.19, False), (1.2, True), (4.0, True)])
def test_bf16_must_be_a_fifth_faster(gain: float, pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "bf16_gain", lambda: gain)
    assert engine.has_bf16(CPU) is pays
    assert engine.make_engine(convolutional=True).precision == ("bf16" if pays else "fp32")


def test_it_is_measured_once_and_kept_by_name(monkeypatch: pytest.MonkeyPatch, fresh: Path) -> None:
    gains = [3.0]
    monkeypatch.setattr(engine, "bf16_gain", gains.pop)
    assert engine.bf16_pays() and engine.bf16_pays()  # a second measurement would find the list empty
    (key,) = json.loads(fresh.read_text())
    assert key.startswith("A Processor amx_tile avx2 avx512_bf16, torch ")
    gains.append(0.5)
    monkeypatch.setattr(processor, "cpuinfo", lambda: NAMES.replace("A Processor", "Another"))
    assert not engine.bf16_pays() and len(json.loads(fresh.read_text())) == 2


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "b"}', "nonsense"])
def test_a_damaged_note_is_measured_anew(text: str, monkeypatch: pytest.MonkeyPatch, fresh: Path) -> None:
    fresh.parent.mkdir(parents=True)
    fresh.write_text(text)
    monkeypatch.setattr(engine, "bf16_gain", lambda: 2.0)
    assert engine.bf16_pays()


def test_without_the_instructions_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cpuinfo", lambda: "flags : avx2")
    monkeypatch.setattr(engine, "bf16_gain", lambda: pytest.fail("measured"))
    assert not engine.has_bf16(CPU)


def test_a_cache_that_cannot_be_written_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(engine, "bf16_gain", lambda: 2.0)
    assert engine.bf16_pays()


def test_the_measurement_is_positive_and_keeps_the_threads() -> None:
    before = torch.get_num_threads()
    assert trial.bf16_gain() > 0 and torch.get_num_threads() == before
