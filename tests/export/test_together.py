"""Requests that share a pass of the generator: each gets the bits that it gets alone, and the pass is shared."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

pytest.importorskip("fastapi")

from helpers.models import KINDS, untrained

import wgan
from wgan.export import together
from wgan.export.guard import Refused
from wgan.export.together import PASS, UNTIL, Passes, shared, sizes_that_keep_bits
from wgan.sampling.generate import BLOCK
from wgan.sampling.model import Model


class Held(Passes):
    """Passes that begin only when they are let go, and note the rows of each."""

    def __init__(self, model):
        self.go, self.rows = threading.Event(), []
        super().__init__(model)

    def taken(self):
        self.go.wait(30)
        jobs = super().taken()
        self.rows.append([len(job.z) for job in jobs])
        return jobs


def at_once(model, asked):
    """Return what many threads get that ask at the same time, and the passes that computed it."""
    many = shared(model)
    passes = Held(model)
    object.__setattr__(many, "passes", passes)
    with ThreadPoolExecutor(len(asked)) as pool:
        waiting = [pool.submit(many.sample, **one) for one in asked]
        end = time.monotonic() + 20
        while len(passes.waiting) < len(asked) and time.monotonic() < end:
            time.sleep(0.01)
        passes.go.set()
        return [one.result(30) for one in waiting], passes


@pytest.mark.parametrize("kind", ["conditional", "ring"])
def test_requests_that_share_a_pass_have_the_bits_of_each_alone(kind, request):
    model = wgan.load(request.getfixturevalue({"conditional": "conditional_run", "ring": "ring_run"}[kind]))
    asked = [{"n": n, "seed": seed} for seed, n in enumerate([1, 64, 3, 150, 1, 99])]
    found, passes = at_once(model, asked)
    assert len(passes.rows) == 1 and sorted(passes.rows[0]) == [1, 1, 3, 64, 99, 150]
    for one, made in zip(asked, found, strict=True):
        alone = model.sample(**one)
        assert torch.equal(made, alone) and np.array_equal(made.labels, alone.labels)


def test_a_long_request_is_cut_so_that_others_get_in_between(conditional_run):
    model = wgan.load(conditional_run)
    many = shared(model)
    z, labels = wgan.sampling.latents.latents(3, 2 * PASS + 50, 8), model.labels(2 * PASS + 50, None)
    sizes, whole = [], model.decode(z, labels)
    many.passes.model = type(
        "Noted", (), {"decode": lambda _, z, y, __: (sizes.append(len(z)), model.decode(z, y))[1]}
    )()
    made = many.decode(z, labels)
    assert sizes == [PASS, PASS, 50] and torch.equal(made, whole) and np.array_equal(made.labels, whole.labels)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_network_keeps_its_bits_in_any_place(kind):
    shape, classes, options = KINDS[kind]
    assert sizes_that_keep_bits(untrained(shape, classes, **options))[-1] == BLOCK


class Placed(Model):
    """A model whose samples depend on where in the block they stand."""

    def decode(self, z, labels, sizes=(BLOCK,)):
        made = super().decode(z, labels, sizes)
        made[50:] += 1e-6
        return made


class Rounded(Model):
    """A model whose blocks of some sizes have other bits: of all rows, of one place, beside others, or beside copies."""

    def decode(self, z, labels, sizes=(BLOCK,)):
        made = super().decode(z, labels, sizes)
        size = min(s for s in sizes if s >= len(z))
        made[...] += 1e-6 * (size == 16)
        made[31:32] += 1e-6 * (size == 32)
        copied = bool((z == z[:1]).all())
        made[:1] += 1e-6 * ((size == 48 and not copied) or (size == 64 and copied))
        return made


def as_a(kind, model):
    return kind(**{name: getattr(model, name) for name in ("run", "step", "network", "engine", "notes")})


def test_only_block_sizes_that_keep_every_bit_are_taken():
    model = untrained((5,), 0, "vectors", generator_layers="8", generator_norm="none")
    assert sizes_that_keep_bits(as_a(Rounded, model)) == (8, 24, BLOCK)


def test_few_rows_are_computed_in_a_small_block(conditional_run):
    model = wgan.load(conditional_run)
    many, seen = shared(model), []
    many.shared_passes.sizes = (8, 16, BLOCK)  # also where this processor would not keep the bits
    model.network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    for n in (1, 9, 17):
        many.sample(n)
    assert seen == [8, 16, BLOCK]


def test_bits_that_depend_on_the_place_are_computed_alone():
    model = untrained((5,), 0, "vectors", generator_layers="8")
    strange = as_a(Placed, model)
    _, passes = at_once(strange, [{"n": 4, "seed": i} for i in range(3)])
    assert not passes.sizes and passes.rows == [[4]] * 3


def test_a_failure_reaches_every_request_and_no_later_one(conditional_run, monkeypatch):
    model = wgan.load(conditional_run)
    many = shared(model)
    with monkeypatch.context() as patch:
        patch.setattr(together, "batch", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            many.sample(2)
    assert torch.equal(many.sample(2), model.sample(2))


def test_nothing_is_computed_for_a_request_that_is_given_up(ring_run):
    many = shared(wgan.load(ring_run))
    token = UNTIL.set(time.monotonic() - 1)
    with pytest.raises(Refused, match="took too long"):
        many.sample(3)
    UNTIL.reset(token)


def test_a_pass_begins_when_half_of_the_open_requests_wait(ring_run):
    passes = shared(wgan.load(ring_run)).shared_passes
    z = torch.zeros(1, passes.model.network.latent)
    passes.count(5)
    early = [passes.submit(z, None) for _ in range(2)]
    time.sleep(0.1)
    assert not any(job.done() for job in early) and not passes.ready()
    last = passes.submit(z, None)
    assert [len(job.result(20)) for job in (*early, last)] == [1, 1, 1]
    early = passes.submit(z, None)
    passes.count(-3)  # what was open is answered: nobody is left to wait for
    assert len(early.result(20)) == 1


def test_a_request_that_nobody_waits_for_is_not_computed(ring_run):
    passes = shared(wgan.load(ring_run)).shared_passes
    z, sizes = torch.zeros(1, passes.model.network.latent), []
    decode = passes.model.decode
    passes.model = type("Noted", (), {"decode": lambda _, *given: (sizes.append(len(given[0])), decode(*given))[1]})()
    passes.count(4)
    given_up = passes.submit(z, None)
    assert given_up.cancel()
    kept = passes.submit(z, None)
    assert len(kept.result(20)) == 1 and sizes == [1]
