"""Config: every option of a run in one frozen record that checks itself; flags, config.json and docs come from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from wgan.config.groups import (
    DataOptions,
    LegacyOptions,
    NetworkOptions,
    ObjectiveOptions,
    OptimizerOptions,
    OutputOptions,
    ReadingOptions,
    RuntimeOptions,
)
from wgan.config.option import options_of
from wgan.config.rules import check_combinations
from wgan.config.synonyms import meant_option
from wgan.errors import WganError

SAID = 12  # options that are named where some are missing
FORMAT = 1  # of config.json; raised when a field changes its meaning


# a dataclass collects the fields of its bases from the last to the first: the legacy options come last
@dataclass(frozen=True)
class Config(
    LegacyOptions,
    OutputOptions,
    RuntimeOptions,
    OptimizerOptions,
    ObjectiveOptions,
    NetworkOptions,
    ReadingOptions,
    DataOptions,
):
    """All options of one run; the defaults are the recipe `mnist`.

    Raises WganError for a value outside its range, naming the field and what would be right.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_combinations(self)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with `changes`; an unknown name raises WganError with the nearest known one."""
        check_names(changes)
        return replace(self, **changes)

    def to_json(self) -> str:
        """Return the config as JSON text with its format number."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"


FIELDS = options_of(Config)


def check_names(values: Iterable[str], where: str = "option") -> None:
    """Raise WganError for a name that is not a field of Config, with what it may mean."""
    for name in values:
        if name not in FIELDS:
            raise WganError(f"unknown {where} '{name}': {meant_option(name, FIELDS)}")


def check_value(name: str, value: Any) -> Any:
    """Return `value` as the type of field `name`, or raise WganError saying what it must be."""
    return FIELDS[name].fitted(value)


def from_dict(values: Mapping[str, Any], where: str) -> Config:
    """Build a Config from a mapping read from file `where`; one clear WganError for anything that does not fit."""
    known = dict(values)
    number = known.pop("format", None)
    if not isinstance(number, int) or isinstance(number, bool):
        raise WganError(f"{where} has no format number: not a config of wgan")
    if number > FORMAT:
        raise WganError(f"{where} has format {number}, this wgan reads up to {FORMAT}: install a newer wgan")
    known = renewed(known)
    check_names(known, where=f"option in {where}")
    missing = [name for name, f in FIELDS.items() if name not in known and not f.later]
    if missing:
        more = f" and {len(missing) - SAID} more options" if len(missing) > SAID else ""
        raise WganError(f"{where} lacks {', '.join(missing[:SAID])}{more}")
    return Config(**known)


_KERAS = {"optimizer": "rmsprop", "rmsprop_rho": 0.9, "rmsprop_eps": 1e-7}
_OPTIMIZERS = {  # what the optimizers of 0.1 were called
    "rmsprop-keras": {**_KERAS, "rmsprop_eps_place": "under"},
    "rmsprop-keras2": {**_KERAS, "rmsprop_eps_place": "beside"},
}


def renewed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a config.json in today's words: 0.1 named optimizers by year and initial weights by a number.

    0 for None, and 0 and 1 for a switch, need no translation: every option takes them.
    """
    new = {**values, **_OPTIMIZERS.get(str(values.get("optimizer")), {})}
    for name in ("generator_init", "critic_init"):
        if isinstance(new.get(name), (int, float)):
            new[name] = f"normal:{new[name]:g}" if new[name] else "pytorch"
    return new


def from_json(text: str, where: str) -> Config:
    """Parse config.json text; WganError for anything that is not a whole config."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise WganError(f"{where} is not valid JSON") from None
    if not isinstance(values, dict):
        raise WganError(f"{where} is not a config: expected a JSON object")
    return from_dict(values, where)


def changed(old: Config, new: Config) -> list[str]:
    """Return the names of the fields in which two configs differ.

    A penalty weight that is left to the objective is the same as that weight given: runs of 0.1 hold the number.
    """
    same = {"penalty_weight"} if old.penalty == new.penalty else set()
    return [name for name in FIELDS if name not in same and getattr(old, name) != getattr(new, name)]


def differences(old: Config, new: Config) -> list[str]:
    """Return 'name: old -> new' for every field in which two configs differ, but those that may."""
    alone = "batch" not in (old.generator_norm, old.critic_norm)  # no sample depends on which others are in its pass
    free = {name for name, f in FIELDS.items() if f.free} | ({"microbatch"} if alone else set())
    said = {
        c: {n: f.word(getattr(c, n)) for n, f in FIELDS.items()} | {"penalty_weight": f"{c.penalty}"}
        for c in (old, new)
    }
    return [f"{name}: {said[old][name]} -> {said[new][name]}" for name in changed(old, new) if name not in free]
