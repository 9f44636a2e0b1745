"""A study: search by equal draws, fresh seeds for the best settings, gradients, verdicts; every run an ordinary run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wgan.compare.diagnostics import vanishing
from wgan.compare.measure import json_of, remembered, text_of
from wgan.compare.run import Say, spent, trained_run
from wgan.compare.study.design import PARTS, TRAINED, Design, Task
from wgan.compare.study.draws import CONFIRM_SEED, SEARCH_SEED, config_of, draw, planned
from wgan.compare.study.judges import judged, judges_of, rows_beside
from wgan.compare.study.share import LOCKS, MOST, Piece, held, shared, write_alone
from wgan.compare.study.verdicts import answered
from wgan.compare.study.work import NO_WORK, flop_of_step, steps_within
from wgan.compare.summary import curve_of
from wgan.config import Config
from wgan.data import open_source
from wgan.distributed.signals import check
from wgan.errors import WganError
from wgan.evaluation.evaluate import SEED
from wgan.evaluation.samples import from_model
from wgan.runs import checkpoint
from wgan.runs.folder import Run, make_folder, open_run, versions
from wgan.sampling.model import load

FORMAT = 1  # of design.json and of a study's compare.json
SEARCHED = 12  # evaluations of a searched run over its whole budget
UPDATES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 10_000)


@dataclass(frozen=True)
class Bench:
    """Where a study stands: its design, its folder, whom to tell, and what is known of each task's data."""

    design: Design
    out: Path
    say: Say

    def is_image(self, task: Task) -> bool:
        """Return whether the task's data are images."""
        return open_source(task.data, "train").is_image

    def note(self, name: str, what: str) -> Path:
        """Return the file that remembers what was read off a run."""
        return self.out / "notes" / f"{name}_{what}.json"


@dataclass(frozen=True, eq=False)
class Leg:
    """One run of a study, whatever part of its budget it is trained to."""

    name: str  # of its folder
    task: str
    arm: str
    setting: Mapping[str, Any]
    seed: int
    evaluations: int  # over the whole budget

    def facts(self) -> dict[str, Any]:
        """Return what a row says of it."""
        about = {"name": self.name, "task": self.task, "arm": self.arm, "seed": self.seed}
        return {**about, "setting": dict(self.setting)}


def study(design: Design, out: Path, say: Say = lambda text: None) -> dict[str, Any]:
    """Run or resume a study in `out`; return all raw values and what follows from them, as compare.json has it.

    Several processes may run the same study in one folder, and share its runs. Raises WganError when `out` holds another
    study or something else, Interrupted after a signal.
    """
    bench = Bench(design, out, say)
    settle(bench)
    tasks = {name: beside(bench, name, task) for name, task in design.tasks.items()}
    search = [row for name, task in design.tasks.items() for row in searched(bench, name, task)]
    chosen = {name: best_of(search, name, design) for name in design.tasks}
    confirm = {name: confirmed(bench, name, task, chosen[name]) for name, task in design.tasks.items()}
    result = {
        "format": FORMAT,
        "kind": "study",
        "design": as_json(design),
        "versions": versions(),
        "tasks": tasks,
        "search": search,
        "confirm": [row for rows, _ in confirm.values() for row in rows],
        "gradients": [row for _, rows in confirm.values() for row in rows],
        "cpu_seconds": spent(out),
    }
    result |= answered(result)
    write_alone(out / "compare.json", text_of(result))
    return result


def as_json(design: Design) -> dict[str, Any]:
    """Return a design as JSON gives it back."""
    found = asdict(design)
    return {
        **found,
        "hypotheses": list(found["hypotheses"]),
        "sentences": [{**s, "needs": list(s["needs"])} for s in found["sentences"]],
    }


def settle(bench: Bench) -> None:
    """Write the design into the folder before the first run; WganError where the folder holds another, or something else."""
    out, path = bench.out, bench.out / "design.json"
    begun = {LOCKS, f".{path.name}.tmp"}  # by another process, a moment ago
    if out.exists() and not path.is_file() and {p.name for p in out.iterdir()} - begun:
        raise WganError(f"{out} is not a study: give an empty folder, or a new one, to --out")
    require_runnable(bench.design)
    if not path.is_file():
        require_budgets(bench.design)
    elif json_of(path) is None:
        raise WganError(f"{path} is damaged: restore it, for it says what was decided before the runs")
    make_folder(out)
    with held(path, MOST):
        found = remembered(path, lambda: {"format": FORMAT, "design": as_json(bench.design)})
    if found.get("design") != as_json(bench.design):
        raise WganError(f"{out} holds another design: what was decided before the runs stays; give another --out")


