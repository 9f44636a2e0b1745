"""Precision, recall, density, coverage, modes, classes and memorisation, on sets whose answer is known."""

import numpy as np
import pytest
import torch

from wgan.errors import WganError
from wgan.metrics import neighbours
from wgan.metrics.coverage import class_histogram, kl, label_accuracy, mode_report, prdc, stacked_modes
from wgan.metrics.memorisation import memorisation
from wgan.metrics.neighbours import nearest


def normal(seed, n=200, d=5, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) * scale + shift


def ring(counts, sigma=0.01, seed=0):
    angles = 2 * np.pi * np.arange(8) / 8
    modes = np.stack([np.cos(angles), np.sin(angles)], 1)
    x = np.repeat(modes, counts, axis=0)
    return x + sigma * np.random.default_rng(seed).normal(size=x.shape), modes


# --- PRDC ---


@pytest.mark.parametrize(
    ("n", "m", "k", "shift"), [(120, 150, 5, 0.4), (60, 60, 1, 0.0), (50, 200, 3, 1.5), (80, 40, 5, 9)]
)
def test_prdc_agrees_with_its_authors_program(n, m, k, shift, capsys):
    import prdc as oracle

    real, fake = normal(0, n, 8), normal(1, m, 8, 0.9, shift)
    expected = oracle.compute_prdc(real_features=real, fake_features=fake, nearest_k=k)
    found = prdc(fake, real, k)
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-12)


def test_prdc_on_a_line_by_hand():
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [3.5], [10.0]])
    # k = 1: real balls (-1, 1) (0, 2) (1, 5); fake balls (-2.5, 3.5) (0.5, 6.5) (3.5, 16.5)
    found = prdc(fake, real, k=1)
    assert found.precision == pytest.approx(2 / 3)  # 0.5 and 3.5, not 10
    assert found.recall == pytest.approx(1)  # 0, 1 and 3 in the first fake ball
    assert found.density == pytest.approx(3 / 3)  # 0.5 in two balls, 3.5 in one
    assert found.coverage == pytest.approx(1)


@pytest.mark.parametrize("cells", [1, 700, 10**9])
def test_prdc_does_not_depend_on_the_chunk(monkeypatch, cells):
    real, fake = normal(0, 90), normal(1, 70, shift=0.3)
    whole = prdc(fake, real)
    monkeypatch.setattr(neighbours, "CELLS", cells)
    assert prdc(fake, real) == whole


def test_prdc_of_equal_sets_is_full_and_of_disjoint_sets_nothing():
    x = normal(0)
    same = prdc(x, x)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert prdc(x + 1000, x) == (0, 0, 0, 0)


def test_prdc_tells_dropped_modes_from_bad_samples():
    real = np.concatenate([normal(0, 300), normal(1, 300, shift=20)])
    half, noisy = normal(2, 600), np.concatenate([normal(3, 300), normal(4, 300, shift=1000)])
    assert prdc(half, real).precision > 0.8 and prdc(half, real).coverage < 0.6
    assert prdc(noisy, real).precision < 0.6


def test_a_constant_set_covers_nothing():
    """And not by an accident of rounding."""
    x, flat = normal(0, shift=1000.0), np.full((50, 5), 1000.1)
    assert prdc(flat, x).recall == 0
    found = prdc(x, flat)
    assert (found.precision, found.density, found.coverage) == (0, 0, 0)
    assert prdc(flat, flat) == (0, 0, 0, 0)


def test_prdc_refuses_what_has_no_kth_neighbour():
    with pytest.raises(WganError, match="fake has 5 samples; this metric needs at least 6"):
        prdc(normal(0, 5), normal(1))
    with pytest.raises(WganError, match="k must be at least 1"):
        prdc(normal(0), normal(1), k=0)
    with pytest.raises(WganError, match="NaN"):
        prdc(np.full((20, 5), np.nan), normal(1))
    with pytest.raises(WganError, match="must match"):
        prdc(normal(0, d=4), normal(1))


# --- neighbours and memorisation ---


