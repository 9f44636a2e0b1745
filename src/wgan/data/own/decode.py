"""One image file of any kind that Pillow reads -> uint8 [C, H, W] of the wanted size, and what its header says."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from wgan.data.own.pixels import Scale, Span, as_bytes, span_of
from wgan.errors import WganError

FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "BMP",
    "TIFF",
    "GIF",
    "PPM",
    "AVIF",
    "JPEG2000",
)  # others may run foreign programs (EPS)
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jfif", ".jpe", ".jif", ".pjpeg", ".pjp", ".webp", ".bmp", ".tif", ".tiff"),
    *(".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".jp2", ".j2k"),
)
# the first bytes of these; of a BMP and of PPM, which begin with two letters, what must follow them too
FIRST = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|II\*\0|MM\0\*|GIF8[79]a|....ftypavi[fs]|\0\0\0\x0cjP  "
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0|P[1-6]\s+\d+\s+\d+\s",
    re.DOTALL,
)
MOST_PIXELS = 100_000_000  # of one picture: more would need a gigabyte to decode
REDUCED = (
    4  # a JPEG is decoded at this many times the wanted side at least: at twice, pixels are off by up to 28 of 255
)
ALONE = 10_000_000  # pixels from which on pictures are decoded one at a time: a few bytes may stand for gigabytes
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
TURNED = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow looks for an orientation

_turn = threading.Lock()


class Unreadable(Exception):
    """A file that is not a picture, with the reason in a few words."""


class Frame(NamedTuple):
    """What every picture becomes: channels, height and width in pixels, and how it is cut to them."""

    channels: int
    height: int
    width: int
    crop: str


def scaled_sides(stored: tuple[int, int], wanted: tuple[int, int] | None, crop: str) -> tuple[int, int]:
    """Return the height and width that images get: those wanted, or with crop none those scaled to the shorter side wanted."""
    if wanted is None or crop != "none":
        return wanted or stored
    height, width = (max(4, round(n * wanted[0] / min(stored) / 4) * 4) for n in stored)
    return height, width


class Scales(NamedTuple):
    """What becomes black and white in a data set: in pictures of more than 8 bits, and in the others; None = as they are."""

    deep: Scale | None = None
    bytes: Scale | None = None


PLAIN = Scales()
UNIT, SIXTEEN = Scale(0, 1, ""), Scale(0, 65535, "")


class Header(NamedTuple):
    """What the header of a picture says, after the camera's orientation is honoured."""

    width: int
    height: int
    grey: bool
    deep: bool = False  # more than 8 bits for each value
    kind: str = "uint8"  # the type of its values
    halved: bool = False  # 16 bits for each value of a colour, of which Pillow gives the upper 8
    pages: int = 1  # of a TIFF, frames of a GIF or WebP: the first is read


def looks_like_picture(first: bytes) -> bool:
    """Return whether a file that begins so is a picture of one of FORMATS."""
    return FIRST.match(first) is not None


def open_picture(file: BinaryIO) -> Image.Image:
    """Open a picture without decoding it; Unreadable with the reason for anything that is none."""
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        empty = not file.seek(0, io.SEEK_END)
        raise Unreadable("it is empty" if empty else "it is not an image, or it is damaged") from None
    except Image.DecompressionBombError:
        raise Unreadable("it has too many pixels") from None
    except Exception as error:  # Pillow's parsers raise whatever a broken file makes of them
        raise Unreadable(f"it cannot be read ({type(error).__name__})") from None
    if picture.width * picture.height > MOST_PIXELS:
        raise Unreadable(f"it has {picture.width}x{picture.height} pixels, more than {MOST_PIXELS:,}")
    return picture


def header(file: BinaryIO) -> Header:
    """Return size and colour of a picture from its header; Unreadable as open_picture."""
    picture = open_picture(file)
    width, height = picture.size
    if isinstance(picture, TiffImageFile):  # whether its size is turned already depends on Pillow's version
        width, height = (int(picture.tag_v2.get(tag, n)) for tag, n in ((256, width), (257, height)))
    width, height = (height, width) if orientation(picture) >= 5 else (width, height)
    return Header(
        width, height, is_grey(picture), is_deep(picture), kind_of(picture), is_halved(picture), pages_of(picture)
    )


def is_deep(picture: Image.Image) -> bool:
    """Return whether a picture holds numbers of more than 8 bits, as its mode says."""
    return picture.mode.startswith(("I", "F"))


def is_halved(picture: Image.Image) -> bool:
    """Return whether a picture stores 16 bits for each value, and Pillow reads the upper 8 of them: all but grey ones."""
    return not is_deep(picture) and any(";16" in str(tile[-1]) for tile in getattr(picture, "tile", ()))


def kind_of(picture: Image.Image) -> str:
    """Return the type of the numbers in a picture: uint8, uint16, int32 or float32."""
    if picture.mode == "I" and picture.format != "PNG":  # a PNG has no more than 16 bits
        return "int32"
    return {"F": "float32", "I": "uint16"}.get(picture.mode[:1], "uint8")


def pages_of(picture: Image.Image) -> int:
    """Return how many pages or frames a file holds; the second picture of a telephone's JPEG is a preview, and none."""
    if picture.format == "MPO":
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # a broken second page: the first may still be whole
        return 1


