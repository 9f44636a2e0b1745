"""Which class and which split each file belongs to, from the folders that it lies in."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from wgan.data.own.archives import Member, shown
from wgan.data.own.naming import HELD_OUT, split_of, splits_among
from wgan.errors import WganError

DEPTH = 4  # levels of folders that are searched for splits
PADDED = 3  # digits that folders of running numbers have at least; classes 0 to 9 have fewer

BEGINNING = re.compile(r"([^\W\d_]+)[ ._-]*\d+")  # of a file's name
MOST_WORDS, FEWEST = 20, 5  # words that begin names, and files of each
PIECE = re.compile(r"(?:fold|part|chunk|shard|batch)[ _-]?\d+", re.IGNORECASE)  # of a data set, never a class

Parts = list[tuple[str, ...]]  # the folders that each file lies in


@dataclass(frozen=True)
class Grouping:
    """What the folders say of the files at `kept`: class names in order, class numbers and which are held out (or None)."""

    kept: list[int]
    names: tuple[str, ...] = ()
    labels: list[int] | None = None
    held_out: list[bool] | None = None
    notes: tuple[str, ...] = ()


def group(files: Sequence[Member], where: str, classes: bool = True, what: str = "images") -> Grouping:
    """Read splits and, with `classes`, classes from the folders the files lie in; what: messages call the files.

    Raises WganError when some files lie in class folders and some do not: their labels would be missing.
    """
    parts = unwrapped([PurePosixPath(f.name).parts[:-1] for f in files])
    parts, kinds = split_off(files, parts, where, what)
    if not any(parts) and not any(kinds):
        kinds = kinds_of_names([PurePosixPath(f.name).stem for f in files])
    kept = [i for i, kind in enumerate(kinds) if kind != "extra"]
    held_out, notes = held_out_of([kinds[i] for i in kept], len(files) - len(kept), what)
    if classes and not any(parts):
        notes += beginning_note([PurePosixPath(files[i].name).stem for i in kept])
    parts = unwrapped([parts[i] for i in kept])
    found = classes_of([files[i] for i in kept], parts, where, what) if classes else Grouping(kept)
    return Grouping(kept, found.names, found.labels, held_out, (*notes, *found.notes))


def unwrapped(parts: Parts) -> Parts:
    """Return the folders without one around everything, which is not a class."""
    while parts and all(p and p[0] == parts[0][0] for p in parts):
        parts = [p[1:] for p in parts]
    return parts


def split_off(files: Sequence[Member], parts: Parts, where: str, what: str) -> tuple[Parts, list[str]]:
    """Return the folders without those that name splits, and train, val, test, extra or '' for each file."""
    kinds = [""] * len(parts)
    level = 0
    while level < DEPTH:
        deep = [p for p in parts if len(p) > level]
        found = splits_among(sorted({p[level] for p in deep}))
        if found is None or (level and len(deep) < len(parts)):
            level += 1
            continue
        if len(deep) < len(parts):
            stray = next(f for f, p in zip(files, parts, strict=True) if not p)
            raise WganError(
                f"{len(parts) - len(deep)} of {len(parts)} {what} of {where} lie next to the folders {', '.join(found)}, the "
                f"first is {shown(stray.name)}: move them into one of these"
            )
        several = rests_are_classes(found)
        kinds = [found[p[level]][0] if k in ("", "train") else k for k, p in zip(kinds, parts, strict=True)]
        parts = [(*p[:level], *([found[p[level]][1]] if several else []), *p[level + 1 :]) for p in parts]
        level += several
    return parts, kinds


def rests_are_classes(found: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether what names say beside their splits are classes: A and B of trainA, trainB, testA and testB.

    Each has a part to train on then; hard of train, test and test_hard has none.
    """
    rests = {rest for _, rest in found.values()}
    return len(rests) > 1 and "" not in rests and rests == {rest for kind, rest in found.values() if kind == "train"}


def beginning_note(stems: Sequence[str]) -> list[str]:
    """Return what is said of files without folders whose names begin with a few words, as cat.0 and dog.1 do."""
    found = Counter(match[1] for match in map(BEGINNING.fullmatch, stems) if match)
    if not 1 < len(found) <= MOST_WORDS or sum(found.values()) < len(stems) or min(found.values()) < FEWEST:
        return []
    counts = ", ".join(f"{word} ({n})" for word, n in sorted(found.items()))
    return [f"names of files begin with {counts}: put each into a folder of its own where these are classes"]


