"""What commands print fits a terminal of any width and any encoding, and a pipe gets one line for each row."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from wgan.cli.output import paragraphs, replace_unprintable, wrapped
from wgan.recipes import RECIPES


def on_terminal(words, columns, program=("-m", "wgan"), **environment):
    """Return what a terminal of so many columns is sent by a command, and its exit code."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "LINES": "40", "TERM": "xterm-256color", **environment}
    process = subprocess.Popen([sys.executable, *program, *words], stdout=theirs, stderr=theirs, stdin=theirs, env=env)
    os.close(theirs)
    sent = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        sent += part
    os.close(ours)
    return sent.decode().replace("\r\n", "\n"), process.wait()


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_table_fits_the_terminal_or_becomes_paragraphs(columns):
    text, code = on_terminal(["recipes"], columns)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)
    assert code == 0 and all(len(line) <= columns for line in shown.splitlines())
    assert (shown.startswith("mnist\n  source: wgan's own default\n")) == (columns < 100)
    words = " ".join(shown.split())
    assert columns == 120 or all(f"{name} source: " in words for name in RECIPES)


def test_facts_of_data_stand_under_their_beginning():
    text, code = on_terminal(["data", "ring", "--no-measure"], 40)
    facts, suggestion = text.split("suggestion")
    assert code == 0 and all(len(line) <= 40 for line in facts.splitlines())
    assert "\n    " in facts and "\n" not in suggestion.split("  ")[0].strip()


SCRIPT = """
from wgan.cli.output import show
show(("metric", "value", "note"), [("fid", "1.5", "n" * 60), ("kid", "2", "")], 100, "a run", spare=1)
"""


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(40, "a run|metric  value|fid     1.5|kid     2"), (12, "a run|fid|  value: 1.5|kid|  value: 2")],
)
def test_a_narrow_terminal_first_loses_what_it_can_spare(columns, shown):
    text, code = on_terminal([], columns, program=["-c", SCRIPT])
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)
    assert code == 0 and [line.strip() for line in plain.splitlines()] == [line.strip() for line in shown.split("|")]


def test_no_colour_is_sent_where_none_is_wanted():
    assert "\x1b" in on_terminal(["recipes"], 120)[0]
    assert not re.search(r"\x1b\[[\d;]*3\dm", on_terminal(["recipes"], 120, NO_COLOR="1")[0])


def test_a_mistake_is_broken_between_words_on_a_terminal_only():
    text, code = on_terminal(["train", "--learning-rate", "3"], 40)
    assert code == 2 and text == (
        "wgan: unknown flag '--learning-rate':\n--lr is the generator's learning rate,\n--critic-lr the critic's\n"
    )
    piped = subprocess.run(
        [sys.executable, "-m", "wgan", "train", "--learning-rate", "3"], capture_output=True, text=True
    )
    assert piped.stderr == text.replace("\n", " ").strip() + "\n"


def test_long_words_and_flags_stay_whole():
    path = "/very/long/" + "x" * 60
    assert wrapped(f"no file {path} for --critic-layers", 30).split("\n") == ["no file", path, "for --critic-layers"]


def test_an_empty_cell_has_no_line():
    lines = list(paragraphs(("run", "step", "best"), [("a", "1/2", ""), ("b", "2/2", "x" * 5)], 20, "title"))
    assert lines == ["title", "a", "  step: 1/2", "b", "  step: 2/2", "  best: xxxxx"]


def test_what_ascii_cannot_hold_is_written_out(monkeypatch):
    held = io.BytesIO()
    stream = io.TextIOWrapper(held, "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    replace_unprintable()
    print("≤ 5 ± 1 × 2 … ü λ")
    stream.flush()
    assert held.getvalue() == b"<= 5 +- 1 x 2 ... ? ?\n"
