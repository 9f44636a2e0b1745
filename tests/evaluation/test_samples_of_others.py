"""What `wgan evaluate` does beside its figures: threads, a line for each metric, folders and archives of images."""

import json

import numpy as np
import pytest
import torch
from helpers.own_data import pack_zip
from PIL import Image

import wgan
from wgan.data import open_source
from wgan.errors import WganError
from wgan.evaluation.samples import as_values
from wgan.sampling.model import load


@pytest.fixture
def pictures(here, cache):
    """240 digits in folders of their classes, as `wgan sample --out digits/` writes them."""
    x, y = open_source("mnist", "test").batch(torch.arange(240))
    for i in range(240):
        (here / f"digits/{y[i]}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i, 0].numpy()).save(here / f"digits/{y[i]}/{i}.png")
    return here / "digits"


def test_a_folder_and_a_zip_of_images_are_measured_alike(pictures, here, command):
    pack_zip(pictures, here / "digits.zip")
    values = []
    for target in ("digits", "digits.zip"):
        done = command("evaluate", target, "--data", "mnist", "-n", "240", "--metrics", "sliced-w1,label-accuracy")
        assert done.code == 0, done
        (out,) = here.glob(f"{target.removesuffix('.zip')}*.metrics.json")
        values.append({f["name"]: f["value"] for f in json.loads(out.read_text())["results"][0]["figures"]})
        out.unlink()
    assert values[0]["label-accuracy"] > 0.95
    assert values[0]["label-accuracy"] == values[1]["label-accuracy"]
    assert not list(pictures.glob("*.json"))


@pytest.mark.parametrize("data, said", [(None, "give --data"), ("fashion:0", ""), ("ring", "ring holds vectors")])
def test_a_folder_of_images_that_cannot_be_measured_is_told_why(pictures, data, said, fashion, monkeypatch):
    if data == "fashion:0":
        data, said = str(pictures.parent / "small"), "make them one size"
        for i in range(60):
            (pictures.parent / "small").mkdir(exist_ok=True)
            Image.new("L", (16, 16), i).save(f"{data}/{i}.png")
    with pytest.raises(WganError, match=said):
        wgan.evaluate(pictures, data=data, n=200)


@pytest.mark.parametrize(
    ("shape", "given", "layout"),
    [
        ((1, 8, 8), (5, 8, 9), "[N, 8, 8]"),
        ((3, 8, 8), (5, 3, 8, 8), "[N, 8, 8, 3]"),
        ((3, 8, 8), (5, 8, 8), "[N, 8, 8, 3]"),
    ],
)
def test_images_of_values_are_told_the_layout_of_a_file(shape, given, layout):
    with pytest.raises(WganError) as refused:
        as_values(np.zeros(given), shape, None, "x.npy")
    assert str(refused.value) == f"x.npy is float64 {list(given)}: expected numbers {layout}"


def test_each_metric_is_a_line_where_the_output_is_no_terminal(ring_run, copy, command):
    done = command("evaluate", copy(ring_run), "-n", "100", "--metrics", "sliced-w1,modes")
    said = done.out.splitlines()
    assert said[:3] == ["making 100 samples", "1 of 2: sliced-w1", "2 of 2: modes"]


def test_a_run_is_measured_and_sampled_with_its_threads(ring_run, copy, monkeypatch):
    run, seen = copy(ring_run), []
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "threads": 2}))

    def measure(threads):
        seen.clear()
        wgan.evaluate(run, n=100, metrics=["sliced-w1"], threads=threads, watch=watch)
        return set(seen)

    def watch(name, done, total):
        seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    assert measure(None) == {2} and measure(3) == {3}
    assert load(run).engine.threads == 2 and load(run, threads=3).engine.threads == 3
    assert torch.get_num_threads() == before
    with pytest.raises(WganError, match="threads must be between 1 and 1024"):
        wgan.evaluate(run, n=100, threads=0)
    assert np.isfinite(load(run).sample(4).numpy()).all()
