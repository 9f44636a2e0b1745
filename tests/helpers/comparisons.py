"""Comparisons written by hand, for the tests of `wgan compare`: what a run gave, and the result of several."""

from __future__ import annotations

from wgan.compare import summary
from wgan.compare.plan import Request

FOUR = ("gan", "wgan-clip", "wgan-gp", "wgan-lp")
PLACES = ("real", "fake", "between")


def request(**changes):
    return Request(**{"objectives": FOUR, "data": "grid", "seeds": 2, "kind": "steps", "amount": 100, **changes})


def point(step, estimate, figure, modes=None, near=None):
    return {"step": step, "estimate": estimate, "figure": figure, "modes": modes, "high_quality": near}


def cell(objective, last, *, parts=("quality", "rates"), seed=0, rate=1.0, data="grid", failed="", **more):
    curve = (
        []
        if failed
        else [point(10, 3.0, 2 * last, 1, 0.1), point(20, 2.0, 1.5 * last, 2, 0.2), point(30, 1.0, last, 3, 0.3)]
    )
    about = {
        "objective": objective,
        "parts": list(parts),
        "seed": seed,
        "rate": rate,
        "data": data,
        "architecture": "mlp",
    }
    shown = {} if failed else {"modes-reached": {"value": 25.0 - last, "floor": 25.0, "better": "higher"}}
    quantiles = {place: [0.1, 0.5, 1.0, 1.5, 2.0] for place in PLACES}
    slopes = {"quantiles": quantiles, "edges": [-2.0, -1.0, 0.0, 1.0], "shares": [0.0, 0.25, 0.75], "near_one": 0.5}
    read = {
        "figures": shown,
        "curve": curve,
        "tracks": 1.0,
        "slopes": {} if failed else slopes,
        "share_clipped": None,
        "weights": {},
        "cpu_seconds": 10.0,
    }
    return {**about, "name": f"{objective}-{seed}", "failed": failed, **read, **more}


def result_of(found, gradients=None, **changes):
    names = list(dict.fromkeys(c["objective"] for c in found))
    about = {**request().as_dict(), "objectives": names, **changes}
    result = {"format": 2, "request": about, "steps": dict.fromkeys(names, 30), "rate_factor": 10.0, "cells": found}
    result["gradients"] = gradients or {name: [[[0, 0.1], [10, 1.0], [500, 0.001]]] for name in names}
    return {**result, "summary": summary.summary(result)}
