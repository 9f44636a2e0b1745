"""Inception-v3, the network behind published FIDs, with weights that the user brings: none ship with this project."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.errors import WganError

SIDE = 299  # of the square that every image is resized to
CHUNK = 8  # every forward pass has exactly this many rows, so a feature never depends on how images were batched
WIDTH = 2048
FID_CLASSES, TORCHVISION_CLASSES = 1008, 1000  # rows of the last layer: they tell the two files apart
CONVERT = "python -c \"import torch, safetensors.torch as s; s.save_file(torch.load('{}', weights_only=True), '{}')\""

Kernel = int | tuple[int, int]
Unit = tuple[int, Kernel] | tuple[int, Kernel, int]  # channels, kernel, stride (1, when it is left out)
Branches = dict[str, list[Unit | list[Unit]]]  # a list at the end of a branch: that many convolutions side by side


class Conv(nn.Module):
    """Convolution, batch norm (ε = 0.001) and ReLU; stride 1 keeps the side, stride 2 pads nothing, as in the paper."""

    def __init__(self, inputs: int, outputs: int, kernel: Kernel, stride: int = 1, padded: bool = True) -> None:
        super().__init__()
        h, w = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = (h // 2, w // 2) if stride == 1 and padded else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (h, w), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, H', W'] of [B, inputs, H, W]."""
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """Branches side by side on one input, concatenated: those of convolutions in their order, then the pooled one.

    The convolutions of branch `b` are called b_1, b_2, ... (b, when it has one), and b_2a, b_2b where it forks.
    """

    def __init__(self, inputs: int, branches: Branches, pool: Callable[[Tensor], Tensor], pooled: int = 0) -> None:
        super().__init__()
        self.pool = pool
        self.chains: list[list[list[str]]] = []
        self.width = pooled or inputs
        for branch, units in branches.items():
            self.chains.append([])
            channels = inputs
            for place, unit in enumerate(units, 1):
                fork = unit if isinstance(unit, list) else [unit]
                stem = branch if len(units) == 1 else f"{branch}_{place}"
                names = [stem + letter for letter in ("ab" if len(fork) > 1 else [""])]
                for name, one in zip(names, fork, strict=True):
                    self.add_module(name, Conv(channels, *one))
                self.chains[-1].append(names)
                channels = sum(one[0] for one in fork)
            self.width += channels
        self.branch_pool = Conv(inputs, pooled, 1) if pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, width, H', W'] of [B, inputs, H, W]."""
        outputs = []
        for chain in self.chains:
            y = x
            for names in chain:
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            outputs.append(y)
        return torch.cat([*outputs, self.branch_pool(self.pool(x))], 1)


def average(x: Tensor) -> Tensor:
    """Return the mean over 3 × 3 pixels, over those inside at the border: TensorFlow's, which the FID network needs."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def padded_average(x: Tensor) -> Tensor:
    """Return the mean over 3 × 3 pixels where those outside count as 0: torchvision's."""
    return F.avg_pool2d(x, 3, 1, 1)


def largest(x: Tensor) -> Tensor:
    """Return the maximum over 3 × 3 pixels: what the FID network has in its last block instead of an average."""
    return F.max_pool2d(x, 3, 1, 1)


def halved(x: Tensor) -> Tensor:
    """Return the maximum over 3 × 3 pixels at every second place."""
    return F.max_pool2d(x, 3, 2)


def block_a(inputs: int, pooled: int, mean: Callable[[Tensor], Tensor]) -> Block:
    """35 × 35: figure 5 of the paper."""
    return Block(inputs, {"branch1x1": [(64, 1)], "branch5x5": [(48, 1), (64, 5)],
                          "branch3x3dbl": [(64, 1), (96, 3), (96, 3)]}, mean, pooled)  # fmt: skip


