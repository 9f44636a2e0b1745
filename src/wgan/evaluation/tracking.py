"""Does the loss track quality? Spearman's correlation over a run's evaluations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wgan.runs.log import SELECTION

TRACKS = "Spearman correlation of W estimate and quality over the run: {:.2f}"


def loss_tracks_quality(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Return Spearman's correlation of W estimate (2,000 training reals) and selection metric over a run's evaluations.

    Near 1: the loss falls when the samples get better, the claim of Arjovsky 2017, figure 3. None below 4 evaluations.
    """
    wanted = ("evaluate/wasserstein_train", SELECTION)
    pairs = [tuple(float(r[tag]) for tag in wanted) for r in records if all(tag in r for tag in wanted)]
    return spearman([loss for loss, _ in pairs], [quality for _, quality in pairs])


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation of a and b, of one length; None below 4 pairs, for a constant or for NaN."""
    from scipy.stats import spearmanr

    if len(a) < 4 or len(set(a)) == 1 or len(set(b)) == 1:
        return None
    value = float(spearmanr(a, b).statistic)
    return None if math.isnan(value) else value
