"""The progress line: one live line on a terminal, few plain lines elsewhere, and never a reason to stop."""

import errno
import io
import re
import subprocess
import sys

import pytest

from wgan.progress import Progress, Rate, clock_text, counting, naming, short

VALUES = {"critic/wasserstein": 3.21, "generator/loss": -0.5, "generator/gradient_norm": 0.98, "other": 5.0}


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def run(steps, seconds, tty, total=100, start=0):
    clock, out = Clock(), io.StringIO()
    with Progress(total, start, tty=tty, file=out, clock=clock) as progress:
        for step in steps:
            clock.now += seconds
            progress.update(step, VALUES)
    return out.getvalue()


def test_plain_lines_are_the_first_the_last_and_one_each_10_s():
    lines = run(range(1, 101), 0.5, tty=False).splitlines()
    assert [int(line.split()[1].split("/")[0]) for line in lines] == [1, 21, 41, 61, 81, 100]
    assert lines[1] == "step 21/100  2 steps/s  0:39 left  W 3.21  G -0.5  grad 0.98"


def test_the_last_line_does_not_wait_for_later_work():
    """For what comes after the training."""
    out = io.StringIO()
    with Progress(2, 0, tty=False, file=out, clock=lambda: 0.0) as progress:
        progress.update(1, VALUES)
        progress.update(2, VALUES)
        assert "step 2/2" in out.getvalue()


def test_an_interrupted_run_still_shows_where_it_stopped():
    assert run(range(1, 8), 0.5, tty=False).splitlines()[-1].startswith("step 7/100")


def test_a_terminal_has_one_line_that_is_redrawn():
    text = run(range(1, 101), 0.5, tty=True)
    assert "100/100" in text and "50/100" in text and "W 3.21  G -0.5" in text
    assert text.count("\n") <= 1  # nothing scrolls
    assert "\x1b[2K" not in text[text.rindex("100/100") :]  # and at the end it stays


def test_a_narrow_terminal_still_has_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert run(range(1, 101), 0.5, tty=True).count("\n") <= 1


@pytest.mark.parametrize("tty", [False, True])
def test_a_message_is_shown_as_it_is(tty):
    out = io.StringIO()
    with Progress(10, 0, tty=tty, file=out) as progress:
        progress.message("[red] checkpoint [/] kept")
    assert "[red] checkpoint [/] kept\n" in out.getvalue().replace("\r", "")


def test_the_rate_is_that_of_this_process_and_smoothed():
    rate = Rate(1000, 0.0)
    for second in range(1, 101):
        rate.update(1000 + 4 * second, float(second))
    assert float(rate) == pytest.approx(4)
    rate.update(1401, 102.0)  # an evaluation of two seconds
    assert 3.5 < float(rate) < 4
    for second in range(1, 201):
        rate.update(1401 + second, 102.0 + second)
    assert float(rate) == pytest.approx(1, abs=0.01)


def test_numbers_and_times_are_short():
    assert [clock_text(s) for s in (0, 75.4, 3675)] == ["0:00", "1:15", "1:01:15"]
    assert [short(x) for x in (0.52345, 27.31, 1990.4, -3e9)] == ["0.523", "27.3", "1990", "-3e+09"]


@pytest.mark.parametrize(("tty", "failure"), [(False, BrokenPipeError()), (True, OSError(errno.EIO, "hung up"))])
def test_an_output_that_is_gone_stops_nothing(tty, failure):
    class Gone(io.StringIO):
        def write(self, text):
            raise failure

    with Progress(3, 0, tty=tty, file=Gone()) as progress:
        for step in (1, 2, 3):
            progress.update(step, VALUES)
        progress.message("done")
    with counting(3, "looking", "images", tty=tty, file=Gone(), clock=iter(range(99)).__next__) as tick:
        tick(2)
    with naming(tty=tty, file=Gone()) as begin:
        begin("fid", 0, 2)


def test_a_file_that_was_closed_stops_nothing():
    out = io.StringIO()
    with Progress(3, 0, tty=False, file=out) as progress:
        out.close()
        progress.update(3, VALUES)


# --- counting and naming ----------------------------------------------------------------------------------------------


def counted(seconds, tty=True, numbers=range(1, 101)):
    clock, out = Clock(), io.StringIO()
    with counting(100, "preparing photos", "images", tty=tty, file=out, clock=clock) as tick:
        for number in numbers:
            clock.now += seconds
            tick(number)
    return out.getvalue()


def test_a_count_is_one_line_that_is_taken_away():
    text = counted(0.5)
    assert "50/100 images  2/s  preparing photos" in text and text.count("\n") <= 1
    assert text.rindex("\x1b[2K") > text.rindex("preparing photos")


def test_short_work_or_no_terminal_shows_no_count():
    assert counted(0.009) == "" and counted(0.5, tty=False) == ""


def test_no_count_is_drawn_into_another_live_line(monkeypatch):
    out, clock = io.StringIO(), Clock()
    with Progress(10, 0, tty=True, file=out):
        before = out.getvalue()
        with counting(100, "preparing", "images", tty=True, clock=clock) as tick:
            clock.now = 5.0
            tick(50)
        assert out.getvalue() == before


def named(tty):
    out = io.StringIO()
    with naming(tty=tty, file=out) as begin:
        begin("loading the run", 0, 0)
        begin("fid-inception: 500 of 5000 fakes", 0, 2)
        begin("fid-inception: 1000 of 5000 fakes", 0, 2)
        begin("prdc", 1, 2)
        begin("finished", 2, 2)
    return out.getvalue()


def test_each_task_has_a_plain_line_or_its_turn_on_the_live_one():
    plain = ["loading the run", "1 of 2: fid-inception: 500 of 5000 fakes", "2 of 2: prdc", "finished"]
    assert named(False).splitlines() == plain
    text = named(True)
    assert "0/2  0:00  fid-inception: 1000 of 5000 fakes" in text and "1/2  0:00  prdc" in text
    assert text.count("\n") <= 1 and text.rindex("\x1b[2K") > text.rindex("finished")


@pytest.mark.parametrize("columns", ["40", "20"])
def test_every_line_is_cut_to_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for text in (named(True), counted(0.5), run(range(1, 101), 0.5, tty=True)):
        shown = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", part) for part in re.split(r"[\r\n]", text)]
        assert max(map(len, shown)) <= int(columns) - 3 and any("/" in part for part in shown)


@pytest.mark.parametrize("show", [lambda: named(True), lambda: counted(0.5), lambda: run(range(1, 9), 0.5, tty=True)])
def test_a_terminal_of_ascii_gets_ascii(monkeypatch, show):
    held = io.BytesIO()
    monkeypatch.setattr(io, "StringIO", lambda: Ascii(held, "ascii", write_through=True))
    monkeypatch.setenv("COLUMNS", "40")
    text = show()
    assert "/" in text and "?" not in re.sub(r"\x1b\[\?25[lh]", "", text)


class Ascii(io.TextIOWrapper):
    """A terminal that knows no other characters."""

    def getvalue(self):
        return self.buffer.getvalue().decode("ascii")


def test_no_torch_is_imported():
    subprocess.run([sys.executable, "-c", "import sys, wgan.progress; assert 'torch' not in sys.modules"], check=True)
