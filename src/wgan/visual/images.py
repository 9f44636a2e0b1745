"""Images of a run: bytes of images, sample grids, their animation, and files that are whole or not there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wgan.distributed.signals import check
from wgan.errors import WganError
from wgan.files import replace_file

if TYPE_CHECKING:  # Pillow is imported where it is used: importing this file costs nothing
    from PIL.Image import Image

WIDTH = 560  # pixels a grid is scaled up to, about
GREYS = 64  # levels of a grey animation: no eye tells them from 256 where they move
MAX_FRAME = 800  # pixels; larger animation frames are reduced, or 120 of them would fill the memory
GAP = 2  # pixels between the images of a grid
GREY, STRIP = 70, 24  # brightness of the gaps (neither black nor white), height of a caption
NAME = re.compile(r"step-(\d+)\.png", re.ASCII)


def to_uint8(x: Any) -> np.ndarray:
    """Return bytes [N, H, W] (grey) or [N, H, W, C] of images x [N, C, H, W] in [-1, 1]: round((x + 1) * 127.5).

    The exact inverse of x = (byte - 127.5) / 127.5; values beyond [-1, 1] are clipped.
    Raises WganError for numbers that are not finite: they have no colour.
    """
    # in double precision, whatever x is: bfloat16 has too few digits for the product
    array = x if isinstance(x, np.ndarray) else x.detach().cpu().double().numpy()
    if array.ndim != 4 or not array.shape[1]:
        raise WganError(f"images must be [N, C, H, W], not {list(array.shape)}")
    if not np.isfinite(array).all():
        raise WganError("images hold numbers that are not finite: the generator has diverged")
    pixels = np.rint((array.astype(np.float64) + 1) * 127.5).clip(0, 255).astype(np.uint8)
    return pixels[:, 0] if pixels.shape[1] == 1 else pixels.transpose(0, 2, 3, 1)  # [N, H, W] or [N, H, W, C]


def visible(images: np.ndarray) -> np.ndarray:
    """Return what a viewer can show of uint8 images [N, H, W, C]: the first three channels, of two the first."""
    if images.ndim != 4 or images.shape[3] == 3:
        return images
    return images[..., :3] if images.shape[3] > 3 else images[..., 0]


def image_grid(images: np.ndarray, columns: int = 10, scale: int | None = None, caption: str = "") -> Image:
    """Return uint8 images [N, H, W] or [N, H, W, C] row by row in one grid; of other than three channels what is visible.

    Each pixel becomes scale x scale equal ones (None: about WIDTH in all), so that what is seen is what was made.
    """
    from PIL import Image

    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise WganError(
            f"a sample grid needs uint8 images [N, H, W] or [N, H, W, 3], not {images.dtype} {list(images.shape)}"
        )
    images = visible(images)
    columns = max(1, min(columns, len(images)))
    scale = scale or max(1, round(WIDTH / (columns * images.shape[2])))
    images = enlarged(images, scale)
    count, height, width = images.shape[:3]
    rows = -(-count // columns)
    canvas = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, *images.shape[3:]), GREY, np.uint8)
    for i, image in enumerate(images):
        top, left = GAP + i // columns * (height + GAP), GAP + i % columns * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    picture = Image.fromarray(canvas)
    return with_caption(picture, caption) if caption else picture


def enlarged(images: np.ndarray, scale: int) -> np.ndarray:
    """Return images [N, H, W, ...] with scale x scale equal pixels for each."""
    count, height, width, *rest = images.shape
    wide = images.repeat(scale, axis=2)[:, :, None]
    shape = (count, height, scale, width * scale, *rest)
    return np.broadcast_to(wide, shape).reshape(count, height * scale, width * scale, *rest)


def with_caption(picture: Image, text: str) -> Image:
    """Return `picture` below a strip that holds `text`."""
    from PIL import Image, ImageDraw, ImageFont

    light = picture.convert("L").getpixel((0, 0)) == 255  # a plot on white paper
    paper, ink = ("white", "black") if light else ("black", "white")
    canvas = Image.new(picture.mode, (picture.width, picture.height + STRIP), paper)
    font = ImageFont.load_default(15)
    ImageDraw.Draw(canvas).text((GAP + 4, STRIP // 2), text, fill=ink, font=font, anchor="lm")
    canvas.paste(picture, (0, STRIP))
    return canvas


def step_in_name(path: Path) -> int:
    """Return 300 for step-00000300.png."""
    match = NAME.fullmatch(Path(path).name)
    if not match:
        raise WganError(f"{path} is not a sample of a run: its name must be like step-00000300.png")
    return int(match[1])


def sample_files(folder: Path) -> list[tuple[int, Path]]:
    """Return (step, file) of each sample in `folder`, in the order of the steps."""
    files = [path for path in Path(folder).glob("step-*.png") if NAME.fullmatch(path.name) and path.is_file()]
    return sorted((step_in_name(path), path) for path in files)


def animation(
    frames: Sequence[tuple[int, Path]],
    path: Path,
    fps: float = 4,
    max_frames: int = 120,
) -> None:
    """Write (step, PNG file) frames as a GIF that loops, in the order of the steps, each with its step drawn on it.

    Evenly thinned to `max_frames`, the first and last always among them; the last stays for two seconds. The work may be
    left before each is drawn (`signals.check`), and `path` then stays as it was.
    """
    if not frames:
        raise WganError("an animation needs at least one sample grid")
    frames = thinned(sorted(frames), max_frames)
    durations = [round(1000 / fps)] * (len(frames) - 1) + [2000]
    drawn = drawn_frames(frames)
    first = next(drawn)
    options: dict[str, Any] = {"save_all": True, "append_images": drawn, "duration": durations, "loop": 0}
    replace_file(path, lambda file: first.save(file, format="GIF", **options))


def thinned(frames: Sequence[tuple[int, Path]], most: int) -> list[tuple[int, Path]]:
    """Return at most `most` frames at even distances, the first and the last always among them."""
    pick = np.linspace(len(frames) - 1, 0, max(1, min(most, len(frames)))).round().astype(int)
    return [frames[i] for i in pick[::-1]]


def drawn_frames(frames: Sequence[tuple[int, Path]]) -> Iterator[Image]:
    """Yield each frame with its step, read one by one: grey ones in GREYS levels, coloured ones share one palette."""
    from PIL import Image

    with read_png(frames[-1][1]) as last:
        blank = Image.new("L" if last.mode in ("L", "1") else "RGB", last.size)
    few = frames[:: -(-len(frames) // 8)]
    palette = None if blank.mode == "L" else shared_palette([drawn_frame(step, file, blank) for step, file in few])
    for step, file in frames:
        check()
        frame = drawn_frame(step, file, blank)
        yield frame.quantize(palette=palette, dither=Image.Dither.NONE) if palette else frame.point(fewer_greys())


def fewer_greys() -> list[int]:
    """Return for each byte the nearest of GREYS levels, black and white among them: a GIF is two thirds as large."""
    return [round(round(v * (GREYS - 1) / 255) * 255 / (GREYS - 1)) for v in range(256)]


def drawn_frame(step: int, file: Path, blank: Image) -> Image:
    """Return a sample grid on a copy of `blank` with its step, no larger than about MAX_FRAME."""
    frame = blank.copy()
    with read_png(file) as picture:
        frame.paste(picture.convert(blank.mode))
    factor = -(-max(blank.size) // MAX_FRAME)
    return with_caption(frame.reduce(factor) if factor > 1 else frame, f"step {step}")


def read_png(file: Path) -> Image:
    """Open and decode an image; WganError for bytes that are none."""
    from PIL import Image

    try:
        picture = Image.open(file, formats=("PNG",))
        picture.load()
        return picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise WganError(f"cannot read the image {file}: {error}") from None


def shared_palette(frames: Sequence[Image]) -> Image:
    """Return one palette for all frames: with one for each, the colours would flicker."""
    from PIL import Image

    both = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for i, frame in enumerate(frames):
        both.paste(frame, (0, i * frame.height))
    return both.quantize(256)


def save_png(image: Image, path: Path) -> None:
    """Write `image` to `path`, whole or not at all; the same pixels are the same bytes."""
    replace_file(path, lambda file: image.save(file, format="PNG"))


def bytes_last(x: Any) -> np.ndarray:
    """Return images [N, C, H, W], uint8 or floats in [-1, 1], as uint8 [N, H, W] or [N, H, W, 3], the layout of to_uint8."""
    if x.is_floating_point():
        return to_uint8(x)
    out: np.ndarray = x[:, 0].numpy() if x.shape[1] == 1 else x.permute(0, 2, 3, 1).numpy()
    return out
