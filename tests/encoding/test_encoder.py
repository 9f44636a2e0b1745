"""`wgan encode`: the encoder learns, resumes exactly, and refuses what it cannot do."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
import torch
from torch import nn

from wgan.data import open_source
from wgan.encoding import train
from wgan.encoding.train import EncoderOptions, train_encoder
from wgan.engine import make_engine
from wgan.errors import WganError
from wgan.models import build_critic
from wgan.models.encoder import build_encoder
from wgan.recipes import configure
from wgan.rng import seeded
from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.sampling.inverter import EncoderFacts, Inverter, frozen
from wgan.sampling.model import load

SHORT = EncoderOptions(steps=6, batch=8)


@pytest.fixture
def run(conditional_run, tmp_path):
    """A run of its own: digits by class."""
    return shutil.copytree(conditional_run, tmp_path / "run")


def kept(run):
    """What two equal encoders have in common to the last byte."""
    folder = run / "encoder"
    files = [*folder.glob("samples/*"), *folder.glob("checkpoints/step-00000006.*"), folder / "log.jsonl"]
    return {p.name: p.read_bytes() for p in files}


class Same(nn.Module):
    """G(z) = z: the encoder that is right is the identity."""

    classes, latent = 0, 2

    def forward(self, z, y=None):
        return z


def test_an_encoder_learns_to_find_latents(tmp_path):
    source = open_source("ring")
    config = configure("ring", {"critic_layers": "32", "precision": "fp32"})
    engine = make_engine("cpu", "fp32", 1)
    with seeded(0, 0, "test"):
        critic = build_critic(config, (2,), 0)
        encoder = build_encoder(config, (2,), 2)
    inverter = Inverter(Same(), frozen(critic, engine), encoder, engine, 1, 0.0)
    facts = EncoderFacts(300, 64, 0.01, 0.0, 0, 1, False)
    work = train.Work(inverter, torch.optim.Adam(encoder.parameters()), source, source, facts, tmp_path)
    found = [train.take_step(work, step)["encoder/residual"] for step in range(300)]
    assert found[-1] < 0.05 * found[0]


def test_only_the_encoder_moves(run):
    files = sorted((run / "checkpoints").iterdir())
    before = [p.read_bytes() for p in files]
    model = load(run)
    made = model.sample(3)
    train_encoder(run, SHORT, tty=False)
    assert [p.read_bytes() for p in files] == before and torch.equal(load(run).sample(3), made)


@pytest.mark.parametrize("at", [1, 4])
def test_a_stopped_encoder_resumes_to_the_same_bytes(run, tmp_path, monkeypatch, at):
    whole = shutil.copytree(run, tmp_path / "whole")
    train_encoder(whole, SHORT, tty=False)
    once = train.take_step

    def stopped(work, step):
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return once(work, step)

    monkeypatch.setattr(train, "take_step", stopped)
    cut = train_encoder(run, SHORT, tty=False)
    assert (cut.step, cut.code) == (at + 1, 128 + signal.SIGTERM)
    monkeypatch.setattr(train, "take_step", once)
    with pytest.raises(WganError, match=f"is at step {at + 1} of 6: finish it with wgan encode"):
        _ = load(run).inverter
    done = train_encoder(run, tty=False)  # the options are those of the encoder that is there
    assert done.step == 6 and "continuing" in done.notes[0]
    assert kept(run) == kept(whole)


def test_a_finished_encoder_is_left_as_it_is(run):
    train_encoder(run, SHORT, tty=False)
    before = kept(run)
    assert "finished already" in train_encoder(run, tty=False).notes[0] and kept(run) == before


def test_an_encoder_of_an_older_wgan_is_completed(run):
    """Its last checkpoint has not what scores measure by."""
    train_encoder(run, SHORT, tty=False)
    before, folder = kept(run), run / "encoder" / "checkpoints"
    tensors = checkpoint.load(folder, 6).tensors
    checkpoint.save(folder, 6, {k: t for k, t in tensors.items() if not k.startswith("usual/")}, {})
    with pytest.raises(WganError, match="comes from an older wgan: complete it with wgan encode"):
        _ = load(run).inverter
    train_encoder(run, tty=False)
    assert kept(run) == before


def test_other_options_need_a_fresh_encoder(run):
    train_encoder(run, SHORT, tty=False)
    before = kept(run)
    with pytest.raises(WganError, match=r"other options \(lr 0.001 before, 0.01 now\): leave them out, or start over"):
        train_encoder(run, EncoderOptions(lr=0.01), tty=False)
    assert kept(run) == before
    assert train_encoder(run, EncoderOptions(steps=2, lr=0.01), fresh=True, tty=False).step == 2


def test_what_no_encoder_can_have_is_refused(run, command):
    assert "lr of an encoder must lie between 1e-09 and 10, not 0" in command("encode", run, "--lr", 0).sentence()
    assert "batch of an encoder must lie between 2 and 100000, not 1" in command("encode", run, "--batch", 1).sentence()
    assert not (run / "encoder").exists()


def test_an_encoder_belongs_to_one_generator(run):
    train_encoder(run, SHORT, tty=False)
    with pytest.raises(WganError, match="belongs to the generator of step 2: load that one"):
        _ = load(run, raw=True).inverter


def test_points_of_the_plane_have_an_encoder_too(ring_run, tmp_path):
    run = shutil.copytree(ring_run, tmp_path / "ring")
    train_encoder(run, SHORT, tty=False)
    assert load(run).encode(torch.zeros(3, 2)).shape == (3, load(run).network.latent)
    assert not list((run / "encoder" / "samples").iterdir())  # no images to draw


def test_a_damaged_file_is_told(run):
    train_encoder(run, SHORT, tty=False)
    (run / "encoder" / "config.json").write_text('{"format": 1}')
    with pytest.raises(WganError, match="is damaged: it is not what wgan encode wrote"):
        train_encoder(run, tty=False)
    assert open_run(run).step == 2


def test_help_tells_the_defaults_that_are_used(command):
    """The flags are declared without torch, and so apart from the numbers."""
    said = " ".join(command("encode", "--help").out.split())
    for name, value in train.DEFAULTS.items():
        assert f"--{name.replace('_', '-')} " in said and f"(default: {value:g})" in said
