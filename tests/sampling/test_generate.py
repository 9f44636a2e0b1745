"""Samples and walks: latents that follow the seed alone, truncation, arcs, labels, and images of them."""

import math

import numpy as np
import pytest
import torch

import wgan
from wgan.errors import WganError
from wgan.rng import stream
from wgan.sampling import model as loading
from wgan.sampling.generate import BLOCK
from wgan.sampling.latents import latents, slerp, truncated
from wgan.sampling.model import LIMIT, Samples, images_of, load
from wgan.sampling.walk import walk

T = torch.linspace(0, 1, 9)


@pytest.fixture(scope="module")
def model(conditional_run):
    return load(conditional_run)


@pytest.fixture(scope="module")
def plain(digits_run):
    return load(digits_run)


# --- latents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latent", [1, 2, 3, 5, 10, 16, 50, 100])
def test_the_ith_latent_is_the_same_however_many_are_drawn(latent):
    """Also where torch draws the last 16 numbers of a block anew, as it does where their number is no multiple of 16."""
    many = latents(3, 250, latent)
    for n in range(1, 202):
        assert torch.equal(latents(3, n, latent), many[:n]), n
    whole = torch.randn(BLOCK, latent, generator=stream(3, 0, "sample"))
    assert torch.equal(many[:BLOCK], whole)  # as every version drew them


def test_latents_are_normal_and_differ_between_seeds_and_rows():
    z = latents(0, 2000, 10)
    assert abs(float(z.mean())) < 0.03 and abs(float(z.std()) - 1) < 0.02
    assert len(z.unique(dim=0)) == 2000
    assert not torch.equal(z[:5], latents(1, 5, 10))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(WganError, match="seed must be between"):
        latents(seed, 1, 1)
    assert latents(2**63 - 1, 1, 1).shape == (1, 1)


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.0, 2.0, 5.0, 30.0])
def test_truncated_latents_lie_within_the_bound_in_order(bound):
    z = torch.linspace(-6, 6, 2001)
    cut = truncated(z, bound)
    assert cut.dtype == z.dtype and torch.isfinite(cut).all()
    assert float(cut.abs().max()) <= float(torch.tensor(bound))  # the bound as float32
    assert (cut.diff() >= 0).all()
    assert float(cut[1000]) == pytest.approx(0, abs=1e-7)


def test_truncated_latents_follow_the_cut_normal():
    cut = truncated(latents(0, 20_000, 1), 1.0).numpy().ravel()
    # the normal cut to [-1, 1] has variance 1 - 2 phi(1) / (2 Phi(1) - 1) = 0.291125 (Johnson, Kotz & Balakrishnan 1994)
    assert cut.var() == pytest.approx(0.291125, abs=0.006)
    assert abs(cut.mean()) < 0.01


def test_truncation_zero_changes_no_bit():
    z = latents(0, 50, 4)
    assert torch.equal(truncated(z, 0), z)


def test_a_wide_truncation_changes_next_to_nothing():
    z = latents(0, 50, 4)
    assert torch.allclose(truncated(z, 7.0), z, atol=1e-5)


@pytest.mark.parametrize("bound", [-1.0, float("nan"), float("inf")])
def test_an_impossible_truncation_is_refused(bound):
    with pytest.raises(WganError, match="truncation must be"):
        truncated(torch.zeros(1), bound)


# --- arcs -------------------------------------------------------------------------------------------------------------


def test_an_arc_begins_and_ends_at_its_ends():
    a, b = latents(0, 2, 16)
    arc = slerp(a, b, T)
    assert torch.allclose(arc[0], a, atol=1e-5) and torch.allclose(arc[-1], b, atol=1e-5)


def test_an_arc_keeps_its_length_and_moves_at_constant_speed():
    """Its length, where both ends have it."""
    a, b = torch.nn.functional.normalize(latents(0, 2, 16)) * 4
    arc = slerp(a, b, T)
    assert torch.allclose(arc.norm(dim=1), torch.full((9,), 4.0), atol=1e-5)
    strides = arc.diff(dim=0).norm(dim=1)
    assert torch.allclose(strides, strides[:1].expand(8), atol=1e-5)


def test_a_quarter_circle_has_its_middle_where_trigonometry_says():
    arc = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), torch.tensor([1 / 3, 0.5]))
    expected = torch.tensor([[2 * math.cos(math.pi / 6), 1.0], [math.sqrt(2), math.sqrt(2)]])
    assert torch.allclose(arc, expected, atol=1e-6)


def test_the_lengths_of_unequal_ends_are_blended():
    arc = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0]), T)
    assert torch.allclose(arc.norm(dim=1), 1 + 2 * T, atol=1e-5)