def kinds_of_names(stems: Sequence[str]) -> list[str]:
    """Return train, val or test for each file where all their names say so, as train_001 and test_001 do, else ''."""
    kinds = []
    for stem in stems:
        split = split_of(stem)
        if split is None:  # most often the first one: a million names are not read for nothing
            return [""] * len(stems)
        kinds.append(split[0])
    return kinds if "train" in kinds and len(set(kinds)) > 1 else [""] * len(stems)


def held_out_of(kinds: Sequence[str], extra: int, what: str) -> tuple[list[bool] | None, list[str]]:
    """Return which files the data hold out themselves, or None, and what is said of their splits."""
    counts = Counter(kinds)
    said = {k: n for k, n in counts.items() if k}
    notes = [f"{extra} {what} in folders next to train and test are left out"] if extra else []
    if len(said) < 2 or not counts["train"]:
        if said:
            notes.append(
                f"all {len(kinds)} {what} lie in folders called {' and '.join(said)}: some of them are held out"
            )
        return None, notes
    return [k != "train" for k in kinds], [*held_out_note(counts), *notes]


def held_out_note(counts: Mapping[str, int]) -> list[str]:
    """Return what is said of the samples that the data hold out themselves, by their numbers of train, val and test."""
    others = [f"{kind} ({counts[kind]})" for kind in HELD_OUT if counts.get(kind)]
    verb = "are" if len(others) > 1 else "is"
    return [f"train ({counts['train']}) is trained on, {' and '.join(others)} {verb} held out"] if others else []


def classes_of(files: Sequence[Member], parts: Parts, where: str, what: str) -> Grouping:
    """Return the classes that the first folder of each file names."""
    every = list(range(len(files)))
    outside = [f for f, p in zip(files, parts, strict=True) if not p]
    if len(outside) == len(files):
        return Grouping(every)
    if outside:
        raise WganError(
            f"{len(outside)} of {len(files)} {what} of {where} lie next to the class folders, the first is "
            f"{shown(outside[0].name)}: move them into a folder, or give --labels none"
        )
    counts = Counter(p[0] for p in parts)
    names = sorted(counts)
    if len(names) == 1:
        return Grouping(every)
    if 2 * len(names) > len(files):
        return Grouping(every, notes=(f"{len(names)} folders for {len(files)} {what} are too many to be classes",))
    first, last = shown(names[0]), shown(names[-1])
    if running(names, [counts[n] for n in names]):
        return Grouping(every, notes=(f"folders {first} to {last} of equal size are numbered parts, no classes",))
    if all(map(PIECE.fullmatch, names)):
        return Grouping(every, notes=(f"folders {first} to {last} are numbered parts, no classes",))
    number = {name: i for i, name in enumerate(names)}
    return Grouping(every, tuple(shown(n) for n in names), [number[p[0]] for p in parts])


def running(names: Sequence[str], counts: Sequence[int]) -> bool:
    """Return whether folders are 00000, 00001 ... (or 00000, 01000 ...) of equal size, the last one perhaps smaller."""
    if (
        len({len(n) for n in names}) > 1
        or len(names[0]) < PADDED
        or not all(n.isascii() and n.isdigit() for n in names)
    ):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(names)}
    return len(steps) == 1 and len(set(counts[:-1])) == 1 and counts[-1] <= counts[0]


def listed_labels(text: bytes, names: Sequence[str], where: str) -> tuple[tuple[str, ...], list[int]] | None:
    """Return class names and numbers of the files `names` from StyleGAN's dataset.json, {"labels": [[name, class], ...]}.

    None when it is no such file, no names when its labels are null. Raises WganError when it leaves some files out, or
    gives them several numbers each.
    """
    try:
        found: Any = json.loads(text)["labels"]
        pairs: Mapping[str, Any] = dict(found or [])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not pairs:
        return (), []
    missing = [name for name in names if name not in pairs]
    if missing:
        raise WganError(
            f"dataset.json of {where} has no label for {len(missing)} of {len(names)} images, the first is "
            f"{shown(missing[0])}: complete it, or give --labels none"
        )
    values = [pairs[name] for name in names]
    if not all(isinstance(v, (int, str)) for v in values):
        raise WganError(f"dataset.json of {where} gives several numbers as a label: give one class, or --labels none")
    classes = sorted(set(values), key=lambda v: (isinstance(v, str), v))
    if len(classes) == 1:
        return (), []
    number = {value: i for i, value in enumerate(classes)}
    return tuple(str(v) for v in classes), [number[v] for v in values]
