"""Does the loss track quality? Spearman's correlation over a run's evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wgan.runs.folder import SELECTION

TRACKS = "Spearman correlation of W estimate and quality over the run: {:.2f}"


def loss_tracks_quality(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Return Spearman's correlation of W estimate (2,000 training reals) and selection figure over a run's evaluations.

    Near 1: the loss falls when the samples get better, the claim of Arjovsky 2017, figure 3. None below 4 evaluations.
    """
    from scipy.stats import spearmanr

    wanted = ("evaluate/wasserstein_train", SELECTION)
    pairs = [tuple(r[tag] for tag in wanted) for r in records if all(tag in r for tag in wanted)]
    if len(pairs) < 4:
        return None
    losses, figures = zip(*pairs, strict=True)
    if len(set(losses)) == 1 or len(set(figures)) == 1:
        return None  # a constant has no ranks
    value = float(spearmanr(losses, figures).statistic)
    return None if np.isnan(value) else value
