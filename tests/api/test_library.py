"""The library does from Python what the command line does, and raises the same sentences."""

import numpy as np
import pytest
import torch
from helpers.run_folders import files

import wgan
from wgan.errors import WganError
from wgan.runs.folder import open_run


def test_the_library_does_the_same_in_ten_lines(here, cheap, capsys):
    options = {"generator": "mlp", "generator_layers": "16", "critic": "mlp", "critic_layers": "16", "latent": 8}
    run = wgan.train("mnist", steps=2, batch=8, threads=1, **options)
    assert isinstance(run, wgan.Run) and run.step == 2 and str(run.path) == "runs/mnist"
    assert "critic/wasserstein" in run.log()[-1]
    model = wgan.load("runs/mnist")
    sevens = model.sample(5, label=7, seed=3)
    assert sevens.shape == (5, 1, 28, 28) and float(sevens.abs().max()) <= 1
    images = sevens.to_images()
    assert images.shape == (5, 28, 28) and images.dtype == np.uint8
    assert torch.equal(model.sample(20, label=7, seed=3)[:5], sevens)
    assert torch.equal(wgan.load(run).sample(5, label=7, seed=3), sevens)
    assert wgan.train("mnist", run="runs/mnist", steps=3, batch=8, threads=1, **options).step == 3


@pytest.mark.parametrize(
    ("options", "words"), [({"n_critc": 3}, "n_critic"), ({"lr": "x"}, "lr must be"), ({"recipe": "mnits"}, "mnist")]
)
def test_the_library_raises_the_same_sentences(here, options, words):
    with pytest.raises(WganError, match=words):
        wgan.train(**options)
    assert files(here) == []


def test_the_first_argument_may_be_data_a_run_or_a_config(here, cheap):
    """Whatever it is, it means what it means by its name."""
    x = np.random.default_rng(0).normal(size=(60, 3))
    small = {"batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8"}
    run = wgan.train(x, run="first", steps=1, **small)
    assert torch.equal(wgan.load(run).sample(4), wgan.load(wgan.train(data=x, run="b", steps=1, **small)).sample(4))
    assert wgan.train(run, steps=2).step == 2 and wgan.train(run.path, steps=3).step == 3
    assert (
        wgan.train(wgan.Config(**small, generator="mlp", critic="mlp", data="ring", steps=1), run="c").config.batch == 8
    )
    for twice in ({"data": x}, {"data": "ring"}):
        with pytest.raises(WganError, match="data is given twice, first by position"):
            wgan.train(x, run="d", **twice)
    with pytest.raises(WganError, match="run is given twice"):
        wgan.train(run, run="first")
    assert not (here / "d").exists()


def test_a_config_is_trained_as_it_is_beside_overrides(here, cheap):
    small = {"generator": "mlp", "generator_layers": "16", "critic": "mlp", "critic_layers": "16", "latent": 8}
    config = wgan.Config(recipe="small", batch=8, threads=1, steps=1, **small)
    run = wgan.train(config=config, lr=1e-4, run="here")
    assert run.config == config.replace(lr=1e-4)
    assert wgan.train(config=config, lr=1e-4, steps=2, run="here").step == 2
    with pytest.raises(WganError, match="a recipe or a config, not both"):
        wgan.train("mnist", config=config)
    with pytest.raises(WganError, match="did you mean n_critic"):
        wgan.train(config=config, n_critc=3)


def test_ctrl_c_stops_a_script_after_saving(here, cheap, monkeypatch):
    import signal

    from wgan.training import step as phases

    check = phases.require_finite
    monkeypatch.setattr(phases, "require_finite", lambda s, step: (signal.raise_signal(signal.SIGINT), check(s, step)))
    before = signal.getsignal(signal.SIGINT)  # a shell's background jobs ignore it
    with pytest.raises(KeyboardInterrupt):
        wgan.train("gulrajani-ring", steps=9, batch=8, threads=1, generator_layers="16", critic_layers="16")
    assert open_run("runs/gulrajani-ring").step == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_the_public_names_are_there_and_no_others():
    assert {"train", "load", "Config", "Run", "RECIPES", "WganError"} <= set(dir(wgan))
    assert all(getattr(wgan, name) is not None for name in wgan.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trane'"):
        wgan.trane  # noqa: B018
