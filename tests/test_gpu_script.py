"""benchmarks/gpu.py, which needs a CUDA device, does all its parts on the CPU in a dry run and leaves nothing else behind."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

FILE = Path(__file__).parent.parent / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_benchmark", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    __import__("sys").modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_a_dry_run_does_every_part(gpu: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    assert gpu.main(["--dry", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["dry"] is True and all(report[name] for name in gpu.PARTS)
    assert not any("failed" in text for text in map(str, report.values()))
    assert set(report["families"]) == set(gpu.FAMILIES)
    assert all(v == 0 for part in report["families"].values() for v in part.values())  # the CPU against itself
    assert all(part["twice"] and part["resumed"] for part in report["bits"].values())
    assert not torch.are_deterministic_algorithms_enabled() and [p.name for p in tmp_path.iterdir()] == ["gpu.json"]


def test_what_would_begin_too_late_is_left_out(gpu: ModuleType) -> None:
    found = gpu.measure(gpu.Plan("cpu", True), ["families", "speed"], limit=-1.0)
    assert found == {name: {"left out": "-1 seconds were over"} for name in ("families", "speed")}


def test_a_part_that_fails_does_not_end_the_others(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(plan: object) -> dict[str, object]:
        raise RuntimeError("no kernel image\nis available")

    monkeypatch.setitem(gpu.PARTS, "families", fail)
    monkeypatch.setitem(gpu.PARTS, "speed", lambda plan: {"a": 1})
    found = gpu.measure(gpu.Plan("cpu", True), ["families", "speed"])
    assert found == {"families": {"failed": "no kernel image"}, "speed": {"a": 1}}


def test_weights_that_differ_are_seen(gpu: ModuleType) -> None:
    a, b = [torch.ones(4)], [torch.tensor([1.0, 1.0, 1.0, 2.0])]
    assert gpu.distance(a, b) == pytest.approx(7**-0.5) and not gpu.same(a, b) and gpu.same(a, [torch.ones(4)])


def test_without_a_device_it_says_so(gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    assert gpu.main(["--out", str(tmp_path / "gpu.json")]) == 2
    assert "no CUDA device" in capsys.readouterr().err and not (tmp_path / "gpu.json").exists()
