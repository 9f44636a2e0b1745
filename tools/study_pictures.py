"""Draw the pictures of a study for docs/lab/convergence.md from its committed raw values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from compare_pictures import COLOURS, panels, write
from matplotlib.axes import Axes

from wgan.compare.study import statistics as st
from wgan.compare.study.page import interval_text
from wgan.compare.study.verdicts import draws_of, rows

Study = Mapping[str, Any]
ARMS = {**COLOURS, "gan-gp": "#e8a317", "gan-sn": "#868e96", "wgan-sn": "#0c8599"}
VERDICTS = {"supported": "#1c6fb8", "contradicted": "#d9480f", "undecided": "#868e96"}


def draw(study: Study) -> None:
    """Draw intervals and, for each task, settings, trials and training."""
    figure, (left, right) = panels(2, 2.9)
    known = [(name, v) for name, v in study["verdicts"].items() if v["effect"]]
    ratios = [(name, v) for name, v in known if v["effect"]["null"] == 1]
    forest(left, ratios, "ratios to the GAN; shaded: equal")
    forest(right, [pair for pair in known if pair not in ratios], "differences, each in its own unit")
    write(figure, "study-forest")
    for task in study["tasks"]:
        figure, (first, second, third) = panels(3)
        settings(first, study, task)
        trials(second, study, task)
        training(third, study, task)
        first.legend(fontsize=7, frameon=False)
        write(figure, f"study-{task}")


def forest(ax: Axes, group: list[tuple[str, Mapping[str, Any]]], title: str) -> None:
    """Draw effects with their intervals; differences, whose units differ, are divided by half of their interval."""
    for at, (_, v) in enumerate(reversed(group)):
        e, ratio = v["effect"], v["effect"]["null"] == 1
        ends = [e["low"], e["value"], e["high"]]
        if ratio:
            low, middle, high = (
                far if x is None else math.log10(max(x, 1e-6)) for x, far in zip(ends, (-3, 0, 3), strict=True)
            )
        else:
            half = (e["high"] - e["low"]) / 2 or 1.0
            low, middle, high = (x / half for x in ends)
        colour = VERDICTS[v["verdict"]]
        ax.plot([low, high], [at, at], color=colour, linewidth=2.2)
        ax.plot([middle], [at], "o", color=colour, markersize=5)
        ax.annotate(interval_text(e), (middle, at), (0, 5), textcoords="offset points", ha="center", fontsize=7)
    ax.axvline(0, color="#495057", linewidth=0.9)
    ax.set_yticks(range(len(group)), [f"{name}, {v['verdict']}" for name, v in reversed(group)])
    ax.set_ylim(-0.6, len(group) - 0.4)
    ax.set_title(title, loc="left", fontsize=9)
    low_end, high_end = ax.get_xlim()
    if group and group[0][1]["effect"]["null"] == 1:
        ax.axvspan(-math.log10(st.EQUAL), math.log10(st.EQUAL), color="#1c6fb8", alpha=0.12, linewidth=0)
        shown = [t for t in (0.01, 0.1, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 10, 100) if low_end <= math.log10(t) <= high_end]
        ax.set_xticks([math.log10(t) for t in shown], [f"{t:g}" for t in shown])
    else:
        ax.set_xticks([0], ["no difference"])  # each bar has its own unit


def scale(ends: tuple[float, float]) -> str:
    """Return the scale of an axis: logarithmic unless all values are within a few times each other."""
    return "linear" if ends[0] > ends[1] / 5 else "log"


def settings(ax: Axes, study: Study, task: str) -> None:
    """Draw the fraction of the draws of each arm that end at or below a quality."""
    for arm in study["design"]["arms"]:
        values = np.sort(list(draws_of(task, arm, study).values()))
        ax.step(values, np.arange(1, len(values) + 1) / len(values), where="post", color=ARMS[arm], label=arm)
    ax.axvline(study["tasks"][task]["threshold"], color="#495057", linewidth=0.9, linestyle=":")
    ax.set_xscale(scale(ax.get_xlim()))
    ax.set_title(f"{task}: all settings, a quarter of the work", loc="left", fontsize=9)
    ax.set_ylabel("fraction at or below", fontsize=8)


def trials(ax: Axes, study: Study, task: str) -> None:
    """Draw the expected best of k random settings of each arm."""
    for arm in study["design"]["arms"]:
        values = list(draws_of(task, arm, study).values())
        ax.plot(
            range(1, len(values) + 1),
            [st.expected_best(values, k) for k in range(1, len(values) + 1)],
            color=ARMS[arm],
        )
    ax.set_yscale(scale(ax.get_ylim()))
    ax.set_title("expected best of k settings", loc="left", fontsize=9)
    ax.set_xlabel("k", fontsize=8)


def training(ax: Axes, study: Study, task: str) -> None:
    """Draw the selection metric of the confirmed runs over their work: geometric mean, and a band over all seeds."""
    for arm in study["design"]["arms"]:
        curves = [r["curve"] for r in rows(study["confirm"], task, arm) if r["curve"] and not r["failed"]]
        curves = [c for c in curves if len(c) == len(curves[0])]
        if not curves:
            continue
        values = np.array([[p["figure"] for p in c] for c in curves])
        work = [p["step"] / curves[0][-1]["step"] for p in curves[0]]
        ax.plot(work, np.exp(np.log(values).mean(0)), color=ARMS[arm], linewidth=1.8)
        ax.fill_between(work, values.min(0), values.max(0), color=ARMS[arm], alpha=0.15, linewidth=0)
    ax.set_yscale(scale(ax.get_ylim()))
    ax.set_title("best settings, new seeds", loc="left", fontsize=9)
    ax.set_xlabel("fraction of the work", fontsize=8)