def block_c(n: int, mean: Callable[[Tensor], Tensor]) -> Block:
    """17 × 17: figure 6, with 7 × 7 as 1 × 7 and 7 × 1."""
    row, column = (1, 7), (7, 1)
    double: list[Unit | list[Unit]] = [(n, 1), (n, column), (n, row), (n, column), (192, row)]
    return Block(768, {"branch1x1": [(192, 1)], "branch7x7": [(n, 1), (n, row), (192, column)],
                       "branch7x7dbl": double}, mean, 192)  # fmt: skip


def block_e(inputs: int, pool: Callable[[Tensor], Tensor]) -> Block:
    """8 × 8: figure 7, whose branches fork at their end."""
    fork: list[Unit] = [(384, (1, 3)), (384, (3, 1))]
    return Block(inputs, {"branch1x1": [(320, 1)], "branch3x3": [(384, 1), fork],
                          "branch3x3dbl": [(448, 1), (384, 3), fork]}, pool, 192)  # fmt: skip


class Inception(nn.Module):
    """Inception-v3 with the parameter names of torchvision: x [B, 3, 299, 299] in [-1, 1] -> 2048 features.

    classes 1008: the network of published FIDs (TensorFlow's of 2015-12-05), whose average pools leave the border out and
    whose last block pools by maximum; 1000: torchvision's. Source: Szegedy et al. 2015, arXiv 1512.00567; Heusel 2017.
    """

    def __init__(self, classes: int = FID_CLASSES) -> None:
        super().__init__()
        mean, last = (average, largest) if classes == FID_CLASSES else (padded_average, padded_average)
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3, padded=False)
        self.Mixed_5b = block_a(192, 32, mean)
        self.Mixed_5c = block_a(256, 64, mean)
        self.Mixed_5d = block_a(288, 64, mean)
        self.Mixed_6a = Block(288, {"branch3x3": [(384, 3, 2)], "branch3x3dbl": [(64, 1), (96, 3), (96, 3, 2)]}, halved)
        self.Mixed_6b = block_c(128, mean)
        self.Mixed_6c = block_c(160, mean)
        self.Mixed_6d = block_c(160, mean)
        self.Mixed_6e = block_c(192, mean)
        self.Mixed_7a = Block(
            768,
            {
                "branch3x3": [(192, 1), (320, 3, 2)],
                "branch7x7x3": [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)],
            },
            halved,
        )
        self.Mixed_7b = block_e(1280, mean)
        self.Mixed_7c = block_e(WIDTH, last)
        self.fc = nn.Linear(WIDTH, classes)  # in the file, and unused: features are what it reads

    def forward(self, x: Tensor) -> Tensor:
        """Return the features [B, 2048]: means over space of what the last block gives."""
        for name, module in self.named_children():
            if name != "fc":
                x = module(x)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                x = halved(x)
        return x.mean((2, 3))


class Extractor(NamedTuple):
    """A network with its weights, what it is called beside a value, and the sha256 of the file."""

    network: Inception
    name: str
    sha256: str


