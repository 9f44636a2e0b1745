"""The recipe `table` against CTGAN and TVAE, rows between neighbours (SMOTE) and resampled rows: same rows, one thread each.

Usage: python benchmarks/tables.py NAME=FILE.csv ... [--target NAME=COLUMN] [--missing "?"] [--rows 10000] [--seeds 1]
           [--python OTHER/bin/python] [--ways wgan,ctgan,...] [--work FOLDER]
--python: an environment with `pip install ctgan` (it brings its own PyTorch; pin the same one). FILE may be a data set of a
package, `plotnine.data:diamonds`: MODULE:NAME, a DataFrame. --rows are drawn from the file for training, of which wgan holds a
tenth out, and no other way sees that tenth either; up to 5,000 others judge, and 5,000 more stand in for fakes as `real`.

A way is one of real, resampled, smote, wgan, ctgan, tvae, at their default lengths; `ctgan=1234` is CTGAN for that many
epochs, `wgan=500` so many steps: what equal CPU time is follows from the seconds of a first run. Each way writes its rows
into --work once; what is there is not made again. Results: benchmarks/results/tables.json, one entry for each table, way and
seed; a later call replaces entries of the same name and keeps the others. CPU seconds are those of the process (user and system).
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from evaluation import RESULTS
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data import Source, open_source
from wgan.data.tabular.cells import read_cells
from wgan.data.tabular.read import codes_like
from wgan.data.tabular.table import Table
from wgan.evaluation.table_metrics import LINEAR, TREES, told_by
from wgan.files import write_atomically
from wgan.metrics import tables as metrics

HELD = 5000  # rows that judge, and rows that stand in for fakes
NEAR = 2000
PAGE = RESULTS / "tables.json"
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
Rows = NDArray[np.float64]


class Problem(NamedTuple):
    """One table drawn with one seed: rows [N, C] to learn from, to judge by, and to stand in for fakes."""

    name: str
    folder: Path
    table: Table
    train: Rows
    test: Rows
    real: Rows
    target: str

    @property
    def levels(self) -> NDArray[np.bool_]:
        """Which columns hold levels, bool [C]."""
        return np.array([c.kind == "category" for c in self.table.columns])

    def encoded(self, rows: Rows) -> Rows:
        """Return rows as wgan's networks see them, [N, D]."""
        return self.table.encode(rows, np.arange(len(rows)))


