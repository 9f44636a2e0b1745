"""`wgan compare`: the published claims about GAN and WGAN as measurements, from ordinary runs that continue as a whole."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from wgan.compare.diagnostics import vanishing
from wgan.compare.measure import NOTHING, json_of, remembered, run_reading, text_of
from wgan.compare.plan import PARTS, POINT_RATE, Request, Trial, check_steps, forwards, trials
from wgan.compare.summary import summary
from wgan.config import Config, differences
from wgan.data import open_source
from wgan.distributed.signals import Interrupted, check, checking, stop_on_signal
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.host import thread_count
from wgan.report.page import value_text
from wgan.runs.folder import Run, make_folder, open_run, versions
from wgan.training.loop import numbers, train
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import critic_phase, generator_phase

Say = Callable[[str], None]  # tells what is being done

FORMAT = 2  # of plan.json and compare.json
QUICK_STEPS, STEPS = 500, 4000
UNITS = {"s": 1, "m": 60, "h": 3600}
OURS = {"runs", "gradients", "cpu.json", "compare.json", "index.html"}  # beside the plan, in the folder of a comparison
PROBE = 10  # steps of each objective that are timed for a budget of CPU time


def command(found: argparse.Namespace) -> int:
    """`wgan compare`: train what is missing, measure, write compare.json and index.html, say where they are."""
    if found.design:
        from wgan.compare.study.command import command as run_design

        return run_design(found)
    request = request_of(found)
    out = Path(found.out or "comparison")
    result, code = until_stopped(lambda say: compare(request, out, say), out)
    if result is None:
        return code
    for objective in request.objectives:
        print(f"{objective:10} " + "  ".join(answers(result["summary"], objective)))
    print(f"comparison in {out}/index.html, metrics in {out}/compare.json")
    return 0


def until_stopped(work: Callable[[Say], dict[str, Any]], out: Path) -> tuple[dict[str, Any] | None, int]:
    """Return what `work(say)` gives, and 0; where Ctrl-C or SIGTERM ended it, None and the exit code."""
    with stop_on_signal() as stop:
        try:
            with checking(stop.leave):
                return work(lambda text: print(text, file=sys.stderr, flush=True)), 0
        except Interrupted as inside:
            print(f"stopped, saved in {out}; the same command resumes it")
            return None, int(inside.args[0]) if inside.args else stop.code


def answers(summary: Mapping[str, Any], objective: str) -> list[str]:
    """Return what was found of an objective in a few words: its first metrics, its stability, its gradient."""
    known = [(k, v) for k, v in summary["quality"][objective].items() if v["mean"] is not None][:4]
    words = [f"{name} {value_text(v['mean'], v['spread'])}" for name, v in known]
    stable = summary["stability"][objective]
    if stable["groups"]:
        words.append(f"stable {100 * stable['reached']:.0f} % of {stable['runs']}")
    if fall := summary["gradients"].get(objective):
        words.append(f"gradient 10^{fall['mean']:.2f}")
    return words


def request_of(found: argparse.Namespace) -> Request:
    """Return what the flags ask for; WganError for two budgets, or one that is none."""
    given = {"steps": found.steps, "seconds": found.budget, "forwards": found.critic_forwards}
    named = {kind: value for kind, value in given.items() if value is not None}
    if len(named) > 1:
        raise WganError("give one budget: --steps, --budget or --critic-forwards")
    kind, value = next(iter(named.items()), ("steps", QUICK_STEPS if found.quick else STEPS))
    amount = seconds_of(str(value)) if kind == "seconds" else float(value)
    seeds = found.seeds
    if seeds is None:
        seeds = 1 if found.quick else 3
    objectives = tuple(found.objectives or ("gan", "wgan-clip", "wgan-gp", "wgan-lp"))
    if found.parts is not None:
        parts = tuple(found.parts.split(","))
    else:
        parts = tuple(p for p in PARTS if not (found.quick and p == "architectures"))
    request = Request(objectives, found.data, seeds, kind, amount, parts)
    request.check()
    return request


def seconds_of(text: str) -> float:
    """Return the seconds of 90s, 10m or 1.5h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match:
        raise WganError(f"--budget '{text[:40]}' is not a time: write it like 90s, 10m or 1.5h")
    return float(match[1]) * UNITS[match[2]]


def compare(request: Request, out: Path, say: Say = lambda text: None) -> dict[str, Any]:
    """Train and measure every trial of `request` in `out`, or resume where a comparison of the same request stopped.

    Raises WganError when `out` holds another comparison or the budget is too small, Interrupted after a signal
    (`signals.check`, between two parts of what takes long).
    """
    source = open_source(request.data, "train")
    if source.is_signal or source.is_volume:
        raise WganError(
            f"{request.data} holds {source.kind}, and wgan compare knows images and points: compare runs of wgan train"
        )
    is_image = source.is_image
    plan = plan_in(request, out, is_image)
    todo = trials(request, is_image, plan["steps"], source.mode_tests)
    measured = []
    for number, trial in enumerate(todo, 1):
        say(f"run {number} of {len(todo)}: {trial.name}")
        measured.append(measure_trial(trial, out, is_image))
    gradients: dict[str, Any] = {}
    for trial in gradient_trials(request, is_image, plan["steps"]):
        say(f"the generator's gradient below an ever better critic: {trial.objective}, seed {trial.seed}")
        for name, curve in gradients_of(trial, out / "gradients", is_image).items():
            gradients.setdefault(name, []).append(curve)
    result = {
        "format": FORMAT,
        "request": request.as_dict(),
        "steps": plan["steps"],
        "rate_factor": 1.0 if is_image else POINT_RATE,
        "versions": versions(),
        "cells": measured,
        "gradients": gradients,
    }
    result["summary"] = summary(result)
    write_atomically(out / "compare.json", text_of(result))
    from wgan.compare.page import write_page

    write_page(result, out)
    return result


