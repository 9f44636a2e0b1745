"""Samples and labels that Python gives in any of the usual ways; what cannot be a label is told what it is."""

import numpy as np
import pytest
import torch

from wgan.data import open_source
from wgan.data.own.in_memory import arrays_of, spec_of
from wgan.errors import WganError

X = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
Y = np.arange(60) % 3


class Column:
    """What a column of pandas is to NumPy: it says itself how it becomes an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __len__(self):
        return len(self.values)


@pytest.mark.parametrize(
    "labels",
    [Y, Y.tolist(), tuple(Y.tolist()), Column(Y), Y.astype(object), Column(Y.astype(object)), torch.from_numpy(Y)],
    ids=lambda labels: type(labels).__name__,
)
@pytest.mark.parametrize("samples", [X, list(X), torch.from_numpy(X)], ids=lambda samples: type(samples).__name__)
def test_labels_may_be_any_column(samples, labels):
    values, found = arrays_of((samples, labels))
    assert np.array_equal(values, X) and found.tolist() == Y.tolist()


def test_names_as_python_objects_are_labels():
    names = np.array(["cat", "dog", "eel"], dtype=object)[Y]
    assert arrays_of((X, names))[1].tolist() == names.tolist()
    assert arrays_of((X, np.array(names, "S")))[1].tolist() == names.tolist()


HOT = np.eye(3)[Y]


@pytest.mark.parametrize(
    "data, said",
    [
        ([(x, hot) for x, hot in zip(X, HOT, strict=True)], "sample 0 has 3 labels"),
        ([(x, torch.zeros(14)) for x in X], "sample 0 has 14 labels"),
        ([(x, {"boxes": 1}) for x in X], "the label of sample 0 is a dict with boxes"),
        ([(x, y, i) for i, (x, y) in enumerate(zip(X, Y, strict=True))], "items of 3 parts"),
        ([{"image": x, "label": y} for x, y in zip(X, Y, strict=True)], "dicts with image, label: .*hf:FOLDER"),
        ((X, np.array(["cat", None, *"c" * 58], dtype=object)), "missing value"),
        ((X, np.array(["cat", float("nan"), *"c" * 58], dtype=object)), "missing value"),
    ],
)
def test_what_is_no_label_is_told_what_it_is(data, said):
    with pytest.raises(WganError, match=said):
        arrays_of(data)


@pytest.mark.parametrize("missing", ["nan", "", "?", "<NA>"])
def test_a_missing_label_among_texts_is_no_class(cache, missing):
    labels = np.array(["cat", "dog", missing])[Y]
    with pytest.raises(WganError) as refused:
        open_source(spec_of((X, labels)))
    assert f"no label for 20 of 60 samples, the first is sample 2 ('{missing}')" in str(refused.value)


@pytest.mark.parametrize(
    "data, said",
    [
        (torch.rand(60, 8, 8).to_sparse(), "sparse: give it as to_dense()"),
        (torch.empty(60, 8, 8, device="meta"), "on the device meta, without values"),
        ((X, np.arange(60).astype("M8[D]")), r"values of type datetime64\[D\]: .* labels whole numbers or texts"),
        ((X, [object()] * 60), "values of type object: samples are numbers"),
        (X + 1j, "values of type complex128"),
    ],
)
def test_what_holds_no_numbers_is_told_by_its_type(data, said):
    with pytest.raises(WganError, match=said):
        arrays_of(data)
