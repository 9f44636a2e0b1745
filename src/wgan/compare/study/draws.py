"""The settings that every arm of a study tries: the same seeded random draws, and the config that one becomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from wgan.compare.plan import ARCHITECTURES, family
from wgan.compare.study.design import Design, Task
from wgan.config import Config
from wgan.errors import unknown
from wgan.recipes import DEFAULT, configure

SEARCH_SEED, CONFIRM_SEED = 0, 1000  # of the first run; no seed of the search is one of the confirmation


def draw(space: Mapping[str, Any], number: int, seed: int) -> dict[str, Any]:
    """Return the setting of one draw: each option of the space, {low, high} evenly in the logarithm, a list by equal chances.

    It depends on its number alone: more draws leave the first ones as they are (Lucic et al. 2018, section 5).
    """
    rng = np.random.default_rng([seed, number])
    found: dict[str, Any] = {}
    for name in sorted(space):
        entry, u = space[name], float(rng.random())
        if isinstance(entry, Mapping):
            value = math.exp(math.log(entry["low"]) + u * (math.log(entry["high"]) - math.log(entry["low"])))
            found[name] = float(f"{value:.4g}")
        else:
            found[name] = entry[int(u * len(entry))]
    return found


def config_of(design: Design, task: Task, arm: str, setting: Mapping[str, Any], is_image: bool) -> Config:
    """Return the config of a run but for its seed, its steps and what it writes: networks, then the setting, then the arm."""
    known = ARCHITECTURES[family(is_image)]
    if task.architecture not in known:
        raise unknown(f"architecture for {task.data}", task.architecture, known)
    whole = {**known[task.architecture], **task.network, **setting, **design.arms[arm]}
    fixed = {"data": task.data, "threads": design.threads, "precision": "fp32"}
    return configure(DEFAULT, {**whole, **fixed})


def planned(config: Config, seed: int, steps: int, whole: int, evaluations: int) -> Config:
    """Return the config of a run of `steps` of the `whole` steps of its budget: its seed, and when it is looked at.

    A quarter of the whole is a whole number of steps, and there is a checkpoint at each: quality is read there.
    """
    quarter = whole // 4
    return config.replace(
        seed=seed,
        steps=steps,
        log_every=max(1, whole // (4 * evaluations)),
        evaluate_every=max(1, whole // evaluations),
        sample_every=quarter,
        checkpoint_every=quarter,
        keep_every=quarter,
    )
