"""The page of a study: verdicts first, then intervals, draws, trials and curves; one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wgan.compare.study import statistics as st
from wgan.compare.study.verdicts import draws_of, read, rows
from wgan.files import replace_file
from wgan.report.charts import AXES, Chart, Scale, chart_of, scale_of, short_number
from wgan.report.reader import Curve
from wgan.visual.panels import Panel

LEFT, RIGHT, ROW = 190, 640, 34  # of a forest plot: where its axis begins and ends, and the height of a row
ORDER = ("contradicted", "supported", "undecided", "not tested")  # of the sentences
REACH = {0: 0.1, 1: math.log10(st.EQUAL)}  # the least half width of a forest's axis, for differences and ratios


@dataclass(frozen=True)
class Bar:
    """One interval of a forest plot: where its ends and its middle stand, and what is said beside it."""

    name: str
    verdict: str
    low: float
    middle: float
    high: float
    text: str


@dataclass(frozen=True)
class Forest:
    """Intervals on one axis, with the line of no effect and the ticks."""

    title: str
    about: str
    bars: Sequence[Bar]
    null: float
    equal: tuple[float, float] | None
    ticks: Sequence[tuple[float, str]]


def write_page(result: Mapping[str, Any], out: Path) -> None:
    """Write index.html of a study into `out`."""
    page = render(result)
    replace_file(out / "index.html", lambda file: file.write(page.encode()))


def render(result: Mapping[str, Any]) -> str:
    """Return the page; every text is escaped by the template."""
    from wgan.report.page import environment_of

    environment, script, style = environment_of()
    return environment.get_template("study.html").render(
        result=result,
        design=result["design"],
        verdicts=list(result["verdicts"].values()),
        sentences=sorted(result["sentences"], key=lambda s: ORDER.index(s["verdict"])),
        limits=limits(result),
        cautions=cautions(result),
        forests=forests(list(result["verdicts"].values())),
        tables=[table(result, task) for task in result["tasks"]],
        draws=[c for task in result["tasks"] for c in (distribution(result, task), best_of_trials(result, task)) if c],
        curves=[c for task in result["tasks"] for c in over_training(result, task)],
        interval_text=interval_text,
        axes=AXES,
        script=script,
        style=style,
    )


def limits(result: Mapping[str, Any]) -> list[str]:
    """Return what these runs cannot say, a sentence each: what the first screen must not leave out."""
    design, found = result["design"], []
    tests = len(design["hypotheses"])
    for name, task in design["tasks"].items():
        least = 2.0 / 2 ** task["seeds"]
        if least * tests > st.ALPHA:
            found.append(
                f"{task['seeds']} seeds on {name} are too few: among {tests} hypotheses no difference between them could be "
                "called supported, however large"
            )
    for name in unlearned(result):
        found.append(
            f"no setting on {name} reached {design['tasks'][name]['threshold']:g}, the threshold of having learned, at a quarter "
            f"of the work: what is said of {name} is said of networks that have hardly learned"
        )
    undecided = sum(v["verdict"] == "undecided" for v in result["verdicts"].values())
    if undecided:
        found.append(
            f"{undecided} of {tests} hypotheses are undecided: neither shown nor refuted, and not shown to be equal"
        )
    for v in result["verdicts"].values():
        other = v.get("other_judge")
        if other and v["effect"] and (other["value"] < 1) != (v["effect"]["value"] < 1):
            found.append(f"on {v['name']} the judges disagree: {other['judge']} says {interval_text(other)}")
    failed = sum(bool(r["failed"]) for r in result["search"])
    if failed:
        found.append(f"{failed} of {len(result['search'])} searched runs diverged, and count as noise")
    return found


def unlearned(result: Mapping[str, Any]) -> list[str]:
    """Return the tasks on which no setting of any arm reached the threshold of having learned."""
    design, found = result["design"], []
    for name, task in design["tasks"].items():
        values = [v for arm in design["arms"] for v in draws_of(name, arm, result).values()]
        if values and min(values) > task["threshold"]:
            found.append(name)
    return found


def cautions(result: Mapping[str, Any]) -> dict[str, str]:
    """Return for each hypothesis what must not be missed beside its verdict, or nothing."""
    found, hardly = {}, unlearned(result)
    for name, v in result["verdicts"].items():
        words = ["equal within a ratio of 1.25: no difference either way"] if v["equal"] else []
        words += ["of networks that have hardly learned"] if v["task"] in hardly else []
        found[name] = "; ".join(words)
    return found


def interval_text(effect: Mapping[str, Any] | None) -> str:
    """Return an effect with its interval, as 0.52 [0.41, 0.66]."""
    if not effect:
        return "–"
    return f"{effect['value']:.3g} [{ending(effect, 'low')}, {ending(effect, 'high')}]"


def ending(effect: Mapping[str, Any], side: str) -> str:
    """Return an end of an interval; one that is infinite is stored as None, and that of a ratio is 0 below."""
    value = effect[side]
    if value is not None:
        return f"{value:.3g}"
    return "∞" if side == "high" else "−∞"


def forests(verdicts: Iterable[Mapping[str, Any]]) -> list[Forest]:
    """Return the forest plots: ratios on a logarithmic axis, and each kind of difference on its own."""
    known = [v for v in verdicts if v["effect"]]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for v in known:
        groups.setdefault("Ratios" if v["effect"]["null"] == 1 else v["unit"].capitalize(), []).append(v)
    return [forest(title, group) for title, group in groups.items()]


def forest(title: str, group: Sequence[Mapping[str, Any]]) -> Forest:
    """Return one forest plot of effects of one kind; an end that is infinite leaves the axis."""
    ratio = group[0]["effect"]["null"] == 1

    def place(value: float | None, side: int) -> float:
        if value is None or (ratio and value <= 0):
            return side * 1e9
        return math.log10(value) if ratio else value

    ends = [[place(v["effect"][k], s) for k, s in (("low", -1), ("value", 1), ("high", 1))] for v in group]
    seen = [abs(e) for row in ends for e in row if abs(e) < 1e8]
    reach = 1.1 * max([REACH[int(ratio)], *seen])

    def across(x: float) -> float:
        return round(LEFT + (min(max(x, -reach), reach) / reach + 1) / 2 * (RIGHT - LEFT), 1)

    bars = []
    for v, row in zip(group, ends, strict=True):
        low, middle, high = map(across, row)
        text = f"{interval_text(v['effect'])}, n = {v['effect']['n']}"
        bars.append(Bar(v["name"], v["verdict"], low, middle, high, text))
    marks = [-reach / 1.1, 0.0, reach / 1.1]
    ticks = [(across(m), short_number(float(f"{10**m if ratio else m:.2g}"))) for m in marks]
    equal = (across(-REACH[1]), across(REACH[1])) if ratio else None
    about = "shaded: equal within a ratio of 1.25" if ratio else "the line is no difference"
    return Forest(title, about, bars, across(0.0), equal, ticks)


def table(result: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return judge -> arm -> text at the whole budget, noise and real samples, and the chance of beating the first arm."""
    beside, arms = result["tasks"][task]["beside"], list(result["design"]["arms"])
    names = [n for n in beside["noise"] if n != "selection"]
    cells = {judge: {arm: cell(result, task, arm, judge) for arm in arms} for judge in names}
    first = result["tasks"][task]["judges"][0]
    values = {arm: [read(r, result, first) for r in rows(result["confirm"], task, arm)] for arm in arms}
    chance = {arm: st.superiority(values[arm], values[arms[0]]) for arm in arms if values[arm] and values[arms[0]]}
    seeds = result["tasks"][task]["seeds"]
    return {
        "task": task,
        "arms": arms,
        "cells": cells,
        "beside": beside,
        "chance": chance,
        "seeds": seeds,
        "judge": first,
    }


