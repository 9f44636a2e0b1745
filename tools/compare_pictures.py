"""Draw the pictures of docs/lab/convergence.md and benchmarks/COMPARISONS.md from the committed results of comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from wgan.compare.page import long_trials, mean_curve
from wgan.compare.summary import decades, estimate_name, final
from wgan.report.charts import short_number

PICTURES = Path(__file__).parent.parent / "docs/pictures"
COLOURS = {
    "gan": "#d9480f",
    "gan, minimax": "#f0a27d",
    "wgan-clip": "#2b8a3e",
    "wgan-gp": "#1c6fb8",
    "wgan-lp": "#8e44ad",
}


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
    """Draw all pictures of the pages."""
    two = {"grid_judged": "grid: W1 to held-out points", "mnist_judged": "MNIST: fid-lenet"}
    figure, axes = panels(2)
    for ax, (data, label) in zip(axes, two.items(), strict=True):
        for name in found[data]["request"]["objectives"]:
            curve = mean_curve(found[data], name, "figure")
            if curve:
                ax.plot(*curve, color=COLOURS[name], label=name, linewidth=1.8)
        ax.set_title(f"{label}, lower is better", loc="left", fontsize=9)
        ax.set_xlabel("step", fontsize=8)
        ax.set_yscale("log")
    axes[0].legend(fontsize=8, frameon=False)
    write(figure, "quality")
    figure, axes = panels(2)
    for ax, data in zip(axes, ("grid_gradients", "mnist"), strict=True):
        for name, curves in found[data]["gradients"].items():
            norms = 10 ** np.mean([[decades(n) for _, n in run] for run in curves], 0)
            ax.plot([k for k, _ in curves[0]], norms, color=COLOURS[name], label=name, linewidth=1.8)
        ax.set_title(f"{shown(found[data])}: norm of the generator's gradient", loc="left", fontsize=9)
        ax.set_xlabel("critic updates on a frozen generator", fontsize=8)
        ax.set_yscale("log")
    axes[0].legend(fontsize=8, frameon=False)
    write(figure, "gradients")
    for data in two:
        names = found[data]["request"]["objectives"]
        figure, axes = panels(len(names), 2.4)
        for ax, name in zip(axes, names, strict=True):
            for cell in long_trials(found[data], name):
                points = [(p["estimate"], p["figure"]) for p in cell["curve"]]
                ax.scatter(*zip(*points, strict=True), s=10, color=COLOURS[name], alpha=0.7)
            ax.set_title(f"{name} on {shown(found[data])}", loc="left", fontsize=9)
            ax.set_xlabel(estimate_name(name), fontsize=8)
            ax.xaxis.set_major_locator(MaxNLocator(3))
        write(figure, f"tracks-{found[data]['request']['data']}")
    figure, axes = panels(2)
    for name in found["mnist_judged"]["request"]["objectives"]:
        runs = [c["slopes"] for c in long_trials(found["mnist_judged"], name)]
        edges = np.array(runs[0]["edges"])
        middle = 10 ** ((edges[1:] + edges[:-1]) / 2)
        axes[0].plot(middle, np.mean([r["shares"] for r in runs], 0), color=COLOURS[name], label=name, linewidth=1.5)
    axes[0].set_xscale("log")
    axes[0].set_xlim(1e-3, 1e2)
    axes[0].set_title("MNIST: gradient norm of the critic, fraction of samples", loc="left", fontsize=9)
    axes[0].axvline(1, color="#555555", linewidth=0.8, linestyle=":")
    axes[0].legend(fontsize=8, frameon=False)
    for name in ("wgan-clip", "wgan-gp"):
        (weights,) = (c["weights"] for c in long_trials(found["mnist_judged"], name) if c["seed"] == 0)
        edges = np.array(weights["edges"])
        axes[1].plot(
            (edges[1:] + edges[:-1]) / 2 / edges[-1],
            weights["shares"],
            color=COLOURS[name],
            linewidth=1.5,
            label=f"{name}, to ±{short_number(edges[-1])}",
        )
    axes[1].set_title("MNIST: weights of the critic, each over its range", loc="left", fontsize=9)
    axes[1].legend(fontsize=8, frameon=False)
    write(figure, "clipping")
    figure, axes = panels(3, 3.0)
    for ax, name in zip(axes, ("grid_stability", "mnist_rates", "mnist_architectures"), strict=True):
        last_figures(ax, found[name])
    axes[2].legend(fontsize=8, frameon=False)
    write(figure, "stability")


def shown(result: Mapping[str, Any]) -> str:
    """Return the data's name as a title has it."""
    return {"mnist": "MNIST"}.get(result["request"]["data"], str(result["request"]["data"]))


def last_figures(ax: Axes, result: Mapping[str, Any]) -> None:
    """Draw the last selection metric of every run of a comparison by rate and architecture, a dot for each seed."""
    names = result["request"]["objectives"]
    groups = list(result["summary"]["stability"][names[0]]["groups"])
    for i, name in enumerate(names):
        for at, group in enumerate(groups):
            runs = [c for c in result["cells"] if c["objective"] == name and of_group(c, group)]
            values = [v for c in runs if (v := final(c)) < float("inf")]
            across = [at + 0.18 * (i - (len(names) - 1) / 2)] * len(values)
            ax.scatter(across, values, s=12, color=COLOURS[name], label=name if at == 0 else None)
    ax.axhline(result["summary"]["threshold"], color="#555555", linewidth=0.8, linestyle=":")
    everything = [v for c in result["cells"] if (v := final(c)) < float("inf")]
    if max(everything) > 10 * min(everything):
        ax.set_yscale("log")
    ax.set_xticks(range(len(groups)), [g.removeprefix("rate ").replace("-", "\n") for g in groups])
    ax.set_title(f"{shown(result)}, {result['steps']['gan']} steps", loc="left", fontsize=9)


def of_group(cell: Mapping[str, Any], group: str) -> bool:
    """Return whether a run stands in a row of the table of stability."""
    if group.startswith("rate"):
        return "rates" in cell["parts"] and group == f"rate × {cell['rate']:g}"
    return "architectures" in cell["parts"] and cell["architecture"] == group
