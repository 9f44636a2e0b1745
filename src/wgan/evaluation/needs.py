"""Why a metric does not apply to a subject: '' where it does, else a sentence."""

from __future__ import annotations

import torch

from wgan.data.conditions import Condition
from wgan.evaluation.context import Measured
from wgan.evaluation.table_metrics import columns_of


def rows(m: Measured) -> str:
    """Rows of a table, whose numbers have a training range."""
    return "" if m.subject.outside is not None else "it is for tables"


def table(m: Measured) -> str:
    """Rows of a table."""
    return "" if m.subject.rows is not None else "it is for tables"


def target(m: Measured) -> str:
    """Rows of a table with a column to be told by the others."""
    return table(m) or ("" if len(columns_of(m.reals.test)) > 1 or m.reals.test.classes else "it needs two columns")


def digits(m: Measured) -> str:
    """The shipped digit classifier reads the samples."""
    return "" if m.is_digits else "the digit classifier reads 28x28 grey images of mnist data only"


def asked(m: Measured) -> str:
    """The digit classifier applies, and there are labels."""
    return digits(m) or ("" if m.subject.labels is not None and m.reals.test.classes else "the samples have no labels")


def classified(m: Measured) -> str:
    """Labelled images that a small classifier can read."""
    if m.subject.labels is None or m.reals.test.classes < 2:
        return "it needs labels of at least two classes"
    readable = m.is_image and m.fakes.dtype == torch.uint8 and min(m.fakes.shape[2:]) >= 8
    return "" if readable else "its classifier reads images of bytes with sides from 8"


def inception(m: Measured) -> str:
    """Inception weights are given, and images it reads."""
    if m.inception is None:
        return "it needs --inception-weights FILE.safetensors"
    seen = m.is_image and m.fakes.dtype == torch.uint8 and m.fakes.shape[1] in (1, 3)
    return "" if seen else "Inception reads grey and colour images of bytes"


def told_numbers(m: Measured) -> str:
    """Samples that were made for numbers."""
    return told(m) or ("" if any(not c.levels for c in columns_told(m)) else "no condition is a number")


def told_categories(m: Measured) -> str:
    """Samples that were made for categories."""
    return told(m) or ("" if any(c.levels for c in columns_told(m)) else "no condition is a category")


def told(m: Measured) -> str:
    """Samples that were made for conditions of this data."""
    return (
        "" if m.subject.told is not None and m.reals.test.conditions is not None else "the samples have no conditions"
    )


def columns_told(m: Measured) -> tuple[Condition, ...]:
    """Return the conditions of the data."""
    return () if m.reals.test.conditions is None else m.reals.test.conditions.columns


def stacked(m: Measured) -> str:
    """Stacked MNIST."""
    return "" if m.reals.test.reader == "lenet-mnist by channel" else "it is for stacked-mnist only"


def modes(m: Measured) -> str:
    """Data whose modes are known."""
    return "" if m.reals.test.modes is not None else "the modes of this data are not known"


def always(m: Measured) -> str:
    """Anything."""
    return ""


def many(m: Measured) -> str:
    """Enough samples for a certified bound."""
    enough = len(m.fakes) >= 100 and len(m.reals.held_out[0]) >= 30 and len(m.reals.draw(0)[0]) >= 60
    return "" if enough else "it needs at least 100 fakes, 30 held-out reals and 60 training reals"


def seen(m: Measured) -> str:
    """Images, signals or volumes, which a network with random weights can look at, enough of them for neighbour balls."""
    seen = m.is_image or m.is_signal or m.is_volume
    return neighbours(m) if seen else "it is for images, signals and volumes"


def signals(m: Measured) -> str:
    """Signals."""
    return "" if m.is_signal else "it is for signals"


def volumes(m: Measured) -> str:
    """Volumes."""
    return "" if m.is_volume else "it is for volumes"


def recordings(m: Measured) -> str:
    """Signals, enough for a classifier that tells fakes from reals."""
    return signals(m) or ("" if len(m.reals.held_out[0]) >= 20 else "it needs at least 20 held-out signals")


def neighbours(m: Measured) -> str:
    """Enough held-out samples for neighbour balls."""
    return "" if len(m.reals.held_out[0]) > 5 else "it needs more than 5 held-out reals"
