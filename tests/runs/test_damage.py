"""Damaged checkpoints, a full disk and numbers that are not finite: said in one sentence, and the run goes on."""

import errno
import os
import shutil

import pytest
import torch
from helpers.run_folders import LAST, WORDS, json_of

from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.training import step as phases

# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path, command, cheap):
    """A finished run with checkpoints at 12, 15, 20 and 24."""
    assert command(*WORDS, "--run", tmp_path / "run").code == 0
    return tmp_path / "run"


def test_a_flipped_bit_is_named_and_the_one_before_is_used(stopped, command, uninterrupted, monkeypatch):
    """The damaged checkpoint is set aside."""
    path = stopped / "checkpoints" / "step-00000024.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = command(*WORDS, "--run", stopped)
    assert found.code == 0
    assert "step-00000024.safetensors is damaged" in found.out and f"continuing: {stopped} at step 20" in found.out
    assert (stopped / "checkpoints" / "step-00000024.safetensors.damaged").read_bytes() == data
    for name in ("checkpoints/step-00000024.safetensors", "log.jsonl"):
        assert (stopped / name).read_bytes() == uninterrupted[name]


def test_where_every_checkpoint_is_damaged_it_starts_again(stopped, command, uninterrupted):
    """And says so."""
    for path in (stopped / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")
    found = command(*WORDS, "--run", stopped)
    assert found.code == 0 and "no whole checkpoint left: starting again at step 0" in found.out
    assert (stopped / "log.jsonl").read_bytes() == uninterrupted["log.jsonl"]


def test_a_newer_checkpoint_is_refused_and_kept(stopped, command):
    path = stopped / "checkpoints" / "step-00000024.json"
    path.write_bytes(json_of(stopped / "checkpoints", path.name, format=99))
    assert "install a newer wgan" in command(*WORDS, "--run", stopped).sentence()
    assert path.is_file()


def test_a_checkpoint_of_other_networks_is_refused(stopped, command):
    """In one sentence."""
    config = stopped / "config.json"
    config.write_text(config.read_text().replace('"critic_layers": "16"', '"critic_layers": "17"'))
    said = command(*WORDS, "--run", stopped, "--critic-layers", "17").sentence()
    assert "step 24" in said and "does not fit the networks" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {name.replace("critic_optimizer/0/exp_avg", "critic_optimizer/0/exp_bvg"): t[name] for name in t},
        lambda t: {**t, "generator_optimizer/99/exp_avg": t["generator_optimizer/0/exp_avg"]},
        lambda t: {**t, "critic_optimizer/1/exp_avg_sq": t["critic_optimizer/0/exp_avg_sq"]},
        lambda t: {**t, "critic_optimizer/0/step": t["critic_optimizer/0/step"].long()},
        lambda t: {name: tensor for name, tensor in t.items() if name != "generator_optimizer/1/step"},
    ],
    ids=["renamed", "of no parameter", "of another shape", "of another kind", "missing"],
)
def test_a_state_of_another_optimizer_is_refused(stopped, command, change):
    """In one sentence."""
    found = checkpoint.load(stopped / "checkpoints", 24)
    tensors = {name: tensor.clone() for name, tensor in change(dict(found.tensors)).items()}
    checkpoint.save(stopped / "checkpoints", 24, tensors, {"config": found.manifest["config"]})
    said = command(*WORDS, "--run", stopped).sentence()
    assert "step 24" in said and "does not fit the networks" in said


def test_a_full_disk_stops_in_one_sentence_and_resumes(tmp_path, command, cheap, uninterrupted):
    """When there is room again."""
    fsync, left = os.fsync, [30]

    def full(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        said = command(*WORDS, "--run", tmp_path).sentence()
    assert "o space left on device" in said
    assert 0 < open_run(tmp_path).step < LAST
    assert command(*WORDS, "--run", tmp_path).code == 0
    for name in (f"checkpoints/step-{LAST:08d}.safetensors", "log.jsonl"):
        assert (tmp_path / name).read_bytes() == uninterrupted[name]


def test_a_folder_deleted_under_a_run_stops_it_in_one_sentence(tmp_path, command, cheap, monkeypatch):
    check = phases.require_finite

    def delete(stats, step):
        if step == 7:
            shutil.rmtree(tmp_path / "run")
        check(stats, step)

    monkeypatch.setattr(phases, "require_finite", delete)
    assert "cannot write" in command(*WORDS, "--run", tmp_path / "run").sentence()


# --- numbers that are not finite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_a_loss_that_is_not_finite_is_named_and_stops(tmp_path, command, cheap, monkeypatch, player):
    """The last checkpoint is kept."""
    phase = getattr(phases, f"{player}_phase")

    def poisoned(players, source, step, *rest):
        stats = phase(players, source, step, *rest)
        return {**stats, f"{player}/loss": torch.tensor(float("nan"))} if step == 13 else stats

    monkeypatch.setattr(phases, f"{player}_phase", poisoned)
    said = command(*WORDS, "--run", tmp_path).sentence()
    assert f"{player}/loss is not finite at step 14" in said
    run = open_run(tmp_path)
    assert run.step == 12 and run.log()[-1]["step"] == 13
    assert checkpoint.load(run.checkpoints, 12).step == 12


def test_a_rate_that_is_far_too_large_ends_in_one_sentence(tmp_path, command, cheap):
    words = [
        "train",
        "gulrajani-ring",
        "--objective",
        "wgan-clip",
        "--clip",
        "1000",
        "--critic-norm",
        "none",
        "--lr",
        "10",
    ]
    words += ["--critic-layers", "16 16 16 16 16 16", "--generator-layers", "16 16 16 16 16 16", "--batch", "8"]
    words += [
        "--optimizer",
        "rmsprop",
        "--threads",
        "1",
        "--steps",
        "200",
        "--n-critic",
        "1",
        "--checkpoint-every",
        "1",
    ]
    said = command(*words, "--run", tmp_path).sentence()
    assert "not finite" in said and "at step" in said
    step = open_run(tmp_path).step
    kept = checkpoint.load(tmp_path / "checkpoints", step).tensors
    assert all(torch.isfinite(t).all() for t in kept.values())
