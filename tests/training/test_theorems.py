"""Theorems of the software: resumed = uninterrupted, the same seed = the same bits, the i-th sample is the i-th sample."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.problems import SINGLE, images, images_config, normal, train_on
from helpers.systems import FAST, SYSTEMS

import wgan
from wgan.data import Source
from wgan.models import build
from wgan.runs import checkpoint
from wgan.sampling import generate, latents
from wgan.sampling import model as trained
from wgan.training import loop, start
from wgan.training import step as phases

pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """train(name, folder, **changes) trains a system of the table."""

    def run(name: str, folder: str, **changes: Any) -> wgan.Run:
        config, source = SYSTEMS[name]
        train_on(monkeypatch, source)
        return loop.train(config.replace(**changes), tmp_path / folder, tty=False).run

    return run


def kept(run: wgan.Run, step: int = 6) -> dict[str, bytes]:
    """What two equal runs have in common to the last byte: final checkpoint, log, sheets, config."""
    files = {p.name: p for p in run.samples.iterdir()}
    for suffix in ("json", "safetensors"):
        name = f"step-{step:08d}.{suffix}"
        files[name] = run.checkpoints / name
    files["log.jsonl"] = run.path / "log.jsonl"
    files["config.json"] = run.path / "config.json"
    return {name: path.read_bytes() for name, path in sorted(files.items())}


def final(run: wgan.Run, step: int = 6) -> dict[str, torch.Tensor]:
    return checkpoint.load(run.checkpoints, step).tensors


def differing(a: dict[str, bytes], b: dict[str, bytes]) -> list[str]:
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


# --- resume -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(name: str, train: Any) -> None:
    whole = kept(train(name, "whole"))
    assert {"step-00000000.png", "step-00000003.png", "step-00000006.png"} < set(whole)
    train(name, "parts", steps=3)
    assert differing(whole, kept(train(name, "parts"))) == []


def stop_during(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Send this process a Ctrl-C in the middle of `step`."""
    phase = phases.generator_phase

    def interrupted(p: Any, source: Source, at: int) -> Any:
        if at == step:
            signal.raise_signal(signal.SIGINT)
        return phase(p, source, at)

    monkeypatch.setattr(phases, "generator_phase", interrupted)


@pytest.mark.parametrize("name", ["conv, dropout, auxiliary classes", *FAST])
@pytest.mark.parametrize("options", [{}, {"lr_decay": "cosine", "log_every": 2, "evaluate_every": 0}])
def test_a_run_stopped_by_a_signal_equals_an_uninterrupted_one(
    name: str, options: dict, train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once resumed."""
    whole = kept(train(name, "whole", **options))
    with monkeypatch.context() as patch:
        stop_during(patch, 3)  # the fourth of six steps: on no cadence
        stopped = train(name, "parts", **options)
    assert stopped.step == 4  # the step under way was finished and saved
    assert differing(whole, kept(train(name, "parts", **options))) == []


def test_a_run_killed_between_checkpoints_equals_a_whole_one(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kept(train(FAST[1], "whole", sample_every=1))
    phase = phases.generator_phase

    def dying(p: Any, source: Source, at: int) -> Any:
        if at == 5:
            raise MemoryError
        return phase(p, source, at)

    with monkeypatch.context() as patch:
        patch.setattr(phases, "generator_phase", dying)
        with pytest.raises(MemoryError):
            train(FAST[1], "parts", sample_every=1)
    # steps 4 and 5 were logged and drawn after the checkpoint of step 3: they are taken, and written, again
    assert differing(whole, kept(train(FAST[1], "parts", sample_every=1))) == []


def test_a_stop_is_told_by_its_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config, source = SYSTEMS[FAST[0]]
    train_on(monkeypatch, source)
    before = signal.getsignal(signal.SIGINT)
    stop_during(monkeypatch, 1)
    assert loop.train(config, tmp_path / "run", tty=False).code == 128 + signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before  # and handed back
    assert wgan.open_run(tmp_path / "run").step == 2
    with pytest.raises(KeyboardInterrupt):  # a script that trains several runs stops too
        wgan.train(run=tmp_path / "other", config=config)
    assert wgan.open_run(tmp_path / "other").step == 2


def test_a_finished_run_started_again_changes_nothing(train: Any) -> None:
    before = kept(train(FAST[1], "run"))
    assert differing(before, kept(train(FAST[1], "run"))) == []


@pytest.mark.parametrize("name", FAST)
def test_resume_needs_every_part_of_the_state(name: str, train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimizers, average and running statistics are all needed: leaving one out gives other bits."""
    whole = final(train(name, "whole"))
    load = checkpoint.load_newest
    prefixes = sorted({key.split("/")[0] for key in whole})
    for prefix in prefixes:
        folder = prefix
        train(name, folder, steps=3)

        def forgetful(path: Path, prefix: str = prefix) -> Any:
            found, notes = load(path)
            if found is not None:  # as if it had not been saved: at its start, which is 0
                found.tensors.update(
                    {k: torch.zeros_like(t) for k, t in found.tensors.items() if k.startswith(prefix + "/")}
                )
            return found, notes

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "load_newest", forgetful)
            resumed = final(train(name, folder))
        assert any(not torch.equal(whole[key], resumed[key]) for key in whole), prefix


