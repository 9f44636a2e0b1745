"""A Source of the caller's own: checked on a few samples, divided once, and known in this program under a hash of its content."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wgan.data import split as splits
from wgan.data.source import RECIPES, Source
from wgan.errors import WganError

SOURCE = "source:"
LOOKED_AT = 256  # samples, evenly spread, by which one source is told from another
_HERE: dict[str, tuple[Source, Source]] = {}  # spec -> training and held-out part; a program that ends forgets them


def is_given(data: Any) -> bool:
    """Return whether `data` is a Source, or a pair of them: training and held-out samples."""
    pair = data if isinstance(data, (tuple, list)) else (data,)
    return 1 <= len(pair) <= 2 and all(isinstance(part, Source) for part in pair)


def spec_of_source(data: Any) -> str:
    """Return the data spec, source:HASH, that stands for a Source, or for (training, held-out), while this program runs.

    One Source is divided as a user's own files are. Raises WganError for one that is not what it says.
    """
    pair = tuple(data) if isinstance(data, (tuple, list)) else (data,)
    hashes = [fingerprint(checked(part)) for part in pair]
    if len(pair) == 2 and (pair[0].shape, pair[0].class_names) != (pair[1].shape, pair[1].class_names):
        raise WganError("data's two sources differ in shape or classes: give training and held-out samples of one kind")
    whole = hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    spec = SOURCE + whole[:24]
    train, test = pair if len(pair) == 2 else divided(pair[0])
    _HERE[spec] = named(train, spec, "train", whole), named(test, spec, "test", whole)
    return spec


def open_given(spec: str, split: str) -> Source:
    """Return one split of a Source that this program gave before; WganError in another program."""
    if spec not in _HERE:
        raise WganError(
            f"data {spec} were a Source in Python, and this program has not given it: give it again as data"
        )
    train, test = _HERE[spec]
    return {"train": train, "test": test}.get(split) or joined(train, test)


def named(source: Source, spec: str, split: str, content: str) -> Source:
    """Return the source under the name by which a run knows it."""
    recipe = source.recipe or RECIPES[len(source.shape)]
    return dataclasses.replace(source, name=spec, split=split, fingerprint=content, recipe=recipe)


def divided(source: Source) -> tuple[Source, Source]:
    """Return the samples to train on and those to hold out."""
    rows = {part: splits.indices(len(source), None, part, "the source given as data") for part in ("train", "test")}
    return picked(source, rows["train"]), picked(source, rows["test"])


def picked(source: Source, rows: np.ndarray) -> Source:
    """Return the samples of a source that have the numbers `rows`."""
    chosen = torch.from_numpy(rows)
    return dataclasses.replace(
        source,
        size=len(rows),
        gather=lambda indices: source.gather(chosen[indices]),
        labels=None if source.labels is None else source.labels[chosen],
        told=None if source.told is None else source.told[chosen],
        mode_index=None if source.mode_index is None else source.mode_index[chosen],
    )


def joined(train: Source, test: Source) -> Source:
    """Return all samples, first those to train on."""

    def gather(indices: Tensor) -> Tensor:
        late = indices >= len(train)
        first, rest = train.gather(indices[~late]), test.gather(indices[late] - len(train))
        out = torch.empty(len(indices), *train.shape, dtype=(first if len(first) else rest).dtype)
        out[~late], out[late] = first, rest
        return out

    size = len(train) + len(test)
    labels, told = beside(train.labels, test.labels), beside(train.told, test.told)
    return dataclasses.replace(train, split="all", size=size, gather=gather, labels=labels, told=told, mode_index=None)


def beside(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Return what is known of the samples of two sources, one after the other; None where one knows nothing."""
    return None if a is None or b is None else torch.cat([a, b])


def checked(source: Source) -> Source:
    """Return the source; WganError where its samples or labels are not what it says of them."""
    wrong = "data's source"
    if len(source.shape) not in RECIPES or not all(type(n) is int and 0 < n <= 65536 for n in source.shape):
        raise WganError(
            f"{wrong} has shape {source.shape}: give (C, H, W) for images, (C, T) for signals, (C, D, H, W) for "
            "volumes, (D,) for vectors"
        )
    if source.size < 1:
        raise WganError(f"{wrong} has no samples")
    few = spread(source, 5)
    x, again = looked_up(source, few), looked_up(source, few)
    kind = torch.uint8 if source.is_image else torch.float32
    if not isinstance(x, Tensor) or list(x.shape) != [len(few), *source.shape] or x.dtype != kind:
        found = f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise WganError(f"{wrong} gathers {found} of {len(few)} indices: it must be {kind} {[len(few), *source.shape]}")
    if not torch.isfinite(x.float()).all():
        raise WganError(f"{wrong} holds NaN or infinity: leave those samples out")
    if not torch.equal(x, again):
        raise WganError(f"{wrong} gathers other samples for the same indices: sample i must be the same on every call")
    check_labels(source)
    return source


def looked_up(source: Source, indices: Tensor) -> Any:
    """Return what the source gathers; WganError for an exception in it, which comes from the caller's code."""
    try:
        return source.gather(indices)
    except Exception as error:  # of code that is not ours, of any kind
        raise WganError(
            f"data's source failed to gather {len(indices)} indices: {type(error).__name__}: {error}"
        ) from error


def check_labels(source: Source) -> None:
    """Raise WganError for labels that are not the classes' numbers."""
    y, k = source.labels, source.classes
    if (y is None) != (k == 0):
        raise WganError(
            f"data's source has {k} classes and {'no' if y is None else 'also'} labels: give both, or neither"
        )
    if y is None:
        return
    if not isinstance(y, Tensor) or y.dtype != torch.int64 or list(y.shape) != [source.size]:
        raise WganError(f"data's source has labels that are not int64 [{source.size}], one for each sample")
    if int(y.min()) < 0 or int(y.max()) >= k:
        raise WganError(f"data's source has labels from {int(y.min())} to {int(y.max())}: they must be in 0..{k - 1}")
    if len(set(source.class_names)) != k:
        raise WganError(
            f"data's source has {k} classes and {len(set(source.class_names))} names for them: give class_names"
        )


def spread(source: Source, most: int) -> Tensor:
    """Return up to `most` indices from the first to the last sample."""
    return torch.linspace(0, source.size - 1, min(most, source.size)).round().long()


def fingerprint(source: Source) -> str:
    """Return a hash of what the source is: what it says of itself, all labels, and LOOKED_AT of its samples."""
    if source.fingerprint:
        return source.fingerprint
    digest = hashlib.sha256(repr((source.shape, source.size, source.class_names)).encode())
    digest.update(looked_up(source, spread(source, LOOKED_AT)).contiguous().numpy().tobytes())
    if source.labels is not None:
        digest.update(source.labels.numpy().tobytes())
    return digest.hexdigest()
