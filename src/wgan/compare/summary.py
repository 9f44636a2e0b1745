"""Many runs as few numbers: mean and spread over seeds, fractions that reach a threshold, and whether a loss tracks quality."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wgan.config.objectives import FACTS
from wgan.evaluation.tracking import spearman
from wgan.runs.log import SELECTION

CPU = "CPU seconds"  # of training, with its evaluations
REACHED = 2.0  # times the best final metric of all runs on the same data: what counts as having learned
COUNTED = ("modes-reached", "modes-high-quality", "stacked-modes", "rarest-class")  # metrics that show a collapse
# distance -> what the critic's loss gives of it; other objectives' loss estimates no distance
ESTIMATES = {"Wasserstein": "W estimate", "Jensen-Shannon": "JS estimate, nats"}


def estimate_name(objective: str) -> str:
    """Return what `estimate` gives for an objective, in words."""
    return ESTIMATES.get(FACTS[objective].estimates or "", "minus the critic's loss")


def distance_estimate(objective: str, record: Mapping[str, Any]) -> float:
    """Return what the critic's loss says of the distance between real and fake, the penalty left out.

    Wasserstein objectives: mean D(real) - mean D(fake). Logistic ones: log 2 - loss / 2, which an optimal critic makes
    the Jensen-Shannon divergence (Goodfellow 2014, theorem 1). Others: minus the loss. Each falls as samples get better,
    if the loss tracks quality at all.
    """
    distance = FACTS[objective].estimates
    if distance == "Wasserstein":
        return float(record["critic/wasserstein"])
    loss = float(record["critic/loss"]) - float(record.get("critic/penalty", 0.0))
    return math.log(2) - loss / 2 if distance == "Jensen-Shannon" else -loss


def curve_of(objective: str, records: Iterable[Mapping[str, Any]]) -> list[dict[str, float | None]]:
    """Return for each evaluation of a run: step, the estimate's mean over what was logged since the one before, figure.

    figure: the metric by which steps are chosen, lower is better; modes, high_quality: of toys, else None.
    """
    found, since = [], []
    for r in records:
        if "critic/loss" in r:
            since.append(distance_estimate(objective, r))
        if SELECTION in r and since:
            about = {"modes": r.get("evaluate/modes"), "high_quality": r.get("evaluate/high_quality")}
            found.append({"step": r["step"], "estimate": statistics.fmean(since), "figure": r[SELECTION], **about})
            since = []
    return found


def tracks(curve: Sequence[Mapping[str, Any]]) -> float | None:
    """Return Spearman's correlation of estimate and metric over a run's evaluations; None below 4, or for a constant.

    Near 1: the loss falls when the samples get better, the claim of Arjovsky 2017, figure 3.
    """
    return spearman([point["estimate"] for point in curve], [point["figure"] for point in curve])


def mean_spread(values: Iterable[float | None]) -> dict[str, Any]:
    """Return mean, sample standard deviation (None of one value) and number of the values that are there."""
    known = [v for v in values if v is not None]
    if not known:
        return {"mean": None, "spread": None, "n": 0}
    spread = statistics.stdev(known) if len(known) > 1 else None
    return {"mean": statistics.fmean(known), "spread": spread, "n": len(known)}


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to each question, by objective."""
    names: Sequence[str] = result["request"]["objectives"]
    found: list[dict[str, Any]] = result["cells"]
    of = {name: [c for c in found if c["objective"] == name] for name in names}
    long = {name: [c for c in of[name] if "quality" in c["parts"]] for name in names}
    threshold = REACHED * min((final(c) for c in found if same_data(c, result) and c["curve"]), default=float("inf"))
    return {
        "threshold": threshold if math.isfinite(threshold) else None,
        "quality": {name: quality(long[name]) for name in names},
        "stability": {name: stability([c for c in of[name] if same_data(c, result)], threshold) for name in names},
        "gradients": {name: fall(curves) for name, curves in result["gradients"].items()},
        "collapse": collapse(of),
        "tracks": {name: mean_spread(c["tracks"] for c in long[name]) for name in names},
        "clipping": {name: clipping(long[name]) for name in names},
    }


