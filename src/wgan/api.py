"""The library's front door: train() by recipe name, with any option as a keyword."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from wgan.config import FIELDS, Config, ReadingOptions, check_names, check_value
from wgan.config.file import read_options
from wgan.config.option import options_of
from wgan.errors import WganError, unknown
from wgan.recipes import DEFAULT, RECIPES, configure
from wgan.runs.folder import Run, has_run, open_run

if TYPE_CHECKING:
    from wgan.config.keywords import Options
    from wgan.training.observer import OnStep


class Plan(NamedTuple):
    """What is to be trained, and where."""

    config: Config
    folder: Path
    chosen: str  # which recipe, and why


def train(
    recipe: Any = None,
    *,
    config: Config | str | Path | None = None,
    data: Any = None,
    run: str | Path | None = None,
    on_step: OnStep | None = None,
    minutes: float | None = None,
    from_run: str | Path | Run | None = None,
    log_to: str | None = None,
    **options: Unpack[Options],
) -> Run:
    """Train a recipe, or resume a run exactly where it stopped; return its Run.

    Ctrl-C saves, then raises KeyboardInterrupt as usual, so that a script that trains several runs stops too; SIGTERM
    likewise SystemExit.

    Args:
        recipe: a name of RECIPES. None = what fits the data, mnist without any; in the folder of a run it means that run, with
            its own options where none are given: train(run=R) continues R and train(run=R, steps=N) makes it longer. Also data, a
            run folder, a Run or a Config, as if given as `data`, `run` or `config`.
        config: a whole Config instead of a recipe, or the path of a JSON, TOML or YAML file with options.
        data: a name or path as on the command line; an array, tensor, (samples, labels), Dataset or iterable of arrays; or a
            Source of your own, or two, (training, held-out).
        run: the run folder; None = runs/NAME, after the recipe or the data.
        on_step: f(step, numbers), called with what each line of the log gets, every `log_every` steps. When it returns
            wgan.STOP the run is saved and ends, as it does when f raises, which is then raised here; the same call again
            continues the run. It can change nothing: numbers are a copy, and what it sets in torch is set back.
        minutes: train for as many steps as fit into that time on this machine, which are measured first; the run is then an
            ordinary one of so many steps.
        from_run: a run, or an exported model, whose weights a new run starts from; without a recipe or config its options
            too, but for those given. What fits is taken; what does not is said, and stands in run.json.
        log_to: mlflow, trackio or wandb: each line of the log is sent there too; log.jsonl stays the record.
        **options: any field of Config. generator, critic, objective and optimizer may also be objects of your own: modules
            G(z, y) -> x and D(x, y) -> (score, class_logits or None), an Objective, a function of weights that returns a torch
            optimizer (docs/reference/python.md); give the same again to continue the run.

    Raises:
        WganError: an unknown recipe or option, a value out of range, or a folder that holds something else.
    """
    from wgan.distributed.rendezvous import formed
    from wgan.training.budget import checked_minutes
    from wgan.training.given import divided
    from wgan.training.loop import train as loop
    from wgan.training.observer import mirroring

    recipe, config, data, run = sorted_out(recipe, config, data, run)
    asked: dict[str, Any] = dict(options)
    time = checked_minutes(minutes, asked)
    if data is not None:
        asked["data"] = str(data) if isinstance(data, (str, Path)) else given(data)
    with formed() as group:  # of a script that torchrun started; alone otherwise
        parts, changes = group.on_all(lambda: divided(asked))
        origin = group.on_all(lambda: None if from_run is None else as_run(from_run))
        planned = group.on_all(lambda: plan(recipe, changes, run, config, origin), patient=True)
        if group.is_main:
            print(planned.chosen, flush=True)
        with mirroring(on_step, log_to, planned.folder, planned.config) as seeing:
            outcome = loop(
                planned.config,
                planned.folder,
                group=group,
                on_step=seeing,
                given=parts,
                minutes=time,
                from_run=origin,
            )
    if outcome.code:
        raise KeyboardInterrupt if outcome.code == 130 else SystemExit(outcome.code)
    return outcome.run


def sorted_out(
    first: Any, config: Config | str | Path | None, data: Any, run: str | Path | None
) -> tuple[str | None, Config | str | Path | None, Any, str | Path | None]:
    """Return recipe, config, data and run, where the first argument may be any of them; WganError for one that is given twice."""
    if first is None or isinstance(first, str):
        return first, config, data, run
    if isinstance(first, Path):
        return str(first), config, data, run
    kind, there = ("config", config) if isinstance(first, Config) else ("data", data)
    if isinstance(first, Run):
        kind, first, there = "run", first.path, run
    if there is not None:
        raise WganError(f"{kind} is given twice, first by position and then as {kind}=...: give one of them")
    found = {"config": config, "data": data, "run": run} | {kind: first}
    return None, found["config"], found["data"], found["run"]


def given(data: Any) -> str:
    """Return the data spec that stands for an array, tensor, Dataset or iterable; see wgan.data.own.in_memory."""
    from wgan.data.own.in_memory import spec_of

    return spec_of(data)


def plan(
    recipe: str | None,
    overrides: Mapping[str, Any],
    run: str | Path | None = None,
    base: Config | str | Path | None = None,
    origin: Run | None = None,
) -> Plan:
    """Return the Config and the run folder: of `base`, of `recipe`, or of the recipe that fits the data where both are None.

    base: a whole Config, or a file with options, over which those of `overrides` win. origin: a run to start from, whose own
    options are taken where neither is given.

    Paths of data become absolute; run: None = runs/NAME. Raises WganError for a mistake in the options, also when one that
    acts on labels is given for data without any, and for data that cannot be read when they must be looked at for that.
    """
    from wgan.data import is_own
    from wgan.data.own.open import absolute, described

    recipe, run, changes = meant(recipe, run, overrides)
    if isinstance(base, (str, Path)):
        recipe, changes, base = with_file(Path(base), recipe, changes)
    if recipe is not None and base is not None:
        raise WganError("give a recipe or a config, not both: a config holds the recipe's options already")
    if "data" in changes:
        changes["data"] = absolute(str(changes["data"]))
    if recipe is None and base is None and run is not None and has_run(Path(run)):
        config = continued(open_run(run), changes)
        return Plan(config, Path(run), f"recipe {config.recipe}, with which {run} began")
    why = "of the config that was given"
    if recipe is None and base is None and origin is not None:
        base, why = like(origin, changes), f"with which {origin.path} began"
    if base is not None:
        config = base.replace(**{"data": absolute(base.data), **changes})
        recipe = None if is_own(config.data) else config.recipe
    elif recipe is not None:
        config, why = configure(recipe, changes), "by its name"
    elif "data" in changes:
        config = configure(fitting(changes), changes)
        why = f"which fits {described(config.data)}"
    else:
        config, why = configure(DEFAULT, changes), "the default"
    folder = Path(run) if run is not None else Path("runs") / run_name(config, recipe)
    require_labels(config, changes, folder)
    return Plan(config, folder, f"recipe {config.recipe}, {why}")


def as_run(run: str | Path | Run) -> Run:
    """Return a run, opened if it is given by its folder."""
    return run if isinstance(run, Run) else open_run(run)


def like(origin: Run, changes: Mapping[str, Any]) -> Config:
    """Return the options of a run for a new one that starts from it; how its data were read only where the data stay."""
    fresh = ReadingOptions() if "data" in changes else origin.config
    reading = {name: getattr(fresh, name) for name in options_of(ReadingOptions)}
    return origin.config.replace(decay_steps=None, **reading)


def meant(
    name: str | None, run: str | Path | None, overrides: Mapping[str, Any]
) -> tuple[str | None, str | Path | None, dict[str, Any]]:
    """Return the recipe, the run folder and the options that `name` means: a recipe, a run folder to resume, or data.

    A recipe's name is that recipe, whatever a file is called: ./mnist is the file. Raises WganError for a name that is
    nothing of these, and for a run or data that are given twice.
    """
    changes = dict(overrides)
    if name is None or name in RECIPES:
        return name, run, changes
    if not is_data(name):
        raise WganError(f"{unknown('recipe', name, RECIPES)}; no file or folder has that name, either")
    if Path(name).suffix.lower() in (".toml", ".yaml", ".yml") or Path(name).name == "config.json":
        raise WganError(f"{name} is not data: a file of options is given with --config {name}")
    if has_run(Path(name)):
        if run is not None:
            raise WganError(f"{name} is a run folder, and {run} is given as another: give one of them")
        return None, name, changes
    if "data" in changes:
        raise WganError(f"{name} is data, and data {changes['data']} are given too: give one of them")
    return None, run, {**changes, "data": name}


def with_file(
    file: Path, recipe: str | None, changes: Mapping[str, Any]
) -> tuple[str | None, dict[str, Any], Config | None]:
    """Return the recipe, the options, and the whole Config if the file is one, of a file of options with `changes` over them.

    Raises WganError for a file that cannot be read, and for one that names another recipe.
    """
    read = read_options(file)
    if isinstance(read, Config):
        return recipe, dict(changes), read
    named = read.pop("recipe", recipe)
    if recipe not in (None, named):
        raise WganError(f"{file} is for recipe {named}, and recipe {recipe} is given too: give one of them")
    return named, {**read, **changes}, None


def is_data(name: str) -> bool:
    """Return whether a name that is not a recipe's is meant as data: a path, hf:NAME, or a bundled one such as mnist:0-4."""
    from wgan.data import is_bundled, is_own

    return is_own(name) or is_bundled(name)


