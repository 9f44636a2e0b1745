"""The answer to --epochs: how many steps so many passes over these data are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from wgan.config import Config

SPELLINGS = (
    "epoch",
    "epochs",
    "n-epochs",
    "num-epochs",
    "nb-epochs",
    "max-epochs",
    "train-epochs",
    "num-train-epochs",
    "e",
)
COUNTED = "the length of a run is counted in --steps, its generator updates, not in epochs"


def in_steps(words: Sequence[str], flag: str, parse: Callable[[Sequence[str]], Any]) -> str:
    """Return the sentence for `flag` among the `words` of `wgan train`, with the number of steps where all else is right."""
    at = next(i for i, word in enumerate(words) if word.partition("=")[0] == flag)
    _, equals, text = words[at].partition("=")
    text = text if equals else "".join(words[at + 1 : at + 2])
    try:
        epochs = float(text)
        left = [*words[:at], *words[at + 1 + (not equals) :]]
        return counted(epochs, parse(left)) if 0 < epochs < 1e9 else COUNTED
    except (ValueError, OSError):  # no number, or another mistake
        return COUNTED


def counted(epochs: float, found: Any) -> str:
    """Return the sentence with the number of steps for the data and options of a parsed command."""
    from wgan.api import plan
    from wgan.cli.train import options_given, origin_of
    from wgan.data import open_source

    config = plan(found.name, options_given(found), found.run, found.config, origin_of(found)).config
    samples = len(open_source(config.data, config.split, options=config))
    steps = steps_in(epochs, samples, config)
    per_step = batches_in_a_step(config)
    each = f"batch {config.batch}" + (f", {per_step} batches in each step" if per_step > 1 else "")
    times = f"{epochs:g} epoch{'s' * (epochs != 1)}"
    return f"a run is counted in steps: {times} of these {samples} samples ({each}) would be --steps {steps}"


def steps_in(epochs: float, samples: int, config: Config) -> int:
    """Return the steps in which the critic sees each real sample `epochs` times, rounded up."""
    return max(1, math.ceil(epochs * samples / (config.batch * batches_in_a_step(config))))


def batches_in_a_step(config: Config) -> int:
    """Return how many batches of real samples a step takes: one for each critic update, or one that they share."""
    return config.n_critic if config.real_batches == "fresh" else 1
