"""Runs, models, samples and reports show themselves in a notebook, and progress there is one line."""

import base64
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import wgan
from wgan.evaluation.context import MetricValue
from wgan.evaluation.shown import row
from wgan.progress import Progress, in_notebook
from wgan.sampling.model import Samples


def pictures(html):
    """The pictures within HTML."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def samples(*shape, columns=None, labels=None):
    made = torch.rand(*shape).as_subclass(Samples)
    made.columns, made.labels = columns, labels
    return made


def test_a_run_shows_its_newest_grid_and_its_curves(reported_run, copy):
    folder = copy(reported_run)
    run = wgan.open_run(folder)
    Image.new("L", (3, 5)).save(folder / "losses.png")
    html = run._repr_html_()
    newest = max((folder / "samples").glob("step-*.png"))
    assert [p.size for p in pictures(html)] == [Image.open(newest).size, (3, 5)]
    assert f"step {run.step} of {run.config.steps}" in html and str(folder) in html
    (folder / "losses.png").unlink()
    assert len(pictures(wgan.open_run(folder)._repr_html_())) == 1


def test_a_run_escapes_what_its_files_say(reported_run, copy):
    folder = copy(reported_run)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"data": "mnist"', '"data": "<script>"'))
    assert (
        "<script>" not in wgan.open_run(folder)._repr_html_()
        and "&lt;script&gt;" in wgan.open_run(folder)._repr_html_()
    )


def test_samples_show_images_points_and_rows():
    grid = Image.open(io.BytesIO(samples(300, 1, 8, 8)._repr_png_()))
    alone = Image.open(io.BytesIO(samples(3, 1, 8, 8)[0]._repr_png_()))
    assert grid.size != alone.size and samples(3, 1, 8, 8)._repr_html_() is None
    assert (
        Image.open(io.BytesIO(samples(30, 2)._repr_png_())).size == (512, 512) and samples(30, 2)._repr_html_() is None
    )
    rows = samples(30, 2, columns=["age", "<b>"], labels=np.array(["x"] * 30))
    html = rows._repr_html_()
    assert rows._repr_png_() is None and html.count("<tr>") == 11 and "30 rows, the first 10" in html
    assert "<th>age</th><th>&lt;b&gt;</th><th>label</th>" in html and f"{rows[0, 0].item():.6g}" in html
    assert "age" in rows[:3]._repr_html_() and rows[:3]._repr_html_().count("<tr>") == 4
    assert [samples(3)._repr_png_(), samples(3, 2).mean()._repr_png_(), samples(0, 2)._repr_png_()] == [None] * 3
    assert (samples(3, 1, 8, 8) > 0.5)._repr_png_() is None


def test_a_model_shows_samples_of_it(conditional_run, ring_run):
    html = wgan.load(conditional_run)._repr_html_()
    assert "averaged generator at step 2, 10 classes" in html and len(pictures(html)) == 1
    assert "raw generator at step 2" in wgan.load(conditional_run, raw=True)._repr_html_()
    assert pictures(wgan.load(ring_run)._repr_html_())[0].size == (512, 512)


def test_a_report_shows_each_value_next_to_its_reference():
    value = MetricValue(
        name="fid", value=12.3456, spread=0.25, reference=1.5, better="lower", n_fake=10, n_real=20, extractor="x"
    )
    assert row(value) == ["fid", "12.35 ± 0.25", "1.5", "lower", "10 / 20", "x"]
    assert row(MetricValue(name="a", value=2.0))[:4] == ["a", "2", "", ""]
    results = [SimpleNamespace(about=SimpleNamespace(checkpoint=which), values=[value]) for which in ("last", "best")]
    html = wgan.Report("mnist", results, {})._repr_html_()
    assert html.count("<td>12.35 ± 0.25</td><td>1.5</td>") == 2 and "best checkpoint</b> against mnist" in html


class Notebook(io.StringIO):
    """A stream as a notebook has it: what follows a carriage return writes over the line."""

    __module__ = "ipykernel.iostream"

    def lines(self):
        return [line.rpartition("\r")[2].rstrip() for line in self.getvalue().split("\n")]


def test_progress_in_a_notebook_is_one_line():
    file, now = Notebook(), iter(range(100))
    assert in_notebook(file) and not in_notebook(io.StringIO())
    with Progress(4, 0, file=file, clock=lambda: next(now)) as progress:
        for step in range(1, 4):
            progress.update(step, {"critic/wasserstein": 12345.0 if step == 1 else 1.0})
        progress.message("saved")
        progress.update(4)
    shown = file.lines()
    assert len(shown) == 3 and shown[0] == "saved" and shown[1].startswith("step 4/4") and shown[2] == ""
    parts = file.getvalue().split("\n")[0].split("\r")
    assert len(parts) == 4 and len({len(p) for p in parts[:1] + parts[2:]}) == 1, (
        "a shorter line hides all of the longer"
    )


@pytest.mark.parametrize("name", ["folder.py", "shown.py"])
def test_showing_a_run_needs_no_torch_at_import(name):
    text = (Path(wgan.__file__).parent / "runs" / name).read_text()
    assert "import torch" not in text.partition("def ")[0]
