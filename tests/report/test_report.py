"""Test `wgan report` on run folders written by hand: what stands on the page of one run and of several."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from helpers.report_runs import FACTS, Elements, digits, figure, page_of, write_metrics, write_run
from markupsafe import escape
from PIL import Image

from wgan.errors import WganError
from wgan.recipes import configure
from wgan.report import charts, reader
from wgan.report import images as report_images
from wgan.report import page as report
from wgan.visual.images import image_grid, save_png


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", grids=1, gif=False)


# --- one run ----------------------------------------------------------------------------------------------------------


def test_a_page_shows_what_was_trained_measured_and_drawn(reported_run):
    page, notes = page_of(reported_run)
    seen = Elements(page)
    assert notes == []
    for text in (
        "wgan-gp on mnist, by class, seed 3: step 200 of 200 in 2 min on cpu, fp32, 2 threads",
        "penalty weight 10",
        "vanishing: class 7",
        "12.35 ± 0.5",
        "real 1",
        "torch 2.13.0",
        "coverage",
        "Closest training images",
        "Latent walk",
        "How it learned",
        "W estimate of the critic",
        "train against test",
    ):
        assert text in seen.text, text
    images = [a["src"] for tag, a in seen.found if tag == "img"]
    assert [i.partition(";")[0] for i in images] == [
        "data:image/png",
        "data:image/gif",
        "data:image/gif",
        "data:image/png",
    ]
    assert (
        len([1 for tag, _ in seen.found if tag == "svg"]) == len([1 for _, a in seen.found if "data-chart" in a]) == 6
    )


def test_nothing_is_fetched_and_only_our_script_may_run(reported_run):
    page, _ = page_of(reported_run)
    assert "http" not in page.replace("http-equiv", "")
    assert "//" not in re.sub(r"data:image/\w+;base64,[\w+/=]+", "", page)
    seen = Elements(page)
    for tag, attributes in seen.found:
        assert tag not in ("iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), attributes[name]
    policy = next(a["content"] for tag, a in seen.found if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "img-src data:" in policy and "script-src 'sha256-" in policy


def test_the_same_folder_gives_the_same_bytes(reported_run, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        page_of(reported_run, out=tmp_path / name)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_the_slider_has_every_grid_and_the_page_the_last(reported_run):
    """Which is shown without the slider."""
    page, _ = page_of(reported_run)
    (grids,) = json.loads(re.search(r'<script type="application/json" id="grids">(.*?)</script>', page, re.S)[1])
    assert [s["step"] for s in grids] == [0, 100, 200]
    assert f'<img src="{grids[-1]["uri"]}"' in page
    assert 'max="2" value="2"' in page


def test_a_grid_keeps_every_pixel_though_it_is_smaller(reported_run):
    pictures = report_images.run_images(reader.gather(reported_run, "one"), report_images.BUDGET)
    import base64

    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures.grids[1].uri.partition(",")[2]))))
    stored = np.asarray(Image.open(reported_run / "samples" / "step-00000100.png"))
    assert (shown.shape == (301, 301) and stored.shape == (602, 602)) or shown.shape == (291, 291)
    assert (shown.repeat(2, 0).repeat(2, 1) == stored).all()


def test_a_grid_that_is_a_plot_keeps_its_text_readable(run):
    assert "class=smooth" not in page_of(run)[0]
    Image.effect_noise((512, 512), 50).save(run / "samples" / "step-00000200.png")
    assert page_of(run)[0].count("<img class=smooth") == 1


def test_a_chart_is_drawn_with_its_ticks_and_what_is_beyond_them(run):
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 200, "generator/loss": 1e6}) + "\n")
    page, _ = page_of(run)
    drawn = charts.charts_of({"run": reader.gather(run, "run").curves}, {})
    hovered = [json.loads(a["data-chart"]) for _, a in Elements(page).found if "data-chart" in a]
    assert hovered == json.loads(json.dumps([panel.hover for panel in drawn]))
    for title, panel in {panel.title: panel for panel in drawn}.items():
        section = re.search(rf"<h3>{re.escape(escape(title))}</h3>.*?</section>", page, re.S)[0]
        ticks = re.findall(r'<text x="(.*?)" y="(.*?)" text-anchor="(.*?)">(.*?)</text>', section)
        across = [(f"{x}", f"{charts.HEIGHT - charts.BOTTOM + 17}", "middle", text) for x, text in panel.x_ticks]
        assert ticks == [(f"{charts.LEFT - 7}", f"{y + 4}", "end", text) for y, text in panel.y_ticks] + across
        assert ("1 of 101 values beyond the axis" in section) == (title == "Generator loss")


def test_no_auxiliary_classifier_is_shown_without_labels(reported_run, tmp_path):
    facts = {k: v for k, v in FACTS.items() if not k.startswith("class")}
    plain = write_run(tmp_path / "plain", facts=facts, grids=1, gif=False)
    assert "auxiliary classifier 1 / 0.2" in Elements(page_of(reported_run)[0]).text
    assert "auxiliary classifier 1" not in Elements(page_of(plain)[0]).text


def test_class_labels_stand_over_columns_if_conditional(reported_run, tmp_path):
    label = re.compile(r'<div class="labels".*?</div>', re.S)
    assert re.findall(r"<span>(\w+)</span>", label.search(page_of(reported_run)[0])[0]) == list("0123456789")
    plain = write_run(tmp_path / "plain", conditioning="none", critic_conditioning="none", grids=1, gif=False)
    assert not label.search(page_of(plain)[0])


def test_the_page_needs_no_torch(reported_run, tmp_path):
    words = ["report", str(reported_run), "--out", str(tmp_path / "x.html")]
    code = f"import sys; from wgan.cli.main import main; assert main({words!r}) == 0 and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_says_where_the_page_is(command, run):
    result = command("report", run)
    assert result.code == 0 and str(run / "report.html") in result.out and (run / "report.html").is_file()


def test_an_objectives_number_is_the_one_that_matters_to_it():
    for name, text in (
        ("gan", "gan"),
        ("wgan-clip", "wgan-clip, weights within ±0.02"),
        ("wgan-gp", "wgan-gp, penalty weight 7"),
    ):
        config = configure("mnist", {"objective": name, "clip": 0.02, "penalty_weight": 7})
        assert report.objective_text(config, False) == text


def test_the_bars_of_digits_are_fractions_of_the_largest(run):
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 200, "evaluate/share_3": 0.5, "evaluate/share_8": 0.125}) + "\n")
    assert report.classes(reader.gather(run, "run")) == [("3", 0.5, 1.0), ("8", 0.125, 0.25)]


def test_the_step_is_the_newest_grids_where_the_log_is_behind(run):
    (run / "log.jsonl").unlink()
    save_png(image_grid(digits(1)), run / "samples" / "step-00000150.png")
    assert report.run_section(run, "run", report_images.BUDGET).found.step == 150


def test_a_runs_bits_need_only_what_was_left_to_the_machine(tmp_path):
    for name, options, bits in (
        ("auto", {}, "--threads 2 --precision fp32"),
        ("given", {"threads": 2, "precision": "fp32"}, ""),
    ):
        folder = write_run(tmp_path / name, grids=0, gif=False, **options)
        assert report.run_section(folder, name, report_images.BUDGET).bits == bits


def test_a_rate_of_the_critics_own_is_told():
    both, alone = (configure("mnist", {"lr": 0.001, "critic_lr": rate, "ema": 0}) for rate in (0.0005, 0.001))
    assert "lr 0.001 (critic 0.0005)," in report.optimizer(both) and "critic" not in report.optimizer(alone)


def test_how_often_the_critic_is_updated_is_told():
    assert report.schedule(configure("mnist", {"n_critic": 3})) == "3 critic updates each"
    assert report.schedule(configure("mnist", {"n_critic": 1})) == "1 critic update each"


# --- several runs -----------------------------------------------------------------------------------------------------


def test_several_runs_stand_side_by_side(reported_run, tmp_path):
    """And their differences are marked."""
    other = write_run(tmp_path / "two", seed=4, objective="wgan-lp", grids=2)
    write_metrics(other, figure("fid-lenet", 7.0))
    (other / "walk.gif").write_bytes(b"none")
    page, notes = page_of(reported_run, other, out=tmp_path / "both.html")
    assert notes == ["two: walk.gif is left out: it is a broken picture"]
    seen = Elements(page)
    assert "2 runs side by side" in seen.text and seen.text.count("Play") == 2
    of_one = page_of(reported_run)[0]  # what would be of the first alone
    for text in ('"card tile"', "Digits among the samples"):
        assert text in of_one and text not in page
    options = {
        name: values
        for name, values, *_ in report.options_table([*(reader.gather(run, "") for run in (reported_run, other))])
    }
    assert options["seed"] == [("3", True), ("4", True)]
    assert options["objective"] == [("wgan-gp", False), ("wgan-lp", True)]
    rows = {name: bool(mark) for mark, name in re.findall(r"<tr( class=differs)?><th>(\w+)</th>", page)}
    assert rows["seed"] and rows["objective"] and not rows["data"] and not rows["batch"]
    assert re.search(r"<span class=best>7 ± 0.5</span>", page) and not re.search(r"<span class=best>12", page)
    first = re.search(r'<div class="key">.*?</div>', page, re.S)[0]
    assert "one" in first and "two" in first


def test_more_runs_than_anybody_sees_are_refused(command, run):
    assert "shows 1 to 24 runs, not 25" in command("report", *[run] * 25).sentence()


def test_each_of_several_runs_has_its_own_command(reported_run, tmp_path):
    other = write_run(tmp_path / "two", objective="wgan-lp", grids=0, gif=False)
    page, _ = page_of(reported_run, other, out=tmp_path / "both.html")
    assert re.findall("<pre>(.*?)</pre>", page) == [
        "wgan train mnist --steps 200 --seed 3 --run runs/one",
        "wgan train mnist --objective wgan-lp --steps 200 --run runs/two",
    ]


def test_the_score_gap_of_a_gan_is_not_called_an_estimate(reported_run, tmp_path):
    gan = write_run(tmp_path / "gan", objective="gan", grids=1, gif=False)
    alone = Elements(page_of(gan)[0]).text
    assert "Score gap of the critic" in alone and "no estimate of a distance" in alone and "W estimate" not in alone
    both = Elements(page_of(reported_run, gan, out=tmp_path / "both.html")[0]).text
    assert "W estimate of the critic" in both and "of gan only the gap of the scores" in both
    assert "gap of" not in Elements(page_of(reported_run)[0]).text


@pytest.mark.parametrize("other_data", [{"data": "mnist:5"}, {"split": "train"}])
def test_no_figure_of_one_data_set_is_better_than_one_of_another(reported_run, tmp_path, other_data):
    other = write_run(tmp_path / "two", grids=1, gif=False)
    write_metrics(other, figure("fid-lenet", 7.0))
    found = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps({**found, **other_data}))
    page, _ = page_of(reported_run, other, out=tmp_path / "both.html")
    assert "class=best" not in page and "no value is better than another" in page
    (other / "metrics.json").write_text(json.dumps(found))
    page, _ = page_of(reported_run, other, out=tmp_path / "both.html")
    assert "class=best" in page and "no value is better than another" not in page


def test_folders_of_one_name_are_told_apart(tmp_path):
    folders = [write_run(tmp_path / parent / "run", grids=0, gif=False) for parent in ("a", "b")]
    page, _ = page_of(*folders, out=tmp_path / "page.html")
    assert "a/run" in page and "b/run" in page
    with pytest.raises(WganError, match="twice"):
        report.write_report([folders[0], folders[0]], tmp_path / "page.html")


def test_the_default_of_several_is_in_the_current_folder(command, reported_run, run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert command("report", reported_run, run).code == 0
    assert (tmp_path / "report.html").is_file()


def test_the_best_value_is_the_smallest_or_largest_as_said():
    for better, best in (("lower", 0), ("higher", 1), ("none", None)):
        assert report.best_of([{"value": v, "better": better} for v in (1.0, 2.0)]) == best
    assert report.best_of([{"value": 1.0, "better": "lower"}, None]) is None


def test_runs_share_the_space_for_images(reported_run, tmp_path, monkeypatch):
    """And what differs is marked in the facts."""
    rooms = []
    monkeypatch.setattr(report, "run_images", lambda found, room: rooms.append(room) or report_images.RunImages())
    other = write_run(tmp_path / "two", seed=4, grids=0, gif=False)
    page_of(reported_run, other, out=tmp_path / "both.html")
    assert rooms == [report_images.BUDGET / 2] * 2
    found = [reader.gather(folder, folder.name) for folder in (reported_run, other)]
    rows = {name: (texts, differs) for name, texts, differs in report.facts_table(found)}
    assert rows["seed"] == (["3", "4"], True) and rows["data"] == (
        ["mnist, train split, 1 × 28 × 28, 10 classes, conditional"] * 2,
        False,
    )


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (720, "12 min"), (12_600, "3.5 h")])
def test_a_duration_is_told_in_the_unit_that_fits(seconds, text):
    assert report.clock(seconds) == text


def test_a_large_figure_has_that_of_real_data_under_it(reported_run):
    first, second = report.tiles(reader.gather(reported_run, "one"))
    assert (second["name"], second["under"]) == ("coverage", "real data: 1")
    assert (first["name"], first["value"], first["under"]) == ("fid-lenet", "12.35", "real data: 1")


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_a_long_run_stays_below_ten_megabytes(tmp_path):
    folder = write_run(tmp_path / "long", steps=10_000, grids=51)
    frames = [image_grid(digits(i, 2)) for i in range(30)]
    frames[0].save(folder / "walk.gif", save_all=True, append_images=frames[1:])
    (folder / "neighbours.png").write_bytes((folder / "samples" / "step-00000000.png").read_bytes())
    page, notes = page_of(folder)
    assert len(page) < 10_000_000 and notes == []
    (grids,) = json.loads(re.search(r'id="grids">(.*?)</script>', page, re.S)[1])
    assert len(grids) >= 25 and grids[0]["step"] == 0 and grids[-1]["step"] == 10_000
    assert page.count("data:image/gif") == 2 and len(page) > 1_000_000


def with_encoder(folder):
    """Write what a finished encoder leaves behind beside a run."""
    (folder / "samples").mkdir(parents=True)
    for step in (50, 100):
        save_png(image_grid(digits(step, 3)), folder / "samples" / f"step-{step:08d}.png")
    tags = ("encoder/loss", "encoder/residual", "encoder/feature_residual", "evaluate/encoder_residual")
    lines = [json.dumps({"step": step, **{tag: 1 / step for tag in tags}}) for step in (25, 50, 75, 100)]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")


def test_an_encoder_has_curves_and_its_newest_picture(run, tmp_path):
    without = tmp_path / "without.html"
    report.write_report([run], without)
    assert "wgan encode" not in without.read_text("utf-8") and 'href="#encoder"' not in without.read_text("utf-8")
    with_encoder(run / "encoder")
    report.write_report([run], tmp_path / "with.html")
    page = (tmp_path / "with.html").read_text("utf-8")
    assert "<code>wgan encode</code>, step 100." in page and 'href="#encoder"' in page
    assert "<h3>Loss of the encoder</h3>" in page and "<h3>Error of held-out reconstructions</h3>" in page
    (shown,) = re.findall(r'src="([^"]+)"[^>]*alt="held-out images, their reconstructions', page)
    pixels = Image.open(io.BytesIO(base64.b64decode(shown.partition(",")[2])))
    newest = Image.open(run / "encoder" / "samples" / "step-00000100.png")
    factor = newest.width // pixels.width
    assert (np.asarray(pixels) == np.asarray(newest.convert("L"))[::factor, ::factor]).all()


def test_an_encoder_out_of_the_run_is_left_out(run, tmp_path):
    with_encoder(tmp_path / "elsewhere")
    (run / "encoder").symlink_to(tmp_path / "elsewhere")
    notes = report.write_report([run], tmp_path / "page.html")
    assert "encoder is left out: it is a link out of the run folder" in notes
    assert "wgan encode" not in (tmp_path / "page.html").read_text("utf-8")
