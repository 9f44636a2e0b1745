"""One image file of any kind that Pillow reads -> uint8 [C, H, W] of the wanted size, and what its header says."""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")  # others may run foreign programs (EPS)
MOST_PIXELS = 100_000_000  # of one picture: more would need a gigabyte to decode
ALONE = 10_000_000  # pixels from which on pictures are decoded one at a time: a few bytes may stand for gigabytes
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
TURNED = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow looks for an orientation
WORSE_MODES = ("1", "P")  # they are resized only after a conversion


_turn = threading.Lock()


class Unreadable(Exception):
    """A file that is no picture, with the reason in a few words."""


class Frame(NamedTuple):
    """What every picture becomes: channels, height and width in pixels, and how it is cut to them."""

    channels: int
    height: int
    width: int
    crop: str


class Header(NamedTuple):
    """What the header of a picture says, after the camera's orientation is honoured."""

    width: int
    height: int
    grey: bool


def open_picture(file: BinaryIO) -> Image.Image:
    """Open a picture without decoding it; Unreadable with the reason for anything that is none."""
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        empty = not file.seek(0, io.SEEK_END)
        raise Unreadable("it is empty" if empty else "it is no picture, or damaged") from None
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
    return Header(width, height, is_grey(picture))


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


def decode(file: BinaryIO, frame: Frame) -> NDArray[np.uint8]:
    """Return the picture as uint8 [C, H, W] of `frame`; Unreadable for a damaged one."""
    picture = open_picture(file)
    if picture.format in ("JPEG", "MPO") and frame.crop != "none":
        side = 2 * max(frame.height, frame.width)
        picture.draft(None, (side, side))  # decodes at 1/2, 1/4 or 1/8 where that is still twice as large
    with _turn if picture.width * picture.height > ALONE else nullcontext():
        try:
            picture.load()
            if orientation(picture) > 1:
                ImageOps.exif_transpose(picture, in_place=True)
            plain, mode = flatten(picture), "L" if frame.channels == 1 else "RGB"
            plain = plain if plain.mode == mode else plain.convert(mode)  # converting to itself would copy
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"it is damaged or cut short ({type(error).__name__})") from None
        return as_planes(resize(plain, frame))


def flatten(picture: Image.Image) -> Image.Image:
    """Return a picture of 8 bits without transparency: what is transparent becomes white."""
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(to_bytes(np.asarray(picture)))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        clear = picture.convert("RGBA")
        paper = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(paper, clear).convert("RGB")
    return picture


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return 16-bit or floating grey values as uint8: 0..65535 or 0..1 onto 0..255; what is within 0..255 stays."""
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise Unreadable("it holds values that are not finite")
    if values.dtype.kind == "f":
        factor = 255.0 if numbers.max(initial=0) <= 1 else 1.0
    else:
        factor = 1 / 257 if values.dtype.itemsize == 2 or numbers.max(initial=0) > 255 else 1.0
    scaled: NDArray[np.uint8] = np.rint(numbers * factor).clip(0, 255).astype(np.uint8)
    return scaled


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
