"""Keep the results of comparisons, and write docs/lab/convergence.md and benchmarks/COMPARISONS.md from them.

Usage: python tools/compare_page.py keep DIR NAME "COMMAND" [SECONDS]
           DIR/compare.json -> benchmarks/results/compare-NAME.json, and its sample grids; SECONDS: as `time` gave them
       python tools/compare_page.py page                      both pages and their pictures, from the committed results alone
Every number is taken from those files by tools/convergence.template.md and tools/comparisons.template.md; a test repeats it.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import study_pictures
import study_tables
from compare_pictures import PICTURES, pictures
from jinja2 import Environment, StrictUndefined
from PIL import Image
from recipe_page import processor
from study_tables import rounded, table

from wgan.compare.page import long_trials
from wgan.compare.summary import mean_spread, tracks
from wgan.report.charts import short_number

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results"
STUDY = "small"  # the design whose verdicts the tour tells
# page -> its template: the guided tour, and every table
PAGES = {
    ROOT / "docs/lab/convergence.md": ROOT / "tools/convergence.template.md",
    ROOT / "benchmarks/COMPARISONS.md": ROOT / "tools/comparisons.template.md",
}


# --- results ----------------------------------------------------------------------------------------------------------


def keep(folder: Path, name: str, command: str, seconds: str = "") -> None:
    """Copy the numbers of a comparison, eight digits each, with date, machine and command; and its last sample grids."""
    result = json.loads((folder / "compare.json").read_text())
    about: dict[str, Any] = {"date": datetime.date.today().isoformat(), "machine": processor(), "command": command}
    about |= {"seconds": float(seconds)} if seconds else {}
    lines = [f"{json.dumps(k)}: {json.dumps(rounded(v, 8))}" for k, v in {**about, **result}.items() if k != "cells"]
    runs = ",\n".join(f"  {json.dumps(rounded(cell, 8))}" for cell in result["cells"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"compare-{name}.json").write_text("{\n" + ",\n".join([*lines, f'"cells": [\n{runs}\n]']) + "\n}\n")
    sheets = [
        last_sheet(folder / "runs" / c["name"])
        for n in result["request"]["objectives"]
        for c in long_trials(result, n)
        if c["seed"] == 0
    ]
    if sheets:
        beside(sheets).quantize(48).save(PICTURES / f"compare-{name}-sheets.png", optimize=True)


def last_sheet(run: Path) -> Image.Image:
    """Return the last sample grid of a run, the upper half of a grid of digits."""
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
    """Return name -> committed results; a name that is not a Python word has _ for -."""
    files = sorted(RESULTS.glob("compare-*.json"))
    found = {file.stem.removeprefix("compare-").replace("-", "_"): json.loads(file.read_text()) for file in files}
    # by a rule or a correlation the longest runs are judged
    found |= {"mnist_judged": found["mnist_long"], "grid_judged": found["grid_long"]}
    return found | {"study": json.loads((RESULTS / f"study-{STUDY}.json").read_text())}


# --- the pages --------------------------------------------------------------------------------------------------------


def page(template: Path, found: Mapping[str, Any]) -> str:
    """Return the page that a template makes of the results."""
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(short=short_number, pm=plus_minus, percent=percent)
    tables = {
        "quality": quality,
        "metric": metric,
        "stability": stability,
        "collapse": collapse,
        "clipping": clipping,
        "seed_spread": seed_spread,
        "rate_ratio": rate_ratio,
        "more_stable": more_stable,
        "peak": peak,
        "fallen": fallen,
        **study_tables.TABLES,
    }
    return environment.from_string(template.read_text()).render(
        **found,
        **tables,
        short3=short3,
        mean_estimate=last_of("estimate"),
        mean_figure=last_of("figure"),
        later=later,
        ratio=lambda a, b: short3(a / b),
        mean=mean_fid,
        over=lambda runs: plus_minus(spread_of(runs)),
    )


def plus_minus(row: Mapping[str, Any]) -> str:
    """Return mean ± spread."""
    spread = row["spread"]
    return short3(row["mean"]) + (
        "" if spread is None else f" ± {spread:,.0f}" if spread >= 100 else f" ± {spread:.2g}"
    )


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
    """Return a fraction in percent."""
    return f"{100 * value:.0f} %"


def quality(result: Mapping[str, Any], *metrics: str) -> str:
    """Return the table of some metrics at equal budget."""
    names, found = result["request"]["objectives"], result["summary"]["quality"]
    rows = []
    for name in metrics:
        cells = [found[n].get(name) for n in names]
        floor = next(c["floor"] for c in cells if c)
        rows.append([name, *(plus_minus(c) if c else "" for c in cells), "" if floor is None else short3(floor)])
    return table(["", *names, "real against real"], rows)


def metric(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return objective -> mean and spread of a metric at equal budget."""
    return {objective: found[name] for objective, found in result["summary"]["quality"].items() if name in found}


