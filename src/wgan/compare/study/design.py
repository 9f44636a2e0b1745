"""What a study is: arms, data, budgets, draws and hypotheses, read from a small TOML file and checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from wgan.config import FIELDS
from wgan.config.objectives import FACTS
from wgan.errors import WganError, unknown

SHIPPED = Path(__file__).parent / "designs"
# kind of a hypothesis -> which side its published claim is on
KINDS: dict[str, str] = {
    "quality": "lower",  # the ratio of the distances to the data at equal work
    "stability": "higher",  # the difference of the fractions of draws at or below the threshold
    "gradient": "higher",  # the ratio of the fractions of the generator's gradient that a near-optimal critic leaves
    "modes": "higher",  # the difference of the modes covered
    "tracks": "higher",  # how much more a loss says of its own run's quality, given the step, than of another's
    "sensitivity": "lower",  # the ratio of how far the learning rates move the quality
}
PARTS = (0.25, 0.5, 1.0)  # of the budget, where quality is read; the search is at the first
TRAINED = (0.0, 0.25, 1.0)  # of the training of the generators below which gradients are watched
OWN = {"data", "objective", "seed", "steps", "threads", "log_every", "evaluate_every", "checkpoint_every", "keep_every"}
Value = str | float | int


@dataclass(frozen=True)
class Task:
    """The data that all arms learn from, the work of a run, and the seeds of the best settings."""

    data: str
    flop: float  # of a whole run: matrix products and convolutions of its updates
    seeds: int
    threshold: float  # of the selection metric, fixed beforehand: what counts as having learned
    architecture: str = "mlp"
    network: Mapping[str, Value] = field(default_factory=dict)  # options that all arms share


@dataclass(frozen=True)
class Hypothesis:
    """One claim of one arm against another, and on which data it is tested."""

    name: str
    kind: str
    task: str
    arm: str
    against: str = ""  # nothing for `tracks`, which is about one arm
    trained: float = 0.25  # of `gradient`: the generators' part of training


@dataclass(frozen=True)
class Sentence:
    """A published sentence, where it stands, and the hypotheses that it needs; none: it cannot be tested by these runs."""

    text: str
    source: str
    needs: tuple[str, ...] = ()
    why: str = ""  # it is not tested


@dataclass(frozen=True)
class Design:
    """Everything that is decided before the first run."""

    title: str
    arms: Mapping[str, Mapping[str, Value]]  # name -> options, its objective among them
    tasks: Mapping[str, Task]
    space: Mapping[str, Any]  # option -> {low, high}, even in the logarithm, or a list of equal chances
    hypotheses: tuple[Hypothesis, ...]
    sentences: tuple[Sentence, ...] = ()
    draws: int = 60
    keep: int = 15  # of the draws, those that get the whole budget
    evaluations: int = 60  # of a confirmed run
    critic_updates: int = 4000  # below a generator that stays, for the gradients
    samples: int = 10_000  # fakes of each confirmed run that are measured
    seed: int = 2026  # of the draws
    threads: int = 1

    def check(self) -> None:
        """Raise WganError for what cannot be run or tested."""
        for name, options in self.arms.items():
            if options.get("objective") not in FACTS:
                raise unknown(f"objective of arm {name}", str(options.get("objective")), FACTS)
            check_options(options, f"arm {name}", {"objective"})
        check_options(self.space, "space", set())
        for name, entry in self.space.items():
            check_range(name, entry)
        for name, task in self.tasks.items():
            check_options(task.network, f"the network of task {name}", set())
            if not (task.flop > 0 and task.seeds >= 1 and task.threshold > 0):
                raise WganError(f"task {name}: flop, seeds and threshold must be above 0")
        for h in self.hypotheses:
            self.check_hypothesis(h)
        for sentence in self.sentences:
            for name in sentence.needs:
                if name not in {h.name for h in self.hypotheses}:
                    raise unknown("hypothesis of a sentence", name, [h.name for h in self.hypotheses])
        if not 1 <= self.keep <= self.draws:
            raise WganError(f"keep must be between 1 and draws, which is {self.draws}, not {self.keep}")

    def check_hypothesis(self, h: Hypothesis) -> None:
        """Raise WganError for a hypothesis about what the design does not hold."""
        if h.kind not in KINDS:
            raise unknown("kind of hypothesis", h.kind, KINDS)
        if h.task not in self.tasks:
            raise unknown(f"task of hypothesis {h.name}", h.task, self.tasks)
        for arm in (h.arm,) if h.kind == "tracks" else (h.arm, h.against):
            if arm not in self.arms:
                raise unknown(f"arm of hypothesis {h.name}", arm, self.arms)
        if h.kind == "gradient" and h.trained not in TRAINED:
            raise WganError(f"hypothesis {h.name}: trained must be 0, 0.25 or 1, not {h.trained:g}")


def check_options(options: Mapping[str, Any], where: str, allowed: set[str]) -> None:
    """Raise WganError for names that are no options of a run, or that the study sets itself."""
    for name in options:
        if name not in FIELDS:
            raise unknown(f"option of {where}", name, FIELDS)
        if name in OWN - allowed:
            raise WganError(f"{where}: {name} is set by the study itself; leave it out")


def check_range(name: str, entry: Any) -> None:
    """Raise WganError unless an entry of the space is a list of values or {low, high} with 0 < low < high."""
    if isinstance(entry, list) and entry:
        return
    if isinstance(entry, Mapping) and set(entry) == {"low", "high"} and 0 < entry["low"] < entry["high"]:
        return
    raise WganError(f"space: {name} must be a list of values, or {{ low = ..., high = ... }} with 0 < low < high")


def read_design(name: str) -> Design:
    """Return the design that is shipped by that name, or that a TOML file holds; WganError with what is wrong in it."""
    shipped = SHIPPED / f"{name}.toml"
    path = shipped if "/" not in name and shipped.is_file() else Path(name)
    if not path.is_file():
        known = sorted(p.stem for p in SHIPPED.glob("*.toml"))
        raise WganError(f"there is no design {name}: give a TOML file, or one of {', '.join(known)}")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise WganError(f"{path} is not TOML: {error}") from None
    return from_values(values, str(path))


def from_values(values: Mapping[str, Any], where: str) -> Design:
    """Return the design that nested tables hold; WganError for a name that is unknown, missing or of another type."""
    try:
        found = dict(values)
        found["tasks"] = {name: Task(**task) for name, task in values["tasks"].items()}
        found["hypotheses"] = tuple(Hypothesis(**h) for h in values["hypotheses"])
        found["sentences"] = tuple(
            Sentence(**{**s, "needs": tuple(s.get("needs", ()))}) for s in values.get("sentences", ())
        )
        design = Design(**found)
        design.check()
    except KeyError as error:
        raise WganError(f"{where} has no {error.args[0]}: a design needs {', '.join(needed())}") from None
    except (TypeError, AttributeError) as error:
        raise WganError(f"{where} is not a design: {error}") from None
    return design


def needed() -> list[str]:
    """Return the tables and values that every design has."""
    return [f.name for f in fields(Design)][:5]
