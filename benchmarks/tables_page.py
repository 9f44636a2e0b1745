"""Write the tables about CTGAN in docs/gallery.md from benchmarks/results/tables.json.

Usage: python benchmarks/tables_page.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results/tables.json"
PAGE = Path(__file__).parents[1] / "docs/gallery.md"
BLOCK = re.compile(r"(<!-- tables: .*? -->\n).*?(<!-- end of tables -->)", re.DOTALL)
WAYS = {
    "real": "real rows",
    "wgan": "`table`",
    "ctgan": "CTGAN",
    "tvae": "TVAE",
    "smote": "neighbours (SMOTE)",
    "resampled": "resampled",
}
NUMBERS = ("arr_delay", "median_house_value", "price")  # targets of which R² is told; macro F1 of the others
ROWS = {
    "column-shapes": 3,
    "pair-trends": 3,
    "trained-on-fakes": 3,
    "trees-on-fakes": 3,
    "detection": 3,
    "detection-plain": 3,
    "nearer-to-training": 3,
    "missing-gap": 3,
    "fit_cpu_seconds": 0,
    "sample_cpu_seconds": 2,
    "peak_mib": 0,
}
NAMES = {
    "fit_cpu_seconds": "CPU seconds to train",
    "sample_cpu_seconds": "CPU seconds to sample",
    "peak_mib": "peak MiB",
}
Entry = dict[str, Any]


def tables_of(results: dict[str, Any]) -> dict[str, dict[str, Entry]]:
    """Return the entries of each table with seed 0 by the way that made the rows, steps or epochs beside its name."""
    found: dict[str, dict[str, Entry]] = {}
    for name, entry in results.items():
        words = name.split(" ")
        if words[-2:] == ["seed", "0"]:
            found.setdefault(words[0], {})[words[1]] = entry
    return found


def told(way: str) -> str:
    """Return what a way is called at the head of a column, with its length where it is not the default."""
    kind, _, length = way.partition("=")
    return WAYS[kind] + (f", {int(length):,} {'steps' if kind == 'wgan' else 'epochs'}" if length else "")


def markdown(name: str, entries: dict[str, Entry]) -> str:
    """Return what is told of one table."""
    ways = sorted(entries, key=lambda way: [*WAYS].index(way.partition("=")[0]))
    first = entries[ways[0]]
    what = f"{'R²' if first['target'] in NUMBERS else 'macro F1'} of `{first['target']}`"
    head = f"**{name}**: {first['train_rows']:,} rows to learn from, {first['judging_rows']:,} judge, {what}."
    lines = ["", *map(told, ways)], ["---", *["---:"] * len(ways)], *(row(metric, entries, ways) for metric in ROWS)
    return "\n".join([head, "", *(f"| {' | '.join(line)} |" for line in lines)])


def row(metric: str, entries: dict[str, Entry], ways: list[str]) -> list[str]:
    """Return the cells of one metric."""
    values = [entries[way].get(metric) for way in ways]
    return [NAMES.get(metric, metric), *("" if v is None else f"{v:.{ROWS[metric]}f}" for v in values)]


def written(page: str, results: dict[str, Any]) -> str:
    """Return the page with the tables that the results tell of."""
    text = "\n\n".join(markdown(name, entries) for name, entries in sorted(tables_of(results).items()))
    return BLOCK.sub(lambda block: f"{block[1]}\n{text}\n\n{block[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), json.loads(RESULTS.read_text())))