def load_inception(path: str | Path) -> Extractor:
    """Return Inception-v3 with the weights of a .safetensors file that the user converted, in eval mode, on the CPU.

    The published FID network (pt_inception-2015-12-05-6726825d.pth) or torchvision's inception_v3: the last layer, of 1008
    or 1000 rows, tells which. Raises WganError in one sentence for a file that is missing, pickled, damaged, or another
    network's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    if path.suffix in (".pth", ".pt", ".bin", ".ckpt"):
        raise WganError(
            f"{path} may hold code, and is not read: convert it once with "
            + CONVERT.format(path, path.with_suffix(".safetensors"))
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WganError(f"the Inception weights {path} cannot be read: {error.strerror}") from None
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WganError(f"{path} holds no valid safetensors: {error}") from None
    head = tensors.get("fc.weight")
    classes = 0 if head is None or head.dim() != 2 else len(head)
    if classes not in (FID_CLASSES, TORCHVISION_CLASSES):
        raise WganError(f"{path} is not an Inception-v3: its last layer fc.weight must have {FID_CLASSES} rows (the FID "
                        f"network) or {TORCHVISION_CLASSES} (torchvision's), not {classes}")  # fmt: skip
    with torch.device("meta"):  # no memory and no random number for values that are replaced at once
        network = Inception(classes)
    network.load_state_dict(fitting(tensors, network.state_dict(), str(path)), assign=True)
    sha256 = hashlib.sha256(data).hexdigest()
    kind = "fid-2015" if classes == FID_CLASSES else "torchvision"
    return Extractor(network.eval().requires_grad_(False), f"inception-{kind} {sha256[:12]}", sha256)


def fitting(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: str) -> dict[str, Tensor]:
    """Return the tensors that the network wants, as float32; WganError for one missing, misshapen, unknown or not finite.

    torchvision's auxiliary classifier is left out, and the count of batches that a batch norm saw may be missing.
    """
    counts = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in tensors and name not in counts]
    strange = [name for name in tensors if name not in wanted and not name.startswith("AuxLogits.")]
    if missing or strange:
        what = f"lacks {missing[0]}" if missing else f"has {strange[0]}, which Inception-v3 has not"
        raise WganError(f"{path} {what} ({len(missing)} tensors missing, {len(strange)} unknown)")
    found = {name: torch.zeros((), dtype=torch.int64) for name in counts}  # only training reads it
    for name in wanted.keys() - counts:
        tensor = tensors[name]
        if tensor.shape != wanted[name].shape or not tensor.is_floating_point():
            raise WganError(f"{path}: {name} must be floats {list(wanted[name].shape)}, not {tensor.dtype} "
                            f"{list(tensor.shape)}")  # fmt: skip
        if not torch.isfinite(tensor).all():
            raise WganError(f"{path}: {name} holds NaN or infinite values")
        found[name] = tensor.float().contiguous()
    return found


def resized(x: Tensor) -> Tensor:
    """Return images [B, C, H, W] at 299 × 299 by TensorFlow 1's bilinear rule: output pixel i looks at i · H / 299.

    Published FIDs resize within the network's graph, by this rule; PyTorch's looks at (i + ½) · H / 299 − ½.
    """
    rows, columns = (_weights(side) for side in x.shape[2:])
    return rows @ x @ columns.T


def _weights(side: int) -> Tensor:
    """Return the bilinear weights [299, side] of one axis; each row sums to 1."""
    where = torch.arange(SIDE) * side / SIDE
    low = where.long().clamp(max=side - 1)
    part = where - low
    weights = torch.zeros(SIDE, side)
    index = torch.arange(SIDE)
    weights[index, low] += 1 - part
    weights[index, (low + 1).clamp(max=side - 1)] += part
    return weights


def prepared(images: Tensor) -> Tensor:
    """Return uint8 images [B, 1 or 3, H, W] as the network's input: three channels, 299 × 299, (x − 128) / 128."""
    return ((resized(images.float()) - 128) / 128).expand(-1, 3, -1, -1)


@torch.no_grad()
def inception_features(
    images: Any, network: nn.Module, tick: Callable[[int, int], None] = lambda done, total: None
) -> NDArray[np.float32]:
    """Return the 2048 features of each image, the input of a published FID.

    images uint8 [N, 1 or 3, H, W], any side; `tick` is told images done and images in all -> float32 [N, 2048].
    Source: Heusel et al. 2017. Errors: WganError for another dtype or shape, or no image. About 6 GFLOP an image.
    """
    x = torch.as_tensor(images).cpu()
    if x.dtype != torch.uint8 or x.dim() != 4 or x.shape[1] not in (1, 3) or len(x) == 0:
        raise WganError(f"Inception reads images uint8 [N, 1 or 3, H, W], not {x.dtype} {list(x.shape)}")
    outputs = []
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK]
        full = torch.zeros(CHUNK, *x.shape[1:], dtype=torch.uint8)
        full[: len(part)] = part
        outputs.append(network(prepared(full))[: len(part)])
        tick(start + len(part), len(x))
    found: NDArray[np.float32] = torch.cat(outputs).numpy()
    return found
