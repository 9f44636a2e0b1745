"""What several test files share: the command run in-process, and tiny runs trained once for the whole session."""

from __future__ import annotations

import os

from wgan.evaluation import class_metrics, context
from wgan.runs import log

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: tiny tensors, a second thread only costs

import functools
import gzip
import importlib
import shlex
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from helpers.child_processes import finished_bytes, make_cheap
from helpers.fuzzing import Bench, Quiet
from helpers.report_runs import digits, figure, write_metrics, write_run
from helpers.run_folders import LAST, WORDS
from PIL import Image

from wgan.cli import main as cli
from wgan.data import open_source
from wgan.metrics.certified import fit_critic
from wgan.metrics.classifier import fit_classifier
from wgan.recipes import configure
from wgan.runs import checkpoint
from wgan.sampling.model import load
from wgan.training import loop, recorder
from wgan.visual.images import image_grid

TINY = ("--steps", "2", "--batch", "8", "--threads", "1")
CONDITIONAL = shlex.split("mnist --generator mlp --generator-layers 16 --critic mlp --critic-layers 16 --latent 8")


class Result(NamedTuple):
    """What one command gave."""

    code: int
    out: str
    err: str

    def sentence(self):
        """Return the one line on standard error of a refused command; fail for anything else."""
        assert self.code == 2, self
        assert "Traceback" not in self.err + self.out
        assert self.err.startswith("wgan: ") and self.err.count("\n") == 1 and self.err.endswith("\n"), self.err
        assert len(self.err) < 500, self.err
        return self.err[len("wgan: ") : -1]


@pytest.fixture(scope="session")
def script() -> Callable[[str, str], Any]:
    """Return a function that imports a script of the repository, by its folder and its name."""

    def imported(folder: str, name: str) -> Any:
        place = str(Path(__file__).parent.parent / folder)
        sys.path.insert(0, place)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(place)

    return imported


@pytest.fixture
def command(capsys):
    """Return a function that runs one `wgan` command in this process."""

    def run(*words):
        capsys.readouterr()
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as stop:  # --help and --version
            code = stop.code
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def cheap(monkeypatch):
    """Train without the evaluation and without redrawing the curves: for tests that are not about them."""
    make_cheap(monkeypatch.setattr)
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """Return the folder of a tiny Fashion-MNIST in place of the machine's own: 60 images to train on, 30 to test."""
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for part, n in (("train", 60), ("t10k", 30)):
        images = bytes(i % 256 for i in range(n * 784))
        sizes = struct.pack(">III", n, 28, 28)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + sizes + images))
        labels = bytes(i % 10 for i in range(n))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", n) + labels)
    monkeypatch.setenv("WGAN_DATA", str(folder.parent))
    monkeypatch.setenv("WGAN_CACHE", str(tmp_path / "cache"))
    return folder


