"""A run folder of format 1 leaves in each of the four ways, as it was read then."""

from pathlib import Path

import numpy as np
import pytest
import torch

import wgan
from wgan.sampling.latents import latents

OLD = Path(__file__).parents[1] / "fixtures" / "format-1"


@pytest.fixture
def old():
    return wgan.load(OLD)


def test_an_old_run_becomes_a_hub_folder(old, command, tmp_path):
    assert command("export", OLD, "--to", "hub", "--out", tmp_path / "old").code == 0
    again = wgan.load(tmp_path / "old")
    assert again.step == old.step and torch.equal(again.sample(30, seed=4), old.sample(30, seed=4))


def test_an_old_run_becomes_a_page(command, tmp_path):
    said = command("export", OLD, "--to", "page", "--out", tmp_path / "old.html")
    assert said.code == 0 and 'id="weights"' in (tmp_path / "old.html").read_text(), said


def test_an_old_run_becomes_an_onnx_file(old, command, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert command("export", OLD, "--to", "onnx", "--out", tmp_path / "old.onnx").code == 0
    found = onnxruntime.InferenceSession(tmp_path / "old.onnx", providers=["CPUExecutionProvider"])
    given = {"z": latents(4, 30, old.network.latent).numpy()}
    if old.network.classes:
        given["label"] = old.labels(30, None).numpy()
    made = found.run(["samples"], given)[0]
    assert np.abs(made - old.decode(latents(4, 30, old.network.latent), old.labels(30, None)).numpy()).max() < 1e-4


def test_an_old_run_is_served(command, tmp_path, old):
    pytest.importorskip("uvicorn")
    from helpers.serving import Served

    from wgan.export.serve import application

    with Served(application(old)) as served:
        status, _, data = served.ask("POST", "/sample", {"n": 9, "seed": 4, "format": "npz"})
    assert command("sample", OLD, "-n", 9, "--seed", 4, "--out", tmp_path / "s.npz").code == 0
    assert status == 200 and data == (tmp_path / "s.npz").read_bytes()