# --- seeds and cadences -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAST)
def test_cadences_of_the_duties_change_no_weight(name: str, train: Any) -> None:
    whole = final(train(name, "often"))
    for number, options in enumerate(
        (
            {"log_every": 0, "sample_every": 0, "evaluate_every": 0, "checkpoint_every": 0},
            {"log_every": 4, "sample_every": 1, "evaluate_every": 2, "checkpoint_every": 1},
        )
    ):
        other = final(train(name, f"run{number}", **options))
        assert other.keys() == whole.keys() and all(torch.equal(whole[k], other[k]) for k in whole)


@pytest.mark.parametrize("name", FAST)
def test_the_same_seed_gives_the_same_bits_another_seed_others(name: str, train: Any) -> None:
    first = kept(train(name, "first"))
    assert differing(first, kept(train(name, "second"))) == []
    other = kept(train(name, "other", seed=1))
    assert differing(first, other) == sorted(first)  # every file


def test_every_use_of_randomness_follows_the_seed() -> None:
    """Weights, latents, labels, order, mixing weights and dropout: none is the same for another seed."""
    source = images()
    streams = {}
    for seed in (0, 1):
        config = images_config(seed=seed, dropout=0.5)
        p = start.make_players(config, SINGLE, source)
        with phases.randomness(p, 0, "critic dropout 0"):
            dropped = torch.rand(3)
        streams[seed] = [
            *[w for w in p.generator.parameters() if w.dim() > 1][:1],
            *[w for w in p.critic.parameters() if w.dim() > 1],
            phases.real_batch(p, source, 0, 0)[0],
            torch.cat([phases.drawn_labels(p, source, step, 6) for step in range(5)]),
            p.engine.draws(seed, 0, "critic latent 0", 6).normal(5),
            p.engine.draws(seed, 0, "critic points 0", 6).uniform(1),
            latents.fixed_latents(seed, 5, 3)[0],
            dropped,
        ]
    assert not any(torch.equal(a, b) for a, b in zip(streams[0], streams[1], strict=True))


@pytest.mark.parametrize("name", ["conv, dropout, auxiliary classes", *FAST])
def test_torchs_own_random_stream_neither_matters_nor_moves(name: str, train: Any) -> None:
    torch.manual_seed(1)
    first = kept(train(name, "first"))
    torch.manual_seed(2)
    np.random.seed(3)
    state, state_np = torch.get_rng_state(), np.random.get_state()[1].copy()
    run = train(name, "second")
    assert torch.equal(state, torch.get_rng_state())
    assert (state_np == np.random.get_state()[1]).all()
    assert differing(first, kept(run)) == []
    trained.load(run).sample(3)
    assert torch.equal(state, torch.get_rng_state())  # loading and sampling leave it alone as well


def test_training_leaves_the_number_of_threads_as_it_was(train: Any) -> None:
    before = torch.get_num_threads()
    train(FAST[0], "run", threads=2, steps=1)
    assert torch.get_num_threads() == before


