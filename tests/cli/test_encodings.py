"""What the encoding of a terminal or of a file cannot hold is replaced: no command fails over a character."""

import io
import os
import subprocess
import sys

import pytest

from wgan.progress import Progress

ENCODINGS = ("ascii", "latin-1", "cp1252", "cp932", "utf-8")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_recipes_are_listed_in_any_encoding(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-m", "wgan", "recipes"], env=environment, capture_output=True)
    text = done.stdout.decode(encoding)
    assert done.returncode == 0 and not done.stderr
    assert text.count("\n") > 10 and ("\u2264" in text) == (encoding == "utf-8")


def test_a_mistake_is_said_in_ascii():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "wgan", "train", "--data", "./\u00fc\u2264.npz"]
    done = subprocess.run(words, env=environment, capture_output=True)
    assert done.returncode == 2 and b"Traceback" not in done.stderr
    assert b"no file or folder" in done.stderr and b"?<=.npz" in done.stderr


@pytest.mark.parametrize("tty", [False, True])
def test_progress_goes_on_after_a_name_it_cannot_print(tty):
    """Also from Python, where the output is the host's own: the lines after such a name must come."""
    held = io.BytesIO()
    with Progress(2, 0, tty, file=io.TextIOWrapper(held, "ascii", write_through=True)) as progress:
        progress.message("continuing: r\u00fcns/\u2264")
        progress.message("step 2")
    assert b"continuing: r?ns/?" in held.getvalue() and b"step 2" in held.getvalue()
