"""Keep the results of comparisons, and write docs/convergence.md with its pictures from them.

Usage: python tools/compare_page.py keep DIR NAME "COMMAND" [SECONDS]
           DIR/compare.json -> benchmarks/results/compare-NAME.json, and its sheets; SECONDS: what `time` said of the command
       python tools/compare_page.py page                      the page and its pictures, from the committed results alone
Every figure of the page is taken from those files by tools/convergence.template.md; a test repeats it.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from recipe_page import processor

from wgan.charts import short
from wgan.showing import long_cells, mean_curve
from wgan.tally import decades, estimate_name, mean_spread, spearman

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results"
PICTURES = ROOT / "docs/pictures"
PAGE, TEMPLATE = ROOT / "docs/convergence.md", Path(__file__).parent / "convergence.template.md"
COLOURS = {
    "gan": "#d9480f",
    "gan, minimax": "#f0a27d",
    "wgan-clip": "#2b8a3e",
    "wgan-gp": "#1c6fb8",
    "wgan-lp": "#8e44ad",
}


# --- results ----------------------------------------------------------------------------------------------------------


def keep(folder: Path, name: str, command: str, seconds: str = "") -> None:
    """Copy the figures of a comparison, six digits each, with date, machine and command; and its last sheets."""
    result = json.loads((folder / "compare.json").read_text())
    about: dict[str, Any] = {"date": datetime.date.today().isoformat(), "machine": processor(), "command": command}
    about |= {"seconds": float(seconds)} if seconds else {}
    lines = [f"{json.dumps(k)}: {json.dumps(rounded(v))}" for k, v in {**about, **result}.items() if k != "cells"]
    runs = ",\n".join(f"  {json.dumps(rounded(cell))}" for cell in result["cells"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"compare-{name}.json").write_text("{\n" + ",\n".join([*lines, f'"cells": [\n{runs}\n]']) + "\n}\n")
    sheets = [last_sheet(folder / "runs" / c["name"]) for n in result["request"]["objectives"]
              for c in long_cells(result, n) if c["seed"] == 0]  # fmt: skip
    if sheets:
        beside(sheets).quantize(16).save(PICTURES / f"compare-{name}-sheets.png", optimize=True)


def rounded(value: Any) -> Any:
    """Return the same with six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


