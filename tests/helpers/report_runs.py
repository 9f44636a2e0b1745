"""Run folders written by hand, without training, for the tests of `wgan report`; and a page taken apart."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np

from wgan.recipes import configure
from wgan.report import page as report
from wgan.visual.images import animation, image_grid, sample_files, save_png

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> http://evil.example/x.js"
FACTS = {
    "format": 1,
    "shape": [1, 28, 28],
    "classes": 10,
    "class_names": list("0123456789"),
    "device": "cpu",
    "precision": "fp32",
    "threads": 2,
    "versions": {"wgan": "0.1.0", "torch": "2.13.0"},
}


def digits(seed, rows=10):
    return np.random.default_rng(seed).integers(0, 256, (rows * 10, 28, 28)).astype(np.uint8)


def write_run(folder, *, steps=200, grids=3, facts=FACTS, recipe="mnist", gif=True, **options):
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
    for i in range(grids):
        save_png(image_grid(digits(i)), folder / "samples" / f"step-{steps * i // max(grids - 1, 1):08d}.png")
    if gif and grids:
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


def figures(report):
    """Return the figures of an evaluation's first checkpoint or file, by name."""
    return {f.name: f for f in report.results[0].values}
