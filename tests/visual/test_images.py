"""Pictures show the right pixels, in the right order, and a file is whole or not there."""

import errno
import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from wgan.errors import WganError
from wgan.visual.images import (
    GAP,
    GREY,
    STRIP,
    animation,
    image_grid,
    sample_files,
    save_png,
    step_in_name,
    thinned,
    to_uint8,
)

BYTES = np.arange(256, dtype=np.uint8)


def floats(images):
    """Bytes [N, H, W] to [-1, 1] [N, 1, H, W], as the training data are."""
    return (images[:, None].astype(np.float64) - 127.5) / 127.5


def grey(seed, shape=(4, 8, 8)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_every_byte_comes_back(dtype):
    x = torch.from_numpy(floats(BYTES.reshape(1, 16, 16))).to(dtype)
    back = to_uint8(x.requires_grad_())
    if dtype is torch.bfloat16:  # has 8 binary digits: near +-1 bytes share a number, but never more than one off
        assert np.abs(back.ravel().astype(int) - BYTES).max() <= 1
    else:
        assert (back.ravel() == BYTES).all()


def test_the_arithmetic_is_not_done_in_half_precision():
    x = torch.tensor([0.75390625], dtype=torch.bfloat16).view(1, 1, 1, 1)  # 1.75390625 * 127.5 = 223.62
    assert to_uint8(x).item() == 224


def test_values_beyond_are_clipped_not_wrapped():
    assert to_uint8(np.array([-9.0, -1.001, 1.001, 9.0]).reshape(1, 1, 2, 2)).ravel().tolist() == [0, 0, 255, 255]


def test_colours_come_last_and_grey_has_none():
    x = np.zeros((2, 3, 4, 5)) + np.array([-1.0, 0.2, 1.0]).reshape(1, 3, 1, 1)
    assert to_uint8(x).shape == (2, 4, 5, 3) and to_uint8(x)[0, 0, 0].tolist() == [0, 153, 255]
    assert to_uint8(x[:, :1]).shape == (2, 4, 5)


@pytest.mark.parametrize("x", [np.zeros((2, 0, 4, 4)), np.zeros((4, 4)), np.full((1, 1, 2, 2), np.nan)])
def test_what_is_no_image_is_refused(x):
    with pytest.raises(WganError):
        to_uint8(x)


@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_grid_holds_exactly_the_pixels_row_by_row(colours):
    images = grey(0, (7, 5, 4, *colours))
    pixels = np.asarray(image_grid(images, columns=3, scale=2))
    assert pixels.shape == (3 * (10 + GAP) + GAP, 3 * (8 + GAP) + GAP, *colours)
    for i, image in enumerate(images):
        top, left = GAP + i // 3 * (10 + GAP), GAP + i % 3 * (8 + GAP)
        shown = pixels[top : top + 10, left : left + 8]
        assert all((shown[a::2, b::2] == image).all() for a in (0, 1) for b in (0, 1))
    assert (pixels[:GAP] == GREY).all() and (
        pixels[-10 - GAP :, -8 - GAP :] == GREY
    ).all()  # gaps, and the empty places


@pytest.mark.parametrize(
    ("count", "columns", "side"), [(100, 10, 28), (64, 8, 28), (1, 10, 28), (100, 10, 32), (3, 10, 64)]
)
def test_a_grid_is_readable_whatever_its_images(count, columns, side):
    assert 400 <= image_grid(np.zeros((count, side, side), np.uint8), columns).width <= 700


def test_a_caption_is_above_and_changes_no_pixel():
    images = grey(0)
    plain, titled = np.asarray(image_grid(images)), np.asarray(image_grid(images, caption="step 300"))
    assert (titled[STRIP:] == plain).all() and titled[:STRIP].max() > 200 and titled[0, 0] == 0


@pytest.mark.parametrize("images", [np.zeros((0, 4, 4), np.uint8), np.zeros((2, 4, 4)), np.zeros((4, 4), np.uint8)])
def test_a_grid_of_something_else_is_refused(images):
    with pytest.raises(WganError, match="a sample grid needs uint8"):
        image_grid(images)


def test_steps_are_numbers_not_text(tmp_path):
    for name in (
        "step-00000900.png",
        "step-12345678901.png",
        "step-1000.png",
        "step-20.png",
        "step-5.jpg",
        "other.png",
        "step-٣.png",
    ):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "step-7.png").mkdir()
    assert [step for step, _ in sample_files(tmp_path)] == [20, 900, 1000, 12345678901]
    assert step_in_name(tmp_path / "step-00000300.png") == 300
    with pytest.raises(WganError, match="is not a sample"):
        step_in_name(tmp_path / "other.png")
    assert sample_files(tmp_path / "absent") == []


def saved(folder, pictures):
    for step, picture in pictures.items():
        save_png(picture, folder / f"step-{step}.png")
    return sample_files(folder)


def frames_of(path):
    with Image.open(path) as gif:
        return [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]


