"""wgan data says and shows what is there, before anything is trained."""

from __future__ import annotations

import shlex
import zlib

import numpy as np
import pytest
from PIL import Image

from wgan.cli import data as inspection

pytestmark = pytest.mark.usefixtures("cache")


def test_wgan_data_says_what_is_there(photos, command, tmp_path):
    (photos / "a" / "copy.png").write_bytes((photos / "a" / "0.png").read_bytes())
    (photos / "a" / "notes.txt").write_text("x")
    result = command("data", photos, "--out", tmp_path / "sheet.png", "--no-measure")
    assert result.code == 0
    said = result.out
    assert "3x12x16; 46 to train on, 15 held out" in said and "2 (a: 31, b: 30)" in said
    assert "1 of 61 samples are exact copies" in said and "1 other file left alone" in said and "16x12: 61" in said
    assert "very few" in said and f"wgan train images --data {photos} --steps 5000 --augment 1.0" in said
    assert Image.open(tmp_path / "sheet.png").size[0] > 100


def test_strict_refuses_what_training_would_skip(tmp_path, command):
    folder = tmp_path / "x"
    folder.mkdir()
    for i in range(120):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
    (folder / "5.png").write_bytes(b"no")
    assert "5.png: it is not an image" in command("data", folder, "--no-measure").out
    assert "1 file cannot be read, the first is 5.png" in command("data", folder, "--strict").sentence()


def test_unreadable_files_are_listed_even_where_too_many(tmp_path, command, monkeypatch):
    (tmp_path / "x").mkdir()
    for i in range(60):
        (tmp_path / "x" / f"{i:02d}.png").write_bytes(b"no")
    for i in range(10, 60):
        Image.new("L", (8, 8), i).save(tmp_path / "x" / f"{i}.png")
    monkeypatch.setattr(inspection, "UNREADABLE", 3)
    result = command("data", tmp_path / "x", "--no-measure")
    assert "10 of 60 images" in result.sentence() and "(wgan data lists them)" in result.err
    lines = result.out.splitlines()
    assert lines[0].split() == ["unreadable", "10", "files"] and [line.split()[0] for line in lines[1:4]] == [
        "00.png:",
        "01.png:",
        "02.png:",
    ]
    assert lines[4].strip() == "... and 7 more" and len(lines) == 5


def test_a_contact_sheet_is_a_png(tmp_path, command):
    assert "the grid is a .png file" in command("data", "mnist", "--out", tmp_path / "x.jpg").sentence()
    assert not (tmp_path / "x.jpg").exists()


def test_a_name_that_would_move_the_cursor_is_shown_as_text(tmp_path, command):
    for name in ("a\x1b[2J", "b\nc"):
        (tmp_path / "x" / name).mkdir(parents=True)
        for i in range(20):
            Image.new("L", (8, 8), i).save(tmp_path / "x" / name / f"{i}.png")
    said = command("data", tmp_path / "x", "--no-measure").out
    assert "2 (a\\x1b[2J: 20, b\\nc: 20)" in said and "\x1b" not in said


@pytest.mark.parametrize(("count", "batch", "warned"), [(63, 32, True), (64, 32, True), (90, 0, True), (700, 0, False)])
def test_a_batch_is_no_larger_than_the_training_part(tmp_path, command, count, batch, warned):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (count, 8, 8), dtype=np.uint8))
    np.save(tmp_path / "v.npy", rng.normal(size=(count, 2)))
    said = command("data", tmp_path / "x.npy", "--no-measure").out
    assert (f"--batch {batch}" in said and f"batch {batch}, " in said) if batch else "--batch" not in said
    rows = command("data", tmp_path / "v.npy", "--no-measure").out
    assert ("training rows are very few" in rows) == warned and "vectors of 2 numbers; " in rows


def test_bundled_data_are_suggested_their_own_recipe(command):
    assert "suggestion     wgan train grid\n" in command("data", "grid", "--no-measure").out
    assert "wgan train grid --data grid:gulrajani\n" in command("data", "grid:gulrajani", "--no-measure").out


def test_wgan_data_shows_bundled_data_and_vectors(tmp_path, command, monkeypatch):
    monkeypatch.setattr(inspection, "measure", lambda players, source: 61.0)
    assert "100000 to train on, 100000 held out" in command("data", "ring", "--no-measure").out
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(50, 4)))
    said = command("data", tmp_path / "v.npy", "--out", tmp_path / "v.png").out
    assert (
        "vectors" in said
        and "mlp generator" in said
        and "1:01 on this machine as it is now, without evaluations" in said
    )


def test_duplicates_are_found_by_bytes_not_by_checksum(tmp_path, monkeypatch):
    from wgan.config import ReadingOptions
    from wgan.data.own.open import prepared

    x = np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    x[7] = x[9] = x[3]
    monkeypatch.setattr(zlib, "crc32", lambda data: 1)  # every checksum collides
    np.save(tmp_path / "x.npy", x)
    assert inspection.duplicates(prepared(str(tmp_path / "x.npy"), ReadingOptions())) == 2


def test_the_size_suggested_for_odd_sides_can_be_trained(tmp_path, monkeypatch, command):
    """For sides that no network family makes, the suggestion names a size, and training with it works."""
    monkeypatch.chdir(tmp_path)
    np.save("odd.npy", np.random.default_rng(0).integers(0, 256, (60, 25, 30), np.uint8))
    (line,) = [line for line in command("data", "odd.npy", "--no-measure").out.splitlines() if "wgan train" in line]
    assert "--size 24 " in line
    words = shlex.split(line.partition("wgan train")[2])
    assert command("train", *words, "--dry-run").code == 0
    assert "--size" not in command("data", "mnist", "--no-measure").out


def test_signals_are_told_by_their_channels(tmp_path, command):
    values = np.random.default_rng(0).normal(size=(60, 2, 20)) * np.array([[1.0], [30.0]]) + np.array([[0.0], [500.0]])
    np.save(tmp_path / "x.npy", values)
    result = command("data", tmp_path / "x.npy", "--kind", "signal", "--out", tmp_path / "sheet.png", "--no-measure")
    assert "signals, channels x steps = 2x20; 45 to train on, 15 held out" in result.out
    assert "x1: mean " in result.out and "45 training signals are very few" in result.out
    assert f"wgan train signals --kind signal --data {tmp_path}/x.npy" in result.out
    assert Image.open(tmp_path / "sheet.png").size[0] > 100
    found = command("data", tmp_path / "x.npy", "--kind", "signal", "--json", "--no-measure")
    assert '"kind": "signals"' in found.out
    assert "read it as signals with --kind signal" in command("data", tmp_path / "x.npy").sentence()
