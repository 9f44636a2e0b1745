"""Arrays with names (.npz, safetensors, .npy files next to each other): which are samples, labels, and parts for testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgan.data.own.archives import shown
from wgan.data.own.arrays import Arrays, load_npy, require_labels
from wgan.data.own.condition_arrays import BLOCK, conditions_among, used_names
from wgan.data.own.grouping import held_out_note
from wgan.data.own.naming import HELD_OUT, split_of
from wgan.errors import WganError

SAMPLE_NAMES = ("images", "samples", "image", "x", "X", "data", "imgs", "img", "features", "arr_0")
LABEL_NAMES = ("labels", "label", "y", "Y", "target", "targets", "classes", "class", "arr_1")
SAMPLE_WORDS = {
    "",
    *(name.lower() for name in SAMPLE_NAMES),
}  # beside a train, val or test: train, x_train, trainImages
LABEL_WORDS = {name.lower() for name in LABEL_NAMES}

# endings of files that are data by themselves
ALONE = (".npy", ".npz", ".safetensors", ".csv", ".tsv", ".parquet", ".ts", ".zip", ".tar")
APART = 20  # times as high as another part of the same pictures: another unit

Named = Mapping[str, NDArray[Any]]


def from_mapping(arrays: Named, where: str, conditions: Sequence[str] = ()) -> Arrays:
    """Find samples and labels among named arrays: by parts where their names say train, val and test, else all together.

    conditions: names of what comes with each sample; the labels are then read only where they are among them. Raises
    WganError where there are no samples, or parts do not fit each other.
    """
    parts = parts_of(arrays)
    if conditions:
        parts = {kind: (samples, "") for kind, (samples, _) in parts.items()}
    used = used_names(arrays, conditions) if conditions else set()
    if "train" in parts and len(parts) > 1:
        each = {kind: pick(arrays, names, conditions, kind, where) for kind, names in parts.items()}
        return joined(each, where, not_read(arrays, parts, used))
    names = parts.get("train") or plain_names(arrays, where)
    names = (names[0], "") if conditions else names
    return replace(pick(arrays, names, conditions, "", where), notes=not_read(arrays, {"": names}, used))


def parts_of(arrays: Named) -> dict[str, tuple[str, str]]:
    """Return the names of samples and of labels ('' = none) of train, val and test, where there are samples of each."""
    found: dict[str, tuple[str, str]] = {}
    for kind in ("train", *HELD_OUT):
        samples, labels = (first_of(arrays, kind, words) for words in (SAMPLE_WORDS, LABEL_WORDS))
        if samples:
            found[kind] = (samples, labels)
    return found


def first_of(arrays: Named, kind: str, words: set[str]) -> str:
    """Return the first name that says `kind` and one of `words`, such as y_train, '' for none."""
    splits = {name: split_of(name) for name in arrays}
    return next((n for n, s in splits.items() if s and s[0] == kind and s[1].lower() in words), "")


def plain_names(arrays: Named, where: str) -> tuple[str, str]:
    """Return the names of samples and labels that are not parted; WganError for no samples."""
    samples = next((name for name in SAMPLE_NAMES if name in arrays), "")
    if not samples and len(arrays) == 1:
        (samples,) = arrays
    if not samples:
        raise WganError(
            f"{where} holds {', '.join(arrays) or 'nothing'}: expected an array named images or samples, and labels"
        )
    train = first_of(arrays, "train", LABEL_WORDS)
    return samples, next((name for name in (*LABEL_NAMES, train) if name in arrays), "")


def pick(arrays: Named, names: tuple[str, str], conditions: Sequence[str], kind: str, where: str) -> Arrays:
    """Return the arrays of these names as samples and labels, with the conditions of that part ('' = of all)."""
    samples, labels = names
    told = conditions_among(arrays, kind, conditions, where) if conditions else None
    return Arrays(arrays[samples], arrays[labels] if labels else None, conditions=told)


def not_read(arrays: Named, parts: Mapping[str, tuple[str, str]], used: set[str]) -> tuple[str, ...]:
    """Return a note on the arrays that are neither in one of `parts` nor `used` as conditions."""
    read = {name for names in parts.values() for name in names} | used
    left = [f"{name} {list(array.shape)}" for name, array in arrays.items() if name not in read]
    return (f"not read: {', '.join(left)}",) if left else ()


def joined(parts: Mapping[str, Arrays], where: str, notes: tuple[str, ...] = ()) -> Arrays:
    """Return train, val and test as one, the last two held out; WganError when they do not fit each other.

    A held-out part whose labels are all -1, which no training sample has, hides them: it is left out, and said.
    """
    train = parts["train"]
    for kind, part in parts.items():
        if part.values.shape[1:] != train.values.shape[1:]:
            raise WganError(
                f"{where}: train samples are {list(train.values.shape)}, {kind} samples {list(part.values.shape)}"
            )
        if (part.labels is None) != (train.labels is None):
            raise WganError(f"{where}: labels are missing for one of train and {kind}; give both, or --labels none")
        require_labels(part, where)
    require_one_range({kind: part.values for kind, part in parts.items()}, where)
    hidden = [kind for kind in parts if kind in HELD_OUT and are_hidden(parts[kind], train)]
    said = [
        f"the {len(parts[kind].values)} samples of {kind} have the label -1, which is none: left out" for kind in hidden
    ]
    kept = {kind: part for kind, part in parts.items() if kind not in hidden}
    if len(kept) == 1:
        return replace(train, notes=(*said, *notes))
    labels = None if train.labels is None else np.concatenate([column(part) for part in kept.values()])
    held_out = np.repeat([kind != "train" for kind in kept], [len(part.values) for part in kept.values()])
    counts = {kind: len(part.values) for kind, part in kept.items()}
    whole = np.concatenate([part.values for part in kept.values()])
    each = [part.conditions for part in kept.values() if part.conditions is not None]
    told = {name: np.concatenate([part[name] for part in each]) for name in each[0]} if each else None
    return Arrays(whole, labels, held_out, notes=(*held_out_note(counts), *said, *notes), conditions=told)


def require_one_range(parts: Named, where: str) -> None:
    """Raise WganError for pictures of which one part reaches far higher than another, as 0..1 beside 0..255 does."""
    highs = {kind: float(values.max()) for kind, values in parts.items() if values.ndim > 2 and values.size}
    if highs and max(highs.values()) > APART * abs(min(highs.values())):
        said = " and ".join(f"{kind} samples to {high:g}" for kind, high in highs.items())
        raise WganError(f"{where}: {said} at most: bring them to one range, for one scale is used for all")


def are_hidden(part: Arrays, train: Arrays) -> bool:
    """Return whether the labels of a part are all -1 and no training sample has that."""
    if part.labels is None or train.labels is None or part.labels.dtype.kind not in "if":
        return False
    return bool((part.labels == -1).all() and not (train.labels == -1).any())


def column(part: Arrays) -> NDArray[Any]:
    """Return the labels [N] of a part that has some."""
    assert part.labels is not None
    return part.labels.reshape(-1)


def read_npy(path: Path, conditions: Sequence[str] = ()) -> Arrays:
    """Read NAME.npy, with the labels that lie next to it, or the `conditions` in NAME.conditions.npy or conditions.npy."""
    if conditions:
        found = conditions_of_npy(path)
        arrays = {"samples": load_npy(path), **({} if found is None else {BLOCK: load_npy(found)})}
        return from_mapping(arrays, shown(path), conditions)
    beside = labels_of_npy(path)
    notes = () if beside is None else (f"labels are read from {shown(beside.name)}",)
    return Arrays(load_npy(path), None if beside is None else load_npy(beside), notes=notes)


def conditions_of_npy(path: Path) -> Path | None:
    """Return the file next to NAME.npy that holds its conditions [N, A], or None."""
    stem = path.name.removesuffix(path.suffix)
    names = (f"{stem}.{BLOCK}.npy", f"{stem}_{BLOCK}.npy", f"{BLOCK}.npy")
    return next((p for name in names if (p := path.with_name(name)).is_file() and p != path), None)


def labels_of_npy(path: Path) -> Path | None:
    """Return the file next to NAME.npy that holds its labels: NAME.labels.npy, NAME_labels.npy, labels.npy or the like, or None.

    The like: y_train.npy next to x_train.npy, train_labels.npy next to train_images.npy.
    """
    stem = path.name.removesuffix(path.suffix)
    exact = [path.with_name(n) for n in (f"{stem}.labels.npy", f"{stem}_labels.npy", "labels.npy")]
    found = [p for p in exact if p.is_file() and p != path]
    own = split_of(stem) or ("", stem)
    if not found and own[1].lower() in SAMPLE_WORDS:
        near = sorted(p for p in path.parent.glob("*.npy") if p.is_file() and p != path)
        found = [p for p in near if says_labels(p.stem, own[0])]
    return found[0] if found else None


def says_labels(stem: str, kind: str) -> bool:
    """Return whether a file's name says labels of this part of the data ('' = all of them)."""
    found = split_of(stem) or ("", stem)
    return found[0] == kind and found[1].lower() in LABEL_WORDS


def beside_note(spec: str) -> list[str]:
    """Return what is said of files beside a training part, such as train.npy, that are named as its other parts."""
    path = Path(spec)
    own = split_of(path.stem)
    if path.suffix.lower() not in ALONE or not own or own[0] != "train" or not path.is_file():
        return []
    splits = {p.name: split_of(p.stem) for p in path.parent.iterdir() if p.suffix == path.suffix}
    others = sorted(shown(name) for name, s in splits.items() if s and s[0] in HELD_OUT and s[1] == own[1])
    verb = "are" if len(others) > 1 else "is"
    note = f"{', '.join(others)} next to it {verb} not read: a part of {shown(path.name)} is held out"
    return [note] if others else []