def orientation(picture: Image.Image) -> int:
    """Return how the camera was held, 1 (upright) to 8, as EXIF counts; most pictures say nothing, and are not asked twice."""
    if picture.format != "TIFF" and not any(key in picture.info for key in TURNED):
        return 1
    try:
        found = picture.getexif().get(0x0112, 1)
    except Exception:  # a broken tag turns nothing
        return 1
    return found if found in range(1, 9) else 1


def is_grey(picture: Image.Image) -> bool:
    """Return whether a picture has no colour, as its mode (or its palette) says."""
    if picture.mode != "P" or picture.palette is None:
        return picture.mode in GREY_MODES
    colours = np.frombuffer(picture.palette.getdata()[1], np.uint8)
    width = len(picture.palette.mode)
    table = colours[: len(colours) // width * width].reshape(-1, width)[:, :3]
    return bool((table == table[:, :1]).all())


def decode(file: BinaryIO, frame: Frame, scales: Scales = PLAIN) -> NDArray[np.uint8]:
    """Return the picture as uint8 [C, H, W] of `frame`, read by the scales of its data set; Unreadable for a damaged one."""
    picture = open_picture(file)
    if picture.format in ("JPEG", "MPO") and frame.crop != "none":
        side = REDUCED * max(frame.height, frame.width)
        picture.draft(None, (side, side))  # decodes at 1/2, 1/4 or 1/8 where that is still so much larger
    with whole(picture):
        plain, mode = flatten(picture, scales), "L" if frame.channels == 1 else "RGB"
        plain = plain if plain.mode == mode else plain.convert(mode)  # converting to itself would copy
        return as_planes(resize(plain, frame))


def reach(file: BinaryIO, keep: int) -> Span:
    """Return what the values of a picture reach: its own when they are deep, else the bytes that it shows."""
    picture = open_picture(file)
    with whole(picture):
        pixels = picture if is_deep(picture) else coloured(flatten(picture, PLAIN))
        return span_of(finite(np.asarray(pixels)), keep)


def read_pages(path: Path, where: str) -> NDArray[Any]:
    """Return the pages of one file, such as a stack in a TIFF, as images [N, H, W] or [N, H, W, 3]; WganError for one page."""
    try:
        with open(path, "rb") as file:
            picture = open_picture(file)
            count = pages_of(picture)
            if count == 1:
                raise WganError(f"{where} is one picture: give a folder of pictures, or a file of many pages")
            pages = []
            for i in range(count):
                picture.seek(i)
                with whole(picture):
                    page = picture if is_deep(picture) else coloured(flatten(picture, PLAIN))
                    pages.append(np.array(page))
    except Unreadable as reason:
        raise WganError(f"{where} cannot be read: {reason}") from None
    shapes = {page.shape for page in pages}
    if len(shapes) > 1:
        raise WganError(f"{where} holds pages of {len(shapes)} sizes or kinds: save them as files in a folder")
    return np.stack(pages)


@contextmanager
def whole(picture: Image.Image) -> Iterator[None]:
    """Within the block a picture is decoded and upright; Unreadable for what fails there. Large ones wait their turn."""
    with _turn if picture.width * picture.height > ALONE else nullcontext():
        try:
            picture.load()
            if orientation(picture) > 1:
                ImageOps.exif_transpose(picture, in_place=True)
            yield
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"it is damaged or cut short ({type(error).__name__})") from None


def flatten(picture: Image.Image, scales: Scales) -> Image.Image:
    """Return a picture of 8 bits without transparency: what is transparent becomes white."""
    if is_deep(picture):
        values = finite(np.asarray(picture))
        return Image.fromarray(as_bytes(values, scales.deep or (UNIT if values.dtype.kind == "f" else SIXTEEN)))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        clear = picture.convert("RGBA")
        paper = Image.new("RGBA", clear.size, "white")
        picture = Image.alpha_composite(paper, clear).convert("RGB")
    if scales.bytes is None:
        return picture
    return coloured(picture).point(as_bytes(np.arange(256), scales.bytes).tolist() * len(coloured(picture).getbands()))


def coloured(picture: Image.Image) -> Image.Image:
    """Return a picture of 8 bits as grey or RGB."""
    mode = "L" if is_grey(picture) else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def finite(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values; Unreadable when some are not finite."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unreadable("it holds values that are not finite")
    return values


def resize(picture: Image.Image, frame: Frame) -> Image.Image:
    """Return the picture in the size of `frame`: its centre (center), all of it with its edges repeated (fit), or stretched."""
    wanted = (frame.width, frame.height)
    if picture.size == wanted:
        return picture
    if frame.crop == "center":
        return ImageOps.fit(picture, wanted, Image.Resampling.LANCZOS)
    if frame.crop == "none":
        return picture.resize(wanted, Image.Resampling.LANCZOS, reducing_gap=3.0)
    whole = ImageOps.contain(picture, wanted, Image.Resampling.LANCZOS)
    left, top = (frame.width - whole.width) // 2, (frame.height - whole.height) // 2
    edges = [(top, frame.height - whole.height - top), (left, frame.width - whole.width - left)]
    pixels = np.asarray(whole)
    return Image.fromarray(np.pad(pixels, edges + [(0, 0)] * (pixels.ndim - 2), mode="edge"))


def as_planes(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a grey or RGB picture as uint8 [C, H, W]."""
    planes = b"".join(band.tobytes() for band in picture.split())  # much faster than NumPy's transpose, or its stack
    return np.frombuffer(planes, np.uint8).reshape(-1, picture.height, picture.width)