def require_runnable(design: Design) -> None:
    """Raise WganError for data that cannot be compared, and for any setting of any arm that no run could have."""
    for task in design.tasks.values():
        source = open_source(task.data, "train")
        if source.is_signal or source.is_volume:
            raise WganError(f"{task.data} holds {source.kind}, and a study knows images and points")
        for number in range(design.draws):
            setting = draw(design.space, number, design.seed)
            for arm in design.arms:
                config_of(design, task, arm, setting, source.is_image)


def require_budgets(design: Design) -> None:
    """Raise WganError for a budget that gives a setting of any arm too few steps: told before the first run, not by the last."""
    for task in design.tasks.values():
        source, seen = open_source(task.data, "train"), set()
        for number in range(design.draws):
            setting = draw(design.space, number, design.seed)
            for arm in design.arms:
                config = config_of(design, task, arm, setting, source.is_image)
                work = config.replace(**{name: getattr(Config(), name) for name in NO_WORK})
                if work not in seen:
                    seen.add(work)
                    steps_within(task.flop, flop_of_step(config, source))


def beside(bench: Bench, name: str, task: Task) -> dict[str, Any]:
    """Return the judges of a task and what they say of noise and real rows; WganError for a threshold that noise reaches."""
    config = config_of(bench.design, task, next(iter(bench.design.arms)), {}, bench.is_image(task))
    what = f"{name}: what the judges say of noise and of real samples"
    look = Piece(bench.note(name, "beside"), lambda: rows_beside(config, bench.design.samples), what)
    rows = shared([look], bench.say)[0]
    noise, real = rows["noise"]["selection"], rows["real"]["selection"]
    if not real < task.threshold < noise:
        raise WganError(
            f"task {name}: the threshold {task.threshold:g} must lie between real samples ({real:.3g}) and noise ({noise:.3g})"
        )
    return {"judges": list(judges_of(open_source(task.data, "test"))), "beside": rows, **asdict(task)}


def searched(bench: Bench, name: str, task: Task) -> list[dict[str, Any]]:
    """Return what each draw of each arm reached at a quarter of the budget, and the best of them at the whole."""
    design = bench.design
    legs = {}
    for number in range(design.draws):
        setting = draw(design.space, number, design.seed)
        for arm in design.arms:
            leg = Leg(f"{name}_{arm}_d{number:03d}", name, arm, setting, SEARCH_SEED + number, SEARCHED)
            legs[leg] = f"search, {number + 1} of {design.draws} draws"
    found = [{**row, "draw": row["seed"] - SEARCH_SEED} for row in trials(bench, legs, 1)]
    best: dict[str, dict[str, Any]] = {}
    for arm in design.arms:
        mine = sorted((r for r in found if r["arm"] == arm), key=lambda r: value_of(r, 1))
        best |= {row["name"]: row for row in mine[: design.keep]}
    again = {leg: "search, the whole budget" for leg in legs if leg.name in best}
    for row in trials(bench, again, 4):
        best[row["name"]] |= row
    return found


def value_of(row: Mapping[str, Any], quarters: int) -> float:
    """Return the selection metric of a run after so many quarters of its budget; infinite where it failed or never got there."""
    value = row["selection"].get(str(quarters))
    return math.inf if row["failed"] or value is None else float(value)


def best_of(search: list[dict[str, Any]], task: str, design: Design) -> dict[str, dict[str, Any]]:
    """Return the row of each arm whose setting is best at the whole budget, by the selection split alone."""
    return {
        arm: min(
            (r for r in search if (r["task"], r["arm"]) == (task, arm)), key=lambda r: (value_of(r, 4), value_of(r, 1))
        )
        for arm in design.arms
    }


