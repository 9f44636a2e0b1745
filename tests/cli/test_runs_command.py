"""`wgan runs` and `wgan env`: what there is here, for a person and for a program."""

import json
import os
import platform
import shutil
import subprocess
import sys

import pytest
import torch

import wgan
from wgan import processor
from wgan.cli import environment
from wgan.cli.output import bytes_text
from wgan.cli.runs import best
from wgan.recipes import RECIPES
from wgan.runs.log import encode


@pytest.fixture
def runs(here, digits_run, ring_run):
    """Two runs: `ring`, evaluated three times, and `deep/digits`, which changed before it."""
    shutil.copytree(ring_run, here / "runs" / "ring")
    shutil.copytree(digits_run, here / "runs" / "deep" / "digits")
    records = [
        {"evaluate/selection": v, "evaluate/modes": 8.0, "evaluate/sliced_w1": v} for v in (0.5, 0.25, float("nan"))
    ]
    text = b"".join(encode(step, values) for step, values in enumerate(records, 1))
    (here / "runs" / "ring" / "log.jsonl").write_bytes(text)
    for path in (here / "runs" / "deep").rglob("*"):
        os.utime(path, (978307200,) * 2)
    return here / "runs"


def test_runs_are_listed_with_recipe_step_metric_size_and_change(runs, command):
    found = command("runs")
    head, *rows = found.out.splitlines()
    assert (
        found.code == 0
        and found.err == ""
        and head.split() == ["run", "recipe", "step", "best", "size", "last", "change"]
    )
    assert [row.split()[:3] for row in rows] == [
        ["ring", "gulrajani-ring", "2/2"],
        ["deep/digits", "small-mlp-clip", "2/2"],
    ]
    assert "sliced-w1 0.25 at step 2" in rows[0] and "2001-01-01" in rows[1].replace("2000-12-31", "2001-01-01")


def test_runs_as_json_are_the_same_and_nothing_else(runs, command):
    found = command("runs", "--json")
    ring, digits = json.loads(found.out)
    assert ring["best"] == {"metric": "sliced-w1", "value": 0.25, "step": 2} and ring["step"] == ring["steps"] == 2
    assert ring["name"] == "ring" and ring["path"] == "runs/ring" and ring["data"] == "ring:gulrajani"
    assert ring["bytes"] == sum(p.stat().st_size for p in (runs / "ring").rglob("*") if p.is_file())
    assert digits["best"]["step"] == 2 and digits["changed"][:4] in ("2000", "2001") and found.err == ""


def test_a_damaged_run_is_listed_with_what_is_wrong(runs, command):
    (runs / "ring" / "config.json").write_text("{")
    (runs / "deep" / "digits" / "log.jsonl").write_bytes(b"{}\n{}\n")
    digits, ring = sorted(json.loads(command("runs", "--json").out), key=lambda run: run["name"])
    assert ring["problem"] == "runs/ring/config.json is not valid JSON" and ring["recipe"] == ""
    assert "log.jsonl line 1 is not a record" in digits["problem"] and digits["recipe"] == "small-mlp-clip"
    assert "is not valid JSON" in command("runs").out


def test_no_runs_are_a_sentence_and_no_folder_a_mistake(here, command):
    assert command("runs") == (0, "no runs in runs: wgan train begins one\n", "")
    assert json.loads(command("runs", "--json").out) == []
    assert "no folder nowhere" in command("runs", "nowhere").sentence()


def test_the_best_step_is_the_first_of_the_lowest(here):
    log = [{"step": s, "evaluate/selection": v, "evaluate/fid_lenet": v} for s, v in ((1, 3.0), (2, 2.0), (3, 2.0))]
    assert best(log).step == 2 and best(log).metric == "fid-lenet"
    assert best([{"step": 1}]) is None and best([{"step": 1, "evaluate/selection": float("nan")}]) is None


def test_a_step_whose_metric_is_no_number_is_never_the_best(runs):
    assert wgan.open_run(runs / "ring").best == 2


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (40_400, "40 kB"), (3.14e6, "3.1 MB"), (5e15, "5000 TB")],
)
def test_a_size_has_few_digits(count, text):
    assert bytes_text(count) == text


def test_the_recipes_are_told_to_a_program(command):
    found = json.loads(command("recipes", "--json").out)
    assert [r["name"] for r in found] == list(RECIPES) and found[0]["expected"] == RECIPES["mnist"].expected


# --- env --------------------------------------------------------------------------------------------------------------


def test_the_environment_says_what_a_bug_report_needs(here, command, monkeypatch):
    monkeypatch.setenv("WGAN_CACHE", str(here / "cache"))
    (here / "cache" / "data").mkdir(parents=True)
    (here / "cache" / "data" / "x.bin").write_bytes(bytes(1234))
    (here / "cache" / "processor.json").write_text(json.dumps({processor._key(): 1.5}))
    found = json.loads(command("env", "--json").out)
    assert found["wgan"] == wgan.__version__ and found["python"] == platform.python_version()
    assert found["versions"]["torch"] == torch.__version__ and found["devices"][0] == "cpu" and found["cores"] >= 1
    assert found["cache"]["folder"] == str(here / "cache")
    assert found["cache"]["bytes"] == 1234 + (here / "cache" / "processor.json").stat().st_size
    assert found["settings"]["WGAN_CACHE"] == str(here / "cache") and found["bf16_gain"] == 1.5


def test_the_environment_is_lines_for_a_person(command, monkeypatch):
    monkeypatch.setattr(environment, "EXTRAS", ("no-such-package",))
    lines = dict(line.split(maxsplit=1) for line in command("env").out.splitlines())
    assert lines["torch"] == torch.__version__ and lines["no-such-package"] == "not installed"
    assert lines["devices"].startswith("cpu") and lines["memory"].endswith("B")


def test_runs_and_recipes_are_listed_without_torch(runs):
    script = """
import sys
from wgan.cli import main as cli
assert cli.main(["runs"]) == cli.main(["runs", "--json"]) == cli.main(["recipes", "--json"]) == 0
assert "torch" not in sys.modules
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=runs.parent)
    assert found.returncode == 0, found.stderr