def test_equal_and_nearly_equal_ends_give_finite_points():
    a = latents(0, 1, 16)[0]
    assert torch.allclose(slerp(a, a, T), a.expand(9, 16), atol=1e-6)
    assert torch.isfinite(slerp(a, a * (1 + 1e-7), T)).all()
    assert torch.allclose(slerp(a, 2 * a, T), a * (1 + T)[:, None], atol=1e-5)
    e = torch.tensor([1.0, 0.0])  # of length exactly 1: the angle is exactly 0
    assert torch.allclose(slerp(e, 2 * e, T), e * (1 + T)[:, None])
    assert torch.isfinite(slerp(a, -a, T)).all()


# --- labels -----------------------------------------------------------------------------------------------------------


def test_without_a_label_all_classes_take_turns(model):
    assert model.labels(23, None).tolist() == [i % 10 for i in range(23)]


def test_labels_take_turns_in_the_order_given(model):
    assert model.labels(5, ["7", 3]).tolist() == [7, 3, 7, 3, 7]
    assert model.labels(2, [7, 3, 1]).tolist() == [7, 3]
    assert model.labels(3, 4).tolist() == model.labels(3, "4").tolist() == [4, 4, 4]


def test_an_unknown_label_is_refused_with_what_is_known(model):
    with pytest.raises(WganError, match=r"unknown label '10': .*known: 0, 1, 2"):
        model.sample(1, label=10)
    with pytest.raises(WganError, match="names no class"):
        model.sample(1, label=[])


def test_an_unconditional_model_takes_no_label(plain):
    assert plain.labels(3, None) is None and plain.class_names == []
    with pytest.raises(WganError, match="unconditional model"):
        plain.sample(3, label=1)


def test_a_label_changes_the_sample_and_nothing_else_of_it(model):
    ones, twos = model.sample(4, label=1), model.sample(4, label=2)
    assert not torch.equal(ones, twos)
    both = model.sample(4, label=[1, 2])
    assert torch.equal(both[::2], ones[::2]) and torch.equal(both[1::2], twos[1::2])


# --- samples ----------------------------------------------------------------------------------------------------------


def test_samples_are_in_minus_one_to_one_with_their_labels(model):
    samples = model.sample(12, seed=4)
    assert isinstance(samples, Samples) and samples.shape == (12, 1, 28, 28) and samples.dtype == torch.float32
    assert -1 <= float(samples.min()) < float(samples.max()) <= 1
    assert samples.labels.tolist() == [i % 10 for i in range(12)]


def test_the_ith_sample_of_a_seed_is_the_same_for_every_n(model):
    many = model.sample(230, seed=5)
    for n in (1, 99, 100, 101):
        assert torch.equal(model.sample(n, seed=5), many[:n])
    assert not torch.equal(model.sample(10, seed=6), many[:10])


def test_sampling_leaves_the_network_as_it_was(model):
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    model.sample(3)
    assert not model.network.training
    assert all(torch.equal(v, before[k]) for k, v in model.network.state_dict().items())


def test_the_raw_generator_is_another_than_the_averaged_one(conditional_run):
    assert not torch.equal(load(conditional_run, raw=True).sample(4), load(conditional_run).sample(4))


def test_without_an_average_raw_is_the_same(digits_run):
    assert torch.equal(load(digits_run, raw=True).sample(4), load(digits_run).sample(4))


def test_samples_become_bytes_as_the_data_were_bytes(model):
    samples = model.sample(1100)
    images = samples.to_images()
    assert images.shape == (1100, 28, 28) and images.dtype == np.uint8
    assert np.array_equal(images, np.rint((samples[:, 0].double().numpy() + 1) * 127.5).astype(np.uint8))
    assert np.array_equal(samples[5:7].to_images(), images[5:7])  # a slice still knows how
    assert np.array_equal(model.to_images(samples[:3]), images[:3])


def test_images_of_three_channels_have_them_last():
    x = torch.linspace(-1, 1, 2 * 3 * 4 * 5).view(2, 3, 4, 5)
    assert images_of(x).shape == (2, 4, 5, 3)


def test_points_are_no_images(ring_run):
    points = load(ring_run).sample(7)
    assert points.shape == (7, 2)
    with pytest.raises(WganError, match="are not images"):
        points.to_images()


@pytest.mark.parametrize("n", [0, -1])
def test_fewer_than_one_sample_is_refused(model, n):
    with pytest.raises(WganError, match="n must be at least 1"):
        model.sample(n)


def test_more_samples_than_memory_holds_are_refused_at_once(model, monkeypatch):
    """Before any is made."""
    monkeypatch.setattr(loading, "latents", lambda *_: pytest.fail("drew latents"))
    most = LIMIT // 784
    for n in (most + 1, 10**18):
        with pytest.raises(WganError, match=f"at most {most}"):
            model.sample(n)
        with pytest.raises(WganError, match=f"at most {most}"):
            walk(model, n, 1, seed=0)


