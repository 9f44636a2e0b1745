"""Test `wgan report` on run folders written by hand: no training, no torch, and folders that mean harm."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from wgan import charts, evidence, exhibits, report
from wgan.cli import parse
from wgan.errors import WganError
from wgan.pictures import animation, sample_files, save_png, sheet
from wgan.recipes import RECIPES, configure

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> http://evil.example/x.js"
FACTS = {"format": 1, "shape": [1, 28, 28], "classes": 10, "class_names": list("0123456789"), "device": "cpu",
         "precision": "fp32", "threads": 2, "versions": {"wgan": "0.1.0", "torch": "2.13.0"}}  # fmt: skip


def digits(seed, rows=10):
    return np.random.default_rng(seed).integers(0, 256, (rows * 10, 28, 28)).astype(np.uint8)


def write_run(folder, *, steps=200, sheets=3, facts=FACTS, recipe="mnist", gif=True, **options):
    """Write what a finished run leaves behind, without training."""
    (folder / "samples").mkdir(parents=True)
    config = configure(recipe, {"steps": steps, **options})
    (folder / "config.json").write_text(config.to_json())
    (folder / "run.json").write_text(json.dumps(facts))
    rng = np.random.default_rng(0)
    with open(folder / "log.jsonl", "w") as log, open(folder / "times.jsonl", "w") as times:
        for i in range(1, 101):
            step = steps * i // 100
            values = {
                name: rng.normal() for name in ("critic/wasserstein", "critic/loss", "generator/loss", "critic/slope")
            }
            values |= {"critic/gradient_norm": 2.5, "generator/gradient_norm": 0.5}
            if i % 10 == 0:
                values |= {"evaluate/fid_lenet": 100 / i, "evaluate/selection": 100 / i, "evaluate/share_3": 0.25}
            log.write(json.dumps({"step": step, **values}) + "\n")
            times.write(json.dumps({"step": step, "seconds": i * 1.5}) + "\n")
        log.write(json.dumps({"step": steps, "alarm": "vanishing: class 7"}) + "\n")
    for i in range(sheets):
        save_png(sheet(digits(i)), folder / "samples" / f"step-{steps * i // max(sheets - 1, 1):08d}.png")
    if gif and sheets:
        animation(sample_files(folder / "samples"), folder / "progress.gif")
    return folder


def figure(name, value, **more):
    known = {
        "name": name,
        "value": value,
        "spread": 0.5,
        "floor": 1.0,
        "floor_spread": None,
        "n_fake": 500,
        "n_real": 400,
    }
    return {**known, "extractor": "pixels", "better": "lower", "note": "", **more}


def write_metrics(folder, *figures):
    results = [{"checkpoint": "last", "generator": "average", "step": 200, "figures": list(figures)}]
    text = {"format": 1, "data": "mnist", "split": "test", "floor": "train against test", "results": results}
    (folder / "metrics.json").write_text(json.dumps(text))


def page_of(*runs, out=None):
    out = out or runs[0].parent / "page.html"
    notes = report.write_report(list(runs), out)
    return out.read_text("utf-8"), notes


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("report") / "one", seed=3, lr=0.001)
    write_metrics(folder, figure("fid-lenet", 12.3456), figure("coverage", 0.5, better="higher", spread=None))
    for name in ("walk.gif", "neighbours.png"):
        (sheet(digits(9, 1))).save(folder / name)
    return folder


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", sheets=1, gif=False)


DAMAGE = [
    b"",
    b"\x00\xff" * 50,
    b"[" * 100_000,
    b'{"step": 1}\n\xff\n{}\n',
    b"\x89PNG\r\n\x1a\n" + b"x" * 60,
    b"GIF89a" + b"\xff" * 9,
]
GOOD = {"name": "good", "value": 1, "floor": "x", "note": {"a": []}}
NO_FIGURES = [5, {"name": "x"}, {"name": 3, "value": 1}, {"name": "y", "value": 10**400}, GOOD]


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text outside scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.inside = [], "", ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        self.text += data if self.inside not in ("script", "style") else ""


# --- one run ----------------------------------------------------------------------------------------------------------


def test_a_page_shows_what_was_trained_measured_and_drawn(shared):
    page, notes = page_of(shared)
    seen = Elements(page)
    assert notes == []
    for text in ("wgan-gp on mnist, by class, seed 3: step 200 of 200 in 2 min on cpu, fp32, 2 threads", "penalty weight 10",
                 "vanishing: class 7", "12.35 ± 0.5", "floor 1", "torch 2.13.0", "coverage", "Closest training images",
                 "Latent walk", "How it learned", "W estimate of the critic", "train against test"):  # fmt: skip
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


def test_nothing_is_fetched_and_nothing_but_the_own_script_may_run(shared):
    page, _ = page_of(shared)
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


def test_the_same_folder_gives_the_same_bytes(shared, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        page_of(shared, out=tmp_path / name)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_the_slider_has_every_sheet_and_the_page_shows_the_last_without_it(shared):
    page, _ = page_of(shared)
    (sheets,) = json.loads(re.search(r'<script type="application/json" id="sheets">(.*?)</script>', page, re.S)[1])
    assert [s["step"] for s in sheets] == [0, 100, 200]
    assert f'<img src="{sheets[-1]["uri"]}"' in page
    assert 'max="2" value="2"' in page


def test_a_sheet_keeps_every_pixel_though_it_is_smaller(shared):
    pictures = exhibits.exhibit(evidence.gather(shared, "one"), exhibits.BUDGET)
    import base64

    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures.sheets[1].uri.partition(",")[2]))))
    stored = np.asarray(Image.open(shared / "samples" / "step-00000100.png"))
    assert (shown.shape == (301, 301) and stored.shape == (602, 602)) or shown.shape == (291, 291)
    assert (shown.repeat(2, 0).repeat(2, 1) == stored).all()


def test_no_auxiliary_classifier_is_told_of_where_there_are_no_labels(shared, tmp_path):
    facts = {k: v for k, v in FACTS.items() if not k.startswith("class")}
    plain = write_run(tmp_path / "plain", facts=facts, sheets=1, gif=False)
    assert "auxiliary classifier 1 / 0.2" in Elements(page_of(shared)[0]).text
    assert "auxiliary classifier 1" not in Elements(page_of(plain)[0]).text


def test_class_labels_stand_over_the_columns_of_a_conditional_run_only(shared, tmp_path):
    label = re.compile(r'<div class="labels".*?</div>', re.S)
    assert re.findall(r"<span>(\w+)</span>", label.search(page_of(shared)[0])[0]) == list("0123456789")
    plain = write_run(tmp_path / "plain", conditioning="none", critic_conditioning="none", sheets=1, gif=False)
    assert not label.search(page_of(plain)[0])


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_command_repeats_the_config(recipe):
    config = configure(recipe, {"seed": 5, "lr": 1.25e-5, "generator_layers": "/ 256 128k3", "steps": 77})
    words = shlex.split(evidence.repeat_command(config, "my run"))
    found = parse(words[1:])
    assert words[:3] == ["wgan", "train", recipe] and found.run == "runs/my run"
    given = {k[len("option_") :]: v for k, v in vars(found).items() if k.startswith("option_") and v is not None}
    assert configure(found.name, given) == config
    assert set(given) <= {"seed", "lr", "generator_layers", "steps"}


def test_the_command_of_an_untouched_recipe_is_the_shortest():
    assert evidence.repeat_command(configure("mlp-clip"), "mlp-clip") == "wgan train mlp-clip"


def test_the_trained_numbers_are_counted_from_the_newest_checkpoint(run):
    (run / "checkpoints").mkdir()
    shapes = {"generator/body.weight": [9, 9], "generator_optimizer/0/exp_avg": [3, 4]}
    shapes |= {"generator_optimizer/0/exp_avg_sq": [3, 4], "generator_optimizer/0/step": []}
    shapes |= {"generator_optimizer/1/exp_avg": [5], "critic_optimizer/0/square_avg": [7, 2]}
    text = json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}).encode()
    (run / "checkpoints" / "step-00000009.safetensors").write_bytes(b"older")
    (run / "checkpoints" / "step-00000010.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert evidence.gather(run, "run").parameters == {"generator": 17, "critic": 14}
    (run / "checkpoints" / "step-00000011.safetensors").write_bytes(b"\xff" * 40)
    assert evidence.gather(run, "run").notes == ["checkpoints are left out: step-00000011.safetensors is damaged"]


def test_the_time_of_a_continued_run_is_the_sum_of_its_parts(run):
    lines = [(1, 10.0), (2, 20.0), (3, 5.0), (4, 7.5)]
    (run / "times.jsonl").write_text("".join(json.dumps({"step": s, "seconds": t}) + "\n" for s, t in lines))
    assert evidence.gather(run, "run").seconds == 27.5


def test_the_page_needs_no_torch(shared, tmp_path):
    words = ["report", str(shared), "--out", str(tmp_path / "x.html")]
    code = f"import sys; from wgan import cli; assert cli.main({words!r}) == 0 and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_says_where_the_page_is(command, run):
    result = command("report", run)
    assert result.code == 0 and str(run / "report.html") in result.out and (run / "report.html").is_file()


def test_the_number_of_an_objective_is_the_one_that_matters_to_it():
    for name, text in (
        ("gan", "gan"),
        ("wgan-clip", "wgan-clip, weights within ±0.02"),
        ("wgan-gp", "wgan-gp, penalty weight 7"),
    ):
        config = configure("mnist", {"objective": name, "clip": 0.02, "penalty_weight": 7})
        assert report.objective(config, False) == text


def test_the_bars_of_the_digits_are_as_high_as_their_share_of_the_largest(run):
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 200, "evaluate/share_3": 0.5, "evaluate/share_8": 0.125}) + "\n")
    assert report.shares(evidence.gather(run, "run")) == [("3", 0.5, 1.0), ("8", 0.125, 0.25)]


def test_the_step_is_that_of_the_newest_sheet_where_the_log_is_behind(run):
    (run / "log.jsonl").unlink()
    save_png(sheet(digits(1)), run / "samples" / "step-00000150.png")
    assert report.show(run, "run", exhibits.BUDGET).found.step == 150


def test_the_bits_of_a_run_need_only_what_was_left_to_the_machine(tmp_path):
    for name, options, bits in (
        ("auto", {}, "--threads 2 --precision fp32"),
        ("given", {"threads": 2, "precision": "fp32"}, ""),
    ):
        folder = write_run(tmp_path / name, sheets=0, gif=False, **options)
        assert report.show(folder, name, exhibits.BUDGET).bits == bits


def test_how_often_the_critic_is_updated_is_told():
    assert report.schedule(configure("mnist", {"n_critic": 3})) == "3 critic updates each"
    assert report.schedule(configure("mnist", {"n_critic": 1})) == "1 critic update each"


# --- several runs -----------------------------------------------------------------------------------------------------


def test_several_runs_stand_side_by_side_and_their_differences_are_marked(shared, tmp_path):
    other = write_run(tmp_path / "two", seed=4, objective="wgan-lp", sheets=2)
    write_metrics(other, figure("fid-lenet", 7.0))
    page, _ = page_of(shared, other, out=tmp_path / "both.html")
    seen = Elements(page)
    assert "2 runs side by side" in seen.text and seen.text.count("Play") == 2
    rows = {name: bool(mark) for mark, name in re.findall(r"<tr( class=differs)?><th>(\w+)</th>", page)}
    assert rows["seed"] and rows["objective"] and not rows["data"] and not rows["batch"]
    assert re.search(r"<span class=best>7 ± 0.5</span>", page) and not re.search(r"<span class=best>12", page)
    first = re.search(r'<div class="key">.*?</div>', page, re.S)[0]
    assert "one" in first and "two" in first


def test_the_score_gap_of_a_gan_is_not_called_an_estimate(shared, tmp_path):
    gan = write_run(tmp_path / "gan", objective="gan", sheets=1, gif=False)
    alone = Elements(page_of(gan)[0]).text
    assert "Score gap of the critic" in alone and "no estimate of a distance" in alone and "W estimate" not in alone
    both = Elements(page_of(shared, gan, out=tmp_path / "both.html")[0]).text
    assert "W estimate of the critic" in both and "of gan only the gap of the scores" in both
    assert "gap of" not in Elements(page_of(shared)[0]).text


def test_no_figure_of_one_data_set_is_better_than_one_of_another(shared, tmp_path):
    other = write_run(tmp_path / "two", sheets=1, gif=False)
    write_metrics(other, figure("fid-lenet", 7.0))
    found = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps({**found, "data": "mnist:5"}))
    page, _ = page_of(shared, other, out=tmp_path / "both.html")
    assert "class=best" not in page and "no figure is better than another" in page
    (other / "metrics.json").write_text(json.dumps(found))
    page, _ = page_of(shared, other, out=tmp_path / "both.html")
    assert "class=best" in page and "no figure is better than another" not in page


def test_folders_of_one_name_are_told_apart(tmp_path):
    folders = [write_run(tmp_path / parent / "run", sheets=0, gif=False) for parent in ("a", "b")]
    page, _ = page_of(*folders, out=tmp_path / "page.html")
    assert "a/run" in page and "b/run" in page
    with pytest.raises(WganError, match="twice"):
        report.write_report([folders[0], folders[0]], tmp_path / "page.html")


def test_the_default_of_several_is_in_the_current_folder(command, shared, run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert command("report", shared, run).code == 0
    assert (tmp_path / "report.html").is_file()


def test_the_best_figure_is_the_smallest_or_the_largest_as_it_says():
    for better, best in (("lower", 0), ("higher", 1), ("none", None)):
        assert report.best_of([{"value": v, "better": better} for v in (1.0, 2.0)]) == best
    assert report.best_of([{"value": 1.0, "better": "lower"}, None]) is None


def test_runs_share_the_room_for_pictures_and_what_differs_is_marked_in_the_facts(shared, tmp_path, monkeypatch):
    rooms = []
    monkeypatch.setattr(report, "exhibit", lambda found, room: rooms.append(room) or exhibits.Exhibits())
    other = write_run(tmp_path / "two", seed=4, sheets=0, gif=False)
    page_of(shared, other, out=tmp_path / "both.html")
    assert rooms == [exhibits.BUDGET / 2] * 2
    found = [evidence.gather(folder, folder.name) for folder in (shared, other)]
    rows = {name: (texts, differs) for name, texts, differs in report.facts_table(found)}
    assert rows["seed"] == (["3", "4"], True) and rows["data"] == (
        ["mnist, train split, 1 × 28 × 28, 10 classes, conditional"] * 2,
        False,
    )


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (720, "12 min"), (12_600, "3.5 h")])
def test_a_duration_is_told_in_the_unit_that_fits(seconds, text):
    assert report.clock(seconds) == text


def test_a_large_figure_has_that_of_real_data_under_it(shared):
    first, second = report.tiles(evidence.gather(shared, "one"))
    assert (second["name"], second["under"]) == ("coverage", "real data: 1")
    assert (first["name"], first["value"], first["under"]) == ("fid-lenet", "12.35", "real data: 1")


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_a_long_run_stays_below_ten_megabytes(tmp_path):
    folder = write_run(tmp_path / "long", steps=10_000, sheets=51)
    frames = [sheet(digits(i, 2)) for i in range(30)]
    frames[0].save(folder / "walk.gif", save_all=True, append_images=frames[1:])
    (folder / "neighbours.png").write_bytes((folder / "samples" / "step-00000000.png").read_bytes())
    page, notes = page_of(folder)
    assert len(page) < 10_000_000 and notes == []
    (sheets,) = json.loads(re.search(r'id="sheets">(.*?)</script>', page, re.S)[1])
    assert len(sheets) >= 25 and sheets[0]["step"] == 0 and sheets[-1]["step"] == 10_000
    assert page.count("data:image/gif") == 2 and len(page) > 1_000_000


def test_curves_of_a_million_steps_are_thinned_and_keep_their_spikes():
    steps, values = np.arange(1, 100_001.0), np.zeros(100_000) + np.arange(100_000) % 7
    values[51_234] = 20.0
    (panel,) = charts.panels({"a": {"generator/loss": (steps, values)}}, {})
    (line,) = panel.lines
    assert line.thin.count("L") < 400 and len(line.points) < 200
    assert min(float(p.split()[1]) for p in line.thin[1:].split("L")) < charts.TOP + 20


def test_a_chart_stands_where_its_numbers_say():
    (panel,) = charts.panels({"a": {"critic/slope": (np.array([0.0, 50, 100]), np.array([0.0, 2.0, 1.0]))}}, {})
    (line,) = panel.lines
    (x0, y0), (x1, y1), (x2, y2) = line.dots
    assert (x0, x1, x2) == (charts.LEFT, (charts.LEFT + charts.WIDTH - charts.RIGHT) / 2, charts.WIDTH - charts.RIGHT)
    assert y0 == charts.HEIGHT - charts.BOTTOM and y2 == panel.reference
    assert y1 - y2 == pytest.approx(y2 - y0, abs=0.2) and y1 > charts.TOP
    ticks = {text: y for y, text in panel.y_ticks}
    assert ticks["0"] == y0 and ticks["2"] == y1 and ticks["1"] == y2


def test_values_far_out_do_not_flatten_the_rest():
    values = np.sin(np.arange(1000.0))
    values[3] = 1e6
    (panel,) = charts.panels({"a": {"generator/loss": (np.arange(1000.0), values)}}, {})
    assert panel.beyond == "1 of 1000 values beyond the axis" and panel.hover["y"][1] < 10


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (12_000, "12k"), (0.25, "0.25"), (3.14159, "3.142"), (3.1e-5, "3.1e-05"), (5e7, "5e+07")],
)
def test_numbers_are_short(value, text):
    assert charts.short(value) == text


# --- folders that are incomplete, damaged or hostile ------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["run.json", "log.jsonl", "times.jsonl", "samples", "progress.gif", "metrics.json"])
def test_a_missing_piece_is_left_out(shared, tmp_path, missing):
    import shutil

    folder = shutil.copytree(shared, tmp_path / "copy")
    (shutil.rmtree if missing == "samples" else os.unlink)(folder / missing)
    page, notes = page_of(folder)
    assert notes == [] and page.rstrip().endswith("</html>")
    assert ("has no figures yet" in page) == (missing == "metrics.json")
    assert ("Nothing has been logged" in page) == (missing == "log.jsonl")


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "log.jsonl", "times.jsonl", "walk.gif", "progress.gif",
                                  "neighbours.png", "samples/step-00000200.png"])  # fmt: skip
@pytest.mark.parametrize("bytes_", DAMAGE)
def test_a_damaged_piece_never_stops_the_page(run, name, bytes_):
    (run / name).write_bytes(bytes_)
    page, notes = page_of(run)
    assert page.rstrip().endswith("</html>")
    if name not in ("log.jsonl", "times.jsonl"):
        assert len(notes) == 1 and name in notes[0] and len(notes[0]) < 120, notes


@pytest.mark.parametrize(
    "text", [{"results": 5}, {"results": [5, {"figures": "x"}]}, [], {"results": [{"figures": NO_FIGURES}]}]
)
def test_figures_that_are_none_are_left_out(run, text):
    (run / "metrics.json").write_text(json.dumps(text))
    page, _ = page_of(run)
    assert ("<th>good</th>" in page) == ("good" in json.dumps(text))


def test_text_from_a_run_folder_is_escaped(tmp_path):
    facts = {
        **FACTS,
        "class_names": [EVIL] * 10,
        "device": EVIL,
        "precision": EVIL,
        "threads": EVIL,
        "shape": [EVIL],
        "versions": {EVIL: EVIL},
    }
    run = write_run(tmp_path / "<b>bad'\" &", facts=facts, sheets=1, data=EVIL, gif=False)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(
        json.dumps({**config, "recipe": EVIL, "generator_layers": EVIL, "precision": "auto"})
    )
    write_metrics(run, figure(EVIL, 1.0, note=EVIL, extractor=EVIL, better=EVIL))
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 200, "alarm": EVIL}) + "\n" + json.dumps({"step": 200, EVIL: 1.0}) + "\n")
    for page in (page_of(run)[0], page_of(run, write_run(tmp_path / "other", sheets=1, gif=False))[0]):
        seen = Elements(page)
        assert sum(tag == "script" for tag, _ in seen.found) == 2 and page.count("</script>") == 2
        assert sum(tag == "b" for tag, _ in seen.found) <= 1  # the bar of a digit, of the page's own
        assert all(a.get("src", "data:").startswith("data:") for tag, a in seen.found)
        assert not any(name.startswith("on") for _, a in seen.found for name in a)
        assert "alert(1)" in seen.text


@pytest.mark.parametrize(
    "name", ["walk.gif", "neighbours.png", "metrics.json", "log.jsonl", "run.json", "samples/step-00000000.png"]
)
def test_a_link_out_of_the_folder_is_not_followed(run, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text('{"step": 1, "alarm": "a secret"}\n')
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(secret)
    page, notes = page_of(run)
    assert "a secret" not in page and any(name in n and "link out of the run folder" in n for n in notes)


def test_a_linked_folder_of_samples_and_a_linked_config_are_refused(run, tmp_path, command):
    (run / "samples").rename(tmp_path / "elsewhere")
    (run / "samples").symlink_to(tmp_path / "elsewhere")
    page, notes = page_of(run)
    assert "samples is left out: it is a link out of the run folder" in notes and "data:image/png" not in page
    (run / "config.json").rename(tmp_path / "config.json")
    (run / "config.json").symlink_to(tmp_path / "config.json")
    assert "link out of the run folder" in command("report", run).sentence()


def test_pipes_devices_and_huge_files_are_left_out(run):
    os.mkfifo(run / "walk.gif")
    with open(run / "neighbours.png", "wb") as file:
        file.truncate(1 << 40)
    (run / "metrics.json").mkdir()
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").symlink_to("log.jsonl")
    _, notes = page_of(run)
    assert [n.partition(" ")[0] for n in notes] == ["log.jsonl", "metrics.json", "walk.gif", "neighbours.png"]


def test_a_picture_of_too_many_pixels_is_left_out(run):
    Image.new("1", (5000, 5000)).save(run / "neighbours.png")
    assert page_of(run)[1] == ["neighbours.png is left out: it has too many pixels"]


def test_a_log_that_was_torn_or_tampered_with_still_gives_curves(run):
    with open(run / "log.jsonl", "a") as log:
        log.write('nonsense\n{"step": 150, "critic/loss": 1e308, "generator/loss": null}\n')
        log.write('{"step": 9, "critic/loss": 2}\n{"step": 3, "cri')
    page, notes = page_of(run)
    assert notes == ["log.jsonl has 1 line that cannot be read"]
    assert not any("nan" in d or "inf" in d for d in re.findall(r'd="([^"]*)"', page))


def test_a_log_out_of_order_and_far_too_many_long_alarms_are_put_right(run):
    rows = [{"step": 5, "critic/loss": 50.0}, {"step": 9, "critic/loss": 90.0}, {"step": 7, "critic/loss": 70.0}]
    rows += [{"step": 8, "alarm": "x" * 10_000}] * 101
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = evidence.gather(run, "run")
    steps, values = found.curves["critic/loss"]
    assert steps.tolist() == [5, 7, 9] and values.tolist() == [50, 70, 90] and found.step == 9
    assert len(found.alarms) == 100 and found.alarms[0] == (8, "x" * evidence.TEXT)
    assert found.notes == ["log.jsonl has 101 alarms: the first 100 are shown"]


def test_the_page_replaces_a_link_and_does_not_follow_it(run, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (run / "report.html").symlink_to(precious)
    report.write_report([run], run / "report.html")
    assert precious.read_text() == "keep me" and not (run / "report.html").is_symlink()


@pytest.mark.parametrize("prepare", ["nowhere", "empty", "torn", "no json", "pdf", "no folder"])
def test_a_mistake_is_one_sentence(command, run, tmp_path, prepare):
    words = ["report", run]
    if prepare == "nowhere":
        words = ["report", tmp_path / "nowhere"]
    elif prepare == "empty":
        (tmp_path / "empty").mkdir()
        words = ["report", tmp_path / "empty"]
    elif prepare == "torn":
        (run / "config.json").write_text('{"format": 1, "recipe"')
    elif prepare == "no json":
        (run / "config.json").write_bytes(b"\xff\xfe")
    elif prepare == "pdf":
        words += ["--out", tmp_path / "x.pdf"]
    else:
        words += ["--out", tmp_path / "no" / "x.html"]
    assert command(*words).sentence()
    assert not (run / "report.html").exists()