@pytest.mark.parametrize("d", [2, 100])
def test_nearest_is_what_a_full_distance_matrix_says(monkeypatch, d):
    monkeypatch.setattr(neighbours, "CELLS", 500)
    queries, base = normal(0, 70, d), normal(1, 90, d)
    full = np.linalg.norm(queries[:, None] - base[None], axis=2)
    for k in (1, 5):
        distance, index = nearest(queries, base, k)
        assert (index == full.argsort(1)[:, :k]).all()
        np.testing.assert_allclose(distance, np.sort(full, 1)[:, :k], rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_squared_distances_of_equal_rows_are_exactly_zero(dtype):
    """And right elsewhere."""
    x = torch.from_numpy(normal(0, 150, 60, shift=3.0)).to(dtype)
    d2 = neighbours.squared_distances(x, x.flip(0))
    assert (d2.flip(1).diagonal() == 0).all()
    expected = torch.cdist(x.double(), x.flip(0).double(), compute_mode="donot_use_mm_for_euclid_dist") ** 2
    assert torch.allclose(d2.double(), expected, rtol=1e-3 if dtype == torch.float32 else 1e-11)


def test_a_row_is_kept_from_finding_itself_in_every_chunk(monkeypatch):
    base = normal(0, 60, 4)
    expected = nearest(base, base, exclude_self=True)
    monkeypatch.setattr(neighbours, "CELLS", 600)  # ten rows at once
    distance, index = nearest(base, base, exclude_self=True)
    assert (index == expected[1]).all() and (distance == expected[0]).all() and (distance > 0).all()


def test_a_copy_is_at_distance_exactly_zero():
    """And a row can be kept from finding itself."""
    base = np.random.default_rng(0).integers(0, 256, (200, 784)).astype(float)
    distance, index = nearest(base[50:60], base)
    assert (distance == 0).all() and (index[:, 0] == np.arange(50, 60)).all()
    distance, index = nearest(base, base, exclude_self=True)
    assert (distance > 0).all() and (index[:, 0] != np.arange(200)).all()


def test_memorisation_is_none_of_fresh_samples_all_of_copies():
    training, held_out = normal(0, 800, 10), normal(1, 400, 10)
    fresh = memorisation(normal(2, 400, 10), held_out, training)
    assert fresh.closer == pytest.approx(0.5, abs=0.06) and fresh.ratio == pytest.approx(1, abs=0.05)
    assert fresh.near == pytest.approx(0.01, abs=0.02)  # nearer than 99 % of the held-out are
    assert fresh.copies <= fresh.near and fresh.real_copies <= 0.01
    copied = memorisation(training[100:400] + 1e-6, held_out, training)
    assert copied.closer == 1 and copied.near == copied.copies == 1 and copied.ratio < 1e-3


def blurred(images):
    """Return images [N, 16, 16] as means over 5 x 5 pixels, edges repeated."""
    x = torch.from_numpy(images)[:, None]
    return torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (2, 2, 2, 2), "replicate"), 5, 1)[:, 0].numpy()


def test_copies_are_near_one_training_sample_blurs_near_all():
    # pure noise: any blurred or grey image is nearer to each training image than training images are to one another
    rng = np.random.default_rng(0)
    training, held_out, fresh = (rng.random((n, 16, 16)) for n in (600, 200, 300))
    fakes = {
        "copies": (training[:300], 1, 1),
        "noisy copies": (training[:300] + 0.1 * rng.standard_normal((300, 16, 16)), 1, 1),
        "copies of repeated images": (np.tile(training[:20], (15, 1, 1)), 1, 1),
        "fresh": (fresh, 0.02, 0.005),
        "blobs": (blurred(fresh), 1, 0),
        "the mean": (np.broadcast_to(training.mean(0), (300, 16, 16)), 1, 0),
    }
    for name, (fake, near, copies) in fakes.items():
        found = memorisation(fake, held_out, training)
        assert (found.near, found.copies) == pytest.approx((near, copies), abs=0.025), name
    few = memorisation(fakes["blobs"][0], held_out[:12], training)  # the smallest of 12 is no quantile of 1 %
    assert (few.near, few.copies) == (1, 0)
    twice = memorisation(fakes["noisy copies"][0], held_out, np.concatenate([training, training]))
    assert twice.copies == 1  # a training image that is there twice does not hide its copies
    alone = np.concatenate([training, 40 + rng.random((1, 16, 16))])  # far from all the rest
    far = memorisation(45 + fresh, held_out, alone)
    assert far.copies == 0  # nearer to it than to the rest, but near to nothing