def final(trial: Mapping[str, Any]) -> float:
    """Return the last metric of a run by which steps are chosen; infinite for a run that failed."""
    return float(trial["curve"][-1]["figure"]) if trial["curve"] and not trial["failed"] else float("inf")


def same_data(trial: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Return whether a trial learned from the data that the comparison is about."""
    return bool(trial["data"] == result["request"]["data"])


def quality(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return metric -> mean, spread, reference over the seeds; the CPU time of training is one of them."""
    names = list(dict.fromkeys(name for c in found for name in c["figures"]))
    rows = {}
    for name in names:
        values = [c["figures"][name] for c in found if name in c["figures"]]
        rows[name] = {
            **mean_spread(f["value"] for f in values),
            "floor": values[0]["floor"],
            "better": values[0]["better"],
        }
    if found:
        spent = mean_spread(c["cpu_seconds"] for c in found)
        rows[CPU] = {**spent, "floor": None, "better": "none"}
    return rows


def stability(found: Sequence[Mapping[str, Any]], threshold: float) -> dict[str, Any]:
    """Return the fraction of runs at or below the threshold, in all and by learning rate and architecture, and what failed."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for trial in sorted(found, key=lambda c: float(c["rate"])):
        if "rates" in trial["parts"]:
            groups.setdefault(f"rate × {trial['rate']:g}", []).append(trial)
    for trial in found:
        if "architectures" in trial["parts"]:
            groups.setdefault(trial["architecture"], []).append(trial)
    rows = {
        key: {"reached": fraction(group, threshold), **mean_spread(final(c) for c in group if math.isfinite(final(c)))}
        for key, group in groups.items()
    }
    failed = sum(bool(c["failed"]) for c in found)
    return {"reached": fraction(found, threshold), "runs": len(found), "failed": failed, "groups": rows}


def fraction(found: Sequence[Mapping[str, Any]], threshold: float) -> float | None:
    """Return the fraction of runs whose last metric is at or below the threshold; one that failed never is."""
    return sum(final(c) <= threshold and not c["failed"] for c in found) / len(found) if found else None


def fall(curves: Sequence[Sequence[Sequence[float]]]) -> dict[str, Any]:
    """Return by how many powers of ten the generator's gradient ends below its largest, over the seeds."""
    return mean_spread(decades(norms[-1]) - decades(max(norms)) for norms in ([n for _, n in c] for c in curves))


def decades(value: float) -> float:
    """Return log10; a gradient that is exactly 0 counts as 1e-30."""
    return math.log10(max(value, 1e-30))


def clipping(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the constraint did to the critics: fraction on the bound, typical and extreme gradient norms, over seeds."""
    slopes = [c["slopes"] for c in found if c["slopes"]]
    middle = {
        place: mean_spread(s["quantiles"][place][2] for s in slopes)
        for place in (slopes[0]["quantiles"] if slopes else ())
    }
    wide = [
        max(q[-1] for q in s["quantiles"].values()) / max(min(q[0] for q in s["quantiles"].values()), 1e-30)
        for s in slopes
    ]
    return {
        "share_clipped": mean_spread(c["share_clipped"] for c in found),
        "median_slope": middle,
        "near_one": mean_spread(s["near_one"] for s in slopes),
        "spread": mean_spread(wide),
    }


def collapse(of: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return data -> objective -> modes reached over the seeds, with the number that real data reaches."""
    found: dict[str, dict[str, Any]] = {}
    for name, runs in of.items():
        for data in dict.fromkeys(c["data"] for c in runs):
            mine = [c for c in runs if c["data"] == data and {"collapse", "quality"} & set(c["parts"])]
            for metric in COUNTED:
                values = [c["figures"][metric] for c in mine if metric in c["figures"]]
                if values:
                    row = {**mean_spread(v["value"] for v in values), "floor": values[0]["floor"]}
                    found.setdefault(f"{data}: {metric}", {})[name] = row
    return found
