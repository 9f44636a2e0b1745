"""The commands of docs/reference/tables.md run in their order on a table like the page's."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"
SHORT = {
    "train": "--steps 2 --batch 8 --threads 1 --n-critic 1 --generator-layers 8 --critic-layers 8",
    "evaluate": "-n 100 --metrics columns,pairs",
}


def adult(path, n=300):
    """A small table with the columns of the page."""
    g = np.random.default_rng(0)
    words = {"job": ["Sales", "Craft", "?"], "sex": ["Male", "Female"], "income": ["<=50K", ">50K"]}
    rows = [[g.integers(17, 90), *(" " + g.choice(v) for v in words.values())] for _ in range(n)]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["age", *words], *rows])


def orders(path, n=300):
    """A small table that keeps the rules of the page."""
    g = np.random.default_rng(1)
    places = [("Ulm", "89073"), ("Bonn", "53111")]
    lines = ["price,tax,total,ordered,sent,city,zip"]
    for _ in range(n):
        price, tax, day = int(g.integers(100, 900)), int(g.integers(5, 90)), int(g.integers(1, 20))
        city, code = places[g.integers(2)]
        sent = day + int(g.integers(0, 9))
        lines.append(f"{price},{tax},{price + tax},2024-03-{day:02},2024-03-{sent:02},{city},{code}")
    path.write_text("\n".join(lines) + "\n")


def commands():
    """Return the words of each command of the page."""
    blocks = PAGE.read_text().split("```console\n")[1:]
    lines = [line for block in blocks for line in block.split("```")[0].splitlines()]
    return [shlex.split(line.removeprefix("$ wgan ")) for line in lines]


def test_the_commands_of_the_page_run(here, cache, cheap, command):
    adult("adult.csv")
    orders(Path("orders.csv"))
    found = commands()
    assert len(found) >= 5
    for words in found:
        made = command(*words, *shlex.split(SHORT.get(words[0], "")))
        assert made.code == 0, (words, made)
    with open("rich.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["income"] for row in rows} == {" >50K"} and {row["sex"] for row in rows} == {" Female"}
    assert {row["job"] for row in rows} == {" Sales", " Craft", " ?"}
