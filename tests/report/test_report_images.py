"""Test how the pictures of a run folder are made small enough for one page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from helpers.report_runs import write_run
from PIL import Image, ImageSequence

from wgan.report import images
from wgan.report.reader import gather

STRIP = 24  # rows that hold the caption above a grid


def noise(seed, side=64):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8))


def decoded(picture):
    data = base64.b64decode(picture.uri.partition(",")[2])
    return data, Image.open(io.BytesIO(data))


def test_a_grid_is_shown_at_the_largest_size_that_fits():
    (found,) = images.fitted_grids([(7, noise(0, 256))], 6000)
    data, picture = decoded(found)
    assert found.step == 7 and picture.size == (found.width, found.height) == (64, 64) and len(data) <= 6000


@pytest.mark.parametrize(
    ("count", "room", "milliseconds"), [(60, 100_000, 250), (60, 10_000_000, 250), (60, 100_000, 20)]
)
def test_an_animation_holds_the_frames_that_fit(count, room, milliseconds):
    """And lasts as long as before."""
    found = images.fitted_gif([noise(i) for i in range(count)], milliseconds, room)
    data, picture = decoded(found)
    times = [frame.info["duration"] for frame in ImageSequence.Iterator(picture)]
    assert 0.6 * min(room, count * 5000) < len(data) <= room and picture.info["loop"] == 0
    assert len(times) == count if room > 1e6 else 10 < len(times) < count
    longest = 500 * len(times)
    assert sum(times) == pytest.approx(min(max(count * milliseconds, 40 * len(times)), longest), rel=0.1)
    first, last = (
        np.asarray(f.convert("L")) for f in (images.frames_of(data, "GIF")[0], images.frames_of(data, "GIF")[-1])
    )
    assert (first == np.asarray(noise(0))).all() and (last == np.asarray(noise(count - 1))).all()


def test_an_animation_loses_no_more_frames_than_it_must():
    """Its last frame is small."""
    frames = [*(noise(i) for i in range(40)), Image.new("L", (64, 64))]
    data, picture = decoded(images.fitted_gif(frames, 250, 100_000))
    assert 70_000 < len(data) <= 100_000 and picture.n_frames > 10


def test_an_animation_too_large_is_drawn_again_from_the_grids(tmp_path):
    """With their steps."""
    found = gather(write_run(tmp_path / "run", grids=8), "run")
    grids = images.decoded_grids(found)
    size = (tmp_path / "run" / "progress.gif").stat().st_size
    whole = images.moving(found, "progress.gif", size, grids)
    assert decoded(whole)[0] == (tmp_path / "run" / "progress.gif").read_bytes()
    anew = images.moving(found, "progress.gif", size - 1, grids)
    assert (anew.width, anew.height) == (grids[0][1].width, grids[0][1].height + STRIP)
    frames = images.frames_of(decoded(anew)[0], "GIF")
    captions = [np.asarray(frame)[:STRIP].tobytes() for frame in frames]
    assert len(set(captions)) == len(frames) > 1


def test_a_picture_keeps_its_colour_and_one_without_is_grey():
    red = Image.new("RGB", (4, 4), (200, 10, 10))
    assert images.grey_or_rgb(red).mode == "RGB" and images.grey_or_rgb(red).getpixel((1, 1)) == (200, 10, 10)
    assert images.grey_or_rgb(noise(0).convert("RGB")).mode == "L"
