"""Classification accuracy score: can a classifier learn from the fakes what it needs to know about the reals?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError
from wgan.host import drawing

BATCH = 128
UPDATES = 800  # of every fit, however many samples there are: the budget is part of the metric


def small_classifier(channels: int, classes: int) -> nn.Module:
    """Return a small convolutional classifier for images of any side from 8: [B, C, H, W] -> [B, classes].

    Its ReLUs stand behind the pooling, which is the same function (a maximum of ReLUs is the ReLU of the maximum) at a
    quarter of the work; channels last, batch norm and pooling take a third of the time on a CPU.
    """
    network = nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.AdaptiveMaxPool2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 16, 128),
        nn.ReLU(),
        nn.Linear(128, classes),
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def classification_accuracy(
    images: Any, labels: Any, real_images: Any, real_labels: Any, classes: int, updates: int = UPDATES, seed: int = 0
) -> float:
    """Return CAS: the accuracy on real images of a classifier that was trained on `images` and `labels` alone.

    images uint8 [N, C, H, W], labels int [N]: what the classifier learns from; real_images uint8 [M, C, H, W],
    real_labels [M]: what it is tested on -> fraction in 0..1. `updates` batches of 128, Adam with a falling rate, `seed`.
    With real images as the first pair and fakes as the second it is the GAN-test.
    Source: Ravuri & Vinyals 2019, section 3; Shmelkov et al. 2018, section 3. Errors: WganError for no image, other shapes,
    labels out of range. Not an accuracy to compare with published classifiers: read it beside the same metric trained on
    as many reals.
    """
    test, truth = _check(real_images, real_labels, classes, "real_images")
    if tuple(torch.as_tensor(images).shape[1:]) != tuple(test.shape[1:]):
        shapes = [list(torch.as_tensor(x).shape[1:]) for x in (images, test)]
        raise WganError(f"images are {shapes[0]} and real_images {shapes[1]}: they must match")
    model = fit_classifier(images, labels, classes, updates, seed)
    return float((predictions(model, test) == truth).double().mean())


def fit_classifier(images: Any, labels: Any, classes: int, updates: int = UPDATES, seed: int = 0) -> nn.Module:
    """Return a small classifier trained on images uint8 [N, C, H, W] and labels int [N]; arguments as above."""
    x, y = _check(images, labels, classes, "images")
    with drawing(torch.Generator().manual_seed(seed)):
        model = small_classifier(x.shape[1], classes)
    _fit(model, x, y, updates, torch.Generator().manual_seed(seed))
    return model.eval().requires_grad_(False)


@torch.no_grad()
def predictions(model: nn.Module, images: Any) -> Tensor:
    """Return the class that the classifier sees in each image: uint8 [N, C, H, W] -> int64 [N]."""
    return torch.cat([model(_floats(x)).argmax(1) for x in torch.as_tensor(images).split(500)])


def _floats(images: Tensor) -> Tensor:
    return (images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def _check(images: Any, labels: Any, classes: int, name: str) -> tuple[Tensor, Tensor]:
    x, y = torch.as_tensor(images), torch.as_tensor(labels).long()
    if x.dtype != torch.uint8 or x.ndim != 4 or len(x) == 0 or min(x.shape[2:]) < 8:
        raise WganError(f"{name} must be uint8 [N, C, H, W] with sides from 8, not {x.dtype} {list(x.shape)}")
    if y.shape != (len(x),) or int(y.min()) < 0 or int(y.max()) >= classes:
        raise WganError(f"the labels of {name} must be {len(x)} whole numbers in 0..{classes - 1}")
    return x, y


def _fit(model: nn.Module, x: Tensor, y: Tensor, updates: int, rng: torch.Generator) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    model.train()
    for _ in range(updates):
        pick = torch.randint(len(x), (BATCH,), generator=rng)
        loss = F.cross_entropy(model(_floats(x[pick])), y[pick])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
