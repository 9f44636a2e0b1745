"""What a group of processes does for a user: rounding as of one, their own data read once, samples and figures as of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import group_workers as workers
from helpers.process_group import Together
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from wgan.cli import main as cli
from wgan.cli import processes
from wgan.config import Config
from wgan.data import Source
from wgan.distributed.group import Group
from wgan.engine import make_engine, multiplies_bf16
from wgan.runs import checkpoint
from wgan.training import start, state

# --- rounding ---------------------------------------------------------------------------------------------------------

STEPS = 20
EPS = {"fp32": torch.finfo(torch.float32).eps, "bf16": torch.finfo(torch.bfloat16).eps}


def system(name: str, precision: str) -> tuple[Config, Source]:
    """Return a system of the theorem in another precision.

    Without running statistics: a bias before batch norm has no gradient but rounding, which the optimizers scale up to
    whole steps; a batch's own statistics take that away again, running ones do not. float64 is exact enough to compare it.
    """
    config, source = workers.SYSTEMS[name]
    return config.replace(precision=precision, critic_statistics="batch"), source


def measured(config: Config, source: Source, many: dict[str, Tensor]) -> Iterator[tuple[str, float, float, float]]:
    """Yield each player's name, how far `many` is from one process after STEPS steps, what rounding may do, the way moved.

    All in the metric of the gradients: the optimizers divide a gradient by its size sqrt(v), so that of one that is near
    zero they make a step as large as of any other; multiplied by sqrt(v), each weight counts as its gradient does. At
    each step gradients are rounded by eps of the networks' precision, and weights, kept in float32, by eps of that; at
    worst these errors add up.
    """
    p = start.make_players(config, make_engine("cpu", config.precision, 1), source)
    begun = {name: tensor.clone() for name, tensor in checkpoint.flatten(state.state(p)).items()}
    p, _ = workers.steps(config, source, Group(), STEPS)
    one = checkpoint.flatten(state.state(p))
    for player, network in (("generator", p.generator), ("critic", p.critic)):
        squares = {"apart": 0.0, "moved": 0.0, "size": 0.0}
        for number, (name, _) in enumerate(network.named_parameters()):
            slots = [k for k in one if k.startswith(f"{player}_optimizer/{number}/") and "sq" in k]
            root = one[slots[0]].double().sqrt() if slots else torch.zeros(())  # no slot: no gradient
            weight = one[f"{player}/{name}"].double()
            lengths = {
                "apart": weight - many[f"{player}/{name}"],
                "moved": weight - begun[f"{player}/{name}"],
                "size": weight,
            }
            for key, vector in lengths.items():
                squares[key] += float((root * vector).square().sum())
        apart, moved, size = (value**0.5 for value in squares.values())
        yield player, apart, STEPS * (EPS[config.precision] * moved + EPS["fp32"] * size), moved


@pytest.fixture(scope="module", params=EPS)
def precision(request: pytest.FixtureRequest) -> str:
    """A precision in which every system can be trained here."""
    if request.param == "bf16" and not multiplies_bf16(torch.device("cpu")):
        pytest.skip("this CPU does not multiply bf16 (no AVX512-BF16, no AMX)")
    return str(request.param)


@pytest.fixture(scope="module")
def two(precision: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every system trained by two processes: where their states lie."""
    folder = tmp_path_factory.mktemp(precision)
    Together(folder, 2, workers.in_precision, str(folder), STEPS, precision).results()
    return folder


@pytest.mark.parametrize("name", workers.SYSTEMS)
def test_two_processes_are_one_but_for_rounding(name: str, precision: str, two: Path) -> None:
    config, source = system(name, precision)
    many = load_file(two / f"{list(workers.SYSTEMS).index(name)}.safetensors")
    for player, apart, allowed, moved in measured(config, source, many):
        assert apart <= allowed < moved / 5, player


# --- a user's own data ------------------------------------------------------------------------------------------------


def pixels(count: int = 60) -> np.ndarray:
    """Return random images uint8 [count, 8, 8]."""
    return np.random.default_rng(3).integers(0, 256, (count, 8, 8), dtype=np.uint8)


def array_file(folder: Path) -> Path:
    """Write images.npy with labels beside it."""
    np.save(folder / "images.npy", pixels())
    np.save(folder / "images.labels.npy", np.arange(60) % 3)
    return folder / "images.npy"


def picture_folder(folder: Path) -> Path:
    """Write 60 PNGs in three folders, one for each class."""
    for i, image in enumerate(pixels()):
        path = folder / "pictures" / f"class{i % 3}" / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder / "pictures"


