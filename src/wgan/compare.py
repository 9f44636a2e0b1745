"""`wgan compare`: the published claims about GAN and WGAN as measurements, from ordinary runs that continue as a whole."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wgan.cells import Cell, Request, cells, check_steps, forwards
from wgan.checkpoint import write_atomically
from wgan.data import open_source
from wgan.engine import thread_count
from wgan.errors import WganError
from wgan.estimate import measure
from wgan.evaluation import evaluate
from wgan.loop import train
from wgan.monitor import loss_tracks_quality
from wgan.probes import critic_weights, vanishing
from wgan.run import SELECTION, Run, make_folder, open_run
from wgan.state import engine_for
from wgan.tally import summary
from wgan.updates import make_players

SAMPLES = 2000  # fakes of each run that are measured
QUICK_STEPS, STEPS = 500, 4000
UNITS = {"s": 1, "m": 60, "h": 3600}


class Stopped(Exception):
    """A signal asked the comparison to stop; the same command goes on. args[0]: its exit code."""


def command(found: argparse.Namespace) -> int:
    """`wgan compare`: train what is missing, measure, write compare.json and index.html, say where they are."""
    request = request_of(found)
    out = Path(found.out or "comparison")
    try:
        result = compare(request, out, lambda text: print(text, file=sys.stderr))
    except Stopped as stop:
        print(f"stopped, saved in {out}; the same command goes on from there")
        return int(stop.args[0])
    for objective, row in result["summary"]["quality"].items():
        print(
            f"{objective:10} " + "  ".join(f"{k} {v['mean']:.4g} ± {v['spread']:.2g}" for k, v in list(row.items())[:4])
        )
    print(f"comparison in {out}/index.html, figures in {out}/compare.json")
    return 0


def request_of(found: argparse.Namespace) -> Request:
    """Return what the flags ask for; WganError for two budgets, or one that is none."""
    given = {"steps": found.steps, "seconds": found.budget, "forwards": found.critic_forwards}
    named = {kind: value for kind, value in given.items() if value is not None}
    if len(named) > 1:
        raise WganError("give one budget: --steps, --budget or --critic-forwards")
    kind, value = next(iter(named.items()), ("steps", QUICK_STEPS if found.quick else STEPS))
    amount = seconds_of(str(value)) if kind == "seconds" else float(value)
    seeds = found.seeds if found.seeds is not None else 1 if found.quick else 3
    objectives = tuple(found.objectives or ("gan", "wgan-clip", "wgan-gp", "wgan-lp"))
    request = Request(objectives, found.data, seeds, kind, amount, found.quick)
    request.check()
    return request


def seconds_of(text: str) -> float:
    """Return the seconds of 90s, 10m or 1.5h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match:
        raise WganError(f"--budget '{text[:40]}' is not a time: write it like 90s, 10m or 1.5h")
    return float(match[1]) * UNITS[match[2]]


