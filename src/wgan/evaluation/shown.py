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
    return titled(title, f"against {report.data}") + table(head, [row(value) for value in result.values])


def row(found: MetricValue) -> list[str]:
    """Return one line of the table."""
    return [
        found.name,
        beside(found.value, found.spread),
        beside(found.reference, found.reference_spread),
        found.better,
        f"{found.n_fake} / {found.n_real}",
        found.extractor,
    ]


def beside(value: float | None, spread: float | None = None) -> str:
    """Return '12.3 ± 0.4', '12.3', or nothing."""
    if value is None:
        return ""
    return f"{value:.4g}" if spread is None else f"{value:.4g} ± {spread:.2g}"