@pytest.mark.parametrize("nodes", [1, 2], ids=["one cache", "a cache on each machine"])
@pytest.mark.parametrize("make", [array_file, picture_folder])
def test_own_data_are_prepared_once_for_all_processes(make: Callable[[Path], Path], nodes: int, tmp_path: Path) -> None:
    """Each then reads its own rows."""
    spec = str(make(tmp_path))
    found = {}
    for world in (1, 2):
        caches = [str(tmp_path / f"cache {world} {node}") for node in range(min(nodes, world))]
        group = Together(tmp_path / str(world), world, workers.on_own_data, spec, str(tmp_path / f"run{world}"), caches)
        said = group.results()
        assert [code for code, _, _ in said] == [0] * world
        assert sum(prepared for _, prepared, _ in said) == len(caches)
        assert [rows for _, _, rows in said] == [[8 // world]] * world  # of a batch of 8
        found[world] = checkpoint.load(tmp_path / f"run{world}" / "checkpoints", 6).tensors
    assert max(float((found[1][name] - found[2][name]).abs().max()) for name in found[1] if "norm" not in name) < 1e-8


# --- samples and figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["x.npz", "x.png"])
def test_two_processes_make_the_samples_of_one(out: str, conditional_run: Path, tmp_path: Path) -> None:
    """250 samples are three blocks, shared unevenly; the file has the same bytes."""
    words = ["sample", str(conditional_run), "-n", "250", "--seed", "5", "--out"]
    assert cli.main([*words, str(tmp_path / out)]) == 0
    group = Together(tmp_path / "two", 2, workers.words, *words, str(tmp_path / f"two-{out}"))
    assert group.results() == [0, 0]
    assert group.text(0) == f"250 samples in {tmp_path}/two-{out}, all classes in turn\n" and not group.text(1)
    assert (tmp_path / out).read_bytes() == (tmp_path / f"two-{out}").read_bytes()


def test_the_flag_starts_as_many_as_it_says(monkeypatch: pytest.MonkeyPatch, ring_run: Path, tmp_path: Path) -> None:
    started: list[tuple[list[str], int, int]] = []
    monkeypatch.setattr(processes, "launch", lambda *arguments: started.append(arguments) or 0)
    for words in (["train", "mnist"], ["sample", str(ring_run), "--out", "x.npz"], ["evaluate", str(ring_run)]):
        line = [*words, "--processes", "2", "--restarts", "1"]
        assert cli.main(line) == 0 and started.pop() == (line, 2, 1)
        assert cli.main([*words, "--processes", "2", "--timeout", "-1"]) == 2 and not started


ENDS = {
    "quietly": "",
    "badly": """import atexit, os
if os.environ.get("RANK") == "0":
    atexit.register(open, os.path.join(os.path.dirname(__file__), "end"), "w")  # here a connection's thread may abort
if (os.environ.get("RANK"), os.environ.get("TORCHELASTIC_RESTART_COUNT")) == ("1", "0"):
    os._exit = lambda code: os.abort()  # when all is done
""",
}


@pytest.mark.parametrize("end", [pytest.param("quietly", marks=pytest.mark.slow), "badly"])
def test_the_flag_makes_the_samples_of_one(
    end: str, conditional_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The whole of `wgan sample --processes 2`, through torchrun's agent, however its processes end."""
    words = ["sample", str(conditional_run), "-n", "250", "--out"]
    assert cli.main([*words, str(tmp_path / "one.npz")]) == 0
    (tmp_path / "sitecustomize.py").write_text(ENDS[end])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    line = [sys.executable, "-m", "wgan", *words, str(tmp_path / "two.npz"), "--processes", "2"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, f"250 samples in {tmp_path}/two.npz, all classes in turn\n"), (
        done.stderr
    )
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert not (tmp_path / "end").exists()


def test_two_processes_measure_the_figures_of_one(ring_run: Path, tmp_path: Path) -> None:
    words = ["evaluate", str(ring_run), "-n", "250", "--metrics", "modes,sliced-w1,memorisation", "--out"]
    assert cli.main([*words, str(tmp_path / "one.json")]) == 0
    group = Together(tmp_path / "two", 2, workers.words, *words, str(tmp_path / "two.json"))
    assert group.results() == [0, 0]
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert one == two and len(one["results"][0]["figures"]) > 4
    assert "sliced-w1" in group.text(0) and not group.text(1)
