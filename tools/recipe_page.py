"""Write a recipe's results into its page: metrics of `wgan evaluate`, the last sample grid, the tags it logs, the command.

Usage: python tools/recipe_page.py RUN [--minutes M]   (after `wgan train NAME --run RUN` and `wgan evaluate RUN`)
Also keeps the metrics in benchmarks/results/recipes/NAME.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from wgan.config.config import FIELDS, changed
from wgan.recipes import RECIPES, configure
from wgan.runs.folder import Run, open_run

ROOT = Path(__file__).parent.parent
# the one metric of a recipe in the table of all: the first that its data have
HEADLINES = ("relative-fid", "stacked-kl", "modes-high-quality", "random-relative-fid", "exact-w1")
PUBLISHED = ("conv-clip-five", "mlp-clip", "ac-clip", "deep-conv-clip", "small-mlp-clip")
BLOCK = re.compile(r"<!-- results.*?<!-- end of results -->", re.DOTALL)


def command(run: Run) -> str:
    """Return the command that repeats the run: the recipe and every option that differs from it."""
    recipe = run.config.recipe
    base = configure(recipe)
    names = [name for name in changed(base, run.config) if name != "recipe"]
    flags = [f"--{name.replace('_', '-')} {FIELDS[name].word(getattr(run.config, name))}" for name in names]
    return " ".join(["wgan train", recipe, *flags])


def processor() -> str:
    """Return the processor's model and what it multiplies bf16 with."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", text)
    extras = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in text]
    return f"{model[1] if model else platform.processor()}, {os.cpu_count()} cores, {' '.join(extras) or 'no bf16'}"


def figures(metrics: dict[str, Any]) -> list[str]:
    """Return the table of metrics: a row each, a column for last, best and real data."""
    results = {r.get("checkpoint", "last"): r for r in metrics["results"]}
    heads = [f"{name} (step {r['step']})" for name, r in results.items()]
    lines = [f"| metric | {' | '.join(heads)} | real against real |", "|---|" + "---|" * (len(heads) + 1)]
    by_name = [{f["name"]: f for f in r["figures"]} for r in results.values()]
    for name, f in by_name[0].items():
        values = [f"{b[name]['value']:.4g}" + spread(b[name]) for b in by_name]
        floor = "" if f["floor"] is None else f"{f['floor']:.4g}"
        lines.append(f"| {name} | {' | '.join(values)} | {floor} |")
    first = next(iter(results.values()))
    about = f"{first['n_fake']} fakes of the {first['generator']} generator, seed {first['seed']}, {metrics['n_real']} reals"
    shares = next((f["note"] for f in first["figures"] if f["name"] == "class-kl"), "")
    return [*lines, "", f"{about} ({metrics['split']})." + (f" Fraction of each digit: {shares}." if shares else "")]


def spread(figure: dict[str, Any]) -> str:
    """Return ' ± s' where the metric has a spread."""
    return "" if figure["spread"] is None else f" ± {figure['spread']:.2g}"


def tags(run: Run) -> str:
    """Return the tags the run logged, as docs/reference/logged.md groups them."""
    seen = {tag for record in run.log() for tag in record}
    rows = [line for line in (ROOT / "docs/reference/logged.md").read_text().splitlines() if line.startswith("| `")]
    kept = [row for row in rows if any(f"`{tag}`" in row.split("|")[1] for tag in seen)]
    names = ", ".join(row.split("|")[1].strip() for row in kept)
    return f"Logged: {names}; each has its formula in [log tags](../reference/logged.md)."


def losses(run: Run) -> str:
    """Return the first and last logged losses in one sentence."""
    records = [r for r in run.log() if "critic/loss" in r]
    parts = [
        f"step {r['step']}: critic {r['critic/loss']:.4g}, generator {r['generator/loss']:.4g}"
        for r in (records[0], records[-1])
    ]
    return "Losses: " + "; ".join(parts) + "."


def page(run: Run, minutes: str) -> str:
    """Return the results block."""
    metrics = json.loads((run.path / "metrics.json").read_text())
    facts, today = run.facts, datetime.date.today().isoformat()
    tracks = metrics.get("loss_tracks_quality_spearman")
    sentence = "" if tracks is None else f" Spearman correlation of W estimate and quality over the run: {tracks:.2f}."
    where = f"{today}, {processor()}, {facts.threads} thread(s), {facts.precision}, torch {facts.versions['torch']}"
    took = f" About {minutes} minutes." if minutes else ""
    return "\n".join(
        [
            "<!-- results: written by tools/recipe_page.py -->",
            f"![samples after {run.step} steps](../pictures/{run.config.recipe}.png)",
            "",
            f"`{command(run)}`, then `wgan evaluate`: {where}. One seed ({run.config.seed}): ± is over resampled fakes.{took}",
            "",
            *figures(metrics),
            "",
            losses(run) + sentence,
            "",
            tags(run),
            "<!-- end of results -->",
        ]
    )


