"""Test the page of a comparison: its charts, its tables, and that it escapes what it is told."""

from __future__ import annotations

import re

import pytest
from helpers.comparisons import PLACES, cell, result_of
from helpers.report_runs import Elements, write_run

from wgan.compare import page as compare_page
from wgan.report.images import Picture


def test_the_page_shows_every_answer_and_escapes_what_it_is_told(tmp_path):
    evil = "<script>alert(1)</script>"
    weights = {"edges": [-1.0, 0.0, 1.0], "shares": [0.25, 0.75], "largest": 1.0, "rms": 0.5}
    found = [
        cell("gan", 1.0),
        cell("gan", 2.0, seed=1),
        cell("wgan-clip", 1.0, weights=weights, share_clipped=0.5, failed=""),
        cell("wgan-clip", 1.0, seed=1, failed=evil),
    ]
    found = [{**c, "data": evil} for c in found]
    result = result_of(found, data=evil)
    compare_page.write_page(result, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    seen = Elements(page)
    assert page.count("<script") == 2 and "alert(1)" in seen.text and "http" not in page.replace("http-equiv", "")
    for text in (
        "50 % of the clipped ones on the bound",
        "Vanishing gradients",
        "1 diverged",
        "Spearman 1.00 ± 0.00",
        "the rates 10 times as high",
        "gan, minimax",
        "the JS estimate, nats",
        "the W estimate",
        "at most 2:",
        "equal steps",
        "-3.00",
    ):
        assert text in seen.text, text
    policy = next(a["content"] for tag, a in seen.found if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "img-src data:" in policy and "script-src 'sha256-" in policy
    # quality, modes and share over time, gradients, two scatters, slopes, one histogram of weights
    assert page.count("<svg") == 3 + 1 + 2 + 1 + 1
    assert "Not part of this comparison" not in seen.text


def test_the_tables_show_each_objective_its_own_values(tmp_path):
    weights = {"edges": [-1.0, 0.0, 1.0], "shares": [0.25, 0.75], "largest": 1.25, "rms": 0.5}
    found = [cell("gan", 1.0, weights=weights), cell("gan", 2.0, seed=1), cell("wgan-clip", 4.0, share_clipped=0.75)]
    result = result_of(found)
    compare_page.write_page(result, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in page.split("<tr>")]
    plain = {row[0]: [" ".join(re.sub("<[^>]*>", " ", text).split()) for text in row[1:]] for row in rows if row}
    assert plain["modes-reached"] == ["23.5 ± 0.71 real 25", "21 real 25", "higher"]
    assert plain["rate × 1"] == ["100 % 1.5 ± 0.71", "0 % 4"]
    assert plain["weights on the bound"] == ["–", "0.75"] and plain["gradient norms within 0.5 to 2"] == [
        "0.5 ± 0",
        "0.5",
    ]
    assert plain["grid: modes-reached"] == ["23.5 ± 0.71", "21", "25"]
    assert compare_page.weight_histograms(result)[0].about.endswith("largest 1.25")


def test_the_page_shows_the_last_grid_of_each_objective(tmp_path):
    """The grid is that of the first seed."""
    for name in ("gan-0", "gan-1", "wgan-gp-0"):
        write_run(tmp_path / "runs" / name, grids=3, gif=False)
    result = result_of([cell("gan", 1.0), cell("gan", 2.0, seed=1), cell("wgan-gp", 4.0), cell("wgan-lp", 4.0)])
    shown = compare_page.grids_of(result, tmp_path)
    assert [(name, picture.step) for name, picture in shown] == [("gan", 200), ("wgan-gp", 200)]


@pytest.mark.parametrize(("side", "classes"), [(301, []), (512, ["smooth"])])
def test_a_grid_shown_smaller_keeps_its_text_readable(side, classes):
    page = compare_page.render(result_of([cell("gan", 1.0)]), [("gan", Picture("data:image/png;base64,", side, side))])
    assert [a["class"] for tag, a in Elements(page).found if tag == "img" and "class" in a] == classes


def test_what_was_not_asked_is_said_on_the_page(tmp_path):
    found = [cell("gan", 1.0, parts=("rates",), figures={}, slopes={})]
    result = result_of(found, gradients={"x": []}, parts=["rates"])
    result["gradients"] = {}
    compare_page.write_page(result, tmp_path)
    text = Elements((tmp_path / "index.html").read_text("utf-8")).text
    assert text.count("Not part of this comparison") == 5  # all but stability


def test_curves_run_over_the_budget_that_is_equal():
    found = [cell("gan", 1.0), cell("wgan-gp", 1.0), cell("wgan-gp", 3.0, seed=1)]
    result = result_of(found, kind="seconds", amount=60)
    result["steps"] = {"gan": 30, "wgan-gp": 60}
    steps, values = compare_page.mean_curve(result, "wgan-gp", "figure")
    assert steps.tolist() == [10, 20, 30] and values.tolist() == [4, 3, 2]
    assert compare_page.mean_curve(result, "gan", "figure")[0].tolist() == [20, 40, 60]
    assert compare_page.over_time(result)[0].hover["across"] == "CPU second"
    result["request"]["kind"] = "steps"
    assert compare_page.mean_curve(result, "gan", "figure")[0].tolist() == [10, 20, 30]
    assert compare_page.mean_curve(result_of([cell("gan", 1, failed="x")]), "gan", "figure") is None


def test_the_mean_curve_is_over_the_runs_that_ended():
    diverged = {**cell("gan", 90.0, seed=3), "failed": "critic/loss is not finite at step 25"}
    found = [cell("gan", 1.0), cell("gan", 2.0, seed=1), cell("gan", 6.0, seed=2), diverged]
    assert compare_page.mean_curve(result_of(found), "gan", "figure")[1].tolist() == [6, 4.5, 3]


def test_the_gradients_chart_is_a_geometric_mean_over_seeds():
    (panel,) = compare_page.gradients({"gan": [[[0, 1.0], [500, 0.01]], [[0, 100.0], [500, 0.0001]]]})
    assert panel.lines[0].points == [(0, 1.0), (500, -3.0)] and panel.hover["across"] == "update"


def test_a_scatter_has_the_estimate_across_and_the_figure_up():
    (panel,) = compare_page.tracking_scatters(result_of([cell("wgan-gp", 7.0)]))
    assert panel.lines[0].points == [(1.0, 7.0), (2.0, 10.5), (3.0, 14.0)]


def test_the_slopes_chart_stands_on_a_logarithmic_axis():
    wide = {
        "quantiles": dict.fromkeys(PLACES, [1.0] * 5),
        "edges": [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        "shares": [0.0, 0.25, 0.75, 0.0, 0.0],
        "near_one": 0.5,
    }
    (panel,) = compare_page.norm_histogram(
        result_of([cell("gan", 1.0, slopes=wide), cell("wgan-gp", 1.0, slopes=wide)])
    )
    assert [line.name for line in panel.lines] == ["gan", "wgan-gp"]
    assert [v for _, v in panel.lines[0].points] == [
        0.25,
        0.75,
    ] and panel.label == "Gradient norm of the critic, log10: gan; wgan-gp"
    assert not any(line.dots or line.last for line in panel.lines)
    assert panel.hover["x"][1] >= 0.5