def confirmed(
    bench: Bench, name: str, task: Task, chosen: Mapping[str, Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what fresh seeds of each arm's best setting reach, the same seeds for all arms, and the gradients below them."""
    legs = {}
    for k in range(task.seeds):
        for arm, best in chosen.items():
            folder = f"{name}_{arm}_s{k:02d}"
            leg = Leg(folder, name, arm, best["setting"], CONFIRM_SEED + k, bench.design.evaluations)
            legs[leg] = f"confirm, seed {k + 1} of {task.seeds}"
    works = [
        Piece(bench.note(leg.name, "confirmed"), partial(finished, bench, leg), f"{what}: {leg.name}")
        for leg, what in legs.items()
    ]
    rows, gradients = [], []
    for leg, work in zip(legs, shared(works, bench.say), strict=True):
        rows.append({**leg.facts(), **work["row"], "draw": chosen[leg.arm]["draw"], "readings": work["readings"]})
        about = {"task": name, "arm": leg.arm, "seed": leg.seed}
        gradients += [{**about, "trained": float(part), "curves": c} for part, c in work["gradients"].items()]
    return rows, gradients


def finished(bench: Bench, leg: Leg) -> dict[str, Any]:
    """Train a run to the whole of its budget, and return its row, what every judge says of it, and the gradients below it.

    A run is finished before the next begins: what was noted needs no run folder any more.
    """
    row = remembered(bench.note(leg.name, "4_of_4"), partial(learned, bench, leg, 4))
    if row["failed"]:
        return {"row": row, "readings": {}, "gradients": {}}
    look = partial(readings_of, leg.name, bench.design.tasks[leg.task], bench)
    readings = remembered(bench.note(leg.name, "judged"), look)
    gradients = {}
    for part in TRAINED if leg.task in {h.task for h in bench.design.hypotheses if h.kind == "gradient"} else ():
        bench.say(f"gradients below {leg.name} at {100 * part:g} % of its training")
        look = partial(gradients_of, leg.name, part, bench)
        gradients[f"{part:g}"] = remembered(bench.note(leg.name, f"gradients_{part:g}"), look)
    return {"row": row, "readings": readings, "gradients": gradients}


def readings_of(folder: str, task: Task, bench: Bench) -> dict[str, dict[str, float]]:
    """Return part of the budget -> judge -> value of a finished run, on the report split."""
    run, n, found = open_run(bench.out / "runs" / folder), bench.design.samples, {}
    for part in PARTS:
        check()
        model = load(run, checkpoint=int(part * run.config.steps))
        found[f"{part:g}"] = judged(from_model(model, n, SEED, None).fakes, task.data, n)
    return found


def trials(bench: Bench, legs: Mapping[Leg, str], quarters: int) -> list[dict[str, Any]]:
    """Train runs to so many quarters of their budgets and return what their logs say; what has a note is read from it.

    A run that stopped because a number was not finite counts as failed, once and for all.
    """
    pieces = [
        Piece(bench.note(leg.name, f"{quarters}_of_4"), partial(learned, bench, leg, quarters), f"{what}: {leg.name}")
        for leg, what in legs.items()
    ]
    found = shared(pieces, bench.say)
    return [{**leg.facts(), **values} for leg, values in zip(legs, found, strict=True)]


def learned(bench: Bench, leg: Leg, quarters: int) -> dict[str, Any]:
    """Train a run and return its steps, its work, its curve and the selection metric at each quarter."""
    check()
    task = bench.design.tasks[leg.task]
    config = config_of(bench.design, task, leg.arm, leg.setting, bench.is_image(task))
    each = flop_of_step(config, open_source(task.data, "train"))
    whole = steps_within(task.flop, each)
    wanted = planned(config, leg.seed, quarters * whole // 4, whole, leg.evaluations)
    row = {"steps": wanted.steps, "flop_of_step": each, "failed": "", "selection": {}, "curve": []}
    try:
        run = at_least(wanted, leg.name, bench.out)
    except WganError as error:
        if "not finite" not in str(error):
            raise
        return {**row, "failed": str(error)}
    curve = curve_of(config.objective, run.log())
    at = {point["step"]: point["figure"] for point in curve}
    return {**row, "curve": curve, "selection": {str(q): at[s] for q in range(1, 5) if (s := q * whole // 4) in at}}


def at_least(config: Config, folder: str, out: Path) -> Run:
    """Return the run of that name, trained to the config's steps or further."""
    path = out / "runs" / folder
    if (path / "run.json").is_file():
        run = open_run(path)
        if run.step >= config.steps and run.config.replace(steps=config.steps) == config:
            return run
    return trained_run(config, folder, out)


def gradients_of(folder: str, part: float, bench: Bench) -> dict[str, Any]:
    """Return loss -> (critic updates, gradient norm); the critic is new, and constrained from update 0."""
    run, last = open_run(bench.out / "runs" / folder), bench.design.critic_updates
    updates = (*(k for k in UPDATES if k < last), last)
    step = int(part * run.config.steps)
    generator = checkpoint.part(checkpoint.load(run.checkpoints, step).tensors, "generator") if step else None
    return dict(vanishing(run.config, updates, generator))
