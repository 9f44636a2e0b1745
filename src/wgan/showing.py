"""index.html of a comparison: the same charts and tables as the report's, one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wgan.charts import AXES, Kind, Panel, panel_of, short
from wgan.evidence import Curve, Evidence, config_of
from wgan.exhibits import Picture, decoded_sheets, fitted_sheets
from wgan.pictures import replace_file

SHEETS = 4_000_000  # bytes of all sample sheets of the page


def write_page(result: Mapping[str, Any], out: Path) -> None:
    """Write index.html of a comparison into `out`."""
    page = render(result, sheets_of(result, out))
    replace_file(out / "index.html", lambda file: file.write(page.encode()))


def render(result: Mapping[str, Any], sheets: Sequence[tuple[str, Picture]]) -> str:
    """Return the page; every text is escaped by the template."""
    from wgan.report import environment_of

    environment, script, style = environment_of()
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("compare.html").render(
        result=result, summary=result["summary"], names=result["request"]["objectives"], axes=AXES, sheets=sheets,
        over_time=over_time(result), gradients=gradients(result["gradients"]), tracks=tracks(result),
        weights=weights(result), slopes=slopes(result), script=script, script_hash=script_hash, style=style,
    )  # fmt: skip


def first_cells(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the cell of seed 0 of each objective that was compared at length."""
    return [c for c in result["cells"] if "quality" in c["parts"] and c["seed"] == 0]


def sheets_of(result: Mapping[str, Any], out: Path) -> list[tuple[str, Picture]]:
    """Return (objective, last sample sheet) of seed 0."""
    cells = first_cells(result)
    found = []
    for cell in cells:
        folder = out / "runs" / cell["name"]
        if (folder / "config.json").is_file():
            pictures = decoded_sheets(Evidence(folder, cell["name"], config_of(folder)))
            found += [(cell["objective"], p) for p in fitted_sheets(pictures[-1:], SHEETS / len(cells))]
    return found


def over_time(result: Mapping[str, Any]) -> list[Panel]:
    """Return the selection figure over the steps, its mean over the seeds."""
    curves = {}
    for name in result["request"]["objectives"]:
        runs = [
            np.array(c["curve"])
            for c in result["cells"]
            if c["objective"] == name and "quality" in c["parts"] and c["curve"]
        ]
        if runs:
            curves[name] = {"figure": (runs[0][:, 0], np.mean([r[:, 2] for r in runs if len(r) == len(runs[0])], 0))}
    kind = Kind("Quality over the steps", {"figure": ""}, "lower is better; on the selection split, mean over seeds")
    return [panel for panel in [panel_of(kind, curves)] if panel]


def gradients(found: Mapping[str, Sequence[Sequence[float]]]) -> list[Panel]:
    """Return the generator's gradient norm (decimal logarithm) over the critic's updates."""
    curves = {
        name: {
            "norm": (np.array([k for k, _ in points], float), np.array([math.log10(max(n, 1e-30)) for _, n in points]))
        }
        for name, points in found.items()
    }
    kind = Kind(
        "Generator's gradient, log10 of its norm",
        {"norm": ""},
        "over critic updates, while the generator stays as it began",
        across="update",
    )
    return [panel for panel in [panel_of(kind, curves)] if panel]


def tracks(result: Mapping[str, Any]) -> list[Panel]:
    """Return the scatter of each objective: W estimate across, quality up, one point for each evaluation of each run."""
    panels = []
    for name in result["request"]["objectives"]:
        points = [p for c in result["cells"] if c["objective"] == name and "quality" in c["parts"] for p in c["curve"]]
        if len(points) < 3:
            continue
        curve: Curve = (np.array([p[1] for p in points]), np.array([p[2] for p in points]))
        rank = result["summary"]["tracks"][name]
        about = "across: the critic's W estimate; up: the selection figure"
        if rank["mean"] is not None:
            about += f"; Spearman {rank['mean']:.2f} ± {rank['spread']:.2f}"
        panel = panel_of(
            Kind(name, {"point": "evaluations"}, about, across="W estimate"), {"": {"point": curve}}, joined=False
        )
        panels += [panel] if panel else []
    return panels


def weights(result: Mapping[str, Any]) -> list[Panel]:
    """Return the histogram of each critic's weights."""
    panels = []
    for cell in first_cells(result):
        found = cell.get("weights") or {}
        if not found:
            continue
        middle = (np.array(found["edges"][1:]) + np.array(found["edges"][:-1])) / 2
        bound = (
            ""
            if cell["share_clipped"] is None
            else f"; {100 * cell['share_clipped']:.0f} % of the clipped ones on the bound"
        )
        about = f"share of weights of each size; largest {short(found['largest'])}{bound}"
        kind = Kind(f"Weights of the critic: {cell['objective']}", {"share": "share"}, about, across="weight")
        panel = panel_of(kind, {"": {"share": (middle, np.array(found["shares"]))}})
        panels += [replace(panel, lines=[replace(line, dots=()) for line in panel.lines])] if panel else []
    return panels


def slopes(result: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (objective, mean slope, largest slope) of the critics of seed 0 at reals and fakes."""
    return [(c["objective"], c.get("slope_mean"), c.get("slope_max")) for c in first_cells(result) if not c["failed"]]
