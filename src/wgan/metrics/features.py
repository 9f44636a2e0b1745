"""The project's own MNIST classifier: 128 features for distances, digits for histograms. Not Inception, never called so."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wgan.errors import WganError
from wgan.host import drawing

WEIGHTS = Path(__file__).parent / "weights"
CHUNK = 256  # every forward pass has exactly this many rows, so a feature never depends on how images were batched
SHAPE = (1, 28, 28)


class LeNet(nn.Module):
    """A small convolutional classifier of 28 × 28 grey digits, 232 thousand parameters.

    x [B, 1, 28, 28] in [0, 1] -> 4 convolutions 3 × 3 with batch norm, 2 poolings -> 128 ReLU features -> 10 logits.
    Source: LeCun et al. 1998, modernised. It is not the Inception network of published FIDs.
    """

    mean, std = 0.1307, 0.3081  # of MNIST's train pixels in [0, 1]

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(1, 16),
            *_conv(16, 16),
            nn.MaxPool2d(2),  # [B, 16, 14, 14]
            *_conv(16, 32),
            *_conv(32, 32),
            nn.MaxPool2d(2),  # [B, 32, 7, 7]
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 128),
            nn.ReLU(),
        )
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(128, 10)

    def features(self, x: Tensor) -> Tensor:
        """Return the 128 ReLU activations before the last layer: [B, 1, 28, 28] in [0, 1] -> [B, 128]."""
        hidden: Tensor = self.body((x - self.mean) / self.std)
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """Return class logits: [B, 1, 28, 28] in [0, 1] -> [B, 10]."""
        logits: Tensor = self.head(self.drop(self.features(x)))
        return logits


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def lenet_card(folder: Path = WEIGHTS) -> dict[str, Any]:
    """Return the card of the shipped weights: name, sha256, test accuracy, seed, command and versions of their making."""
    card: dict[str, Any] = json.loads((folder / "lenet-mnist.json").read_text(encoding="utf-8"))
    return card


@functools.cache
def load_lenet(folder: Path = WEIGHTS) -> LeNet:
    """Return the shipped classifier in eval mode, without gradients, on the CPU.

    Raises WganError when the weights' sha256 is not the one on their card: metrics would silently not be comparable.
    """
    from safetensors.torch import load

    path = folder / "lenet-mnist.safetensors"
    if not path.is_file():
        raise WganError(f"{path} is missing: reinstall wgan, or fit it again with tools/fit_features.py")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != lenet_card(folder)["sha256"]:
        raise WganError(f"{path} is not the file its card describes (sha256 differs): reinstall wgan")
    with drawing(torch.Generator()):  # the initial values are thrown away: the caller's random stream must not notice
        model = LeNet()
    model.load_state_dict(load(data))
    return model.eval().requires_grad_(False)


def check_digits(images: Any) -> Tensor:
    """Return `images` as a uint8 tensor [N, 1, 28, 28]; WganError for another type or shape, or for no image at all."""
    x = torch.as_tensor(images)
    if x.dtype != torch.uint8:
        raise WganError(f"images must be uint8 in 0..255, not {str(x.dtype).removeprefix('torch.')}: round them first")
    if x.ndim != 4 or tuple(x.shape[1:]) != SHAPE:
        raise WganError(f"the digit classifier reads images of shape [N, 1, 28, 28], not {list(x.shape)}")
    if len(x) == 0:
        raise WganError("there is no image to look at: N is 0")
    return x


def _chunked(images: Any, function: Any) -> NDArray[np.float32]:
    x = check_digits(images).cpu()
    outputs = []
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK]
        full = torch.zeros(CHUNK, *SHAPE)
        full[: len(part)] = part.float() / 255
        outputs.append(function(full)[: len(part)])
    result: NDArray[np.float32] = torch.cat(outputs).float().numpy()
    return result


@torch.no_grad()
def features(images: Any) -> NDArray[np.float32]:
    """Return the classifier's features, the input of fid-lenet, kid-lenet and PRDC.

    images uint8 [N, 1, 28, 28] -> float32 [N, 128], each >= 0, arbitrary unit: scale them by the reference
    (`distances.scale_features`). The same image gives the same features in any batch.
    Errors: WganError for another dtype or shape. Not Inception features: values do not compare with published FIDs.
    """
    return _chunked(images, load_lenet().features)


@torch.no_grad()
def logits(images: Any) -> NDArray[np.float32]:
    """Return the classifier's logits: images uint8 [N, 1, 28, 28] -> float32 [N, 10]; errors as `features`."""
    return _chunked(images, load_lenet())


def classify(images: Any) -> NDArray[np.int64]:
    """Return the digit the classifier sees in each image.

    images uint8 [N, 1, 28, 28] -> int64 [N] in 0..9. It always answers: noise gets a digit too, so a class histogram
    says nothing about quality. Errors as `features`.
    """
    digits: NDArray[np.int64] = logits(images).argmax(1)
    return digits


@torch.no_grad()
def digits_of(found: Any) -> NDArray[np.int64]:
    """Return the digits that `classify` sees, from the `features` float32 [N, 128] of the same images -> int64 [N]."""
    digits: NDArray[np.int64] = load_lenet().head(torch.as_tensor(found)).argmax(1).numpy()
    return digits


def stacked_digits(images: Any) -> NDArray[np.int64]:
    """Return the triple of digits in each stacked-MNIST image, one for each colour channel.

    images uint8 [N, 3, 28, 28] -> int64 [N, 3] in 0..9, for `coverage.stacked_modes`.
    Source: protocol of Metz et al. 2017, section 3.3.1. Errors: WganError for another dtype or shape.
    """
    x = torch.as_tensor(images)
    if x.ndim != 4 or tuple(x.shape[1:]) != (3, 28, 28):
        raise WganError(f"stacked digits have shape [N, 3, 28, 28], not {list(x.shape)}")
    return classify(x.reshape(-1, *SHAPE)).reshape(-1, 3)
