"""The page of a comparison: its tables, charts and grids as one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wgan.compare.summary import decades, estimate_name
from wgan.files import replace_file
from wgan.report.charts import AXES, Chart, chart_of, short_number
from wgan.report.images import Picture, decoded_grids, fitted_grids
from wgan.report.reader import Curve, RunRecord, config_of
from wgan.visual.panels import Panel

GRIDS = 4_000_000  # bytes of all sample grids of the page
UNITS = {"steps": "step", "seconds": "CPU second", "forwards": "critic pass"}  # of the budget


def write_page(result: Mapping[str, Any], out: Path) -> None:
    """Write index.html of a comparison into `out`."""
    page = render(result, grids_of(result, out))
    replace_file(out / "index.html", lambda file: file.write(page.encode()))


def render(result: Mapping[str, Any], grids: Sequence[tuple[str, Picture]]) -> str:
    """Return the page; every text is escaped by the template."""
    from wgan.report.page import environment_of

    environment, script, style = environment_of()
    return environment.get_template("compare.html").render(
        result=result,
        summary=result["summary"],
        names=result["request"]["objectives"],
        axes=AXES,
        grids=grids,
        over_time=over_time(result),
        gradients=gradients(result["gradients"]),
        tracks=tracking_scatters(result),
        weights=weight_histograms(result),
        norms=norm_histogram(result),
        hundredths=hundredths,
        script=script,
        style=style,
    )


def long_trials(result: Mapping[str, Any], objective: str) -> list[Mapping[str, Any]]:
    """Return the trials of an objective that was compared at length, one for each seed."""
    return [c for c in result["cells"] if "quality" in c["parts"] and c["objective"] == objective]


def first_trials(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the trial of seed 0 of each objective that was compared at length."""
    return [c for name in result["request"]["objectives"] for c in long_trials(result, name) if c["seed"] == 0]


def grids_of(result: Mapping[str, Any], out: Path) -> list[tuple[str, Picture]]:
    """Return (objective, last sample grid) of seed 0."""
    trials = first_trials(result)
    found = []
    for trial in trials:
        folder = out / "runs" / trial["name"]
        if (folder / "config.json").is_file():
            pictures = decoded_grids(RunRecord(folder, trial["name"], config_of(folder)))
            found += [(trial["objective"], p) for p in fitted_grids(pictures[-1:], GRIDS / len(trials))]
    return found


def over_time(result: Mapping[str, Any]) -> list[Chart]:
    """Return the selection metric, and of toys the modes, over the budget: means over the seeds."""
    across = UNITS[result["request"]["kind"]]
    panels = {
        "figure": Panel(
            "Quality over the budget",
            {"": ""},
            "lower is better; on the selection split, mean over seeds",
            across=across,
        ),
        "modes": Panel("Modes reached", {"": ""}, "by 2,000 samples, mean over seeds", across=across),
        "high_quality": Panel(
            "Samples near a mode", {"": ""}, "fraction within 3 sigma of a mode, mean over seeds", across=across
        ),
    }
    drawn = [
        chart_of(panel, {n: {"": c} for n in result["request"]["objectives"] if (c := mean_curve(result, n, value))})
        for value, panel in panels.items()
    ]
    return [chart for chart in drawn if chart]


def mean_curve(result: Mapping[str, Any], objective: str, value: str) -> Curve | None:
    """Return one value of an objective's curves over the budget, its mean over the seeds that ended; None without any."""
    runs = [c["curve"] for c in long_trials(result, objective) if c["curve"] and not c["failed"]]
    runs = [run for run in runs if all(point[value] is not None for point in run)]
    if not runs:
        return None
    each = budget_per_step(result, objective)
    steps = np.array([point["step"] * each for point in runs[0]])
    return steps, np.mean([[point[value] for point in run] for run in runs], 0)


def budget_per_step(result: Mapping[str, Any], objective: str) -> float:
    """Return how much of the budget a step of an objective takes."""
    request = result["request"]
    return 1.0 if request["kind"] == "steps" else request["amount"] / result["steps"][objective]


