"""The layer line that `auto` stands for: a width rule that follows the samples (docs/reference/networks.md)."""

from __future__ import annotations

import math

from wgan.errors import WganError
from wgan.models.conv1d import signal_shape
from wgan.models.conv3d import volume_shape

SMALLEST = 4  # side of the smallest feature map
SMALLEST_SOLID = 2  # the same of volumes
WIDEST = 256  # channels
LONGEST = 12  # steps of the smallest feature map of a signal
SHORT = 4 * LONGEST  # steps that one quartering would bring there: a critic of one convolution learns nothing


def line(player: str, family: str, shape: tuple[int, ...]) -> str:
    """Return the layers of `player` (generator or critic) for samples of `shape`, as the user could have written them.

    Raises WganError for image sides that are no multiples of 4, and for vectors, in a family that grows feature maps.
    """
    if family == "mlp":
        return mlp_line(shape)
    if family in ("conv1d", "resnet1d"):
        length, blocks = signal_shape(shape, f"{player} {family}")[1], family == "resnet1d"
        return signal_generator_line(length, blocks) if player == "generator" else signal_critic_line(length, blocks)
    if family == "conv3d":
        _, *volume = volume_shape(shape, f"{player} {family}")
        return volume_generator_line(max(volume)) if player == "generator" else volume_critic_line(max(volume))
    if len(shape) == 4:
        raise WganError(
            f"the family {family} makes images, and the data are volumes: use --generator conv3d --critic conv3d, or the recipe "
            "volumes"
        )
    if len(shape) == 2:
        raise WganError(
            f"the family {family} makes images, and the data are signals: use --generator conv1d --critic conv1d, or the recipe "
            "signals"
        )
    if len(shape) != 3:
        raise WganError(
            f"the family {family} makes images, and the data are vectors of {math.prod(shape)} numbers: use --generator mlp "
            "--critic mlp, or the recipe vectors"
        )
    growths = doublings(shape)
    if family == "resnet":
        return resnet_line(growths, shape) if player == "generator" else critic_line(shape, "x2")
    return generator_line(growths) if player == "generator" else critic_line(shape)


def mlp_line(shape: tuple[int, ...]) -> str:
    """Three hidden layers of 4 D numbers, rounded up to a power of 2, from 128 to 512."""
    width = 2 ** math.ceil(math.log2(4 * math.prod(shape)))
    return " ".join([str(min(max(width, 128), 512))] * 3)


def doublings(shape: tuple[int, ...]) -> int:
    """Return how often a feature map doubles to reach the image: from 4 to 7 pixels where the sides allow it."""
    _, height, width = shape
    if height % 4 or width % 4:
        wanted = tuple(max(8, round(n / 4) * 4) for n in (height, width))
        raise WganError(
            f"layers auto cannot make {height}x{width} images: the sides must be multiples of 4, for example "
            f"{wanted[0]}x{wanted[1]}; give --size {min(wanted)}, or --generator mlp --critic mlp"
        )
    count = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
        height, width, count = height // 2, width // 2, count + 1
    return count


def signal_generator_line(length: int, blocks: bool = False) -> str:
    """Steps grow 4 times a layer, from at most 12 of the first feature map; channels double toward it from 64 to at most 256.

    Signals of at most 48 steps grow 2 times, from at most 6. blocks: of two convolutions, and the last one does not grow.
    """
    if length <= SHORT and not blocks:
        growths = max(2, math.ceil(math.log2(2 * length / LONGEST)))
        widths = [64 * 2**i for i in reversed(range(growths - 1))]
        return f"/ {' '.join([f'{2 * widths[0]}', *(f'{w}k8x2' for w in widths)])} / k8x2"
    growths = max(1, math.ceil(math.log(length / LONGEST, 4)))
    if blocks:
        widths = [min(64 * 2**i, WIDEST) for i in reversed(range(growths))]
        return f"/ {' '.join([f'{widths[0]}', *(f'{w}k9x4' for w in widths)])} / k9"
    widths = [min(64 * 2**i, WIDEST) for i in reversed(range(growths - 1))]
    base = min(2 * widths[0], WIDEST) if widths else WIDEST // 2
    return f"/ {' '.join([f'{base}', *(f'{w}k16x4' for w in widths)])} / k16x4"


def signal_critic_line(length: int, blocks: bool = False) -> str:
    """Channels double with each quartering of the steps, from 64 to at most 256, until at most 12 steps are left.

    Those of signals of at most 48 steps double with each halving, at least twice, until at most 6 are left.
    """
    if length <= SHORT and not blocks:
        count = max(2, math.ceil(math.log2(2 * length / LONGEST)))
        return f"{' '.join(f'{64 * 2**i}k8x2' for i in range(count))} /"
    widths: list[int] = []
    while length > LONGEST or not widths:
        widths.append(min(64 * 2 ** len(widths), WIDEST))
        length = -(-length // 4)
    return f"{' '.join(f'{w}k{9 if blocks else 16}x4' for w in widths)} /"


def volume_generator_line(side: int) -> str:
    """Channels double with each halving of the longest side, from 16 on; the last layer grows too."""
    growths = math.ceil(math.log2(side / SMALLEST_SOLID))
    widths = [16 * 2**i for i in reversed(range(growths - 1))]
    base = 2 * widths[0] if widths else 32
    return f"/ {' '.join([f'{base}', *(f'{w}k4x2' for w in widths)])} / k4x2"


def volume_critic_line(side: int) -> str:
    """Channels double with each halving, from 16 on, until the longest side is at most 2."""
    widths = [16 * 2**i for i in range(math.ceil(math.log2(side / SMALLEST_SOLID)))]
    return f"{' '.join(f'{w}k4x2' for w in widths)} /"


def generator_line(growths: int) -> str:
    """Channels double with each halving of the side, from 64 (32 above 64 pixels) to at most 256; the last layer grows too."""
    top = 64 if growths <= 4 else 32
    widths = [min(top * 2**i, WIDEST) for i in reversed(range(growths - 1))]
    base = min(2 * widths[0], WIDEST) if widths else WIDEST // 2
    stages = [f"{base}", *(f"{w}k4x2" for w in widths)]
    return f"/ {' '.join(stages)} / k4x2"


def resnet_line(growths: int, shape: tuple[int, ...]) -> str:
    """A block for each doubling, channels as in conv, but from 32 already above 32 pixels: a block has two convolutions."""
    top = 64 if max(shape[1:]) <= 32 else 32
    widths = [min(top * 2**i, WIDEST) for i in reversed(range(growths))] or [WIDEST // 2]
    return f"/ {' '.join([str(widths[0]), *(f'{w}x2' for w in widths[:growths])])} / k3"


def critic_line(shape: tuple[int, ...], suffix: str = "k4x2") -> str:
    """Channels double with each halving, from 32 to at most 256, until the side is at most 4."""
    side = min(shape[1:])
    widths: list[int] = []
    while side > SMALLEST or not widths:
        widths.append(min(32 * 2 ** len(widths), WIDEST))
        side = -(-side // 2)
    return f"{' '.join(f'{w}{suffix}' for w in widths)} /"