def cell(result: Mapping[str, Any], task: str, arm: str, judge: str) -> str:
    """Return the mean of a judge over the confirmed seeds, and the interval of that mean."""
    values = [read(r, result, judge) for r in rows(result["confirm"], task, arm)]
    if not values:
        return "–"
    low, high = st.interval(st.mean_of, values, vectorized=True)
    return interval_text({"value": float(np.mean(values)), "low": finite(low), "high": finite(high), "null": 1})


def finite(value: float) -> float | None:
    """Return a number, or None for one that is infinite."""
    return value if math.isfinite(value) else None


def distribution(result: Mapping[str, Any], task: str) -> Chart | None:
    """Return how many of the draws of each arm end at or below each quality, at a quarter of the budget."""
    curves: dict[str, Mapping[str, Curve]] = {}
    for arm in result["design"]["arms"]:
        values = np.sort(list(draws_of(task, arm, result).values()))
        if len(values):
            curves[arm] = {"": (np.log10(values), np.arange(1, len(values) + 1) / len(values))}
    limit, ends = result["tasks"][task]["threshold"], result["tasks"][task]["beside"]
    about = (
        f"fraction of draws at or below a quality (log10, lower is better); threshold {math.log10(limit):.2f}, "
        f"real {math.log10(ends['real']['selection']):.2f}, noise {math.log10(ends['noise']['selection']):.2f}"
    )
    return chart_of(Panel(f"All settings on {task}", {"": ""}, about, across="log10"), curves)


