"""Stacked MNIST and the points of the plane: shapes, counts, modes and their spread."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.problems import everything, some

from wgan.data import Source, open_source
from wgan.errors import WganError

CEILING = 1 - math.exp(-4.5)  # mass of a 2-D Gaussian within 3σ: 98.89 %
MIXTURES = ["ring", "ring:pacgan", "ring:gulrajani", "grid", "grid:gulrajani"]


# --- stacked MNIST -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_stacked_labels_agree_with_the_images(mnist: dict[str, Source], split: str) -> None:
    """Each channel is an MNIST image of the same split whose own label is the digit of the mode number."""
    source, base = open_source("stacked-mnist", split), mnist[split]
    assert base.labels is not None
    label_of = {image.tobytes(): int(label) for image, label in zip(everything(base).numpy(), base.labels, strict=True)}
    indices = some(source)
    x, y = source.batch(indices)
    assert x.shape == (500, 3, 28, 28) and x.dtype == torch.uint8 and y is None
    modes = source.mode_labels(indices)
    assert modes.dtype == torch.int64
    for image, mode in zip(x.numpy(), modes.tolist(), strict=True):
        a, b, c = (label_of[channel.tobytes()] for channel in image)
        assert mode == 100 * a + 10 * b + c


@pytest.mark.parametrize(("split", "size"), [("train", 128_000), ("test", 26_000), ("all", 154_000)])
def test_stacked_sizes_and_modes(split: str, size: int) -> None:
    source = open_source("stacked-mnist", split)
    assert (len(source), source.shape, source.classes, source.mode_count) == (size, (3, 28, 28), 0, 1000)
    modes = source.mode_labels(torch.arange(size))
    assert modes.unique().numel() == 1000 and int(modes.max()) == 999


def test_stacked_is_fixed_unless_a_seed_is_spelled() -> None:
    first = torch.arange(200)
    drawn = {
        spec: open_source(spec, "test").mode_labels(first).tolist()
        for spec in ("stacked-mnist", "stacked-mnist:0", "stacked-mnist:7")
    }
    assert drawn["stacked-mnist"] == drawn["stacked-mnist:0"] != drawn["stacked-mnist:7"]
    assert open_source("stacked-mnist:7", "test", seed=3).mode_labels(first).tolist() == drawn["stacked-mnist:7"]
    assert open_source("stacked-mnist", "test", seed=7).mode_labels(first).tolist() == drawn["stacked-mnist:7"]
    # Recorded when written: published figures rest on this draw, so a change of it must be noticed.
    assert drawn["stacked-mnist"][:6] == [308, 847, 481, 10, 2, 900]


def test_stacked_all_is_train_then_test() -> None:
    train, test, both = (open_source("stacked-mnist", split) for split in ("train", "test", "all"))
    for part, start in ((train, 0), (test, len(train))):
        indices = some(part, 50)
        assert torch.equal(part.batch(indices)[0], both.batch(indices + start)[0])
        assert torch.equal(part.mode_labels(indices), both.mode_labels(indices + start))


# --- 2-D toys ------------------------------------------------------------------------------------------------------


def ring_of(radius: float) -> torch.Tensor:
    h = math.sqrt(0.5)
    corners = [(1, 0), (h, h), (0, 1), (-h, h), (-1, 0), (-h, -h), (0, -1), (h, -h)]
    return radius * torch.tensor(corners, dtype=torch.float64)


def grid_of(spacing: float) -> torch.Tensor:
    return torch.tensor([(i * spacing, j * spacing) for i in range(-2, 3) for j in range(-2, 3)], dtype=torch.float64)


@pytest.mark.parametrize(
    ("spec", "centres", "sigma"),
    [
        ("ring", ring_of(1), 0.01),
        ("ring:pacgan", ring_of(1), 0.01),
        ("ring:gulrajani", ring_of(2 / 1.414), 0.02 / 1.414),
        ("grid", grid_of(2), 0.05),
        ("grid:pacgan", grid_of(2), 0.05),
        ("grid:gulrajani", grid_of(2 / 2.828), 0.05 / 2.828),
    ],
)
def test_mixture_centres(spec: str, centres: torch.Tensor, sigma: float) -> None:
    source = open_source(spec)
    assert source.modes is not None and source.modes.dtype == torch.float32
    torch.testing.assert_close(source.modes.double(), centres, rtol=0, atol=2e-7)  # float32 rounding
    assert source.mode_count == len(centres)
    assert source.sigma == pytest.approx(sigma) and source.radius == pytest.approx(3 * sigma)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("spec", MIXTURES)
def test_mixture_points(spec: str, split: str) -> None:
    source = open_source(spec, split)
    x, y = source.batch(torch.arange(len(source)))
    assert (len(source), x.dtype, y, source.shape, source.is_image) == (100_000, torch.float32, None, (2,), False)
    assert source.modes is not None
    distance, nearest = torch.cdist(x, source.modes, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
    assert torch.bincount(nearest).tolist() == [100_000 // len(source.modes)] * len(source.modes)
    assert torch.equal(nearest, source.mode_labels(torch.arange(len(source))))
    share = (distance <= source.radius).double().mean().item()
    assert share == pytest.approx(CEILING, abs=0.0015)  # 4.5 standard errors of 100,000 points
    assert ((x - source.modes[nearest]).std().item()) == pytest.approx(source.sigma, rel=0.01)


def test_swissroll_is_the_noisy_spiral() -> None:
    """Undo the scaling: at radius t the spiral's angle is t itself, and only noise of σ 0.25 is left."""
    source = open_source("swissroll")
    assert (source.modes, source.mode_count, source.radius) == (None, 0, 0.0)
    assert source.sigma == pytest.approx(0.25 / 7.5)
    x = everything(source).double() * 7.5
    radius, angle = x.norm(dim=1), torch.atan2(x[:, 1], x[:, 0])
    t = angle + 2 * math.pi * ((radius - angle) / (2 * math.pi)).round()  # the winding nearest to the radius
    assert t.min() > 1.5 * math.pi - 0.4 and t.max() < 4.5 * math.pi + 0.4
    assert t.mean().item() == pytest.approx(3 * math.pi, abs=0.05)  # t is uniform on [1.5π, 4.5π]
    assert (radius - t).std().item() == pytest.approx(0.25, rel=0.03)


