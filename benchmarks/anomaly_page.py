"""Write the tables of docs/lab/anomaly.md from benchmarks/results/anomaly.json.

Usage: python benchmarks/anomaly_page.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy import stats

RESULTS = Path(__file__).parent / "results/anomaly.json"
PAGE = Path(__file__).parents[1] / "docs/lab/anomaly.md"
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
NAMES = {
    "score": "**wgan: score**",
    "residual_mahalanobis": "wgan: residual, Mahalanobis",
    "feature_mahalanobis": "wgan: features, Mahalanobis",
    "local_distance": "wgan: features, local distance",
    "f-AnoGAN": "wgan: score of f-AnoGAN",
    "autoencoder": "autoencoder of equal cost",
    "Mahalanobis": "Mahalanobis, pixels",
    "residual": "wgan: residual alone",
    "feature_residual": "wgan: feature residual alone",
    "latent_distance": "wgan: latent distance",
    "wgan": "**wgan**",
    "neighbours": "neighbours, pixels",
}
OWN = (
    *("score", "f-AnoGAN", "residual_mahalanobis", "feature_mahalanobis", "local_distance"),
    *("residual", "feature_residual", "latent_distance"),
)
Entries = dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def interval(found: dict[str, float]) -> str:
    """Return a value with its interval."""
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def left_out(kind: str) -> Callable[[Entries], str]:
    """Return a function that makes a table: the AUC of each way for each class that was left out, and their mean.

    A way that was measured with several seeds has the mean over seeds; the mean over classes then has an interval, t
    with n - 1 degrees of freedom, n the seeds that have all of these classes.
    """

    def made(entries: Entries) -> str:
        runs: dict[str, dict[str, dict[str, float]]] = {}  # way -> class -> seed -> AUC
        for name, entry in sorted(entries.items()):
            if name.split()[0] == kind:
                _, label, *rest = name.split()
                for way, found in entry["auc"].items():
                    runs.setdefault(way, {}).setdefault(label, {})["".join(rest[1:])] = found["value"]
        classes = sorted({label for found in runs.values() for label in found})
        shared = [k for k in classes if all(k in found for found in runs.values())]
        order = sorted(runs, key=lambda way: (way not in OWN, [*OWN, *runs].index(way)))
        rows = [[NAMES.get(way, way), *cells(runs[way], classes, shared)] for way in order]
        whole = "mean" if shared == classes else f"mean of {', '.join(label_of(kind, k) for k in shared) or 'none'}"
        return table(["way", *(f"without {label_of(kind, k)}" for k in classes), whole], rows)

    return made


def label_of(kind: str, label: str) -> str:
    """Return what the table calls a class."""
    return FASHION[int(label)] if kind == "fashion" else label


def cells(found: dict[str, dict[str, float]], classes: Sequence[str], shared: Sequence[str]) -> list[str]:
    """Return the cells of one way: the mean over seeds of each class, and of those that every way has, with its interval."""
    values = [f"{mean(found[k].values()):.3f}" if k in found else "–" for k in classes]
    if not shared:
        return [*values, "–"]
    seeds = set.intersection(*(set(found[k]) for k in shared))
    means = [mean([found[k][seed] for k in shared]) for seed in sorted(seeds)]
    whole = mean([mean(found[k].values()) for k in shared])
    if len(means) < 2:
        return [*values, f"{whole:.3f}"]
    half = stats.t.ppf(0.975, len(means) - 1) * stdev(means) / len(means) ** 0.5
    return [*values, f"{mean(means):.3f} ({mean(means) - half:.3f} to {mean(means) + half:.3f})"]


def each(entry: str, key: str) -> Callable[[Entries], str]:
    """Return a function that makes a table of the values of one entry."""

    def made(entries: Entries) -> str:
        found = entries[entry][key]
        names = {k: NAMES.get(k, k) for k in found}
        if entry == "table":
            names = {k: name.removesuffix(", pixels") for k, name in names.items()}
        order = sorted(found, key=lambda way: (way not in OWN, [*OWN, *found].index(way)))
        return table(["way", "AUC"], [[names[k], interval(found[k])] for k in order])

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
    "digits": left_out("digit"),
    "fashion": left_out("fashion"),
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