def gradients(found: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> list[Chart]:
    """Return the generator's gradient norm (decimal logarithm) over the critic's updates, its mean over the seeds."""
    curves = {
        name: {
            "norm": (
                np.array([k for k, _ in runs[0]], float),
                np.mean([[decades(norm) for _, norm in run] for run in runs], 0),
            )
        }
        for name, runs in found.items()
    }
    about = "over critic updates, while the generator stays as it began; geometric mean over seeds"
    panel = Panel("Generator's gradient, log10 of its norm", {"norm": ""}, about, across="update")
    return [chart for chart in [chart_of(panel, curves)] if chart]


def tracking_scatters(result: Mapping[str, Any]) -> list[Chart]:
    """Return the scatter of each objective: its loss's estimate across, quality up, a point for each evaluation of each run."""
    charts = []
    for name in result["request"]["objectives"]:
        points = [p for c in long_trials(result, name) for p in c["curve"]]
        if len(points) < 3:
            continue
        curve: Curve = (np.array([p["estimate"] for p in points]), np.array([p["figure"] for p in points]))
        rank = result["summary"]["tracks"][name]
        about = f"across: the {estimate_name(name)}; up: the selection metric"
        if rank["mean"] is not None:
            about += f"; Spearman {hundredths(rank)}"
        panel = Panel(name, {"point": "evaluations"}, about, across=estimate_name(name))
        chart = chart_of(panel, {"": {"point": curve}}, joined=False)
        charts += [chart] if chart else []
    return charts


def weight_histograms(result: Mapping[str, Any]) -> list[Chart]:
    """Return the histogram of each critic's weights."""
    charts = []
    for trial in first_trials(result):
        found = trial["weights"]
        if not found:
            continue
        middle = (np.array(found["edges"][1:]) + np.array(found["edges"][:-1])) / 2
        clipped = trial["share_clipped"]
        bound = "" if clipped is None else f"; {100 * clipped:.0f} % of the clipped ones on the bound"
        about = f"fraction of weights of each size; largest {short_number(found['largest'])}{bound}"
        panel = Panel(f"Weights of the critic: {trial['objective']}", {"share": "fraction"}, about, across="weight")
        chart = chart_of(panel, {"": {"share": (middle, np.array(found["shares"]))}})
        charts += [histogram(chart)] if chart else []
    return charts


def norm_histogram(result: Mapping[str, Any]) -> list[Chart]:
    """Return the histogram of the critics' gradient norms, all seeds together, on a logarithmic axis."""
    curves = {}
    for name in result["request"]["objectives"]:
        found = [c["slopes"] for c in long_trials(result, name) if c["slopes"]]
        if found:
            edges = np.array(found[0]["edges"])
            curves[name] = {"share": ((edges[1:] + edges[:-1]) / 2, np.mean([s["shares"] for s in found], 0))}
    used = [c["share"][0][c["share"][1] > 0] for c in curves.values()]
    if not used:
        return []
    low, high = math.floor(min(x.min() for x in used)), math.ceil(max(x.max() for x in used))
    shown = {
        name: {"share": tuple(v[(c["share"][0] > low) & (c["share"][0] < high)] for v in c["share"])}
        for name, c in curves.items()
    }
    about = "fraction of held-out reals, fakes and points between them; 0 = norm 1, where the penalty wants it"
    panel = Panel("Gradient norm of the critic, log10", {"share": ""}, about, across="log10 gradient norm")
    chart = chart_of(panel, shown)
    return [histogram(chart)] if chart else []


def hundredths(row: Mapping[str, Any]) -> str:
    """Return mean ± spread with two digits; the mean alone of one seed."""
    return f"{row['mean']:.2f}" + ("" if row["spread"] is None else f" ± {row['spread']:.2f}")


def histogram(chart: Chart) -> Chart:
    """Return a chart whose lines have no dot at each value, and no last value."""
    label = f"{chart.title}: " + "; ".join(line.name for line in chart.lines)
    return replace(chart, label=label, lines=[replace(line, dots=(), last="") for line in chart.lines])
