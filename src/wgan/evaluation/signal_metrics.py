"""Metrics of signals: spectrum, autocorrelation, the values of each channel, and a classifier; each next to its reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.evaluation.context import Measured, MetricValue
from wgan.metrics import signals as metrics
from wgan.metrics.random_features import extractor_name
from wgan.metrics.tables import detection

DETECTED = 2000  # signals of each side that the classifier learns from and is judged on


def value(m: Measured, name: str, of: Callable[[Any, Any], float], note: str = "") -> MetricValue:
    """Return a metric of the fakes and the held-out reals, next to that of the draws of training signals."""
    fake, real = m.fakes.numpy(), m.real(None).numpy()
    ((reference, spread),) = m.reference(name, lambda k: of(m.real(k).numpy(), real))
    return MetricValue(
        name=name,
        value=of(fake, real),
        reference=reference,
        reference_spread=spread,
        n_fake=len(fake),
        n_real=len(real),
        note=note,
    )


def spectrum_values(m: Measured) -> Iterator[MetricValue]:
    """The distance of the mean power spectra."""
    yield value(m, "spectrum-distance", metrics.spectrum_distance)


def autocorrelation_values(m: Measured) -> Iterator[MetricValue]:
    """The distance of the autocorrelations."""
    lags = f"lags 1 to {metrics.lags_of(m.fakes.shape[2])}"
    yield value(m, "autocorrelation-distance", metrics.autocorrelation_distance, lags)


def channel_values(m: Measured) -> Iterator[MetricValue]:
    """The distance of the values of single channels, on average and of the worst one."""
    found = metrics.channel_distances(m.fakes.numpy(), m.real(None).numpy())
    names = m.reals.test.signal.channels if m.reals.test.signal else [f"x{i}" for i in range(len(found))]
    unit = "in standard deviations of the channel"
    yield value(m, "channel-w1", lambda a, b: float(metrics.channel_distances(a, b).mean()), unit)
    worst = f"channel {names[int(found.argmax())]}"
    yield value(m, "worst-channel-w1", lambda a, b: float(metrics.channel_distances(a, b).max()), worst)


def detection_values(m: Measured) -> Iterator[MetricValue]:
    """How well a linear model on random features tells signals from held-out ones."""
    real = m.real_random_features(None)[:DETECTED].astype(np.float64)

    def told(features: NDArray[np.float32]) -> float:
        return detection(features[:DETECTED].astype(np.float64), real)

    ((reference, spread),) = m.reference("signal-detection", lambda k: told(m.real_random_features(k)))
    yield MetricValue(
        name="signal-detection",
        value=told(m.random_features),
        reference=reference,
        reference_spread=spread,
        n_fake=min(DETECTED, len(m.fakes)),
        n_real=len(real),
        extractor=extractor_name(*m.fakes.shape[1:]),
    )
