"""A metric of the caller's own: a function of two arrays, fakes and held-out reals, measured next to its reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wgan.errors import WganError
from wgan.evaluation.context import Measured, MetricValue
from wgan.evaluation.metrics_table import HOME, METRICS

Two = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True)
class OwnMetric:
    """function(fake, real) -> a number; name: its own where none is given; better: lower, higher, or none (a report).

    Arrays are as the data are stored: images uint8 [N, C, H, W], vectors float32 [N, D] in the data's units. For the reference
    training samples stand in for the fakes.
    """

    function: Two
    name: str = ""
    better: Literal["lower", "higher", "none"] = "none"

    def missing(self, m: Measured) -> str:
        """Return '': it applies to everything."""
        return ""

    def measure(self, m: Measured) -> list[MetricValue]:
        """Return its one value."""
        real = m.reals.held_out[0].numpy()
        value = self.number(m.fakes.numpy(), real, "fakes")
        ((reference, spread),) = m.reference(
            f"own {self.name}", lambda k: self.number(m.real(k).numpy(), real, "training samples")
        )
        return [
            MetricValue(
                name=self.name,
                value=value,
                reference=reference,
                reference_spread=spread,
                n_fake=len(m.fakes),
                n_real=len(real),
                better=self.better,
            )
        ]

    def number(self, fake: NDArray[Any], real: NDArray[Any], what: str) -> float:
        """Return the function of two arrays; WganError for an exception in it, or for what is not a finite number."""
        try:
            value: Any = self.function(fake.copy(), real.copy())
        except Exception as error:  # of code that is not ours, of any kind
            raise WganError(f"metric {self.name} failed on {what}: {type(error).__name__}: {error}") from error
        if isinstance(value, bool) or np.ndim(value) != 0 or not isinstance(value, (int, float, np.number, np.ndarray)):
            raise WganError(f"metric {self.name} returned a {type(value).__name__}: it must return one number")
        if not math.isfinite(float(value)):
            raise WganError(f"metric {self.name} is {float(value)} on {what}: it must be a finite number")
        return float(value)


def own_metrics(metrics: Sequence[Any] | None) -> dict[str, OwnMetric]:
    """Return the caller's own among the wanted metrics, by name; WganError for a name that is taken or cannot be."""
    found: dict[str, OwnMetric] = {}
    for metric in metrics or []:
        if isinstance(metric, str):
            continue
        own = metric if isinstance(metric, OwnMetric) else OwnMetric(metric)
        if not callable(own.function):
            raise WganError(f"a metric is a name, a function of two arrays or an OwnMetric, not {own.function!r:.60}")
        own = own if own.name else OwnMetric(own.function, getattr(own.function, "__name__", ""), own.better)
        if own.name in ("", "<lambda>"):
            raise WganError("a metric without a name: give wgan.OwnMetric(function, 'its-name')")
        if own.name in METRICS or own.name in HOME or own.name in found:
            raise WganError(f"there is a metric {own.name} already: give yours another name")
        if own.better not in ("lower", "higher", "none"):
            raise WganError(f"metric {own.name} is better '{own.better}': write lower, higher or none")
        found[own.name] = own
    return found
