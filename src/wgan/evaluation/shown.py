"""How a report shows itself in a notebook: each metric next to its reference, real against real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgan.runs.shown import table, titled

if TYPE_CHECKING:
    from wgan.evaluation.context import MetricValue
    from wgan.evaluation.evaluate import Report, Result


def report_html(report: Report) -> str:
    """Return a table for each checkpoint or file."""
    return "".join(result_html(report, result) for result in report.results)


def result_html(report: Report, result: Result) -> str:
    """Return the values of one checkpoint or file."""
    which = result.about.checkpoint
    title = f"{which} checkpoint" if which else "samples"
    head = ["metric", "value", "real against real", "better", "samples", "reads"]
    return titled(title, f"against {report.data}") + table(head, [row(figure) for figure in result.figures])


def row(figure: MetricValue) -> list[str]:
    """Return one line of the table."""
    return [
        figure.name,
        beside(figure.value, figure.spread),
        beside(figure.floor, figure.floor_spread),
        figure.better,
        f"{figure.n_fake} / {figure.n_real}",
        figure.extractor,
    ]


def beside(value: float | None, spread: float | None) -> str:
    """Return '12.3 ± 0.4', '12.3', or nothing."""
    if value is None:
        return ""
    return f"{value:.4g}" if spread is None else f"{value:.4g} ± {spread:.2g}"
