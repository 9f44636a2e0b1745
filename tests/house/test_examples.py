"""Every example, every cell of the notebook and every block of Python in the reference runs, with fewer steps."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wgan import api

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
PAGE = ROOT / "docs/reference/python.md"
MADE = {
    "own_images": ["own-images.png", "runs/own-images/run.json"],
    "own_network": ["own-network.png", "runs/own-network/run.json"],
    "own_objective": ["runs/own-objective/run.json"],
    "own_table": ["own-table.csv", "runs/own-table/run.json"],
}


@pytest.fixture
def short(here, cache, cheap, monkeypatch):
    """An empty folder to work in, a two-hundredth of the steps, small batches."""
    train = api.train

    def shorter(*words, **options):
        return train(*words, **{**options, "steps": max(2, options.get("steps", 0) // 200), "batch": 8, "threads": 1})

    monkeypatch.setattr(api, "train", shorter)
    monkeypatch.setattr(sys, "argv", ["example"])
    return here


def run_cell(text, names):
    """Run the statements of a cell, and show the value of its last expression as a notebook would."""
    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    shown = [getattr(value, how)() for how in ("_repr_html_", "_repr_png_") if how in dir(type(value))]
    return next((s for s in shown if s is not None), repr(value))


def test_each_example_is_known_here():
    assert [script.stem for script in SCRIPTS] == sorted(MADE) and len(NOTEBOOKS) == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_an_example_runs_and_leaves_what_it_says(script, short, capsys):
    exec(compile(script.read_text(), script.name, "exec"), {"__name__": "__main__"})
    assert all((short / name).stat().st_size for name in MADE[script.stem])
    assert capsys.readouterr().err == ""


def test_an_example_reads_what_it_is_given(short, monkeypatch):
    rows = [f"{'ab'[i % 2]},{i % 7},{i % 5}" for i in range(80)]
    (short / "mine.csv").write_text("\n".join(["kind,x,y", *rows]) + "\n")
    monkeypatch.setattr(sys, "argv", ["example", "mine.csv", "kind"])
    script = ROOT / "examples/own_table.py"
    exec(compile(script.read_text(), script.name, "exec"), {"__name__": "__main__"})
    assert (short / "own-table.csv").read_text().splitlines()[0] == "x,y,label"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_each_cell_of_the_notebook_runs(notebook, short):
    cells = json.loads(notebook.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells), "kept without outputs"
    names = {"__name__": "__main__"}
    shown = [run_cell("".join(cell["source"]), names) for cell in cells if cell["cell_type"] == "code"]
    assert names["run"].step == 4 and names["estimates"], shown
    assert "<img" in shown[1] and shown[2].startswith(b"\x89PNG") and "<table>" in shown[3]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebook_runs_whole_in_a_kernel(notebook, tmp_path):
    """With its own steps, in the kernel of a notebook: nbmake fails where a cell does."""
    copy = shutil.copy(notebook, tmp_path)  # its folder is where the cells run
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbmake",
        "--nbmake-timeout=600",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        str(copy),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "1 passed" in done.stdout and (tmp_path / "runs/tour/run.json").stat().st_size


def test_the_python_of_the_reference_runs(short):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert len(blocks) >= 6
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), {"__name__": "__main__"})