def trained(folder, *words):
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        assert cli.main(["train", *words, *TINY, "--run", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """A finished run of 2 steps: unconditional digits."""
    return trained(tmp_path_factory.mktemp("digits") / "run", "small-mlp-clip")


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory):
    """A finished run of 2 steps: digits by class, with an averaged generator."""
    return trained(tmp_path_factory.mktemp("conditional") / "run", *CONDITIONAL)


@pytest.fixture(scope="session")
def ring_run(tmp_path_factory):
    """A finished run of 2 steps: points of the plane, checkpoints at steps 1 and 2."""
    words = shlex.split("gulrajani-ring --generator-layers 16 --critic-layers 16 --checkpoint-every 1")
    return trained(tmp_path_factory.mktemp("ring") / "run", *words)


@pytest.fixture(scope="session", params=[(), ("--labels", "shop")], ids=["plain", "by-class"])
def shop(request, tmp_path_factory):
    """A run of one step on a table with columns of every kind."""
    draw, folder = np.random.default_rng(0), tmp_path_factory.mktemp("shop")
    lines = ["amount,price,weight,colour,when,shop,same,rare"]
    for i in range(400):
        price = "" if i % 9 == 0 else f"{draw.normal(5, 2):.2f}"
        day, clock = f"2024-{1 + i % 12:02}-{1 + i % 28:02}", f"{i % 24:02}:{i % 60:02}"
        weight = repr(float(draw.lognormal(0, 12)))
        colour = ["red", "blue, dark", 'a "b"'][draw.integers(3)]
        lines.append(
            f'{draw.integers(50)},{price},{weight},"{colour.replace(chr(34), chr(34) * 2)}",{day} {clock},'
            f"{'NSW'[i % 3]},7,v{min(i, 70 + i % 30)}"
        )
    (folder / "shop.csv").write_text("\n".join(lines) + "\n")
    words = ["--data", folder / "shop.csv", "--steps", 1, "--batch", 16, "--threads", 1, "--run", folder / "run"]
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        assert cli.main(["train", *map(str, words), *request.param]) == 0
    return load(folder / "run")


@pytest.fixture(scope="session")
def reported_run(tmp_path_factory):
    """All that a report shows of a run: log, sheets, animation, walk, neighbours, figures; written by hand."""
    folder = write_run(tmp_path_factory.mktemp("report") / "one", seed=3, lr=0.001)
    write_metrics(folder, figure("fid-lenet", 12.3456), figure("coverage", 0.5, better="higher", spread=None))
    for name in ("walk.gif", "neighbours.png"):
        (image_grid(digits(9, 1))).save(folder / name)
    return folder


@pytest.fixture
def copy(tmp_path):
    """Return a function that copies a session's run, for tests that damage it."""

    def make(run):
        return shutil.copytree(run, tmp_path / "copy")

    return make


@pytest.fixture(scope="session")
def mnist():
    """Each split of MNIST, opened once."""
    return {split: open_source("mnist", split) for split in ("train", "test", "all")}


@pytest.fixture(scope="session")
def train_images():
    """600 training digits [N, 28, 28] and their labels; no test changes them."""
    x, y = open_source("mnist", "train").batch(torch.arange(600))
    return x[:, 0].numpy(), y.numpy()


@pytest.fixture
def hasty(monkeypatch):
    """Classifiers of cas and gan-test, and evaluation critics, that learn for a moment only."""
    short = functools.partial(fit_classifier, updates=50)
    monkeypatch.setattr(context, "fit_critic", functools.partial(fit_critic, steps=20))
    monkeypatch.setattr(class_metrics, "fit_classifier", short)
    monkeypatch.setattr(context, "fit_classifier", short)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, ring: Path) -> Bench:
    """Where a module's cases of hostile input are run and judged."""
    made = Bench(tmp_path_factory.mktemp("fuzz"))
    load(ring).sample(2)
    assert made.baseline
    return made


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny finished run with two checkpoints, and no plots or evaluations in this module."""
    folder = tmp_path_factory.mktemp("ring") / "run"
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        patch.setattr(loop, "finish_pictures", lambda *_, **__: None)
        patch.setattr(recorder, "draw_grid", lambda *_: None)
        patch.setattr(log, "Events", lambda *_, **__: Quiet())
        options = dict(generator_layers="4", critic_layers="4", batch=4, n_critic=1, threads=1)
        loop.train(configure("gulrajani-ring", {**options, "steps": 2, "checkpoint_every": 1}), folder, tty=False)
        yield folder


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory):
    """What a run that nobody interrupted leaves."""
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        assert cli.main([*WORDS, "--run", str(run)]) == 0
    # the last three, and the best: of 6, 12, 18, 24 times 3 modulo 11 the second is lowest
    assert checkpoint.saved_steps(run / "checkpoints") == [12, 15, 20, 24]
    return finished_bytes(run, LAST)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cache(monkeypatch, tmp_path_factory):
    """Prepared data go to a folder of this test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("WGAN_CACHE", str(folder))
    return folder


@pytest.fixture
def photos(tmp_path):
    """60 coloured pictures of 16 x 12 in two classes."""
    rng = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "photos" / ("ab"[i % 2])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots at a run's end, which take longer than its training."""
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