def best_of_trials(result: Mapping[str, Any], task: str) -> Chart | None:
    """Return the expected best of k trials of each arm, at a quarter of the budget."""
    curves: dict[str, Mapping[str, Curve]] = {}
    for arm in result["design"]["arms"]:
        values = list(draws_of(task, arm, result).values())
        if values:
            best = [math.log10(st.expected_best(values, k)) for k in range(1, len(values) + 1)]
            curves[arm] = {"": (np.arange(1.0, len(values) + 1), np.array(best))}
    about = "log10 of the quality that so many random trials give on average, lower is better"
    return chart_of(Panel(f"Expected best of k trials on {task}", {"": ""}, about, across="trial"), curves)


def over_training(result: Mapping[str, Any], task: str) -> list[Chart]:
    """Return the selection metric of the confirmed runs over the work, mean over seeds, with a band from lowest to highest."""
    curves: dict[str, Mapping[str, Curve]] = {}
    bands: dict[str, tuple[Curve, Curve]] = {}
    for arm in result["design"]["arms"]:
        runs = [r["curve"] for r in rows(result["confirm"], task, arm) if r["curve"] and not r["failed"]]
        runs = [c for c in runs if len(c) == len(runs[0])]
        if runs:
            work = np.array([p["step"] for p in runs[0]]) / runs[0][-1]["step"]
            values = np.log10(np.maximum([[p["figure"] for p in c] for c in runs], 1e-12))
            curves[arm] = {"": (work, values.mean(0))}
            bands[arm] = ((work, values.min(0)), (work, values.max(0)))
    about = "log10 of the selection metric over the fraction of the work, lower is better; band: all seeds"
    chart = chart_of(Panel(f"Best settings on {task}", {"": ""}, about, across="fraction of the work"), curves)
    return [banded(chart, [c[""] for c in curves.values()], bands)] if chart else []


def banded(chart: Chart, curves: Sequence[Curve], bands: Mapping[str, tuple[Curve, Curve]]) -> Chart:
    """Return a chart with an area between each pair of curves, in the colour of the line of the same place."""
    scale, _ = scale_of(curves, None)
    areas = [(i, area(scale, *pair)) for i, pair in enumerate(bands.values())]
    return replace(chart, bands=areas)


def area(scale: Scale, low: Curve, high: Curve) -> str:
    """Return the area between two curves as the d of an SVG path."""
    back: Curve = (high[0][::-1], high[1][::-1])
    return scale.path(low) + "L" + scale.path(back)[1:] + "Z"
