"""What a run folder says of itself, read for a report: files only, no torch, and nothing in the folder is trusted.

A file that is missing, too large, damaged or a link out of the folder is left out with one sentence in `notes`.
"""

from __future__ import annotations

import json
import math
import shlex
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wgan.config import FIELDS, Config, from_json
from wgan.config import changed as options_changed
from wgan.errors import WganError
from wgan.recipes import DEFAULT, RECIPES, configure
from wgan.report.tables import TablePictures, pictures_from
from wgan.runs.facts import are_counts
from wgan.runs.log import raw_lines, record_of

SMALL = 4 << 20  # bytes of a JSON file; a real one has a few thousand
LOG = 256 << 20  # bytes of a log that is read
TAGS = 400  # different tags of a log; a real one has about 30
TEXT = 400  # characters of one text from a run folder
HUGE = 1e30  # of a value in a curve; beyond it, and for nan, there is nothing to draw
FLAT_FACTS = ("device", "precision", "threads")
Curve = tuple[np.ndarray, np.ndarray]  # steps, values


class LeftOut(Exception):
    """Why a file of a run folder is not in the report: the end of a sentence that begins with its name."""


@dataclass
class RunRecord:
    """One run folder: its config, the facts of run.json, its curves, alarms and metrics, and what was left out."""

    path: Path
    name: str
    config: Config
    facts: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    alarms: list[tuple[int, str]] = field(default_factory=list)
    seconds: float | None = None
    results: list[dict[str, Any]] = field(default_factory=list)  # of metrics.json, checked
    about: dict[str, str] = field(default_factory=dict)  # the rest of metrics.json: split, reference
    parameters: dict[str, int] = field(default_factory=dict)  # network -> trained numbers
    table: TablePictures | None = None  # of the first result that has any
    step: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def class_names(self) -> list[str]:
        """The label of each column of a conditional run's grids; empty for an unconditional one."""
        names = self.facts.get("class_names")
        conditional = self.config.conditioning != "none" and self.facts.get("classes")
        return [str(n)[:20] for n in names[:1000]] if conditional and isinstance(names, list) else []

    def last(self, tag: str) -> float | None:
        """Return the last value of a tag of the log."""
        return float(self.curves[tag][1][-1]) if tag in self.curves else None


def gather(path: Path, name: str) -> RunRecord:
    """Read a run folder; WganError when it is none or its config cannot be read, a note for everything else."""
    if not path.is_dir():
        raise WganError(f"no run folder {path}: give the folder that `wgan train` wrote, for example runs/mnist")
    found = RunRecord(path, name, config_of(path))
    readers = {
        "run.json": read_facts,
        "log.jsonl": read_curves,
        "times.jsonl": read_times,
        "metrics.json": read_metrics,
        "checkpoints": read_parameters,
    }
    for file, read in readers.items():
        try:
            read(found)
        except LeftOut as reason:
            found.notes.append(f"{file} {reason}")
        except FileNotFoundError:
            pass  # a run that is young, or was never evaluated
        except OSError as error:
            found.notes.append(f"{file} cannot be read: {(error.strerror or 'damaged').lower()}")
    return found


def config_of(path: Path) -> Config:
    """Return the run's config; WganError in one sentence for a folder that is not a run."""
    try:
        return from_json(read_bytes(path, "config.json", SMALL).decode(), str(path / "config.json"))
    except FileNotFoundError:
        raise WganError(f"{path} is not a run folder: it holds no config.json") from None
    except LeftOut as reason:
        raise WganError(f"{path / 'config.json'} {reason}") from None
    except UnicodeDecodeError:
        raise WganError(f"{path / 'config.json'} is not valid JSON") from None
    except OSError as error:
        raise WganError(f"cannot read {path / 'config.json'}: {(error.strerror or 'damaged').lower()}") from None