def test_swissroll_has_the_distribution_of_scikit_learn() -> None:
    datasets, stats = pytest.importorskip("sklearn.datasets"), pytest.importorskip("scipy.stats")
    theirs = datasets.make_swiss_roll(100_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    ours = everything(open_source("swissroll")).numpy()
    for axis in (0, 1):
        assert stats.ks_2samp(ours[:, axis], theirs[:, axis]).pvalue > 0.001


@pytest.mark.parametrize("spec", ["ring", "grid:gulrajani", "swissroll"])
def test_toys_are_fixed_and_their_splits_differ(spec: str) -> None:
    train, again, test, both = (everything(open_source(spec, split)) for split in ("train", "train", "test", "all"))
    assert torch.equal(train, again)
    assert torch.equal(both, torch.cat([train, test]))
    assert not (train == test).all(dim=1).any()
    assert not torch.equal(train, everything(open_source(spec, seed=1)))


def test_toy_points_are_those_recorded() -> None:
    """Recorded when written: published figures rest on these draws, so a change of them must be noticed."""
    first = {spec: open_source(spec).batch(torch.tensor([0]))[0][0].tolist() for spec in ("ring", "grid", "swissroll")}
    assert first["ring"] == pytest.approx([1.0096161, 0.0117628], abs=1e-6)
    assert first["grid"] == pytest.approx([-3.9809239, -4.0026441], abs=1e-6)
    assert first["swissroll"] == pytest.approx([-0.1809927, -1.4285169], abs=1e-6)


@pytest.mark.parametrize("spec", ["mnist", "swissroll"])
def test_modes_that_are_not_known_are_refused(spec: str) -> None:
    with pytest.raises(WganError, match="no known modes"):
        open_source(spec, "test").mode_labels(torch.tensor([0]))
