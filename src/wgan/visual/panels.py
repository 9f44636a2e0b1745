"""PANELS: what the curves of a run show, panel by panel; read by losses.png, the report and the comparison.

A panel whose tags are not in a log is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Panel:
    """What one panel shows: its tags with their names in the legend, and what to know about it."""

    title: str
    tags: Mapping[str, str]
    about: str = ""
    reference: float | None = None  # a value worth a line of its own
    across: str = "step"  # what the horizontal axis counts
    pictured: bool = False  # in losses.png too
    instead: str = ""  # a tag that says more: with it in the log, losses.png leaves this out


GAP = "critic/wasserstein"
PANELS = (
    Panel(
        "W estimate of the critic",
        {GAP: "training", "evaluate/wasserstein_held_out": "held-out"},
        "a training signal, not a distance",
        pictured=True,
    ),
    Panel(
        "fid-lenet", {"evaluate/fid_lenet": "fid-lenet"}, "lower is better; on the part of the test split that selects"
    ),
    Panel("Distance W1 to held-out samples", {"evaluate/w1": "W1"}, "lower is better; the samples' exact distance"),
    Panel("Distance in random features", {"evaluate/random_fid": "random-relative-fid"}, "lower is better"),
    Panel("Sliced distance to held-out samples", {"evaluate/sliced_w1": "sliced W1"}, "lower is better"),
    Panel("Modes reached", {"evaluate/modes": "modes"}, "higher is better"),
    Panel("Samples near a mode", {"evaluate/high_quality": "fraction"}, "fraction within 3 standard deviations"),
    Panel("Generator loss", {"generator/loss": "generator"}, pictured=True),
    Panel("Critic loss", {"critic/loss": "whole", "critic/penalty": "penalty in it"}, "what the critic minimised"),
    Panel(
        "Gradient norm of the critic",
        {"critic/slope": "at the penalty's points", "evaluate/slope_mean": "at reals and fakes"},
        "in the sample; near 1 when a gradient penalty has settled",
        1.0,
        pictured=True,
    ),
    Panel(
        "Weight gradient norms",
        {"critic/gradient_norm": "critic", "generator/gradient_norm": "generator"},
        "near 0: nothing to learn from",
        pictured=True,
        instead="critic/slope",
    ),
    Panel(
        "Weights on the clipping bound", {"critic/share_clipped": "fraction"}, "near 1: the critic is a sign pattern"
    ),
    Panel(
        "Class accuracy",
        {"class/accuracy_real": "on real", "class/accuracy_fake": "on fake"},
        "of the auxiliary classifier; low on real images: clipping starves it",
        pictured=True,
    ),
    Panel(
        "Overfitting of the critic", {"evaluate/overfit": "gap"}, "training against held-out, in standard errors", 3.0
    ),
)


def panels_of(others: Iterable[str] = (), alone: bool = True) -> list[Panel]:
    """Return PANELS with a title for the critic's score gap that is true of all runs shown.

    others: the runs whose objective estimates no Wasserstein distance; alone: whether no other run is shown.
    """
    names = ", ".join(others)
    if not names:
        return list(PANELS)
    partly = f"a training signal, not a distance; of {names} only the gap of the scores"
    about = "mean score of real minus fake samples: no estimate of a distance" if alone else partly
    title = "Score gap of the critic" if alone else ""
    return [replace(p, title=title or p.title, about=about) if GAP in p.tags else p for p in PANELS]
