"""Large images are measured in bounded memory: read part by part, to the figures that all of them at once give."""

import numpy as np
import pytest
import torch

from wgan.data import Source
from wgan.errors import WganError
from wgan.evaluation import context, samples
from wgan.evaluation.context import Measured
from wgan.evaluation.metrics_table import METRICS
from wgan.evaluation.samples import About, Reals, Subject, from_model
from wgan.metrics import certified, neighbours
from wgan.metrics.certified import Standardised, certified_w1, fit_critic, sample_bracket
from wgan.metrics.coverage import prdc
from wgan.metrics.distances import exact_w1, sliced_w1
from wgan.metrics.memorisation import memorisation
from wgan.metrics.rows import Pixels, rows
from wgan.sampling.latents import latents
from wgan.sampling.model import load

SHAPE = (3, 8, 8)  # 192 numbers
CELLS = 192 * 7  # seven samples at once


def images(seed, n, shift=0):
    """Blobs of chance: uint8 [n, *SHAPE]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200 - shift, (n, 3, 2, 2)).repeat(4, 2).repeat(4, 3)
    return torch.from_numpy((coarse + rng.integers(0, 30, (n, *SHAPE)) + shift).astype(np.uint8))


def as_floats(x):
    """The rows of images, all at once, as a program without chunks holds them."""
    return (x.float() / 255).flatten(1).numpy().astype(np.float64)


@pytest.fixture
def sets():
    return images(0, 60, 20), images(1, 50), images(2, 40), images(3, 45, 20)


FUNCTIONS = {
    "prdc": lambda a, b, c, d: prdc(a, b),
    "exact-w1": lambda a, b, c, d: [exact_w1(a, b)],
    "sliced-w1": lambda a, b, c, d: [sliced_w1(a, b)],
    "bracket": lambda a, b, c, d: sample_bracket(a, b, np.arange(60) / 60, np.arange(50) / 70),
    "memorisation": lambda a, b, c, d: memorisation(a, c, b)[:7],
    "certified-w1": lambda a, b, c, d: certified_w1(b, a, c, d, steps=8),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_metric_of_images_read_in_parts_is_that_of_all_rows(name, sets, monkeypatch):
    whole = FUNCTIONS[name](*map(as_floats, sets))
    monkeypatch.setattr(neighbours, "CELLS", CELLS)
    monkeypatch.setattr(certified, "HELD", 192 * 52)  # one of the two sets is kept, the other made anew for each batch
    parts = FUNCTIONS[name](*map(Pixels, sets))
    np.testing.assert_allclose(parts, whole, rtol=2e-4 if name == "certified-w1" else 1e-6, atol=1e-6)
    assert np.abs(np.asarray(whole)).max() > 0


@pytest.mark.parametrize("name", ["prdc", "certified-w1", "bracket", "sliced-w1", "memorisation"])
def test_no_metric_reads_more_than_a_chunk_of_large_images(name, sets, monkeypatch):
    read = []
    item = Pixels.__getitem__

    def spy(self, which):
        found = item(self, which)
        read.append(found.size)
        return found

    monkeypatch.setattr(Pixels, "__getitem__", spy)
    monkeypatch.setattr(neighbours, "CELLS", CELLS)
    monkeypatch.setattr(context, "BLOCK", CELLS)
    monkeypatch.setattr(certified, "HELD", 0)
    monkeypatch.setattr(certified, "BATCH", 6)
    monkeypatch.setattr(context, "fit_critic", lambda real, fake: fit_critic(real, fake, steps=3))
    train, test = images(4, 150), images(5, 100)
    sources = [Source("own", s, SHAPE, len(x), lambda i, x=x: x[i]) for s, x in (("train", train), ("test", test))]
    measured = Measured(Subject(images(6, 150), None, About(n_fake=0)), Reals(*sources, 150))
    assert METRICS[name].measure(measured)
    assert read and max(read) <= CELLS


def test_a_set_too_large_to_keep_is_standardised_by_batch(sets, monkeypatch):
    """Each batch is standardised when it is read, to the same numbers."""
    x = Pixels(sets[0])
    centre, index = x[:].mean(0, dtype=np.float64), torch.tensor([5, 0, 59])
    kept = Standardised(x, centre, 3.0)
    monkeypatch.setattr(certified, "HELD", 60 * 192 - 1)
    anew = Standardised(x, centre, 3.0)
    assert kept.whole is not None and anew.whole is None
    assert torch.equal(kept[index], anew[index])
    np.testing.assert_allclose(kept[index], (as_floats(sets[0])[index] - centre) / 3, atol=1e-6)


def test_pixels_are_the_rows_in_0_to_1_by_slice_and_by_index(sets):
    x = Pixels(sets[0])
    assert x.shape == (60, 192) and len(x) == 60
    assert x[3:5].dtype == np.float32 and np.array_equal(x[3:5], as_floats(sets[0])[3:5].astype(np.float32))
    assert np.array_equal(x[np.array([7, 0])], x[:][[7, 0]])
    assert np.asarray(x).dtype == np.float32 and rows(x).dtype == np.float64 and rows(x, single=True) is x
    with pytest.raises(WganError, match="60 samples; this metric needs at least 61"):
        rows(x, least=61, single=True)


def test_fakes_made_in_parts_are_those_made_at_once(conditional_run, monkeypatch):
    model = load(conditional_run)
    asked = torch.arange(250) // 30 % model.network.classes  # each part of 100 has labels of its own
    whole = from_model(model, 250, 5, asked)
    direct = samples.to_bytes(model.decode(latents(5, 250, model.network.latent), asked).as_subclass(torch.Tensor))
    monkeypatch.setattr(samples, "PART", 100)
    parts = from_model(model, 250, 5, asked)
    assert torch.equal(parts.fakes, whole.fakes) and torch.equal(whole.fakes, direct) and len(parts.fakes) == 250
    assert torch.equal(parts.labels, asked)