@pytest.mark.parametrize("repeated", [0.0, 0.01, 0.012, 0.3, 1.0])
def test_a_copier_is_seen_however_many_held_out_are_repeats(repeated):
    """Held-out samples that repeat training ones."""
    rng = np.random.default_rng(0)
    training, held, fresh = rng.normal(size=(2000, 8)), rng.normal(size=(1000, 8)), rng.normal(size=(500, 8))
    held[: int(1000 * repeated)] = training[: int(1000 * repeated)]
    pure = memorisation(training[:500], held, training)
    assert pure.copies == pure.near == 1 and pure.real_copies == pytest.approx(repeated, abs=0.011)
    assert memorisation(fresh, held, training).copies <= 0.02
    if repeated < 1:  # where no held-out sample says what is usual, only equal samples count
        close = training[:500] + 1e-4 * rng.normal(size=(500, 8))
        assert memorisation(close, held, training).copies > 0.95


def test_memorisation_names_the_closest_pairs_first():
    training, held_out, fake = normal(0, 300, 10), normal(1, 100, 10), normal(2, 50, 10)
    fake[7], fake[31] = training[11], training[200] + 1e-3
    found = memorisation(fake, held_out, training, pairs=2)
    assert found.pairs.tolist() == [[7, 11], [31, 200]]
    assert found.distances[0] == 0 and found.distances[1] == pytest.approx(1e-3 * np.sqrt(10), rel=1e-6)


@pytest.mark.parametrize("sizes", [(100,), (1, 99), (30, 30, 40)])
def test_memorisation_reads_training_samples_block_by_block(sizes):
    training, held_out, fake = normal(0, 100, 70), normal(1, 50, 70), normal(2, 40, 70)
    fake[3], fake[5] = training[99], training[0] + 1e-3
    whole = memorisation(fake, held_out, training)
    blocks = memorisation(fake, held_out, iter(np.split(training, np.cumsum(sizes)[:-1])))
    assert whole.pairs.tolist() == blocks.pairs.tolist() and whole.pairs[:2].tolist() == [[3, 99], [5, 0]]
    assert whole[:7] == blocks[:7] and whole.copies == 2 / 40


def test_memorisation_has_an_answer_at_the_edges():
    x = normal(0, 30, 4)
    same = memorisation(x, x, x)
    assert (same.ratio, same.closer) == (1, 0.5)  # fakes and held-out reals are all copies: no difference
    assert same.copies == same.near == same.real_copies == 1
    assert memorisation(x + 1, x, x).ratio == float("inf")
    assert memorisation(x[:1], x, x, pairs=5).pairs.shape == (1, 2)
    assert memorisation(x[:1], x + 1, x[:1]).copies == 1 and memorisation(x[1:2], x + 1, x[:3]).copies == 1
    with pytest.raises(WganError, match="held_out has 3 numbers"):
        memorisation(x, x[:, :3], x)
    with pytest.raises(WganError, match="held_out has 0 samples"):
        memorisation(x, x[:0], x)


# --- modes and classes ---


def test_mode_report_counts_a_perfect_ring():
    samples, modes = ring([2500] * 8)
    found = mode_report(samples, modes, radius=0.03)
    assert (found.reached, found.modes) == (8, 8)
    assert found.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.003)  # Rayleigh: 0.98889 within 3 sigma
    assert found.reverse_kl == 0 and found.counts.tolist() == [2500] * 8


def test_mode_report_sees_dropped_modes_and_stray_samples():
    samples, modes = ring([100, 100, 100, 100, 0, 0, 0, 0], sigma=0.0)
    found = mode_report(samples, modes, radius=0.03)
    assert found.reached == 4 and found.high_quality == 1
    assert found.reverse_kl == pytest.approx(np.log(2))  # uniform over half of the modes
    strays = mode_report(np.concatenate([samples, modes[4:] * 1.5]), modes, radius=0.03)
    assert strays.reached == 4  # a sample outside three sigma reaches no mode
    assert strays.high_quality == pytest.approx(400 / 404)


