"""Train on a table of your own, and write rows that look like it.

Usage: python examples/own_table.py [FILE.csv [LABELS]]
LABELS names the column of classes. Without a file it makes one: 1,000 flowers of two kinds, three measures each.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

import wgan


def make_flowers(path: Path, count: int = 1000) -> Path:
    """Write a table whose measures depend on the kind, and on each other."""
    rng = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "length", "width", "petals"])
        for _ in range(count):
            kind = rng.choice(["lily", "rose"])
            length = rng.gauss(6.0 if kind == "lily" else 3.5, 0.6)
            petals = 6 if kind == "lily" else rng.choice([5, 10, 15])
            writer.writerow([kind, round(length, 2), round(0.4 * length + rng.gauss(0, 0.1), 2), petals])
    return path


file, labels = (*sys.argv[1:3], "auto")[:2] if len(sys.argv) > 1 else (make_flowers(Path("flowers.csv")), "kind")
run = wgan.train(data=file, labels=labels, run="runs/own-table", steps=2000)
rows = wgan.load(run).sample(200)
with open("own-table.csv", "w", newline="") as out:
    writer = csv.writer(out)
    writer.writerow([*(rows.columns or []), *(["label"] if rows.labels is not None else [])])
    for i, row in enumerate(rows.tolist()):
        writer.writerow([*row, *([] if rows.labels is None else [rows.labels[i]])])
print("200 rows in the units of the table, each column within its range: own-table.csv")
