"""used_samples(): which samples of some data a run learned from, or set its threshold by; no measure may count these."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from wgan.config import Config, ReadingOptions, part
from wgan.data import Source
from wgan.data.own.open import open_own, prepared
from wgan.data.source import selection_indices
from wgan.data.split import WHOLE, held_out_mask
from wgan.encoding.to_score import ToScore, opened_source

BY_CLASS = "mnist"  # bundled data that can be opened by class, such as mnist:0-8


def used_samples(config: Config, own: Source, given: ToScore) -> NDArray[np.bool_] | None:
    """Return which samples [N] of `given` the run learned from, or sets its threshold by; None where they are other data.

    own: the held-out samples of the run, of which `selection_indices` set the threshold.
    """
    ours = own_samples(config, own, given)
    if ours is None:
        return None
    held = held_out(config, own, given)
    used: NDArray[np.bool_] = ours & ~held
    setting = np.isin(np.arange(len(own)), selection_indices(len(own)).numpy())
    used[ours & held] = setting[in_data(own, given)]
    return used


def own_samples(config: Config, own: Source, given: ToScore) -> NDArray[np.bool_] | None:
    """Return which samples [N] are of the data of the run, held out or not; None where these are other data.

    The digits of mnist:0-8 are samples of mnist as well.
    """
    source = given.source
    if source is None:
        same = holds_own_rows(config, own, given)
    elif own.fingerprint or source.fingerprint:
        same = own.fingerprint == source.fingerprint
    elif both_by_class(own, source):
        return np.isin(classes_of(source), own.class_names)
    else:
        same = own.name == source.name
    return np.ones(len(given), np.bool_) if same else None


def both_by_class(own: Source, source: Source) -> bool:
    """Return whether both are digits of MNIST, of all or some classes."""
    return all(s.name.partition(":")[0] == BY_CLASS for s in (own, source))


def classes_of(source: Source) -> NDArray[np.str_]:
    """Return the class [N] of each sample, by its name; one class alone has no labels."""
    names = np.array(source.class_names)
    return np.repeat(names, len(source)) if source.labels is None else names[source.labels.numpy()]


def in_data(own: Source, given: ToScore) -> NDArray[np.bool_]:
    """Return which held-out samples of the run are in the data, which may lack some of its classes, or all of them."""
    if given.split == "train":
        return np.zeros(len(own), np.bool_)
    if given.source is None or not both_by_class(own, given.source):
        return np.ones(len(own), np.bool_)
    return np.isin(classes_of(own), given.source.class_names)


def holds_own_rows(config: Config, own: Source, given: ToScore) -> bool:
    """Return whether the rows of a table are those of the run's own data."""
    if not own.fingerprint or given.rows is None:
        return False
    whole = open_own(own.name, WHOLE, part(ReadingOptions, config))
    if len(whole) != len(given.rows):
        return False
    return torch.allclose(whole.batch(torch.arange(len(whole)))[0], given.rows.float(), atol=1e-5)


def held_out(config: Config, own: Source, given: ToScore) -> NDArray[np.bool_]:
    """Return which samples [N] of `given`, the run's own data in a split, are held out."""
    n = len(given)
    if given.split == WHOLE:
        return held_out_mask(n, prepared(own.name, part(ReadingOptions, config)).held_out)
    if given.split != "all":
        return np.full(n, given.split == "test")
    assert given.source is not None
    tests = len(opened_source(given.source.name, "test", part(ReadingOptions, config)))
    return np.arange(n) >= n - tests  # train, then test