def gradient_trials(request: Request, is_image: bool, steps: Mapping[str, int]) -> list[Trial]:
    """Return the trials, one for each objective and seed, at whose start the generator's gradient is watched."""
    if "gradients" not in request.parts:
        return []
    return trials(request.replace(parts=("quality",)), is_image, steps)


def gradients_of(trial: Trial, folder: Path, is_image: bool) -> dict[str, Any]:
    """Return the vanishing-gradient experiment of an objective and seed, from its file when it was done before."""
    path = folder / f"{trial.objective}_s{trial.seed}.json"
    return dict(remembered(path, lambda: vanishing(trial.config(is_image))))


def plan_in(request: Request, out: Path, is_image: bool) -> dict[str, Any]:
    """Return the plan in `out`: the steps of each objective, fixed once; WganError when it is for another request."""
    path = out / "plan.json"
    if out.exists() and not path.is_file() and not is_ours(out):
        raise WganError(f"{out} is not a comparison: give an empty folder, or a new one, to --out")
    if not path.is_file():
        steps = steps_of(request, is_image)
        check_steps(steps)
        return dict(remembered(path, lambda: {"format": FORMAT, "request": request.as_dict(), "steps": steps}))
    plan = json_of(path)
    if plan is None:
        raise WganError(
            f"{path} is damaged: delete it, and the same command makes a new plan and keeps what is trained"
        )
    if plan.get("request") != request.as_dict() or set(plan.get("steps", ())) != set(request.objectives):
        raise WganError(f"{out} holds another comparison: repeat its options to continue it, or give another --out")
    return plan


def is_ours(out: Path) -> bool:
    """Return whether `out`, which holds no plan, is empty or holds nothing but what a comparison wrote there."""
    if not out.is_dir():
        return False
    names = {p.name for p in out.iterdir()} - {".plan.json.tmp"}  # what a kill leaves while the plan is written
    return not names or (names <= OURS and bool(names & {"cpu.json", "gradients"}))


def steps_of(request: Request, is_image: bool) -> dict[str, int]:
    """Return the steps of each objective within the budget, measured on this machine where it is a time."""
    if request.kind == "steps":
        return {name: int(request.amount) for name in request.objectives}
    if request.kind == "forwards":
        return {name: int(request.amount / forwards(name)) for name in request.objectives}
    probe = trials(request.replace(parts=("quality",), seeds=1), is_image, dict.fromkeys(request.objectives, 1000))
    rounds = [{trial.objective: seconds_per_step(trial, is_image) for trial in probe} for _ in range(3)]  # interleaved
    return {name: int(request.amount / min(r[name] for r in rounds)) for name in request.objectives}


def seconds_per_step(trial: Trial, is_image: bool) -> float:
    """Return the CPU seconds of a step of a trial, from a few real ones; on another device the seconds of the clock."""
    config = trial.config(is_image)
    source = open_source(config.data, config.split)
    engine = engine_for(config, source)
    clock = time.process_time if engine.device.type == "cpu" else time.perf_counter
    with thread_count(engine.threads):
        players = make_players(config, engine, source)
        for step in range(PROBE + 2):
            if step == 2:  # the first ones warm up
                begun = clock()
            numbers(critic_phase(players, source, step) | generator_phase(players, source, step))
    return (clock() - begun) / PROBE


def measure_trial(trial: Trial, out: Path, is_image: bool) -> dict[str, Any]:
    """Train a trial to its end unless it is, read it off, and return what the comparison needs of it.

    A run that stopped because a number was not finite counts as failed, once and for all.
    """
    note = out / "runs" / trial.name / "comparison.json"
    found = json_of(note)
    if found is None or not found.keys() >= NOTHING.keys():
        check()
        found = read_trial(trial, out, is_image)
        make_folder(note.parent)
        write_atomically(note, text_of(found))
    return {**asdict(trial), "name": trial.name, **found, "cpu_seconds": spent(out).get(trial.name)}


def read_trial(trial: Trial, out: Path, is_image: bool) -> dict[str, Any]:
    """Train a trial and return its reading, or why it failed."""
    try:
        run = trained_run(trial.config(is_image), trial.name, out)
    except WganError as error:
        if "not finite" not in str(error):
            raise
        return {**NOTHING, "failed": str(error)}
    return {"failed": "", **run_reading(trial, run)}


def trained_run(config: Config, name: str, out: Path) -> Run:
    """Return the finished run of that name; Interrupted with the exit code when a signal ended its training."""
    folder = out / "runs" / name
    if (folder / "run.json").is_file() and (folder / "config.json").is_file():
        run = open_run(folder)
        if strange := differences(run.config, config):
            raise WganError(
                f"{folder} is not a run of this comparison ({'; '.join(strange)}): move it away, or give another --out"
            )
        if run.config == config and run.step == config.steps:
            return run
    make_folder(folder.parent)
    begun = time.process_time()
    try:
        outcome = train(config, folder)
    finally:
        spend(out, name, time.process_time() - begun)
    if outcome.code:
        raise Interrupted(outcome.code)
    return outcome.run


def spent(out: Path) -> dict[str, float]:
    """Return the CPU seconds of each run's training so far."""
    return {name: float(s) for name, s in (json_of(out / "cpu.json") or {}).items() if isinstance(s, (int, float))}


def spend(out: Path, name: str, seconds: float) -> None:
    """Add CPU seconds to those of a run, of which several processes may train some."""
    with FileLock(out / ".cpu.lock"):
        known = spent(out)
        write_atomically(out / "cpu.json", text_of({**known, name: known.get(name, 0.0) + seconds}))