def compare(request: Request, out: Path, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Train and measure every cell of `request` in `out`, or go on where a comparison of the same request stopped.

    Raises WganError when `out` holds another comparison or the budget is too small, Stopped after a signal.
    """
    source = open_source(request.data, "train")
    plan = planned(request, out, bool(source.is_image))
    todo = cells(request, bool(source.is_image), plan["steps"])
    measured = []
    for number, cell in enumerate(todo, 1):
        say(f"run {number} of {len(todo)}: {cell.name}")
        measured.append(measure_cell(cell, out / "runs" / cell.name, bool(source.is_image)))
    gradients: dict[str, Any] = {}
    for cell in [c for c in todo if "quality" in c.parts and c.seed == 0]:
        say(f"the generator's gradient below an ever better critic: {cell.objective}")
        gradients |= gradients_of(cell, out / "gradients", bool(source.is_image))
    result = {
        "format": 1,
        "request": request.as_dict(),
        "steps": plan["steps"],
        "cells": measured,
        "gradients": gradients,
    }
    result["summary"] = summary(result)
    write_atomically(out / "compare.json", text_of(result))
    from wgan.showing import write_page

    write_page(result, out)
    return result


def gradients_of(cell: Cell, folder: Path, is_image: bool) -> dict[str, Any]:
    """Return the vanishing-gradient experiment of an objective, from its file when it was done before."""
    found = remembered(folder / f"{cell.objective}.json", lambda: vanishing(cell.config(is_image)))
    return dict(found)


def text_of(values: Any) -> bytes:
    """Return JSON text."""
    return (json.dumps(values, indent=1) + "\n").encode()


def remembered(path: Path, make: Callable[[], Any]) -> Any:
    """Return what `path` holds as JSON, or make it and write it there."""
    if path.is_file():
        try:
            return json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError):
            pass  # a damaged file is made again
    make_folder(path.parent)
    value = make()
    write_atomically(path, text_of(value))
    return value


def planned(request: Request, out: Path, is_image: bool) -> dict[str, Any]:
    """Return the plan in `out`: the steps of each objective, fixed once; WganError when it is for another request."""
    path = out / "plan.json"
    if out.exists() and not path.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise WganError(f"{out} is not a comparison: give an empty folder, or a new one, to --out")
    if not path.is_file():
        steps = steps_of(request, is_image)
        check_steps(steps)
        return dict(remembered(path, lambda: {"format": 1, "request": request.as_dict(), "steps": steps}))
    plan = remembered(path, lambda: {})
    if not isinstance(plan, dict) or plan.get("request") != request.as_dict():
        raise WganError(f"{out} holds another comparison: repeat its options to continue it, or give another --out")
    return plan


def steps_of(request: Request, is_image: bool) -> dict[str, int]:
    """Return the steps of each objective within the budget, measured on this machine where it is a time."""
    if request.kind == "steps":
        return {name: int(request.amount) for name in request.objectives}
    if request.kind == "forwards":
        return {name: int(request.amount / forwards(name)) for name in request.objectives}
    probe = cells(request, is_image, dict.fromkeys(request.objectives, 1000))
    first = {cell.objective: cell for cell in reversed(probe) if "quality" in cell.parts}
    return {name: int(request.amount / seconds_per_step(first[name], is_image)) for name in request.objectives}


def seconds_per_step(cell: Cell, is_image: bool) -> float:
    """Return how long a step of a cell takes, from a few real ones."""
    config = cell.config(is_image)
    source = open_source(config.data, config.split)
    engine = engine_for(config, source)
    with thread_count(engine.threads):
        return measure(make_players(config, engine, source), source) / config.steps


def measure_cell(cell: Cell, folder: Path, is_image: bool) -> dict[str, Any]:
    """Train a cell to its end unless it is, measure it, and return what the comparison needs of it."""
    about = {**asdict(cell), "name": cell.name}
    try:
        run = trained(cell, folder, is_image)
    except WganError as error:
        if "not finite" not in str(error):
            raise
        return {**about, "failed": str(error), "figures": {}, "curve": [], "tracks": None}
    figures = remembered(folder / "comparison.json", lambda: figures_of(cell, run, is_image))
    records = run.log()
    curve = [[r["step"], r["evaluate/wasserstein_train"], r[SELECTION]] for r in records if SELECTION in r]
    inside = {k: last(records, f"evaluate/{k}") for k in ("slope_mean", "slope_max")}
    weights = critic_weights(run) if "quality" in cell.parts and cell.seed == 0 else {}
    share = last(records, "critic/share_clipped")
    return {**about, "failed": "", "figures": figures, "curve": curve, "tracks": loss_tracks_quality(records), **inside,
            "share_clipped": share, "weights": weights}  # fmt: skip


def last(records: list[dict[str, Any]], tag: str) -> float | None:
    """Return the last value of a tag."""
    return next((float(r[tag]) for r in reversed(records) if tag in r), None)


def trained(cell: Cell, folder: Path, is_image: bool) -> Run:
    """Return the finished run of a cell; Stopped when a signal ended its training."""
    config = cell.config(is_image)
    if (folder / "run.json").is_file() and (run := open_run(folder)).config == config and run.step == config.steps:
        return run
    make_folder(folder.parent)
    outcome = train(config, folder)
    if outcome.code:
        raise Stopped(outcome.code)
    return outcome.run


def figures_of(cell: Cell, run: Run, is_image: bool) -> dict[str, Any]:
    """Return figure -> value, floor and direction of a run; more of them where quality is compared at length."""
    wanted = metrics_of(cell.data, is_image, "quality" in cell.parts)
    report = evaluate(run.path, n=SAMPLES, metrics=wanted, checkpoint="last")
    return {f.name: {"value": f.value, "floor": f.floor, "better": f.better} for f in report.results[0]["figures"]}


def metrics_of(data: str, is_image: bool, long: bool) -> list[str]:
    """Return the metrics that apply to the data."""
    kind = data.partition(":")[0]
    first = {"mnist": "fid-lenet", "stacked-mnist": "stacked-modes", "ring": "modes", "grid": "modes"}.get(
        kind, "sliced-w1"
    )
    return [*dict.fromkeys([first, "sliced-w1", *(["prdc", "certified-w1"] if long else [])])]
