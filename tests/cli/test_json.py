"""--json: standard output holds one JSON value and nothing else, whatever a person would be told."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from wgan.cli import main as cli
from wgan.cli.output import print_json

pytestmark = pytest.mark.usefixtures("cache")


def told(found):
    """Return the value that a command printed for a program."""
    assert found.code == 0 and found.err == "", found
    return json.loads(found.out)


def test_the_commands_that_tell_something_have_it():
    having = {name for name, p in cli.commands_of(cli.parser()).items() if "--json" in p.flags()}
    assert having == {"data", "evaluate", "score", "benchmark", "recipes", "runs", "env"}


def test_data_of_ones_own_as_json(photos, command, tmp_path):
    (photos / "a" / "copy.png").write_bytes((photos / "a" / "0.png").read_bytes())
    found = told(command("data", photos, "--json", "--no-measure", "--out", tmp_path / "out.png"))
    assert found["data"] == str(photos) and found["kind"] == "images" and found["shape"] == [3, 12, 16]
    assert (found["train"], found["held_out"]) == (46, 15) and found["classes"] == {"a": 31, "b": 30}
    assert found["duplicates"] == 1 and found["unreadable"] == [] and "very few" in found["warnings"][0]
    assert found["suggestion"].startswith(f"wgan train images --data {photos} --steps 5000 --augment 1.0")
    assert (tmp_path / "out.png").is_file()


def test_what_cannot_be_read_is_told_too(tmp_path, command):
    folder = tmp_path / "x"
    folder.mkdir()
    for i in range(120):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
    (folder / "5.png").write_bytes(b"no")
    (name, reason), *others = told(command("data", folder, "--json", "--no-measure"))["unreadable"]
    assert name == "5.png" and "not an image" in reason and others == []
    for i in range(60):
        (folder / f"{i}.png").write_bytes(b"no")
    failed = command("data", folder, "--json", "--no-measure")
    assert failed.code == 2 and failed.out == "" and "59.png" in failed.err


def test_bundled_data_and_vectors_as_json(command, tmp_path):
    found = told(command("data", "ring", "--json", "--no-measure"))
    assert found["kind"] == "vectors" and found["classes"] == {} and found["suggestion"] == "wgan train ring"
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32))
    assert told(command("data", tmp_path / "x.npy", "--json", "--no-measure"))["shape"] == [3]


def test_a_benchmark_as_json(command, tmp_path):
    words = [
        "small-mlp-clip",
        "--steps",
        1,
        "--batch",
        4,
        "--threads",
        1,
        "--no-fast",
        "--json",
        "--out",
        tmp_path / "b.json",
    ]
    found = told(command("benchmark", *words))
    assert found == json.loads((tmp_path / "b.json").read_text())
    assert found["rows"][0]["recipe"] == "small-mlp-clip" and found["rows"][0]["fraction"] > 0


def test_an_evaluation_as_json_is_what_its_file_holds(command, copy, digits_run):
    run = copy(digits_run)
    found = told(command("evaluate", run, "-n", 100, "--metrics", "memorisation", "--json"))
    assert found == json.loads((run / "metrics.json").read_text()) and found["results"][0]["figures"]
    assert (run / "neighbours.png").is_file()


def test_a_mistake_leaves_standard_output_empty(command, digits_run, here):
    shutil.copytree(digits_run, here / "run")
    assert "unknown metric" in command("evaluate", "run", "--metrics", "fidd", "--json").sentence()
    assert command("evaluate", "run", "--metrics", "fidd", "--json").out == ""


def test_a_number_that_json_cannot_hold_is_null(capsys):
    print_json({"a": [float("nan"), (float("inf"), 1.5)], 3: "é"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [None, [None, 1.5]], "3": "é"} and out.isascii()