def index() -> str:
    """Return docs/recipes/README.md: every recipe with what to expect of it, from RECIPES and the committed results."""
    lines = [
        "# Recipes",
        "",
        "A recipe is only its differences from the defaults (`src/wgan/recipes/recipes.py`). Each page has the command, the",
        "networks, every difference from the source, and the results measured here. `relative-fid`: 0 = equal to real",
        "data, 1 = about one constant image, see [metrics](../reference/evaluation.md). Written by `tools/recipe_page.py`.",
        "",
        "The five published systems, samples of each at the last step measured here:",
        "",
        "![the five published systems](../pictures/published.png)",
        "",
        "| recipe | source | trains | steps | expected: mean ± deviation over seeds, or one run | real against real | samples |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(row(name) for name in RECIPES)]) + "\n"


def draw_published() -> None:
    """Draw docs/pictures/published.png: the first six rows and columns of each published system's samples, with its step."""
    pictures, font = ROOT / "docs/pictures", ImageFont.load_default(15)
    side = 6 * 58 + 2  # a cell of a grid is 58 wide with its line
    whole = Image.new("L", (len(PUBLISHED) * (side + 10) - 10, side + 24), 255)
    for i, name in enumerate(PUBLISHED):
        kept = ROOT / f"benchmarks/results/recipes/{name}.json"
        step = json.loads(kept.read_text())["metrics"]["results"][0]["step"]
        ImageDraw.Draw(whole).text((i * (side + 10), 2), f"{name}, step {step:,}", fill=0, font=font)
        with Image.open(pictures / f"{name}.png") as grid:
            whole.paste(grid.convert("L").crop((0, 0, side, side)), (i * (side + 10), 24))
    whole.save(pictures / "published.png", optimize=True)


def row(name: str) -> str:
    """Return the line of one recipe; what was measured is empty before it was."""
    r, kept = RECIPES[name], ROOT / f"benchmarks/results/recipes/{name}.json"
    family = name if (ROOT / f"docs/recipes/{name}.md").exists() else "gulrajani-ring"
    cells = [f"[{name}]({family}.md)", r.source, r.trains]
    if not kept.exists():
        return f"| {' | '.join(cells)} | | | | |"
    result = json.loads(kept.read_text())["metrics"]["results"][0]
    by_name = {f["name"]: f for f in result["figures"]}
    f = next(by_name[name] for name in HEADLINES if name in by_name)
    picture = f"[picture](../pictures/{name}.png)"
    real = f"{f['name']} {f['floor']:.3g}"
    return f"| {' | '.join(cells)} | {result['step']} | {r.expected} | {real} | {picture} |"


def main() -> None:
    """Write picture, page and metrics of one run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", default="")
    found = parser.parse_args()
    run = open_run(found.run)
    name = run.config.recipe
    assert name in RECIPES
    (ROOT / "docs/pictures").mkdir(exist_ok=True)
    shutil.copy(max(run.samples.glob("step-*.png")), ROOT / f"docs/pictures/{name}.png")
    target = ROOT / f"docs/recipes/{name}.md"
    if (
        not target.exists()
    ):  # one page for the three toys: the first has the results block, the others their picture and metrics
        target = ROOT / "docs/recipes/gulrajani-ring.md"
    else:
        target.write_text(BLOCK.sub(lambda _: page(run, found.minutes), target.read_text()))
    kept = ROOT / f"benchmarks/results/recipes/{name}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "date": datetime.date.today().isoformat(),
        "machine": processor(),
        "command": command(run),
        **run.facts.to_json(),
    }
    metrics = json.loads((run.path / "metrics.json").read_text())
    for result in metrics["results"]:
        result["run"] = f"runs/{Path(result['run']).name}"  # where it lay on this machine is nobody's business
    kept.write_text(json.dumps({**about, "metrics": metrics}, indent=1) + "\n")
    (ROOT / "docs/recipes/README.md").write_text(index())
    draw_published()
    print(f"{target}, {kept}")


if __name__ == "__main__":
    main()
