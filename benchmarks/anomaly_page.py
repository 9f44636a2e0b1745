"""Write the tables of docs/lab/anomaly.md from benchmarks/results/anomaly.json.

Usage: python benchmarks/anomaly_page.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results/anomaly.json"
PAGE = Path(__file__).parents[1] / "docs/lab/anomaly.md"
NAMES = {
    "score": "**wgan: score**",
    "residual": "wgan: residual alone",
    "feature_residual": "wgan: feature residual alone",
    "latent_distance": "wgan: latent distance",
    "wgan": "**wgan**",
    "neighbours": "neighbours, pixels",
}
Entries = dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def interval(found: dict[str, float]) -> str:
    """Return a value with its interval."""
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def digits(entries: Entries) -> str:
    """Return the AUC of each way for each digit that was left out, and the mean where it has all of them."""
    runs = {name.split()[1]: entry["auc"] for name, entry in sorted(entries.items()) if name.startswith("digit ")}
    ways = list(dict.fromkeys(way for auc in runs.values() for way in auc))
    order = sorted(ways, key=lambda way: (way not in NAMES or way == "neighbours", ways.index(way)))
    rows = []
    for way in order:
        values = [auc[way]["value"] if way in auc else None for auc in runs.values()]
        mean = f"{sum(v for v in values if v is not None) / len(values):.3f}" if None not in values else "–"
        cells = ["–" if v is None else f"{v:.3f}" for v in values]
        rows.append([NAMES.get(way, way), *cells, *([mean] if len(runs) > 1 else [])])
    return table(["way", *(f"without {k}" for k in runs), *(["mean"] if len(runs) > 1 else [])], rows)


def each(entry: str, key: str) -> Callable[[Entries], str]:
    """Return a function that makes a table of the values of one entry."""

    def made(entries: Entries) -> str:
        return table(["way", "AUC"], [[NAMES.get(k, k), interval(v)] for k, v in entries[entry][key].items()])

    return made


def costs(entries: Entries) -> str:
    """Return what scores and inversions took, and how near inversions came."""
    found = entries["cost"]
    seconds, psnr = sorted(found["inversion_cpu_seconds"]), sorted(found["psnr"])
    n = len(psnr)
    rows = [
        [f"{found['scores']:,} scores", f"{found['scoring_cpu_seconds']:.0f} s"],
        [f"an inversion, median of {n} held-out digits (slowest)", f"{seconds[n // 2]:.1f} s ({seconds[-1]:.1f})"],
        ["its PSNR, median (lowest)", f"{psnr[n // 2]:.1f} dB ({psnr[0]:.1f})"],
        ["inversions of at least 20 dB", f"{sum(p >= 20 for p in psnr)} of {n}"],
    ]
    return table(["what", "measured"], rows)


def sources(entries: Entries) -> str:
    """Return the command of each entry, with its date and machine."""
    lines = [f"- `{e['command']}`: {e['date']}, {e['machine']}" for _, e in sorted(entries.items())]
    return "\n".join(dict.fromkeys(lines))


PARTS = {
    "digits": digits,
    "blots": each("blots", "pixel_auc"),
    "images": each("blots", "image_auc"),
    "table": each("table", "auc"),
    "costs": costs,
    "sources": sources,
}


def page(text: str, entries: Entries) -> str:
    """Return the page with its tables written anew."""
    for name, made in PARTS.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin in text:
            text = re.sub(rf"{begin}.*?{end}", lambda _: f"{begin}\n{made(entries)}\n{end}", text, flags=re.S)  # noqa: B023
    return text


def main() -> None:
    """Write the page."""
    entries = json.loads(RESULTS.read_text())
    PAGE.write_text(page(PAGE.read_text(), entries))


if __name__ == "__main__":
    main()