# --- sampling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv, batch norm, average, momentum", "mlp, clipping, RMSProp"])
def test_the_ith_sample_of_a_seed_is_the_same_for_every_n(name: str, train: Any) -> None:
    """And after a fresh load."""
    run = train(name, "run", steps=2)
    many = wgan.load(run).sample(250, seed=5)
    for n in (1, 3, 64, 100, 101, 250):
        some = wgan.load(run.path).sample(n, seed=5)
        assert torch.equal(some, many[:n]), n
        assert many.labels is None or np.array_equal(some.labels, many.labels[:n])
    assert not torch.equal(wgan.load(run).sample(3, seed=6), many[:3])
    assert len(many.flatten(1).unique(dim=0)) == 250  # blocks do not repeat each other


def test_labels_that_are_asked_for_do_not_change_the_latents(train: Any) -> None:
    model = wgan.load(train("conv, batch norm, average, momentum", "run", steps=2))
    turns = model.sample(9, seed=1)
    assert turns.labels.tolist() == [0, 1, 2] * 3
    ones = model.sample(9, label="1", seed=1)
    assert ones.labels.tolist() == [1] * 9
    for i in (1, 4, 7):
        torch.testing.assert_close(ones[i], turns[i], rtol=0, atol=1e-6)


def test_a_sample_does_not_depend_on_its_batch_mates(train: Any) -> None:
    """Evaluation mode: with batch statistics, one strange neighbour would change everything."""
    run = train("conv, batch norm, average, momentum", "run", steps=2)
    for raw in (False, True):
        model = wgan.load(run, raw=raw)
        z = normal(1, 5, model.network.latent).float()
        y = torch.tensor([0, 1, 2, 0, 1])
        alone = torch.cat([model.decode(z[i : i + 1], y[i : i + 1]) for i in range(5)])
        strange = torch.cat([z[:1], 50 * z[1:]])
        torch.testing.assert_close(model.decode(z, y), alone, rtol=0, atol=1e-5)
        torch.testing.assert_close(model.decode(strange, y)[:1], alone[:1], rtol=0, atol=1e-5)


def test_a_grid_while_training_is_made_in_evaluation_mode() -> None:
    """And the mode is left as it was."""
    p = start.make_players(images_config(ema=0), SINGLE, images())
    p.generator.train()
    statistics = [b.clone() for b in p.generator.buffers()]
    z, y = latents.fixed_latents(0, 5, 3)
    made = generate.generate(p.generator, z, y, p.engine)
    assert p.generator.training
    assert all(torch.equal(a, b) for a, b in zip(statistics, p.generator.buffers(), strict=True))
    p.generator.eval()
    with torch.no_grad():
        torch.testing.assert_close(made, p.generator(z, y), rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_the_average_is_sampled_unless_raw_is_asked_for(precision: str, train: Any) -> None:
    run = train("conv, batch norm, average, momentum", "run", precision=precision)
    tensors, config = final(run), run.config
    for raw, part in ((False, "average"), (True, "generator")):
        model = wgan.load(run, raw=raw)
        saved = checkpoint.part(tensors, part)
        assert all(torch.equal(saved[key], value) for key, value in model.network.state_dict().items())
    network = build(config, (1, 8, 8), 3)[0]
    network.load_state_dict(checkpoint.part(tensors, "average"))  # PyTorch rounds fp64 weights here
    z, y = latents.latents(4, 8, 5), torch.arange(8) % 3
    with torch.no_grad():
        expected = network.eval()(z, y)
    torch.testing.assert_close(torch.Tensor(wgan.load(run).sample(8, seed=4)), expected, rtol=0, atol=1e-6)


def test_samples_are_in_the_range_of_images_and_become_them(train: Any) -> None:
    samples = wgan.load(train("conv, batch norm, average, momentum", "run", steps=1)).sample(5)
    assert samples.shape == (5, 1, 8, 8) and samples.abs().max() <= 1
    pixels = samples.to_images()
    assert pixels.shape == (5, 8, 8) and pixels.dtype == np.uint8
    # the inverse of (x - 127.5) / 127.5, to the nearest level
    assert np.abs(pixels - (np.asarray(samples)[:, 0] * 127.5 + 127.5)).max() <= 0.5 + 1e-4
