"""Plots show what was logged: every spike, every panel that has data, the same bytes for the same data."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

import wgan.visual.plots
from wgan.data import open_source
from wgan.sampling import grids
from wgan.visual.panels import PANELS
from wgan.visual.plots import (
    FAKE,
    POINTS,
    REAL,
    curves_of,
    extremes,
    figure_of,
    focus,
    limits_of,
    losses_plot,
    scatter,
    smooth,
)

TAGS = ("critic/wasserstein", "generator/loss", "critic/slope", "class/accuracy_real", "class/accuracy_fake")


def log(count, tags=TAGS):
    return [{"step": step, **{tag: float(np.sin(step + i)) for i, tag in enumerate(tags)}} for step in range(count)]


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def near(image, colour, tolerance=12):
    return (np.abs(np.asarray(image).astype(int) - rgb(colour)).max(axis=2) <= tolerance).nonzero()


def test_a_scatter_is_square_and_puts_points_where_they_are():
    samples = np.repeat([[0.5, 0.5]], 50, axis=0)  # many on one place: opaque
    image = scatter(samples, np.zeros((0, 2)), (-1.0, 1.0))
    assert image.size == (512, 512) and image.mode == "RGB"
    rows, columns = near(image, FAKE)
    inside = rows > 60  # below the legend
    left, width, top, height = 0.09 * 512, 0.88 * 512, 0.06 * 512, 0.87 * 512
    # the axes are square, centred in that box
    side, x0 = min(width, height), left + (width - height) / 2
    assert columns[inside].mean() == pytest.approx(x0 + 0.75 * side, abs=2)
    assert rows[inside].mean() == pytest.approx(top + 0.25 * side, abs=2)


def test_fixed_limits_align_the_frames_of_an_animation():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(100, 2))
    a, b = (np.asarray(scatter(scale * real, real, limits_of(real), "step 1")) for scale in (0.1, 30.0))
    assert (a[:, :44] == b[:, :44]).all() and (a[478:] == b[478:]).all()  # the numbers at both axes


def test_the_real_points_are_behind():
    both = np.repeat([[0.0, 0.0]], 50, axis=0)
    image = np.asarray(scatter(both, both, (-1.0, 1.0)))[60:]
    assert len(near(image, FAKE)[0]) > 5 and len(near(image, REAL, 2)[0]) == 0
    assert len(near(np.asarray(scatter(both + 9, both, (-1.0, 1.0)))[60:], REAL, 2)[0]) > 5


def test_samples_outside_are_counted(monkeypatch):
    notes = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **options: notes.append(text))
    scatter(np.array([[0.0, 0.0], [0.0, 5.0], [np.nan, 0.0]]), None, (-1.0, 1.0))
    scatter(np.zeros((3, 2)), None, (-1.0, 1.0))
    assert notes == ["2 of 3 fakes outside"]


def test_limits_have_a_margin_and_always_a_width():
    assert limits_of(np.array([[0.0, 10.0], [5.0, 2.0]])) == pytest.approx((-1.2, 11.2))
    assert limits_of(np.array([[3.0, 3.0]])) == (2.0, 4.0)
    assert limits_of(np.array([[np.nan, 3.0]])) == (-1.0, 1.0)


def test_every_spike_survives_the_thinning():
    values = np.zeros(300_001)
    values[[7, 123_456, 299_999]] = 50.0, -70.0, 90.0
    steps, thin = extremes(np.arange(300_001), values)
    assert len(steps) <= POINTS and (np.diff(steps) > 0).all()
    assert {7: 50.0, 123_456: -70.0, 299_999: 90.0}.items() <= dict(zip(steps, thin, strict=True)).items()
    few = extremes(np.arange(10), values[:10])
    assert few[0].tolist() == list(range(10))


@pytest.mark.parametrize("count", [3, 4, 5, 29, 30, 1000, 1001, 50_000])
def test_smoothing_keeps_constants_and_forgets_one_huge_value(count):
    steps, values = np.arange(count, dtype=float), np.full(count, 2.5)
    assert smooth(steps, values)[1] == pytest.approx(2.5)
    if count >= 1000:
        values[0] = 1e25
        middle, averaged = smooth(steps, values)
        assert len(middle) == len(averaged) <= POINTS // 2
        assert averaged[len(averaged) // 2 :] == pytest.approx(2.5)


def test_smoothing_is_centred():
    steps = np.arange(2000.0)
    middle, averaged = smooth(steps, steps)
    assert averaged[100:-100] == pytest.approx(middle[100:-100])


def test_only_finite_numbers_become_curves():
    records = [{"step": 1, "a": 1.0}, {"step": 2, "alarm": "x"}, {"step": 3, "a": float("nan")}, {"step": 4, "a": "x"}]
    steps, values = curves_of([*records, {"step": 5, "a": 2}], {"a": "A", "b": "B"})["A"]
    assert steps.tolist() == [1, 5] and values.tolist() == [1, 2]
    assert curves_of(records, {"b": "B"}) == {}


@pytest.mark.parametrize(
    ("tags", "panels"),
    [
        (TAGS[:2], ["W estimate of the critic", "Generator loss"]),
        ((*TAGS[1:3], "critic/gradient_norm"), ["Generator loss", "Gradient norm of the critic"]),
        (("critic/gradient_norm",), ["Weight gradient norms"]),
        (TAGS[3:], ["Class accuracy"]),
        ((), ["nothing logged yet"]),
    ],
)
def test_there_is_a_panel_for_what_was_logged_and_no_other(monkeypatch, tags, panels):
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda self, text, **options: titles.append(text))
    losses_plot(log(20, tags))
    assert titles == panels


@pytest.mark.parametrize("count", [0, 1, 2, 3, 500])
def test_any_number_of_records_is_a_picture(count):
    image = losses_plot(log(count))
    assert image.mode == "RGB" and image.width == 900 and len(np.unique(np.asarray(image))) > 10


def test_the_same_log_is_the_same_picture():
    assert losses_plot(log(50)).tobytes() == losses_plot(log(50)).tobytes()
    assert losses_plot(log(50)).info == {}


def test_wild_values_do_not_flatten_the_rest_and_are_counted():
    values = np.sin(np.arange(500.0))
    _, (axes,) = figure_of(1, 4, 4)
    axes.plot(values)
    before = axes.get_ylim()
    focus(axes, values)
    assert axes.get_ylim() == before and not axes.texts
    values[:2] = 1e6, -1e6
    focus(axes, np.array([0.0, 0.1] * 10 + [9.0]))  # too few to tell what is wild
    assert axes.get_ylim() == before
    focus(axes, values)
    assert axes.get_ylim() == pytest.approx((-2, 2), abs=0.1)
    assert axes.texts[0].get_text() == "2 of 500 values beyond the axis"


def test_a_constant_with_one_spike_is_drawn_without_a_warning(recwarn):
    losses_plot([{"step": step, "generator/loss": 9.0 if step == 7 else 1.0} for step in range(300)])
    assert not recwarn.list


def test_no_pyplot():
    code = "import sys; from wgan.visual.plots import losses_plot; losses_plot([]); assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("spec", ["ring", "grid"])
def test_the_real_points_of_a_picture_are_of_every_mode(monkeypatch, spec):
    source, seen = open_source(spec, "train"), []
    monkeypatch.setattr(grids, "scatter", lambda samples, real, limits: seen.append(real))
    grids.portray(torch.zeros(5, 2), source)
    mode = torch.cdist(torch.from_numpy(seen[0]), source.modes).argmin(1)
    assert len(seen[0]) == 2000 and mode.bincount(minlength=len(source.modes)).min() > 2000 / len(source.modes) / 2


def test_only_a_wasserstein_gap_is_called_an_estimate(monkeypatch):
    titles = []
    real = wgan.visual.plots.legend_above
    monkeypatch.setattr(
        wgan.visual.plots, "legend_above", lambda axes: titles.append(axes.get_title(loc="left")) or real(axes)
    )
    losses_plot(log(9))
    assert any("W estimate" in t for t in titles)
    titles.clear()
    losses_plot(log(9), wasserstein=False)
    assert not any("W estimate" in t for t in titles) and any(t.startswith("Score gap") for t in titles)


@pytest.mark.parametrize("wasserstein", [True, False])
def test_no_title_runs_into_its_legend(monkeypatch, wasserstein):
    pairs = []
    real = wgan.visual.plots.image_of

    def measured(figure):
        figure.draw_without_rendering()
        pairs.extend((a._left_title.get_window_extent(), a.get_legend().get_window_extent()) for a in figure.axes)
        return real(figure)

    monkeypatch.setattr(wgan.visual.plots, "image_of", measured)
    losses_plot(log(20, [tag for panel in PANELS for tag in panel.tags]), wasserstein=wasserstein)
    assert pairs and not any(title.overlaps(legend) for title, legend in pairs)
