"""Metrics: pure functions of arrays. METRICS says what each figure is called, which function makes it and what it reads.

Nothing heavy is imported until a function is asked for, so that the command line can list the names at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from wgan.errors import unknown


class Metric(NamedTuple):
    """One row of METRICS."""

    module: str  # of wgan.metrics
    name: str  # of the function in it
    needs: str  # what its arguments are: features | pixels | labels | triples | modes | scores
    better: str  # lower | higher | none (a report, or a figure that says nothing alone)
    unit: str
    source: str  # paper and equation

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself, imported now."""
        found: Callable[..., Any] = getattr(importlib.import_module(f"wgan.metrics.{self.module}"), self.name)
        return found


# fmt: off
METRICS: dict[str, Metric] = {
    "fid-lenet": Metric("distances", "scaled_fid", "features", "lower", "scaled features²", "Heusel 2017, eq. 6"),
    "kid-lenet": Metric("distances", "kid", "features", "lower", "none", "Bińkowski 2018"),
    "fid-inception": Metric("distances", "fid", "features", "lower", "features²", "Heusel 2017, eq. 6"),
    "prdc": Metric("coverage", "prdc", "features", "higher", "share", "Kynkäänniemi 2019, eq. 1-2; Naeem 2020, §3"),
    "certified-w1": Metric("certified", "certified_w1", "pixels", "lower", "data", "Anil 2019, §4; Villani 2003, thm 1.14"),
    "bracket": Metric("certified", "sample_bracket", "scores", "none", "data", "Villani 2003, thm 1.3"),
    "exact-w1": Metric("distances", "exact_w1", "pixels", "lower", "data", "Villani 2003, ch. 1"),
    "sliced-w1": Metric("distances", "sliced_w1", "pixels", "lower", "data", "Bonneel 2015"),
    "memorisation": Metric("memorisation", "memorisation", "pixels", "none", "data", "Lopez-Paz & Oquab 2017; Alaa 2022"),
    "classes": Metric("coverage", "class_histogram", "labels", "none", "share", "counts"),
    "label-accuracy": Metric("coverage", "label_accuracy", "labels", "higher", "share", "Shmelkov 2018, §3"),
    "cas": Metric("classifier", "classification_accuracy", "labels", "higher", "share", "Ravuri & Vinyals 2019, §3"),
    "gan-test": Metric("classifier", "classification_accuracy", "labels", "higher", "share", "Shmelkov 2018, §3"),
    "modes": Metric("coverage", "mode_report", "modes", "none", "count", "Srivastava 2017, §4.1; Lin 2018, §4.1"),
    "stacked-modes": Metric("coverage", "stacked_modes", "triples", "none", "count", "Metz 2017, §3.3.1; Lin 2018, §4.2"),
}
# fmt: on


def metric(name: str) -> Metric:
    """Return the row of METRICS called `name`; WganError with the nearest name for another."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]
