"""MNIST as the PyTorch programs read it: one image at a time, through a PIL image, by a DataLoader."""

from __future__ import annotations

import numpy as np
import torch
from common import mnist
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Item i: a PIL image that becomes a float tensor in [0, 1] and is then normalised to [-1, 1], with its label."""

    def __init__(self) -> None:
        images, labels = mnist("train")
        self.images, self.labels = torch.from_numpy(images.copy()), torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[i].numpy())
        x = (
            torch.from_numpy(np.array(picture, copy=True))
            .view(28, 28, 1)
            .permute(2, 0, 1)
            .contiguous()
            .float()
            .div(255)
        )
        mean, deviation = torch.as_tensor([0.5]).view(-1, 1, 1), torch.as_tensor([0.5]).view(-1, 1, 1)
        return x.sub_(mean).div_(deviation), int(self.labels[i])


def loader() -> DataLoader:
    """Return shuffled batches of 64."""
    return DataLoader(Digits(), batch_size=64, shuffle=True)
