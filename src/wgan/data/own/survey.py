"""What all pictures of a folder or an archive have in common, and so what each of them becomes: its size, channels, scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from wgan.config import ReadingOptions
from wgan.data.own.archives import Members
from wgan.data.own.decode import Frame, Header, Scales, header, reach, scaled_sides
from wgan.data.own.pixels import LEAST_USED, MOST_KEPT, Scale, Span, scale_of
from wgan.data.own.workers import each
from wgan.errors import WganError
from wgan.progress import counting

LARGE = 128  # pixels: images that all have one size and are no larger stay as they are
FIRST = 4  # pictures that are looked at before all others, to see whether these need to be


@dataclass(frozen=True)
class Survey:
    """What the headers of all pictures say: a Header for each readable one, a reason for each other."""

    found: dict[int, Header]
    bad: dict[int, str]

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many pictures have each (width, height)."""
        return Counter((h.width, h.height) for h in self.found.values())

    @property
    def grey(self) -> int:
        """How many pictures are grey."""
        return sum(h.grey for h in self.found.values())


def survey_of(members: Members) -> Survey:
    """Read the headers of all pictures."""
    found: dict[int, Header] = {}
    bad: dict[int, str] = {}
    with counting(len(members.files), "looking at the files", "images") as tick:
        for done, (i, result) in enumerate(each(members, range(len(members.files)), header), 1):
            if isinstance(result, str):
                bad[i] = result
            else:
                found[i] = result
            tick(done)
    return Survey(found, bad)


def facts_of(survey: Survey, members: Members) -> dict[str, Any]:
    """Return what `wgan data` says about the files: sizes with their counts, grey ones, files that are no images."""
    sizes = [[w, h, n] for (w, h), n in survey.sizes.most_common(5)]
    every = survey.found.values()
    smallest, largest = min((h.width, h.height) for h in every), max((h.width, h.height) for h in every)
    return {
        "files": len(members.files),
        "others": members.others,
        "grey": survey.grey,
        "sizes": sizes,
        "different_sizes": len(survey.sizes),
        "smallest": smallest,
        "largest": largest,
    }


def choose_frame(survey: Survey, options: ReadingOptions, where: str) -> tuple[Frame, list[str]]:
    """Return the size and channels that all pictures get, and what to say about that choice."""
    sizes, notes = survey.sizes, []
    width, height = sizes.most_common(1)[0][0]
    alike = len(sizes) == 1
    if not alike and options.crop == "none":
        raise WganError(
            f"{where} holds images of {len(sizes)} sizes, {width}x{height} most often: crop none needs one size; "
            "use --crop center or fit"
        )
    sides = options.sides
    if not sides and not (alike and max(width, height) <= LARGE):
        size = 64 if min(min(w, h) for w, h in sizes) >= 64 else 32
        what = f"all are {width}x{height}" if alike else f"the images have {len(sizes)} sizes"
        notes.append(f"{what}: they are made {size}x{size} (--size, --crop {options.crop})")
        sides = size, size
    height, width = scaled_sides((height, width), sides, options.crop)
    channels = options.channels or (1 if survey.grey == len(survey.found) else 3)
    if not options.channels and 0 < survey.grey < len(survey.found):
        notes.append(f"{survey.grey} of {len(survey.found)} images are grey: all are read as colour (--channels)")
    return Frame(channels, height, width, options.crop), notes


def choose_scales(survey: Survey, members: Members, where: str) -> tuple[Scales, list[str]]:
    """Return what becomes black and white, the same in all images, and what to say about it.

    Those of more than 8 bits are all read once for it. Of the others only as many as show that a quarter of the range is used.
    """
    deep = [i for i, h in survey.found.items() if h.deep]
    plain = [i for i, h in survey.found.items() if not h.deep]
    scales = [scale_among(members, deep, np.inf, where), scale_among(members, plain, LEAST_USED * 255, where)]
    counts = [f"{len(part)} of {len(survey.found)} images: " if deep and plain else "" for part in (deep, plain)]
    said = [count + scale.note for count, scale in zip(counts, scales, strict=True) if scale and scale.note]
    return Scales(*scales), said


def scale_among(members: Members, jobs: list[int], enough: float, where: str) -> Scale | None:
    """Return the scale of some pictures; None when there are none, or bytes among them reach `enough` of their range."""
    whole, keep = Span(), max(16, MOST_KEPT // max(1, len(jobs)))
    with counting(len(jobs), "looking at the values", "images") as tick:
        for part in (jobs[:FIRST], jobs[FIRST:]):  # most data sets show it with the first picture
            for done, (_, found) in enumerate(each(members, part, lambda file: reach(file, keep)), 1):
                if not isinstance(found, str):
                    whole.add(found)
                if whole.high - whole.low >= enough:
                    return None
                tick(done)
    return scale_of(whole, where) if whole.count else None


def page_note(survey: Survey) -> list[str]:
    """Return how many pages and frames are left out because only the first of a file is read."""
    several = [h.pages for h in survey.found.values() if h.pages > 1]
    first = f"{len(several)} files hold several pages or frames: the first of each is read"
    return [f"{first}, {sum(several) - len(several)} are left out"] if several else []


def halved_note(survey: Survey) -> list[str]:
    """Return how many pictures have lost the lower half of each value."""
    count = sum(h.halved for h in survey.found.values())
    what = f"{count} images store colours or transparency in 16 bits, of which the upper 8 are read"
    return [f"{what}: an array (.npy) keeps all"] if count else []
