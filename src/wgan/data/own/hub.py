"""Data sets of the Hugging Face hub, by name or from a local folder or file, through the `datasets` library where installed.

Their pictures are read as those of a folder are: by one range, one frame and one rule for what cannot be read.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wgan.config import ReadingOptions
from wgan.data.own.archives import Member, Members, shown
from wgan.data.own.arrays import Arrays
from wgan.data.own.cache import Prepared, key_of, load, locked
from wgan.data.own.convert import numbered, prepare_arrays
from wgan.data.own.grouping import Grouping, held_out_note
from wgan.data.own.image_folder import prepare_members
from wgan.data.own.naming import HELD_OUT, split_of
from wgan.data.split import require_enough
from wgan.errors import WganError, nearest

IMAGE_COLUMNS = ("image", "img", "images", "pixel_values")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class")


class Part(NamedTuple):
    """One split of the data set: its name there, train, val or test, and its rows."""

    name: str
    kind: str
    rows: Any  # datasets.Dataset


@dataclass(frozen=True)
class Picked:
    """What is read: the rows of each part at `kept`, the labels of those (or None), and what is said of it."""

    parts: list[Part]
    kept: list[list[int]]
    labels: NDArray[Any] | None
    notes: tuple[str, ...]

    @property
    def kinds(self) -> list[str]:
        """Train, val or test of each sample."""
        return [part.kind for part, kept in zip(self.parts, self.kept, strict=True) for _ in kept]

    @property
    def held_out(self) -> list[bool] | None:
        """Which samples the data set holds out itself, or None."""
        mask = [kind in HELD_OUT for kind in self.kinds]
        return mask if any(mask) else None


def open_hub(spec: str, name: str, options: ReadingOptions) -> Prepared:
    """Prepare hf:NAME: what it calls train is trained on, validation and test are held out.

    Raises WganError without the library or a connection, and for what has no images.
    """
    try:
        import datasets
    except ImportError:
        raise WganError(f"{spec} needs the datasets library: install it with pip install 'wgan[hf]'") from None
    parts, notes = parts_of(load_splits(datasets, spec, name), spec)
    prints = [str(part.rows._fingerprint) for part in parts]
    key = key_of("hub by its files", spec, prints, options.key())
    with locked(key) as folder:
        return load(key) or prepare_hub(datasets, parts, notes, options, folder, spec)


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Within the block the loggers of a library say nothing."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def load_splits(datasets: Any, spec: str, name: str) -> Mapping[str, Any]:
    """Return the splits by their names; one data set without splits is `train`."""
    if not name:
        raise WganError("hf: needs a name, for example hf:fashion_mnist, or a local folder, hf:./folder")
    try:
        with quiet(
            "huggingface_hub"
        ):  # a line for each of five tries without a network; the sentence below says it once
            found = load_as_saved(datasets, name)
    except Exception as error:  # the library raises whatever its many parts raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WganError(f"{spec} cannot be loaded: no such data set, or no connection ({first[:200]})") from None
    splits: Mapping[str, Any] = found if hasattr(found, "keys") else {"train": found}
    return splits


def load_as_saved(datasets: Any, name: str) -> Any:
    """Load what save_to_disk wrote, one Parquet file, or whatever else the library finds under a name."""
    local = Path(name).expanduser()
    if (local / "dataset_dict.json").is_file() or (local / "state.json").is_file():
        return datasets.load_from_disk(str(local))
    if local.is_file() and local.suffix.lower() in (".parquet", ".pq"):
        return datasets.load_dataset("parquet", data_files=str(local))
    return datasets.load_dataset(name)


def parts_of(splits: Mapping[str, Any], spec: str) -> tuple[list[Part], list[str]]:
    """Return the splits that are read, training first, and what is said of the others.

    `train` alone is trained on where there is one, else every split that is a training part by its name.
    """
    kinds = {name: (split_of(name) or ("", ""))[0] for name in splits}
    training = ["train"] if "train" in splits else [name for name, kind in kinds.items() if kind == "train"]
    if not training:
        raise WganError(f"{spec} has no split called train: it has {', '.join(splits)}")
    held = [name for name, kind in kinds.items() if kind in HELD_OUT]
    left = [f"{name} ({len(splits[name])})" for name in splits if name not in (*training, *held)]
    parts = [Part(n, "train", splits[n]) for n in training] + [Part(n, kinds[n], splits[n]) for n in held]
    return parts, [f"splits not read: {', '.join(left)}"] if left else []


def prepare_hub(
    datasets: Any, parts: list[Part], notes: Sequence[str], options: ReadingOptions, folder: Path, spec: str
) -> Prepared:
    """Prepare the images of some splits, from their files where the library keeps those, else from arrays."""
    features = parts[0].rows.features
    column = image_column(datasets, features, spec)
    if options.conditions:
        raise WganError(f"conditions are not read from a data set of the hub, such as {spec}: leave conditions out")
    label = label_column(datasets, features, options.labels, spec)
    others = [name for name in features if name not in (column, label)]
    said = [*notes, f"columns not read: {', '.join(others)}"] if others else [*notes]
    picked = with_labels(parts, label, said)
    require_enough(len(picked.kinds), spec)
    if not is_image(datasets, features[column]):
        return prepare_arrays(as_arrays(picked, column), replace(options, labels="auto"), folder, spec)
    names, numbers = class_numbers(picked, spec)
    grouping = Grouping(list(range(len(picked.kinds))), names, numbers, picked.held_out, picked.notes)
    members = members_of(datasets, picked, column)
    return prepare_members(members, grouping, options, folder, spec, lambda: None)


def image_column(datasets: Any, features: Mapping[str, Any], spec: str) -> str:
    """Return the column that holds the images: by its name, else the first of that type; WganError for none."""
    typed = [name for name, feature in features.items() if is_image(datasets, feature)]
    found = next((name for name in (*IMAGE_COLUMNS, *typed) if name in features), None)
    if found is None:
        raise WganError(f"{spec} has no column of images ({', '.join(IMAGE_COLUMNS)}): it has {', '.join(features)}")
    return found


def is_image(datasets: Any, feature: Any) -> bool:
    """Return whether a column holds picture files."""
    return isinstance(feature, datasets.Image)


def label_column(datasets: Any, features: Mapping[str, Any], asked: str, spec: str) -> str | None:
    """Return the column of the labels: the one asked for, the one called so, or the only one of that type; None for none."""
    if asked == "none":
        return None
    if asked != "auto":
        if asked not in features:
            raise WganError(f"{spec} has no column '{asked}': {nearest(asked, list(features))}")
        return asked
    named = next((name for name in LABEL_COLUMNS if name in features), None)
    typed = [name for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    return named or (typed[0] if len(typed) == 1 else None)


def with_labels(parts: list[Part], column: str | None, notes: Sequence[str]) -> Picked:
    """Return the samples that are read, with their labels; those whose label is hidden are left out, and said.

    A habit of the hub: the test split has the label -1, or None, throughout. Where no training sample has a label, the data
    have none.
    """
    every = [list(range(len(part.rows))) for part in parts]
    if column is None:
        return Picked(parts, every, None, (*notes, *split_notes(parts, every)))
    names = getattr(parts[0].rows.features[column], "names", None)
    found = [list(part.rows[column]) for part in parts]
    if any(isinstance(value, (list, dict)) for labels in found for value in labels):
        raise WganError(
            f"column {column} has several labels for each sample: name another with --labels, or give --labels none"
        )
    training = {v for part, labels in zip(parts, found, strict=True) if part.kind == "train" for v in labels}
    kept = [[i for i, v in enumerate(labels) if not is_hidden(v, names, training)] for labels in found]
    if not any(rows for part, rows in zip(parts, kept, strict=True) if part.kind == "train"):
        return Picked(parts, every, None, (*notes, *split_notes(parts, every)))
    labels = [names[v[i]] if names else v[i] for v, rows in zip(found, kept, strict=True) for i in rows]
    said = [
        f"{len(part.rows) - len(rows)} of {len(part.rows)} samples of {part.name} have no label: left out"
        for part, rows in zip(parts, kept, strict=True)
        if len(rows) < len(part.rows)
    ]
    return Picked(parts, kept, np.array(labels), (*notes, *said, *split_notes(parts, kept)))


def is_hidden(value: Any, names: Sequence[str] | None, training: set[Any]) -> bool:
    """Return whether a label says nothing: None, a number that has no name, or a -1 that no training sample has."""
    if value is None:
        return True
    return not 0 <= value < len(names) if names else bool(value == -1) and -1 not in training


def split_notes(parts: Sequence[Part], kept: Sequence[Sequence[int]]) -> list[str]:
    """Return what is said of the splits: how many samples of each kind there are."""
    counts = Counter({"train": 0})
    for part, rows in zip(parts, kept, strict=True):
        counts[part.kind] += len(rows)
    return held_out_note(counts)


def class_numbers(picked: Picked, spec: str) -> tuple[tuple[str, ...], list[int] | None]:
    """Return class names in order and the class number of each sample, as for arrays."""
    if picked.labels is None:
        return (), None
    stand_in = np.zeros(len(picked.labels))
    _, names, numbers = numbered(Arrays(stand_in, picked.labels), ReadingOptions(), spec)
    return names, None if numbers is None else numbers.tolist()


def members_of(datasets: Any, picked: Picked, column: str) -> Members:
    """Return the picture files of all samples, as the library stores them: neither decoded nor converted."""
    stored = [part.rows.cast_column(column, datasets.Image(decode=False)) for part in picked.parts]
    places = [(p, i) for p, rows in enumerate(picked.kept) for i in rows]
    files = [Member(f"{picked.parts[p].name}/{i}", 0, 0) for p, i in places]

    def opened(number: int) -> BinaryIO:
        part, row = places[number]
        found = stored[part][row][column] or {}
        if found.get("bytes") is not None:
            return io.BytesIO(found["bytes"])
        return open(found["path"], "rb") if found.get("path") else io.BytesIO()

    return Members(files, opened, False, Counter(), {})


def as_arrays(picked: Picked, column: str) -> Arrays:
    """Return images that are stored as numbers; WganError where they have several shapes."""
    rows = [
        np.asarray(part.rows[i][column]) for part, kept in zip(picked.parts, picked.kept, strict=True) for i in kept
    ]
    shapes = {row.shape for row in rows}
    if len(shapes) > 1:
        raise WganError(f"column {shown(column)} holds arrays of {len(shapes)} shapes: make them one size")
    held_out = None if picked.held_out is None else np.array(picked.held_out)
    return Arrays(np.stack(rows), picked.labels, held_out, notes=picked.notes)