def test_uniform_noise_covers_no_mode_of_a_grid():
    modes = np.stack(np.meshgrid(*[np.arange(-4, 5, 2.0)] * 2), -1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    noise = mode_report(rng.uniform(-5, 5, (2500, 2)), modes, 0.15)
    assert noise.reached >= 15 and noise.covered == 0
    real = mode_report(modes[rng.integers(25, size=2500)] + 0.05 * rng.standard_normal((2500, 2)), modes, 0.15)
    assert real.covered == real.reached == 25


def test_a_mode_is_covered_from_a_tenth_of_its_samples_on():
    modes = np.array([[0.0, 0.0], [9.0, 9.0]])
    for near, covered in ((4, 1), (5, 2)):  # 100 samples, 2 modes: 100 / 20 = 5
        assert mode_report(modes[[0] * (100 - near) + [1] * near], modes, 1.0).covered == covered


def test_mode_report_refuses_what_it_cannot_count():
    samples, modes = ring([1] * 8)
    with pytest.raises(WganError, match="radius must be above 0"):
        mode_report(samples, modes, 0)
    with pytest.raises(WganError, match="modes has 3: they must match"):
        mode_report(samples, np.zeros((8, 3)), 0.1)
    assert mode_report(modes[:1], modes, 0.03).reached == 1


def test_kl_is_its_formula_and_infinite_outside_the_reference():
    assert kl([1, 1, 2], [1, 1, 1]) == pytest.approx(0.5 * np.log(0.75) + 0.5 * np.log(1.5))
    assert kl([5, 0]) == pytest.approx(np.log(2))
    assert kl([1, 1], [1, 0]) == float("inf")
    with pytest.raises(WganError, match="two histograms"):
        kl([0, 0])


def test_stacked_modes_of_a_perfect_sampler_score_the_reference():
    """Which is not zero."""
    triples = np.random.default_rng(5).integers(0, 10, (26_000, 3))
    found = stacked_modes(triples)
    assert (found.reached, found.modes) == (1000, 1000)
    assert found.kl_floor == pytest.approx(999 / 52_000)
    assert found.kl_floor_measured == pytest.approx(0.0194, abs=0.0004)  # measured beforehand: 0.0194 ± 0.0008
    assert abs(found.excess) < 4 * found.kl_floor_spread
    assert found.excess == found.kl - found.kl_floor_measured != found.kl - found.kl_floor


def test_stacked_modes_count_triples_not_digits():
    found = stacked_modes(torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    assert found.reached == 3
    assert found.kl == pytest.approx(np.log(1000) - 1.5 * np.log(2))  # entropy of (1/2, 1/4, 1/4)
    with pytest.raises(WganError, match=r"shape \[N, 3\]"):
        stacked_modes(np.zeros((4, 2), int))
    with pytest.raises(WganError, match=r"0\.\.9"):
        stacked_modes(np.full((4, 3), 10))


def test_the_class_histogram_names_missing_classes():
    """And is measured against the reference."""
    found = class_histogram(np.array([0, 0, 1, 3]), 4)
    assert found.counts.tolist() == [2, 1, 0, 1] and found.missing == (2,)
    assert found.kl == pytest.approx(np.log(4) - 1.5 * np.log(2))
    assert class_histogram([0, 0, 1, 3], 4, reference=[20, 10, 0, 10]).kl == 0
    for bad in ([], [4], [-1], [0.5]):
        with pytest.raises(WganError, match="predicted must"):
            class_histogram(np.array(bad), 4)


def test_label_accuracy_is_unknown_for_classes_never_asked():
    found = label_accuracy([0, 0, 1, 1, 1], torch.tensor([0, 1, 1, 1, 1]), 3)
    assert found.accuracy == pytest.approx(0.8)
    np.testing.assert_array_equal(found.per_class, [0.5, 1.0, np.nan])
    with pytest.raises(WganError, match="must match"):
        label_accuracy([0], [0, 1], 3)
