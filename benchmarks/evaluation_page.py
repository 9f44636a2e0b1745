"""Write the tables of docs/reference/evaluation.md, the recipes' figures among them, from benchmarks/results/.

Usage: python benchmarks/evaluation_page.py   (after a part of `python benchmarks/evaluation.py`, or tools/recipe_page.py)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wgan.evaluation.metrics_table import METRICS, VALUES
from wgan.recipes import RECIPES, configure

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "reference" / "evaluation.md"
DISTORTED = ("blur sigma 0.5", "blur sigma 1", "noise sigma 25", "digits below 5", "one mean image")

# the columns of the table -> which way is better
COLUMNS = {
    name: VALUES[name].better
    for name in (
        "relative-fid",
        "kid-lenet",
        "precision",
        "recall",
        "coverage",
        "certified-w1",
        "exact-w1",
        "sliced-w1",
        "class-kl",
    )
}
COLUMNS["copies"] = "none"  # what stands in for fakes here are training samples, so that copies are right


def metrics_table() -> list[str]:
    """Return the table of metrics: what each gives, which way is better, and its source."""
    arrows = {"lower": " ↓", "higher": " ↑", "none": ""}
    lines = ["| metric (`--metrics`) | value: what it says, which way is better | source |", "|---|---|---|"]
    for name, metric in METRICS.items():
        values = "<br>".join(f"`{v.name}`{arrows[v.better]}: {v.title}" for v in metric.values)
        lines.append(f"| `{name}` | {values} | {metric.source} |")
    return lines


def order_rows() -> list[tuple[str, dict[str, Any]]]:
    """Return (images, figures) of the distortions and of every recipe for digits whose results are committed."""
    kept = json.loads((RESULTS / "evaluation-order.json").read_text())["results"]
    found = [(r["images"], r) for r in kept]
    for path in sorted((RESULTS / "recipes").glob("*.json")):
        result = json.loads(path.read_text())["metrics"]
        last = result["results"][0]
        if result["data"].partition(":")[0] == "mnist":
            name = f"`{path.stem}`, step {last['step']:,}" + (
                "" if result["data"] == "mnist" else f", {result['data']}"
            )
            found.append((name, {f["name"]: f["value"] for f in last["figures"]}))
    return found


def order_table() -> list[str]:
    """Return the table of every distortion and recipe."""
    lines = [f"| images | {' | '.join(COLUMNS)} |", "|---|" + "---|" * len(COLUMNS)]
    for name, figures in order_rows():
        cells = ["" if figures.get(c) is None else f"{figures[c]:.3g}" for c in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def mistakes() -> list[str]:
    """Return where each figure orders wrongly.

    A distortion counts as not seen when it is no worse than real images by more than real images differ from their floor.
    """
    table = dict(order_rows())
    real, found = table["real"], []
    for column, better in COLUMNS.items():
        sign = {"lower": 1, "higher": -1}.get(better, 0)
        noise = abs(real[column] - real["floors"][column])
        unseen = [n for n in DISTORTED if sign and sign * (table[n][column] - real[column]) <= noise]
        if unseen:
            found.append(f"- `{column}` calls as good as real images, or better: {', '.join(unseen)}.")
        if sign and sign * (table["blur sigma 1"][column] - table["blur sigma 0.5"][column]) < -noise:
            found.append(f"- `{column}` calls the stronger blur better than the weaker one.")
    return found


def agreement() -> str:
    """Return how far the figures agree about the recipes: Spearman's correlation of each with relative-fid."""
    from scipy.stats import spearmanr

    recipes = [f for name, f in order_rows() if name.startswith("`") and "mnist:" not in name]
    parts = []
    for column, better in COLUMNS.items():
        pairs = [(f["relative-fid"], f[column]) for f in recipes if f.get(column) is not None]
        if column != "relative-fid" and better != "none" and len(pairs) > 3:
            value = float(spearmanr(*zip(*pairs, strict=True)).statistic) * (1 if better == "lower" else -1)
            parts.append(f"`{column}` {value:.2f}")
    return (
        f"Whether the metrics agree about the {len(recipes)} recipes for all digits (Spearman's correlation with "
        f"relative-fid, 1 = the same order): {', '.join(parts)}."
    )


def trained() -> str:
    """Return which recipes the table has at which length, and which it has not, and why."""
    digits, others, shorter = [], [], []
    for path in sorted((RESULTS / "recipes").glob("*.json")):
        result = json.loads(path.read_text())["metrics"]
        steps, length = result["results"][0]["step"], configure(path.stem).steps
        (digits if result["data"].partition(":")[0] == "mnist" else others).append(path.stem)
        if path.stem in digits and steps < length:
            shorter.append(f"`{path.stem}` at {steps:,} of {length:,} steps")
    own = [name for name, recipe in RECIPES.items() if recipe.expected == "depends on the data"]
    said = [name for name in RECIPES if name not in (*digits, *others, *own)]
    return (
        f"Each of the {len(digits)} recipes in the table ran to its whole length"
        + (f", but {', '.join(shorter)}" if shorter else "")
        + (f". **Not in it, because no trained run has been measured:** {named(said)}" if said else "")
        + ". Other data, with metrics of "
        f"their own on their pages: {named(others)}; {named(own)} train on the user's data."
    )


def named(recipes: list[str]) -> str:
    """Return the recipes' names as code, with commas."""
    return ", ".join(f"`{name}`" for name in recipes)


def cost_table() -> list[str]:
    """Return the table of seconds and peak memory."""
    kept = json.loads((RESULTS / "evaluation-cost.json").read_text())
    lines = ["| metric | n a side: seconds, peak memory | | |", "|---|---|---|---|"]
    for name in dict.fromkeys(r["metric"] for r in kept["results"]):  # in the order of the results
        found = [r for r in kept["results"] if r["metric"] == name]
        cells = [f"{r['n']:,}: {r['seconds']:.1f} s, {r['peak'] / 2**20:.0f} MiB" for r in found]
        lines.append(f"| {' | '.join([name, *cells, *[''] * (3 - len(cells))])} |")
    return lines


def stage_table(part: str) -> list[str]:
    """Return the table of one evaluation's seconds and peak memory, metric by metric."""
    kept = json.loads((RESULTS / f"evaluation-{part}.json").read_text())["results"]
    most = max(r["peak"] for r in kept) / 2**20
    cells = [f"{r['metric']} {r['seconds']:.1f} s, {r['peak'] / 2**20:,.0f} MiB" for r in kept]
    lines = ["| one evaluation, stage by stage | | | |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(cells[i : i + 4] + [''] * (i + 4 - len(cells)))} |" for i in range(0, len(cells), 4)]
    return [*lines, f"| **in all {sum(r['seconds'] for r in kept):.0f} s, at most {most:,.0f} MiB** | | | |"]


def page(text: str) -> str:
    """Return `text` with each table between its marks."""
    tables = {
        "metrics": metrics_table(),
        "order": [*order_table(), "", trained(), "", *mistakes(), "", agreement()],
        "cost": cost_table(),
    }
    for mark, lines in {**tables, "whole": stage_table("whole"), "large": stage_table("large")}.items():
        begin, end = f"<!-- {mark}: written by benchmarks/evaluation_page.py -->", f"<!-- end of {mark} -->"
        before, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise SystemExit(f"{PAGE.name} lacks {begin} ... {end}")
        text = "\n".join([before + begin, "", *lines, "", end + rest.partition(end)[2]])
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
