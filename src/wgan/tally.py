"""Many runs as few figures: mean and spread over seeds, shares that reach a threshold, and whether a loss tracks quality."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REACHED = 2.0  # times the best final figure of all runs on the same data: what counts as having learned


def mean_spread(values: Iterable[float | None]) -> dict[str, Any]:
    """Return mean, sample standard deviation (0 of one value) and number of the values that are there."""
    known = [v for v in values if v is not None]
    if not known:
        return {"mean": None, "spread": None, "n": 0}
    spread = statistics.stdev(known) if len(known) > 1 else 0.0
    return {"mean": statistics.fmean(known), "spread": spread, "n": len(known)}


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to each question, by objective."""
    names: Sequence[str] = result["request"]["objectives"]
    found: list[dict[str, Any]] = result["cells"]
    of = {name: [c for c in found if c["objective"] == name] for name in names}
    threshold = REACHED * min((final(c) for c in found if same_data(c, result) and c["curve"]), default=float("inf"))
    return {
        "threshold": threshold,
        "quality": {name: quality([c for c in of[name] if "quality" in c["parts"]]) for name in names},
        "stability": {name: stability([c for c in of[name] if same_data(c, result)], threshold) for name in names},
        "collapse": collapse(of),
        "tracks": {name: mean_spread(c["tracks"] for c in of[name] if "quality" in c["parts"]) for name in names},
    }


def final(cell: Mapping[str, Any]) -> float:
    """Return the last figure of a run by which steps are chosen; infinite for a run that failed."""
    return float(cell["curve"][-1][2]) if cell["curve"] else float("inf")


def same_data(cell: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Return whether a cell learned from the data that the comparison is about."""
    return bool(cell["data"] == result["request"]["data"])


def quality(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return figure -> mean, spread, floor over the seeds."""
    names = list(dict.fromkeys(name for c in found for name in c["figures"]))
    rows = {}
    for name in names:
        figures = [c["figures"][name] for c in found if name in c["figures"]]
        rows[name] = {
            **mean_spread(f["value"] for f in figures),
            "floor": figures[0]["floor"],
            "better": figures[0]["better"],
        }
    return rows


def stability(found: Sequence[Mapping[str, Any]], threshold: float) -> dict[str, Any]:
    """Return the share of runs at or below the threshold, in all and by learning rate and architecture, and what failed."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for cell in found:
        if "rates" in cell["parts"]:
            groups.setdefault(f"rate × {cell['rate']:g}", []).append(cell)
        if "architectures" in cell["parts"]:
            groups.setdefault(cell["architecture"], []).append(cell)
    rows = {
        key: {"reached": share(group, threshold), **mean_spread(final(c) for c in group if c["curve"])}
        for key, group in groups.items()
    }
    failed = sum(bool(c["failed"]) for c in found)
    return {"reached": share(found, threshold), "runs": len(found), "failed": failed, "groups": rows}


def share(found: Sequence[Mapping[str, Any]], threshold: float) -> float | None:
    """Return the share of runs whose last figure is at or below the threshold."""
    return sum(final(c) <= threshold for c in found) / len(found) if found else None


def collapse(of: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return data -> objective -> modes reached over the seeds, with the number that real data reaches."""
    found: dict[str, dict[str, Any]] = {}
    for name, runs in of.items():
        for data in dict.fromkeys(c["data"] for c in runs):
            mine = [
                c for c in runs if c["data"] == data and c["rate"] == 1.0 and {"collapse", "quality"} & set(c["parts"])
            ]
            for figure in ("modes-reached", "modes-high-quality", "stacked-modes"):
                values = [c["figures"][figure] for c in mine if figure in c["figures"]]
                if values:
                    row = {**mean_spread(v["value"] for v in values), "floor": values[0]["floor"]}
                    found.setdefault(f"{data}: {figure}", {})[name] = row
    return found
