"""Fashion-MNIST by name: found where the machine has it, one sentence where it has not."""

from __future__ import annotations

import pytest
import torch

from wgan.data import open_source
from wgan.data.bundled.fashion import CLASSES
from wgan.errors import WganError


def test_fashion_is_opened_by_name_with_the_names_of_its_classes(fashion):
    train, test = open_source("fashion"), open_source("fashion", "test")
    assert (len(train), len(test), train.shape, train.name) == (60, 30, (1, 28, 28), "fashion")
    x, y = train.batch(torch.tensor([1, 12]))
    assert x[0].flatten()[:3].tolist() == [784 % 256, 785 % 256, 786 % 256] and y.tolist() == [1, 2]
    assert train.class_names == CLASSES and len(CLASSES) == train.classes == 10


def test_fashion_that_is_not_there_or_not_whole_is_one_sentence(fashion, tmp_path, monkeypatch, command):
    (fashion / "t10k-labels-idx1-ubyte").unlink()
    said = command("train", "fashion", "--run", tmp_path / "run").sentence()
    assert f"{fashion} lacks t10k-labels-idx1-ubyte" in said and "dataset-fashion-mnist" in said and "--data" in said
    monkeypatch.setenv("WGAN_DATA", str(tmp_path / "nowhere"))
    assert "lacks train-images-idx3-ubyte" in command("data", "fashion").sentence()
    assert not (tmp_path / "run").exists()
    with pytest.raises(WganError, match="no argument"):
        open_source("fashion:3")