def lines_of(where: str) -> list[list[str]]:
    """Return the lines of a file, or of a DataFrame MODULE:NAME."""
    module, colon, name = where.partition(":")
    if colon:
        frame = getattr(importlib.import_module(module), name)
        return list(csv.reader(frame.to_csv(index=False).splitlines()))
    with open(where, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def draw(where: str, folder: Path, count: int, seed: int) -> None:
    """Write train.csv, test.csv and real.csv, disjoint draws from a table."""
    names, *rows = lines_of(where)
    rows = [row for row in rows if row]
    random.Random(seed).shuffle(rows)
    count = min(count, len(rows) * 3 // 5)
    held = min(HELD, (len(rows) - count) // 2)
    cuts = {"train": rows[:count], "test": rows[count : count + held], "real": rows[count + held : count + 2 * held]}
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in cuts.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([names, *part])


def problem(name: str, where: str, target: str, seed: int, args: argparse.Namespace) -> Problem:
    """Return a table drawn with a seed; what is in its folder already is not drawn again."""
    folder = Path(args.work) / f"{name}-{args.rows}-{seed}"
    if not (folder / "real.csv").exists():
        draw(where, folder, args.rows, seed)
    source = open_source(str(folder / "train.csv"), "train", options=ReadingOptions(missing=args.missing))
    assert source.table is not None
    held = [like(folder / f"{part}.csv", source.table) for part in ("test", "real")]
    train = codes(source)
    np.savez_compressed(folder / "train.npz", rows=train)
    last = [c.name for c in source.table.columns if c.kind == "category"] or source.table.names
    return Problem(name, folder, source.table, train, *held, target or last[-1])


def codes(source: Source) -> Rows:
    """Return the rows of a source."""
    assert source.codes is not None
    return source.codes(torch.arange(len(source))).numpy()


def like(path: Path, table: Table) -> Rows:
    """Return the rows of a file in the codes of a table."""
    cells = read_cells(path)
    return codes_like(table, dict(zip(cells.names, cells.columns, strict=True)), str(path))


# --- ways of making rows ----------------------------------------------------------------------------------------------


def make(p: Problem, way: str, seed: int, args: argparse.Namespace) -> tuple[Rows, dict[str, Any]]:
    """Return the rows that a way makes, as many as judge, and what they cost; made once."""
    out = p.folder / f"{way.replace('=', '-')}.npz"
    cost = out.with_suffix(".json")
    if not cost.exists():
        found = by_hand(p, way, seed) if way in ("real", "resampled", "smote") else by_program(p, way, seed, args, out)
        write_atomically(cost, json.dumps(found).encode())
    return np.load(out)["rows"], json.loads(cost.read_text())


def by_hand(p: Problem, way: str, seed: int) -> dict[str, Any]:
    """Make rows without a network."""
    n = len(p.test)
    if way == "real":
        rows = p.real
    elif way == "resampled":
        rows = p.train[np.random.default_rng(seed).integers(len(p.train), size=n)]
    else:
        rows = metrics.interpolated(p.train, p.encoded(p.train), p.levels, n, seed)
        rows = np.stack([c.round(rows[:, i]) for i, c in enumerate(p.table.columns)], 1)
    np.savez_compressed(p.folder / f"{way}.npz", rows=rows)
    return {}


def by_program(p: Problem, way: str, seed: int, args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Make rows by a program of its own, with one thread."""
    kind, _, length = way.partition("=")
    task = {
        "kind": kind,
        "epochs": int(length or 0),
        "seed": seed,
        "n": len(p.test),
        "train": str(p.folder / "train.npz"),
        "csv": str(p.folder / "train.csv"),
        "missing": args.missing,
        "levels": p.levels.tolist(),
        "run": str(p.folder / f"run-{way.replace('=', '-')}"),
        "out": str(out),
    }
    told = p.folder / f"{out.stem}-task.json"
    write_atomically(told, json.dumps(task).encode())
    here = Path(__file__).parent
    program = [sys.executable, str(here / "table_own.py")]
    if kind != "wgan":
        program = [args.python, str(here / "table_rivals.py")]
    done = subprocess.run([*program, str(told)], env=ONE_THREAD, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- what they are worth ----------------------------------------------------------------------------------------------


def judge(p: Problem, fake: Rows) -> dict[str, float]:
    """Return the metrics of rows against the rows that judge."""
    x, held = p.encoded(fake), p.encoded(p.test)
    pairs = metrics.pair_trends(fake, p.test, p.levels)
    known = p.encoded(p.train)
    return {
        "column-shapes": float(metrics.column_shapes(fake, p.test, p.levels).mean()),
        "pair-trends": float(pairs[np.triu_indices(len(pairs), 1)].mean()),
        **trained(p, fake, x, held),
        "detection": metrics.detection(x, held),
        "detection-plain": metrics.detection(plain(p, fake), plain(p, p.test)),
        "nearer-to-training": metrics.nearer_to_training(x[:NEAR], known[:NEAR], held[:NEAR]),
        "exact-copies": metrics.exact_copies(fake, p.train),
        "missing-gap": float(metrics.missing_gap(fake, p.test).max()),
    }


def plain(p: Problem, rows: Rows) -> Rows:
    """Return rows as standardised numbers and one-hot levels [N, D]: without the slots that wgan gives to common values."""
    parts = []
    for i, column in enumerate(rows.T):
        known = p.train[:, i]
        if p.levels[i]:
            parts.append(column[:, None] == np.unique(known[~np.isnan(known)]))
        else:
            mean, deviation = np.nanmean(known), np.nanstd(known) or 1.0
            parts.append(((np.nan_to_num(column, nan=mean) - mean) / deviation)[:, None])
    return np.concatenate(parts, 1, dtype=np.float64)


def trained(p: Problem, fake: Rows, x: Rows, held: Rows) -> dict[str, float]:
    """Return the macro F1, or R², on the rows that judge of models that learned the target from rows."""
    at = p.table.names.index(p.target)
    levels = bool(p.levels[at])
    widths = [c.coding.width for c in p.table.columns]
    start = sum(widths[:at])
    seen = [i for i in range(sum(widths)) if not start <= i < start + widths[at]]
    others = [i for i in range(len(widths)) if i != at]
    answers = fake[:, at], p.test[:, at]
    trees = TREES[levels](p.levels[others])
    return {
        "trained-on-fakes": told_by(x[:, seen], answers[0], held[:, seen], answers[1], LINEAR[levels], levels),
        "trees-on-fakes": told_by(fake[:, others], answers[0], p.test[:, others], answers[1], trees, levels),
    }


def options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--target", action="append", default=[], metavar="NAME=COLUMN")
    parser.add_argument("--missing", default="")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--ways", default="real,resampled,smote,wgan,tvae,ctgan")
    parser.add_argument("--work", default="tables-work")
    return parser.parse_args()


def main() -> None:
    args = options()
    torch.set_num_threads(1)
    results = json.loads(PAGE.read_text()) if PAGE.exists() else {}
    targets = dict(t.split("=", 1) for t in args.target)
    for name, where in (t.split("=", 1) for t in args.tables):
        for seed in args.seeds:
            p = problem(name, where, targets.get(name, ""), seed, args)
            for way in args.ways.split(","):
                rows, cost = make(p, way, seed, args)
                found = {k: round(v, 4) for k, v in judge(p, rows).items()}
                sizes = {"target": p.target, "train_rows": len(p.train), "judging_rows": len(p.test)}
                results[f"{name} {way} seed {seed}"] = {**sizes, **found, **cost}
                print(name, way, seed, json.dumps({**found, **cost}), flush=True)
                write_atomically(PAGE, (json.dumps(results, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