def inside(folder: Path, name: str, most: int) -> Path:
    """Return the path of a plain file of a run folder; LeftOut for a link out of it, or more than `most` bytes."""
    path = folder / name
    if not path.exists() and not path.is_symlink():
        raise FileNotFoundError(name)
    try:
        whole = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise LeftOut("is a link that leads nowhere") from None
    if not whole.is_relative_to(folder.resolve()):
        raise LeftOut("is left out: it is a link out of the run folder")
    if not whole.is_file():
        raise LeftOut("is left out: it is not a plain file")
    if whole.stat().st_size > most:
        raise LeftOut(f"is left out: it has more than {most >> 20} MB")
    return whole


def read_bytes(folder: Path, name: str, most: int) -> bytes:
    """Return the bytes of a plain file of a run folder, at most `most`."""
    with inside(folder, name, most).open("rb") as file:
        return file.read(most)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Return the object in a JSON file of a run folder."""
    try:
        values = json.loads(read_bytes(folder, name, SMALL))
    except (ValueError, RecursionError):
        raise LeftOut("is damaged: not valid JSON") from None
    if not isinstance(values, dict):
        raise LeftOut("is damaged: expected a JSON object")
    return values


def read_facts(found: RunRecord) -> None:
    """Read run.json: what `auto` became, the data's shape, versions."""
    facts = read_json(found.path, "run.json")
    for name in FLAT_FACTS:
        if name in facts:
            found.facts[name] = text_of(facts[name])
    if isinstance(facts.get("shape"), list):
        found.facts["shape"] = " × ".join(text_of(n) for n in facts["shape"][:5])
    for name, kind in (("classes", int), ("class_names", list)):
        if isinstance(facts.get(name), kind):
            found.facts[name] = facts[name]
    if isinstance(facts.get("versions"), dict):
        found.facts["versions"] = {text_of(k): text_of(v) for k, v in list(facts["versions"].items())[:20]}
    if are_counts(facts.get("parameters")):
        found.parameters = facts["parameters"]


def read_curves(found: RunRecord) -> None:
    """Read the curves and alarms of log.jsonl in one pass; unreadable lines but a torn last one are counted."""
    steps: dict[str, array[float]] = {}
    values: dict[str, array[float]] = {}
    bad = 0
    with inside(found.path, "log.jsonl", LOG).open("rb") as file:
        for record in records(file):
            if record is None:
                bad += 1
                continue
            step = record.pop("step")
            found.step = max(found.step, step)
            for tag, value in record.items():
                if tag == "alarm":
                    found.alarms.append((step, str(value)[:TEXT]))
                elif isinstance(value, float) and abs(value) < HUGE and (tag in steps or len(steps) < TAGS):
                    steps.setdefault(tag, array("d")).append(step)
                    values.setdefault(tag, array("d")).append(value)
    found.curves = {tag: in_order(np.array(steps[tag]), np.array(values[tag])) for tag in steps}
    if bad:
        found.notes.append(f"log.jsonl has {bad} {'lines' if bad > 1 else 'line'} that cannot be read")
    if len(found.alarms) > 100:
        found.notes.append(f"log.jsonl has {len(found.alarms)} alarms: the first 100 are shown")
        del found.alarms[100:]


def records(file: BinaryIO) -> Iterator[dict[str, Any] | None]:
    """Yield each record of a log, None for a line that is none; a torn end is the process's that is still writing."""
    torn = False
    for line in raw_lines(file):
        if torn:
            yield None
        record = record_of(line)
        torn = record is None
        if record is not None:
            yield record


def in_order(steps: np.ndarray, values: np.ndarray) -> Curve:
    """Return the curve by ascending steps, as it was written but for a log that was tampered with."""
    order = np.argsort(steps, kind="stable")
    return steps[order], values[order]


def read_times(found: RunRecord) -> None:
    """Read how long the run took: the clock restarts each time it is continued."""
    total = before = 0.0
    with inside(found.path, "times.jsonl", LOG).open("rb") as file:
        for record in records(file):
            now = (record or {}).get("seconds", math.nan)
            if isinstance(now, float) and math.isfinite(now) and now >= 0:
                total += now - before if now >= before else now
                before = now
    found.seconds = total or None


