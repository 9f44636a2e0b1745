"""From the raw values of a study to its verdicts: one function for each kind of hypothesis, Holm over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from wgan.compare.study import statistics as st
from wgan.compare.study.design import KINDS
from wgan.compare.study.judges import COVERED

Rows = Sequence[Mapping[str, Any]]
UNITS = {
    "quality": "ratio of the distance to the data",
    "stability": "difference of the fraction of draws that learned",
    "gradient": "ratio of the fraction of the gradient that is left",
    "modes": "difference of the modes covered",
    "tracks": "partial correlation given the step, above that with other runs",
    "sensitivity": "ratio of how far the learning rates move quality",
}


def answered(result: Mapping[str, Any], resamples: int = st.RESAMPLES) -> dict[str, Any]:
    """Return the verdict on every hypothesis and on every sentence of a study's raw values."""
    design = result["design"]
    effects = [effect_of(h, result, resamples) for h in design["hypotheses"]]
    adjusted = st.holm([1.0 if e is None else e.p for e in effects])
    verdicts = {
        h["name"]: judgement(h, effect, p) for h, effect, p in zip(design["hypotheses"], effects, adjusted, strict=True)
    }
    for h in design["hypotheses"]:
        if h["kind"] == "quality":
            verdicts[h["name"]]["other_judge"] = other_judge(h, result, resamples)
    return {"verdicts": verdicts, "sentences": [sentence(s, verdicts) for s in design["sentences"]]}