def test_the_animation_shows_the_grids_in_the_order_of_steps(tmp_path):
    grids = {step: image_grid(grey(step, (4, 16, 16)), 2) for step in (1000, 90, 200)}
    grids[1100] = grids[1000]  # a picture that does not change is still a frame
    files = saved(tmp_path, grids)
    animation(files[::-1], tmp_path / "progress.gif")
    frames = frames_of(tmp_path / "progress.gif")
    assert [duration for _, duration in frames] == [250, 250, 250, 2000]
    for (pixels, _), step in zip(frames, (90, 200, 1000, 1100), strict=True):
        drawn = np.asarray(grids[step].convert("RGB")).astype(int)
        off = np.abs(pixels[STRIP:].astype(int) - drawn)
        assert off.max() == 2  # half of a level of 64, 255 / 63 / 2
        assert not off[(drawn == 0) | (drawn == 255)].any()
        assert pixels[:STRIP].max() > 200  # the step is written above
    assert len({pixels[:STRIP].tobytes() for pixels, _ in frames}) == 4
    assert Image.open(tmp_path / "progress.gif").info["loop"] == 0


def test_colours_of_the_animation_are_near(tmp_path):
    images = {
        step: image_grid(np.random.default_rng(step).choice([0, 128, 255], (4, 8, 8, 3)).astype(np.uint8))
        for step in (1, 2, 3)
    }
    animation(saved(tmp_path, images), tmp_path / "progress.gif")
    for (pixels, _), image in zip(frames_of(tmp_path / "progress.gif"), images.values(), strict=True):
        assert np.abs(pixels[STRIP:].astype(int) - np.asarray(image)).mean() < 2


def test_colours_that_stay_do_not_flicker(tmp_path):
    y, x = np.mgrid[:64, :64].astype(np.uint8) * 4
    still = np.stack([y, x, 255 - x], axis=2)  # more colours than a palette holds
    images = {}
    for step, tint in enumerate([(255, 0, 0), (0, 255, 0), (0, 90, 200)]):
        moving = (still.transpose(1, 0, 2) * (np.array(tint) / 255)).astype(np.uint8)
        images[step] = Image.fromarray(np.concatenate([moving, still]))
    animation(saved(tmp_path, images), tmp_path / "progress.gif")
    a, b, c = (pixels[STRIP + 64 :] for pixels, _ in frames_of(tmp_path / "progress.gif"))
    assert (a == b).all() and (b == c).all()


@pytest.mark.parametrize("steps", [[5], [5, 6]])
def test_few_frames_are_an_animation_too(tmp_path, steps):
    animation(saved(tmp_path, {step: image_grid(grey(step)) for step in steps}), tmp_path / "progress.gif")
    assert [duration for _, duration in frames_of(tmp_path / "progress.gif")] == [250, 2000][-len(steps) :]


def test_many_frames_are_thinned_evenly_with_both_ends():
    frames = [(step, None) for step in range(1000)]
    steps = [step for step, _ in thinned(frames, 120)]
    assert len(steps) == 120 and steps[0] == 0 and steps[-1] == 999
    assert set(np.diff(steps)) <= {8, 9}
    assert thinned(frames, 1) == frames[-1:] and thinned(frames[:3], 120) == frames[:3]


def test_a_large_grid_makes_small_frames(tmp_path):
    animation(saved(tmp_path, {1: Image.new("L", (3000, 1500))}), tmp_path / "progress.gif")
    assert max(Image.open(tmp_path / "progress.gif").size) <= 800


def test_what_cannot_be_animated_keeps_the_old_file(tmp_path):
    """And is one sentence."""
    (tmp_path / "progress.gif").write_bytes(b"old")
    with pytest.raises(WganError, match="at least one"):
        animation([], tmp_path / "progress.gif")
    files = saved(tmp_path, {1: image_grid(grey(1)), 2: image_grid(grey(2)), 3: image_grid(grey(3))})
    whole = files[1][1].read_bytes()
    for bad in (whole[:60], b"nonsense", b""):
        files[1][1].write_bytes(bad)
        with pytest.raises(WganError, match=r"cannot read the image .*step-2\.png"):
            animation(files, tmp_path / "progress.gif")
    assert (tmp_path / "progress.gif").read_bytes() == b"old" and not list(tmp_path.glob(".*"))


def test_the_same_pixels_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_png(image_grid(grey(0), caption="step 1"), tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert Image.open(tmp_path / "a.png").info == {}  # no date, no program


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.png"
    save_png(image_grid(grey(0)), target)
    before = hashlib.sha256(target.read_bytes()).digest()

    class Full:
        def save(self, file, format):
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WganError, match=r"cannot write .*a\.png: no space left on device"):
        save_png(Full(), target)
    assert hashlib.sha256(target.read_bytes()).digest() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(WganError, match="no such file"):
        save_png(image_grid(grey(0)), tmp_path / "absent" / "a.png")


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"mine")
    for name in ("a.png", ".a.png.part"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    save_png(image_grid(grey(0)), tmp_path / "a.png")
    assert (tmp_path / "victim").read_bytes() == b"mine" and not (tmp_path / "a.png").is_symlink()


def test_importing_costs_nothing():
    code = "import sys, wgan.visual.images, wgan.visual.plots; assert not {'torch', 'PIL', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