def read_metrics(found: RunRecord) -> None:
    """Read the metrics that `wgan evaluate` wrote, and leave out what is none."""
    values = read_json(found.path, "metrics.json")
    results = values.get("results")
    if not isinstance(results, list):
        raise LeftOut("is damaged: it has no results")
    for result in results[:8]:
        if not isinstance(result, dict) or not isinstance(result.get("figures"), list):
            continue
        known = [value for f in result["figures"][:100] if (value := value_of(f))]
        label = text_of(result.get("checkpoint", ""))
        if known:
            found.results.append({"label": label, "step": finite_number(result.get("step")), "figures": known})
            found.table = found.table or pictures_from(result.get("table"))
    found.about = {k: text_of(values[k]) for k in ("data", "split", "floor", "n_real", "trained_on") if k in values}


def value_of(values: Any) -> dict[str, Any] | None:
    """Return one value with its texts cut and its numbers checked, None for anything else."""
    if (
        not isinstance(values, dict)
        or not isinstance(values.get("name"), str)
        or finite_number(values.get("value")) is None
    ):
        return None
    numbers = {
        k: finite_number(values.get(k)) for k in ("value", "spread", "floor", "floor_spread", "n_fake", "n_real")
    }
    return {**numbers, **{k: text_of(values.get(k, "")) for k in ("name", "extractor", "better", "note")}}


def finite_number(value: Any) -> float | None:
    """Return a finite number as float, None for anything else."""
    try:
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if good else None
    except OverflowError:
        return None


def text_of(value: Any) -> str:
    """Return a short text of whatever a JSON file holds."""
    return str(value)[:TEXT]


def read_parameters(found: RunRecord) -> None:
    """Count each network's trained numbers for a run that is older than its run.json's `parameters`.

    An optimizer keeps at least one tensor of each parameter's shape, whatever it calls it, and the newest checkpoint's
    header lists them: the largest of a parameter's tensors has its size.
    """
    folder = found.path / "checkpoints"
    if not folder.is_dir() or found.parameters:
        return
    newest = max((p.name for p in folder.glob("step-*.safetensors")), default=None)
    if newest is None:
        return
    sizes: dict[tuple[str, str], int] = {}
    for name, values in tensor_header(inside(found.path, f"checkpoints/{newest}", 1 << 40)).items():
        part, optimizer, slot = name.partition("_optimizer/")
        shape = values.get("shape") if isinstance(values, dict) else None
        if optimizer and isinstance(shape, list):
            which = part, slot.partition("/")[0]
            sizes[which] = max(sizes.get(which, 0), math.prod(n for n in shape if isinstance(n, int)))
    for (part, _), size in sizes.items():
        found.parameters[part] = found.parameters.get(part, 0) + size


def tensor_header(path: Path) -> dict[str, Any]:
    """Return the header of a safetensors file: 8 bytes of length, then JSON; the tensors stay on the disk."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        text = file.read(size) if size <= SMALL else b""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise LeftOut(f"are left out: {path.name} is damaged") from None
    return values if isinstance(values, dict) else {}


def changed_options(config: Config) -> list[str]:
    """Return the names of the options in which a config differs from its recipe (an unknown one counts as mnist)."""
    base = configure(config.recipe if config.recipe in RECIPES else DEFAULT)
    return [name for name in options_changed(base, config) if name != "recipe"]


def repeat_command(config: Config, name: str) -> str:
    """Return the `wgan train` line that makes the same config in runs/NAME."""
    known = config.recipe if config.recipe in RECIPES else DEFAULT
    words = ["wgan", "train", known]
    for option in changed_options(config):
        words += [f"--{option.replace('_', '-')}", FIELDS[option].word(getattr(config, option))]
    return shlex.join(words if name == known else [*words, "--run", f"runs/{name}"])


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the shortest tails of the paths that tell them apart: runs/a and runs/b are a and b."""
    parts = [p.resolve().parts for p in paths]
    longest = max(map(len, parts))
    for depth in range(1, longest + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return [n.lstrip("/")[-60:] for n in names]
    raise WganError("the same run folder was given twice: give each once")