def other_judge(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> dict[str, Any] | None:
    """Return what the second judge says of a hypothesis about quality: it decides nothing, and is told where it disagrees."""
    judge = result["tasks"][h["task"]]["judges"][1]
    pairs = paired(h, result, lambda row: read(row, result, judge))
    return {"judge": judge, **numbers_of(st.ratio_effect(*pairs, resamples=resamples))} if pairs else None


def numbers_of(effect: st.Effect | None) -> dict[str, Any]:
    """Return an effect as JSON holds it, numbers that are not finite as None; nothing for None."""
    values = {} if effect is None else asdict(effect)
    return {name: v if math.isfinite(v) else None for name, v in values.items()}


def judgement(h: Mapping[str, Any], effect: st.Effect | None, adjusted: float) -> dict[str, Any]:
    """Return the verdict on a hypothesis with its effect, interval, p-value and n; numbers that are not finite as None."""
    found = numbers_of(effect)
    said = st.verdict(effect, adjusted, "lower" if KINDS[h["kind"]] == "lower" else "higher")
    equal = effect is not None and effect.n >= st.FEWEST and effect.is_equal
    return {
        **h,
        "unit": UNITS[h["kind"]],
        "effect": found or None,
        "adjusted": adjusted,
        "verdict": said,
        "equal": equal,
    }


def sentence(s: Mapping[str, Any], verdicts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the verdict on a published sentence: contradicted with any of its hypotheses, supported with all of them."""
    found = {verdicts[name]["verdict"] for name in s["needs"]}
    if not found:
        return {**s, "verdict": "not tested"}
    if "contradicted" in found:
        return {**s, "verdict": "contradicted"}
    return {**s, "verdict": "supported" if found == {"supported"} else "undecided"}


def effect_of(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return the effect that a hypothesis is about; None where the study holds no pair for it."""
    return EFFECTS[h["kind"]](h, result, resamples)


def quality(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return the ratio of the first judge's distances at the whole budget, seed by seed; a failed run counts as noise."""
    judge = result["tasks"][h["task"]]["judges"][0]
    pairs = paired(h, result, lambda row: read(row, result, judge))
    return st.ratio_effect(*pairs, resamples=resamples) if pairs else None


def modes(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return the difference of the modes covered at the whole budget, seed by seed."""
    if COVERED not in result["tasks"][h["task"]]["beside"]["noise"]:
        return None
    pairs = paired(h, result, lambda row: read(row, result, COVERED))
    return st.difference_effect(*pairs, resamples=resamples) if pairs else None


def paired(
    h: Mapping[str, Any], result: Mapping[str, Any], value: Callable[[Mapping[str, Any]], float]
) -> tuple[list[float], list[float]] | None:
    """Return the values of both arms over the seeds that both have, in one order; None without any."""
    sides = [{r["seed"]: value(r) for r in rows(result["confirm"], h["task"], arm)} for arm in (h["arm"], h["against"])]
    seeds = sorted(sides[0].keys() & sides[1].keys())
    return ([sides[0][s] for s in seeds], [sides[1][s] for s in seeds]) if seeds else None


def rows(found: Rows, task: str, arm: str) -> list[Mapping[str, Any]]:
    """Return the rows of one arm on one task."""
    return [r for r in found if (r["task"], r["arm"]) == (task, arm)]


def read(row: Mapping[str, Any], result: Mapping[str, Any], judge: str, part: str = "1") -> float:
    """Return a judge's value of a confirmed run at a part of its budget; that of noise where the run failed."""
    if row["failed"]:
        return float(result["tasks"][row["task"]]["beside"]["noise"][judge])
    return float(row["readings"][part][judge])


def draws_of(task: str, arm: str, result: Mapping[str, Any]) -> dict[int, float]:
    """Return draw -> selection metric at a quarter of the budget; that of noise where the run failed, or was no better."""
    noise = float(result["tasks"][task]["beside"]["noise"]["selection"])
    found = {}
    for r in rows(result["search"], task, arm):
        value = r["selection"].get("1")
        found[r["draw"]] = noise if r["failed"] or value is None else min(float(value), noise)
    return found


def both_draws(h: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[list[int], list[float], list[float]]:
    """Return the draws that both arms have, and the values of each arm in that order."""
    a, b = (draws_of(h["task"], arm, result) for arm in (h["arm"], h["against"]))
    shared = sorted(a.keys() & b.keys())
    return shared, [a[d] for d in shared], [b[d] for d in shared]


def stability(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return the difference of the fractions of draws that end at or below the task's threshold."""
    _, a, b = both_draws(h, result)
    limit = result["tasks"][h["task"]]["threshold"]
    return st.fraction_effect(np.array(a) <= limit, np.array(b) <= limit, resamples) if a else None


def sensitivity(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return the ratio of how far both learning rates move the quality over the draws; None where they were not drawn."""
    shared, a, b = both_draws(h, result)
    settings = {r["draw"]: r["setting"] for r in rows(result["search"], h["task"], h["arm"])}
    rates = [[settings[d].get("lr"), settings[d].get("critic_lr")] for d in shared]
    if len(shared) < 12 or any(None in pair for pair in rates):  # twice the terms of the quadratic
        return None
    return st.sensitivity_effect(a, b, rates, min(resamples, 999))


def gradient(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return the ratio of the fractions of the generator's gradient that are left below a near-optimal critic."""
    sides = []
    for arm in (h["arm"], h["against"]):
        objective = result["design"]["arms"][arm]["objective"]
        mine = [r for r in rows(result["gradients"], h["task"], arm) if r["trained"] == h["trained"]]
        sides.append({r["seed"]: left(r["curves"][objective]) for r in mine})
    seeds = sorted(sides[0].keys() & sides[1].keys())
    a, b = ([side[s] for s in seeds] for side in sides)
    return st.ratio_effect(a, b, resamples) if seeds else None


def left(curve: Sequence[Sequence[float]]) -> float:
    """Return the last norm over the largest; at least 1e-12, so that a gradient of exactly 0 has a logarithm."""
    norms = [norm for _, norm in curve]
    return max(norms[-1] / max(max(norms), 1e-300), 1e-12)


def tracks(h: Mapping[str, Any], result: Mapping[str, Any], resamples: int) -> st.Effect | None:
    """Return how much more the loss of the arm's confirmed runs says of their own quality than of each other's."""
    matrix = crossed_of(rows(result["confirm"], h["task"], h["arm"]))
    return None if matrix is None else st.tracking_effect(matrix, resamples)


def crossed_of(runs: Rows) -> st.Floats | None:
    """Return `crossed` of runs with the same evaluations; None for fewer than two of them, or fewer than five evaluations."""
    curves = [r["curve"] for r in runs if not r["failed"] and r["curve"]]
    if not curves:
        return None
    curves = [c for c in curves if [p["step"] for p in c] == [p["step"] for p in curves[0]]]
    if len(curves) < 2 or len(curves[0]) < 5:
        return None
    losses, figures = ([[p[key] for p in c] for c in curves] for key in ("estimate", "figure"))
    return st.crossed(losses, figures, [p["step"] for p in curves[0]])


EFFECTS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], int], st.Effect | None]] = {
    "quality": quality,
    "stability": stability,
    "gradient": gradient,
    "modes": modes,
    "tracks": tracks,
    "sensitivity": sensitivity,
}
