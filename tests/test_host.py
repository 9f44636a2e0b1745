"""Whatever the program around a training has set in torch changes nothing, or is refused in one sentence."""

import contextlib
import random
import threading
import warnings

import numpy as np
import pytest
import torch

import wgan
from wgan.errors import WganError
from wgan.host import drawing, flushes, require_usual, thread_count, undisturbed
from wgan.models import build
from wgan.recipes import RECIPES, configure
from wgan.rng import derived_seed, seeded
from wgan.sampling.model import load

WORDS = {"steps": 2, "batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8", "dropout": 0.2}


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(200, 3))


def weights(folder):
    (file,) = (folder / "checkpoints").glob("*2.safetensors")
    return file.read_bytes()


@pytest.fixture
def alone(here, cheap, cache, rows):
    """Return the weights of a run that nothing disturbed, for seed 1 and for seed 2."""
    return [weights(wgan.train(data=rows, run=f"alone{seed}", seed=seed, **WORDS).path) for seed in (1, 2)]


@contextlib.contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@contextlib.contextmanager
def exact():
    torch.use_deterministic_algorithms(True)
    yield
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)


@contextlib.contextmanager
def flushing():
    torch.set_flush_denormal(True)
    yield
    assert flushes()
    torch.set_flush_denormal(False)


@contextlib.contextmanager
def strict_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextlib.contextmanager
def seeds():
    with torch.random.fork_rng():
        torch.manual_seed(9)
        np.random.seed(9)
        random.seed(9)
        yield


STATES = {
    "no grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "gradients off": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "device context": lambda: torch.device("meta"),
    "default device": default_device,
    "thread count": threads,
    "numpy errors": lambda: np.errstate(all="raise"),
    "deterministic algorithms": exact,
    "denormals flushed": flushing,
    "warnings are errors": strict_warnings,
    "seeds": seeds,
    "anomaly detection": torch.autograd.detect_anomaly,
}


@pytest.mark.parametrize("name", STATES)
def test_no_state_of_the_host_changes_a_run(name, alone, here, rows):
    sampled = load("alone1").sample(4, seed=0)
    with STATES[name]():
        run = wgan.train(data=rows, run="run", seed=1, **WORDS)
        again = load("alone1").sample(4, seed=0)
        figures = wgan.evaluate("run", n=100, metrics=["sliced-w1"])
    assert weights(run.path) == alone[0]
    assert torch.equal(again, sampled) and not again.is_inference()
    assert figures.figure("sliced-w1") == wgan.evaluate("alone1", n=100, metrics=["sliced-w1"]).figure("sliced-w1")


def test_two_trainings_in_two_threads_are_each_as_alone(alone, here, rows):
    def train(seed):
        wgan.train(data=rows, run=f"run{seed}", seed=seed, **WORDS)

    started = [threading.Thread(target=train, args=(seed,)) for seed in (1, 2)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert [weights(here / f"run{seed}") for seed in (1, 2)] == alone


def test_the_number_of_threads_of_two_trainings_is_each_its_own():
    """A sum over two parts is another than over one: what one thread of a program sets must not reach the other."""
    found, together = {}, threading.Barrier(2)

    def count(n):
        with thread_count(n):
            together.wait()
            found[n] = torch.get_num_threads()
            together.wait()

    started = [threading.Thread(target=count, args=(n,)) for n in (1, 2)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert found == {1: 1, 2: 2}


def drawn():
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]


def test_the_smallest_numbers_are_flushed_for_the_host_alone():
    with flushing():
        with undisturbed():
            assert not flushes()
        assert flushes()


def test_a_training_leaves_the_streams_of_the_process_alone(here, cheap, cache, rows):
    with seeds():
        expected = drawn()
    with seeds():
        wgan.train(data=rows, run="run", **WORDS)
        load("run").sample(4)
        wgan.evaluate("run", n=100, metrics=["sliced-w1"])
        assert drawn() == expected


def test_layers_drawn_from_a_stream_have_a_seeded_process_bits():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        expected = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Embedding(5, 2), torch.nn.Conv2d(1, 2, 3))
    with drawing(torch.Generator().manual_seed(7)):
        found = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Embedding(5, 2), torch.nn.Conv2d(1, 2, 3))
    assert all(torch.equal(a, b) for a, b in zip(expected.parameters(), found.parameters(), strict=True))


def oneDNN(value):
    torch.backends.mkldnn.enabled = value


def precision_of(place):
    def change(value):
        place.fp32_precision = value

    return change


@pytest.mark.parametrize(
    "setting, value, usual, said",
    [
        (torch.set_default_dtype, torch.float64, torch.float32, "default dtype is float64"),
        (torch.set_default_dtype, torch.bfloat16, torch.float32, "default dtype is bfloat16"),
        (torch.set_default_tensor_type, torch.DoubleTensor, torch.FloatTensor, "default dtype is float64"),
        (torch.set_float32_matmul_precision, "medium", "highest", "matmul precision is 'medium'"),
        (torch.set_float32_matmul_precision, "high", "highest", "matmul precision is 'high'"),
        (oneDNN, False, True, "oneDNN is switched off"),
        (precision_of(torch.backends.mkldnn.matmul), "bf16", "none", r"mkldnn\.matmul\.fp32_precision is 'bf16'"),
        (precision_of(torch.backends.mkldnn.conv), "bf16", "none", r"mkldnn\.conv\.fp32_precision is 'bf16'"),
        (precision_of(torch.backends), "tf32", "none", r"fp32_precision is 'tf32'"),
    ],
)
def test_what_belongs_to_the_whole_process_is_refused(setting, value, usual, said, here, rows, cache):
    setting(value)
    try:
        with pytest.raises(WganError, match=said):
            wgan.train(data=rows, run="run", **WORDS)
    finally:
        setting(usual)
    assert not (here / "run").exists()
    require_usual()


@pytest.mark.parametrize("name", RECIPES)
def test_the_initial_weights_of_every_recipe_keep_their_bits(name):
    """They were drawn from the generator of the process, seeded for a while; now from one of their own."""
    config = configure(name, {})
    shape = (2,) if config.generator == "mlp" and config.data.startswith(("ring", "grid", "swiss")) else (1, 28, 28)
    shape = (1, 8, 8, 8) if config.generator == "conv3d" else shape
    shape = (1, 64) if config.generator == "conv1d" else (3, 28, 28) if config.data == "stacked-mnist" else shape
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(0, 0, "initial weights"))
        expected = build(config, shape, 10 if len(shape) == 3 else 0)
    with seeded(0, 0, "initial weights"):
        found = build(config, shape, 10 if len(shape) == 3 else 0)
    for one, other in zip(expected, found, strict=True):
        assert all(
            torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )


@pytest.mark.parametrize("name", ["forward_pre", "forward"])
def test_a_hook_on_every_module_is_refused(name):
    """It would change the weights without a word."""
    register = getattr(torch.nn.modules.module, f"register_module_{name}_hook")
    hook = register(lambda *given: None)
    try:
        with pytest.raises(WganError, match=f"a global {name.replace('_', '-')} hook"), undisturbed():
            pass
    finally:
        hook.remove()
    with undisturbed():
        pass
