"""The pictures of a run folder, made small enough for one page: checked, decoded, written again within a budget of bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wgan.errors import WganError
from wgan.report.reader import LeftOut, RunRecord, inside, read_bytes
from wgan.visual.images import sample_files, thinned, with_caption

if TYPE_CHECKING:
    from PIL.Image import Image

BUDGET = 6_000_000  # bytes of all pictures of a page, before base64 makes them 4/3 as large
PARTS = {"grids": 0.48, "encoder": 0.02, "progress.gif": 0.25, "walk.gif": 0.16, "neighbours.png": 0.09}
LARGEST = 40 << 20  # bytes of a picture file that is opened
PIXELS = 4_000_000  # of a picture; a grid of wgan has about 340,000
GRIDS = 200  # grids that are decoded, evenly over the run
FRAMES = 400  # frames of an animation that are decoded


@dataclass(frozen=True)
class Picture:
    """A picture as it stands in the page."""

    uri: str
    width: int
    height: int
    step: int = 0


@dataclass(frozen=True)
class RunImages:
    """The pictures of one run; None for what the folder does not hold."""

    grids: Sequence[Picture] = ()
    animation: Picture | None = None
    walk: Picture | None = None
    neighbours: Picture | None = None


def run_images(found: RunRecord, budget: float) -> RunImages:
    """Return the pictures of a run within `budget` bytes; a note in the record for each that is left out."""
    grids = decoded_grids(found)
    room = {name: budget * part for name, part in PARTS.items()}
    return RunImages(
        fitted_grids(grids, room["grids"]),
        attempt(found, "progress.gif", lambda: moving(found, "progress.gif", room["progress.gif"], grids)),
        attempt(found, "walk.gif", lambda: moving(found, "walk.gif", room["walk.gif"])),
        attempt(found, "neighbours.png", lambda: still(found, "neighbours.png", room["neighbours.png"])),
    )


def attempt(found: RunRecord, name: str, make: Callable[[], Picture]) -> Picture | None:
    """Return the picture that `make` makes; None and a note when it cannot, None when there is no such file."""
    try:
        return make()
    except FileNotFoundError:
        return None
    except LeftOut as reason:
        found.notes.append(f"{name} {reason}")
    except OSError as error:
        found.notes.append(f"{name} cannot be read: {(error.strerror or 'damaged').lower()}")
    return None


def decoded_grids(found: RunRecord) -> list[tuple[int, Image]]:
    """Return (step, picture) of the sample grids that can be shown, evenly thinned to GRIDS; notes for the others."""
    folder = found.path / "samples"
    try:
        if not folder.resolve().is_relative_to(found.path.resolve()):
            raise LeftOut("is left out: it is a link out of the run folder")
        files = sample_files(folder)
    except LeftOut as reason:
        found.notes.append(f"samples {reason}")
        return []
    except (OSError, WganError):
        return []
    grids, bad = [], []
    for step, file in thinned(files, GRIDS) if files else []:
        try:
            grids.append((step, frames_of(read_bytes(found.path, f"samples/{file.name}", LARGEST), "PNG")[0]))
        except (LeftOut, OSError) as reason:
            bad.append(f"samples/{file.name} {reason}")
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        found.notes.append(bad[0] + more)
    return grids


def frames_of(data: bytes, kind: str) -> list[Image]:
    """Return the frames of a PNG or GIF as grey or RGB pictures at their smallest exact size; LeftOut for bytes that are none."""
    from PIL import Image, ImageSequence

    frames: list[Image.Image] = []
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as picture:
            if picture.width * picture.height > PIXELS:
                raise LeftOut("is left out: it has too many pixels")
            for number, frame in enumerate(ImageSequence.Iterator(picture)):
                if number >= FRAMES or number * picture.width * picture.height > 50 * PIXELS:
                    break
                frames.append(smallest(grey_or_rgb(frame)))
    except LeftOut:
        raise
    except Exception:  # a decoder fed with hostile bytes may raise anything; none of it may stop the report
        raise LeftOut("is left out: it is a broken picture") from None
    if not frames:
        raise LeftOut("is left out: it is a broken picture")
    return frames


def grey_or_rgb(frame: Image) -> Image:
    """Return a frame as grey where it has no colour, else as RGB, without anything that came with it."""
    colour = frame.convert("RGB")
    bands = np.asarray(colour)
    grey = bool((bands[..., 0] == bands[..., 1]).all() and (bands[..., 1] == bands[..., 2]).all())
    return colour.convert("L") if grey else colour


def smallest(picture: Image) -> Image:
    """Return the picture without repeated pixels, where each was drawn as 2 x 2 (or 3 x 3, 4 x 4) equal ones."""
    from PIL import Image

    pixels = np.asarray(picture)
    for factor in (4, 3, 2):
        if pixels.shape[0] % factor or pixels.shape[1] % factor:
            continue
        small = pixels[::factor, ::factor]
        if (small.repeat(factor, 0).repeat(factor, 1) == pixels).all():
            return Image.fromarray(np.ascontiguousarray(small))
    return picture


def fitted_grids(grids: Sequence[tuple[int, Image]], room: float) -> list[Picture]:
    """Return as many grids as `room` bytes hold, evenly over the run, the first and last among them."""
    packed = [(step, picture, png_bytes(picture)) for step, picture in grids]
    while len(packed) > 1 and (total := sum(len(data) for _, _, data in packed)) > room:
        keep = max(1, min(len(packed) - 1, int(len(packed) * room / total)))
        packed = [packed[i] for i in np.linspace(len(packed) - 1, 0, keep).round().astype(int)[::-1]]
    if packed and len(packed[-1][2]) > room:
        step, picture, data = packed[-1]
        packed = [(step, *shrunk(picture, data, room))]
    return [Picture(uri("png", data), picture.width, picture.height, step) for step, picture, data in packed]


def shrunk(picture: Image, data: bytes, room: float) -> tuple[Image, bytes]:
    """Return the picture at the largest size of which the PNG fits `room`."""
    while len(data) > room and min(picture.size) > 32:
        picture = picture.reduce(2)
        data = png_bytes(picture)
    return picture, data


def png_bytes(picture: Image) -> bytes:
    """Return the picture as PNG: pixels only, the same bytes for the same pixels."""
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def uri(kind: str, data: bytes) -> str:
    """Return an image as text that stands in the page itself."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def still(found: RunRecord, name: str, room: float) -> Picture:
    """Return a PNG of the run folder."""
    picture = frames_of(read_bytes(found.path, name, LARGEST), "PNG")[0]
    picture, data = shrunk(picture, png_bytes(picture), room)
    return Picture(uri("png", data), picture.width, picture.height)