# --- walks ------------------------------------------------------------------------------------------------------------


def test_a_walk_has_a_frame_for_each_stop_leg_and_row(model):
    assert walk(model, stops=3, frames=4, seed=0, rows=2).shape == (24, 1, 28, 28)


def test_a_walk_passes_through_its_latents_and_comes_back(plain):
    frames = walk(plain, stops=3, frames=4, seed=1).flatten(1)
    stops = plain.sample(3, seed=1).flatten(1)
    assert torch.allclose(frames[::4], stops, atol=1e-5)
    ends = torch.cat([frames, frames[:1]])
    strides = ends.diff(dim=0).norm(dim=1)
    mean = float(strides.mean())  # no jump and no rest, nor between the last frame and the first
    assert 0.2 * mean < float(strides.min()) and float(strides.max()) < 3 * mean


def test_a_conditional_walk_crosses_labels_unless_one_is_given(model):
    assert walk(model, 3, 2, seed=0, rows=2).labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert set(walk(model, 3, 2, seed=0, label="7").labels.tolist()) == {7}


@pytest.mark.parametrize(("stops", "frames", "rows"), [(1, 4, 1), (0, 4, 1), (2, 0, 1), (2, 4, 0), (-3, 4, 1)])
def test_a_walk_that_goes_nowhere_is_refused(plain, stops, frames, rows):
    with pytest.raises(WganError, match="a walk needs at least 2 stops"):
        walk(plain, stops, frames, seed=0, rows=rows)


# --- loading ----------------------------------------------------------------------------------------------------------


def test_the_newest_checkpoint_is_loaded_or_the_one_asked_for(ring_run):
    assert load(ring_run).step == 2 and load(ring_run, checkpoint=1).step == 1
    assert not torch.equal(load(ring_run).sample(3), load(ring_run, checkpoint="1").sample(3))
    with pytest.raises(WganError, match=r"no checkpoint of step 7: it has 1, 2"):
        load(ring_run, checkpoint=7)


def test_best_is_the_evaluated_step_with_the_lowest_figure(ring_run, copy):
    # the session's runs evaluate by (3 step) mod 11 at their last step only: step 2
    assert load(ring_run, "best").step == 2
    run = copy(ring_run)
    (run / "log.jsonl").write_text('{"step": 1, "evaluate/selection": 0.5}\n{"step": 2, "evaluate/selection": 0.7}\n')
    assert load(run, "best").step == 1
    (run / "log.jsonl").write_text("")
    with pytest.raises(WganError, match="never evaluated"):
        load(run, "best")


@pytest.mark.parametrize("which", ["newest", "", "-1", "1.5"])
def test_a_checkpoint_that_is_no_step_is_refused(ring_run, which):
    with pytest.raises(WganError, match="is not last, best or a step"):
        load(ring_run, which)


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(ring_run, copy):
    """And a note says so."""
    run = copy(ring_run)
    path = run / "checkpoints" / "step-00000002.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    model = load(run)
    assert model.step == 1 and len(model.notes) == 1 and "step-00000002.safetensors is damaged" in model.notes[0]
    assert path.exists()  # a reader changes nothing: the run may be training
    with pytest.raises(WganError, match="damaged"):
        load(run, checkpoint=2)
    other = run / "checkpoints" / "step-00000001.safetensors"
    other.write_bytes(b"")
    with pytest.raises(WganError, match="no whole checkpoint"):
        load(run)


def test_a_checkpoint_that_does_not_fit_the_config_is_refused(digits_run, copy):
    run = copy(digits_run)
    config = run / "config.json"
    config.write_text(config.read_text().replace('"generator_layers": "128 256"', '"generator_layers": "128 255"'))
    with pytest.raises(WganError, match=r"does not fit its config\.json"):
        load(run)


def test_a_run_loads_by_path_text_or_record(digits_run):
    assert load(str(digits_run)).step == load(wgan.open_run(digits_run)).step == 2


def test_sliced_samples_keep_their_labels():
    """Whatever picks samples picks their labels; an index of values alone changes none."""
    samples = torch.arange(24.0).view(6, 1, 2, 2).as_subclass(Samples)
    samples.labels = torch.arange(6)
    picks = [slice(5), slice(1, None, 2), 3, -1, [4, 0], torch.tensor([2, 2]), torch.arange(6) > 3, (slice(2), 0), ...]
    for pick in picks:
        rows = pick[0] if isinstance(pick, tuple) else pick
        assert torch.equal(samples[pick].labels, torch.arange(6)[rows]), pick
    assert torch.equal(samples[:5][1:].labels, torch.arange(1, 5))
    assert samples[samples > 3].labels is None
    unlabelled = torch.zeros(6, 2).as_subclass(Samples)
    assert unlabelled[:5].labels is None