def last_sheet(run: Path) -> Image.Image:
    """Return the last sample sheet of a run, the upper half of a sheet of digits."""
    picture = Image.open(max((run / "samples").glob("step-*.png"))).convert("RGB")
    if picture.width != 512:
        return picture.crop((0, 0, picture.width, picture.height // 2)).reduce(2)
    return picture.resize((300, 300))


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Return pictures in a row."""
    row = Image.new("RGB", (sum(p.width + 8 for p in pictures) - 8, max(p.height for p in pictures)), "white")
    at = 0
    for picture in pictures:
        row.paste(picture, (at, 0))
        at += picture.width + 8
    return row


def results() -> dict[str, Any]:
    """Return name -> committed results; a name that is no Python word has _ for -."""
    files = sorted(RESULTS.glob("compare-*.json"))
    found = {file.stem.removeprefix("compare-").replace("-", "_"): json.loads(file.read_text()) for file in files}
    found = {"grid": found["quick"], "grid_stability": found["quick"]} | found  # one seed, where no longer one was run
    # the grid's comparison in which the generator's gradient was watched over most seeds
    return found | {"watched": next(found[n] for n in ("grid", "grid_stability", "quick") if found[n]["gradients"])}


# --- the page ---------------------------------------------------------------------------------------------------------


def page(found: Mapping[str, Any]) -> str:
    """Return docs/convergence.md."""
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(short=short, pm=plus_minus, percent=percent)
    tables = {"quality": quality, "stability": stability, "collapse": collapse, "clipping": clipping}
    return environment.from_string(TEMPLATE.read_text()).render(
        **found, **tables, mean_estimate=last_of("estimate"), mean_figure=last_of("figure"), later=later,
        ratio=lambda a, b: short3(a / b), mean=mean_fid, over=lambda runs: plus_minus(spread_of(runs)),
    )  # fmt: skip


def plus_minus(row: Mapping[str, Any]) -> str:
    """Return mean ± spread."""
    return short3(row["mean"]) + ("" if row["spread"] is None else f" ± {row['spread']:.2g}")


def spread_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and spread of the last fid-lenet of some runs."""
    return mean_spread(run["fid-lenet"] for run in runs)


def mean_fid(runs: list[dict[str, Any]]) -> float:
    """Return the mean of the last fid-lenet of some runs."""
    return float(spread_of(runs)["mean"])


def short3(value: float) -> str:
    """Return a number with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.0f} %"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def quality(result: Mapping[str, Any], *figures: str) -> str:
    """Return the table of some figures at equal budget."""
    names, found = result["request"]["objectives"], result["summary"]["quality"]
    rows = []
    for figure in figures:
        cells = [found[n].get(figure) for n in names]
        floor = next(c["floor"] for c in cells if c)
        rows.append([figure, *(plus_minus(c) if c else "" for c in cells), "" if floor is None else short3(floor)])
    return table(["", *names, "real against real"], rows)


def stability(result: Mapping[str, Any]) -> str:
    """Return the table of shares that reached the threshold, and of the last figures."""
    names, found = result["request"]["objectives"], result["summary"]["stability"]
    rows = [["all", *(f"{percent(found[n]['reached'])} of {found[n]['runs']}" for n in names)]]
    for group in found[names[0]]["groups"]:
        cells = [found[n]["groups"][group] for n in names]
        rows.append([group, *(f"{percent(c['reached'])} ({plus_minus(c)})" if c["n"] else "diverged" for c in cells)])
    return table(["", *names], rows)


def last_of(value: str) -> Callable[[Mapping[str, Any], str], float]:
    """Return the function that gives the mean of a value at the end of an objective's runs."""
    return lambda result, name: float(np.mean([c["curve"][-1][value] for c in long_cells(result, name)]))


def later(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return Spearman's correlation over the seeds without each run's first evaluation, before which the critic learns."""
    return mean_spread(spearman(c["curve"][1:]) for c in long_cells(result, name))


def collapse(*comparisons: Mapping[str, Any] | None) -> str:
    """Return the table of modes reached."""
    known = [c for c in comparisons if c]
    names = known[0]["request"]["objectives"]
    rows = []
    for result in known:
        for figure, found in result["summary"]["collapse"].items():
            floor = next(iter(found.values()))["floor"]
            rows.append([figure, *(plus_minus(found[n]) if n in found else "" for n in names), short3(floor)])
    return table(["", *names, "real data"], rows)


def clipping(result: Mapping[str, Any]) -> str:
    """Return the table of the critics' slopes."""
    names, found = result["request"]["objectives"], result["summary"]["clipping"]
    places = {"real": "median slope at held-out reals", "fake": "at fakes", "between": "between them"}
    rows = [[title, *(plus_minus(found[n]["median_slope"][place]) for n in names)] for place, title in places.items()]
    for key, title in {
        "near_one": "share of slopes from 0.5 to 2",
        "share_clipped": "share of clipped weights on the bound",
    }.items():
        rows.append([title, *("" if found[n][key]["mean"] is None else plus_minus(found[n][key]) for n in names)])
    return table(["", *names], rows)


# --- pictures ---------------------------------------------------------------------------------------------------------


def panels(count: int, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    """Return a figure of some panels in a row."""
    figure = Figure(figsize=(9, height), dpi=80, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    found = list(figure.subplots(1, count, squeeze=False)[0])
    for axes in found:
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, found


def write(figure: Figure, name: str) -> None:
    """Write a picture of few colours."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(PICTURES / f"compare-{name}.png", optimize=True)


def pictures(found: Mapping[str, Any]) -> None:
    """Draw all pictures of the page."""
    two = {"grid": "W1 to held-out points", "mnist": "fid-lenet"}
    figure, axes = panels(2)
    for ax, (data, label) in zip(axes, two.items(), strict=True):
        for name in found[data]["request"]["objectives"]:
            curve = mean_curve(found[data], name, "figure")
            if curve:
                ax.plot(*curve, color=COLOURS[name], label=name, linewidth=1.8)
        ax.set_title(f"{data}: {label}, lower is better", loc="left", fontsize=9)
        ax.set_xlabel("step", fontsize=8)
        ax.set_yscale("log")
    axes[0].legend(fontsize=8, frameon=False)
    write(figure, "quality")
    figure, axes = panels(2)
    for ax, data in zip(axes, two, strict=True):
        watched = found["watched"] if data == "grid" else found[data]
        for name, curves in watched["gradients"].items():
            norms = 10 ** np.mean([[decades(n) for _, n in run] for run in curves], 0)
            ax.plot([k for k, _ in curves[0]], norms, color=COLOURS[name], label=name, linewidth=1.8)
        ax.set_title(f"{data}: norm of the generator's gradient", loc="left", fontsize=9)
        ax.set_xlabel("critic updates on a frozen generator", fontsize=8)
        ax.set_yscale("log")
    axes[0].legend(fontsize=8, frameon=False)
    write(figure, "gradients")
    for data in two:
        names = found[data]["request"]["objectives"]
        figure, axes = panels(len(names), 2.4)
        for ax, name in zip(axes, names, strict=True):
            for cell in long_cells(found[data], name):
                points = [(p["estimate"], p["figure"]) for p in cell["curve"]]
                ax.scatter(*zip(*points, strict=True), s=10, color=COLOURS[name], alpha=0.7)
            ax.set_title(f"{name} on {data}", loc="left", fontsize=9)
            ax.set_xlabel(estimate_name(name), fontsize=8)
            ax.xaxis.set_major_locator(MaxNLocator(3))
        write(figure, f"tracks-{data}")
    figure, axes = panels(2)
    for name in found["mnist"]["request"]["objectives"]:
        runs = [c["slopes"] for c in long_cells(found["mnist"], name)]
        edges = np.array(runs[0]["edges"])
        middle = 10 ** ((edges[1:] + edges[:-1]) / 2)
        axes[0].plot(middle, np.mean([r["shares"] for r in runs], 0), color=COLOURS[name], label=name, linewidth=1.5)
    axes[0].set_xscale("log")
    axes[0].set_xlim(1e-3, 1e2)
    axes[0].set_title("mnist: slope of the critic, share of samples", loc="left", fontsize=9)
    axes[0].axvline(1, color="#555555", linewidth=0.8, linestyle=":")
    axes[0].legend(fontsize=8, frameon=False)
    for name in ("wgan-clip", "wgan-gp"):
        (weights,) = (c["weights"] for c in long_cells(found["mnist"], name) if c["seed"] == 0)
        edges = np.array(weights["edges"])
        axes[1].plot((edges[1:] + edges[:-1]) / 2 / edges[-1], weights["shares"], color=COLOURS[name], linewidth=1.5,
                     label=f"{name}, to ±{short(edges[-1])}")  # fmt: skip
    axes[1].set_title("mnist: weights of the critic, each over its range", loc="left", fontsize=9)
    axes[1].legend(fontsize=8, frameon=False)
    write(figure, "clipping")


def main() -> None:
    """Do one of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("keep", "page"))
    parser.add_argument("words", nargs="*")
    found = parser.parse_args()
    if found.part == "keep":
        return keep(Path(found.words[0]), *found.words[1:])
    pictures(results())
    PAGE.write_text(page(results()))
    print(PAGE)


if __name__ == "__main__":
    main()
