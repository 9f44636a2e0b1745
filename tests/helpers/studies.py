"""Studies whose raw values are drawn instead of trained: what the statistics and the page of a study are tried on."""

from __future__ import annotations

import math

import numpy as np

from wgan.compare.study.design import PARTS, TRAINED, from_values, read_design
from wgan.compare.study.draws import draw
from wgan.compare.study.judges import COVERED
from wgan.compare.study.run import as_json
from wgan.compare.study.verdicts import answered

NOISE, REAL = 1000.0, 0.01
TINY = {
    "title": "Two arms, in seconds",
    "draws": 3,
    "keep": 1,
    "evaluations": 6,
    "critic_updates": 4,
    "samples": 200,
    "arms": {"gan": {"objective": "gan"}, "wgan-gp": {"objective": "wgan-gp"}},
    "tasks": {
        "ring": {
            "data": "ring",
            "flop": 3e6,
            "seeds": 2,
            "threshold": 0.15,
            "network": {"generator_layers": "8", "critic_layers": "8", "batch": 16},
        }
    },
    "space": {"lr": {"low": 1e-4, "high": 1e-2}, "critic_lr": {"low": 1e-4, "high": 1e-2}, "n_critic": [1, 2]},
    "hypotheses": [
        {"name": "quality", "kind": "quality", "task": "ring", "arm": "wgan-gp", "against": "gan"},
        {"name": "gradient", "kind": "gradient", "task": "ring", "arm": "wgan-gp", "against": "gan"},
    ],
    "sentences": [{"text": "WGAN-GP is better <than> the GAN", "source": "S4", "needs": ["quality"]}],
}


def tiny(**changes):
    """Return the tiny design with other values at the top."""
    return from_values({**TINY, **changes}, "tiny.toml")


def simulated(design=None, *, seed=0, better=None, resamples=999):
    """Return a study with drawn values: all arms are the same, but for the factors `better` of their distances."""
    design, rng, better = design or read_design("short"), np.random.default_rng(seed), better or {}
    ends = {name: dict.fromkeys(("selection", "j1", "j2"), v) for name, v in (("noise", NOISE), ("real", REAL))}
    ends["noise"][COVERED], ends["real"][COVERED] = 0.0, 25.0
    found = {"format": 1, "kind": "study", "design": as_json(design), "versions": {"wgan": "0"}, "cpu_seconds": {}}
    found["tasks"] = {
        name: {**as_json(design)["tasks"][name], "judges": ["j1", "j2"], "beside": ends} for name in design.tasks
    }
    found["search"], found["confirm"], found["gradients"] = [], [], []
    for task, about in design.tasks.items():
        limit = about.threshold
        for number in range(design.draws):
            setting = draw(design.space, number, design.seed)
            hard = rng.normal()  # some settings are worse for all
            for arm in design.arms:
                value = limit * math.exp(0.5 * hard + rng.normal()) * better.get(arm, 1.0)
                about_run = {"task": task, "arm": arm, "draw": number, "seed": number, "setting": setting}
                name = f"{task}_{arm}_d{number:03d}"
                found["search"].append(
                    {**about_run, "name": name, "failed": "", "selection": {"1": value}, "curve": [], "steps": 60}
                )
        for k in range(about.seeds):
            for arm in design.arms:
                row = confirmed_run(rng, design, better.get(arm, 1.0))
                found["confirm"].append(
                    {**row, "task": task, "arm": arm, "seed": 1000 + k, "name": f"{task}_{arm}_s{k:02d}"}
                )
                for part in TRAINED:
                    curves = {design.arms[arm]["objective"]: [[0, 1.0], [9, math.exp(rng.normal() - 3)]]}
                    found["gradients"].append(
                        {"task": task, "arm": arm, "seed": 1000 + k, "trained": part, "curves": curves}
                    )
    return {**found, **answered(found, resamples)}


def confirmed_run(rng, design, factor):
    """Return a run whose loss and quality both fall with the step, and have nothing else to do with each other."""
    steps = np.arange(1, design.evaluations + 1)
    fall = np.exp(-steps / 20)
    curve = [
        {"step": int(s), "estimate": float(e), "figure": float(q), "modes": None, "high_quality": None}
        for s, e, q in zip(
            steps, fall + 0.1 * rng.normal(size=len(steps)), fall + 0.1 * rng.normal(size=len(steps)), strict=True
        )
    ]
    level = factor * math.exp(0.4 * rng.normal())
    readings = {
        f"{p:g}": {"j1": 2 * level / p, "j2": 3 * level / p, COVERED: float(rng.integers(15, 26))} for p in PARTS
    }
    return {"setting": {}, "draw": 0, "failed": "", "curve": curve, "readings": readings, "steps": 60, "selection": {}}
