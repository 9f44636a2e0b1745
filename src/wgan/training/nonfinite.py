"""When a number is not finite: say which, write a diagnosis, and stop, or go back and retry with other noise and lower rates."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from wgan import files
from wgan.data import Source
from wgan.errors import NotFinite, SaidElsewhere, WganError
from wgan.runs import checkpoint
from wgan.runs.folder import Run
from wgan.training.players import Players, make_players
from wgan.training.state import save


class WentBack(Exception):
    """The newest checkpoint now says to continue with the next noise stream: open the run again."""


@contextmanager
def on_not_finite(p: Players, source: Source, run: Run) -> Iterator[None]:
    """Within the block a number that is not finite is diagnosed; then WentBack where on_nan says so, else NotFinite."""
    try:
        yield
    except NotFinite as error:
        on_main, failure = p.engine.group.on_main, error
        name = on_main(lambda: write_diagnosis(p, run, failure))
        if p.config.on_nan == "rollback" and p.engine.stream < p.config.nan_retries:
            on_main(lambda: go_back(p, source, run, failure))
            raise WentBack from None
        sentence = f"{error}{culprits(p)}: {what_to_try(p)}; the last checkpoint is kept, numbers in {name}"
        raise (WganError if p.engine.group.is_main else SaidElsewhere)(sentence) from None


def what_to_try(p: Players) -> str:
    """Return what happened to the run, and what to try."""
    if p.config.on_nan == "rollback":
        return f"stopped, after going back {p.engine.stream} times; try a smaller lr, or precision fp32"
    return "stopped; try a smaller lr, precision fp32, or the same command with --on-nan rollback"


def culprits(p: Players) -> str:
    """Return ' (critic/score.weight and 3 more)' for the tensors of both players that are not finite."""
    bad = [name for name, t in tensors(p).items() if t.is_floating_point() and not torch.isfinite(t).all()]
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return f" (in {bad[0]}{more})" if bad else ""


def tensors(p: Players) -> dict[str, Tensor]:
    """Return weights and buffers of both players by name."""
    players: dict[str, nn.Module] = {"critic": p.critic, "generator": p.generator}
    return {f"{player}/{key}": t for player, network in players.items() for key, t in network.state_dict().items()}


def write_diagnosis(p: Players, run: Run, error: NotFinite) -> str:
    """Write not-finite-STEP.json: losses, learning rates, and the range of each weight of both players; return its name."""
    name = f"not-finite-{error.step:08d}.json"
    rates = {"generator": p.generator_optimizer, "critic": p.critic_optimizer}
    report = {
        "step": error.step,
        "what": error.what,
        "retries": p.engine.stream,
        "statistics": {key: readable(value) for key, value in error.stats.items()},
        "rates": {player: optimizer.param_groups[0]["lr"] for player, optimizer in rates.items()},
        "tensors": {key: tensor_summary(t) for key, t in tensors(p).items()},
    }
    files.write_atomically(run.path / name, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
    return name


def tensor_summary(t: Tensor) -> dict[str, Any]:
    """Return shape, how many numbers are finite, and the smallest and largest of those."""
    finite = t[torch.isfinite(t)]
    low, high = (float(v) for v in torch.aminmax(finite)) if len(finite) else (None, None)
    return {"shape": list(t.shape), "numbers": t.numel(), "finite": len(finite), "min": low, "max": high}


def readable(value: float) -> float | str:
    """Return a number as JSON can say it: one that is not finite as a text."""
    return value if math.isfinite(value) else str(value)


def go_back(p: Players, source: Source, run: Run, error: NotFinite) -> None:
    """Make the newest whole checkpoint (step 0 is made when there is none) continue with the next noise stream.

    The number of the stream is stored there, so that a run killed right after resumes in the same way.
    """
    retries = p.engine.stream + 1
    event = (
        f"went back: {error}; from here on noise stream {retries}, learning rates times {0.5**retries:g}, "
        f"retry {retries} of at most {p.config.nan_retries}"
    )
    found, _ = checkpoint.load_newest(run.checkpoints)
    if found is not None:
        checkpoint.annotate(run.checkpoints, found, retries=retries, event=event)
    else:
        first = make_players(p.config, replace(p.engine, stream=retries), source, p.given)
        save(first, run, 0, None, event=event)
