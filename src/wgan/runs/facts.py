"""The facts of a run: what run.json records next to the config, once, when the run begins."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wgan.config import FORMAT
from wgan.errors import WganError
from wgan.ways import OLD, Ways, ways_of

NEEDED = {"format": int, "shape": list, "classes": int, "class_names": list, "precision": str, "threads": int}


@dataclass(frozen=True)
class RunFacts:
    """The data's shape and classes, how `auto` was resolved, and what was trained with which versions.

    The fields with a default are younger than format 1, or not of every run: run.json leaves them out at their default.
    """

    shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...]
    precision: str  # fp32 | bf16 | fp64
    threads: int
    device: str = ""
    ways: Ways = OLD  # of computing: chosen where it began
    processor: str = ""  # on which it began, where it was a CPU
    processes: int = 1
    parameters: dict[str, int] = field(default_factory=dict)  # trained numbers of the generator and of the critic
    versions: dict[str, str] = field(default_factory=dict)
    data: str = ""  # hash of the content of the user's own data
    units: dict[str, Any] | None = None  # of vectors that were standardised: see data/units.py
    table: dict[str, Any] | None = None  # of a table with columns of any kind: see data/tabular/table.py
    depth: dict[str, Any] | None = None  # of images that keep their values, and of volumes: see data/depth.py
    signal: dict[str, Any] | None = None  # of signals that were standardised: see data/signals.py
    conditions: dict[str, Any] | None = None  # numbers and categories of each sample: see data/conditions.py
    class_counts: tuple[int, ...] = ()  # training samples of each class of a user's own data
    origin: dict[str, Any] = field(default_factory=dict)  # the run it started from, and which weights were taken
    parts: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # given in Python: name, source hash, weights' shapes

    def to_json(self) -> dict[str, Any]:
        """Return the object that run.json holds."""
        values = dataclasses.asdict(self)
        return {"format": FORMAT} | {f.name: values[f.name] for f in dataclasses.fields(self) if not self._default(f)}

    def _default(self, f: dataclasses.Field[Any]) -> bool:
        made = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        return bool(getattr(self, f.name) == made)


def from_json(values: dict[str, Any]) -> RunFacts:
    """Return the facts in an object that was read from run.json; keys of other versions are left alone."""
    known = {f.name: values[f.name] for f in dataclasses.fields(RunFacts) if f.name in values}
    return RunFacts(
        **{
            **known,
            "shape": tuple(values["shape"]),
            "class_names": tuple(values["class_names"]),
            "class_counts": tuple(values.get("class_counts", ())),
            "ways": ways_of(values.get("ways", {})),
        }
    )


def parse(text: str, path: Path) -> RunFacts:
    """Return the facts in the text of the file `path`; WganError for what no run has written."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise WganError(f"{path} is not valid JSON: the run folder is damaged") from None
    if not isinstance(values, dict) or any(not isinstance(values.get(k), kind) for k, kind in NEEDED.items()):
        raise WganError(f"{path} lacks one of {', '.join(NEEDED)}: the run folder is damaged")
    if values["format"] > FORMAT:
        raise WganError(f"{path} has format {values['format']}, this wgan reads up to {FORMAT}: install a newer wgan")
    facts = from_json(values)
    if not _plausible(facts):
        raise WganError(f"{path} says what no run can be: the run folder is damaged")
    return facts


def _plausible(f: RunFacts) -> bool:
    """Return whether facts read from a file can be a run's: sizes that exist, a name for each class."""
    return (
        len(f.shape) in (1, 2, 3, 4)
        and all(type(n) is int and 0 < n <= 65536 for n in f.shape)
        and math.prod(f.shape) <= 2**24
        and all(isinstance(name, str) for name in f.class_names)
        and 0 <= f.classes <= 65536
        and len(f.class_names) in (0, f.classes or 1)  # one selected class, mnist:5, is unlabelled and keeps its name
        and f.precision in ("fp32", "bf16", "fp64")
        and 1 <= f.threads <= 1024
        and isinstance(f.device, str)
        and isinstance(f.processor, str)
        and f.ways.known()
        and type(f.processes) is int
        and isinstance(f.data, str)
        and are_counts(f.parameters)
        and are_counts(dict(enumerate(f.class_counts)))
        and len(f.class_counts) in (0, f.classes)
        and isinstance(f.versions, dict)
        and isinstance(f.origin, dict)
        and isinstance(f.origin.get("run", ""), str)
        and isinstance(f.parts, dict)
        and all(_is_part(part) for part in f.parts.values())
    )


def _is_part(part: Any) -> bool:
    """Return whether a value read from JSON describes a part that was given in Python."""
    return (
        isinstance(part, dict)
        and all(isinstance(part.get(key), str) for key in ("name", "source"))
        and isinstance(part.get("parameters", {}), dict)
        and isinstance(part.get("labels", False), bool)
    )


def are_counts(values: Any) -> bool:
    """Return whether a value read from JSON is a dictionary of sizes."""
    return isinstance(values, dict) and all(type(n) is int and 0 <= n < 2**63 for n in values.values())