def moving(found: RunRecord, name: str, room: float, grids: Sequence[tuple[int, Image]] = ()) -> Picture:
    """Return a GIF of the run folder as it is; one that is too large with fewer frames, or drawn again from the grids."""
    size = inside(found.path, name, 100 * LARGEST).stat().st_size
    if size > room and grids:
        frames = [with_caption(picture, f"step {step}") for step, picture in grids]
        return fitted_gif(frames, 250, room)
    data = read_bytes(found.path, name, LARGEST)
    frames = frames_of(data, "GIF")
    if size > room:
        return fitted_gif(frames, 50, room)
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("GIF",)) as picture:
        return Picture(uri("gif", data), picture.width, picture.height)


def fitted_gif(frames: Sequence[Image], milliseconds: int, room: float) -> Picture:
    """Return an animation of about the same length with as many frames, evenly chosen, as `room` bytes hold."""
    whole = milliseconds * len(frames)
    probe = len(gif(frames[-1:], 100))
    count = min(len(frames), max(2, int(room / probe)))
    while True:
        pick = np.linspace(0, len(frames) - 1, count).round().astype(int)
        data = gif([frames[i] for i in pick], min(500, max(40, whole // count)))
        if len(data) <= room:
            return Picture(uri("gif", data), frames[0].width, frames[0].height)
        if count <= 4:
            raise LeftOut("is left out: it is too large for this page")
        count = max(4, min(count - 1, int(0.95 * count * room / len(data))))


def gif(frames: Sequence[Image], milliseconds: int) -> bytes:
    """Return frames as a GIF that loops; the last stays for two seconds where there are many."""
    out = io.BytesIO()
    same = [f if f.size == frames[0].size else f.resize(frames[0].size) for f in frames]
    grey = all(f.mode == "L" for f in same)
    drawn = same if grey else [f.convert("RGB").quantize(256) for f in same]
    times = [milliseconds] * len(drawn)
    drawn[0].save(out, "GIF", save_all=True, append_images=drawn[1:], duration=times, loop=0)
    return out.getvalue()