def continued(run: Run, changes: Mapping[str, Any]) -> Config:
    """Return the config of an existing run with `changes`; WganError where its data are gone and no other place is given.

    What may not change is refused later, by the run folder; see wgan.config.differences.
    """
    from wgan.data.own.open import is_gone

    data = run.config.data
    if is_gone(data) and "data" not in changes:
        raise WganError(f"the data of {run.path}, {data}, are no longer there: give their new place with --data")
    return run.config.replace(**changes)


def require_labels(config: Config, changes: Mapping[str, Any], folder: Path) -> None:
    """Raise WganError when an option of `changes` acts on labels, and the data have none: it would do nothing."""
    asked = [name for name in changes if FIELDS[name].labels and getattr(config, name) not in ("none", 0)]
    if not asked or (folder / "config.json").exists():  # a run that began so continues so
        return
    from wgan.data import open_source
    from wgan.data.own.open import described

    source = open_source(config.data, config.split, options=config)
    if source.conditions is not None:
        asked = [name for name in asked if name not in ("conditioning", "critic_conditioning")]  # these act on both
    if asked and not source.classes:
        what = " and ".join(f"{name} {changes[name]}" for name in asked)
        labels = " (labels none)" if config.labels == "none" else ""
        raise WganError(
            f"{what} would do nothing: {described(config.data)} has no labels{labels}; leave that out, or give labels "
            "(sub-folders, an array of labels, --labels COLUMN)"
        )


def fitting(changes: Mapping[str, Any]) -> str:
    """Return the recipe that fits the data of `changes`, as these say it themselves."""
    from wgan.data import open_source

    check_names(changes)
    values = {name: check_value(name, value) for name, value in changes.items()}  # before data are prepared for minutes
    reading = {name: value for name, value in values.items() if name in options_of(ReadingOptions)}
    return open_source(values["data"], options=ReadingOptions(**reading)).recipe


def run_name(config: Config, recipe: str | None) -> str:
    """Return the name of the run folder when none is given: the recipe that was named, or else what the data are called."""
    if recipe is not None:
        return recipe
    name = Path(config.data.replace(":", "-")).name
    return name.partition(".")[0] or config.recipe