def stability(result: Mapping[str, Any]) -> str:
    """Return the table of the fractions of runs that reached the threshold, and of the last selection metrics."""
    names, found = result["request"]["objectives"], result["summary"]["stability"]
    rows = [["all", *(f"{percent(found[n]['reached'])} of {found[n]['runs']}" for n in names)]]
    for group in found[names[0]]["groups"]:
        cells = [found[n]["groups"][group] for n in names]
        rows.append([group, *(f"{percent(c['reached'])} ({plus_minus(c)})" if c["n"] else "diverged" for c in cells)])
    rows.append(["spread over the seeds, divided by the mean", *(short3(seed_spread(result, n)) for n in names)])
    ratios = [rate_ratio(result, n) for n in names]
    if None not in ratios:
        rows.append(["worst rate's mean over the best one's", *(short3(r) for r in ratios if r is not None)])
    return table(["", *names], rows)


def seed_spread(result: Mapping[str, Any], name: str) -> float:
    """Return the standard deviation over the seeds divided by the mean, its mean over rates and architectures."""
    groups = result["summary"]["stability"][name]["groups"].values()
    return float(np.mean([g["spread"] / g["mean"] for g in groups if g["n"] > 1]))


def rate_ratio(result: Mapping[str, Any], name: str) -> float | None:
    """Return the mean of the worst learning rate over that of the best; None where one rate alone was run."""
    groups = result["summary"]["stability"][name]["groups"]
    means = [g["mean"] for key, g in groups.items() if key.startswith("rate") and g["n"]]
    return max(means) / min(means) if means else None


def more_stable(result: Mapping[str, Any], name: str) -> bool:
    """Return whether more runs of an objective reach the threshold than of the GAN, and its seeds differ less."""
    found = result["summary"]["stability"]
    return bool(
        found[name]["reached"] > found["gan"]["reached"] and seed_spread(result, name) < seed_spread(result, "gan")
    )


def last_of(value: str) -> Callable[[Mapping[str, Any], str], float]:
    """Return the function that gives the mean of a value at the end of an objective's runs."""
    return lambda result, name: float(np.mean([c["curve"][-1][value] for c in long_trials(result, name)]))


def later(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return Spearman's correlation over the seeds without each run's first evaluation, before which the critic learns."""
    return mean_spread(tracks(c["curve"][1:]) for c in long_trials(result, name))


def largest(curve: list[dict[str, Any]]) -> int:
    """Return the number of the evaluation at which the estimate is largest."""
    return max(range(len(curve)), key=lambda i: float(curve[i]["estimate"]))


def fallen(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return Spearman's correlation over the seeds from the evaluation on at which the estimate is largest."""
    return mean_spread(tracks(c["curve"][largest(c["curve"]) :]) for c in long_trials(result, name))


def peak(result: Mapping[str, Any], name: str) -> dict[str, float]:
    """Return the mean over the seeds of the step at which the estimate is largest, and estimate and figure there."""
    points = [c["curve"][largest(c["curve"])] for c in long_trials(result, name)]
    return {key: float(np.mean([p[key] for p in points])) for key in ("step", "estimate", "figure")}


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
    """Return the table of the critics' gradient norms."""
    names, found = result["request"]["objectives"], result["summary"]["clipping"]
    places = {"real": "median gradient norm at held-out reals", "fake": "at fakes", "between": "between them"}
    rows = [[title, *(plus_minus(found[n]["median_slope"][place]) for n in names)] for place, title in places.items()]
    for key, title in {
        "near_one": "fraction of gradient norms from 0.5 to 2",
        "share_clipped": "fraction of clipped weights on the bound",
    }.items():
        rows.append([title, *("" if found[n][key]["mean"] is None else plus_minus(found[n][key]) for n in names)])
    return table(["", *names], rows)


def main() -> None:
    """Do one of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("keep", "page"))
    parser.add_argument("words", nargs="*")
    found = parser.parse_args()
    if found.part == "keep":
        return keep(Path(found.words[0]), *found.words[1:])
    pictures(results())
    study_pictures.draw(results()["study"])
    for path, template in PAGES.items():
        path.write_text(page(template, results()))
        print(path)


if __name__ == "__main__":
    main()
